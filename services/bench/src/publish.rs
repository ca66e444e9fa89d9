//! Events to JetStream: all that the publisher of a service does (event to message, window, acknowledgements in order,
//! checkpoints, metrics), beside the barest loops of the client with the same payloads and message ids, and beside batches of
//! fast ingest. Then the way back: a durable read and acknowledged, beside the client's own loop; and what it costs to have
//! the server force its streams to disk.
//!
//! Each run has a fresh server. Every loop sends its first message before the clock starts, so that no connection is made
//! within it, and ends with the last acknowledgement; then the stream is asked whether it has everything.

mod bare;
mod fast;
mod fetch;
mod ours;
mod syncing;

use anyhow::{Context as _, ensure};
use bus::Outgoing;

use crate::folder::Fresh;
use crate::inputs::{Events, Kind};
use crate::measure::{Limit, Measure, count_as_a_service, median};
use crate::options::Options;
use crate::servers::nats::Nats;

/// Of the best bare loop at least, with a message and an acknowledgement each.
const LEAST: f64 = 0.9;
/// Of the best bare loop at least, by fast ingest.
const LEAST_FAST: f64 = 1.2;

/// How much is done.
#[derive(Debug, Clone, Copy)]
struct Amount {
    smoke: bool,
    rounds: usize,
    /// Events of a run.
    events: u64,
    /// Where every message waits for the disk.
    synced: u64,
}

/// One way to publish.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The publisher of a service.
    Ours,
    /// The library's own publish, so many acknowledgements awaited at once.
    Library { window: usize },
    /// The core of the client, one inbox for all acknowledgements, so many not counted yet.
    OneInbox { window: usize },
    /// One batch of fast ingest, acknowledged each `flow` messages at the latest.
    Fast { flow: u16 },
}

impl Way {
    fn words(self) -> String {
        match self {
            Self::Ours => "publisher".into(),
            Self::Library { window } => format!("bare loop of the library, {window} in flight"),
            Self::OneInbox { window } => format!("bare loop with one inbox, {window} in flight"),
            Self::Fast { flow } => format!("fast ingest, flow {flow}"),
        }
    }
}

const LIBRARY: [Way; 3] =
    [Way::Library { window: 250 }, Way::Library { window: 1_000 }, Way::Library { window: 4_000 }];
const ONE_INBOX: [Way; 3] =
    [Way::OneInbox { window: 250 }, Way::OneInbox { window: 1_000 }, Way::OneInbox { window: 4_000 }];
const FAST: [Way; 3] = [Way::Fast { flow: 100 }, Way::Fast { flow: 500 }, Way::Fast { flow: 2_000 }];

/// All of it.
///
/// # Errors
/// When a server does not start, or a stream does not hold what was acknowledged.
pub async fn run(options: &Options) -> anyhow::Result<Vec<Measure>> {
    let amount = if options.smoke {
        Amount { smoke: true, rounds: 1, events: 500, synced: 50 }
    } else {
        Amount { smoke: false, rounds: 5, events: 200_000, synced: 3_000 }
    };
    count_as_a_service()?;
    let folder = Fresh::of(options, "publish")?;
    let mut measures = Vec::new();
    for kind in [Kind::Trade, Kind::Book] {
        measures.extend(rates(&folder, kind, amount).await?);
    }
    measures.extend(fetch::run(&folder, amount).await?);
    measures.extend(syncing::run(&folder, amount).await?);
    Ok(measures)
}

