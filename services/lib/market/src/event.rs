//! The envelope around a trade, a book or a status, and the names by which each is told from every other.

use std::fmt::Write as _;

use twox_hash::XxHash3_64;

use crate::book::OrderBook;
use crate::instrument::{Market, Source, words};
use crate::status::Status;
use crate::trade::Trade;

words! {
    /// How an event came to us.
    Origin {
        /// From the broker's live feed.
        Live = "live",
        /// Fetched after the fact.
        Recovered = "recovered",
    }
}

/// Which frame an event was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The market of the feed.
    pub market: Market,
    /// The broker.
    pub source: Source,
    /// When the frame was read from the socket, UTC ns; stamped once, before parsing.
    pub received_ns: i64,
    /// The connection: its connect time, UTC ns.
    pub connection_id: i64,
    /// The frame's number within its connection, from 1.
    pub frame_sequence: u64,
    /// The record's number within its frame, from 0.
    pub record_index: u32,
    /// Live or recovered.
    pub origin: Origin,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "most events are books: a box would cost an allocation each")]
pub enum Body {
    /// One execution.
    Trade(Trade),
    /// A book snapshot.
    OrderBook(OrderBook),
    /// A change in the state of a feed.
    Status(Status),
}

/// One message on the bus. Never changes once made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which frame it was read from.
    pub stamp: Stamp,
    /// What happened.
    pub body: Body,
}

impl Event {
    /// The message id: equal for two copies of one event, different for two events.
    ///
    /// A trade is named by what it is, so that a second reading of the same print has the same name; a book and a
    /// status are named by the frame that brought them.
    #[must_use]
    pub fn message_id(&self) -> String {
        let stamp = &self.stamp;
        let frame = (stamp.connection_id, stamp.frame_sequence, stamp.record_index);
        let mut id = String::with_capacity(96);
        // Writing to a String cannot fail.
        let _infallible = match &self.body {
            Body::Trade(trade) => write!(
                id,
                "t:{}:{}:{}:{}:{}:{}:{}",
                trade.at.symbol,
                trade.at.tape,
                trade.at.trade_date.yyyymmdd(),
                trade.cumulative_volume,
                trade.at.exchange_ns,
                trade.price,
                trade.quantity
            ),
            Body::OrderBook(_) => write!(id, "b:{}:{}:{}", frame.0, frame.1, frame.2),
            Body::Status(status) => write!(id, "s:{}:{}:{}:{}", frame.0, frame.1, frame.2, status.what()),
        };
        id
    }
}

/// The 64-bit name stored in every row: xxh3 of the message id.
#[must_use]
pub fn event_id(message_id: &str) -> u64 {
    XxHash3_64::oneshot(message_id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AggressorSide, At, Codes, Levels, Price, Quantity, Session, Symbol, Tape, TradeDate, Value};

    fn stamp() -> Stamp {
        Stamp {
            market: Market::Kr,
            source: Source::Kis,
            received_ns: 1_795_478_430_123_456_789,
            connection_id: 1_795_478_000_000_000_001,
            frame_sequence: 42,
            record_index: 1,
            origin: Origin::Live,
        }
    }

    fn at() -> At {
        At {
            tape: Tape::Krx,
            symbol: Symbol::parse("005930").expect("symbol"),
            trade_date: TradeDate::parse("20261124").expect("date"),
            exchange_ns: 1_795_478_430_000_000_000,
        }
    }

    #[test]
    fn a_trade_is_named_by_what_it_is() {
        let trade = Trade {
            at: at(),
            price: Price::from_units(700_005_000),
            quantity: Quantity::from_units(3),
            aggressor_side: AggressorSide::Buy,
            cumulative_volume: Quantity::from_units(1_000),
            cumulative_value: Value::ZERO,
            cumulative_value_step: Value::ONE,
            best_ask: None,
            best_bid: None,
            session: Session::Continuous,
            session_codes: Codes::default(),
            halted: false,
        };
        let id = Event { stamp: stamp(), body: Body::Trade(trade) }.message_id();
        assert_eq!(id, "t:005930:krx:20261124:1000:1795478430000000000:70000.5:3");
        let again = Stamp { connection_id: 7, frame_sequence: 1, ..stamp() };
        assert_eq!(Event { stamp: again, body: Body::Trade(trade) }.message_id(), id);
    }

    #[test]
    fn a_book_is_named_by_its_frame() {
        let book = OrderBook {
            at: at(),
            asks: Levels::default(),
            bids: Levels::default(),
            total_ask_quantity: Quantity::ZERO,
            total_bid_quantity: Quantity::ZERO,
            expected_price: None,
            expected_quantity: Quantity::ZERO,
            cumulative_volume: None,
            session: Session::Continuous,
            session_codes: Codes::default(),
        };
        let id = Event { stamp: stamp(), body: Body::OrderBook(book) }.message_id();
        assert_eq!(id, "b:1795478000000000001:42:1");
    }

    #[test]
    fn the_event_id_never_changes() {
        // Stored in every row: another hash would make every archived row a stranger.
        // The value is that of the reference implementation (python-xxhash).
        assert_eq!(event_id("b:1795478000000000001:42:1"), 11_343_449_299_502_766_430);
    }
}
