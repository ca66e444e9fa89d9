//! Faults by script, at Kiwoom alone, as its client and the tape see them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::support::Simulator;
use super::support::{Client, call, int, text, token};

async fn fault(simulator: &Simulator, fault: Value) {
    let (status, figures) = simulator.post("/control/faults", &Value::Array(vec![fault])).await;
    assert_eq!(status, 200, "{figures}");
}

/// Starts with a book registration and the faults; takes `count` rows at least.
async fn with_faults(faults: &str, count: usize) -> (Simulator, Client, Vec<Value>, Vec<Value>) {
    let simulator = Simulator::start(&format!("rate = 2000\nfaults = '{faults}'")).await;
    let mut client = Client::login(&simulator, "demo").await;
    assert_eq!(client.change("REG", &["005930"], &["0D"]).await, 0);
    client.receive(count).await;
    simulator.stop_events().await;
    client.drain(Duration::from_secs(1)).await;
    let (tape, faults) = (simulator.lines("tape.jsonl"), simulator.lines("tape.jsonl.faults"));
    (simulator, client, tape, faults)
}

#[tokio::test]
async fn spoilt_rows_are_not_on_the_tape_and_their_neighbours_are() {
    let faults = r#"[{"at_event":10,"do":"truncate"},{"at_event":20,"do":"garbage","tr":"0D"},{"at_event":30,"do":"drop","count":3},{"at_event":50,"do":"duplicate"}]"#;
    let (simulator, client, tape, faults) = with_faults(faults, 200).await;
    let reasons: Vec<&str> = faults.iter().filter_map(|line| line["reason"].as_str()).collect();
    assert_eq!(reasons, ["truncate", "garbage", "drop", "drop", "drop", "duplicate"]);
    assert_eq!(client.spoilt.len(), 1);
    // The garbled one came and is not on the tape; the book that came twice is on it twice.
    assert_eq!(tape.len(), client.rows.len() - 1);
    assert_eq!(text(&client.rows[19], "41"), "12x4");
    assert_eq!(client.rows[46], client.rows[47]);
    simulator.end().await;
}

#[tokio::test]
async fn reordered_and_grown_rows_keep_what_they_say() {
    let lines = r#"rate = 2000
        books_per_trade = 0
        faults = '[{"at_event":50,"do":"reorder","broker":"kiwoom"},{"at_event":5,"do":"grow","count":2}]'"#;
    let simulator = Simulator::start(lines).await;
    let mut client = Client::login(&simulator, "demo").await;
    assert_eq!(client.change("REG", &["005930"], &["0B"]).await, 0);
    client.receive(300).await;
    simulator.stop_events().await;
    client.drain(Duration::from_secs(1)).await;
    let volumes: Vec<i64> = client.rows.iter().map(|row| int(row, "13")).collect();
    let backwards = volumes.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!(backwards >= 1, "nothing came out of order");
    let mut sorted = volumes.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), volumes.len());
    let fids = |row: &Value| row["values"].as_object().map(serde_json::Map::len);
    assert_eq!((fids(&client.rows[0]), client.rows.last().map(fids)), (Some(43), Some(Some(45))));
    assert_eq!(simulator.lines("tape.jsonl").len(), volumes.len());
    simulator.end().await;
}

#[tokio::test]
async fn kicks_and_cuts_hurt_the_named_broker_alone() {
    let simulator = Simulator::start("rate = 1000").await;
    let mut kis = simulator.client("demo").await;
    kis.subscribe("H0STASP0", "005930").await;
    let mut client = Client::login(&simulator, "demo").await;
    assert_eq!(client.change("REG", &["005930"], &["0D"]).await, 0);
    client.receive(20).await;
    fault(&simulator, json!({ "do": "kick", "broker": "kiwoom" })).await;
    let said = client.until_end().await;
    assert_eq!(said.last().map(|answer| answer["code"].clone()), Some(json!("R10001")));
    assert_eq!(client.closed.as_ref().map(|close| close.reason.as_str()), Some("Bye"));
    let mut again = Client::login(&simulator, "demo").await;
    fault(&simulator, json!({ "do": "cut", "broker": "kiwoom" })).await;
    again.until_end().await;
    assert!(again.closed.is_none(), "closed with a frame");
    kis.receive(200).await;
    let mut third = Client::login(&simulator, "demo2").await;
    assert_eq!(third.change("REG", &["005930"], &["0D"]).await, 0);
    fault(&simulator, json!({ "do": "cut", "broker": "kis" })).await;
    while let Ok(message) = kis.next().await {
        assert!(message.is_some(), "closed with a frame");
    }
    third.receive(200).await;
    simulator.end().await;
}

