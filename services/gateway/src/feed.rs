//! The bus → events for the hub: what passes now, the last message of every subject at the start and after each
//! reconnection, and how the feeds are.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bus::bucket::HEALTH;
use bus::tap::TapError;
use bus::{Bucket, Client, Context, StreamMessage, Tap};
use market::health::Health;
use market::{Event, Market};
use process::Shutdown;
use tokio::sync::mpsc;

use crate::hub::feeds::{FEEDS, Look};

/// Pause between two looks at the health, and at the connection.
const LOOK: Duration = Duration::from_secs(1);

/// What the tasks beside the taps tell the hub.
pub enum Told {
    /// The last events of all streams, trades and books.
    Last(Vec<Event>),
    /// The last events are all told.
    Seeded,
    /// A look at the health of the feeds.
    Health(Look),
}

/// Three subjects of one connection that are followed.
pub struct Taps {
    ticker: Tap,
    orderbook: Tap,
    status: Tap,
}

impl Taps {
    /// Follows what passes. Recovered trades stand elsewhere and never come.
    ///
    /// # Errors
    /// [`TapError`] when the connection is closed for good.
    pub async fn open(client: &Client) -> Result<Self, TapError> {
        Ok(Self {
            ticker: Tap::open(client, "ticker.>").await?,
            orderbook: Tap::open(client, "orderbook.>").await?,
            status: Tap::open(client, "status.>").await?,
        })
    }

    /// The next event; none when the connection is closed for good. What is no event is counted and left out: the archiver
    /// sets it aside. Safe to drop.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let passing = tokio::select! {
                passing = self.ticker.next() => passing?,
                passing = self.orderbook.next() => passing?,
                passing = self.status.next() => passing?,
            };
            if let Some(event) = decode(&passing.payload) {
                return Some(event);
            }
        }
    }
}

fn decode(payload: &[u8]) -> Option<Event> {
    match bus::decode(payload) {
        Ok(event) => Some(event),
        Err(problem) => {
            metrics::counter!("sise_gateway_events_ignored_total", "reason" => "undecodable").increment(1);
            tracing::debug!(%problem, "message is no event");
            None
        }
    }
}

/// The streams of live trades and books.
fn streams() -> impl Iterator<Item = (String, &'static str)> {
    FEEDS.into_iter().flat_map(|(market, source)| {
        let of = |kind: &str| format!("{kind}_{market}_{source}").to_uppercase();
        [(of("ticker"), "ticker.>"), (of("orderbook"), "orderbook.>")]
    })
}

/// Reads the last message of every subject at the start and after each reconnection, until the stop.
pub async fn seed(client: Client, context: Context, told: mpsc::Sender<Told>, shutdown: Shutdown) {
    let statistics = client.statistics();
    let mut seen = 0;
    loop {
        let connects = statistics.connects.load(Ordering::Relaxed);
        if connects != seen && seed_once(&context, &told).await {
            seen = connects;
        }
        tokio::select! {
            () = shutdown.requested() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// True when everything is read.
async fn seed_once(context: &Context, told: &mpsc::Sender<Told>) -> bool {
    let mut events = 0;
    for (stream, filter) in streams() {
        match bus::latest(context, &stream, filter).await {
            Ok(mut messages) => {
                messages.sort_by_key(|message| message.stream_sequence);
                let read = |message: &StreamMessage| decode(message.payload());
                let last: Vec<Event> = messages.iter().filter_map(read).collect();
                events += last.len();
                if told.send(Told::Last(last)).await.is_err() {
                    return true;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "last messages cannot be read, trying again");
                return false;
            }
        }
    }
    tracing::info!(events, "last messages read");
    // The hub may have ended.
    let _ended = told.send(Told::Seeded).await;
    true
}

/// Looks at the health of the feeds once a second, until the stop.
pub async fn look(context: Context, told: mpsc::Sender<Told>, shutdown: Shutdown) {
    let mut bucket = None;
    loop {
        let look = look_once(&context, &mut bucket).await;
        if told.send(Told::Health(look)).await.is_err() {
            return;
        }
        tokio::select! {
            () = shutdown.requested() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn look_once(context: &Context, bucket: &mut Option<Bucket>) -> Look {
    if bucket.is_none() {
        *bucket = Bucket::open(context, HEALTH).await.ok();
    }
    let opened = bucket.as_ref()?;
    let mut found = Vec::with_capacity(FEEDS.len());
    for (market, source) in FEEDS {
        match opened.get::<Health>(&key(market, source.as_str())).await {
            Ok(health) => found.push((market, source, health.map(|versioned| versioned.value))),
            Err(error) => {
                tracing::debug!(%error, "health cannot be read");
                *bucket = None;
                return None;
            }
        }
    }
    Some(found)
}

fn key(market: Market, source: &str) -> String {
    format!("{market}.{source}")
}
