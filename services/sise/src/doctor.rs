//! `sise doctor`: is everything there that a day needs? A line for each check, and what to do. With `--day` it measures on
//! a recorded day what the brokers' documents leave open, as a page that can be sent on: it holds no secret.

mod check;
mod day;
mod folders;
mod reach;
mod servers;
mod services;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use market::TradeDate;
use process::clock::now_ns;

use check::{Check, Level};
use services::Services;

/// Checks the installation; measures a day.
#[derive(clap::Args)]
pub struct Doctor {
    /// Ask each broker for a token, too. KIS sends a message to the phone for each that it issues.
    #[arg(long, conflicts_with = "day")]
    tokens: bool,
    /// Print one object of JSON a line.
    #[arg(long, conflicts_with = "day")]
    json: bool,
    /// Measure this recorded day, YYYY-MM-DD, in place of the checks; prints a page of Markdown.
    #[arg(long, value_name = "DATE", value_parser = crate::report::date)]
    day: Option<TradeDate>,
}

/// Runs the command. Exit code 1 when a check fails.
///
/// # Errors
/// When the output cannot be written; with a day also when neither journals nor archive can be read.
pub async fn run(command: &Doctor, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut output = io::stdout().lock();
    if let Some(date) = command.day {
        let page = day::measure(date, config).await?;
        output.write_all(page.as_bytes()).context("standard output")?;
        return Ok(ExitCode::SUCCESS);
    }
    let checks = checks(config, command.tokens).await;
    for check in &checks {
        let line = if command.json { check.json().to_string() } else { check.to_string() };
        writeln!(output, "{line}").context("standard output")?;
    }
    let count = |level| checks.iter().filter(|check| check.level == level).count();
    let (warned, failed) = (count(Level::Warn), count(Level::Fail));
    if !command.json {
        writeln!(output, "{} checks: {failed} failed, {warned} to look at", checks.len())
            .context("standard output")?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn checks(config: &[PathBuf], tokens: bool) -> Vec<Check> {
    let now = now_ns();
    let mut checks = Vec::new();
    let services = Services::read(config, &mut checks);
    checks.extend(services::room(config));
    checks.extend(services::calendar(now));
    checks.extend(reach::endpoints(&services, tokens).await);
    checks.extend(servers::checks(config, now).await);
    checks.extend(folders::checks(config, now));
    checks
}
