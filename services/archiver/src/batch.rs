//! Deliveries into rows, sorted by table; what cannot be read is kept with its reason. No I/O.
//!
//! When a batch is full is decided where it is pulled (`bus::consumer::BatchLimits`).

use std::sync::Arc;

use bus::{DecodeError, Delivery, StreamMessage};
use market::{Body, Event, Origin, Stamp};
use store::{FeedStatusRow, OrderBookRow, Position, TableRow, TradeRow};

use crate::epoch::Fate;

/// The rows of one table, and the delivery that each came with.
#[derive(Debug)]
pub struct Lane<R> {
    /// Rows in the order of the stream.
    pub rows: Vec<R>,
    /// For each row the index of its delivery.
    pub deliveries: Vec<usize>,
    /// How many may come.
    most: usize,
}

/// What the deliveries of a batch are.
#[derive(Debug)]
pub struct Batch {
    /// Rows of `trades`.
    pub trades: Lane<TradeRow>,
    /// Rows of `order_books`.
    pub books: Lane<OrderBookRow>,
    /// Rows of `feed_status`.
    pub statuses: Lane<FeedStatusRow>,
    /// Deliveries, by index, that are no events, and why.
    pub unreadable: Vec<(usize, DecodeError)>,
    /// When the first of the live events came to its service, UTC ns.
    pub oldest_live_ns: Option<i64>,
}

impl Batch {
    /// Reads messages, which are in rising order of their sequences. The epoch of the rows is set later, when it is
    /// known.
    pub fn read(stream: &Arc<str>, messages: &[impl AsRef<StreamMessage>]) -> Self {
        let most = messages.len();
        let mut batch = Self {
            trades: Lane::new(most),
            books: Lane::new(most),
            statuses: Lane::new(most),
            unreadable: Vec::new(),
            oldest_live_ns: None,
        };
        for (index, message) in messages.iter().enumerate() {
            let message = message.as_ref();
            let position = |event_id| Position {
                stream: Arc::clone(stream),
                epoch: 0,
                stream_sequence: message.stream_sequence,
                event_id,
            };
            let read = read(message.payload(), message.message_id());
            if let Ok((Event { stamp: Stamp { origin: Origin::Live, received_ns, .. }, .. }, _)) = &read {
                batch.oldest_live_ns.get_or_insert(*received_ns);
            }
            match read {
                Ok((Event { stamp, body: Body::Trade(trade) }, id)) => {
                    batch.trades.push(TradeRow::new(&stamp, &trade, position(id)), index);
                }
                Ok((Event { stamp, body: Body::OrderBook(book) }, id)) => {
                    batch.books.push(OrderBookRow::new(&stamp, &book, position(id)), index);
                }
                Ok((Event { stamp, body: Body::Status(status) }, id)) => {
                    let row = FeedStatusRow::new(&stamp, &status, message.payload(), position(id));
                    batch.statuses.push(row, index);
                }
                Err(error) => match newer_status(message) {
                    Some((stamp, what, id)) => {
                        let row = FeedStatusRow::unknown(&stamp, what, message.payload(), position(id));
                        batch.statuses.push(row, index);
                    }
                    None => batch.unreadable.push((index, error)),
                },
            }
        }
        batch
    }
}