#[tokio::test]
async fn a_mute_socket_is_dead_and_its_rows_are_among_the_faults() {
    let simulator = Simulator::start("rate = 1000\nkiwoom_ping_seconds = 1").await;
    let mut client = Client::login(&simulator, "demo").await;
    assert_eq!(client.change("REG", &["005930"], &["0D"]).await, 0);
    client.receive(50).await;
    fault(&simulator, json!({ "do": "mute", "seconds": 3, "broker": "kiwoom" })).await;
    client.drain(Duration::from_millis(200)).await;
    let (pings, start) = (client.pings, Instant::now());
    client.take().await.expect("open");
    assert!(start.elapsed() > Duration::from_millis(1_200), "{:?}", start.elapsed());
    assert_eq!(client.pings - pings, usize::from(client.pings > pings));
    simulator.stop_events().await;
    // A PING comes each second.
    client.drain(Duration::from_millis(500)).await;
    assert_eq!(simulator.lines("tape.jsonl").len(), client.rows.len());
    let lost = simulator.lines("tape.jsonl.faults");
    assert!(lost.len() > 1_000 && lost.iter().all(|line| line["reason"] == "unwritten"), "{}", lost.len());
    simulator.end().await;
}

#[tokio::test]
async fn registrations_and_tokens_are_refused_on_demand() {
    let simulator = Simulator::start("rate = 1000").await;
    let mut client = Client::login(&simulator, "demo").await;
    fault(&simulator, json!({ "do": "refuse", "broker": "kiwoom", "code": "105118" })).await;
    assert_eq!(client.change("REG", &["005930"], &["0D"]).await, 105_118);
    assert_eq!(client.change("REG", &["005930"], &["0D"]).await, 0);
    fault(&simulator, json!({ "do": "silent", "broker": "kiwoom", "tr_key": "000660" })).await;
    assert_eq!(client.change("REG", &["000660"], &["0D"]).await, 0);
    client.receive(100).await;
    assert!(client.rows.iter().all(|row| row["item"] == "005930"));
    fault(&simulator, json!({ "do": "dead_key", "broker": "kiwoom" })).await;
    let stocks = json!({ "mrkt_tp": "0" });
    assert_eq!(call(&simulator, &client.token, "ka10099", &stocks, "").await.codes().1, "8005");
    let mut other = Client::with(&simulator, client.token.clone()).await;
    let login = json!({ "trnm": "LOGIN", "token": other.token });
    assert_eq!(other.ask(&login).await["return_code"], 805_004);
    // The session itself lives on, and a new token works.
    let seen = client.rows.len();
    client.receive(seen + 20).await;
    let token = token(&simulator, "demo").await;
    assert_eq!(call(&simulator, &token, "ka10099", &stocks, "").await.codes().0, 0);
    simulator.end().await;
}

#[tokio::test]
async fn rest_fails_in_all_ways() {
    let simulator = Simulator::start("rate = 1\nkiwoom_requests_per_second = 100").await;
    let token = token(&simulator, "demo").await;
    let stocks = json!({ "mrkt_tp": "0" });
    let ask = async || call(&simulator, &token, "ka10099", &stocks, "").await;
    fault(&simulator, json!({ "do": "429", "broker": "kiwoom", "count": 2 })).await;
    assert_eq!((ask().await.status, ask().await.status, ask().await.status), (429, 429, 200));
    fault(&simulator, json!({ "do": "html" })).await;
    let answer = ask().await;
    assert_eq!((answer.status, answer.text.contains("Request Blocked")), (400, true));
    fault(&simulator, json!({ "do": "502", "broker": "kiwoom" })).await;
    assert_eq!(ask().await.status, 502);
    fault(&simulator, json!({ "do": "rest_error", "code": "8031", "broker": "kiwoom" })).await;
    let answer = ask().await;
    assert_eq!((answer.status, answer.codes().1.as_str()), (200, "8031"));
    fault(&simulator, json!({ "do": "slow_answers", "seconds": 5, "delay_ms": 400 })).await;
    let start = Instant::now();
    assert_eq!(ask().await.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(400), "{:?}", start.elapsed());
    fault(&simulator, json!({ "do": "slow_answers", "seconds": 60, "delay_ms": 30_000 })).await;
    fault(&simulator, json!({ "do": "clear" })).await;
    let start = Instant::now();
    assert_eq!(ask().await.status, 200);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    simulator.end().await;
}
