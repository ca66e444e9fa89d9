//! What a client can ask for: a market, whose view of it, which instruments and kinds.

use std::collections::BTreeSet;
use std::fmt;

use market::{Market, Source, Symbol, Tape};

/// Whose view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// One broker as it tells.
    Of(Source),
    /// Both brokers as one.
    Merged,
}

impl View {
    /// Every view.
    pub const ALL: [Self; 3] = [Self::Of(Source::Kis), Self::Of(Source::Kiwoom), Self::Merged];

    /// The place of the view in an array of all.
    pub const fn index(self) -> usize {
        match self {
            Self::Of(Source::Kis) => 0,
            Self::Of(Source::Kiwoom) => 1,
            Self::Merged => 2,
        }
    }

    /// Reads the word.
    pub fn from_word(text: &str) -> Option<Self> {
        match text {
            "merged" => Some(Self::Merged),
            other => Source::from_word(other).map(Self::Of),
        }
    }

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Of(source) => source.as_str(),
            Self::Merged => "merged",
        }
    }

    /// Whether it shows what `source` tells of its feed.
    pub fn shows(self, source: Source) -> bool {
        self == Self::Merged || self == Self::Of(source)
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which kinds of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kinds {
    /// Trades and gaps between them.
    pub trade: bool,
    /// Order books and changes of whose they are.
    pub order_book: bool,
    /// What feeds tell of themselves.
    pub status: bool,
}

impl Kinds {
    /// All of them.
    pub const ALL: Self = Self { trade: true, order_book: true, status: true };

    /// The words.
    pub fn words(self) -> Vec<&'static str> {
        let all = [(self.trade, "trade"), (self.order_book, "order_book"), (self.status, "status")];
        all.into_iter().filter_map(|(wanted, word)| wanted.then_some(word)).collect()
    }
}

/// Which symbols.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Symbols {
    /// Every one of the market.
    All,
    /// These.
    These(BTreeSet<Symbol>),
}

/// An instrument: a symbol on a tape; the tape tells the market.
pub type Instrument = (Tape, Symbol);

/// What one subscription wants. Clients that want the same share what is made of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selection {
    /// The market.
    pub market: Market,
    /// Whose view.
    pub view: View,
    /// One tape; none = each of the market.
    pub tape: Option<Tape>,
    /// The kinds.
    pub kinds: Kinds,
    /// The symbols.
    pub symbols: Symbols,
}

impl Selection {
    /// The tapes that it wants.
    pub fn tapes(&self) -> impl Iterator<Item = Tape> + Clone + '_ {
        let all = Tape::ALL.iter().copied();
        all.filter(|tape| tape.market() == self.market && self.tape.is_none_or(|only| only == *tape))
    }

    /// Whether it wants an instrument.
    pub fn wants(&self, (tape, symbol): Instrument) -> bool {
        tape.market() == self.market
            && self.tape.is_none_or(|only| only == tape)
            && match &self.symbols {
                Symbols::All => true,
                Symbols::These(these) => these.contains(&symbol),
            }
    }

    /// Whether it wants a status of `source`, which is of one instrument or of none.
    pub fn wants_status(&self, market: Market, source: Source, instrument: Option<Instrument>) -> bool {
        self.kinds.status
            && self.market == market
            && self.view.shows(source)
            && instrument.is_none_or(|instrument| self.wants(instrument))
    }
}