/// A status of a newer version: its stamp, its kind by its subject, and its id.
fn newer_status(message: &StreamMessage) -> Option<(Stamp, &str, u64)> {
    let kind = message.subject().strip_prefix("status.")?;
    let what = kind.rsplit('.').next().filter(|what| !what.is_empty())?;
    let stamp = bus::decode_stamp(message.payload()).ok()?;
    let id = match message.message_id() {
        Some(id) => market::event::event_id(id),
        None => {
            let Stamp { connection_id, frame_sequence, record_index, .. } = stamp;
            market::event::event_id(&format!("s:{connection_id}:{frame_sequence}:{record_index}:{what}"))
        }
    };
    Some((stamp, what, id))
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
    /// No rows yet, at most `most` to come.
    pub const fn new(most: usize) -> Self {
        Self { rows: Vec::new(), deliveries: Vec::new(), most }
    }

    /// Adds a row and the index of its delivery. The first one makes room for all: a stream is rows of one table, and a
    /// list that grows by itself takes up to twice what it needs.
    pub fn push(&mut self, row: R, delivery: usize) {
        if self.rows.is_empty() {
            self.rows.reserve_exact(self.most);
            self.deliveries.reserve_exact(self.most);
        }
        self.rows.push(row);
        self.deliveries.push(delivery);
    }

    /// Sequence and event id of each row.
    pub fn names(&self) -> Vec<(u64, u64)> {
        self.rows.iter().map(|row| (row.stream_sequence(), row.event_id())).collect()
    }

    /// Keeps the rows that are new and puts each under the epoch of its sequence.
    pub fn keep_new(&mut self, fates: &[Fate], epoch_of: impl Fn(u64) -> u32) {
        let is_new = |index: &usize| fates.get(*index) == Some(&Fate::New);
        let mut index = 0..;
        self.rows.retain(|_| index.next().is_some_and(|index| is_new(&index)));
        let mut index = 0..;
        self.deliveries.retain(|_| index.next().is_some_and(|index| is_new(&index)));
        for row in &mut self.rows {
            row.set_epoch(epoch_of(row.stream_sequence()));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use market::{
        AggressorSide, At, Codes, Market, Price, Quantity, Session, Source, Symbol, Tape, Trade, TradeDate,
        Value,
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
    fn a_status_of_any_kind_is_a_row_and_what_is_no_event_is_not() {
        let status = Event {
            body: Body::Status(market::Status::LinkDown {
                connection: "main".to_owned(),
                reason: "reset".to_owned(),
            }),
            ..event()
        };
        // The stamp of an event, and a body that no version has yet: field 14 (status) with field 99 in it.
        let stamp = &bus::encode(&status)[..];
        let end = stamp.windows(2).position(|at| at[0] == 0x72).expect("status");
        let mut newer = stamp[..end].to_vec();
        newer.extend_from_slice(&[0x72, 0x05, 0x9a, 0x06, 0x02, 0x08, 0x01]);
        let messages = [
            StreamMessage::new("status.kr.kis.link_down", Some("s:1"), stamp, 1, 1),
            StreamMessage::new("status.kr.kis.eclipse", Some("s:2"), &newer, 2, 1),
            StreamMessage::new("status.kr.kis.link_up", Some("s:3"), b"\xff", 3, 1),
            StreamMessage::new("ticker.kr.kis.005930.krx", Some("s:4"), &newer, 4, 1),
        ];
        let batch = Batch::read(&Arc::from("STATUS"), &messages);
        assert_eq!(batch.statuses.names().iter().map(|name| name.0).collect::<Vec<_>>(), [1, 2]);
        assert!(format!("{:?}", batch.statuses.rows[1]).contains("what: \"eclipse\""));
        assert_eq!(batch.unreadable.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn only_new_rows_are_kept_and_each_with_its_delivery() {
        let mut lane = Lane::new(4);
        for (row, delivery) in [(row(1, 11), 0), (row(2, 12), 2), (row(3, 13), 3), (row(4, 14), 5)] {
            lane.push(row, delivery);
        }
        let epoch_of = |sequence| if sequence < 4 { 6 } else { 7 };
        lane.keep_new(&[Fate::New, Fate::Known, Fate::Repeated, Fate::New], epoch_of);
        assert_eq!(lane.names(), [(1, 11), (4, 14)]);
        assert_eq!(lane.deliveries, [0, 5]);
        let mut expected = row(4, 14);
        expected.set_epoch(7);
        assert_eq!(lane.rows[1], expected);
    }
}
