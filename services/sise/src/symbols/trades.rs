//! The archive → how many trades a day each symbol of the universe has, most first: what to know when groups are set.

use std::time::Duration;

use anyhow::{Context as _, bail};
use market::universe::Universe;
use market::{Group, Market, Symbol, TradeDate};
use store::query::TradeCount;
use store::{ClickhouseSettings, Store};
use tokio::time::timeout;

/// An archive that takes longer is left out: the plan does not need it.
const LIMIT: Duration = Duration::from_secs(10);

/// Trades a day of a universe.
#[derive(Debug, PartialEq, Eq)]
pub struct Trades {
    /// Each group of each market that has symbols and a day.
    pub groups: Vec<GroupTrades>,
}

/// Trades a day of one group.
#[derive(Debug, PartialEq, Eq)]
pub struct GroupTrades {
    /// The market.
    pub market: Market,
    /// The group.
    pub group: Group,
    /// The day, as the archive writes it.
    pub day: String,
    /// Of all its symbols.
    pub trades: u64,
    /// Of each symbol, most first; 0 where the archive has none.
    pub symbols: Vec<(Symbol, u64)>,
}

/// Reads `2026-11-25`.
///
/// # Errors
/// What would be right.
pub fn day(text: &str) -> Result<TradeDate, String> {
    TradeDate::parse(&text.replace('-', "")).map_err(|_| "write a day as 2026-11-25".to_owned())
}

/// Asks the archive. None when none is set or it does not answer, which is told only where a day was asked for.
pub fn read(
    universe: &Universe,
    settings: Option<&ClickhouseSettings>,
    day: Option<TradeDate>,
) -> Option<Trades> {
    match ask(settings, day) {
        Ok(counts) => Some(Trades::new(universe, &counts)),
        Err(problem) => {
            if let Some(day) = day {
                eprintln!("sise: trades of {day} are not known: {problem:#}");
            }
            None
        }
    }
}

fn ask(settings: Option<&ClickhouseSettings>, day: Option<TradeDate>) -> anyhow::Result<Vec<TradeCount>> {
    let settings = settings.context("no archive is set: section clickhouse of the settings")?;
    let store = Store::new(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let day = day.map(|day| day.to_string());
    let answer = runtime.block_on(async { timeout(LIMIT, store.trades_of(day.as_deref())).await });
    match answer {
        Ok(counts) => Ok(counts?),
        Err(_) => bail!("no answer of ClickHouse within {} s", LIMIT.as_secs()),
    }
}

impl Trades {
    /// The counts of the universe's symbols; what else the archive has is left out.
    #[must_use]
    pub fn new(universe: &Universe, counts: &[TradeCount]) -> Self {
        let mut groups = Vec::new();
        for &market in Market::ALL {
            let of_market = || counts.iter().filter(|count| count.market == market.as_str());
            let Some(day) = of_market().map(|count| count.day.clone()).max() else { continue };
            for &group in Group::ALL {
                let here = universe.entries.iter().filter(|e| e.market == market && e.group == group);
                let count = |symbol: Symbol| {
                    of_market().find(|count| count.symbol == symbol.as_str()).map_or(0, |count| count.trades)
                };
                let mut symbols: Vec<(Symbol, u64)> =
                    here.map(|entry| (entry.symbol, count(entry.symbol))).collect();
                symbols.sort_by_key(|(symbol, trades)| (std::cmp::Reverse(*trades), *symbol));
                let trades = symbols.iter().map(|(_, trades)| trades).sum();
                if !symbols.is_empty() {
                    groups.push(GroupTrades { market, group, day: day.clone(), trades, symbols });
                }
            }
        }
        Self { groups }
    }
}
