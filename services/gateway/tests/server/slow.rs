//! Clients that read slowly or not at all, and those beside them.

use futures_util::StreamExt as _;
use market::Source::Kis;
use market::{Body, Event, Status};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, House, LIMIT, pause, stamp, trade};

/// A status of a few hundred kilobytes: a few fill every buffer between the gateway and a client.
fn large(number: i64) -> Event {
    let down = Status::LinkDown { connection: "main".into(), reason: "x".repeat(300_000) };
    Event { stamp: stamp(Kis, number), body: Body::Status(down) }
}

/// Publishes until the gateway has left something out, or closed the client, as the log says.
async fn flood(house: &House, until: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + LIMIT;
    let mut number = 0;
    while !until() {
        assert!(tokio::time::Instant::now() < deadline, "never");
        number += 1;
        house.publish([large(number)]).await;
        pause().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_is_told_what_it_skipped_and_gets_the_newest_state() {
    let house = House::build(&[("GATEWAY__QUEUE_MS", "100"), ("GATEWAY__SLOW_MS", "60000")]).await;
    let mut slow = house.client().await;
    slow.subscribe(json!({"symbols": ["005930"]})).await;
    let mut quick = house.client().await;
    quick.subscribe(json!({"symbols": ["005930"], "kinds": ["trade"]})).await;
    // 12 MB: more than all buffers of the kernel hold.
    for number in 1..60 {
        house.publish([large(number)]).await;
    }
    tokio::time::timeout(LIMIT, async {
        house.publish([trade(Kis, "005930", 10)]).await;
        assert_eq!(quick.items("trade", 1).await.len(), 1, "the other one notices nothing");
    })
    .await
    .expect("in time");
    let (mut sequence, mut statuses) = (1, 0);
    let snapshot = loop {
        let message = slow.next().await;
        sequence += 1;
        assert_eq!(message["sequence"], json!(sequence), "no hole");
        if message["type"] == "snapshot" {
            break message;
        }
        statuses += message["items"].as_array().expect("items").len();
    };
    let skipped = snapshot["skipped"].as_u64().expect("skipped");
    assert!(skipped > 0 && statuses > 0, "{skipped} skipped, {statuses} told");
    // Every status was told or counted; the trade too.
    assert_eq!(statuses as u64 + skipped, 60);
    let trades = snapshot["items"].as_array().expect("items").iter().filter(|item| item["kind"] == "trade");
    assert_eq!(trades.map(|item| item["cumulative_volume"].clone()).collect::<Vec<Value>>(), [json!(10)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_is_closed() {
    let house = House::build(&[("GATEWAY__QUEUE_MS", "100"), ("GATEWAY__SLOW_MS", "300")]).await;
    let mut client: Client = house.client().await;
    client.subscribe(json!({"symbols": ["005930"]})).await;
    flood(&house, || house.gateway.log().contains("client closed")).await;
    // What is on the way is read; behind it the connection ends.
    let end = tokio::time::timeout(LIMIT, async {
        while let Some(Ok(message)) = client.socket.next().await {
            if let Message::Close(Some(frame)) = message {
                assert_eq!(u16::from(frame.code), 1008);
            }
        }
    });
    end.await.expect("the connection ends");
    let deadline = tokio::time::Instant::now() + LIMIT;
    while house.gateway.get("/v1/health").await.1["clients"] != json!(0) {
        assert!(tokio::time::Instant::now() < deadline, "its place is not given back");
        pause().await;
    }
}
