//! `sise report`: a day of the archive → a table for the terminal, and a page with charts that needs nothing beside itself.

mod charts;
mod figures;
mod page;
mod paint;
mod tables;
mod text;
mod words;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use bus::NatsSettings;
use market::calendar::{Calendar, trade_date};
use market::{Market, TradeDate};
use process::clock::now_ns;
use process::config::Sources;
use serde::Deserialize;
use store::{ClickhouseSettings, Store};

use figures::{DeadLetters, Figures};

/// How long the bus may take to be there. The report does without it and says so.
const BUS_LIMIT: Duration = Duration::from_secs(3);
/// Dead letters looked at, a round trip each: some seconds.
const MOST_LETTERS: u64 = 10_000;
/// Where dead letters are.
const DEADLETTER: &str = "DEADLETTER";

/// Tells how complete a day is, what was missing, what was refilled and how late it came.
#[derive(clap::Args)]
pub struct Report {
    /// The trading day, YYYY-MM-DD; without it the last one that has ended, for each market its own.
    #[arg(long, value_name = "DATE", value_parser = date)]
    date: Option<TradeDate>,
    /// Only this market: kr or us.
    #[arg(long, value_parser = market)]
    market: Option<Market>,
    /// Write a page with charts to this file, too. It needs no network and no other file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

fn market(text: &str) -> Result<Market, String> {
    Market::from_word(text).ok_or_else(|| "must be kr or us".to_owned())
}

pub(crate) fn date(text: &str) -> Result<TradeDate, String> {
    TradeDate::parse(&text.replace('-', "")).map_err(|_| "must be a date, 2026-11-25".to_owned())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    nats: NatsSettings,
    clickhouse: ClickhouseSettings,
}

/// Runs the command.
///
/// # Errors
/// When ClickHouse is away or refuses, or the page cannot be written.
pub async fn run(command: &Report, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let raw: Raw = Sources::new("sise", config).load()?;
    let store = Store::new(&raw.clickhouse)?;
    let now = now_ns();
    let mut all = Vec::new();
    for &market in Market::ALL {
        if command.market.is_some_and(|only| only != market) {
            continue;
        }
        let date = match command.date {
            Some(date) => date,
            None => Calendar::built_in().last_ended(market, now)?.date(),
        };
        let report = store.day_report(market, date).await;
        let report = report.context("ClickHouse: see clickhouse.url, and run `sise migrate`")?;
        all.push(Figures::new(market, date, report, dead_letters(&raw.nats, market, date).await));
    }
    let mut output = io::stdout().lock();
    for figures in &all {
        text::print(figures, &mut output).context("standard output")?;
    }
    if let Some(path) = &command.html {
        let page = page::page(&all, now)?;
        std::fs::write(path, page).with_context(|| path.display().to_string())?;
        writeln!(output, "page: {}", path.display()).context("standard output")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Dead letters of a market's day, as long as the bus still has them.
async fn dead_letters(settings: &NatsSettings, market: Market, date: TradeDate) -> DeadLetters {
    let counted = tokio::time::timeout(BUS_LIMIT * 5, count_letters(settings, market, date)).await;
    match counted {
        Ok(Ok(count)) => count,
        Ok(Err(error)) => DeadLetters::Unknown(format!("{error:#}")),
        Err(_) => DeadLetters::Unknown("the bus takes too long".to_owned()),
    }
}

async fn count_letters(
    settings: &NatsSettings,
    market: Market,
    date: TradeDate,
) -> anyhow::Result<DeadLetters> {
    let client = bus::connect(settings, "sise").await?;
    if !bus::connected(&client, BUS_LIMIT).await {
        anyhow::bail!("no nats-server within {} s, or it refuses user sise", BUS_LIMIT.as_secs());
    }
    let context = bus::jetstream(client);
    let filter = format!("deadletter.{market}.>");
    let (mut from, mut seen, mut count) = (1, 0, 0);
    while let Some(letter) = bus::next_message(&context, DEADLETTER, from, &filter).await? {
        from = letter.stream_sequence + 1;
        seen += 1;
        count += u64::from(trade_date(market, letter.published_ns) == date);
        if seen == MOST_LETTERS {
            return Ok(DeadLetters::AtLeast(count));
        }
    }
    Ok(DeadLetters::Counted(count))
}
