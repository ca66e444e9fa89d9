//! From frames on the broker's socket to rows in ClickHouse, every process on this machine, beside the bare path: one loop
//! that publishes prepared payloads and one a stream that fetches, decodes and inserts, into servers of the same kind.
//!
//! A rate is that of the first ninety-nine hundredths of the rows, from the first frame on: what comes last waits for the
//! age at which a batch is stored.

mod bare;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::{Instant, sleep};

use crate::archive::events::SYMBOLS;
use crate::archive::rate;
use crate::measure::{Limit, Measure, median};
use crate::options::Options;
use crate::sender::Summary;
use crate::servers::house::House;
use crate::servers::sender::Sender;
use crate::servers::services::{Service, cpu_seconds, peak_mb, symbols};

const BENCH: &str = "path";
/// Frames of a round: ten seconds and more, so that the start matters little.
const FRAMES: u64 = 600_000;
const ROUNDS: usize = 3;
const SMOKE_FRAMES: u64 = 3_000;
/// Nothing of a round takes longer.
const LIMIT: Duration = Duration::from_secs(240);
/// How often is looked whether everything is archived: a look costs the engine a millisecond.
const LOOK: Duration = Duration::from_millis(200);
/// Memory as a file system: what is written there costs the least.
const MEMORY: &str = "/dev/shm";

/// What a process has cost in a round.
#[derive(Debug, Clone, Copy)]
struct Cost {
    name: &'static str,
    /// Processor seconds a million rows.
    cpu: f64,
    /// The most memory, in MB.
    peak_mb: f64,
}

/// What a round has shown.
#[derive(Debug, Clone)]
struct Figures {
    /// Rows a second.
    rows: f64,
    costs: Vec<Cost>,
}

/// How frames are kept on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Journal {
    /// As the defaults are.
    Default,
    /// As cheap as the settings allow: it cannot be switched off.
    Cheapest,
}

