//! A server that forgot, its publisher, and the archive: complete, and nothing in it twice.

use std::time::Duration;

use bus::{Outgoing, Publisher};
use tokio::time::Instant;

use crate::epochs::copy;
use crate::support::{House, LIMIT, trade, until};

/// The trades from 1 on, handed over as a journal would be: the tag is the trade that comes after.
struct Source {
    publisher: Publisher<u64>,
    next: u64,
    rewinds: u64,
}

impl Source {
    fn new(house: &House) -> Self {
        let publisher = Publisher::remembering(&house.nats_settings(), "kis-service", Vec::new());
        Self { publisher: publisher.expect("publisher"), next: 1, rewinds: 0 }
    }

    async fn publish_to(&mut self, last: u64) {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(rewind) = self.publisher.take_rewind() {
                self.next = rewind.from.unwrap_or(1);
                self.rewinds += 1;
            }
            if self.next <= last {
                let outgoing = Outgoing::event(&trade(self.next));
                self.publisher.publish(outgoing, self.next + 1).await.expect("published");
                self.next += 1;
            } else {
                self.publisher.drain(deadline).await.expect("acknowledged");
                if !self.publisher.must_rewind() {
                    return;
                }
            }
        }
    }
}

/// The server forgets message ids at once, as it does in an outage: what is published twice is in the stream twice.
async fn without_duplicate_window(house: &House) {
    let context = house.context().await;
    let mut config = context.get_stream("TICKER_KR_KIS").await.expect("stream").cached_info().config.clone();
    config.duplicate_window = Duration::from_millis(100);
    context.update_stream(config).await.expect("updated");
}

/// Until the archiver has dealt with all that is in the stream.
async fn until_all_is_acknowledged(house: &House) {
    until("everything is acknowledged", async || house.unacknowledged("TICKER_KR_KIS").await == 0).await;
}

#[tokio::test]
async fn after_a_minute_of_traffic_is_lost_the_archive_is_complete_and_nothing_is_in_it_twice() {
    let mut house = House::build().await;
    without_duplicate_window(&house).await;
    let mut archiver = house.archiver();
    let mut source = Source::new(&house);
    source.publish_to(3_000).await;
    house.until_number("SELECT sum(rows) FROM archived", 3_000).await;
    let (live, earlier) = (house.folder().join("nats"), house.folder().join("nats.earlier"));
    assert!(house.nats.stop().await.code().is_some());
    copy(&live, &earlier);
    house.start_nats_again();
    // A minute at 200 trades a second, part of it not yet in the archive when the server forgets.
    source.publish_to(13_000).await;
    house.until_number("SELECT count() >= 8000 FROM trades", 1).await;
    archiver.kill();
    source.publish_to(15_000).await;

    house.nats.kill();
    copy(&earlier, &live);
    house.start_nats_again();
    let mut archiver = house.archiver();
    source.publish_to(18_000).await;
    assert_eq!(source.rewinds, 1);
    house.until_number("SELECT uniqExact(event_id) FROM trades", 18_000).await;
    house.until_number("SELECT max(epoch) FROM archived", 2).await;
    until_all_is_acknowledged(&house).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 18_000);
    assert!(archiver.stop().await.success());
}

#[tokio::test]
async fn a_lost_position_publishes_everything_again_and_nothing_is_in_the_archive_twice() {
    let house = House::build().await;
    without_duplicate_window(&house).await;
    let mut archiver = house.archiver();
    for last in [2_000, 3_000, 4_000] {
        // A process that finds no position and no checkpoints: from the first record on.
        Source::new(&house).publish_to(last).await;
        house.until_number("SELECT uniqExact(event_id) FROM trades", last).await;
    }
    until_all_is_acknowledged(&house).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 4_000);
    assert!(archiver.stop().await.success());
}
