//! What an event costs among more symbols, and what archiving costs with more rows in the archive beforehand: processor time of
//! the processes on its way, at full speed, so that nothing is waited for.
//!
//! - One key carries all symbols: the sender has no limit of registrations, and the service is told so.
//! - Sending begins by hand when all registrations are answered, so that they are not measured.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bus::{Outgoing, Publisher};
use market::{Body, Event, Market, Tape};
use tokio::time::{Instant, sleep};

use crate::footprint::float;
use crate::inputs::{Events, Kind};
use crate::measure::{Limit, Measure, median};
use crate::options::Options;
use crate::queries::fill::{self, Plan};
use crate::queries::sql::{Database, http};
use crate::servers::house::House;
use crate::servers::sender::Sender;
use crate::servers::services::{Service, cpu_seconds, symbols};

const BENCH: &str = "growth";
/// Counts of symbols; the bar compares the last with the second.
const SYMBOLS: [usize; 4] = [10, 100, 1_000, 10_000];
/// An event at 10,000 symbols by one at 100.
const MOST: f64 = 1.3;
/// Frames of a round, an event each.
const FRAMES: u64 = 200_000;
/// Rows in the archive beforehand.
const ROWS: [u64; 3] = [1_000_000, 5_000_000, 20_000_000];
/// Events that are archived then.
const EVENTS: u64 = 200_000;
const ROUNDS: usize = 3;
/// Nothing that is waited for takes longer.
const LIMIT: Duration = Duration::from_secs(300);
/// Between two looks: one costs the engine a millisecond.
const LOOK: Duration = Duration::from_millis(100);
/// The stream of what is archived beside the rows of other streams that are there.
const STREAM: &str = "TICKER_US_KIS";

/// Processor nanoseconds of an event.
#[derive(Debug, Clone, Copy)]
struct Cost {
    service: f64,
    archiver: f64,
    clickhouse: f64,
    /// Of nats-server.
    nats: f64,
    /// Rows a second from the first frame to the last row.
    rate: f64,
}

/// Measures both.
///
/// # Errors
/// When a process fails, or something else is archived than was sent.
pub async fn run(options: &Options) -> anyhow::Result<Vec<Measure>> {
    let (counts, frames, rounds): (&[usize], _, _) =
        if options.smoke { (&[10, 100], 1_000, 1) } else { (&SYMBOLS, FRAMES, ROUNDS) };
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); counts.len()];
    for round in 0..rounds {
        for (&count, costs) in counts.iter().zip(&mut costs) {
            let cost = with_symbols(options, count, frames).await;
            let cost = cost.with_context(|| format!("{count} symbols"))?;
            eprintln!("growth: {count} symbols, round {}: {cost:.0?}", round + 1);
            costs.push(cost);
        }
    }
    let mut measures = by_symbols(counts, &costs);
    let (rows, events): (&[u64], _) = if options.smoke { (&[20_000], 1_000) } else { (&ROWS, EVENTS) };
    let mut before = None;
    for &rows in rows {
        let told = with_rows(options, rows, events, rounds).await;
        let (archiver, rate) = told.with_context(|| format!("{rows} rows"))?;
        let cost = Measure::alone(BENCH, format!("archiver_{rows}_rows"), archiver, "ns/event");
        let rate = Measure::alone(BENCH, format!("archived_{rows}_rows"), rate, "rows/s");
        let (least, fastest) = *before.get_or_insert((cost.value, rate.value));
        let fewest = "with the fewest rows";
        measures.extend([cost.beside(fewest, least), rate.beside(fewest, fastest)]);
    }
    Ok(measures)
}

/// The medians of all rounds; ratios are to 100 symbols.
fn by_symbols(counts: &[usize], costs: &[Vec<Cost>]) -> Vec<Measure> {
    let middle = |costs: &Vec<Cost>, of: fn(&Cost) -> f64| median(costs.iter().map(of).collect());
    let sise = |cost: &Cost| cost.service + cost.archiver;
    let base = counts.iter().position(|&count| count == 100).and_then(|place| costs.get(place));
    let base = base.map_or(f64::NAN, |costs| middle(costs, sise));
    let mut measures = Vec::new();
    for (&count, costs) in counts.iter().zip(costs) {
        let told =
            |name: &str, value, unit| Measure::alone(BENCH, format!("{name}_{count}_symbols"), value, unit);
        let cost = told("event", middle(costs, sise), "ns/event").beside("100 symbols", base);
        measures.push(if count == 10_000 { cost.limit(Limit::AtMost(MOST)) } else { cost });
        measures.extend([
            told("kis-service", middle(costs, |cost| cost.service), "ns/event"),
            told("archiver", middle(costs, |cost| cost.archiver), "ns/event"),
            told("nats-server", middle(costs, |cost| cost.nats), "ns/event"),
            told("clickhouse-embedded", middle(costs, |cost| cost.clickhouse), "ns/event"),
            told("rate", middle(costs, |cost| cost.rate), "rows/s"),
        ]);
    }
    measures
}

