//! The stream: snapshot first, then every trade once, whatever two brokers tell.

use market::Source::{Kis, Kiwoom};
use market::{Body, Event, Status};
use serde_json::{Value, json};

use crate::support::{Client, House, book, nats, publish, stamp, trade, volumes};

fn of_kind(items: &[Value], kind: &str) -> Vec<Value> {
    items.iter().filter(|item| item["kind"] == kind).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_snapshot_comes_first_and_each_trade_once() {
    let nats = nats().await;
    publish(&nats, [trade(Kis, "005930", 100), trade(Kis, "005930", 110), book(Kis, "005930", 5, 1)]).await;
    let house = House::with(nats, &[]).await;
    let mut client = house.client().await;
    let (answer, snapshot) = client.subscribe(json!({"id": "a", "symbols": ["005930", "X1"]})).await;
    assert_eq!(answer["unknown"], json!(["X1"]));
    assert_eq!(
        (&answer["subscription"], &answer["id"], &answer["source"]),
        (&json!(1), &json!("a"), &json!("merged"))
    );
    let last = of_kind(&snapshot, "trade");
    assert_eq!(volumes(&last), [110]);
    assert_eq!((&last[0]["price"], &last[0]["best_ask"]), (&json!("70110"), &json!("70001")));
    assert_eq!(of_kind(&snapshot, "order_book")[0]["asks"], json!([["70001", 1]]));
    assert_eq!(of_kind(&snapshot, "feed").len(), 2);
    // Both brokers tell; one lacks 130, the other 140; 120 comes twice from each.
    let told = [(Kis, 120), (Kiwoom, 120), (Kiwoom, 130), (Kis, 140), (Kiwoom, 150), (Kis, 150), (Kis, 160)];
    house.publish(told.map(|(source, until)| trade(source, "005930", until))).await;
    assert_eq!(volumes(&client.items("trade", 5).await), [120, 130, 140, 150, 160]);
    // Behind what is told.
    house.publish([trade(Kis, "005930", 190), trade(Kiwoom, "005930", 200), trade(Kis, "005930", 180)]).await;
    assert_eq!(volumes(&client.items("trade", 3).await), [190, 200, -180]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_view_shows_its_own_and_books_never_go_back() {
    let house = House::build(&[]).await;
    let mut merged = house.client().await;
    let mut kiwoom = house.client().await;
    merged.subscribe(json!({"symbols": ["*"], "kinds": ["order_book"]})).await;
    kiwoom.subscribe(json!({"symbols": ["000660"], "source": "kiwoom", "tape": "krx"})).await;
    let seconds = |items: &[Value]| -> Vec<(String, i64)> {
        let second =
            |item: &Value| item["exchange_ns"].as_str().expect("ns")[..10].parse::<i64>().expect("second");
        let source = |item: &Value| item["source"].as_str().expect("source").to_owned();
        items.iter().map(|item| (source(item), second(item) - 1_795_478_430)).collect()
    };
    let mut seen = Vec::new();
    for event in [
        book(Kis, "000660", 10, 1),
        book(Kiwoom, "000660", 11, 2),
        book(Kis, "000660", 11, 3),
        book(Kiwoom, "000660", 13, 4),
        book(Kis, "000660", 12, 5),
        book(Kiwoom, "000660", 14, 6),
    ] {
        let of_kiwoom = event.stamp.source == Kiwoom;
        house.publish([event]).await;
        // Each in a batch of its own: a batch has only the latest.
        if of_kiwoom {
            seen.extend(kiwoom.items("order_book", 1).await);
        }
    }
    assert_eq!(seconds(&seen), [("kiwoom".into(), 11), ("kiwoom".into(), 13), ("kiwoom".into(), 14)]);
    let mut shown: Vec<Value> = Vec::new();
    while shown.last().is_none_or(|item| item["asks"][0][1] != 6) {
        shown.extend(merged.next().await["items"].as_array().expect("items").clone());
    }
    let change = shown.iter().find(|item| item["kind"] == "source").expect("change");
    assert_eq!(
        (&change["from"], &change["source"], &change["why"]),
        (&json!("kis"), &json!("kiwoom"), &json!("kis is 2 s behind"))
    );
    let books = seconds(&of_kind(&shown, "order_book"));
    assert!(books.iter().zip(&books[1..]).all(|(before, after)| before.1 <= after.1), "{books:?}");
    assert!(!books.contains(&("kiwoom".into(), 11)) && !books.contains(&("kis".into(), 12)), "{books:?}");
    house.publish([trade(Kis, "000660", 10), trade(Kiwoom, "000660", 20), trade(Kiwoom, "000660", 20)]).await;
    house.publish([trade(Kiwoom, "000660", 30)]).await;
    assert_eq!(volumes(&kiwoom.items("trade", 2).await), [20, 30]);
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_and_gaps_are_items_and_recovered_trades_are_none() {
    let house = House::build(&[]).await;
    let mut client = house.client().await;
    client.subscribe(json!({"symbols": ["005930"], "source": "kis"})).await;
    let up = Status::LinkUp { connection: "main".into(), registered: 4, refused: 1 };
    house.publish([Event { stamp: stamp(Kis, 1), body: Body::Status(up) }]).await;
    let status = &client.items("status", 1).await[0];
    assert_eq!(
        (&status["what"], &status["connection"], &status["registered"]),
        (&json!("link_up"), &json!("main"), &json!(4))
    );
    house.publish([trade(Kis, "005930", 10), trade(Kis, "005930", 30)]).await;
    let gap = &client.items("gap", 1).await[0];
    assert_eq!(
        (&gap["after"], &gap["until"], &gap["trade_date"]),
        (&json!(10), &json!(20), &json!("2026-11-24"))
    );
    let health = house.gateway.get("/v1/health").await.1;
    let kis = health["feeds"].as_array().expect("feeds").iter().find(|feed| feed["source"] == "kis").cloned();
    assert_eq!(kis.expect("kis")["state"], "unknown");
    assert_eq!(
        (&health["bus"], &health["archive"], &health["clients"]),
        (&json!(true), &json!(false), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_told_and_the_connection_goes_on() {
    let house = House::build(&[("GATEWAY__HEARTBEAT_MS", "100")]).await;
    let mut client = house.client().await;
    client.send(r#"{"op":"subscribe","id":"x","symbols":["005930"],"source":"both"}"#).await;
    let error = client.next().await;
    assert_eq!(
        (&error["type"], &error["id"], &error["field"]),
        (&json!("error"), &json!("x"), &json!("source"))
    );
    assert_eq!(error["hint"], "kis, kiwoom or merged");
    client.send(r#"{"op":"unsubscribe","subscription":7}"#).await;
    assert_eq!(client.next().await["field"], "subscription");
    client.send(r#"{"op":"ping","id":"p"}"#).await;
    let pong = client.next().await;
    assert_eq!((&pong["type"], &pong["id"]), (&json!("pong"), &json!("p")));
    client.subscribe(json!({"symbols": ["005930"]})).await;
    client.send(r#"{"op":"unsubscribe","subscription":1,"id":"u"}"#).await;
    assert_eq!(client.next().await["type"], "unsubscribed");
    // What comes now is nobody's.
    house.publish([trade(Kis, "005930", 10)]).await;
    let (answer, snapshot) = client.subscribe(json!({"symbols": ["005930"], "kinds": ["trade"]})).await;
    assert_eq!((answer["subscription"].as_i64(), volumes(&snapshot)), (Some(2), vec![10]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_bus_is_found_again_with_what_was_missed() {
    let mut house = House::build(&[]).await;
    let mut client = house.client().await;
    client.subscribe(json!({"symbols": ["005930"], "kinds": ["trade"]})).await;
    house.publish([trade(Kis, "005930", 10)]).await;
    assert_eq!(volumes(&client.items("trade", 1).await), [10]);
    house.nats.kill();
    house.nats.start_again().await;
    // Told before the gateway is back, or after: the last one of the subject comes in any case.
    house.publish([trade(Kis, "005930", 20), trade(Kis, "005930", 30)]).await;
    loop {
        let last = client.items("trade", 1).await;
        if volumes(&last).contains(&30) {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_says_farewell() {
    let mut house = House::build(&[]).await;
    let mut client = house.client().await;
    client.subscribe(json!({"symbols": ["*"]})).await;
    house.gateway.stop();
    let mut closing = client.next().await;
    while closing["type"] == "update" {
        closing = client.next().await;
    }
    assert_eq!(closing["type"], "closing");
    assert!(house.gateway.ended().await);
    let _client: Client = client;
}
