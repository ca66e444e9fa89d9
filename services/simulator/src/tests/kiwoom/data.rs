//! Data: the tape says what the client got, all trades are those that KIS sends, a little later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::super::support::{Simulator, counted, records};
use super::support::{Client, int, text};

/// An event in the words of the tape.
fn of_row(row: &Value) -> Option<String> {
    let item = row["item"].as_str().expect("item");
    let (symbol, tape) = match item.split_once('_') {
        None => (item, "krx"),
        Some((code, "NX")) => (code, "nxt"),
        Some((code, _)) => (code, "all"),
    };
    let plain = |fid: &str| text(row, fid).trim_start_matches(['+', '-']).to_owned();
    match row["type"].as_str()? {
        "0B" => {
            let side = match text(row, "15").chars().next() {
                Some('+') => "buy",
                Some('-') => "sell",
                _ => "none",
            };
            let value = int(row, "14") * 1_000_000;
            let prices = [plain("10"), plain("27"), plain("28"), plain("15"), plain("13"), value.to_string()];
            Some(format!("trade {tape} {symbol} {side} {prices:?}"))
        }
        "0D" => {
            let levels = |price: i64, size: i64| -> Vec<String> {
                let levels =
                    (0..10).map(|n| (plain(&(price + n).to_string()), plain(&(size + n).to_string())));
                levels
                    .filter(|(price, _)| price != "0")
                    .map(|(price, size)| format!("{price}:{size}"))
                    .collect()
            };
            let totals = [plain("121"), plain("125"), plain("13")];
            Some(format!("book {tape} {symbol} {:?} {:?} {totals:?}", levels(41, 61), levels(51, 71)))
        }
        _ => None,
    }
}

fn of_line(line: &Value) -> String {
    let word = |name: &str| line[name].as_str().unwrap_or("").to_owned();
    let number = |name: &str| line[name].to_string();
    if line["kind"] == "trade" {
        let prices = [
            word("price"),
            word("best_ask"),
            word("best_bid"),
            number("quantity"),
            number("cumulative_volume"),
            word("cumulative_value"),
        ];
        return format!("trade {} {} {} {prices:?}", word("tape"), word("symbol"), word("aggressor_side"));
    }
    let levels = |side: &str| -> Vec<String> {
        let levels = line[side].as_array().expect("levels").iter();
        levels.map(|level| format!("{}:{}", level[0].as_str().expect("price"), level[1])).collect()
    };
    let totals = [number("total_ask_quantity"), number("total_bid_quantity"), number("cumulative_volume")];
    format!("book {} {} {:?} {:?} {totals:?}", word("tape"), word("symbol"), levels("asks"), levels("bids"))
}

#[tokio::test]
async fn the_tape_is_what_both_clients_got() {
    let simulator = Simulator::start("rate = 4000").await;
    let mut client = Client::login(&simulator, "demo").await;
    let items = ["005930", "005930_NX", "005930_AL", "000660", "396300", "500001", "0155E0"];
    assert_eq!(client.change("REG", &items, &["0B", "0D"]).await, 0);
    assert_eq!(client.change("REG", &["005930"], &["0H", "0w"]).await, 0);
    assert_eq!(client.change("REG", &[""], &["0s"]).await, 0);
    let mut kis = simulator.client("demo").await;
    kis.subscribe("H0STCNT0", "005930").await;
    client.receive(3_000).await;
    let figures = simulator.stop_events().await;
    client.drain(Duration::from_secs(1)).await;
    kis.drain(Duration::from_secs(1)).await;
    let tape = simulator.lines("tape.jsonl");
    let ours = |line: &&Value| line["source"] == "kiwoom";
    let got = counted(client.rows.iter().filter_map(of_row));
    assert_eq!(got, counted(tape.iter().filter(ours).map(of_line)));
    assert_eq!(tape.len() - tape.iter().filter(ours).count(), records(&kis.data).len());
    assert_eq!(figures["events"].as_u64(), u64::try_from(tape.len()).ok());
    let kinds: BTreeSet<&str> =
        got.keys().filter_map(|key| key.rsplit_once(" [").map(|_| &key[..10])).collect();
    assert!(kinds.contains("trade nxt ") && kinds.contains("book all 0"), "{kinds:?}");
    assert!(client.frames.iter().any(|rows| *rows > 1) && client.frames.contains(&1));
    let dates: BTreeSet<&str> = tape.iter().filter_map(|line| line["trade_date"].as_str()).collect();
    assert!(dates.len() <= 2, "{dates:?}");
    simulator.end().await;
}

