//! `sise journal`: the journal of a service to people: list it, print it, check it, and publish again what the archive
//! lacks. Files are only read and nothing is locked, so that the service may run or start meanwhile.

mod cat;
mod list;
mod place;
mod replay;
#[cfg(test)]
mod testing;
mod verify;
mod walk;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use cell::settings::RawJournal;
use clap::Subcommand;
use process::config::Sources;
use serde::Deserialize;

/// Looks at journals.
#[derive(clap::Args)]
pub struct Journal {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// List the segments with what they hold.
    Ls(Folder),
    /// Print records, one line of JSON each.
    Cat(cat::Cat),
    /// Check every checksum; exit code 1 with each damage by its name.
    Verify(Folder),
    /// Parse a range again with this program's parser and publish what ClickHouse does not have.
    Replay(replay::Replay),
}

/// Which journal.
#[derive(Debug, Default, clap::Args)]
struct Folder {
    /// A journal, for example var/journal/kis-service. Default: all below `journal.folder` of the settings.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    journal: RawJournal,
}

/// Runs the command. Exit code 1 when a journal is damaged.
///
/// # Errors
/// When there is no such journal, a file cannot be read, the output cannot be written, or a server refuses.
pub fn run(command: &Journal, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let damaged = match &command.command {
        What::Ls(folder) => each(folder, config, |folder, output| list::run(folder, output))?,
        What::Verify(folder) => each(folder, config, |folder, output| verify::run(folder, output))?,
        What::Cat(cat) => {
            let folders = cat.folder.all(config)?;
            let [folder] = &folders[..] else {
                let names: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
                bail!("several journals, name one with --folder: {}", names.join(", "));
            };
            cat::run(cat, folder, &mut io::BufWriter::new(io::stdout().lock()))?
        }
        What::Replay(replay) => return super::wait(replay::run(replay, config)),
    };
    Ok(if damaged { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Does the same with each journal; true when one is damaged.
fn each(
    folder: &Folder,
    config: &[PathBuf],
    work: impl Fn(&std::path::Path, &mut dyn io::Write) -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    let mut output = io::stdout().lock();
    let mut damaged = false;
    for folder in folder.all(config)? {
        damaged |= work(&folder, &mut output)?;
    }
    Ok(damaged)
}

impl Folder {
    /// The journal named, or all of the settings.
    fn all(&self, config: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
        if let Some(folder) = &self.folder {
            return Ok(vec![folder.clone()]);
        }
        let raw: Raw = Sources::new("sise", config).load()?;
        let root = raw.journal.folder;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&root).with_context(|| root.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() && !journal::segments(&path)?.is_empty() {
                found.push(path);
            }
        }
        found.sort();
        if found.is_empty() {
            bail!("no journal in {}: give one with --folder", root.display());
        }
        Ok(found)
    }
}
