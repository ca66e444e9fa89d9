//! `sise streams`: the server's streams and durables against `nats/streams.json`; shows the difference first.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use bus::topology::{self, Change, ChangeKind, Topology};
use clap::Subcommand;
use process::config::Sources;

use crate::tap::Raw;

/// How long the server may take for an answer: it makes files for each stream, on a disk that may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Compares or applies the streams.
#[derive(clap::Args)]
pub struct Streams {
    #[command(subcommand)]
    command: What,
    /// Definitions in place of those that this program carries.
    #[arg(long, value_name = "FILE", global = true)]
    file: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// Show what differs; exit code 1 when something does.
    Diff,
    /// Show what differs and make the server match.
    Apply,
}

/// Runs the command.
///
/// # Errors
/// When the server cannot be reached, refuses, or has something that cannot be changed.
pub async fn run(command: &Streams, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let raw: Raw = Sources::new("sise", config).load()?;
    let wanted = match &command.file {
        Some(file) => Topology::load_from(file, &raw.nats)?,
        None => Topology::load(&raw.nats)?,
    };
    let client = bus::connect::connect(&raw.nats, "sise").await?;
    let mut context = bus::jetstream(client);
    context.set_timeout(PATIENCE);
    let changes = topology::diff(&context, &wanted).await?;
    for change in &changes {
        println!("{change}");
    }
    let differs = |change: &Change| !matches!(change.kind, ChangeKind::Unchanged);
    match command.command {
        What::Diff => Ok(if changes.iter().any(differs) { ExitCode::FAILURE } else { ExitCode::SUCCESS }),
        What::Apply => {
            let done = topology::apply(&context, &wanted).await?;
            let left = done.iter().filter(|change| change.kind == ChangeKind::CannotChange);
            let left: Vec<&str> = left.map(|change| change.what.as_str()).collect();
            if !left.is_empty() {
                bail!(
                    "{}: the server cannot change what differs, see above; the rest is as defined. Deleting loses what is in \
                     it: wait until the archiver has read it to its end, delete it, apply again",
                    left.join(", ")
                );
            }
            println!("{} streams and {} buckets as defined", wanted.streams.len(), wanted.buckets.len());
            Ok(ExitCode::SUCCESS)
        }
    }
}
