//! An order book snapshot of up to ten levels a side.

use std::fmt;

use crate::at::At;
use crate::price::Price;
use crate::quantity::Quantity;
use crate::session::Session;
use crate::trade::Codes;

/// One price level of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Level {
    /// Price; 0 where the broker shows a quantity without a price.
    pub price: Price,
    /// Shares resting there.
    pub quantity: Quantity,
}

impl Level {
    /// Whether nothing stands here.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.price.is_zero() && self.quantity.is_zero()
    }
}

/// Up to ten levels of one side, best first. Empty levels at the end are not kept; one in between is.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Levels {
    levels: [Level; Self::MAX],
    count: u8,
}

impl Levels {
    /// The deepest book that brokers send.
    pub const MAX: usize = 10;

    /// The levels of a side, best first; `None` when there are more than ten.
    pub fn collect(levels: impl IntoIterator<Item = Level>) -> Option<Self> {
        let mut side = Self::default();
        for (index, level) in levels.into_iter().enumerate() {
            *side.levels.get_mut(index)? = level;
            if !level.is_empty() {
                side.count = u8::try_from(index + 1).ok()?;
            }
        }
        Some(side)
    }

    /// The levels, best first.
    #[must_use]
    pub fn as_slice(&self) -> &[Level] {
        &self.levels[..usize::from(self.count)]
    }

    /// The best level, if the side has any.
    #[must_use]
    pub fn best(&self) -> Option<Level> {
        self.as_slice().first().copied()
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// An order book (호가) as it stood at an exchange second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderBook {
    /// Instrument, trading day and exchange time.
    pub at: At,
    /// Asks, best (lowest) first.
    pub asks: Levels,
    /// Bids, best (highest) first.
    pub bids: Levels,
    /// Shares of all asks, as the broker sums them.
    pub total_ask_quantity: Quantity,
    /// Shares of all bids, as the broker sums them.
    pub total_bid_quantity: Quantity,
    /// Expected price of a running auction.
    pub expected_price: Option<Price>,
    /// Expected quantity of a running auction; 0 outside one.
    pub expected_quantity: Quantity,
    /// Cumulative volume of the tape at this book; none where the feed does not tell (US).
    pub cumulative_volume: Option<Quantity>,
    /// Phase of the venue at the exchange time, by the calendar.
    pub session: Session,
    /// The broker's raw session codes.
    pub session_codes: Codes,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(price: i64, quantity: i64) -> Level {
        Level { price: Price::from_units(price), quantity: Quantity::from_units(quantity) }
    }

    #[test]
    fn trailing_empty_levels_go_and_inner_ones_stay() {
        let side = Levels::collect([level(10, 1), level(0, 0), level(12, 3), level(0, 0)]).expect("levels");
        assert_eq!(side.as_slice(), [level(10, 1), level(0, 0), level(12, 3)]);
        assert_eq!(Levels::collect([level(0, 0); 10]).expect("levels").best(), None);
        assert_eq!(Levels::collect([level(0, 7)]).expect("levels").as_slice(), [level(0, 7)]);
        assert!(Levels::collect([level(1, 1); 11]).is_none());
    }
}
