//! `sise gaps find | list | explain | recover`: what a day's record lacks, what became of it, and the recovery by hand. The
//! work is the library `history`, which the service `gap-finder` runs when a day has ended.

mod bars;
mod explain;
mod find;
mod list;
mod recover;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use history::ledger::Ledger;
use history::run::{RawSymbols, read_universe, session};
use history::settings::RawGapFinder;
use market::calendar::{Calendar, Day};
use market::universe::Universe;
use market::{Market, Symbol, TradeDate};
use process::clock::now_ns;
use process::config::Sources;
use serde::Deserialize;
use store::{ClickhouseSettings, Store};

/// Finds, lists, explains and refills what a day's record lacks.
#[derive(clap::Args)]
pub struct Gaps {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// Show which shares no print covers now. Asks no broker and publishes nothing. Exit code 1: something is missing.
    Find(Which),
    /// List the gaps of the day that were told, and what became of each. Exit code 1: some are open.
    List(Which),
    /// Tell the story of one symbol's day: each gap, its neighbours, the outage it lies in, what was asked and what came.
    Explain {
        /// The symbol: 005930, BRK/B.
        #[arg(value_name = "SYMBOL", value_parser = symbol)]
        whose: Symbol,
        #[command(flatten)]
        which: Which,
    },
    /// Compare bus and archive, fetch what is missing from the brokers, publish it, and prove it by reading again. Safe
    /// to interrupt and to repeat. Exit code 1: gaps stay open.
    Recover {
        #[command(flatten)]
        which: Which,
        /// Find and plan only: ask no broker, publish nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Whose day.
#[derive(clap::Args)]
struct Which {
    /// The market: kr or us.
    #[arg(long, default_value = "kr", value_parser = market)]
    market: Market,
    /// The trading day, YYYY-MM-DD; without it the last one that has ended.
    #[arg(long, value_name = "DATE", value_parser = date)]
    date: Option<TradeDate>,
    /// Only this symbol.
    #[arg(long, value_name = "SYMBOL", value_parser = symbol)]
    symbol: Option<Symbol>,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

fn market(text: &str) -> Result<Market, String> {
    Market::from_word(text).ok_or_else(|| "must be kr or us".to_owned())
}

fn date(text: &str) -> Result<TradeDate, String> {
    let bare = text.replace('-', "");
    TradeDate::parse(&bare).map_err(|_| "must be a date, 2026-11-25".to_owned())
}

fn symbol(text: &str) -> Result<Symbol, String> {
    Symbol::parse(text).map_err(|error| error.to_string())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    nats: bus::NatsSettings,
    clickhouse: ClickhouseSettings,
    symbols: RawSymbols,
    gap_finder: RawGapFinder,
}

/// A market's day, and where it is looked up.
struct Place {
    store: Store,
    market: Market,
    day: &'static Day,
    symbol: Option<Symbol>,
    json: bool,
}

impl Place {
    fn of(which: &Which, raw: &Raw) -> anyhow::Result<Self> {
        let date = match which.date {
            Some(date) => date,
            None => Calendar::built_in().last_ended(which.market, now_ns())?.date(),
        };
        let day = session(which.market, date)?;
        let store = Store::new(&raw.clickhouse)?;
        Ok(Self { store, market: which.market, day, symbol: which.symbol, json: which.json })
    }

    fn trade_date(&self) -> TradeDate {
        self.day.date()
    }

    async fn ledger(&self) -> anyhow::Result<Ledger> {
        let hours = (self.day.start_ns(), self.day.end_ns());
        let ledger =
            Ledger::load(&self.store, self.market, self.trade_date(), hours, self.symbol.as_ref()).await;
        ledger.context("ClickHouse: see clickhouse.url, and run `sise migrate`")
    }
}

/// Runs the command.
///
/// # Errors
/// When a server is away or refuses, the date is no trading day, or the symbols file cannot be read.
pub async fn run(command: &Gaps, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let raw: Raw = Sources::new("sise", config).load()?;
    match &command.command {
        What::Find(which) => find::run(&Place::of(which, &raw)?, &universe(&raw)?).await,
        What::List(which) => list::run(&Place::of(which, &raw)?).await,
        What::Explain { whose, which } => {
            if which.symbol.is_some_and(|other| other != *whose) {
                bail!("two symbols: explain tells of one");
            }
            let place = Place { symbol: Some(*whose), ..Place::of(which, &raw)? };
            explain::run(&place, *whose).await
        }
        What::Recover { which, dry_run } => {
            recover::run(&Place::of(which, &raw)?, &universe(&raw)?, &raw, *dry_run).await
        }
    }
}

fn universe(raw: &Raw) -> anyhow::Result<Universe> {
    read_universe(&raw.symbols.file).map_err(|problem| anyhow::anyhow!("symbols.file: {problem}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Alone {
        #[command(flatten)]
        _gaps: Gaps,
    }

    #[test]
    fn the_arguments_fit_each_other() {
        Alone::command().debug_assert();
    }

    #[test]
    fn a_date_is_read_with_and_without_dashes() {
        let expected = TradeDate::parse("20261125").expect("date");
        assert_eq!((date("2026-11-25"), date("20261125")), (Ok(expected), Ok(expected)));
        assert!(date("yesterday").is_err() && date("2026-11-31").is_err());
    }
}
