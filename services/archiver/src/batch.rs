//! Deliveries into rows, sorted by table; what cannot be read is kept with its reason. No I/O.
//!
//! When a batch is full is decided where it is pulled (`bus::consumer::BatchLimits`).

use std::sync::Arc;

use bus::DecodeError;
use bus::delivery::Delivery;
use market::{Body, Event};
use store::{OrderBookRow, Position, TableRow, TradeRow};

use crate::epoch::Fate;

/// The rows of one table, and the delivery that each came with.
#[derive(Debug)]
pub struct Lane<R> {
    /// Rows in the order of the stream.
    pub rows: Vec<R>,
    /// For each row the index of its delivery.
    pub deliveries: Vec<usize>,
}

/// Why a message is set aside.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The payload is no event.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// An event for which there is no table: a status among market data.
    #[error("no table for a status")]
    NoTable,
}

impl Unreadable {
    /// The word in metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Decode(_) => "decode",
            Self::NoTable => "no_table",
        }
    }
}

/// What the deliveries of a batch are.
#[derive(Debug)]
pub struct Batch {
    /// Rows of `trades`.
    pub trades: Lane<TradeRow>,
    /// Rows of `order_books`.
    pub books: Lane<OrderBookRow>,
    /// Deliveries, by index, that are no rows.
    pub unreadable: Vec<(usize, Unreadable)>,
}

impl Batch {
    /// Reads deliveries, which are in rising order of their sequences. The epoch of the rows is set later, when it is
    /// known.
    pub fn read(stream: &Arc<str>, deliveries: &[Delivery]) -> Self {
        let (mut trades, mut books, mut unreadable) = (Lane::new(), Lane::new(), Vec::new());
        for (index, delivery) in deliveries.iter().enumerate() {
            let position = |event_id| Position {
                stream: Arc::clone(stream),
                epoch: 0,
                stream_sequence: delivery.stream_sequence,
                event_id,
            };
            match read(&delivery.payload, delivery.message_id()) {
                Ok((Event { stamp, body: Body::Trade(trade) }, id)) => {
                    trades.push(TradeRow::new(&stamp, &trade, position(id)), index);
                }
                Ok((Event { stamp, body: Body::OrderBook(book) }, id)) => {
                    books.push(OrderBookRow::new(&stamp, &book, position(id)), index);
                }
                Ok((Event { body: Body::Status(_), .. }, _)) => {
                    unreadable.push((index, Unreadable::NoTable));
                }
                Err(error) => unreadable.push((index, error.into())),
            }
        }
        Self { trades, books, unreadable }
    }
}

/// The first and the last sequence of deliveries in rising order.
pub fn span(deliveries: &[Delivery]) -> (u64, u64) {
    let first = deliveries.first().map_or(0, |delivery| delivery.stream_sequence);
    (first, deliveries.last().map_or(0, |delivery| delivery.stream_sequence))
}

/// An event and its id. The id is the one it was published with: by that one it is known on the bus.
fn read(payload: &[u8], message_id: Option<&str>) -> Result<(Event, u64), DecodeError> {
    let event = bus::decode(payload)?;
    let id = match message_id {
        Some(id) => market::event::event_id(id),
        None => market::event::event_id(&event.message_id()),
    };
    Ok((event, id))
}

impl<R: TableRow> Lane<R> {
    /// No rows.
    pub const fn new() -> Self {
        Self { rows: Vec::new(), deliveries: Vec::new() }
    }

    /// Adds a row and the index of its delivery.
    pub fn push(&mut self, row: R, delivery: usize) {
        self.rows.push(row);
        self.deliveries.push(delivery);
    }

    /// Sequence and event id of each row.
    pub fn names(&self) -> Vec<(u64, u64)> {
        self.rows.iter().map(|row| (row.stream_sequence(), row.event_id())).collect()
    }

    /// Keeps the rows that are new and puts them under `epoch`.
    pub fn keep_new(&mut self, fates: &[Fate], epoch: u32) {
        let is_new = |index: &usize| fates.get(*index) == Some(&Fate::New);
        let mut index = 0..;
        self.rows.retain(|_| index.next().is_some_and(|index| is_new(&index)));
        let mut index = 0..;
        self.deliveries.retain(|_| index.next().is_some_and(|index| is_new(&index)));
        for row in &mut self.rows {
            row.set_epoch(epoch);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use market::{
        AggressorSide, At, Codes, Market, Origin, Price, Quantity, Session, Source, Stamp, Symbol, Tape,
        Trade, TradeDate, Value,
    };

    use super::*;

    pub(crate) fn event() -> Event {
        let stamp = Stamp {
            market: Market::Kr,
            source: Source::Kis,
            received_ns: 1_795_478_430_123_456_789,
            connection_id: 1_795_478_000_000_000_001,
            frame_sequence: 42,
            record_index: 1,
            origin: Origin::Live,
        };
        let at = At {
            tape: Tape::Krx,
            symbol: Symbol::parse("005930").expect("symbol"),
            trade_date: TradeDate::parse("20261124").expect("date"),
            exchange_ns: 1_795_478_430_000_000_000,
        };
        let trade = Trade {
            at,
            price: Price::from_units(700_005_000),
            quantity: Quantity::from_units(3),
            aggressor_side: AggressorSide::Buy,
            cumulative_volume: Quantity::from_units(1_000),
            cumulative_value: Value::from_units(10_000),
            cumulative_value_step: Value::ONE,
            best_ask: None,
            best_bid: None,
            session: Session::Continuous,
            session_codes: Codes::default(),
            halted: false,
        };
        Event { stamp, body: Body::Trade(trade) }
    }

    pub(crate) fn row(stream_sequence: u64, event_id: u64) -> TradeRow {
        let Event { stamp, body: Body::Trade(trade) } = event() else { unreachable!("a trade") };
        let position = Position { stream: Arc::from("TICKER_KR_KIS"), epoch: 0, stream_sequence, event_id };
        TradeRow::new(&stamp, &trade, position)
    }

    #[test]
    fn the_id_is_the_published_one_or_that_of_the_event() {
        let payload = bus::encode(&event());
        let (read_event, id) = read(&payload, None).expect("event");
        assert_eq!(read_event, event());
        // xxh3 of t:005930:krx:20261124:1000:1795478430000000000:70000.5:3 (python-xxhash).
        assert_eq!(id, 5_330_579_674_369_970_861);
        assert_eq!(
            read(&payload, Some("b:1795478000000000001:42:1")).expect("event").1,
            11_343_449_299_502_766_430
        );
        assert!(read(b"\xff\xff", Some("x")).is_err());
    }

    #[test]
    fn only_new_rows_are_kept_and_each_with_its_delivery() {
        let mut lane = Lane::new();
        for (row, delivery) in [(row(1, 11), 0), (row(2, 12), 2), (row(3, 13), 3), (row(4, 14), 5)] {
            lane.push(row, delivery);
        }
        lane.keep_new(&[Fate::New, Fate::Known { epoch: 1 }, Fate::Repeated, Fate::New], 7);
        assert_eq!(lane.names(), [(1, 11), (4, 14)]);
        assert_eq!(lane.deliveries, [0, 5]);
        let mut expected = row(4, 14);
        expected.set_epoch(7);
        assert_eq!(lane.rows[1], expected);
    }
}
