//! `sise doctor --day`: what a recorded day says to the questions that the brokers' documents leave open. Journals tell what
//! came in which form, the archive how prints fit each other. A page of Markdown without a symbol's owner, key or address.

mod findings;
mod frames;
mod page;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use cell::settings::RawJournal;
use market::{Market, TradeDate};
use process::config::Sources;
use serde::Deserialize;
use store::report::{ArrivalOrder, BothBrokers, ChainRate, DayReport, SessionCodes};
use store::{ClickhouseSettings, Store};

use crate::look::SERVICES;
use frames::Seen;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    journal: RawJournal,
    clickhouse: ClickhouseSettings,
}

/// What the archive says of one market's day.
#[derive(Debug, Default)]
struct Archived {
    pub report: DayReport,
    pub chains: Vec<ChainRate>,
    pub order: Vec<ArrivalOrder>,
    pub codes: Vec<SessionCodes>,
    pub both: Vec<BothBrokers>,
}

/// A day in journals and archive.
#[derive(Debug)]
struct Measured {
    pub date: TradeDate,
    /// By the name of the service; those that have a journal.
    pub journals: Vec<(&'static str, Seen)>,
    pub kr: Archived,
    pub us: Archived,
    /// What could not be read.
    pub problems: Vec<String>,
}

/// Measures the day.
///
/// # Errors
/// When neither a journal nor the archive can be read.
pub(super) async fn measure(date: TradeDate, config: &[PathBuf]) -> anyhow::Result<String> {
    let raw: Raw = Sources::new("sise", config).load()?;
    let mut problems = Vec::new();
    let mut journals = Vec::new();
    for service in SERVICES {
        let folder = raw.journal.folder.join(service.name);
        if !folder.is_dir() {
            problems.push(format!("{} has no journal here", service.name));
            continue;
        }
        match frames::read(&folder, service, date) {
            Ok(seen) => journals.push((service.name, seen)),
            Err(error) => problems.push(format!("journal of {}: {error:#}", service.name)),
        }
    }
    let store = Store::new(&raw.clickhouse)?;
    let (kr, us) = match both(&store, date).await {
        Ok(archived) => archived,
        Err(error) if journals.is_empty() => return Err(error),
        Err(error) => {
            problems.push(format!("archive: {error:#}"));
            (Archived::default(), Archived::default())
        }
    };
    if journals.iter().all(|(_, seen)| seen.frames == 0) && kr.report.is_empty() && us.report.is_empty() {
        bail!("{date}: neither a journal nor the archive has anything of this day");
    }
    Ok(page::page(&Measured { date, journals, kr, us, problems }))
}

async fn both(store: &Store, date: TradeDate) -> anyhow::Result<(Archived, Archived)> {
    let read = async {
        let kr = archived(store, Market::Kr, date).await?;
        anyhow::Ok((kr, archived(store, Market::Us, date).await?))
    };
    read.await.context("ClickHouse: see clickhouse.url, and run `sise migrate`")
}

async fn archived(store: &Store, market: Market, date: TradeDate) -> anyhow::Result<Archived> {
    Ok(Archived {
        report: store.day_report(market, date).await?,
        chains: store.chain_rates(market, date).await?,
        order: store.arrival_order(market, date).await?,
        codes: store.session_codes(market, date).await?,
        both: store.both_brokers(market, date).await?,
    })
}
