//! `sise archive holes | replay`: what of the streams was never archived, and archiving it as long as JetStream has it.
//!
//! The archiver alone inserts: `replay` asks it (`archiver.replay`), a stretch at a time, and adds its answers up.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use bus::connect::NatsSettings;
use bus::{ASK_LIMIT, AskError, Client, Context};
use clap::Subcommand;
use process::config::Sources;
use serde::Deserialize;
use store::{ClickhouseSettings, Hole, Store};

/// Who archives a stretch.
const REPLAY: &str = "archiver.replay";
/// How long the bus may take to be there: a person waits.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Holes that are listed at most: more than a screen, and a query of a moment.
const MOST: u32 = 10_000;

/// Lists what was never archived; archives what JetStream still has.
#[derive(clap::Args)]
pub struct Archive {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// List the stretches of streams that were never archived, and what JetStream still has of them.
    Holes {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Have a stretch of a stream archived, as far as the tables lack it. Running it twice changes nothing.
    Replay {
        /// For example TICKER_KR_KIS.
        stream: String,
        /// The first sequence.
        #[arg(value_parser = clap::value_parser!(u64).range(1..))]
        first: u64,
        /// The last sequence.
        #[arg(value_parser = clap::value_parser!(u64).range(1..))]
        last: u64,
    },
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    nats: NatsSettings,
    clickhouse: ClickhouseSettings,
}

/// Runs the command. Exit code 1 when a part of the stretch could not be archived.
///
/// # Errors
/// When the bus or the database is away or refuses, or the archiver does not answer.
pub async fn run(command: &Archive, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let raw: Raw = Sources::new("sise", config).load()?;
    let client = bus::connect(&raw.nats, "sise").await?;
    if !bus::connected(&client, CONNECT_LIMIT).await {
        let seconds = CONNECT_LIMIT.as_secs();
        anyhow::bail!(
            "no nats-server within {seconds} s, or it refuses user sise: see nats.url and nats.passwords"
        );
    }
    let context = bus::jetstream(client.clone());
    let output = &mut io::stdout().lock();
    match &command.command {
        What::Holes { json } => {
            holes(&Store::new(&raw.clickhouse)?, &context, *json, output).await?;
            Ok(ExitCode::SUCCESS)
        }
        What::Replay { stream, first, last } => {
            replay(&client, &context, stream, *first, *last, output).await
        }
    }
}

/// What JetStream has of a hole.
#[derive(Debug, PartialEq, Eq)]
enum Held {
    /// These sequences, but for single ones that somebody deleted.
    Still(u64, u64),
    /// Nothing: discarded.
    Discarded,
    /// Nothing: the stream was made again, its sequences are of other messages.
    MadeAgain,
    /// The stream cannot be asked.
    Unknown(String),
}

impl Held {
    /// What a stream of this creation that has these sequences has of `hole`.
    fn of(hole: &Hole, created_ns: i64, sequences: (u64, u64)) -> Self {
        if created_ns != hole.created_ns {
            return Self::MadeAgain;
        }
        let (first, last) = (hole.first.max(sequences.0), hole.last.min(sequences.1));
        if first <= last { Self::Still(first, last) } else { Self::Discarded }
    }

    /// Sequences.
    const fn count(&self) -> u64 {
        match self {
            Self::Still(first, last) => *last - *first + 1,
            Self::Discarded | Self::MadeAgain | Self::Unknown(_) => 0,
        }
    }
}

async fn held(context: &Context, hole: &Hole) -> Held {
    match bus::stream_state(context, &hole.stream).await {
        Ok(state) => Held::of(hole, state.created_ns, (state.first_sequence, state.last_sequence)),
        Err(error) => Held::Unknown(error.to_string()),
    }
}

async fn holes(
    store: &Store,
    context: &Context,
    as_json: bool,
    output: &mut impl Write,
) -> anyhow::Result<()> {
    let holes = store.never_archived(MOST).await?;
    let (mut missing, mut there) = (0, 0);
    for hole in &holes {
        let held = held(context, hole).await;
        missing += hole.last - hole.first + 1;
        there += held.count();
        let line = if as_json { json(hole, &held).to_string() } else { line(hole, &held) };
        writeln!(output, "{line}")?;
    }
    if !as_json {
        let count = holes.len();
        writeln!(output, "{count} holes, {missing} messages never archived, JetStream has {there} of them")?;
        if there > 0 {
            writeln!(output, "archive them: `sise archive replay STREAM FIRST LAST`")?;
        }
    }
    if holes.len() == MOST as usize {
        eprintln!("only the first {MOST} holes are listed");
    }
    Ok(())
}

/// `TICKER_KR_KIS 1..100  epoch 1  100 messages  JetStream has 41..100 (60)`
fn line(hole: &Hole, held: &Held) -> String {
    let Hole { stream, epoch, first, last, .. } = hole;
    let messages = last - first + 1;
    let held = match held {
        Held::Still(first, last) => format!("JetStream has {first}..{last} ({})", held.count()),
        Held::Discarded => "JetStream has none: discarded".to_owned(),
        Held::MadeAgain => "JetStream has none: the stream was made again".to_owned(),
        Held::Unknown(problem) => format!("JetStream cannot be asked: {problem}"),
    };
    format!("{stream} {first}..{last}  epoch {epoch}  {messages} messages  {held}")
}

fn json(hole: &Hole, held: &Held) -> serde_json::Value {
    let Hole { stream, epoch, first, last, created_ns } = hole;
    let (range, why) = match held {
        Held::Still(first, last) => (Some((*first, *last)), None),
        Held::Discarded => (None, Some("discarded")),
        Held::MadeAgain => (None, Some("made_again")),
        Held::Unknown(_) => (None, Some("unknown")),
    };
    serde_json::json!({
        "stream": stream, "epoch": epoch, "first": first, "last": last, "missing": last - first + 1,
        "created_ns": created_ns, "held": range, "not_held": why,
    })
}

/// An answer of the archiver.
#[derive(Debug, Default, Deserialize)]
struct Replayed {
    last: u64,
    next: Option<u64>,
    there: u64,
    inserted: u64,
    set_aside: u64,
    gone: Vec<(u64, u64)>,
}

impl Replayed {
    fn gone(&self) -> u64 {
        self.gone.iter().map(|(first, last)| last - first + 1).sum()
    }

