//! What is said of missing volume: which shares no print covers, what a broker was asked for them, what it says of a day.

use crate::instrument::{Tape, words};
use crate::quantity::Quantity;
use crate::symbol::Symbol;
use crate::trade_date::TradeDate;

words! {
    /// The request by which a broker was asked: its name there, in small letters.
    Method {
        /// Nobody was asked: no source reaches so far.
        None = "none",
        /// Kiwoom: prints of today or yesterday with their cumulative volumes, 100 rows a page.
        Ka10084 = "ka10084",
        /// Kiwoom: prints of the last trading days, 900 rows a page.
        Ka10079 = "ka10079",
        /// Kiwoom: the last prints.
        Ka10003 = "ka10003",
        /// KIS: prints of today in Korea.
        Fhpst01060000 = "fhpst01060000",
        /// KIS: prints of today in the US.
        Hhdfs76200300 = "hhdfs76200300",
    }
}

words! {
    /// How it is known that what was fetched is what was missing.
    Proof {
        /// The source tells cumulative volumes, and they join both ends without a hole.
        Chained = "chained",
        /// Rows without cumulative volumes were anchored at known prints, and their sum fits at both ends.
        Anchored = "anchored",
        /// Anchored at one end, and the broker's volumes of the minutes agree.
        Minutes = "minutes",
        /// The sums do not agree: what stays open is the residue.
        Unproven = "unproven",
        /// No source reaches so far: nothing was fetched.
        NoSource = "no_source",
    }
}

/// Shares of a day that no print covers: `(after, until]` on the line of the cumulative volume. With the instrument and
/// the market it is the name of the gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingVolume {
    /// Trading day of the exchange.
    pub trade_date: TradeDate,
    /// Cumulative volume before the first missing share; shares.
    pub after: Quantity,
    /// Cumulative volume at the last missing share; shares, above `after`.
    pub until: Quantity,
    /// What was still missing after a recovery, 0 = nothing; shares. None = nobody has tried.
    pub residue: Option<Quantity>,
}

/// An entry of the ledger of recoveries: what was asked for a gap, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Whose shares.
    pub instrument: (Tape, Symbol),
    /// Trading day of the exchange.
    pub trade_date: TradeDate,
    /// Cumulative volume before the first missing share; shares.
    pub after: Quantity,
    /// Cumulative volume at the last missing share; shares.
    pub until: Quantity,
    /// What was asked; the broker is the source of the event.
    pub method: Method,
    /// Pages asked for.
    pub asked: u32,
    /// Rows that came.
    pub returned: u64,
    /// Trades published.
    pub added: u64,
    /// Their shares.
    pub added_volume: Quantity,
    /// Shares still missing: 0 = closed; negative = the broker has that many shares too many.
    pub residue: i64,
    /// How it is known.
    pub proof: Proof,
    /// When the first page was asked for, UTC ns.
    pub started_ns: i64,
    /// What a person needs to know.
    pub detail: String,
}

/// What a broker says of the whole day of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayTotal {
    /// Whose shares.
    pub instrument: (Tape, Symbol),
    /// Trading day of the exchange.
    pub trade_date: TradeDate,
    /// Shares of the day; the last cumulative volume.
    pub volume: Quantity,
    /// What was asked; the broker is the source of the event.
    pub method: Method,
    /// Whether it was asked after the last phase of the day, so that it changes no more.
    pub is_final: bool,
    /// The part of `volume` that no print covers, as the broker's rows prove; shares.
    pub off_hours: Quantity,
}
