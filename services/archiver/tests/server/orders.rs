//! Orders from outside: what the tables lack is read again, what was set aside is handed back.

use std::process::Command;

use bus::{AskError, Outgoing};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{House, LIMIT, book, program, trade, until};

async fn ask(house: &House, call: &str, request: &Value) -> Result<Value, AskError> {
    let client = house.context().await.client();
    let subject = format!("archiver.{call}");
    let answer = bus::ask_at(&client, subject, request.to_string().into(), LIMIT).await?;
    Ok(serde_json::from_slice(&answer).expect("json"))
}

async fn letters(house: &House) -> u64 {
    let mut stream = house.context().await.get_stream("DEADLETTER").await.expect("stream");
    stream.info().await.expect("info").state.messages
}

#[tokio::test]
async fn what_the_tables_lack_is_read_again_and_only_that() {
    let house = House::build().await;
    let _archiver = house.archiver();
    house.publish((1..=250).map(trade)).await;
    let poison = Outgoing::new("ticker.kr.kis.005930.krx", "poison", &b"\xff\xff"[..]);
    let mut publisher = house.publisher();
    publisher.publish(poison, ()).await.expect("published");
    publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");
    house.publish((251..=500).map(trade)).await;
    // One event stands at two sequences: it has one row.
    let context = house.context().await;
    let again = context.publish(bus::subject(&trade(500)), bus::encode(&trade(500))).await;
    again.expect("published").await.expect("stored");
    house.until_number("SELECT sum(last - first + 1) FROM archived", 502).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 500);

    // A mutation is a merge to the engine.
    house.execute("SYSTEM START MERGES trades").await;
    house
        .execute(
            "ALTER TABLE trades DELETE WHERE stream_sequence BETWEEN 101 AND 150 SETTINGS mutations_sync = 1",
        )
        .await;
    house.execute("SYSTEM STOP MERGES trades").await;
    let request = json!({ "stream": "TICKER_KR_KIS", "first": 1, "last": 600 });
    let answer = ask(&house, "replay", &request).await.expect("answer");
    let expected = |inserted: u64, there: u64| {
        json!({
            "stream": "TICKER_KR_KIS", "first": 1, "last": 600, "next": null, "there": there,
            "inserted": inserted, "set_aside": 1, "gone": [[503, 600]],
        })
    };
    assert_eq!(answer, expected(50, 451));
    assert_eq!(house.number("SELECT count() FROM trades").await, 500);
    assert_eq!(house.number("SELECT uniqExact(event_id) FROM trades").await, 500);
    assert_eq!(ask(&house, "replay", &request).await.expect("answer"), expected(0, 501));
    assert_eq!(letters(&house).await, 1, "known dead letters are not written again");

    let long = json!({ "stream": "TICKER_KR_KIS", "first": 1, "last": 50_000 });
    assert_eq!(ask(&house, "replay", &long).await.expect("answer")["next"], 10_001);
    let word = async |call: &str, request: Value| match ask(&house, call, &request).await {
        Err(AskError::Refused(refused)) => refused.word,
        other => panic!("{other:?}"),
    };
    assert_eq!(word("replay", json!({ "stream": "NOWHERE", "first": 1, "last": 2 })).await, "stream");
    assert_eq!(word("replay", json!({ "stream": "TICKER_KR_KIS", "first": 3, "last": 2 })).await, "range");
    assert_eq!(word("redrive", json!({ "sequence": 99 })).await, "letter");
    assert_eq!(word("delete", json!({})).await, "call");
}

#[tokio::test]
async fn what_was_never_delivered_can_be_asked_for_too() {
    let mut house = House::build().await;
    house.settings.push(("ARCHIVER__STREAMS", "TICKER_KR_KIS".to_owned()));
    house.publish((1..=3_000).map(trade)).await;
    let mut archiver = house.archiver();
    // Asked at once: worker and order meet at the same messages.
    let request = json!({ "stream": "TICKER_KR_KIS", "first": 1, "last": 3_000 });
    until("an answer", async || ask(&house, "replay", &request).await.is_ok()).await;
    house.until_number("SELECT uniqExact(event_id) FROM trades", 3_000).await;
    until("acknowledged", async || house.unacknowledged("TICKER_KR_KIS").await == 0).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 3_000);
    assert!(archiver.stop().await.success());
}

