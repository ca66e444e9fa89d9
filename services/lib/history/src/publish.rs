//! Recovered trades and what is said of them → messages, stored by JetStream when [`Recorder::publish`] returns.
//!
//! One publisher, one order: of what was handed over, a kill leaves a beginning. Trades go before the statuses that speak of
//! them, so a status in the archive without its trades is the mark of a loss and not of a kill.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bus::publisher::Outgoing;
use bus::{ConnectError, DrainError, NatsSettings, PublishError, Publisher};
use market::{At, Body, Codes, Event, Market, Origin, Source, Stamp, Status, Trade, Value};
use store::history::InstrumentDay;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::row::Row;

/// The user on the bus: who may publish recovered trades and gaps, and nothing else.
pub const USER: &str = "gap-finder";

/// Why messages are not known to be stored.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A message that no server takes.
    #[error(transparent)]
    Message(#[from] PublishError),
    /// Nothing was stored for too long.
    #[error(
        "nothing was stored for {} s: {problem}: is nats-server running, and may user gap-finder publish (nats/permissions.conf)?",
        limit.as_secs()
    )]
    Stalled {
        /// How long it was waited for.
        limit: Duration,
        /// What stands in the way.
        problem: String,
    },
    /// What was left when the time was over.
    #[error(transparent)]
    Drain(#[from] DrainError),
}

/// Publishes for one run. Many instruments share it, one at a time.
pub struct Recorder {
    publisher: Mutex<Publisher<u64>>,
    /// The run, as a connection of its own: when it began, UTC ns.
    run_ns: i64,
    sequence: AtomicU64,
    stall_limit: Duration,
}

impl Recorder {
    /// A recorder of a run that begins at `run_ns`. Connects when it is first used.
    ///
    /// # Errors
    /// [`ConnectError`] when the settings cannot be meant.
    pub fn new(settings: &NatsSettings, run_ns: i64, stall_limit: Duration) -> Result<Self, ConnectError> {
        let publisher = Mutex::new(Publisher::new(settings, USER)?);
        Ok(Self { publisher, run_ns, sequence: AtomicU64::new(0), stall_limit })
    }

    fn stamp(&self, market: Market, source: Source, received_ns: i64) -> Stamp {
        Stamp {
            market,
            source,
            received_ns,
            connection_id: self.run_ns,
            frame_sequence: self.sequence.fetch_add(1, Ordering::Relaxed) + 1,
            record_index: 0,
            origin: Origin::Recovered,
        }
    }

    /// A recovered trade; none for a row whose cumulative volume was not found.
    #[must_use]
    pub fn trade(&self, of: &InstrumentDay, source: Source, row: &Row) -> Option<Event> {
        let trade = trade(of, row)?;
        let stamp = self.stamp(of.market(), source, row.received_ns);
        Some(Event { stamp, body: Body::Trade(trade) })
    }

    /// What is to be said, by the broker that was asked, at `now_ns`.
    #[must_use]
    pub fn status(&self, market: Market, source: Source, status: Status, now_ns: i64) -> Event {
        Event { stamp: self.stamp(market, source, now_ns), body: Body::Status(status) }
    }

    /// Publishes in order; returns when all of them are stored.
    ///
    /// # Errors
    /// [`RecordError`]; what is stored stays, and the same again is harmless.
    pub async fn publish(&self, events: impl IntoIterator<Item = Event>) -> Result<u64, RecordError> {
        let mut publisher = self.publisher.lock().await;
        let mut published = 0;
        for event in events {
            published += 1;
            match timeout(self.stall_limit, publisher.publish(Outgoing::event(&event), published)).await {
                Ok(handed_over) => handed_over?,
                Err(_) => return Err(self.stalled(&publisher)),
            }
        }
        // As long as something moves it is waited for.
        while publisher.in_flight() > 0 {
            let left = publisher.in_flight();
            if publisher.drain(Instant::now() + self.stall_limit).await.is_err()
                && publisher.in_flight() >= left
            {
                return Err(self.stalled(&publisher));
            }
        }
        Ok(published)
    }

    fn stalled(&self, publisher: &Publisher<u64>) -> RecordError {
        let problem = publisher.trouble().map_or_else(|| "no answer".to_owned(), ToString::to_string);
        RecordError::Stalled { limit: self.stall_limit, problem }
    }
}

/// The trade of a row.
fn trade(of: &InstrumentDay, row: &Row) -> Option<Trade> {
    let (cumulative_value, cumulative_value_step) =
        row.cumulative_value.unwrap_or((Value::ZERO, Value::ZERO));
    Some(Trade {
        at: At { tape: of.tape, symbol: of.symbol, trade_date: of.trade_date, exchange_ns: row.exchange_ns },
        price: row.price,
        quantity: row.quantity,
        aggressor_side: row.aggressor_side,
        cumulative_volume: row.cumulative_volume?,
        cumulative_value,
        cumulative_value_step,
        best_ask: row.best_ask,
        best_bid: row.best_bid,
        session: market::calendar::session_of(of.tape, row.exchange_ns),
        session_codes: Codes::default(),
        halted: false,
    })
}

#[cfg(test)]
mod tests {
    use market::{AggressorSide, Price, Quantity, Symbol, Tape, TradeDate};

    use super::*;

    fn of() -> InstrumentDay {
        InstrumentDay {
            tape: Tape::Nxt,
            symbol: Symbol::parse("005930").expect("symbol"),
            trade_date: TradeDate::parse("20261124").expect("date"),
        }
    }

    fn row(cumulative_volume: Option<i64>) -> Row {
        Row {
            exchange_ns: 1_795_478_430_000_000_000,
            price: Price::from_units(700_005_000),
            quantity: Quantity::from_units(3),
            aggressor_side: AggressorSide::Unspecified,
            cumulative_volume: cumulative_volume.map(Quantity::from_units),
            best_ask: None,
            best_bid: None,
            cumulative_value: None,
            received_ns: 1_795_500_000_000_000_000,
        }
    }

    #[test]
    fn a_recovered_trade_has_the_name_of_the_live_one_and_a_subject_of_its_own() {
        let recorder = Recorder::new(&NatsSettings::default(), 7, Duration::from_secs(1)).expect("recorder");
        let event = recorder.trade(&of(), Source::Kiwoom, &row(Some(1_000))).expect("event");
        assert_eq!(event.message_id(), "t:005930:nxt:20261124:1000:1795478430000000000:70000.5:3");
        assert_eq!(bus::subject(&event), "recovered.ticker.kr.kiwoom.005930.nxt");
        assert_eq!(event.stamp.received_ns, 1_795_500_000_000_000_000);
        assert_eq!((event.stamp.connection_id, event.stamp.frame_sequence), (7, 1));
        let Body::Trade(trade) = event.body else { panic!("no trade") };
        assert_eq!(trade.aggressor_side, AggressorSide::Unspecified);
        assert_eq!(trade.session, market::Session::Main);
        assert_eq!(trade.cumulative_value_step, Value::ZERO);
    }

    #[test]
    fn a_row_that_was_not_anchored_is_no_trade() {
        let recorder = Recorder::new(&NatsSettings::default(), 7, Duration::from_secs(1)).expect("recorder");
        assert_eq!(recorder.trade(&of(), Source::Kiwoom, &row(None)), None);
    }
}
