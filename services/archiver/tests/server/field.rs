//! What went wrong in the field before, each once more.

use std::time::Duration;

use async_nats::jetstream::stream::Config;
use bus::Outgoing;
use tokio::time::Instant;

use crate::support::{House, LIMIT, trade, until};

impl House {
    async fn change_stream(&self, name: &str, change: impl FnOnce(&mut Config)) {
        let context = self.context().await;
        let mut stream = context.get_stream(name).await.expect("stream");
        let mut config = stream.info().await.expect("info").config.clone();
        change(&mut config);
        context.update_stream(config).await.expect("updated");
    }

    async fn sequences(&self, name: &str) -> (u64, u64) {
        let state = bus::stream_state(&self.context().await, name).await.expect("state");
        (state.first_sequence, state.last_sequence)
    }
}

#[tokio::test]
async fn one_poison_message_in_a_hundred_thousand() {
    let house = House::build().await;
    let _archiver = house.archiver();
    let mut publisher = house.publisher();
    for number in 1..=100_000 {
        let message = match number {
            54_321 => Outgoing::new("ticker.kr.kis.005930.krx", "poison", &b"\xff\xff\xff"[..]),
            number => Outgoing::event(&trade(number)),
        };
        publisher.publish(message, ()).await.expect("published");
    }
    publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");
    house.until_number("SELECT sum(rows + set_aside) FROM archived", 100_000).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 99_999);
    assert_eq!(house.number("SELECT uniqExact(event_id) FROM trades").await, 99_999);
    assert_eq!(house.number("SELECT sum(set_aside) FROM archived").await, 1);
    assert_eq!(house.sequences("DEADLETTER").await, (1, 1));
}

#[tokio::test]
async fn a_retry_across_a_restart_and_past_the_duplicate_window_is_one_row() {
    let mut house = House::build().await;
    // What was under way when the server was killed comes again only then.
    house.ack_wait("TICKER_KR_KIS", 1).await;
    let mut archiver = house.archiver();
    house.change_stream("TICKER_KR_KIS", |config| config.duplicate_window = Duration::from_millis(100)).await;
    house.publish((1..=1_000).map(trade)).await;
    house.until_number("SELECT count() FROM trades", 1_000).await;
    house.nats.kill();
    house.start_nats_again();
    // Published again until the server has forgotten the ids: it stores the events a second time.
    until("the window is over", async || {
        house.publish((1..=1_000).map(trade)).await;
        house.sequences("TICKER_KR_KIS").await.1 >= 2_000
    })
    .await;
    let (_, last) = house.sequences("TICKER_KR_KIS").await;
    house.until_number("SELECT max(last) FROM archived", last).await;
    house.until_number("SELECT sum(missing) FROM never_archived", 0).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 1_000);
    until("acknowledged", async || house.unacknowledged("TICKER_KR_KIS").await == 0).await;
    assert!(archiver.stop().await.success());
    assert_eq!(house.unacknowledged("TICKER_KR_KIS").await, 0);
}

#[tokio::test]
async fn too_many_parts_are_waited_for_and_set_nothing_aside() {
    let house = House::build().await;
    house
        .execute("ALTER TABLE trades MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 0")
        .await;
    let mut archiver = house.archiver();
    // The first insert makes the one part; merges are stopped.
    house.publish((1..=10).map(trade)).await;
    house.until_number("SELECT count() FROM trades", 10).await;
    house.publish((11..=1_000).map(trade)).await;
    until("the table refuses", async || house.archiver_log().contains("clickhouse error 252")).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 10);
    house.execute("ALTER TABLE trades MODIFY SETTING parts_to_throw_insert = 3000").await;
    house.until_number("SELECT count() FROM trades", 1_000).await;
    house.until_number("SELECT sum(rows) * 1000 + sum(set_aside) FROM archived", 1_000_000).await;
    assert!(archiver.stop().await.success());
    assert_eq!(house.unacknowledged("TICKER_KR_KIS").await, 0);
}

#[tokio::test]
async fn a_full_stream_is_an_alarm_before_it_discards_and_what_is_lost_is_named() {
    let mut house = House::build().await;
    house.settings.push(("ARCHIVER__WATCH_MS", "50".to_owned()));
    house.ack_wait("TICKER_KR_KIS", 1).await;
    let mut archiver = house.archiver();
    house.publish((1..=1_000).map(trade)).await;
    house.until_number("SELECT sum(rows) FROM archived", 1_000).await;
    until("acknowledged", async || house.unacknowledged("TICKER_KR_KIS").await == 0).await;
    let bytes = bus::stream_state(&house.context().await, "TICKER_KR_KIS").await.expect("state").bytes;
    // Room for 2,000 messages, nearly.
    let room = i64::try_from(2 * bytes).expect("small");
    house.change_stream("TICKER_KR_KIS", |config| config.max_bytes = room).await;
    house.clickhouse.kill();
    house.publish((1_001..=2_700).map(trade)).await;
    let near = "stream will discard messages before they are archived";
    until("the alarm", async || house.archiver_log().contains(near)).await;
    assert!(!house.archiver_log().contains("stream discarded messages"));
    let (first, _) = house.sequences("TICKER_KR_KIS").await;
    assert!((2..=1_001).contains(&first), "only what is archived was discarded: {first}");

    // Nobody reads, and nobody comes: the stream discards what was never read.
    archiver.kill();
    house.publish((2_701..=4_000).map(trade)).await;
    let (first, _) = house.sequences("TICKER_KR_KIS").await;
    assert!(first > 1_500, "{first}");
    house.start_clickhouse_again().await;
    let mut archiver = house.archiver();
    house.until_number("SELECT max(last) FROM archived", 4_000).await;
    until("the second alarm", async || house.archiver_log().contains("stream discarded messages")).await;
    let alarm = format!("\"first\":1001,\"last\":{}", first - 1);
    assert!(house.archiver_log().contains(&alarm), "{alarm}");
    // What the killed archiver held comes again first.
    until("acknowledged", async || house.unacknowledged("TICKER_KR_KIS").await == 0).await;
    assert_eq!(house.number("SELECT count() FROM never_archived").await, 1);
    assert_eq!(house.number("SELECT first FROM never_archived").await, 1_001);
    assert_eq!(house.number("SELECT last FROM never_archived").await, first - 1);
    assert!(archiver.stop().await.success());
}
