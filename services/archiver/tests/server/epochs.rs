//! Streams that were made again or rolled back: other events at old sequences.

use std::path::Path;
use std::process::Command;

use crate::support::{House, trade};

#[tokio::test]
async fn a_stream_made_again_begins_an_epoch() {
    let house = House::build().await;
    let mut archiver = house.archiver();
    house.publish((1..=500).map(trade)).await;
    house.until_number("SELECT count() FROM trades", 500).await;
    assert!(archiver.stop().await.success());

    let context = house.context().await;
    context.delete_stream("TICKER_KR_KIS").await.expect("deleted");
    let topology = bus::Topology::load(&house.nats_settings()).expect("topology");
    bus::topology::apply(&context, &topology).await.expect("streams");
    house.publish((501..=800).map(trade)).await;
    let mut archiver = house.archiver();
    house.until_number("SELECT count() FROM trades", 800).await;
    house.until_number("SELECT count() FROM trades WHERE epoch = 2 AND stream_sequence <= 300", 300).await;
    assert!(house.archiver_log().contains("recreated"));

    // A restart stays in the epoch.
    assert!(archiver.stop().await.success());
    let _archiver = house.archiver();
    house.publish((801..=900).map(trade)).await;
    house.until_number("SELECT count() FROM trades WHERE epoch = 2", 400).await;
    assert_eq!(house.number("SELECT max(epoch) FROM archived").await, 2);
}

pub fn copy(from: &Path, to: &Path) {
    let _absent = std::fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").args([from, to]).status().expect("cp").success());
}

#[tokio::test]
async fn a_stream_rolled_back_loses_and_doubles_nothing() {
    let mut house = House::build().await;
    let mut archiver = house.archiver();
    house.publish((1..=1_000).map(trade)).await;
    house.until_number("SELECT sum(rows) FROM archived", 1_000).await;
    let (live, earlier) = (house.folder().join("nats"), house.folder().join("nats.earlier"));
    assert!(house.nats.stop().await.code().is_some());
    copy(&live, &earlier);
    house.start_nats_again();
    house.publish((1_001..=2_000).map(trade)).await;
    house.until_number("SELECT sum(rows) FROM archived", 2_000).await;

    // The server forgets the second thousand. New events come first, then the publisher fills up what is gone.
    house.nats.kill();
    copy(&earlier, &live);
    house.start_nats_again();
    house.publish((2_001..=2_600).map(trade)).await;
    house.publish((1_001..=2_000).map(trade)).await;
    house.publish((2_601..=3_000).map(trade)).await;
    house.until_number("SELECT uniqExact(event_id) FROM trades", 3_000).await;
    house.until_number("SELECT max(last) FROM archived WHERE epoch = 2", 3_000).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 3_000);
    assert!(archiver.stop().await.success());
    assert_eq!(house.unacknowledged("TICKER_KR_KIS").await, 0);
    assert_eq!(house.number("SELECT max(epoch) FROM archived").await, 2);
}

#[tokio::test]
async fn after_a_roll_back_only_what_was_never_archived_is_named() {
    let mut house = House::build().await;
    let mut archiver = house.archiver();
    house.publish((1..=1_000).map(trade)).await;
    house.until_number("SELECT sum(rows) FROM archived", 1_000).await;
    let (live, earlier) = (house.folder().join("nats"), house.folder().join("nats.earlier"));
    assert!(house.nats.stop().await.code().is_some());
    copy(&live, &earlier);
    house.start_nats_again();
    house.publish((1_001..=1_500).map(trade)).await;
    house.until_number("SELECT sum(rows) FROM archived", 1_500).await;

    // The server forgets; two new events, and then the forgotten ones: those from 1,003 on stand where none of them stood.
    house.nats.kill();
    copy(&earlier, &live);
    house.start_nats_again();
    house.publish([trade(1_501), trade(1_502)]).await;
    house.publish((1_001..=1_500).map(trade)).await;
    house.until_number("SELECT max(last) FROM archived WHERE epoch = 2", 1_502).await;
    house.until_number("SELECT sum(missing) FROM never_archived", 0).await;
    assert_eq!(house.number("SELECT min(first) FROM archived WHERE epoch = 2").await, 1_001);
    assert!(archiver.stop().await.success());

    // What the stream loses before it is archived is named, on either side of where the old epoch ended.
    house.publish((1_503..=1_600).map(trade)).await;
    let context = house.context().await;
    let stream = context.get_stream("TICKER_KR_KIS").await.expect("stream");
    for sequence in 1_511..=1_530 {
        stream.delete_message(sequence).await.expect("deleted");
    }
    let mut archiver = house.archiver();
    house.until_number("SELECT max(last) FROM archived WHERE epoch = 2", 1_600).await;
    let hole = "SELECT count() FROM never_archived WHERE (epoch, first, last, missing) = (2, 1511, 1530, 20)";
    house.until_number(hole, 1).await;
    assert_eq!(house.number("SELECT sum(missing) FROM never_archived").await, 20);
    assert!(archiver.stop().await.success());
}

#[tokio::test]
async fn what_stands_at_its_old_sequence_after_a_roll_back_is_archived_there() {
    let mut house = House::build().await;
    let mut archiver = house.archiver();
    house.publish((1..=100).map(trade)).await;
    house.until_number("SELECT sum(rows) FROM archived", 100).await;
    let (live, earlier) = (house.folder().join("nats"), house.folder().join("nats.earlier"));
    assert!(house.nats.stop().await.code().is_some());
    copy(&live, &earlier);
    house.start_nats_again();
    house.publish((101..=300).map(trade)).await;
    house.until_number("SELECT sum(rows) FROM archived", 300).await;

    // 101 is another event, 102 to 300 are the old ones where they stood.
    house.nats.kill();
    copy(&earlier, &live);
    house.start_nats_again();
    house.publish([trade(999)]).await;
    house.publish((102..=300).map(trade)).await;
    house.publish((301..=400).map(trade)).await;
    house.until_number("SELECT max(last) FROM archived WHERE epoch = 2", 400).await;
    house.until_number("SELECT sum(missing) FROM never_archived", 0).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 401);
    assert!(archiver.stop().await.success());
}
