//! Killed at any moment: no row missing, none twice.

use tokio::time::Instant;

use bus::Outgoing;

use crate::support::{House, LIMIT, book, trade};

#[tokio::test]
async fn a_killed_archiver_leaves_every_event_once() {
    let mut house = House::build().await;
    for stream in ["TICKER_KR_KIS", "ORDERBOOK_KR_KIS"] {
        house.ack_wait(stream, 1).await;
    }
    let mut publisher = house.publisher();
    let mut archiver = house.archiver();
    for number in 1..=20_000 {
        publisher.publish(Outgoing::event(&trade(number)), ()).await.expect("published");
        publisher.publish(Outgoing::event(&book(number)), ()).await.expect("published");
        if number % 2_000 == 0 {
            // At another place of the batch each time.
            house
                .until_number(&format!("SELECT count() >= {} FROM trades", number - 1_990 + number / 20), 1)
                .await;
            archiver.kill();
            archiver = house.archiver();
        }
    }
    publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");
    house.until_number("SELECT uniqExact(event_id) FROM trades", 20_000).await;
    house.until_number("SELECT uniqExact(event_id) FROM order_books", 20_000).await;
    // Without FINAL, and nothing was merged.
    assert_eq!(house.number("SELECT count() FROM trades").await, 20_000);
    assert_eq!(house.number("SELECT count() FROM order_books").await, 20_000);
    house.until_number("SELECT sum(missing) FROM archive_holes", 0).await;
}

#[tokio::test]
async fn a_killed_clickhouse_leaves_every_event_once() {
    let mut house = House::build().await;
    let mut archiver = house.archiver();
    let mut publisher = house.publisher();
    for number in 1..=15_000 {
        publisher.publish(Outgoing::event(&trade(number)), ()).await.expect("published");
        if number % 3_000 == 0 {
            house.clickhouse.kill();
        }
        if number % 3_000 == 500 && number > 500 {
            house.start_clickhouse_again().await;
        }
    }
    publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");
    house.start_clickhouse_again().await;
    house.until_number("SELECT uniqExact(event_id) FROM trades", 15_000).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 15_000);
    assert!(archiver.stop().await.success());
    assert_eq!(house.unacknowledged("TICKER_KR_KIS").await, 0);
}

#[tokio::test]
async fn a_killed_nats_server_leaves_every_event_once() {
    let mut house = House::build().await;
    house.ack_wait("TICKER_KR_KIS", 1).await;
    let mut archiver = house.archiver();
    let mut publisher = house.publisher();
    for number in 1..=10_000 {
        publisher.publish(Outgoing::event(&trade(number)), ()).await.expect("published");
        if number % 2_500 == 0 {
            house.nats.kill();
            house.start_nats_again();
        }
    }
    publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");
    house.until_number("SELECT uniqExact(event_id) FROM trades", 10_000).await;
    house.until_number("SELECT sum(missing) FROM archive_holes", 0).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 10_000);
    assert!(archiver.stop().await.success());
}

#[tokio::test]
async fn two_archivers_share_a_durable() {
    let mut house = House::build().await;
    house.ack_wait("TICKER_KR_KIS", 2).await;
    let mut first = house.archiver();
    let mut second = house.archiver();
    let mut publisher = house.publisher();
    for number in 1..=20_000 {
        publisher.publish(Outgoing::event(&trade(number)), ()).await.expect("published");
        if number == 10_000 {
            house.until_number("SELECT count() >= 2000 FROM trades", 1).await;
            first.kill();
        }
    }
    publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");
    house.until_number("SELECT uniqExact(event_id) FROM trades", 20_000).await;
    house.until_number("SELECT sum(missing) FROM archive_holes", 0).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 20_000);
    assert_eq!(house.number("SELECT max(epoch) FROM archived").await, 1);
    assert!(second.stop().await.success());
    assert_eq!(house.unacknowledged("TICKER_KR_KIS").await, 0);
}
