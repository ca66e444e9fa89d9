//! The halves of an archiver as barely as their clients allow: messages fetched and acknowledged and nothing else, rows
//! inserted and nothing else.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use clickhouse::{RowOwned, RowWrite};
use futures_util::StreamExt as _;
use market::{Body, Event};
use store::{OrderBookRow, Position, TradeRow};
use tokio::time::{Instant, timeout};

use super::events::Replay;
use super::rate;
use crate::inputs::Kind;
use crate::servers::house::House;

/// Rows of one insert.
pub const ROWS: usize = 20_000;
/// Messages asked for ahead.
const AHEAD: usize = 5_000;
/// Nothing takes longer.
const LIMIT: Duration = Duration::from_secs(180);

/// The table of a kind.
pub const fn table(kind: Kind) -> &'static str {
    match kind {
        Kind::Trade => "trades",
        Kind::Book => "order_books",
    }
}

/// A durable of its own on the stream of a kind, as that of the archiver is.
pub async fn consumer(house: &House, kind: Kind) -> anyhow::Result<PullConsumer> {
    let context = house.nats.context("bare").await?;
    let stream = context.get_stream(kind.stream()).await.context("stream")?;
    let config = pull::Config {
        durable_name: Some("bare".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(60),
        max_ack_pending: 200_000,
        ..pull::Config::default()
    };
    stream.create_consumer(config).await.context("durable")
}

/// The messages of a durable, asked for ahead.
pub async fn messages(consumer: &PullConsumer) -> anyhow::Result<pull::Stream> {
    consumer.stream().max_messages_per_batch(AHEAD).messages().await.context("messages")
}

/// Messages a second.
pub async fn fetch(house: &House, kind: Kind, events: u64) -> anyhow::Result<f64> {
    let consumer = consumer(house, kind).await?;
    let mut messages = messages(&consumer).await?;
    let (began, mut bytes) = (Instant::now(), 0);
    for number in 0..events {
        let next = timeout(LIMIT, messages.next()).await;
        let message = next.with_context(|| format!("{number} of {events} fetched"))?.context("the end")??;
        bytes += message.payload.len();
        message.ack().await.map_err(|error| anyhow::anyhow!("acknowledge: {error}"))?;
    }
    let seconds = began.elapsed().as_secs_f64();
    ensure!(bytes > 0, "empty messages");
    Ok(rate(events, seconds))
}

/// Rows a second, into a table of its own beside `table` that is dropped again.
pub async fn insert<R: RowOwned + RowWrite>(house: &House, table: &str, rows: &[R]) -> anyhow::Result<f64> {
    let client = house.clickhouse.client();
    let own = format!("bare_{table}");
    client.query(&format!("CREATE TABLE {own} AS {table}")).execute().await.context("make a table")?;
    let began = Instant::now();
    for rows in rows.chunks(ROWS) {
        store(&client, &own, rows).await?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let (found, count) =
        (house.clickhouse.number(&format!("SELECT count() FROM {own}")).await?, u64::try_from(rows.len())?);
    ensure!(found == count, "{found} rows inserted barely and not {count}");
    // Not SYNC: the embedded engine never answers that.
    client.query(&format!("DROP TABLE {own}")).execute().await.context("drop a table")?;
    Ok(rate(count, seconds))
}

/// One insert, confirmed when it is stored, as the archiver's.
pub async fn store<R: RowOwned + RowWrite>(
    client: &clickhouse::Client,
    table: &str,
    rows: &[R],
) -> anyhow::Result<()> {
    let mut insert = client.insert::<R>(table).await?.with_setting("async_insert", "0");
    for row in rows {
        insert.write(row).await?;
    }
    insert.end().await.with_context(|| format!("insert into {table}"))
}

/// The rows of the first events of a kind.
fn rows<R>(kind: Kind, count: u64, row: impl Fn(&Event, Position) -> Option<R>) -> anyhow::Result<Vec<R>> {
    let (mut events, stream): (_, Arc<str>) = (Replay::of(&[kind]), Arc::from(kind.stream()));
    let mut rows = Vec::new();
    for number in 1..=count {
        let event = events.next()?;
        rows.push(row(&event, position(&stream, number, &event)).context("another kind of event")?);
    }
    Ok(rows)
}

/// Where an event stands, as the archiver would say.
pub fn position(stream: &Arc<str>, number: u64, event: &Event) -> Position {
    let event_id = market::event::event_id(&event.message_id());
    Position { stream: Arc::clone(stream), epoch: 1, stream_sequence: number, event_id }
}

/// The rows of so many trades.
pub fn trades(count: u64) -> anyhow::Result<Vec<TradeRow>> {
    rows(Kind::Trade, count, |event, position| match &event.body {
        Body::Trade(trade) => Some(TradeRow::new(&event.stamp, trade, position)),
        _ => None,
    })
}

/// The rows of so many books.
pub fn books(count: u64) -> anyhow::Result<Vec<OrderBookRow>> {
    rows(Kind::Book, count, |event, position| match &event.body {
        Body::OrderBook(book) => Some(OrderBookRow::new(&event.stamp, book, position)),
        _ => None,
    })
}
