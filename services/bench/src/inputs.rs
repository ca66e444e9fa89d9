//! Pinned inputs: frames as the brokers sent or documented them, and the events that stand in them.

use anyhow::{Context as _, bail};
use broker::feed::{FrameParser, Item};
use broker::kis::parse::KisParser;
use broker::kiwoom::parse::KiwoomParser;
use market::calendar::Calendar;
use market::{Body, Event, Market, Origin, Quantity, Source, Stamp};

/// 2026-09-22T05:06:12Z, a minute after the newest book of KIS.
pub const KIS_RECEIVED_NS: i64 = 1_790_053_572_000_000_000;
/// 2026-07-20T07:52:09Z, a second after the documented trade of Kiwoom.
pub const KIWOOM_RECEIVED_NS: i64 = 1_784_533_929_000_000_000;

/// Trades of Korea with 47 fields, the newest form.
pub const KIS_TRADES: &str = include_str!("../../lib/broker/fixtures/kis/h0stcnt0_47.txt");
/// Trades of Korea as they came until September 2026, one to four in a frame.
pub const KIS_TRADES_46: &str = include_str!("../../lib/broker/fixtures/kis/h0stcnt0_46.txt");
/// The newest book of Korea.
pub const KIS_BOOKS: &str = include_str!("../../lib/broker/fixtures/kis/h0stasp0_63.txt");
/// Books of Korea, older forms.
pub const KIS_BOOKS_59: &str = include_str!("../../lib/broker/fixtures/kis/h0stasp0_59.txt");
/// Books of Korea, older forms.
pub const KIS_BOOKS_62: &str = include_str!("../../lib/broker/fixtures/kis/h0stasp0_62.txt");
/// Trades of the US.
pub const US_TRADES: &str = include_str!("../../lib/broker/fixtures/kis/hdfscnt0_26.txt");
/// Books of the US.
pub const US_BOOKS: &str = include_str!("../../lib/broker/fixtures/kis/hdfsasp0_71.txt");
/// Trades of Kiwoom.
pub const KIWOOM_TRADES: &str = include_str!("../../lib/broker/fixtures/kiwoom/0b_captured.txt");
/// A book of Kiwoom.
pub const KIWOOM_BOOKS: &str = include_str!("../../lib/broker/fixtures/kiwoom/0d_official.txt");

/// The frames of a file, one to a line.
pub fn frames(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty())
}

/// A parser of KIS, as a service has one.
pub fn kis() -> KisParser {
    KisParser::new(Calendar::built_in().clone())
}

/// A parser of Kiwoom, as a service has one.
pub fn kiwoom() -> KiwoomParser {
    KiwoomParser::new(Calendar::built_in().clone())
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An execution.
    Trade,
    /// A book of ten levels.
    Book,
}

impl Kind {
    /// The name of its figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::Book => "book",
        }
    }

    /// The stream that keeps those of KIS and Korea.
    pub const fn stream(self) -> &'static str {
        match self {
            Self::Trade => "TICKER_KR_KIS",
            Self::Book => "ORDERBOOK_KR_KIS",
        }
    }

    const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Trade => &[KIS_TRADES, KIS_TRADES_46],
            Self::Book => &[KIS_BOOKS, KIS_BOOKS_62, KIS_BOOKS_59],
        }
    }
}

/// Events without end: those of the captured frames in turns, each time with a number, times and a cumulative volume of
/// its own, so that no two have the same name.
#[derive(Debug, Clone)]
pub struct Events {
    base: Vec<Event>,
    next: u64,
}

impl Events {
    /// Those of a kind.
    ///
    /// # Errors
    /// When a captured frame cannot be read.
    pub fn of(kind: Kind) -> anyhow::Result<Self> {
        let (mut parser, mut items, mut base) = (kis(), Vec::new(), Vec::new());
        for frame in kind.files().iter().flat_map(|file| frames(file)) {
            let summary = parser.parse(frame, KIS_RECEIVED_NS, &mut items);
            summary.map_err(|refusal| anyhow::anyhow!("{}: {frame}", refusal.detail))?;
        }
        for item in items {
            let body = match (kind, item) {
                (Kind::Trade, Item::Trade(trade, _)) => Body::Trade(trade),
                (Kind::Book, Item::OrderBook(book)) => Body::OrderBook(book),
                (_, item) => bail!("a {} was expected: {item:?}", kind.name()),
            };
            // Prints that differ in their cumulative volume alone would come to the same one, and so to the same name.
            let like = |other: &Event| match (&other.body, &body) {
                (Body::Trade(a), Body::Trade(b)) => {
                    (&a.at, a.price, a.quantity) == (&b.at, b.price, b.quantity)
                }
                _ => false,
            };
            if !base.iter().any(like) {
                base.push(Event { stamp: stamp(), body });
            }
        }
        Ok(Self { base, next: 0 })
    }

    /// The next event; the number is its own in this sequence, from 1.
    pub fn next(&mut self) -> anyhow::Result<(u64, &Event)> {
        let turn = u64::try_from(self.base.len())?;
        let index = usize::try_from(self.next % turn)?;
        self.next += 1;
        let number = self.next;
        let event = self.base.get_mut(index).context("no event")?;
        event.stamp.frame_sequence = number;
        event.stamp.received_ns += 1_000_000;
        if let Body::Trade(trade) = &mut event.body {
            let volume = trade.cumulative_volume.checked_add(Quantity::from_units(10));
            trade.cumulative_volume = volume.context("cumulative volume")?;
        }
        Ok((number, event))
    }
}

fn stamp() -> Stamp {
    Stamp {
        market: Market::Kr,
        source: Source::Kis,
        received_ns: KIS_RECEIVED_NS,
        connection_id: KIS_RECEIVED_NS - 60_000_000_000,
        frame_sequence: 0,
        record_index: 0,
        origin: Origin::Live,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_events_have_the_same_name_and_books_have_ten_levels() -> anyhow::Result<()> {
        for (kind, turn) in [(Kind::Trade, 31), (Kind::Book, 9)] {
            let mut events = Events::of(kind)?;
            assert_eq!(events.base.len(), turn);
            let mut names = HashSet::new();
            for number in 1..=1_000 {
                let (found, event) = events.next()?;
                assert_eq!(found, number);
                assert!(names.insert(event.message_id()), "{}", event.message_id());
                if let Body::OrderBook(book) = &event.body {
                    assert_eq!((book.asks.as_slice().len(), book.bids.as_slice().len()), (10, 10));
                }
            }
        }
        Ok(())
    }
}
