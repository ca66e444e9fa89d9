//! What a trade and a book have in common: whose it is and when the exchange says it was.

use crate::instrument::Tape;
use crate::symbol::Symbol;
use crate::trade_date::TradeDate;

/// Which instrument, on which trading day, and when the exchange says it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The tape.
    pub tape: Tape,
    /// The bare symbol.
    pub symbol: Symbol,
    /// The trading day of the exchange.
    pub trade_date: TradeDate,
    /// Exchange time, UTC ns; whole seconds at both brokers.
    pub exchange_ns: i64,
}
