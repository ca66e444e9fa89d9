//! `sise status`: is it running, is it complete, who carries what, is there room. One table, one object of JSON
//! (`docs/status.schema.json`), or a view that redraws. A part that cannot be looked at says why: never a silent blank.

mod archive;
mod buses;
mod disks;
mod judge;
mod live;
mod picture;
mod processes;
mod take;
#[cfg(test)]
mod tests;
mod text;
mod wanted;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use picture::{Picture, Verdict};
use take::Camera;
use wanted::service_of;

/// Something needs a person.
const ATTENTION: u8 = 1;
/// It could not be looked at.
const BLIND: u8 = 2;

/// Shows how the running system is.
#[derive(clap::Args)]
pub struct Status {
    /// Look once. Exit code 0: all is well; 1: something needs a person; 2: it could not be looked at. Without it a view
    /// that redraws until q or Ctrl-C; where the output is no terminal it looks once.
    #[arg(long)]
    once: bool,
    /// Print one object of JSON, as docs/status.schema.json describes it.
    #[arg(long, requires = "once")]
    json: bool,
    /// Seconds between two looks of the view.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    every: u64,
}

/// Runs the command.
///
/// # Errors
/// When the output cannot be written.
pub async fn run(command: &Status, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let camera = match Camera::open(config).await {
        Ok(camera) => camera,
        Err(error) => {
            eprintln!("sise: {error:#}");
            return Ok(ExitCode::from(BLIND));
        }
    };
    if command.once || !io::stdout().is_terminal() {
        return once(&camera, command.json).await;
    }
    live::run(&camera, Duration::from_secs(command.every)).await?;
    Ok(ExitCode::SUCCESS)
}

async fn once(camera: &Camera, json: bool) -> anyhow::Result<ExitCode> {
    let picture = look(camera).await;
    let mut output = io::BufWriter::new(io::stdout().lock());
    if json {
        serde_json::to_writer(&mut output, &picture).context("standard output")?;
        writeln!(output).context("standard output")?;
    } else {
        for line in text::lines(&picture) {
            writeln!(output, "{}", line.text).context("standard output")?;
        }
    }
    output.flush().context("standard output")?;
    Ok(match picture.verdict {
        Verdict::Ok => ExitCode::SUCCESS,
        Verdict::Attention => ExitCode::from(ATTENTION),
        Verdict::Blind => ExitCode::from(BLIND),
    })
}

async fn look(camera: &Camera) -> Picture {
    let mut picture = camera.take().await;
    judge::judge(&mut picture);
    picture
}
