//! What is wrong with a payload that is no event, and in which field.

use market::symbol::SymbolError;
use market::trade::ImpossibleTrade;
use market::{Market, Tape};

/// Why a payload is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not a protobuf message, or cut.
    #[error("not an event payload: {problem}")]
    Malformed {
        /// What the protobuf reader says.
        problem: String,
    },
    /// Neither trade, order book nor status: of a newer version, or no event at all.
    #[error("event without a known body")]
    NoBody,
    /// A status of no known kind: of a newer version.
    #[error("status of no known kind")]
    NoStatus,
    /// Something needed is absent.
    #[error("{field} is missing")]
    Missing {
        /// The field as spelled in `proto/`.
        field: &'static str,
    },
    /// A value of an enum that this version does not know.
    #[error("{field} has the unknown value {value}")]
    UnknownValue {
        /// The field as spelled in `proto/`.
        field: &'static str,
        /// The number on the wire.
        value: i32,
    },
    /// A number below zero where there is none.
    #[error("{field} is negative: {value}")]
    Negative {
        /// The field as spelled in `proto/`.
        field: &'static str,
        /// The number on the wire.
        value: i64,
    },
    /// A text that is no symbol.
    #[error(transparent)]
    Symbol(#[from] SymbolError),
    /// A trade date outside 0 to 65535.
    #[error("trade_date is no day: {days}")]
    TradeDate {
        /// Days since 1970-01-01 on the wire.
        days: u32,
    },
    /// A tape of another market than the event's.
    #[error("tape {tape} is not of market {market}")]
    TapeOfOtherMarket {
        /// The tape.
        tape: Tape,
        /// The market of the event.
        market: Market,
    },
    /// Session codes that are not printable ASCII or too long.
    #[error("session_codes are not at most 23 printable ASCII bytes: {text:?}")]
    SessionCodes {
        /// The text on the wire, cut after 40 characters.
        text: String,
    },
    /// A trade that cannot be.
    #[error(transparent)]
    Trade(#[from] ImpossibleTrade),
    /// More levels than brokers send.
    #[error("{field} has {levels} levels, more than 10")]
    TooManyLevels {
        /// The field as spelled in `proto/`.
        field: &'static str,
        /// How many there are.
        levels: usize,
    },
    /// Prices and quantities that do not pair up.
    #[error("{field} has {prices} prices and {quantities} quantities")]
    UnevenLevels {
        /// The field of the prices as spelled in `proto/`.
        field: &'static str,
        /// How many prices.
        prices: usize,
        /// How many quantities.
        quantities: usize,
    },
}
