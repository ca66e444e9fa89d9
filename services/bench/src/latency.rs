//! How old an event is when it is safe, and when a client of the gateway has it: from the moment at which its frame was read
//! (`received_ns`, stamped by the service) at several rates.
//!
//! - Safe: the server tells when it stored a message, by the clock of the same machine, and what is read back after a run tells
//!   both times of every event. The acknowledgement itself comes later by the way back to the service, which no clock sees; a
//!   whole bare round trip (its median) is added for it, which is more than it takes.
//! - Beside it, on the same server before each run: bare publishes of the same sizes with message ids, one at a time, and at
//!   the same rate in the same bursts.

mod bare;
mod reader;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bus::{BatchLimits, Consumer};
use tokio::time::{Instant, timeout};

use crate::folder::Fresh;
use crate::footprint::stack::free_ports;
use crate::latency::reader::Reader;
use crate::measure::{Limit, Measure, median};
use crate::options::Options;
use crate::queries::sql::http;
use crate::servers::nats::Nats;
use crate::servers::sender::Sender;
use crate::servers::services::{Service, Sise, symbols};

const BENCH: &str = "latency";
/// Symbols, each with trades and books.
const SYMBOLS: usize = 20;
/// The rate at which the bar is set.
const JUDGED: u64 = 5_000;
/// Nothing that is waited for takes longer.
const LIMIT: Duration = Duration::from_secs(120);
/// The first part of what a gateway's client gets is not measured: the snapshot, and what waited for it.
const BEGIN: Duration = Duration::from_secs(1);

/// What each rate is measured with.
#[derive(Debug, Clone, Copy)]
struct Plan {
    rate: u64,
    seconds: u64,
    /// Bare publishes one at a time.
    single: usize,
}

/// Delays of one run, ns, sorted.
#[derive(Debug, Clone, Default)]
pub struct Delays(Vec<i64>);

impl Delays {
    /// Sorts them.
    pub fn of(mut delays: Vec<i64>) -> Self {
        delays.sort_unstable();
        Self(delays)
    }

    /// The one that so many of a thousand are at most; 1,000 is the largest. In microseconds.
    fn at(&self, thousandth: usize) -> f64 {
        let index = self.0.len().saturating_sub(1) * thousandth / 1_000;
        let ns = self.0.get(index).copied().unwrap_or_default();
        #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
        let ns = ns as f64;
        ns / 1e3
    }
}

/// What one run has shown.
#[derive(Debug, Clone, Default)]
struct Run {
    single: Delays,
    bare: Delays,
    stored: Delays,
    client: Delays,
}

/// Measures all rates.
///
/// # Errors
/// When a process fails, or something else is stored than was sent.
pub async fn run(options: &Options) -> anyhow::Result<Vec<Measure>> {
    let (rates, rounds, seconds, single): (&[u64], _, _, _) =
        if options.smoke { (&[500], 1, 2, 50) } else { (&[1_000, JUDGED, 20_000], 3, 6, 2_000) };
    let fresh = Fresh::of(options, BENCH)?;
    let mut measures = Vec::new();
    for &rate in rates {
        let mut runs = Vec::new();
        for round in 0..rounds {
            let plan = Plan { rate, seconds, single };
            fresh.empty()?;
            let run = one(options, fresh.path(), plan).await.with_context(|| format!("{rate} events/s"))?;
            eprintln!(
                "latency: {rate} events/s, round {}: p99 {:.0} us to stored",
                round + 1,
                run.stored.at(990)
            );
            runs.push(run);
        }
        measures.extend(tell(rate, &runs));
    }
    Ok(measures)
}

/// The medians of all rounds.
fn tell(rate: u64, runs: &[Run]) -> Vec<Measure> {
    let middle = |of: &dyn Fn(&Run) -> f64| median(runs.iter().map(of).collect());
    let mut measures = Vec::new();
    for (what, thousandth) in [("p50", 500), ("p99", 990), ("p99.9", 999), ("max", 1_000)] {
        let single = middle(&|run| run.single.at(thousandth));
        let bare = middle(&|run| run.bare.at(thousandth));
        let stored = middle(&|run| run.stored.at(thousandth));
        let acknowledged = middle(&|run| run.stored.at(thousandth) + run.single.at(500));
        let client = middle(&|run| run.client.at(thousandth));
        let told = |name: &str, value| Measure::alone(BENCH, format!("{name}_{rate}_{what}"), value, "us");
        let mut judged = told("acknowledged", acknowledged).beside("bare publish at the same rate", bare);
        if rate == JUDGED && thousandth == 990 {
            judged = judged.limit(Limit::AtMost(5.0));
        }
        measures.extend([
            told("bare_one_at_a_time", single),
            told("bare", bare),
            told("stored", stored),
            judged,
            told("gateway_client", client),
        ]);
    }
    measures
}

/// The bare publishes and then two runs on one server: without a gateway, and with one and a client of it.
async fn one(options: &Options, folder: &Path, plan: Plan) -> anyhow::Result<Run> {
    let nats = Nats::start(&folder.join("nats")).await?.with_streams().await?;
    let sise = Sise {
        binaries: options.binaries.clone(),
        folder: folder.join("sise"),
        nats_url: nats.url(),
        // The gateway asks it for nothing that is measured here.
        clickhouse_url: "http://127.0.0.1:9".to_owned(),
    };
    let (single, bare) = bare::publish(&nats, plan.single, plan.rate, plan.rate * plan.seconds).await?;
    let stored = sent(&nats, &sise, plan).await?;
    let client = to_client(&nats, &sise, plan).await?;
    nats.end().await?;
    Ok(Run { single, bare, stored, client })
}

