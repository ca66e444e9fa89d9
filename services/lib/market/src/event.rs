//! The envelope around a trade, a book or a status, and the names by which each is told from every other.

use std::fmt::Write as _;

use twox_hash::XxHash3_64;

use crate::book::OrderBook;
use crate::instrument::{Market, Source, words};
use crate::recovery::{DayTotal, MissingVolume, Recovery};
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
    /// A trade is named by what it is, so that a second reading of the same print has the same name, and so is what is
    /// said of missing volume, which no frame brings; a book and every other status are named by the frame that brought
    /// them.
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
            Body::Status(status) => match of_volume(status) {
                Some(of_volume) => write!(id, "{of_volume}"),
                None => write!(id, "s:{}:{}:{}:{}", frame.0, frame.1, frame.2, status.what()),
            },
        };
        id
    }
}

/// The message id of what is said of missing volume; none = the status speaks of something else.
///
/// Market and broker are not in it: the tape tells the market, and of two brokers that say the same one is enough.
fn of_volume(status: &Status) -> Option<String> {
    let ((tape, symbol), day) = (status.instrument()?, status.trade_date()?.yyyymmdd());
    let what = status.what();
    Some(match status {
        Status::GapOpened(gap) | Status::GapClosed(gap) => {
            let MissingVolume { after, until, residue, .. } = gap.volume?;
            let residue = residue.map(|shares| shares.to_string()).unwrap_or_default();
            format!("g:{symbol}:{tape}:{day}:{after}:{until}:{what}:{residue}")
        }
        Status::Recovery(Recovery { after, until, started_ns, .. }) => {
            format!("y:{symbol}:{tape}:{day}:{after}:{until}:{started_ns}")
        }
        Status::DayTotal(DayTotal { volume, is_final, off_hours, .. }) => {
            format!("d:{symbol}:{tape}:{day}:{volume}:{is_final}:{off_hours}")
        }
        Status::LinkUp { .. }
        | Status::LinkDown { .. }
        | Status::Refused { .. }
        | Status::Silent { .. }
        | Status::Ownership { .. } => return None,
    })
}

/// The 64-bit name stored in every row: xxh3 of the message id.
#[must_use]
pub fn event_id(message_id: &str) -> u64 {
    XxHash3_64::oneshot(message_id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AggressorSide, At, Codes, Gap, GapReason, Levels, Method, Price, Proof, Quantity, Session, Symbol,
        Tape, TradeDate, Value,
    };

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

    fn id_of(status: Status) -> String {
        Event { stamp: stamp(), body: Body::Status(status) }.message_id()
    }

    #[test]
    fn what_is_said_of_missing_volume_is_named_by_what_it_says() {
        let shares = Quantity::from_units;
        let instrument = (Tape::Krx, Symbol::parse("005930").expect("symbol"));
        let (trade_date, after, until) = (at().trade_date, shares(1_000), shares(1_250));
        let gap = |residue| Gap {
            reason: GapReason::ChainBreak,
            connection: None,
            instrument: Some(instrument),
            from_ns: 1,
            until_ns: Some(2),
            detail: "whatever".to_owned(),
            volume: Some(MissingVolume { trade_date, after, until, residue }),
        };
        assert_eq!(id_of(Status::GapOpened(gap(None))), "g:005930:krx:20261124:1000:1250:gap_opened:");
        assert_eq!(
            id_of(Status::GapOpened(gap(Some(shares(7))))),
            "g:005930:krx:20261124:1000:1250:gap_opened:7"
        );
        assert_eq!(
            id_of(Status::GapClosed(gap(Some(shares(0))))),
            "g:005930:krx:20261124:1000:1250:gap_closed:0"
        );
        let of_a_frame = Gap { volume: None, ..gap(None) };
        assert_eq!(id_of(Status::GapOpened(of_a_frame)), "s:1795478000000000001:42:1:gap_opened");
        let recovery = Recovery {
            instrument,
            trade_date,
            after,
            until,
            method: Method::Ka10084,
            asked: 3,
            returned: 300,
            added: 12,
            added_volume: shares(250),
            residue: 0,
            proof: Proof::Chained,
            started_ns: 1_795_500_000_000_000_000,
            detail: String::new(),
        };
        assert_eq!(id_of(Status::Recovery(recovery)), "y:005930:krx:20261124:1000:1250:1795500000000000000");
        let total = DayTotal {
            instrument,
            trade_date,
            volume: shares(9_000),
            method: Method::Ka10084,
            is_final: true,
            off_hours: shares(40),
        };
        assert_eq!(id_of(Status::DayTotal(total)), "d:005930:krx:20261124:9000:true:40");
    }

    #[test]
    fn the_event_id_never_changes() {
        // Stored in every row: another hash would make every archived row a stranger.
        // The value is that of the reference implementation (python-xxhash).
        assert_eq!(event_id("b:1795478000000000001:42:1"), 11_343_449_299_502_766_430);
    }
}
