//! `sise tap SUBJECT`: follows a subject by itself, for the firehose. A look, not a promise: what is missed is missed.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use bus::connect::NatsSettings;
use process::config::Sources;
use serde::Deserialize;

use crate::decode;

/// Follows a subject.
#[derive(clap::Args)]
pub struct Tap {
    /// For example `ticker.kr.kis.>`.
    subject: String,
    /// End after so many messages.
    #[arg(long)]
    count: Option<u64>,
    /// Print with indentation.
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
/// When the server cannot be reached with these settings, or the output cannot be written.
pub async fn run(command: &Tap, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let raw: Raw = Sources::new("sise", config).load()?;
    let client = bus::connect::connect(&raw.nats, "sise").await?;
    let mut tap = bus::tap::Tap::open(&client, &command.subject).await?;
    let mut output = io::stdout().lock();
    let mut left = command.count;
    while left != Some(0) {
        let Some(passing) = tap.next().await else { break };
        match bus::decode(&passing.payload) {
            Ok(event) => decode::print(&mut output, &event, command.pretty)?,
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