/// Measures the path.
///
/// # Errors
/// When a process fails, or a row is missing, stands there twice, or a gap was told.
pub async fn run(options: &Options) -> anyhow::Result<Vec<Measure>> {
    let (frames, rounds) = if options.smoke { (SMOKE_FRAMES, 1) } else { (FRAMES, ROUNDS) };
    let (mut ours, mut cheapest, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    if !options.smoke {
        whole(options, frames / 10, Journal::Default).await?;
    }
    for number in 1..=rounds {
        ours.push(whole(options, frames, Journal::Default).await?);
        bare.push(bare_round(options, frames).await?);
        cheapest.push(whole(options, frames, Journal::Cheapest).await?);
        let last = (ours.last().map(|one| one.rows), bare.last(), cheapest.last().map(|one| one.rows));
        eprintln!("path: round {number}: whole, bare, whole with the cheapest journal: {last:.0?}");
    }
    Ok(tell(&ours, &cheapest, &bare))
}

fn tell(ours: &[Figures], cheapest: &[Figures], bare: &[f64]) -> Vec<Measure> {
    let rows = |figures: &[Figures]| median(figures.iter().map(|one| one.rows).collect());
    let (bare, whole) = (median(bare.to_vec()), rows(ours));
    let mut measures = vec![
        Measure::alone(BENCH, "bare_rows", bare, "rows/s"),
        Measure::alone(BENCH, "rows", whole, "rows/s").beside("bare path", bare).limit(Limit::AtLeast(0.6)),
        Measure::alone(BENCH, "journal", whole, "rows/s")
            .beside("journal never synced, not compressed, in memory", rows(cheapest))
            .limit(Limit::AtLeast(0.9)),
        // Anything else is an error.
        Measure::alone(BENCH, "lost", 0.0, "rows"),
        Measure::alone(BENCH, "duplicated", 0.0, "rows"),
    ];
    for (place, cost) in ours.first().map(|one| one.costs.as_slice()).unwrap_or_default().iter().enumerate() {
        let middle = |figures: &[Figures], of: fn(&Cost) -> f64| {
            median(figures.iter().filter_map(|one| one.costs.get(place)).map(of).collect())
        };
        let cpu = Measure::alone(
            BENCH,
            format!("cpu_{}", cost.name),
            middle(ours, |cost| cost.cpu),
            "s/million rows",
        );
        measures.push(match cost.name {
            "kis-service" => cpu.beside("with the cheapest journal", middle(cheapest, |cost| cost.cpu)),
            _ => cpu,
        });
        let memory = middle(ours, |cost| cost.peak_mb);
        measures.push(Measure::alone(BENCH, format!("memory_{}", cost.name), memory, "MB"));
    }
    measures
}

/// One round of all processes.
async fn whole(options: &Options, frames: u64, journal: Journal) -> anyhow::Result<Figures> {
    let house = House::start(options, &options.folder.join(BENCH)).await?;
    let registrations = ["--registrations".to_owned(), (SYMBOLS * 2).to_string()];
    let mut sender = Sender::start(frames, &registrations).await?;
    let mut archiver = house.sise.start("archiver", &[])?;
    let said = house.sise.folder.join("archiver.log");
    archiver
        .until("the archiver reads all streams", LIMIT, async || {
            let said = std::fs::read_to_string(&said).unwrap_or_default();
            Ok(said.matches(r#""message":"archiving""#).count() == 8)
        })
        .await?;
    let nats = house.nats.pid().context("nats-server")?;
    let others = [
        ("archiver", archiver.pid()),
        ("nats-server", nats),
        ("clickhouse-embedded", house.clickhouse.pid()),
    ];
    let mut before = Vec::new();
    for (_, pid) in others {
        before.push(cpu_seconds(pid)?);
    }
    let (mut kis, in_memory) = start_kis(&house, &sender, journal)?;
    let summary = sender.sent(LIMIT).await?;
    archived(&house, &mut kis, &mut archiver, summary.sent).await?;

    let count = rate(summary.sent, 1.0);
    let cost = |name, pid, before: f64| -> anyhow::Result<Cost> {
        Ok(Cost { name, cpu: (cpu_seconds(pid)? - before) / count * 1e6, peak_mb: peak_mb(pid)? })
    };
    let mut costs = vec![cost("kis-service", kis.pid(), 0.0)?, cost("sender", sender.pid(), 0.0)?];
    for ((name, pid), before) in others.into_iter().zip(before) {
        costs.push(cost(name, pid, before)?);
    }
    let rows = sustained(summary.started_ns / 1_000_000, &ledger(&house).await?, summary.sent)?;
    check(&house, &mut kis, &summary).await?;
    kis.stop().await?;
    archiver.stop().await?;
    sender.end().await?;
    house.end().await?;
    drop(in_memory);
    Ok(Figures { rows, costs })
}

/// With the cheapest journal, also where it stands for so long.
fn start_kis(
    house: &House,
    sender: &Sender,
    journal: Journal,
) -> anyhow::Result<(Service, Option<tempfile::TempDir>)> {
    let symbols = symbols(SYMBOLS);
    if journal == Journal::Default {
        return Ok((house.sise.kis_service(sender, &symbols, &[])?, None));
    }
    let memory = Path::new(MEMORY);
    let place = if memory.is_dir() { memory } else { &house.sise.folder };
    let folder = tempfile::Builder::new().prefix("sise-bench-").tempdir_in(place).context("journal")?;
    let text = folder.path().display().to_string();
    let settings =
        [("JOURNAL__SYNC", "never"), ("JOURNAL__COMPRESS", "off"), ("JOURNAL__FOLDER", text.as_str())];
    Ok((house.sise.kis_service(sender, &symbols, &settings)?, Some(folder)))
}

const STREAMS: &str = "('TICKER_KR_KIS', 'ORDERBOOK_KR_KIS')";

/// Waits until the ledger has so many rows.
async fn archived(house: &House, kis: &mut Service, archiver: &mut Service, rows: u64) -> anyhow::Result<()> {
    let sql = format!("SELECT sum(rows) FROM archived WHERE stream IN {STREAMS}");
    let deadline = Instant::now() + LIMIT;
    loop {
        let found = house.clickhouse.number(&sql).await?;
        if found >= rows {
            return Ok(());
        }
        kis.check()?;
        archiver.check()?;
        ensure!(
            Instant::now() < deadline,
            "{found} of {rows} rows archived; {}\n{}",
            kis.last_words(),
            archiver.last_words()
        );
        sleep(LOOK).await;
    }
}

/// When how many rows were archived, in order: milliseconds UTC and rows.
async fn ledger(house: &House) -> anyhow::Result<Vec<(i64, u64)>> {
    let sql = format!(
        "SELECT toUnixTimestamp64Milli(archived_at), rows FROM archived WHERE stream IN {STREAMS} ORDER BY archived_at"
    );
    house.clickhouse.client().query(&sql).fetch_all().await.context("the ledger")
}

/// Rows a second from the start until ninety-nine hundredths of all are stored. Times are milliseconds, in order.
fn sustained(start: i64, stored: &[(i64, u64)], all: u64) -> anyhow::Result<f64> {
    let mut rows = 0;
    for (at, more) in stored {
        rows += more;
        if rows >= all - all / 100 {
            let milliseconds = u64::try_from(at - start).context("stored before it was sent")?.max(1);
            return Ok(rate(rows, Duration::from_millis(milliseconds).as_secs_f64()));
        }
    }
    anyhow::bail!("{rows} of {all} rows stored")
}

/// Every frame is a message, every message a row, none twice, and nothing was taken for missing.
async fn check(house: &House, kis: &mut Service, summary: &Summary) -> anyhow::Result<()> {
    let context = house.nats.context("bench").await?;
    for (stream, expected) in
        [("TICKER_KR_KIS", summary.trades), ("ORDERBOOK_KR_KIS", summary.books), ("DEADLETTER", 0)]
    {
        let found = context
            .get_stream(stream)
            .await
            .context(stream)?
            .get_info()
            .await
            .context(stream)?
            .state
            .messages;
        ensure!(found == expected, "{found} messages in {stream} and not {expected}");
    }
    let (trades, books) = (summary.trades, summary.books);
    for (sql, expected) in [
        ("SELECT count() FROM trades", trades),
        ("SELECT uniqExact(event_id) FROM trades", trades),
        ("SELECT count() FROM order_books", books),
        ("SELECT uniqExact(event_id) FROM order_books", books),
    ] {
        let found = house.clickhouse.number(sql).await?;
        ensure!(found == expected, "{found} and not {expected}: {sql}");
    }
    // That the connection stands is a status too: with it in the table, what was said before is there.
    let up = "SELECT count() FROM feed_status WHERE what = 'link_up'";
    kis.until("the status of the connection", LIMIT, async || Ok(house.clickhouse.number(up).await? == 1))
        .await?;
    let gaps = house.clickhouse.number("SELECT count() FROM feed_status WHERE what = 'gap_opened'").await?;
    ensure!(gaps == 0, "{gaps} gaps were told though every frame was read");
    Ok(())
}

/// One round of the bare path.
async fn bare_round(options: &Options, frames: u64) -> anyhow::Result<f64> {
    let house = House::start(options, &options.folder.join(BENCH)).await?;
    let (start, stored) = Box::pin(bare::run(&house, frames)).await?;
    let rows = sustained(start, &stored, frames)?;
    house.end().await?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hundredth_does_not_count() {
        let stored = [(2_000, 50), (3_000, 49), (9_000, 1)];
        assert!((sustained(1_000, &stored, 100).expect("rate") - 49.5).abs() < 1e-9);
        assert!(sustained(1_000, &stored, 200).is_err());
    }
}
