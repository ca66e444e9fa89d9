//! `market-guard`: may something be deployed now? The calendar answers, with an exit code: 0 quiet, 1 a market is open or
//! about to be, or may be (outside the calendar's dates), 2 a command that cannot be meant.
//!
//! [`arguments`] (words to rules) → [`quiet`] (rules and an instant to a verdict; pure) → [`text`] (times for people).
//! [`week`] prints the hours of a week; [`overrule`] writes down who deployed all the same.

mod arguments;
mod overrule;
mod quiet;
mod text;
mod week;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use market::calendar::Calendar;
use process::config::Sources;
use serde::Deserialize;

use arguments::{Check, Week};
use quiet::{Rules, Verdict};

/// Exit code: a market is open, within the margin of being so, or for all that the calendar knows.
const OPEN: u8 = 1;
/// Exit code: there is no answer. The command line that cannot be read ends with it too.
const BAD_USE: u8 = 2;

/// Says whether the markets are quiet enough to deploy: exit code 0 quiet, 1 not, 2 bad use.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Settings file in place of config/sise.toml; may be given again, the last wins.
    #[arg(long, value_name = "FILE", global = true)]
    config: Vec<std::path::PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Is it quiet now, and when is it next?
    Check(Check),
    /// Print the 168 hours of a week, Monday to Sunday in Seoul.
    Week(Week),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    market_guard: overrule::Settings,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::Check(check) => run_check(check, &arguments.config),
        Command::Week(week) => run_week(week),
    };
    result.unwrap_or_else(|error| {
        eprintln!("market-guard: {error:#}");
        ExitCode::from(BAD_USE)
    })
}

fn run_check(check: &Check, config: &[std::path::PathBuf]) -> anyhow::Result<ExitCode> {
    let rules = check.rules.understood()?;
    let at_ns = check.at.map_or_else(process::clock::now_ns, |at| at.0);
    let verdict = quiet::verdict(Calendar::built_in(), &rules, at_ns);
    print!("{}", text::verdict(&verdict, at_ns));
    let code = match verdict {
        Verdict::Quiet { .. } => return Ok(ExitCode::SUCCESS),
        Verdict::Open { .. } | Verdict::Unknown { .. } => OPEN,
    };
    let Some(reason) = &check.force else { return Ok(ExitCode::from(code)) };
    let raw: Raw = Sources::new("market-guard", config).load()?;
    // An override that leaves no trace is none.
    overrule::record(&raw.market_guard, reason, &text::verdict(&verdict, at_ns))
        .with_context(|| format!("cannot write down the override in {}", raw.market_guard.log.display()))?;
    println!("forced: {reason} (written to {})", raw.market_guard.log.display());
    Ok(ExitCode::SUCCESS)
}

fn run_week(week: &Week) -> anyhow::Result<ExitCode> {
    let rules: Rules = week.rules.understood()?;
    let of_ns = week.of.map_or_else(process::clock::now_ns, |of| of.0);
    print!("{}", week::table(Calendar::built_in(), &rules, of_ns)?);
    Ok(ExitCode::SUCCESS)
}
