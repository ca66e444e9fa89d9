//! `config/symbols.yaml`: the instruments a person follows, in one readable file, and the files of symbols it names.
//!
//! Values are read straight into text: 005930, 0155E0 and TRUE are symbols and never numbers or truths. This module
//! opens nothing: whoever calls it hands in a function that reads the named files.

mod list;
mod raw;

use std::collections::HashMap;

use crate::instrument::{Market, Source, Tape, words};
use crate::symbol::Symbol;
use list::Line;
use raw::{RawUniverse, Tags};

/// The most instruments in one universe: as many as a cell remembers open gaps of, and more than any keys carry.
pub const MOST_SYMBOLS: usize = 20_000;

/// The largest symbols file or file of symbols in bytes: 20,000 lines with names need a quarter of it.
pub const MOST_BYTES: usize = 4 << 20;

/// Letters of a name that are kept: a name is for people, and a longer one fits nowhere.
pub const MOST_NAME: usize = 60;

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
    /// What people call it, of at most [`MOST_NAME`] letters; none = no name was written.
    pub name: Option<String>,
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

/// All instruments, in the order of registration: by priority, then as written, those of files last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Universe {
    /// The entries.
    pub entries: Vec<Entry>,
}

/// What is wrong with the file, or with a file that it names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UniverseError {
    /// Not the YAML that belongs there; the text names line and column.
    #[error("symbols file: {0}")]
    Form(String),
    /// An entry that cannot be meant.
    #[error("symbols file: line {line}: symbol {symbol:?}: {problem}")]
    Entry {
        /// Where it begins in the symbols file, from 1.
        line: u64,
        /// The symbol as written.
        symbol: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A file that cannot be read, or tags of it that cannot be meant.
    #[error("symbols file: line {line}: file {file:?}: {problem}")]
    File {
        /// Where it is named in the symbols file, from 1.
        line: u64,
        /// The file as named.
        file: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A line of a named file that cannot be meant.
    #[error("{file}: line {line}: symbol {symbol:?}: {problem}")]
    Line {
        /// The file as named.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The symbol as written.
        symbol: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// More instruments than [`MOST_SYMBOLS`].
    #[error("symbols file: more than {MOST_SYMBOLS} symbols: follow fewer")]
    TooMany,
}

/// Where a symbol of a named file stands.
struct Place<'a> {
    file: &'a str,
    line: u64,
}

impl Universe {
    /// Reads the text of a symbols file that names no other files.
    ///
    /// # Errors
    /// [`UniverseError`] that names the line and the symbol, what is wrong and what would be right.
    pub fn from_yaml(text: &str) -> Result<Self, UniverseError> {
        Self::from_yaml_with(text, &mut |_| Err("files of symbols are not read here".to_owned()))
    }

    /// Reads the text of a symbols file; `read` gives the text of a file as it is named there, or says why it cannot
    /// (it should stop after [`MOST_BYTES`] and read relative names from the folder of the symbols file).
    ///
    /// An entry of its own wins over the same symbol in a file, with all its tags. In two files, or twice in one, a
    /// symbol is an error.
    ///
    /// # Errors
    /// [`UniverseError`] that names file, line and symbol, what is wrong and what would be right.
    pub fn from_yaml_with(
        text: &str,
        read: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<Self, UniverseError> {
        let raw = RawUniverse::read(text)?;
        let mut entries = Vec::new();
        let mut own: HashMap<(Market, Symbol), u64> = HashMap::new();
        for raw in raw.symbols {
            let (line, symbol) = (raw.line(), raw.symbol.value.clone());
            let fail = |problem| UniverseError::Entry { line, symbol: symbol.clone(), problem };
            let entry = raw.checked().map_err(fail)?;
            if let Some(first) = own.insert((entry.market, entry.symbol), line) {
                return Err(fail(format!("listed twice, first in line {first}: merge the two entries")));
            }
            push(&mut entries, entry)?;
        }
        let mut texts = Vec::with_capacity(raw.files.len());
        for raw in raw.files {
            let (line, file) = (raw.line(), raw.file.value.clone());
            let fail = |problem| UniverseError::File { line, file: file.clone(), problem };
            let tags = raw.checked().map_err(fail)?;
            let text = read(&file).map_err(fail)?;
            if text.len() > MOST_BYTES {
                return Err(fail(format!("larger than {MOST_BYTES} bytes: split it")));
            }
            texts.push((file, tags, text));
        }
        let mut listed: HashMap<(Market, Symbol), Place<'_>> = HashMap::new();
        for (file, tags, text) in &texts {
            for line in list::lines(text) {
                let entry = of_line(file, &line, tags, &mut listed)?;
                if !own.contains_key(&(entry.market, entry.symbol)) {
                    push(&mut entries, entry)?;
                }
            }
        }
        entries.sort_by_key(|entry| entry.priority);
        Ok(Self { entries })
    }

    /// The entries of one market that `source` may carry.
    pub fn of(&self, market: Market, source: Source) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |e| e.market == market && e.sources.contains(&source))
    }
}

fn push(entries: &mut Vec<Entry>, entry: Entry) -> Result<(), UniverseError> {
    if entries.len() == MOST_SYMBOLS {
        return Err(UniverseError::TooMany);
    }
    entries.push(entry);
    Ok(())
}

/// The instrument of one line of a file, with the file's tags; unless some file named it before.
fn of_line<'a>(
    file: &'a str,
    line: &Line<'_>,
    tags: &Tags,
    listed: &mut HashMap<(Market, Symbol), Place<'a>>,
) -> Result<Entry, UniverseError> {
    let number = line.number;
    let fail = |problem| UniverseError::Line {
        file: file.to_owned(),
        line: number,
        symbol: line.symbol.to_owned(),
        problem,
    };
    let entry = line.entry(tags).map_err(fail)?;
    match listed.insert((entry.market, entry.symbol), Place { file, line: number }) {
        None => Ok(entry),
        Some(first) => {
            let where_else = format!("listed twice, first in {} line {}", first.file, first.line);
            Err(fail(format!("{where_else}: leave it in one of them")))
        }
    }
}

#[cfg(test)]
mod tests;
