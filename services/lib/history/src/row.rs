//! A row of a broker's page of trades, as fetched: one execution, with or without its cumulative volume.

use market::{AggressorSide, Price, Quantity, Value};

/// One trade of a page, in the words of the market. Tape, symbol and trade date are those of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Exchange time, UTC nanoseconds; whole seconds at both brokers.
    pub exchange_ns: i64,
    /// Price of the print.
    pub price: Price,
    /// Shares of the print, at least 1.
    pub quantity: Quantity,
    /// Who crossed the spread, where the source tells it; never guessed.
    pub aggressor_side: AggressorSide,
    /// Shares traded on this tape and trade date, this print included; none at sources that do not tell it (ka10079).
    pub cumulative_volume: Option<Quantity>,
    /// Best ask after the print, where told.
    pub best_ask: Option<Price>,
    /// Best bid after the print, where told.
    pub best_bid: Option<Price>,
    /// Money traded until and with this print, and the step to which the source rounds it; where told.
    pub cumulative_value: Option<(Value, Value)>,
    /// When the page with this row was read, UTC nanoseconds.
    pub received_ns: i64,
}

/// A minute of a broker's chart: a checksum of the trades in it (ka10080).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute {
    /// Start of the minute, UTC nanoseconds.
    pub start_ns: i64,
    /// Shares of the trades in it.
    pub quantity: Quantity,
    /// Shares traded on this tape and trade date until its end; none where the row has none.
    pub cumulative_volume: Option<Quantity>,
}
