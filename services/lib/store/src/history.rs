//! Look-ups for the history of a day: which instruments had prints, an instrument's prints in order, what was said of missing
//! volume, which outages were recorded, and which sequences of a stream the ledger lacks. Reads only.
//!
//! What may be large comes as a stream from the server and is held once, in exact integers; every answer has a bound.

mod archive;
mod prints;
mod told;

use market::{Market, Symbol, Tape, TradeDate};

pub use self::archive::Lacking;
pub use self::prints::StoredPrint;
pub(crate) use self::prints::unknown;
pub use self::told::{Outage, ToldGap, ToldRecovery, ToldTotal};

/// An instrument's trading day: what a chain of cumulative volumes is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstrumentDay {
    /// The tape: its counter is the line.
    pub tape: Tape,
    /// The symbol.
    pub symbol: Symbol,
    /// The trading day of the exchange.
    pub trade_date: TradeDate,
}

impl InstrumentDay {
    /// The market of the tape.
    #[must_use]
    pub const fn market(&self) -> Market {
        self.tape.market()
    }
}
