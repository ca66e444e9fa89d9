//! The plain road: events in, rows and ledger out, everything acknowledged.

use clickhouse::Row;
use serde::Deserialize;

use crate::support::{House, book, trade};

#[derive(Debug, PartialEq, Row, Deserialize)]
struct View {
    exchange_time: String,
    symbol: String,
    price: String,
    side: String,
    best_ask: Option<String>,
    best_bid: Option<String>,
}

#[tokio::test]
async fn events_become_rows_and_are_acknowledged() {
    let house = House::build().await;
    let mut archiver = house.archiver();
    house.publish((1..=3_000).map(trade)).await;
    house.publish((1..=2_000).map(book)).await;
    house.until_number("SELECT count() FROM trades", 3_000).await;
    house.until_number("SELECT count() FROM order_books", 2_000).await;
    let covered = "SELECT sum(last - first + 1) FROM archived WHERE stream = 'TICKER_KR_KIS' AND rows > 0";
    house.until_number(covered, 3_000).await;
    assert_eq!(house.number("SELECT count() FROM archive_holes").await, 0);
    assert_eq!(house.number("SELECT uniqExact(event_id) FROM order_books").await, 2_000);
    assert_eq!(house.number("SELECT sum(length(ask_prices)) FROM order_books").await, 20_000);

    let view = "SELECT toString(exchange_time) AS exchange_time, toString(symbol) AS symbol, toString(price) AS price, \
                toString(aggressor_side) AS side, toString(best_ask) AS best_ask, toString(best_bid) AS best_bid \
                FROM trades_kst WHERE cumulative_volume = 3";
    let row: View = house.client().query(view).fetch_one().await.expect("row");
    let expected = View {
        exchange_time: "2026-11-24 09:00:30.000".into(),
        symbol: "005933".into(),
        price: "70000".into(),
        side: "buy".into(),
        best_ask: Some("70001".into()),
        best_bid: None,
    };
    assert_eq!(row, expected);

    assert!(archiver.stop().await.success());
    for stream in ["TICKER_KR_KIS", "ORDERBOOK_KR_KIS"] {
        assert_eq!(house.unacknowledged(stream).await, 0, "{stream}");
    }
}

#[tokio::test]
async fn one_event_published_twice_is_one_row() {
    let house = House::build().await;
    let _archiver = house.archiver();
    // Without an id the server does not know the copies: as after a restart, or beyond its window.
    let context = house.context().await;
    for number in [1, 2, 3, 2, 1, 4] {
        let event = trade(number);
        let stored = context.publish(bus::subject(&event), bus::encode(&event)).await;
        stored.expect("published").await.expect("stored");
    }
    house.until_number("SELECT sum(last - first + 1) FROM archived", 6).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 4);
    assert_eq!(house.number("SELECT count() FROM archive_holes").await, 0);
}

#[tokio::test]
async fn the_same_trades_from_two_brokers_in_equal_batches_are_rows_of_both() {
    let house = House::build().await;
    let of = |source| {
        move |number| {
            let mut event = trade(number);
            event.stamp.source = source;
            event
        }
    };
    // Published before the archiver runs: it finds two whole batches with the same event ids.
    house.publish((1..=24).map(of(market::Source::Kis))).await;
    house.publish((1..=24).map(of(market::Source::Kiwoom))).await;
    let _archiver = house.archiver();
    house.until_number("SELECT sum(rows) FROM archived", 48).await;
    assert_eq!(house.number("SELECT count() FROM trades").await, 48);
    assert_eq!(house.number("SELECT uniqExact(event_id) FROM trades").await, 24);
}

#[tokio::test]
async fn a_batch_that_is_full_before_its_time_takes_what_comes_until_then() {
    let mut house = House::build().await;
    house.publish((1..=700).map(trade)).await;
    // Full with some dozen messages; what there is memory for, and then the rows, end it.
    let settings = [("ARCHIVER__ROWS", "700"), ("ARCHIVER__BYTES", "20000"), ("ARCHIVER__AGE_MS", "60000")];
    house.settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    let _archiver = house.archiver();
    house.until_number("SELECT sum(rows) FROM archived", 700).await;
    assert_eq!(house.number("SELECT count() FROM archived").await, 1);
    assert_eq!(house.number("SELECT count() FROM trades").await, 700);
}