    fn counts(&self) -> String {
        let Self { there, inserted, set_aside, .. } = self;
        format!("{inserted} archived, {there} were there, {set_aside} dead letters, {} gone", self.gone())
    }
}

async fn replay(
    client: &Client,
    context: &Context,
    stream: &str,
    first: u64,
    last: u64,
    output: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let end = bus::stream_state(context, stream).await?.last_sequence;
    if last > end || first > last {
        anyhow::bail!("{first} to {last}: not a stretch of {stream}, which ends with {end}");
    }
    let (mut next, mut total) = (Some(first), Replayed::default());
    while let Some(from) = next {
        let part = ask(client, stream, from, last).await;
        let part = part.with_context(|| {
            format!("what is before {from} is done; `sise archive replay {stream} {from} {last}`")
        })?;
        writeln!(output, "{stream} {from}..{}: {}", part.last, part.counts())?;
        for (first, last) in &part.gone {
            writeln!(output, "  gone from the stream: {first}..{last}")?;
        }
        output.flush()?;
        // An answer that leads nowhere would be asked for ever.
        next = part.next.filter(|next| *next > from);
        total.there += part.there;
        total.inserted += part.inserted;
        total.set_aside += part.set_aside;
        total.gone.extend(part.gone);
    }
    writeln!(output, "{}", total.counts())?;
    if total.set_aside > 0 {
        writeln!(output, "dead letters: `sise deadletter ls --stream {stream}`")?;
    }
    let is_whole = total.set_aside == 0 && total.gone.is_empty();
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks for a stretch from `first` on; the archiver takes as much of it as it does at once.
async fn ask(client: &Client, stream: &str, first: u64, last: u64) -> anyhow::Result<Replayed> {
    let request = serde_json::json!({ "stream": stream, "first": first, "last": last }).to_string();
    let answer = match bus::ask_at(client, REPLAY.to_owned(), request.into(), ASK_LIMIT).await {
        Ok(answer) => answer,
        Err(AskError::NobodyAnswers { .. }) => {
            anyhow::bail!("nobody answers {REPLAY}: is archiver running?")
        }
        Err(error) => return Err(error.into()),
    };
    serde_json::from_slice(&answer).context("answer of the archiver")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: i64 = 5;

    fn hole(first: u64, last: u64) -> Hole {
        Hole { stream: "TICKER_KR_KIS".to_owned(), epoch: 2, first, last, created_ns: CREATED }
    }

    #[test]
    fn what_a_stream_has_of_a_hole() {
        let held = |sequences| Held::of(&hole(101, 200), CREATED, sequences);
        assert_eq!(held((1, 500)), Held::Still(101, 200));
        assert_eq!(held((151, 180)), Held::Still(151, 180));
        assert_eq!(held((201, 500)), Held::Discarded);
        // Rolled back, and not yet as far again.
        assert_eq!(held((1, 100)), Held::Discarded);
        // An empty stream begins behind its end.
        assert_eq!(held((151, 150)), Held::Discarded);
        assert_eq!(Held::of(&hole(1, 2), CREATED + 1, (1, 500)), Held::MadeAgain);
    }

    #[test]
    fn a_hole_is_one_line() {
        let part = Held::Still(151, 200);
        let expected = "TICKER_KR_KIS 101..200  epoch 2  100 messages  JetStream has 151..200 (50)";
        assert_eq!(line(&hole(101, 200), &part), expected);
        let expected = serde_json::json!({
            "stream": "TICKER_KR_KIS", "epoch": 2, "first": 101, "last": 200, "missing": 100, "created_ns": 5,
            "held": [151, 200], "not_held": null,
        });
        assert_eq!(json(&hole(101, 200), &part), expected);
        assert_eq!(json(&hole(101, 200), &Held::Discarded)["not_held"], "discarded");
    }
}
