//! How fast the archiver is beside a bare fetch and a bare insert of the same events, in the same run:
//! `cargo test --release -p archiver --test server -- --ignored --nocapture speed`.

use std::sync::Arc;
use std::time::Duration;

use bus::{BatchLimits, Consumer, Outgoing};
use market::{Body, Event, Market, Source, Tape};
use store::{Insert, OrderBookRow, Position, TradeRow};
use tokio::time::Instant;

use crate::support::{House, LIMIT, book, trade, until};

const EVENTS: u64 = 300_000;
const BATCH: usize = 20_000;

/// Events a second, for people.
#[allow(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a figure for people")]
fn tell(what: &str, seconds: f64) {
    println!("{what}: {seconds:.2} s, {:.0} events/s", EVENTS as f64 / seconds);
}

async fn fetch(house: &House, stream: &str) -> f64 {
    let context = house.context().await;
    let mut consumer = Consumer::open(&context, stream, "archiver").await.expect("consumer");
    let limits = BatchLimits { messages: BATCH, bytes: 64 << 20, wait: Duration::from_secs(1) };
    let (began, mut fetched) = (Instant::now(), 0);
    while fetched < EVENTS {
        for delivery in consumer.batch(limits).await.expect("batch") {
            delivery.ack().await.expect("acknowledged");
            fetched += 1;
        }
    }
    began.elapsed().as_secs_f64()
}

async fn insert<R>(house: &House, rows: &[R]) -> f64
where
    store::Store: Insert<R>,
{
    let began = Instant::now();
    for rows in rows.chunks(BATCH) {
        house.store.insert(rows, 0).await.expect("inserted");
    }
    began.elapsed().as_secs_f64()
}

async fn archive(house: &mut House, stream: &str) -> f64 {
    house.settings = vec![("ARCHIVER__STREAMS", stream.to_owned())];
    let began = Instant::now();
    let mut archiver = house.archiver();
    let archived = format!("SELECT sum(rows) FROM archived WHERE stream = '{stream}'");
    house.until_number(&archived, EVENTS).await;
    let seconds = began.elapsed().as_secs_f64();
    println!("archiver: {} MB resident", archiver.resident_mb());
    assert!(archiver.stop().await.success());
    seconds
}

async fn publish(house: &House, events: impl Iterator<Item = Event>) {
    let mut publisher = house.publisher();
    for event in events {
        publisher.publish(Outgoing::event(&event), ()).await.expect("published");
    }
    publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");
}

fn position(number: u64) -> Position {
    // A bare insert into the same table, told apart by its epoch.
    Position { stream: Arc::from("BARE"), epoch: 9, stream_sequence: number, event_id: number }
}

/// The same event of the other broker: another two streams.
fn kiwoom(mut event: Event) -> Event {
    event.stamp.source = Source::Kiwoom;
    event
}

/// The same event of the US: another two streams.
fn us(mut event: Event) -> Event {
    event.stamp.market = Market::Us;
    match &mut event.body {
        Body::Trade(trade) => trade.at.tape = Tape::Us,
        Body::OrderBook(book) => book.at.tape = Tape::Us,
        Body::Status(_) => {}
    }
    event
}

#[tokio::test]
#[ignore = "a measurement"]
async fn memory_while_clickhouse_is_away() {
    let mut house = House::build().await;
    house.settings = vec![("ARCHIVER__ACK_WAIT_MS", "10000".to_owned())];
    let archiver = house.archiver();
    // All streams of trades and books are behind.
    until("the start", async || house.archiver_log().matches("\"archiving\"").count() == 8).await;
    println!("at the start: {} MB resident", archiver.resident_mb());
    house.clickhouse.kill();
    for numbers in (1..=80_000).collect::<Vec<u64>>().chunks(20_000) {
        let numbers = || numbers.iter().copied();
        publish(&house, numbers().map(trade)).await;
        publish(&house, numbers().map(book)).await;
        publish(&house, numbers().map(|number| kiwoom(trade(number)))).await;
        publish(&house, numbers().map(|number| kiwoom(book(number)))).await;
        publish(&house, numbers().map(|number| us(trade(number)))).await;
        publish(&house, numbers().map(|number| us(book(number)))).await;
        println!("clickhouse away: {} MB resident", archiver.resident_mb());
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    println!("clickhouse away for long: {} MB resident", archiver.resident_mb());
    house.start_clickhouse_again().await;
    let began = Instant::now();
    while house.number("SELECT sum(rows) FROM archived").await < 480_000 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!(
        "480,000 events caught up in {:.1} s, {} MB resident, {} MB at most",
        began.elapsed().as_secs_f64(),
        archiver.resident_mb(),
        archiver.most_resident_mb()
    );
    assert_eq!(house.number("SELECT count() FROM trades").await, 240_000);
    assert_eq!(house.number("SELECT count() FROM order_books").await, 240_000);
    assert!(archiver.most_resident_mb() < 100, "the promise is to stay below 100 MB");
}

#[tokio::test]
#[ignore = "a measurement"]
async fn speed() {
    let mut house = House::build().await;
    publish(&house, (1..=EVENTS).map(trade)).await;
    publish(&house, (1..=EVENTS).map(book)).await;

    let mut trades = Vec::new();
    let mut books = Vec::new();
    for number in 1..=EVENTS {
        if let Event { stamp, body: Body::Trade(trade) } = trade(number) {
            trades.push(TradeRow::new(&stamp, &trade, position(number)));
        }
        if let Event { stamp, body: Body::OrderBook(book) } = book(number) {
            books.push(OrderBookRow::new(&stamp, &book, position(number)));
        }
    }
    let (trades, books) = (insert(&house, &trades).await, insert(&house, &books).await);
    tell("trades, bare insert", trades);
    tell("books, bare insert", books);
    tell("trades, archived", archive(&mut house, "TICKER_KR_KIS").await);
    tell("books, archived", archive(&mut house, "ORDERBOOK_KR_KIS").await);

    // The same messages once more, fetched and acknowledged and nothing else.
    let context = house.context().await;
    for stream in ["TICKER_KR_KIS", "ORDERBOOK_KR_KIS"] {
        context.delete_consumer_from_stream("archiver", stream).await.expect("deleted");
    }
    let topology = bus::Topology::load(&house.nats_settings()).expect("topology");
    bus::topology::apply(&context, &topology).await.expect("durables");
    tell("trades, bare fetch", fetch(&house, "TICKER_KR_KIS").await);
    tell("books, bare fetch", fetch(&house, "ORDERBOOK_KR_KIS").await);
}
