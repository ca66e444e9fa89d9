//! `sise tap`: follows a subject, or what filters describe, as it passes. A look, not a promise: what is missed is missed.

mod filter;
mod line;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use bus::connect::NatsSettings;
use bus::tap::Passing;
use futures_util::StreamExt as _;
use futures_util::stream::{self, Stream};
use process::config::Sources;
use serde::Deserialize;

use crate::{decode, symbols};
use filter::{Filter, Wanted};

/// Follows events as they pass.
#[derive(clap::Args)]
pub struct Tap {
    /// For example `ticker.kr.kis.>`; without it everything that the filters let through.
    subject: Option<String>,
    #[command(flatten)]
    wanted: Wanted,
    /// End after so many messages.
    #[arg(long)]
    count: Option<u64>,
    /// Print JSON, one line an event. So it is anyway where the output is no terminal.
    #[arg(long)]
    json: bool,
    /// Print JSON with indentation.
    #[arg(long)]
    pretty: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Raw {
    pub(crate) nats: NatsSettings,
}

/// Runs the command until the count is reached or the reader of its output is gone.
///
/// # Errors
/// When the server cannot be reached with these settings, a symbol is not known, or the output cannot be written.
pub async fn run(command: &Tap, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let raw: Raw = Sources::new("sise", config).load()?;
    // Names come from the symbols file; codes do without.
    let universe = symbols::configured(config).unwrap_or_default();
    let filter = Filter::new(&command.wanted, &universe)?;
    let subjects =
        command.subject.as_ref().map_or_else(|| filter.subjects(), |subject| vec![subject.clone()]);
    let client = bus::connect::connect(&raw.nats, "sise").await?;
    let mut taps = Vec::with_capacity(subjects.len());
    for subject in &subjects {
        taps.push(bus::tap::Tap::open(&client, subject).await?);
    }
    let mut passing = stream::select_all(taps.into_iter().map(following));
    let as_text = !command.json && !command.pretty && io::stdout().is_terminal();
    let mut output = io::stdout().lock();
    let mut left = command.count;
    while left != Some(0) {
        let Some(passing) = passing.next().await else { break };
        match bus::decode(&passing.payload) {
            Ok(event) if !filter.lets(&event) => continue,
            Ok(event) if as_text => writeln!(output, "{}", line::of(&event, &universe))?,
            Ok(event) => decode::print(&mut output, &event, command.pretty)?,
            // Of what is no event nobody can say whether it is wanted.
            Err(_) if !filter.is_empty() => continue,
            Err(problem) => {
                let line = serde_json::json!({
                    "subject": passing.subject, "bytes": passing.payload.len(), "not_an_event": problem.to_string(),
                });
                writeln!(output, "{line}")?;
            }
        }
        left = left.map(|left| left - 1);
    }
    Ok(ExitCode::SUCCESS)
}

/// What passes at a tap, until the connection is closed for good.
fn following(tap: bus::tap::Tap) -> impl Stream<Item = Passing> + Unpin {
    Box::pin(stream::unfold(tap, async |mut tap| tap.next().await.map(|passing| (passing, tap))))
}
