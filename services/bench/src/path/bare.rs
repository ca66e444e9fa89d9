//! The bare path: one loop that publishes prepared payloads with their ids, and one a stream that fetches, decodes, inserts
//! and acknowledges. Nothing is kept to be sent again, nothing is judged, no ledger is written.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use async_nats::HeaderMap;
use async_nats::jetstream::Message;
use bus::Outgoing;
use futures_util::{FutureExt as _, StreamExt as _};
use market::Body;
use store::{OrderBookRow, TradeRow};
use tokio::time::{Instant, timeout, timeout_at};

use crate::archive::bare::{ROWS, consumer, messages, position, store, table};
use crate::archive::events::Replay;
use crate::inputs::Kind;
use crate::sender::frames::now_ns;
use crate::servers::house::House;

/// Messages that are unanswered at most.
const WINDOW: usize = 1_000;
/// A batch that is not full is at most so old.
const AGE: Duration = Duration::from_secs(1);
/// Nothing takes longer.
const LIMIT: Duration = Duration::from_secs(240);

/// Sends so many events; says when the first one left and when how many rows were stored, milliseconds UTC.
pub async fn run(house: &House, events: u64) -> anyhow::Result<(i64, Vec<(i64, u64)>)> {
    let mut replay = Replay::of(&[Kind::Trade, Kind::Book]);
    let (mut prepared, mut trades) = (Vec::new(), 0);
    for _ in 0..events {
        let event = replay.next()?;
        trades += u64::from(matches!(event.body, Body::Trade(_)));
        prepared.push(Outgoing::event(&event));
    }
    let start = now_ns() / 1_000_000;
    let (sent, trades, books) = tokio::join!(
        publish(house, prepared),
        archive(house, Kind::Trade, trades),
        archive(house, Kind::Book, events - trades)
    );
    sent?;
    let mut stored = trades?;
    stored.extend(books?);
    stored.sort_unstable();
    Ok((start, stored))
}

/// The core of the client with one reply subject for all.
async fn publish(house: &House, prepared: Vec<Outgoing>) -> anyhow::Result<()> {
    let client = house.nats.context("bare").await?.client();
    let inbox = async_nats::Subject::from(client.new_inbox());
    let mut answers = client.subscribe(inbox.clone()).await?;
    let mut unanswered = 0;
    for Outgoing { subject, message_id, payload, .. } in prepared {
        while unanswered >= WINDOW {
            answered(timeout(LIMIT, answers.next()).await?)?;
            unanswered -= 1;
        }
        while let Some(answer) = answers.next().now_or_never() {
            answered(answer)?;
            unanswered -= 1;
        }
        let mut headers = HeaderMap::new();
        headers.insert(bus::subject::MESSAGE_ID_HEADER, message_id);
        client.publish_with_reply_and_headers(subject, inbox.clone(), headers, payload).await?;
        unanswered += 1;
    }
    while unanswered > 0 {
        answered(timeout(LIMIT, answers.next()).await?)?;
        unanswered -= 1;
    }
    Ok(())
}

/// An error begins otherwise than `{"stream"`.
fn answered(answer: Option<async_nats::Message>) -> anyhow::Result<()> {
    let answer = answer.context("connection lost")?;
    if !answer.payload.starts_with(b"{\"stream\"") {
        bail!("not stored: {}", String::from_utf8_lossy(&answer.payload));
    }
    Ok(())
}

/// Archives so many events of a kind; says when how many rows were stored.
async fn archive(house: &House, kind: Kind, events: u64) -> anyhow::Result<Vec<(i64, u64)>> {
    let (client, consumer) = (house.clickhouse.client(), consumer(house, kind).await?);
    let mut messages = messages(&consumer).await?;
    let (stream, mut number, mut stored) = (Arc::from(kind.stream()), 0, Vec::new());
    while number < events {
        let batch = next(&mut messages, usize::try_from(events - number)?.min(ROWS)).await?;
        let (mut trades, mut books) = (Vec::new(), Vec::new());
        for message in &batch {
            number += 1;
            let event = bus::decode(&message.payload)?;
            let position = position(&stream, number, &event);
            match &event.body {
                Body::Trade(trade) => trades.push(TradeRow::new(&event.stamp, trade, position)),
                Body::OrderBook(book) => books.push(OrderBookRow::new(&event.stamp, book, position)),
                Body::Status(_) => bail!("a status among events"),
            }
        }
        match kind {
            Kind::Trade => store(&client, table(kind), &trades).await?,
            Kind::Book => store(&client, table(kind), &books).await?,
        }
        for message in &batch {
            message.ack().await.map_err(|error| anyhow::anyhow!("acknowledge: {error}"))?;
        }
        stored.push((now_ns() / 1_000_000, u64::try_from(batch.len())?));
    }
    let sql = format!("SELECT count() FROM {}", table(kind));
    let found = house.clickhouse.number(&sql).await?;
    ensure!(found == events, "{found} and not {events}: {sql}");
    Ok(stored)
}

/// The next messages, as many as make a batch, or those that came within its age.
async fn next(
    messages: &mut async_nats::jetstream::consumer::pull::Stream,
    most: usize,
) -> anyhow::Result<Vec<Message>> {
    let first = timeout(LIMIT, messages.next()).await.context("no message")?.context("the end")??;
    let (mut batch, deadline) = (vec![first], Instant::now() + AGE);
    while batch.len() < most {
        let Ok(message) = timeout_at(deadline, messages.next()).await else { break };
        batch.push(message.context("the end")??);
    }
    Ok(batch)
}
