//! `config/symbols.yaml`: the instruments a person follows, in one readable file.
//!
//! Values are read straight into text: 005930, 0155E0 and TRUE are symbols and never numbers or truths.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::instrument::{Market, Source, Tape, words};
use crate::symbol::Symbol;

words! {
    /// What is wanted of an instrument; the first token of its subjects.
    Kind {
        /// Trades.
        Ticker = "ticker",
        /// Order books.
        Orderbook = "orderbook",
    }
}

words! {
    /// Which broker carries the trades of an instrument.
    Group {
        /// KIS first.
        A = "A",
        /// Kiwoom first.
        B = "B",
    }
}

/// One instrument that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bare symbol.
    pub symbol: Symbol,
    /// Its market.
    pub market: Market,
    /// The US listing market, `NAS`, `NYS` or `AMS`; none in Korea.
    pub listing: Option<String>,
    /// The tapes wanted.
    pub tapes: Vec<Tape>,
    /// What is wanted.
    pub kinds: Vec<Kind>,
    /// The brokers that may carry it.
    pub sources: Vec<Source>,
    /// Who carries its trades first.
    pub group: Group,
    /// Part of the active-active universe: its books are taken from every broker at once.
    pub core: bool,
    /// 1 is registered first; at a broker's limit the largest numbers stay out.
    pub priority: u32,
}

/// All instruments, in the order of registration: by priority, then as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Universe {
    /// The entries.
    pub entries: Vec<Entry>,
}

/// What is wrong with the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UniverseError {
    /// Not the YAML that belongs there; the text names line and column.
    #[error("symbols file: {0}")]
    Form(String),
    /// A value that cannot be meant.
    #[error("symbols file: symbol {symbol:?}: {problem}")]
    Entry {
        /// The symbol as written.
        symbol: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    symbols: Vec<RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    symbol: String,
    // For the reader of the file only.
    #[serde(default, rename = "name")]
    _name: Option<String>,
    #[serde(default)]
    market: Option<String>,
    #[serde(default)]
    listing: Option<String>,
    #[serde(default)]
    tapes: Option<Vec<String>>,
    #[serde(default)]
    kinds: Option<Vec<String>>,
    #[serde(default)]
    source: Option<Vec<String>>,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    core: bool,
    #[serde(default)]
    priority: Option<u32>,
}

/// An instrument without a priority comes after those that have one.
const LAST_PRIORITY: u32 = 1_000;

impl Universe {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// [`UniverseError`] that names the line or the symbol, what is wrong and what would be right.
    pub fn from_yaml(text: &str) -> Result<Self, UniverseError> {
        let raw: RawFile = serde_saphyr::from_str(text).map_err(|e| UniverseError::Form(e.to_string()))?;
        let mut seen = BTreeSet::new();
        let mut entries = Vec::with_capacity(raw.symbols.len());
        for raw in raw.symbols {
            let written = raw.symbol.clone();
            let entry = raw.checked().map_err(|problem| UniverseError::Entry { symbol: written, problem })?;
            if !seen.insert((entry.market, entry.symbol)) {
                let problem = "listed twice: merge the two entries".to_owned();
                return Err(UniverseError::Entry { symbol: entry.symbol.to_string(), problem });
            }
            entries.push(entry);
        }
        entries.sort_by_key(|entry| entry.priority);
        Ok(Self { entries })
    }

    /// The entries of one market that `source` may carry.
    pub fn of(&self, market: Market, source: Source) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |e| e.market == market && e.sources.contains(&source))
    }
}

