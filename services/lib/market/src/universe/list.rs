//! A file of symbols → its lines: `005930 삼성전자`, `AAPL NAS Apple Inc`, one instrument each.
//!
//! Columns stand between blanks, tabs or a comma: the symbol, in the US the listing market unless the tags of the file
//! give one for all, and a name for people. `#` begins a comment; empty lines are passed over.

use super::Entry;
use super::raw::{Tags, is_listing};
use crate::instrument::Market;

/// One instrument as written.
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u64,
    /// The first column.
    pub(super) symbol: &'a str,
    rest: &'a str,
}

/// The lines that hold an instrument.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    // Editors of Windows mark UTF-8 by a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    (1..).zip(text.lines()).filter_map(|(number, line)| {
        let content = line.split('#').next().unwrap_or_default().trim();
        let (symbol, rest) = first(content);
        (!content.is_empty()).then_some(Line { number, symbol, rest })
    })
}

impl Line<'_> {
    /// The instrument with the tags of its file.
    pub(super) fn entry(&self, tags: &Tags) -> Result<Entry, String> {
        let (word, behind) = first(self.rest);
        let listing = Some(word).filter(|word| tags.market() == Market::Us && is_listing(word));
        let name = if listing.is_some() { behind } else { self.rest };
        tags.entry(self.symbol, listing, Some(name))
    }
}

fn first(columns: &str) -> (&str, &str) {
    let between = |c: char| c.is_whitespace() || c == ',';
    let (first, rest) = columns.split_once(between).unwrap_or((columns, ""));
    (first, rest.trim_start_matches(between))
}