/// The publisher, the best bare loops and the best fast ingest, in turns.
async fn rates(folder: &Fresh, kind: Kind, amount: Amount) -> anyhow::Result<Vec<Measure>> {
    let messages = prepared(kind, amount.events)?;
    let load = Load { folder, kind, messages: &messages };
    // Warms up too.
    let library = load.best(LIBRARY, amount).await?;
    let one_inbox = load.best(ONE_INBOX, amount).await?;
    let fast = load.best(FAST, amount).await?;
    if !amount.smoke {
        load.once(Way::Ours).await?;
    }
    let ways = [Way::Ours, library, one_inbox, fast];
    let mut figures = ways.map(|_| Vec::with_capacity(amount.rounds));
    for _ in 0..amount.rounds {
        for (way, figures) in ways.into_iter().zip(&mut figures) {
            figures.push(load.once(way).await?);
        }
    }
    let [of_ours, of_library, of_one_inbox, of_fast] = figures.map(median);
    let (best, bare) =
        if of_library > of_one_inbox { (library, of_library) } else { (one_inbox, of_one_inbox) };
    let measure =
        |name: &str, figure| Measure::alone("publish", format!("{}{name}", kind.name()), figure, "events/s");
    let fast_words = fast.words();
    Ok(vec![
        measure("", of_ours).beside(&best.words(), bare).limit(Limit::AtLeast(LEAST)),
        measure("_bare_library", of_library).beside(&best.words(), bare),
        measure("_bare_one_inbox", of_one_inbox).beside(&best.words(), bare),
        measure("_fast_ingest", of_fast).beside(&best.words(), bare).limit(Limit::AtLeast(LEAST_FAST)),
        measure("_and_fast_ingest", of_ours).beside(&fast_words, of_fast),
        load.sent_twice(fast).await?,
    ])
}

/// The messages of so many events.
fn prepared(kind: Kind, count: u64) -> anyhow::Result<Vec<Outgoing>> {
    let mut events = Events::of(kind)?;
    (0..count).map(|_| Ok(Outgoing::event(events.next()?.1))).collect()
}

/// What is published.
struct Load<'a> {
    folder: &'a Fresh,
    kind: Kind,
    messages: &'a [Outgoing],
}

impl Load<'_> {
    /// The way with the best figure of one run; the first, untried, where no figure counts.
    async fn best<const N: usize>(&self, ways: [Way; N], amount: Amount) -> anyhow::Result<Way> {
        let mut best = None;
        if amount.smoke {
            return ways.first().copied().context("no way");
        }
        for way in ways {
            let figure = self.once(way).await?;
            if best.is_none_or(|(_, other)| figure > other) {
                best = Some((way, figure));
            }
        }
        best.map(|(way, _)| way).context("no way")
    }

    /// Events a second of one run on a fresh server, which has all of them afterwards.
    async fn once(&self, way: Way) -> anyhow::Result<f64> {
        self.folder.empty()?;
        let server = Nats::start(&self.folder.path().join("nats")).await?.with_streams().await?;
        let rate = self.send(&server, way).await.with_context(|| way.words())?;
        let stored = self.stored(&server).await?;
        ensure!(
            stored == u64::try_from(self.messages.len())?,
            "{}: {stored} messages of {}",
            way.words(),
            self.messages.len()
        );
        server.end().await?;
        Ok(rate)
    }

    async fn send(&self, server: &Nats, way: Way) -> anyhow::Result<f64> {
        match way {
            Way::Ours => ours::publish(server, self.kind, u64::try_from(self.messages.len())?).await,
            Way::Library { window } => bare::library(server, self.messages, window).await,
            Way::OneInbox { window } => bare::one_inbox(server, self.messages, window).await,
            Way::Fast { flow } => fast::publish(server, self.kind.stream(), self.messages, flow).await,
        }
    }

    async fn stored(&self, server: &Nats) -> anyhow::Result<u64> {
        let context = server.context("bench").await?;
        Ok(bus::stream_state(&context, self.kind.stream()).await?.messages)
    }

    /// Of a batch whose messages were all stored before under the same ids: how many are stored a second time.
    async fn sent_twice(&self, fast: Way) -> anyhow::Result<Measure> {
        self.folder.empty()?;
        let server = Nats::start(&self.folder.path().join("nats")).await?.with_streams().await?;
        let some = &self.messages[..self.messages.len().min(1_000)];
        let load = Load { messages: some, ..*self };
        load.send(&server, fast).await.context("the first time")?;
        let first = load.stored(&server).await?;
        ensure!(first == u64::try_from(some.len())?, "{first} messages of {}", some.len());
        // Whether the server refuses it or drops the copies is its own affair: what counts is what it holds.
        let _refused = load.send(&server, fast).await;
        let again = load.stored(&server).await? - first;
        server.end().await?;
        let share = f64::from(u32::try_from(again)?) / f64::from(u32::try_from(some.len())?);
        let name = format!("{}_fast_ingest_stored_twice", self.kind.name());
        Ok(Measure::alone("publish", name, share, "share of messages sent again"))
    }
}
