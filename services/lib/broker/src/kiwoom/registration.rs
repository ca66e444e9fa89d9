//! What is wanted of Kiwoom: an [`Item`] for each symbol and tape, with the types of data wanted of it.
//!
//! Kiwoom counts items: `005930`, `005930_NX` and `005930_AL` are three, each with as many types as one likes.

use market::carriers::Wanted;
use market::universe::Kind;
use market::{Symbol, Tape};

use crate::lines::Subscription;

/// Items that one connection, and so one key, may hold: the 201st was refused with 105115.
pub const LIMIT: usize = 200;

/// A set of types of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Types(u8);

impl Types {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// `0B`: trades.
    pub const TRADES: Self = Self(1);
    /// `0D`: order books.
    pub const BOOKS: Self = Self(2);
    /// Each type alone.
    pub const EACH: [Self; 2] = [Self::TRADES, Self::BOOKS];

    /// The types that carry these kinds of events.
    #[must_use]
    pub fn of(kinds: &[Kind]) -> Self {
        kinds.iter().fold(Self::NONE, |types, kind| match kind {
            Kind::Ticker => types.and(Self::TRADES),
            Kind::Orderbook => types.and(Self::BOOKS),
        })
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// What is in this set and not in `others`.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether all of `some` is in this set.
    #[must_use]
    pub const fn has(self, some: Self) -> bool {
        some.without(self).is_empty()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The broker's codes.
    pub fn codes(self) -> impl Iterator<Item = &'static str> {
        let code = |one: Self| if one == Self::TRADES { "0B" } else { "0D" };
        Self::EACH.into_iter().filter(move |one| self.has(*one)).map(code)
    }
}

/// One wanted item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Item {
    /// The broker's code with the suffix of the tape: `005930`, `005930_NX`, `005930_AL`.
    pub code: String,
    /// The bare symbol.
    pub symbol: Symbol,
    /// What is wanted of it; never empty.
    pub types: Types,
}

impl Item {
    /// What is wanted of an instrument on one tape; none on a tape that Kiwoom does not have.
    #[must_use]
    pub fn of(wanted: &Wanted) -> Option<Self> {
        let code = format!("{}{}", wanted.symbol, suffix(wanted.tape)?);
        Some(Self { code, symbol: wanted.symbol, types: Types::of(&wanted.kinds) })
    }
}

impl Subscription for Item {
    fn symbol(&self) -> Symbol {
        self.symbol
    }

    fn name(&self) -> String {
        self.code.clone()
    }
}

/// What follows the symbol in an item of this tape; none for a tape that Kiwoom does not have.
pub(super) const fn suffix(tape: Tape) -> Option<&'static str> {
    match tape {
        Tape::Krx => Some(""),
        Tape::Nxt => Some("_NX"),
        Tape::All => Some("_AL"),
        Tape::Us | Tape::Day => None,
    }
}

#[cfg(test)]
mod tests {
    use market::universe::Universe;
    use market::{Market, Source};

    use super::*;

    #[test]
    fn an_instrument_is_one_item_a_tape() {
        let text =
            "symbols:\n- {symbol: 005930, tapes: [krx, nxt, all]}\n- {symbol: 0155E0, kinds: [ticker]}\n";
        let universe = Universe::from_yaml(text).expect("universe");
        let wanted = universe.carried(Market::Kr, Source::Kiwoom, &[Source::Kiwoom]);
        let items: Vec<_> = wanted.iter().filter_map(Item::of).collect();
        let shown: Vec<_> = items
            .iter()
            .map(|item| (item.name(), item.types.codes().collect::<Vec<_>>().join(" ")))
            .collect();
        let expected =
            [("005930", "0B 0D"), ("005930_NX", "0B 0D"), ("005930_AL", "0B 0D"), ("0155E0", "0B")];
        assert_eq!(shown, expected.map(|(code, types)| (code.to_owned(), types.to_owned())));
    }

    #[test]
    fn an_american_tape_is_no_item() {
        let text = "symbols:\n- {symbol: AAPL, market: us, listing: NAS}\n";
        let universe = Universe::from_yaml(text).expect("universe");
        let wanted = universe.carried(Market::Us, Source::Kis, &[Source::Kis]);
        assert!(!wanted.is_empty() && wanted.iter().all(|wanted| Item::of(wanted).is_none()));
    }
}