#[tokio::test]
async fn dead_letters_are_listed_shown_and_handed_back() {
    let house = House::build().await;
    house.execute("ALTER TABLE trades ADD CONSTRAINT lucky CHECK cumulative_volume != 713").await;
    let _archiver = house.archiver();
    house.publish((1..=1_000).map(trade)).await;
    house.publish((1..=10).map(book)).await;
    let mut publisher = house.publisher();
    let poison = Outgoing::new("orderbook.kr.kis.005930.krx", "poison", &b"\xff\xff"[..]);
    publisher.publish(poison, ()).await.expect("published");
    let frame = Outgoing::new("deadletter.kr.kis.frame", "f:1:1", &b"0|H0STCNT0|001|x"[..]);
    publisher.publish(frame.header("Sise-Reason", "too short"), ()).await.expect("published");
    publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");
    house.until_number("SELECT sum(set_aside) FROM archived", 2).await;

    let sise = |arguments: &[&str]| {
        let mut command = Command::new(program("sise"));
        command.env_clear().env("SISE__NATS__URL", house.nats_settings().url);
        command.current_dir(house.folder()).arg("deadletter").args(arguments);
        let output = command.output().expect("sise");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("text"))
    };
    let (code, list) = sise(&["ls"]);
    assert_eq!(code, Some(0), "{list}");
    assert!(list.contains("(TICKER_KR_KIS 713)") && list.contains("3 dead letters, 1 of them"), "{list}");
    assert!(list.contains("too short") && list.contains("sise journal replay"), "{list}");
    let (_, list) = sise(&["ls", "--stream", "ORDERBOOK_KR_KIS"]);
    assert!(list.contains("(ORDERBOOK_KR_KIS 11)") && list.contains("1 dead letters, 0 of them"), "{list}");
    let number = |list: &str, what: &str| {
        let line = list.lines().find(|line| line.contains(what)).expect("line").to_owned();
        line.split_whitespace().next().expect("sequence").to_owned()
    };
    let (_, list) = sise(&["ls"]);
    let refused = number(&list, "(TICKER_KR_KIS 713)");
    let (_, shown) = sise(&["show", &refused]);
    assert!(shown.contains("Sise-Epoch: 1") && shown.contains("\"cumulative_volume\":713"), "{shown}");

    // Nothing has changed: the table refuses it again, and it stays.
    let (code, told) = sise(&["redrive", &refused]);
    assert!(code == Some(1) && told.contains("refused: "), "{told}");
    house.execute("ALTER TABLE trades DROP CONSTRAINT lucky").await;
    let (code, told) = sise(&["redrive", "--all"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("1 archived, 1 refused again, 1 refused frames left alone"), "{told}");
    assert_eq!(house.number("SELECT count() FROM trades").await, 1_000);
    let row = "SELECT stream_sequence FROM trades WHERE cumulative_volume = 713";
    assert_eq!(house.number(row).await, 713);
    assert_eq!(letters(&house).await, 2);
    let (code, told) = sise(&["redrive", &number(&list, "too short")]);
    assert!(code == Some(1) && told.contains("sise journal replay"), "{told}");
    let (code, told) = sise(&["show", &refused]);
    assert!(code == Some(1) && told.contains("no dead letter"), "{told}");
}

#[tokio::test]
async fn a_dead_archiver_is_noticed_from_outside() {
    let house = House::build().await;
    let mut archiver = house.archiver();
    let client = house.context().await.client();
    let alive = async || client.request("$SRV.PING.archiver", "".into()).await.is_ok();
    until("the archiver answers", alive).await;
    house.publish((1..=100).map(trade)).await;
    until("acknowledged", async || house.unacknowledged("TICKER_KR_KIS").await == 0).await;
    archiver.kill();
    house.publish((101..=200).map(trade)).await;
    until("nobody answers", async || !alive().await).await;
    let state = bus::durable_state(&house.context().await, "TICKER_KR_KIS", "archiver").await.expect("state");
    assert_eq!((state.pending, state.ack_floor), (100, 100));
}