/// Sends for the time of the plan; the delays of every event until it was stored.
async fn sent(nats: &Nats, sise: &Sise, plan: Plan) -> anyhow::Result<Delays> {
    let (mut sender, service) = start(sise, plan).await?;
    sender.sent(LIMIT).await?;
    let delays = read_back(nats, plan).await?;
    service.stop().await?;
    sender.end().await?;
    Ok(Delays::of(delays))
}

/// Sends once more, with a gateway and a client that reads everything; the delays of what the client gets.
async fn to_client(nats: &Nats, sise: &Sise, plan: Plan) -> anyhow::Result<Delays> {
    let [port] = free_ports()?;
    let address = format!("127.0.0.1:{port}");
    let mut gateway = sise.start("gateway", &[("GATEWAY__LISTEN", &address)])?;
    let url = format!("http://{address}/readyz");
    let http = http()?;
    let ready = async || Ok(http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()));
    gateway.until("the gateway is ready", LIMIT, ready).await?;
    let request = r#"{"op":"subscribe","market":"kr","symbols":["*"],"kinds":["trade","order_book"]}"#;
    let reader = Reader::open(&address, request).await?;
    let (mut sender, service) = start(sise, plan).await?;
    let reading = tokio::spawn(delays(reader, plan.seconds));
    sender.sent(LIMIT).await?;
    let delays = reading.await.context("the client")??;
    // The events of both runs are in the streams now; only those of this one are unread.
    read_back(nats, plan).await?;
    service.stop().await?;
    sender.end().await?;
    gateway.stop().await?;
    ensure!(!delays.is_empty(), "the client got nothing");
    Ok(Delays::of(delays))
}

async fn start(sise: &Sise, plan: Plan) -> anyhow::Result<(Sender, Service)> {
    let arguments = ["--rate", &plan.rate.to_string(), "--symbols", &SYMBOLS.to_string()].map(str::to_owned);
    let sender = Sender::start(plan.rate * plan.seconds, &arguments).await?;
    let service = sise.kis_service(&sender, &symbols(SYMBOLS), &[])?;
    Ok((sender, service))
}

/// Everything that the two streams hold unread, which is what the sender has sent: from receipt to stored, ns.
async fn read_back(nats: &Nats, plan: Plan) -> anyhow::Result<Vec<i64>> {
    let expected = usize::try_from(plan.rate * plan.seconds)?;
    let deadline = Instant::now() + LIMIT;
    let limits = BatchLimits { messages: 20_000, bytes: 64 << 20, wait: Duration::from_millis(200) };
    let mut delays = Vec::with_capacity(expected);
    let mut consumers = Vec::new();
    for stream in ["TICKER_KR_KIS", "ORDERBOOK_KR_KIS"] {
        consumers.push(Consumer::open(&nats.settings(), "sise", stream, "archiver").await?);
    }
    while delays.len() < expected {
        for consumer in &mut consumers {
            let batch = consumer.batch(limits).await?;
            for delivery in &batch {
                let event = bus::decode(delivery.payload())?;
                delays.push(delivery.published_ns - event.stamp.received_ns);
            }
            bus::acknowledge(&batch).await?;
        }
        if Instant::now() > deadline {
            bail!("{} of {expected} events are stored", delays.len());
        }
    }
    ensure!(delays.len() == expected, "{} events are stored, {expected} were sent", delays.len());
    Ok(delays)
}

/// Reads until nothing comes any more; the delays of every trade and book after the beginning.
async fn delays(mut reader: Reader, seconds: u64) -> anyhow::Result<Vec<i64>> {
    let deadline = Instant::now() + Duration::from_secs(seconds) + LIMIT;
    let (mut delays, mut begin, mut last) = (Vec::new(), None, Instant::now());
    loop {
        // Heartbeats come without events too.
        let next = timeout(Duration::from_secs(2), reader.next()).await;
        let now = reader::now_ns()?;
        match next {
            Ok(Some(message)) if message.starts_with(br#"{"type":"update""#) => {
                last = Instant::now();
                let begin = *begin.get_or_insert(last + BEGIN.min(Duration::from_secs(seconds) / 2));
                if last > begin {
                    delays.extend(reader::received(message).map(|received| now - received));
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => bail!("the gateway has closed the client"),
            Err(_) => {}
        }
        let quiet = begin.is_some() && last.elapsed() > Duration::from_secs(2);
        if quiet || Instant::now() > deadline {
            return Ok(delays);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_thousand_are_found_in_what_is_sorted() {
        let delays = Delays::of((1..=1_000).rev().map(|us| us * 1_000).collect());
        assert_eq!(delays.at(500).to_string(), "500");
        assert_eq!(delays.at(990).to_string(), "990");
        assert_eq!(delays.at(1_000).to_string(), "1000");
        assert_eq!(Delays::default().at(500).to_string(), "0");
    }
}