#[tokio::test]
async fn volumes_chain_on_each_tape_and_trades_are_those_of_kis() {
    let simulator = Simulator::start("rate = 2000\nbooks_per_trade = 0").await;
    let mut kis = simulator.client("demo").await;
    kis.subscribe("H0STCNT0", "005930").await;
    let mut client = Client::login(&simulator, "demo").await;
    assert_eq!(client.change("REG", &["005930", "005930_NX", "005930_AL"], &["0B"]).await, 0);
    client.receive(1_500).await;
    simulator.stop_events().await;
    client.drain(Duration::from_secs(1)).await;
    kis.drain(Duration::from_secs(1)).await;
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &client.rows {
        let (item, volume) = (row["item"].as_str().expect("item"), int(row, "13"));
        if let Some(before) = last.insert(item, volume) {
            assert_eq!(volume - int(row, "15").abs(), before, "{item}");
        }
    }
    assert_eq!(last.len(), 3);
    let of_kis: BTreeMap<String, String> =
        records(&kis.data).into_iter().map(|(_, fields)| (fields[13].clone(), fields[12].clone())).collect();
    let bare: Vec<&Value> = client.rows.iter().filter(|row| row["item"] == "005930").collect();
    assert!(bare.len() > 300);
    for row in bare {
        let quantity = of_kis.get(text(row, "13")).expect("the trade of kis");
        assert_eq!(*quantity, int(row, "15").abs().to_string());
    }
    simulator.end().await;
}

#[tokio::test]
async fn rows_come_later_than_those_of_kis() {
    let simulator = Simulator::start("rate = 20\nbooks_per_trade = 0\nkiwoom_delay_ms = '300,300'").await;
    let mut kis = simulator.client("demo").await;
    let mut client = Client::login(&simulator, "demo").await;
    assert_eq!(client.change("REG", &["005930"], &["0B"]).await, 0);
    kis.subscribe("H0STCNT0", "005930").await;
    let (mut seen, mut delays) = (BTreeMap::new(), Vec::new());
    while delays.len() < 3 {
        tokio::select! {
            () = kis.receive(1) => {
                for (_, fields) in records(&kis.data.split_off(0)) {
                    seen.insert(fields[13].clone(), Instant::now());
                }
            }
            _ = client.take() => {
                for row in client.rows.split_off(0) {
                    delays.extend(seen.get(text(&row, "13")).map(Instant::elapsed));
                }
            }
        }
    }
    assert!(delays.iter().all(|delay| *delay > Duration::from_millis(200)), "{delays:?}");
    simulator.end().await;
}

#[tokio::test]
async fn the_market_goes_on_while_nobody_listens_and_keeps_its_trades() {
    let simulator = Simulator::start("rate = 1000\nbooks_per_trade = 0\nmarket_goes_on = true").await;
    let mut client = Client::login(&simulator, "demo").await;
    assert_eq!(client.change("REG", &["005930"], &["0B"]).await, 0);
    client.receive(100).await;
    simulator.post("/control/faults", &serde_json::json!([{ "do": "cut", "broker": "kiwoom" }])).await;
    client.until_end().await;
    let last = client.rows.last().map(|row| int(row, "13")).expect("a row");
    let mut again = Client::login(&simulator, "demo").await;
    assert_eq!(again.change("REG", &["005930"], &["0B"]).await, 0);
    again.receive(100).await;
    simulator.stop_events().await;
    again.drain(Duration::from_secs(1)).await;
    let first = &again.rows[0];
    let (start, end) = (last, int(first, "13") - int(first, "15").abs());
    assert!(end > start, "the market stood still");
    let market = simulator.lines("tape.jsonl.market");
    let volume = |line: &Value| line["cumulative_volume"].as_i64().expect("volume");
    let missing =
        market.iter().filter(|line| line["tape"] == "krx" && (start + 1..=end).contains(&volume(line)));
    let quantity: i64 = missing.map(|line| line["quantity"].as_i64().expect("quantity")).sum();
    assert_eq!(quantity, end - start);
    simulator.end().await;
}

#[tokio::test]
async fn what_is_no_trade_comes_too_and_is_not_on_the_tape() {
    let simulator = Simulator::start("rate = 1").await;
    let mut client = Client::login(&simulator, "demo").await;
    assert_eq!(client.change("REG", &["005930"], &["0H", "0w"]).await, 0);
    client.receive(2).await;
    let types: BTreeSet<&str> = client.rows.iter().filter_map(|row| row["type"].as_str()).collect();
    assert_eq!(types.into_iter().collect::<Vec<_>>(), ["0H", "0w"]);
    simulator.stop_events().await;
    assert!(simulator.lines("tape.jsonl").is_empty());
    simulator.end().await;
}
