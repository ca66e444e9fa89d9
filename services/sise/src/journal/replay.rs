//! `sise journal replay`: a range of a journal through today's parser to the bus, as far as ClickHouse lacks it.
//!
//! What the archive has is known by the names of the events, so a second run publishes nothing. Everything else goes
//! the usual road: the service's own subjects and message ids, JetStream, the archiver. Trades and order books are
//! published; statuses tell of the connections of that time and stand as they are, and what is still refused stays where
//! it was put aside.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use broker::feed::FrameParser;
use broker::kis::parse::KisParser;
use broker::kiwoom::parse::KiwoomParser;
use bus::connect::NatsSettings;
use bus::publisher::{Outgoing, Publisher};
use bus::stream_name;
use cell::interpret::Interpreter;
use cell::settings::RawJournal;
use journal::{Acknowledged, Position};
use market::calendar::Calendar;
use market::event::event_id;
use market::{Body, Event, Market, Source};
use process::config::Sources;
use serde::Deserialize;
use store::{ClickhouseSettings, Store};
use tokio::time::{Instant, timeout};

use super::place::Range;
use super::walk::{Seen, Walk};

/// What to publish again.
#[derive(Debug, clap::Args)]
pub struct Replay {
    /// Whose journal: the parser, the subjects and the user on the bus follow from it.
    #[arg(long, value_parser = ["kis-service", "us-service", "kiwoom-service"])]
    service: String,
    /// Journal folder in place of the service's own.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    range: Range,
    /// Only tell what would be published.
    #[arg(long)]
    dry_run: bool,
}

/// Events looked up together.
const BATCH: usize = 5_000;

/// Segments read before the range, without publishing: what the interpreter must know of the prints before it to tell
/// the side of a US print is then what it knew when the frames came.
const WARM_UP_SEGMENTS: u64 = 1;

/// When nothing was stored for so long, somebody must look.
const STALL_LIMIT: Duration = Duration::from_secs(30);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    journal: RawJournal,
    nats: NatsSettings,
    clickhouse: ClickhouseSettings,
}

/// What came of it.
#[derive(Debug, Default)]
struct Counts {
    frames: u64,
    parsed: u64,
    archived: u64,
    /// The same name again in the range.
    repeated: u64,
    published: u64,
    refused: u64,
    damaged: u64,
}

