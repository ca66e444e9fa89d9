//! Events into rows: every value under its own name, nothing computed, and market data without an allocation. Cannot fail.

mod feed_status;

use std::sync::Arc;

use clickhouse::Row;
use market::{At, Codes, Level, Levels, OrderBook, Stamp, Symbol, Trade};
use serde::ser::{Serialize, SerializeSeq, Serializer};

pub use self::feed_status::FeedStatusRow;

/// The tables of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// Trade prints.
    Trades,
    /// Order book snapshots.
    OrderBooks,
    /// Status events.
    FeedStatus,
}

impl Table {
    /// Every table.
    pub const ALL: &'static [Self] = &[Self::Trades, Self::OrderBooks, Self::FeedStatus];

    /// The name in SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::OrderBooks => "order_books",
            Self::FeedStatus => "feed_status",
        }
    }
}

/// Where an event stands on the bus, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// JetStream stream.
    pub stream: Arc<str>,
    /// Epoch of the stream, from 1.
    pub epoch: u32,
    /// Sequence in the stream, from 1.
    pub stream_sequence: u64,
    /// xxh3 of the message id.
    pub event_id: u64,
}

/// A row of `trades`. The fields are the columns.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Row)]
pub struct TradeRow {
    market: &'static str,
    source: &'static str,
    tape: &'static str,
    #[serde(serialize_with = "symbol")]
    symbol: Symbol,
    trade_date: u16,
    exchange_ns: i64,
    received_ns: i64,
    connection_id: i64,
    frame_sequence: u64,
    record_index: u32,
    origin: &'static str,
    price: i64,
    quantity: i64,
    aggressor_side: &'static str,
    cumulative_volume: i64,
    cumulative_value: i64,
    cumulative_value_step: i64,
    best_ask: Option<i64>,
    best_bid: Option<i64>,
    session: &'static str,
    #[serde(serialize_with = "codes")]
    session_codes: Codes,
    halted: bool,
    #[serde(serialize_with = "text")]
    stream: Arc<str>,
    epoch: u32,
    stream_sequence: u64,
    event_id: u64,
}

impl TradeRow {
    /// The row of a trade.
    #[must_use]
    pub fn new(stamp: &Stamp, trade: &Trade, position: Position) -> Self {
        Self {
            market: stamp.market.as_str(),
            source: stamp.source.as_str(),
            tape: trade.at.tape.as_str(),
            symbol: trade.at.symbol,
            trade_date: days(&trade.at),
            exchange_ns: trade.at.exchange_ns,
            received_ns: stamp.received_ns,
            connection_id: stamp.connection_id,
            frame_sequence: stamp.frame_sequence,
            record_index: stamp.record_index,
            origin: stamp.origin.as_str(),
            price: trade.price.units(),
            quantity: trade.quantity.units(),
            aggressor_side: trade.aggressor_side.as_str(),
            cumulative_volume: trade.cumulative_volume.units(),
            cumulative_value: trade.cumulative_value.units(),
            cumulative_value_step: trade.cumulative_value_step.units(),
            best_ask: trade.best_ask.map(market::Price::units),
            best_bid: trade.best_bid.map(market::Price::units),
            session: trade.session.as_str(),
            session_codes: trade.session_codes,
            halted: trade.halted,
            stream: position.stream,
            epoch: position.epoch,
            stream_sequence: position.stream_sequence,
            event_id: position.event_id,
        }
    }
}

/// A row of `order_books`. The fields are the columns.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Row)]
pub struct OrderBookRow {
    market: &'static str,
    source: &'static str,
    tape: &'static str,
    #[serde(serialize_with = "symbol")]
    symbol: Symbol,
    trade_date: u16,
    exchange_ns: i64,
    received_ns: i64,
    connection_id: i64,
    frame_sequence: u64,
    record_index: u32,
    origin: &'static str,
    ask_prices: Ladder,
    ask_quantities: Ladder,
    bid_prices: Ladder,
    bid_quantities: Ladder,
    total_ask_quantity: i64,
    total_bid_quantity: i64,
    expected_price: Option<i64>,
    expected_quantity: i64,
    cumulative_volume: Option<i64>,
    session: &'static str,
    #[serde(serialize_with = "codes")]
    session_codes: Codes,
    #[serde(serialize_with = "text")]
    stream: Arc<str>,
    epoch: u32,
    stream_sequence: u64,
    event_id: u64,
}

