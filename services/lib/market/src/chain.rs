//! Prints of an instrument's day to what is missing between them: the chain of the cumulative volume.
//!
//! Every print says how many shares the tape had traded when it was done. A print of `quantity` shares at `cumulative_volume`
//! covers the shares `(cumulative_volume - quantity, cumulative_volume]` of its day; what no print covers and nobody
//! proves to be off-hours volume is missing, share for share. [`line()`] judges a day as a whole, in any order of the prints
//! and with repetitions; [`Chain`] does it while they come, in memory that does not grow with them.
//!
//! Tapes have counters of their own: a chain is of one tape, one symbol, one trade date.

mod line;
mod live;
mod off_hours;

pub use line::{Day, Line, line};
pub use live::{Chain, Grown, Link, Place};
pub use off_hours::{off_hours_from, session_changed};

use crate::price::Price;
use crate::quantity::Quantity;
use crate::trade::Trade;

/// What of a trade the chain needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Print {
    /// Shares traded on this tape and trade date, this print included.
    pub cumulative_volume: Quantity,
    /// Shares of this print.
    pub quantity: Quantity,
    /// Exchange time, UTC ns.
    pub exchange_ns: i64,
    /// Price of the print.
    pub price: Price,
}

impl Print {
    /// Shares traded before this print: what the print before it must have reached.
    #[must_use]
    pub fn after(&self) -> Quantity {
        let after = self.cumulative_volume.checked_sub(self.quantity);
        after.map_or(Quantity::ZERO, |after| after.min(self.cumulative_volume))
    }

    /// Whether the other is this print again: the same shares at the same price. Brokers may differ in the second.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.cumulative_volume, self.quantity, self.price)
            == (other.cumulative_volume, other.quantity, other.price)
    }
}

impl From<&Trade> for Print {
    fn from(trade: &Trade) -> Self {
        Self {
            cumulative_volume: trade.cumulative_volume,
            quantity: trade.quantity,
            exchange_ns: trade.at.exchange_ns,
            price: trade.price,
        }
    }
}

/// Shares that no print covers: `(after, until]` on the line of the cumulative volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Missing {
    /// Cumulative volume before the first missing share.
    pub after: Quantity,
    /// Cumulative volume at the last missing share.
    pub until: Quantity,
    /// Exchange time of the print before, UTC ns; none = head of the day.
    pub from_ns: Option<i64>,
    /// Exchange time of the print after, UTC ns; none = tail.
    pub until_ns: Option<i64>,
}

impl Missing {
    /// How many shares.
    #[must_use]
    pub fn volume(&self) -> Quantity {
        self.until.checked_sub(self.after).unwrap_or(Quantity::ZERO)
    }
}

/// Shares `(after, until]` that came into the counter without a print: before the opening print, or at a change of session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OffHours {
    /// Cumulative volume before the first of them.
    pub after: Quantity,
    /// Cumulative volume at the last of them.
    pub until: Quantity,
    /// Exchange time of the print before, UTC ns; none = head of the day.
    pub from_ns: Option<i64>,
    /// Exchange time of the print after, UTC ns; none = not known.
    pub until_ns: Option<i64>,
}

impl OffHours {
    /// How many shares.
    #[must_use]
    pub fn volume(&self) -> Quantity {
        self.until.checked_sub(self.after).unwrap_or(Quantity::ZERO)
    }
}

/// Two prints over the same shares that are not equal: a correction, or two brokers that cut the same trades differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Correction {
    /// The one that reached these shares first.
    pub kept: Print,
    /// The other.
    pub other: Print,
}

/// The counter started again from zero within a day. What stands before and after it are volumes of two counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reset {
    /// Where the counter stood.
    pub before: Quantity,
    /// Exchange time of the first print of the new counter, UTC ns.
    pub at_ns: i64,
}

/// A counter that falls to half or less, seconds later, twice in a row, has started again. One print alone may be a
/// mix-up of venues; less of a fall may be a print that is reported late.
const RESET_SHARE: i64 = 2;
/// Two brokers may differ by so much about the second of a print, ns.
const RESET_LATER: i64 = 2 * crate::time::SECOND;

/// Whether a print that is behind the counter looks like the beginning of a new one.
fn is_fallen(print: &Print, highest: &Print) -> bool {
    print.cumulative_volume.units() <= highest.cumulative_volume.units() / RESET_SHARE
        && print.exchange_ns >= highest.exchange_ns.saturating_add(RESET_LATER)
}

#[cfg(test)]
mod tests;
