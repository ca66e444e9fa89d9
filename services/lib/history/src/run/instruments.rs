//! The symbols file and the archive → whose day is looked at.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use market::universe::{Kind, MOST_BYTES, Universe};
use market::{Market, Symbol, TradeDate};
use process::text_file;
use serde::Deserialize;
use store::history::InstrumentDay;
use store::{Store, StoreError};

/// Section `[symbols]`, of which the file is of interest here.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct RawSymbols {
    /// The file of the instruments that are followed.
    pub file: PathBuf,
}

impl Default for RawSymbols {
    fn default() -> Self {
        Self { file: PathBuf::from("config/symbols.yaml") }
    }
}

/// Reads the symbols file and the files that it names, relative ones from its own folder.
///
/// # Errors
/// What is wrong, and where.
pub fn read_universe(file: &Path) -> Result<Universe, String> {
    let text = text_file::read(file, MOST_BYTES)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut read = |name: &str| text_file::read(&folder.join(name), MOST_BYTES);
    Universe::from_yaml_with(&text, &mut read).map_err(|problem| format!("{}: {problem}", file.display()))
}

/// The instruments of a market whose trades are followed, and those that have prints of the day; in order.
///
/// # Errors
/// [`StoreError`] when the archive cannot be asked.
pub async fn instruments(
    store: &Store,
    universe: &Universe,
    market: Market,
    trade_date: TradeDate,
    symbol: Option<&Symbol>,
) -> Result<Vec<InstrumentDay>, StoreError> {
    let mut instruments = followed(universe, market, trade_date);
    instruments.extend(store.instruments_of_day(market, trade_date).await?.into_iter().map(|(of, _)| of));
    instruments.retain(|of| symbol.is_none_or(|symbol| of.symbol == *symbol));
    Ok(instruments.into_iter().collect())
}

fn followed(universe: &Universe, market: Market, trade_date: TradeDate) -> BTreeSet<InstrumentDay> {
    let with_trades =
        universe.entries.iter().filter(|entry| entry.market == market && entry.kinds.contains(&Kind::Ticker));
    let of = |entry: &market::universe::Entry| {
        let symbol = entry.symbol;
        entry.tapes.clone().into_iter().map(move |tape| InstrumentDay { tape, symbol, trade_date })
    };
    with_trades.flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_trades_are_followed_is_looked_at_on_each_tape() {
        let text = "symbols:\n- {symbol: '005930', market: kr, tapes: [krx, nxt]}\n- {symbol: '000660', market: kr, kinds: [orderbook]}\n- {symbol: AAPL, market: us, listing: NAS}\n";
        let universe = Universe::from_yaml(text).expect("universe");
        let date = TradeDate::parse("20261124").expect("date");
        let names = |market| {
            let of = followed(&universe, market, date);
            of.iter().map(|of| format!("{}.{}", of.symbol, of.tape)).collect::<Vec<_>>()
        };
        assert_eq!(names(Market::Kr), ["005930.krx", "005930.nxt"]);
        assert_eq!(names(Market::Us), ["AAPL.us"]);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = read_universe(Path::new("no/such/file.yaml")).expect_err("refused");
        assert!(error.contains("no/such/file.yaml"), "{error}");
    }
}