impl OrderBookRow {
    /// The row of an order book.
    #[must_use]
    pub fn new(stamp: &Stamp, book: &OrderBook, position: Position) -> Self {
        Self {
            market: stamp.market.as_str(),
            source: stamp.source.as_str(),
            tape: book.at.tape.as_str(),
            symbol: book.at.symbol,
            trade_date: days(&book.at),
            exchange_ns: book.at.exchange_ns,
            received_ns: stamp.received_ns,
            connection_id: stamp.connection_id,
            frame_sequence: stamp.frame_sequence,
            record_index: stamp.record_index,
            origin: stamp.origin.as_str(),
            ask_prices: Ladder::new(&book.asks, |level| level.price.units()),
            ask_quantities: Ladder::new(&book.asks, |level| level.quantity.units()),
            bid_prices: Ladder::new(&book.bids, |level| level.price.units()),
            bid_quantities: Ladder::new(&book.bids, |level| level.quantity.units()),
            total_ask_quantity: book.total_ask_quantity.units(),
            total_bid_quantity: book.total_bid_quantity.units(),
            expected_price: book.expected_price.map(market::Price::units),
            expected_quantity: book.expected_quantity.units(),
            cumulative_volume: book.cumulative_volume.map(market::Quantity::units),
            session: book.session.as_str(),
            session_codes: book.session_codes,
            stream: position.stream,
            epoch: position.epoch,
            stream_sequence: position.stream_sequence,
            event_id: position.event_id,
        }
    }
}

/// What insert and archiver need of a row of any table.
pub trait TableRow {
    /// The table it belongs to.
    const TABLE: Table;

    /// The name of its event; two brokers give the same trade the same name.
    fn event_id(&self) -> u64;

    /// The stream it came by.
    fn stream(&self) -> &str;

    /// Its sequence in the stream.
    fn stream_sequence(&self) -> u64;

    /// Sets the epoch of the stream, which is known only after a look-up.
    fn set_epoch(&mut self, epoch: u32);
}

impl TableRow for TradeRow {
    const TABLE: Table = Table::Trades;

    fn event_id(&self) -> u64 {
        self.event_id
    }

    fn stream(&self) -> &str {
        &self.stream
    }

    fn stream_sequence(&self) -> u64 {
        self.stream_sequence
    }

    fn set_epoch(&mut self, epoch: u32) {
        self.epoch = epoch;
    }
}

impl TableRow for OrderBookRow {
    const TABLE: Table = Table::OrderBooks;

    fn event_id(&self) -> u64 {
        self.event_id
    }

    fn stream(&self) -> &str {
        &self.stream
    }

    fn stream_sequence(&self) -> u64 {
        self.stream_sequence
    }

    fn set_epoch(&mut self, epoch: u32) {
        self.epoch = epoch;
    }
}

/// One column of a side of a book: prices or quantities. An array in SQL, no allocation here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ladder {
    values: [i64; Levels::MAX],
    count: usize,
}

impl Ladder {
    fn new(levels: &Levels, value: impl Fn(&Level) -> i64) -> Self {
        let mut ladder = Self { values: [0; Levels::MAX], count: levels.as_slice().len() };
        for (slot, level) in ladder.values.iter_mut().zip(levels.as_slice()) {
            *slot = value(level);
        }
        ladder
    }
}

impl Serialize for Ladder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A sequence and not a tuple: an array is written with its length in front.
        let mut sequence = serializer.serialize_seq(Some(self.count))?;
        for value in &self.values[..self.count] {
            sequence.serialize_element(value)?;
        }
        sequence.end()
    }
}

fn days(at: &At) -> u16 {
    // A trade date is 0 to 65,535 days from 1970 by construction.
    u16::try_from(at.trade_date.days_since_epoch()).unwrap_or(u16::MAX)
}

fn symbol<S: Serializer>(symbol: &Symbol, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(symbol.as_str())
}

fn codes<S: Serializer>(codes: &Codes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(codes.as_str())
}

fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

#[cfg(test)]
pub(crate) mod tests;