impl RawEntry {
    fn checked(self) -> Result<Entry, String> {
        let symbol = Symbol::parse(&self.symbol).map_err(|e| e.to_string())?;
        let market = one("market", self.market, Market::Kr, Market::from_word, Market::ALL)?;
        let (tapes, sources) = match market {
            Market::Kr => (Tape::Krx, vec![Source::Kis, Source::Kiwoom]),
            Market::Us => (Tape::Us, vec![Source::Kis]),
        };
        let tapes = many("tapes", self.tapes, vec![tapes], Tape::from_word, Tape::ALL)?;
        if let Some(tape) = tapes.iter().find(|tape| tape.market() != market) {
            return Err(format!("tape {tape} is not of market {market}"));
        }
        match (market, self.listing.as_deref()) {
            (Market::Kr, None) | (Market::Us, Some("NAS" | "NYS" | "AMS")) => {}
            (Market::Kr, Some(_)) => return Err("listing is for the US only".to_owned()),
            (Market::Us, _) => return Err("needs listing: NAS, NYS or AMS".to_owned()),
        }
        Ok(Entry {
            symbol,
            market,
            listing: self.listing,
            tapes,
            kinds: many("kinds", self.kinds, Kind::ALL.to_vec(), Kind::from_word, Kind::ALL)?,
            sources: many("source", self.source, sources, Source::from_word, Source::ALL)?,
            group: one("group", self.group, Group::A, Group::from_word, Group::ALL)?,
            core: self.core,
            priority: self.priority.unwrap_or(LAST_PRIORITY),
        })
    }
}

fn one<T: Copy + std::fmt::Display>(
    key: &str,
    given: Option<String>,
    default: T,
    read: impl Fn(&str) -> Option<T>,
    all: &[T],
) -> Result<T, String> {
    let Some(text) = given else { return Ok(default) };
    read(&text).ok_or_else(|| {
        let known: Vec<String> = all.iter().map(ToString::to_string).collect();
        format!("{key}: {text:?} is none of {}", known.join(", "))
    })
}

fn many<T: Copy + PartialEq + std::fmt::Display>(
    key: &str,
    given: Option<Vec<String>>,
    default: Vec<T>,
    read: impl Fn(&str) -> Option<T>,
    all: &[T],
) -> Result<Vec<T>, String> {
    let Some(texts) = given else { return Ok(default) };
    let mut values = Vec::with_capacity(texts.len());
    for text in texts {
        let value = one(key, Some(text), all[0], &read, all)?;
        if values.contains(&value) {
            return Err(format!("{key}: {value} stands there twice"));
        }
        values.push(value);
    }
    if values.is_empty() {
        Err(format!("{key}: empty list; leave the key out for the default"))
    } else {
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_stay_text() {
        let universe = Universe::from_yaml(
            "symbols:\n- symbol: 005930\n  core: true\n  priority: 1\n- symbol: 0155E0\n- symbol: TRUE\n  market: us\n  listing: NAS\n",
        )
        .expect("universe");
        let symbols: Vec<_> = universe.entries.iter().map(|e| e.symbol.to_string()).collect();
        assert_eq!(symbols, ["005930", "0155E0", "TRUE"]);
        assert_eq!(universe.entries[2].tapes, [Tape::Us]);
        assert_eq!(universe.of(Market::Kr, Source::Kiwoom).count(), 2);
    }

    #[test]
    fn priority_orders_and_defaults_come_last() {
        let text =
            "symbols:\n- symbol: 000660\n- symbol: 005930\n  priority: 2\n- symbol: 035720\n  priority: 1\n";
        let universe = Universe::from_yaml(text).expect("universe");
        let symbols: Vec<_> = universe.entries.iter().map(|e| e.symbol.to_string()).collect();
        assert_eq!(symbols, ["035720", "005930", "000660"]);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("symbols:\n- symbol: 005930\n  tape: [krx]\n", "tape"),
            ("symbols:\n- symbol: 005930\n- symbol: 005930\n", "listed twice"),
            ("symbols:\n- symbol: AAPL\n  market: us\n", "needs listing"),
            ("symbols:\n- symbol: 005930\n  tapes: [us]\n", "not of market kr"),
            ("symbols:\n- symbol: 005930\n  tapes: [kosdaq]\n", "none of krx, nxt, all, us, day"),
            ("symbols:\n- symbol: '005 930'\n", "not a symbol"),
            ("symbols:\n- symbol: 005930\n  kinds: []\n", "empty list"),
        ] {
            let error = Universe::from_yaml(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
