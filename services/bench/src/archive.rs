//! A backlog in JetStream to rows in ClickHouse by the archiver, beside a bare fetch of the same messages and a bare insert
//! of the same rows. The two must share the machine as the archiver's halves do: what they can do one after the other,
//! `1 / (1 / fetch + 1 / insert)`, is the limit.

pub mod bare;
pub mod events;

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use bus::{Outgoing, Publisher};
use tokio::time::Instant;

use self::events::Replay;
use crate::inputs::Kind;
use crate::measure::{Limit, Measure, median};
use crate::options::Options;
use crate::servers::house::House;
use crate::servers::services::{cpu_seconds, peak_mb};

const BENCH: &str = "archive";
/// Events of a round and kind: some seconds, so that the start of the archiver matters little.
const EVENTS: u64 = 600_000;
const ROUNDS: usize = 3;
const SMOKE_EVENTS: u64 = 2_000;
/// Nothing of a round takes longer.
const LIMIT: Duration = Duration::from_secs(180);
/// How often is looked whether the archiver is done: a look costs the engine a millisecond.
const LOOK: Duration = Duration::from_millis(100);

/// What one round has shown of a kind, in rows a second where nothing else is said.
#[derive(Debug, Clone, Copy)]
struct Figures {
    fetch: f64,
    insert: f64,
    archived: f64,
    /// Processor seconds of the archiver a million rows.
    cpu: f64,
    /// The most memory of the archiver, in MB.
    peak_mb: f64,
}

/// Measures trades and books.
///
/// # Errors
/// When a server or the archiver fails, or what stands in the tables is not what was published.
pub async fn run(options: &Options) -> anyhow::Result<Vec<Measure>> {
    let (events, rounds) = if options.smoke { (SMOKE_EVENTS, 1) } else { (EVENTS, ROUNDS) };
    let mut measures = Vec::new();
    for kind in [Kind::Trade, Kind::Book] {
        let mut figures = Vec::new();
        if !options.smoke {
            round(options, kind, events / 10, true).await?;
        }
        for number in 0..rounds {
            let one = round(options, kind, events, number % 2 == 0).await?;
            eprintln!("archive: {} round {}: {one:.0?}", kind.name(), number + 1);
            figures.push(one);
        }
        measures.extend(tell(kind, &figures));
    }
    Ok(measures)
}

fn tell(kind: Kind, figures: &[Figures]) -> Vec<Measure> {
    let middle = |of: fn(&Figures) -> f64| median(figures.iter().map(of).collect());
    let name = match kind {
        Kind::Trade => "trades",
        Kind::Book => "books",
    };
    let limit = middle(|one| 1.0 / (1.0 / one.fetch + 1.0 / one.insert));
    let archived = middle(|one| one.archived);
    let cpu = Measure::alone(BENCH, format!("{name}_cpu"), middle(|one| one.cpu), "s/million rows");
    let mut measures = vec![
        Measure::alone(BENCH, format!("{name}_bare_fetch"), middle(|one| one.fetch), "rows/s"),
        Measure::alone(BENCH, format!("{name}_bare_insert"), middle(|one| one.insert), "rows/s"),
        Measure::alone(BENCH, name, archived, "rows/s")
            .beside("bare fetch, then bare insert", limit)
            .limit(Limit::AtLeast(0.75)),
        Measure::alone(BENCH, format!("{name}_archiver_memory"), middle(|one| one.peak_mb), "MB"),
    ];
    match kind {
        Kind::Trade => measures.push(cpu),
        // What the best public connector needs without a database behind it.
        Kind::Book => {
            measures.push(cpu.limit(Limit::AtMost(14.0)));
            let rate = Measure::alone(BENCH, "books_rate", archived, "rows/s");
            measures.push(rate.limit(Limit::AtLeast(67_000.0)));
        }
    }
    measures
}

/// One round on servers of its own; the archiver comes first or last.
async fn round(options: &Options, kind: Kind, events: u64, first: bool) -> anyhow::Result<Figures> {
    let mut house = House::start(options, &options.folder.join(BENCH)).await?;
    publish(&house, kind, events).await?;
    let archived = if first { Some(archive(&mut house, kind, events).await?) } else { None };
    let fetch = bare::fetch(&house, kind, events).await?;
    let insert = match kind {
        Kind::Trade => bare::insert(&house, "trades", &bare::trades(events)?).await?,
        Kind::Book => bare::insert(&house, "order_books", &bare::books(events)?).await?,
    };
    house.clickhouse.quiet().await?;
    let (archived, cpu, peak_mb) = match archived {
        Some(archived) => archived,
        None => archive(&mut house, kind, events).await?,
    };
    house.end().await?;
    Ok(Figures { fetch, insert, archived, cpu, peak_mb })
}

/// Fills the stream as a service would.
async fn publish(house: &House, kind: Kind, count: u64) -> anyhow::Result<()> {
    let mut publisher: Publisher<()> = Publisher::new(&house.nats.settings(), "kis-service")?;
    let mut events = Replay::of(&[kind]);
    for _ in 0..count {
        publisher.publish(Outgoing::event(&events.next()?), ()).await?;
    }
    publisher.drain(Instant::now() + LIMIT).await.context("acknowledgements")?;
    let mut stream = house.nats.context("bench").await?.get_stream(kind.stream()).await.context("stream")?;
    let found = stream.info().await.context("stream")?.state.messages;
    ensure!(found == count, "{found} messages in the stream and not {count}");
    Ok(())
}

/// Rows a second from the start of the process to the last row, processor seconds a million rows, and memory.
async fn archive(house: &mut House, kind: Kind, events: u64) -> anyhow::Result<(f64, f64, f64)> {
    let (table, stream) = (bare::table(kind), kind.stream());
    let began = SystemTime::now();
    // Nothing follows the last batch: it is not to wait for more.
    let settings = [("ARCHIVER__STREAMS", stream), ("ARCHIVER__AGE_MS", "200")];
    let mut archiver = house.sise.start("archiver", &settings)?;
    let ledger = format!("SELECT sum(rows) FROM archived WHERE stream = '{stream}'");
    let deadline = Instant::now() + LIMIT;
    loop {
        tokio::time::sleep(LOOK).await;
        let rows = house.clickhouse.number(&ledger).await?;
        if rows >= events {
            break;
        }
        archiver.check()?;
        ensure!(Instant::now() < deadline, "the archiver has stored {rows} of {events}: {}", archiver.said());
    }
    let (cpu, memory) = (cpu_seconds(archiver.pid())?, peak_mb(archiver.pid())?);
    archiver.stop().await?;
    let ended =
        format!("SELECT toUnixTimestamp64Milli(max(archived_at)) FROM archived WHERE stream = '{stream}'");
    let ended = house.clickhouse.number(&ended).await?;
    let began = began.duration_since(SystemTime::UNIX_EPOCH)?;
    let seconds = Duration::from_millis(ended).saturating_sub(began).as_secs_f64();
    for (what, sql) in [
        ("rows in the ledger", ledger),
        ("rows", format!("SELECT count() FROM {table}")),
        ("events", format!("SELECT uniqExact(event_id) FROM {table}")),
    ] {
        let found = house.clickhouse.number(&sql).await?;
        ensure!(found == events, "{what}: {found} and not {events} ({sql})");
    }
    house.clickhouse.quiet().await?;
    let count = rate(events, 1.0);
    Ok((count / seconds, cpu / count * 1e6, memory))
}

/// So many in so many seconds.
#[allow(clippy::cast_precision_loss, reason = "a figure for people")]
pub fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}