/// Runs the command. Exit code 1 when the range is damaged: what could be read is published.
///
/// # Errors
/// When the journal cannot be read, a server cannot be reached or refuses.
pub async fn run(replay: &Replay, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let raw: Raw = Sources::new("sise", config).load()?;
    let folder = replay.folder.clone().unwrap_or_else(|| raw.journal.folder.join(&replay.service));
    let acknowledged = Acknowledged::load(&folder)?;
    let publishing = Publishing {
        publisher: Publisher::new(&raw.nats, &replay.service)?,
        store: Store::new(&raw.clickhouse)?,
        dry_run: replay.dry_run,
        batch: Vec::new(),
        counts: Counts::default(),
    };
    let calendar = Calendar::built_in().clone();
    let counts = match replay.service.as_str() {
        "kiwoom-service" => {
            let parser = Interpreter::new(KiwoomParser::new(calendar), Market::Kr, Source::Kiwoom);
            publishing.range(&folder, replay.range, acknowledged, parser).await?
        }
        service => {
            let market = if service == "us-service" { Market::Us } else { Market::Kr };
            let parser = Interpreter::new(KisParser::new(calendar), market, Source::Kis);
            publishing.range(&folder, replay.range, acknowledged, parser).await?
        }
    };
    let published = if replay.dry_run { "to_publish" } else { "published" };
    println!(
        "frames={} parsed={} already_archived={} repeated={} {published}={} still_refused={} damaged={}",
        counts.frames,
        counts.parsed,
        counts.archived,
        counts.repeated,
        counts.published,
        counts.refused,
        counts.damaged
    );
    Ok(if counts.damaged > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// An event of the range, and the message it would be.
struct Parsed {
    event: Event,
    outgoing: Outgoing,
    at: Position,
}

struct Publishing {
    publisher: Publisher<Position>,
    store: Store,
    dry_run: bool,
    /// At most [`BATCH`] and the events of one frame.
    batch: Vec<Parsed>,
    counts: Counts,
}

impl Publishing {
    /// Works through the range, at most to the acknowledged position: what lies behind it is the service's own work.
    async fn range<P: FrameParser>(
        mut self,
        folder: &Path,
        range: Range,
        acknowledged: Position,
        mut interpreter: Interpreter<P>,
    ) -> anyhow::Result<Counts> {
        let begin = range.begin(folder)?;
        let warm_up = match begin.segment.checked_sub(WARM_UP_SEGMENTS) {
            Some(segment @ 1..) => Position { segment, offset: 0 },
            _ => Position::START,
        };
        let mut walk = Walk::open(folder, warm_up)?;
        let mut out = Vec::new();
        while !range.is_over(walk.position()) {
            let Some(seen) = walk.next()? else { break };
            let (record, at) = match seen {
                Seen::Record(record, at) => (record, at),
                Seen::Damage(error, skipped) => {
                    if skipped.to > begin {
                        self.counts.damaged += 1;
                        eprintln!("sise: {error}; left out: {} to {}", skipped.from, skipped.to);
                    }
                    continue;
                }
            };
            if at >= acknowledged {
                eprintln!("sise: ends at {acknowledged}: the service publishes the rest itself");
                break;
            }
            interpreter.read(&record, &mut out);
            if !range.holds(&record, at) {
                out.clear();
                continue;
            }
            self.counts.frames += u64::from(record.kind == journal::RecordKind::FRAME);
            for outgoing in out.drain(..) {
                self.sort(outgoing, at)?;
            }
            if self.batch.len() >= BATCH {
                self.publish().await?;
            }
        }
        self.publish().await?;
        self.publisher.drain(Instant::now() + STALL_LIMIT).await?;
        Ok(self.counts)
    }

    fn sort(&mut self, outgoing: Outgoing, at: Position) -> anyhow::Result<()> {
        if outgoing.subject.starts_with("deadletter.") {
            self.counts.refused += 1;
            return Ok(());
        }
        let event = bus::decode(&outgoing.payload).context("event of this program")?;
        if !matches!(event.body, Body::Status(_)) {
            self.counts.parsed += 1;
            self.batch.push(Parsed { event, outgoing, at });
        }
        Ok(())
    }

    /// Publishes what of the batch is in no table, each event once, in order.
    async fn publish(&mut self) -> anyhow::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        let known = self.known(&batch).await?;
        let mut handed_over = HashSet::new();
        for Parsed { outgoing, at, .. } in batch {
            let name = (stream_name(&outgoing.subject).unwrap_or_default(), event_id(&outgoing.message_id));
            if known.contains(&name) {
                self.counts.archived += 1;
                continue;
            }
            if !handed_over.insert(name) {
                self.counts.repeated += 1;
                continue;
            }
            self.counts.published += 1;
            if self.dry_run {
                continue;
            }
            match timeout(STALL_LIMIT, self.publisher.publish(outgoing, at)).await {
                Ok(handed_over) => handed_over?,
                Err(_) => {
                    let trouble =
                        self.publisher.trouble().map_or_else(|| "no answer".to_owned(), ToString::to_string);
                    bail!("nothing was stored for {} s: {trouble}", STALL_LIMIT.as_secs());
                }
            }
        }
        Ok(())
    }

    /// The names that the archive has, by stream: two brokers give one trade one name.
    async fn known(&self, batch: &[Parsed]) -> anyhow::Result<HashSet<(String, u64)>> {
        let streams: HashSet<_> =
            batch.iter().filter_map(|parsed| stream_name(&parsed.outgoing.subject)).collect();
        let mut known = HashSet::new();
        for stream in streams {
            let of_stream = batch
                .iter()
                .filter(|parsed| stream_name(&parsed.outgoing.subject).as_deref() == Some(stream.as_str()));
            let events: Vec<_> = of_stream.map(|parsed| parsed.event.clone()).collect();
            let named = self.store.named(&stream, &events).await.context("ClickHouse")?;
            known.extend(named.into_iter().map(|name| (stream.clone(), name)));
        }
        Ok(known)
    }
}
