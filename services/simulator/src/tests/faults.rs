//! Faults by script, as the client and the tape see them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Error;

use super::support::{Simulator, records};

/// Starts with a KRX book registration and the faults; receives `count` records at least.
async fn with_faults(faults: &str, count: usize) -> (Simulator, Vec<String>, Vec<Value>, Vec<Value>) {
    let simulator = Simulator::start(&format!("rate = 2000\nfaults = '{faults}'")).await;
    let mut client = simulator.client("demo").await;
    client.subscribe("H0STASP0", "005930").await;
    while client.data.len() < count {
        let text = client.next().await.expect("alive").expect("open");
        client.data.push(text);
    }
    simulator.stop_events().await;
    client.drain(Duration::from_secs(1)).await;
    let (tape, faults) = (simulator.lines("tape.jsonl"), simulator.lines("tape.jsonl.faults"));
    (simulator, client.data, tape, faults)
}

#[tokio::test]
async fn dropped_events_are_in_the_list_of_faults_only() {
    let (simulator, data, tape, faults) =
        with_faults(r#"[{"at_event":50,"do":"drop","count":7}]"#, 200).await;
    assert_eq!((faults.len(), faults[0]["reason"].as_str()), (7, Some("drop")));
    assert_eq!(tape.len(), data.len());
    simulator.end().await;
}

#[tokio::test]
async fn spoilt_frames_are_not_on_the_tape_and_their_neighbours_are() {
    let faults = r#"[{"at_event":10,"do":"truncate"},{"at_event":20,"do":"wrong_count"},{"at_event":30,"do":"garbage"},{"at_event":40,"do":"null","field":5},{"at_event":50,"do":"duplicate"}]"#;
    let (simulator, data, tape, faults) = with_faults(faults, 200).await;
    let reasons: Vec<&str> = faults.iter().filter_map(|line| line["reason"].as_str()).collect();
    assert_eq!(reasons, ["truncate", "wrong_count", "garbage", "garbage", "duplicate"]);
    // The book that came twice is on the tape twice.
    assert_eq!(tape.len(), data.len() - 4);
    assert!(data[10].matches('^').count() < 62, "{}", data[10]);
    assert!(data[20].starts_with("0|H0STASP0|002|"), "{}", data[20]);
    assert!(data[30].starts_with("0|H0STASP0|001|005930^") && data[30].contains("^12x4^"), "{}", data[30]);
    assert_eq!(data[40].split('^').nth(5), Some("(null)"));
    assert_eq!(data[50], data[51]);
    let spoilt: Vec<_> = simulator.lines("tape.jsonl.connections").into_iter().skip(1).collect();
    let spoilt: Vec<_> =
        spoilt.iter().map(|line| (line["frame"].as_u64(), line["spoilt"].as_str())).collect();
    let garbage = Some("garbage");
    assert_eq!(
        spoilt,
        [
            (Some(11), Some("truncate")),
            (Some(21), Some("wrong_count")),
            (Some(31), garbage),
            (Some(41), garbage)
        ]
    );
    // The frames on the tape are those that were counted at the other end.
    let frames: Vec<_> = tape.iter().filter_map(|line| line["frame"].as_u64()).collect();
    let last = u64::try_from(data.len()).expect("a count");
    let clean = (1..=last).filter(|frame| ![11, 21, 31, 41].contains(frame));
    assert_eq!(frames, clean.collect::<Vec<_>>());
    simulator.end().await;
}

#[tokio::test]
async fn a_frame_as_large_as_a_client_reads_goes_with_what_waits_before_it() {
    let text = "x".repeat((1 << 20) + 1);
    let faults = format!(r#"[{{"at_event":50,"do":"garbage","text":"{text}"}}]"#);
    let (simulator, data, tape, _) = with_faults(&faults, 200).await;
    assert!(data[50].len() > 1 << 20, "{} bytes", data[50].len());
    // The same connection went on.
    assert_eq!(tape.len(), data.len() - 1);
    simulator.end().await;
}

#[tokio::test]
async fn grown_records_keep_their_first_fields() {
    let faults = r#"[{"at_event":5,"do":"grow","tr":"H0STASP0","count":2}]"#;
    let (simulator, data, tape, _) = with_faults(faults, 20).await;
    let widths: Vec<usize> = records(&data).iter().map(|(_, fields)| fields.len()).collect();
    assert_eq!((widths[4], widths[5]), (63, 65));
    assert_eq!(tape.len(), data.len());
    simulator.end().await;
}

#[tokio::test]
async fn a_cut_ends_without_a_close_frame_after_the_event() {
    let simulator = Simulator::start(
        r#"rate = 1000
        faults = [{ at_event = 100, do = "cut" }]"#,
    )
    .await;
    let mut client = simulator.client("demo").await;
    client.subscribe("H0STASP0", "005930").await;
    let end = loop {
        match client.next().await {
            Ok(Some(text)) => client.data.push(text),
            Ok(None) => panic!("closed with a frame"),
            Err(error) => break error,
        }
    };
    assert!(matches!(end, Error::Protocol(_) | Error::Io(_)), "{end}");
    assert_eq!(client.data.len(), 100);
    simulator.stop_events().await;
    let tape = simulator.lines("tape.jsonl");
    assert_eq!(tape.len(), 100);
    simulator.end().await;
}

#[tokio::test]
async fn refusals_dead_keys_and_silence_come_on_demand() {
    let simulator = Simulator::start("rate = 1000").await;
    let mut client = simulator.client("demo").await;
    let post = async |fault: Value| simulator.post("/control/faults", &Value::Array(vec![fault])).await.0;
    assert_eq!(post(json!({ "do": "refuse", "code": "OPSP0009" })).await, 200);
    let book = client.request("1", "H0STASP0", "005930");
    assert_eq!(client.ask(&book).await.2, "OPSP0009");
    assert_eq!(post(json!({ "do": "silent", "tr_key": "005930" })).await, 200);
    client.subscribe("H0STASP0", "005930").await;
    client.subscribe("H0STASP0", "000660").await;
    client.receive(50).await;
    assert!(records(&client.data).iter().all(|(_, fields)| fields[0] == "000660"));
    assert_eq!(post(json!({ "do": "clear" })).await, 200);
    client.data.clear();
    client.receive(200).await;
    assert!(records(&client.data).iter().any(|(_, fields)| fields[0] == "005930"));
    assert_eq!(post(json!({ "do": "dead_key" })).await, 200);
    let other = client.request("1", "H0STCNT0", "005930");
    assert_eq!(client.ask(&other).await.2, "OPSP0011");
    assert_eq!(post(json!({ "do": "dance" })).await, 400);
    simulator.end().await;
}

#[tokio::test]
async fn a_stall_is_silence_without_loss_and_slowness_ends() {
    let simulator = Simulator::start("rate = 1000").await;
    let mut client = simulator.client("demo").await;
    client.subscribe("H0STASP0", "005930").await;
    client.receive(50).await;
    simulator.post("/control/faults", &json!([{ "do": "stall", "seconds": 1 }])).await;
    let mut silence = Duration::ZERO;
    while silence < Duration::from_millis(900) {
        let start = Instant::now();
        client.receive(1).await;
        silence = silence.max(start.elapsed());
    }
    client.receive(500).await;
    simulator.post("/control/faults", &json!([{ "do": "slow", "rate": 10, "seconds": 1 }])).await;
    let start = Instant::now();
    client.receive(500).await;
    assert!(start.elapsed() > Duration::from_secs(1), "{:?}", start.elapsed());
    simulator.stop_events().await;
    client.drain(Duration::from_secs(1)).await;
    assert_eq!(simulator.lines("tape.jsonl").len(), records(&client.data).len());
    simulator.end().await;
}

#[tokio::test]
async fn a_reset_is_an_error_and_the_key_is_free_again() {
    let simulator = Simulator::start("rate = 1000").await;
    let mut client = simulator.client("demo").await;
    client.subscribe("H0STASP0", "005930").await;
    simulator.post("/control/faults", &json!([{ "do": "reset" }])).await;
    while let Ok(message) = client.next().await {
        assert!(message.is_some(), "closed with a frame");
    }
    let (ws, _) = tokio_tungstenite::connect_async(&simulator.websocket).await.expect("socket");
    client.ws = ws;
    client.subscribe("H0STASP0", "005930").await;
    client.receive(10).await;
    simulator.end().await;
}

#[tokio::test]
async fn a_reordered_frame_comes_after_its_follower() {
    let faults = r#"[{"at_event":50,"do":"reorder"}]"#;
    let lines = format!("rate = 2000\nbooks_per_trade = 0\nrecords_per_frame = '1'\nfaults = '{faults}'");
    let simulator = Simulator::start(&lines).await;
    let mut client = simulator.client("demo").await;
    client.subscribe("H0STCNT0", "005930").await;
    client.receive(100).await;
    simulator.stop_events().await;
    client.drain(Duration::from_secs(1)).await;
    let volumes: Vec<i64> =
        records(&client.data).iter().map(|(_, fields)| fields[13].parse().expect("volume")).collect();
    let backwards: Vec<usize> = (1..volumes.len()).filter(|at| volumes[*at] < volumes[at - 1]).collect();
    assert_eq!(backwards, [51]);
    assert_eq!(simulator.lines("tape.jsonl").len(), volumes.len());
    simulator.end().await;
}

#[tokio::test]
async fn a_mute_socket_loses_what_was_due_and_sends_no_pingpong() {
    let simulator = Simulator::start("rate = 1000\nping_seconds = 1").await;
    let mut client = simulator.client("demo").await;
    client.subscribe("H0STASP0", "005930").await;
    client.receive(50).await;
    simulator.post("/control/faults", &json!([{ "do": "mute", "seconds": 3, "broker": "kis" }])).await;
    client.drain(Duration::from_millis(200)).await;
    let start = Instant::now();
    client.receive(1).await;
    assert!(start.elapsed() > Duration::from_millis(400), "{:?}", start.elapsed());
    simulator.stop_events().await;
    // A PINGPONG comes each second.
    client.drain(Duration::from_millis(500)).await;
    assert_eq!(simulator.lines("tape.jsonl").len(), records(&client.data).len());
    let lost = simulator.lines("tape.jsonl.faults");
    assert!(lost.len() > 300 && lost.iter().all(|line| line["reason"] == "unwritten"), "{}", lost.len());
    simulator.end().await;
}