/// Sends so many frames of so many symbols through everything.
async fn with_symbols(options: &Options, count: usize, frames: u64) -> anyhow::Result<Cost> {
    let mut house = House::start(options, &options.folder.join(BENCH)).await?;
    let arguments = ["--symbols", &count.to_string(), "--registrations", "0"].map(str::to_owned);
    let mut sender = Sender::start(frames, &arguments).await?;
    let mut service = house.sise.kis_service(&sender, &symbols(count), &[])?;
    // Nothing follows the last batch: it is not to wait for more.
    let mut archiver = house.sise.start("archiver", &[("ARCHIVER__AGE_MS", "200")])?;
    registered(&sender, &mut service, count * 2).await?;

    let pids = [
        service.pid(),
        archiver.pid(),
        house.clickhouse.pid(),
        house.nats.pid().context("nats-server has ended")?,
    ];
    let used = || pids.iter().map(|pid| cpu_seconds(*pid)).collect::<anyhow::Result<Vec<_>>>();
    let (before, began) = (used()?, Instant::now());
    let started = http()?.post(format!("{}/start", sender.rest_url())).send().await;
    ensure!(started.context("start the sender")?.status().is_success(), "the sender does not start");
    sender.sent(LIMIT).await?;
    let all = "(SELECT count() FROM trades) + (SELECT count() FROM order_books)";
    until_rows(&house, &mut archiver, &format!("SELECT {all}"), frames).await?;
    let rate = float(frames) / began.elapsed().as_secs_f64();
    let after = used()?;

    service.stop().await?;
    archiver.stop().await?;
    sender.end().await?;
    house.clickhouse.quiet().await?;
    house.end().await?;
    let each: Vec<f64> =
        after.iter().zip(&before).map(|(after, before)| (after - before) * 1e9 / float(frames)).collect();
    let [service, archiver, clickhouse, nats] = each[..] else { anyhow::bail!("four processes") };
    Ok(Cost { service, archiver, clickhouse, nats, rate })
}

/// Waits until so many registrations are answered.
async fn registered(sender: &Sender, service: &mut Service, count: usize) -> anyhow::Result<()> {
    let (http, url, count) = (http()?, format!("{}/status", sender.rest_url()), u64::try_from(count)?);
    let all = async || {
        let status: serde_json::Value = http.get(&url).send().await?.json().await?;
        Ok(status.get("registered").and_then(serde_json::Value::as_u64) == Some(count))
    };
    service.until("all registrations are answered", LIMIT, all).await
}

/// Archives so many trades into tables that hold so many of others: processor nanoseconds of the archiver for an event, and rows
/// a second; medians.
async fn with_rows(options: &Options, rows: u64, events: u64, rounds: usize) -> anyhow::Result<(f64, f64)> {
    let mut house = House::start(options, &options.folder.join(BENCH)).await?;
    let database = Database::new(&house.clickhouse.url(), house.clickhouse.store().database())?;
    fill::trades(&database, Plan::of(rows)).await?;
    house.clickhouse.quiet().await?;
    let mut source = Events::of(Kind::Trade)?;
    let (mut costs, mut rates) = (Vec::new(), Vec::new());
    for round in 1..=u64::try_from(rounds)? {
        publish(&house, &mut source, events).await?;
        let began = Instant::now();
        let settings = [("ARCHIVER__STREAMS", STREAM), ("ARCHIVER__AGE_MS", "50")];
        let mut archiver = house.sise.start("archiver", &settings)?;
        let sql = format!("SELECT sum(rows) FROM archived WHERE stream = '{STREAM}'");
        until_rows(&house, &mut archiver, &sql, events * round).await?;
        rates.push(float(events) / began.elapsed().as_secs_f64());
        costs.push(cpu_seconds(archiver.pid())? * 1e9 / float(events));
        archiver.stop().await?;
        house.clickhouse.quiet().await?;
    }
    let stored =
        house.clickhouse.number(&format!("SELECT count() FROM trades WHERE stream = '{STREAM}'")).await?;
    let published = events * u64::try_from(rounds)?;
    ensure!(stored == published, "{stored} rows of {published} published");
    house.end().await?;
    Ok((median(costs), median(rates)))
}

/// A backlog of trades of the US.
async fn publish(house: &House, source: &mut Events, count: u64) -> anyhow::Result<()> {
    let mut publisher: Publisher<()> = Publisher::new(&house.nats.settings(), "us-service")?;
    for _ in 0..count {
        let event = of_the_us(source.next()?.1);
        publisher.publish(Outgoing::event(&event), ()).await?;
    }
    publisher.drain(Instant::now() + LIMIT).await.context("acknowledgements")?;
    Ok(())
}

fn of_the_us(event: &Event) -> Event {
    let mut event = event.clone();
    event.stamp.market = Market::Us;
    if let Body::Trade(trade) = &mut event.body {
        trade.at.tape = Tape::Us;
    }
    event
}

async fn until_rows(house: &House, archiver: &mut Service, sql: &str, rows: u64) -> anyhow::Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let found = house.clickhouse.number(sql).await?;
        if found >= rows {
            ensure!(found == rows, "{found} rows, and only {rows} were sent");
            return Ok(());
        }
        archiver.check()?;
        ensure!(Instant::now() < deadline, "{found} of {rows} rows: {}", archiver.said());
        sleep(LOOK).await;
    }
}
