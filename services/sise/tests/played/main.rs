//! `sise replay`: an archived day arrives at a client of the gateway complete and in order, and nothing of it on the bus.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

#[path = "../replay/support.rs"]
#[allow(dead_code, reason = "the other tests' servers, used in part")]
mod support;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use support::{House, until};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a message may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);
/// Prints of each symbol.
const PRINTS: i64 = 1_500;
/// 2026-11-24 09:00 in Seoul.
const NINE: i64 = 1_795_478_400;

const TRADE: &str = "INSERT INTO trades (market, source, tape, symbol, trade_date, exchange_ns, received_ns, connection_id, \
    frame_sequence, record_index, origin, price, quantity, aggressor_side, cumulative_volume, cumulative_value, \
    cumulative_value_step, session, session_codes, halted, stream, epoch, stream_sequence, event_id)";
const BOOK: &str = "INSERT INTO order_books (market, source, tape, symbol, trade_date, exchange_ns, received_ns, connection_id, \
    frame_sequence, record_index, origin, ask_prices, ask_quantities, bid_prices, bid_quantities, session, session_codes, \
    stream, epoch, stream_sequence, event_id)";

/// A day of two symbols from KIS and of one from Kiwoom: a print each second, a book beside it; one print is recovered, one book
/// stands there twice, and another day lies beside it.
fn day() -> Vec<String> {
    let mut statements = Vec::new();
    let lanes = [("kis", "005930"), ("kis", "000660"), ("kiwoom", "005930")];
    for (place, (source, symbol)) in (0_i64..).zip(lanes) {
        // `n` counts from 0: the print `n + 1` of the lane, received so many tenths of a second after its second.
        let second = format!("toInt64({NINE} + n + 1)");
        let at = format!(
            "'kr', '{source}', 'krx', '{symbol}', toDate('2026-11-24'), fromUnixTimestamp64Nano({second} * 1000000000, 'UTC'), \
             fromUnixTimestamp64Nano({second} * 1000000000 + {}, 'UTC'), 1, n + 1, {place}, 'live'",
            (place + 1) * 100_000_000
        );
        let name = format!("'S', 1, n + 1 + {place} * 10000, n + 1 + {place} * 10000");
        let from = format!("FROM (SELECT number AS n FROM numbers({PRINTS}))");
        statements.push(format!(
            "{TRADE} SELECT {at}, 70000.5, 2, 'buy', 2 * (n + 1), 0, 1, 'continuous', '20', false, {name} {from}"
        ));
        statements.push(format!(
            "{BOOK} SELECT {at}, [70001, 70002], [n + 1, 5], [70000], [7], 'continuous', '20', {name} {from}"
        ));
    }
    statements.push("INSERT INTO order_books SELECT * FROM order_books WHERE stream_sequence = 1".to_owned());
    for (date, origin, volume) in [("2026-11-24", "recovered", 100_000), ("2026-11-23", "live", 7)] {
        statements.push(format!(
            "{TRADE} VALUES ('kr', 'kis', 'krx', '005930', '{date}', toDateTime64({NINE}, 9, 'UTC'), \
             toDateTime64({NINE}, 9, 'UTC'), 1, 1, 9, '{origin}', 1, 2, 'buy', {volume}, 0, 1, 'continuous', '', false, 'S', 1, \
             900001, {volume})"
        ));
    }
    statements
}

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn open(address: std::net::SocketAddr, wanted: Value) -> Self {
        let (socket, _) = connect_async(format!("ws://{address}/v1/stream")).await.expect("stream");
        let mut client = Self(socket);
        assert_eq!(client.next().await.expect("hello")["type"], "hello");
        client.0.send(Message::text(wanted.to_string())).await.expect("sent");
        client
    }

    /// The next message that is no heartbeat; none at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            match tokio::time::timeout(LIMIT, self.0.next()).await.expect("in time")? {
                Ok(Message::Text(text)) => {
                    let value: Value = serde_json::from_str(&text).expect("json");
                    if value["type"] != "heartbeat" {
                        return Some(value);
                    }
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

/// `sise replay` with the gateway of this build.
fn replay(arguments: &[&str]) -> Command {
    let gateway = PathBuf::from(std::env::var_os("SISE_BIN_DIR").expect("SISE_BIN_DIR")).join("gateway");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sise"));
    command.args(["replay", "--date", "2026-11-24", "--listen", "127.0.0.1:0", "--gateway"]).arg(gateway);
    command.args(arguments);
    command
}

/// Everything that a client gets of a replay, to its end.
async fn played(house: &mut House, name: &str, arguments: &[&str], source: &str) -> Vec<Value> {
    let mark = r#""message":"serving","address":""#;
    let address = house.serve(name, replay(arguments), mark).await;
    let health: Value = reqwest::get(format!("http://{address}/v1/health"))
        .await
        .expect("health")
        .json()
        .await
        .expect("json");
    assert_eq!(
        (&health["replay"]["state"], &health["replay"]["events"]),
        (&json!("waiting"), &json!(0)),
        "{health}"
    );
    let wanted = json!({"op": "subscribe", "market": "kr", "symbols": ["*"], "source": source, "kinds": ["trade", "order_book"]});
    let mut client = Client::open(address, wanted).await;
    let mut items = Vec::new();
    let mut farewell = Value::Null;
    while let Some(message) = client.next().await {
        match message["type"].as_str() {
            Some("subscribed") => {}
            Some("snapshot") => assert_eq!((&message["skipped"], &message["items"]), (&json!(0), &json!([]))),
            Some("update") => items.extend(message["items"].as_array().expect("items").clone()),
            Some("closing") => farewell = message["reason"].clone(),
            _ => panic!("{message}"),
        }
    }
    assert_eq!(farewell, "the replay is over");
    until("the replay has ended", async || house.ended(name).is_some()).await;
    assert_eq!(house.ended(name).and_then(|status| status.code()), Some(0), "{}", house.said(name));
    items
}

fn volumes(items: &[Value], symbol: &str) -> Vec<i64> {
    let trades = items.iter().filter(|item| item["kind"] == "trade" && item["symbol"] == symbol);
    trades.map(|item| item["cumulative_volume"].as_i64().expect("volume")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_day_arrives_complete_and_in_order_and_nothing_of_it_on_the_bus() {
    let mut house = House::build().await;
    // A client that this machine keeps waiting for is not slow.
    house.set("GATEWAY__SLOW_MS", "600000");
    for statement in day() {
        assert_eq!(house.text(&statement).await, "", "{}", &statement[..statement.len().min(200)]);
    }
    let whole: Vec<i64> = (1..=PRINTS).map(|number| number * 2).collect();

    let items = played(&mut house, "whole", &["--speed", "0"], "merged").await;
    assert_eq!(volumes(&items, "005930"), whole, "each print once, though both brokers have it");
    assert_eq!(volumes(&items, "000660"), whole);
    assert!(items.iter().all(|item| item["late"].is_null() && item["kind"] != "gap"));
    let first =
        items.iter().find(|item| item["kind"] == "trade" && item["symbol"] == "005930").expect("trade");
    let place = json!({
        "price": first["price"], "quantity": first["quantity"], "received_ns": first["received_ns"],
        "exchange_ns": first["exchange_ns"], "source": first["source"], "trade_date": first["trade_date"],
    });
    let expected = json!({
        "price": "70000.5", "quantity": 2, "received_ns": "1795478401100000000", "exchange_ns": "1795478401000000000",
        "source": "kis", "trade_date": "2026-11-24",
    });
    assert_eq!(place, expected);

    // The books of one broker: one a second, and so none is left out between two batches of 50 ms.
    let items = played(&mut house, "kis", &["--speed", "0", "--symbol", "000660"], "kis").await;
    let books: Vec<i64> = items
        .iter()
        .filter(|item| item["kind"] == "order_book")
        .map(|item| item["asks"][0][1].as_i64().expect("shares"))
        .collect();
    assert_eq!(books, (1..=PRINTS).collect::<Vec<_>>());
    assert_eq!((volumes(&items, "000660"), volumes(&items, "005930")), (whole, vec![]));

    // A stretch of the day, at the highest speed.
    let part = ["--speed", "200", "--from", "09:10:00", "--to", "09:10:30", "--symbol", "005930"];
    let items = played(&mut house, "part", &part, "kiwoom").await;
    assert_eq!(volumes(&items, "005930"), (600..630).map(|number| number * 2).collect::<Vec<_>>());

    assert_eq!(house.messages().await, (0, 0), "nothing of it is on the bus");
    assert_eq!(house.text("SELECT count() FROM feed_status").await, "0\n");
    let nothing = house.run_command(replay(&["--symbol", "AAPL"]));
    assert_eq!(nothing.status.code(), Some(1));
    let said =
        format!("{}{}", String::from_utf8_lossy(&nothing.stdout), String::from_utf8_lossy(&nothing.stderr));
    assert!(said.contains("the archive has no live trade or order book of 2026-11-24 kr"), "{said}");
}
