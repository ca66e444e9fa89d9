//! Publishes with message ids by the client alone, of payloads as large as those of trades and books.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_nats::HeaderMap;
use async_nats::jetstream::stream;
use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::Delays;
use crate::inputs::{Events, Kind};
use crate::servers::nats::Nats;

/// A stream of its own beside those of the repository, kept in files as they are.
const STREAM: &str = "BARE";
const SUBJECT: &str = "bare.publish";
/// The sender's bursts are a millisecond apart.
const BURST: Duration = Duration::from_millis(1);

/// Round trips of so many publishes one at a time, and of so many at a rate, each from before it is handed to the client until
/// it is acknowledged.
///
/// # Errors
/// When the server does not store them all.
pub async fn publish(nats: &Nats, single: usize, rate: u64, count: u64) -> anyhow::Result<(Delays, Delays)> {
    let context = nats.context("bare").await?;
    let config =
        stream::Config { name: STREAM.to_owned(), subjects: vec![SUBJECT.to_owned()], ..Default::default() };
    let mut stream = context.create_stream(config).await.context("make a stream")?;
    let payloads = payloads()?;
    let payload = |number: u64| {
        let place = usize::try_from(number).unwrap_or_default() % payloads.len().max(1);
        payloads.get(place).cloned().unwrap_or_default()
    };
    let mut alone = Vec::with_capacity(single);
    for number in 0..u64::try_from(single)? {
        let began = Instant::now();
        let headers = id(&format!("single-{number}"));
        context
            .publish_with_headers(SUBJECT, headers, payload(number))
            .await?
            .await
            .context("acknowledge")?;
        alone.push(nanoseconds(began)?);
    }
    let (began, mut number, mut clock, mut trips) = (Instant::now(), 0, interval(BURST), JoinSet::new());
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut together = Vec::new();
    while number < count {
        clock.tick().await;
        let due = u64::try_from(began.elapsed().as_millis())? * rate / 1_000;
        while number < due.min(count) {
            let since = Instant::now();
            let sent =
                context.publish_with_headers(SUBJECT, id(&number.to_string()), payload(number)).await?;
            trips.spawn(async move { sent.await.map(|_| since.elapsed()) });
            number += 1;
        }
        while let Some(trip) = trips.try_join_next() {
            together.push(i64::try_from(trip.context("a publish")?.context("acknowledge")?.as_nanos())?);
        }
    }
    while let Some(trip) = trips.join_next().await {
        together.push(i64::try_from(trip.context("a publish")?.context("acknowledge")?.as_nanos())?);
    }
    let stored = stream.info().await.context("state of a stream")?.state.messages;
    ensure!(
        stored == count + u64::try_from(single)?,
        "{stored} bare messages are stored of {count} and {single}"
    );
    context.delete_stream(STREAM).await.context("remove a stream")?;
    Ok((Delays::of(alone), Delays::of(together)))
}

fn nanoseconds(since: Instant) -> anyhow::Result<i64> {
    Ok(i64::try_from(since.elapsed().as_nanos())?)
}

fn id(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(async_nats::header::NATS_MESSAGE_ID, text);
    headers
}

/// A trade and two books in turns, as the sender has them.
fn payloads() -> anyhow::Result<Vec<Bytes>> {
    let (mut trades, mut books, mut payloads) =
        (Events::of(Kind::Trade)?, Events::of(Kind::Book)?, Vec::new());
    for _ in 0..100 {
        payloads.push(bus::encode(trades.next()?.1));
        payloads.push(bus::encode(books.next()?.1));
        payloads.push(bus::encode(books.next()?.1));
    }
    Ok(payloads)
}
