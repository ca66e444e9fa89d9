//! `sise symbols check`: the symbols file and the keys → what each key carries against its limit, who carries what, and
//! what nobody does; where there is an archive, how many trades a day each symbol has. Opens no connection to a broker;
//! of the keys only names and markets are looked at.

mod keys;
mod plan;
mod print;
mod trades;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use market::universe::{MOST_BYTES, Universe};
use market::{Market, Source, Symbol, TradeDate};
use process::config::Sources;
use process::run::EXIT_CONFIG;
use process::text_file;

use keys::{Counts, Keys, Raw};
use plan::Plan;
use trades::Trades;

/// Looks at the symbols file.
#[derive(clap::Args)]
pub struct Symbols {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// Validate the symbols file, and show what each key carries and what has no room. Exit code 0: all is covered;
    /// 1: something is not; 64: the file or the settings cannot be used.
    Check(Check),
}

#[derive(clap::Args)]
struct Check {
    /// The symbols file in place of the settings' one.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Plan with so many keys in place of the settings' ones: kis=3,kiwoom=2. A broker that is not named has none.
    #[arg(long, value_name = "COUNTS")]
    keys: Option<Counts>,
    /// Count the trades of this day, YYYY-MM-DD, in place of the last one that the archive has.
    #[arg(long, value_name = "DATE", value_parser = trades::day)]
    trades_of: Option<TradeDate>,
    /// Print one object of JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the output cannot be written.
pub fn run(command: &Symbols, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let What::Check(check) = &command.command;
    let (file, plan, trades) = match prepare(check, config) {
        Ok(prepared) => prepared,
        Err(error) => {
            eprintln!("sise: {error:#}");
            return Ok(ExitCode::from(EXIT_CONFIG));
        }
    };
    let mut output = std::io::stdout().lock();
    let trades = trades.as_ref();
    if check.json {
        print::json(&mut output, &file, &plan, trades)
    } else {
        print::text(&mut output, &file, &plan, trades)
    }
    .context("standard output")?;
    Ok(if plan.is_covered() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn prepare(check: &Check, config: &[PathBuf]) -> anyhow::Result<(PathBuf, Plan, Option<Trades>)> {
    let raw: Raw = Sources::new("sise", config).load()?;
    let file = check.file.clone().unwrap_or_else(|| raw.symbols.file.clone());
    let keys = match &check.keys {
        Some(counts) => Keys::planned(counts, &raw)?,
        None => Keys::of(&raw)?,
    };
    let universe = read(&file)?;
    let trades = trades::read(&universe, raw.clickhouse.as_ref(), check.trades_of);
    Ok((file, Plan::new(&universe, &keys), trades))
}

/// The universe of the settings' symbols file.
///
/// # Errors
/// What is wrong with the settings or the file, and where.
pub fn configured(config: &[PathBuf]) -> anyhow::Result<Universe> {
    let raw: Raw = Sources::new("sise", config).load()?;
    read(&raw.symbols.file)
}

/// One broker in one market: what the symbols file wants of it, and what its keys have room for.
pub struct Room {
    /// The broker.
    pub source: Source,
    /// The market.
    pub market: Market,
    /// Registrations wanted.
    pub needed: usize,
    /// Registrations that all its keys may hold; 0 = it has no key.
    pub room: usize,
    /// What has no place, in the broker's words.
    pub uncovered: Vec<String>,
}

/// How full each broker's keys would be.
///
/// # Errors
/// What is wrong with the settings or the file, and where.
pub fn rooms(config: &[PathBuf]) -> anyhow::Result<Vec<Room>> {
    Ok(plan(config)?.feeds.iter().map(Room::of).collect())
}

/// How full each broker's keys would be (`kis kr: 33 registrations, room for 41`), and what has no place.
///
/// # Errors
/// What is wrong with the settings or the file, and where.
pub fn room(config: &[PathBuf]) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let plan = plan(config)?;
    let rooms: Vec<Room> = plan.feeds.iter().map(Room::of).collect();
    let full = rooms.iter().map(|one| {
        format!("{} {}: {} registrations, room for {}", one.source, one.market, one.needed, one.room)
    });
    let orphans = plan.orphans.iter().map(|orphan| format!("{} {}", orphan.market, orphan.symbol));
    let uncovered = rooms.iter().flat_map(|one| one.uncovered.iter().cloned());
    Ok((full.collect(), uncovered.chain(orphans).collect()))
}

fn plan(config: &[PathBuf]) -> anyhow::Result<Plan> {
    let raw: Raw = Sources::new("sise", config).load()?;
    Ok(Plan::new(&read(&raw.symbols.file)?, &Keys::of(&raw)?))
}

impl Room {
    fn of(feed: &plan::Feed) -> Self {
        Self {
            source: feed.source,
            market: feed.market,
            needed: feed.needed,
            room: feed.room(),
            uncovered: feed.uncovered.iter().map(|piece| piece.name.clone()).collect(),
        }
    }
}

/// Reads a symbols file and the files that it names, relative ones from its own folder.
fn read(file: &Path) -> anyhow::Result<Universe> {
    let text = text_file::read(file, MOST_BYTES).map_err(anyhow::Error::msg)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let universe =
        Universe::from_yaml_with(&text, &mut |name| text_file::read(&folder.join(name), MOST_BYTES));
    universe.with_context(|| file.display().to_string())
}

/// The symbols of a name, or the symbol of a code. A name wins: NAVER is one, and could be a code.
///
/// # Errors
/// It is neither.
pub fn named(text: &str, universe: &Universe) -> anyhow::Result<Vec<Symbol>> {
    let is_name = |name: &Option<String>| {
        name.as_ref().is_some_and(|name| name.to_lowercase() == text.trim().to_lowercase())
    };
    let mut found: Vec<Symbol> =
        universe.entries.iter().filter(|entry| is_name(&entry.name)).map(|entry| entry.symbol).collect();
    found.dedup();
    if found.is_empty() {
        match Symbol::parse(text.trim()) {
            Ok(symbol) => found.push(symbol),
            Err(error) => bail!("{error}, and the symbols file has no such name"),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
