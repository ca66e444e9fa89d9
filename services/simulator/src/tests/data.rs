//! Data: the tape says what the client got, the rate is kept, replays are word for word, a client that does not
//! read stops its own events only.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::support::{Client, Simulator, counted, records};

const TRADES: [&str; 4] = ["H0STCNT0", "H0NXCNT0", "H0UNCNT0", "HDFSCNT0"];

/// A tape line in the words of a frame: tape, symbol and a few figures, as the test reads them from the fields.
fn of_line(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or("").to_owned();
    let symbol = format!("{} {} {}", text("kind"), text("tape"), text("symbol"));
    if line["kind"] == "trade" {
        let figures = [&line["quantity"], &line["cumulative_volume"], &line["cumulative_value"]];
        return format!("{symbol} {} {} {figures:?}", text("price"), text("best_ask"));
    }
    let first = |side: &str| line[side][0].clone();
    let totals = [&line["total_ask_quantity"], &line["total_bid_quantity"], &line["cumulative_volume"]];
    format!("{symbol} {} {} {totals:?}", first("asks"), first("bids"))
}

fn of_record(tr: &str, fields: &[String]) -> String {
    let tape = match tr {
        "H0STCNT0" | "H0STASP0" => "krx",
        "H0NXCNT0" | "H0NXASP0" => "nxt",
        "H0UNCNT0" | "H0UNASP0" => "all",
        _ => "us",
    };
    let us = tape == "us";
    let kind = if TRADES.contains(&tr) { "trade" } else { "order_book" };
    let symbol = format!("{kind} {tape} {}", fields[usize::from(us)]);
    let int = |at: usize| json!(fields[at].parse::<i64>().expect("a number"));
    let price = |at: usize| {
        let text = fields[at].as_str();
        if us { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    if kind == "trade" {
        let (last, ask, quantity, volume, value) =
            if us { (11, 16, 19, 20, 21) } else { (2, 10, 12, 13, 14) };
        let figures = [&int(quantity), &int(volume), &json!(fields[value])];
        return format!("{symbol} {} {} {figures:?}", price(last), price(ask));
    }
    let level = |at: usize, size: usize| json!([price(at), int(size)]);
    let (ask, bid) = if us { (level(12, 14), level(11, 13)) } else { (level(3, 23), level(13, 33)) };
    let totals = if us { [&int(8), &int(7), &Value::Null] } else { [&int(43), &int(44), &int(53)] };
    format!("{symbol} {ask} {bid} {totals:?}")
}

fn of_client(client: &Client) -> BTreeMap<String, usize> {
    let events = records(&client.data);
    let events = events.iter().filter(|(tr, _)| !tr.contains("ANC") && !tr.contains("MKO"));
    counted(events.map(|(tr, fields)| of_record(tr, fields)))
}

#[tokio::test]
async fn the_tape_is_what_the_client_got() {
    let simulator = Simulator::start("rate = 5000\ntotal_events = 10000").await;
    let mut client = simulator.client("demo").await;
    for tr in ["H0STCNT0", "H0STASP0", "H0UNCNT0", "H0UNASP0", "H0NXCNT0", "H0NXASP0"] {
        for key in ["005930", "0155E0", "Q500001"] {
            client.subscribe(tr, key).await;
        }
    }
    for key in ["DNASAAPL", "DNYSBRK/B"] {
        client.subscribe("HDFSCNT0", key).await;
        client.subscribe("HDFSASP0", key).await;
    }
    for tr in ["H0STANC0", "H0STMKO0", "H0UNMKO0"] {
        client.subscribe(tr, "005930").await;
    }
    let have = records(&client.data).len();
    client.receive(10_000 - have).await;
    let figures = simulator.stop_events().await;
    client.drain(Duration::from_secs(1)).await;
    let tape = counted(simulator.lines("tape.jsonl").iter().map(of_line));
    assert_eq!(tape, of_client(&client));
    let total: usize = tape.values().sum();
    assert!((10_000..10_010).contains(&total), "{total}");
    assert_eq!(
        (figures["events"].as_u64(), figures["running"].as_bool()),
        (u64::try_from(total).ok(), Some(false))
    );
    assert!(figures["by_tr"].as_object().is_some_and(|trs| trs.len() >= 8), "{figures}");
    let (trades, books) =
        (figures["trades"].as_u64().expect("figure"), figures["books"].as_u64().expect("figure"));
    assert!((trades * 28 / 10..trades * 32 / 10).contains(&books), "{trades} trades, {books} books");
    let silent =
        records(&client.data).iter().any(|(tr, fields)| tr.starts_with("H0UN") && fields[0] == "Q500001");
    assert!(!silent, "a symbol that NXT does not trade came on the unified tape");
    let several =
        client.data.iter().filter(|frame| frame.contains("CNT0|00") && !frame.contains("|001|")).count();
    assert!(several > 100, "{several} frames with several records");
    simulator.end().await;
}

#[tokio::test]
async fn two_clients_see_the_same_market_and_the_tape_has_it_once() {
    let simulator = Simulator::start("rate = 2000\ntotal_events = 2000").await;
    let mut clients = [simulator.client("demo").await, simulator.client("demo2").await];
    // Nothing may happen before both have registered.
    simulator.stop_events().await;
    for client in &mut clients {
        client.subscribe("H0STCNT0", "000660").await;
        client.subscribe("H0STASP0", "000660").await;
    }
    simulator.post("/control/start", &Value::Null).await;
    for client in &mut clients {
        let have = records(&client.data).len();
        client.receive(2_000 - have).await;
    }
    simulator.stop_events().await;
    let tape = simulator.lines("tape.jsonl");
    assert_eq!(tape[0]["connections"], json!([1, 2]));
    let tape = counted(tape.iter().map(of_line));
    assert_eq!((&tape, &tape), (&of_client(&clients[0]), &of_client(&clients[1])));
    simulator.end().await;
}

#[tokio::test]
async fn the_rate_is_that_of_the_settings() {
    let simulator = Simulator::start("rate = 3000").await;
    let mut client = simulator.client("demo").await;
    client.subscribe("H0STASP0", "005930").await;
    client.receive(100).await;
    // On a machine that does other things too a second can be short of events, and the next one makes up for it: one in
    // many that is as it must be says enough.
    let mut seen = Vec::new();
    let is_right = |(events, expected): &(usize, usize)| events.abs_diff(*expected) < expected / 10;
    while !seen.last().is_some_and(is_right) {
        assert!(seen.len() < 20, "events and those expected, second by second: {seen:?}");
        let (start, first) = (Instant::now(), records(&client.data).len());
        while start.elapsed() < Duration::from_secs(1) {
            client.receive(100).await;
        }
        let expected = usize::try_from(start.elapsed().as_millis() * 3).expect("events");
        seen.push((records(&client.data).len() - first, expected));
    }
    simulator.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_its_events_only() {
    let simulator = Simulator::start("rate = 50000").await;
    let mut lazy = simulator.client("demo").await;
    let mut eager = simulator.client("demo2").await;
    lazy.subscribe("H0STASP0", "000660").await;
    eager.subscribe("H0STASP0", "005930").await;
    // The sockets' buffers are full when the lazy one's figure stands still while the other's grows.
    let start = Instant::now();
    let mut before = 0;
    loop {
        eager.receive(5_000).await;
        eager.data.clear();
        let http = reqwest::get(format!("{}/control/status", simulator.rest)).await.expect("status");
        let figures: Value = http.json().await.expect("JSON");
        let written = figures["clients"][0]["written"].as_u64().expect("figure");
        if written > 0 && written == before {
            break;
        }
        before = written;
        assert!(start.elapsed() < Duration::from_secs(20), "it is written for without end: {written}");
    }
    drop(lazy);
    simulator.end().await;
}

#[tokio::test]
async fn files_of_frames_are_played_word_for_word() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("frames.txt");
    let frames = ["0|H0STCNT0|001|a^b", "", "{\"header\":{}}", "0|H0STASP0|002|c^d^e^f"];
    std::fs::write(&path, frames.join("\n")).expect("frames");
    let simulator =
        Simulator::start(&format!("rate = 1000\nrepeat = 3\nframes = ['{}']", path.display())).await;
    let mut clients = [simulator.client("demo").await, simulator.client("demo2").await];
    for client in &mut clients {
        client.subscribe("H0STCNT0", "005930").await;
        while client.data.len() < 6 {
            let text = client.next().await.expect("alive").expect("open");
            client.data.push(text);
        }
        let expected: Vec<&str> = [frames[0], frames[3]].repeat(3);
        assert_eq!(client.data, expected);
    }
    let figures = simulator.stop_events().await;
    assert_eq!(figures["frames"], 12);
    let tape = simulator.lines("tape.jsonl");
    assert_eq!(tape[1], json!({ "kind": "frame", "text": frames[3], "connections": [1], "frame": 2 }));
    let opened = simulator.lines("tape.jsonl.connections");
    assert_eq!((&opened[0]["connection"], &opened[0]["source"]), (&json!(1), &json!("kis")));
    assert!(opened[0]["opened_ns"].as_u64() < opened[1]["opened_ns"].as_u64());
    simulator.end().await;
}
