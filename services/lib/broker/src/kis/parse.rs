//! A KIS frame to what it holds: split, then each record on its own, so that a bad one harms no other.

use market::calendar::{Calendar, SessionClock};

use super::field::Fields;
use super::frame::{Record, Splitter};
use super::tr::{Shape, Tr};
use super::{kr_book, kr_trade, us, us_book, us_trade};
use crate::feed::{FrameParser, Item, Refusal, Summary};
use crate::field::FieldError;

/// Parses frames of every TR. Holds scratch memory and the calendar; no clock, no I/O.
#[derive(Debug)]
pub struct KisParser {
    splitter: Splitter,
    clock: SessionClock,
}

impl KisParser {
    /// A parser on a calendar.
    #[must_use]
    pub fn new(calendar: Calendar) -> Self {
        Self { splitter: Splitter::default(), clock: SessionClock::new(calendar) }
    }
}

impl FrameParser for KisParser {
    fn parse(&mut self, text: &str, received_ns: i64, items: &mut Vec<Item>) -> Result<Summary, Refusal> {
        let frame = self.splitter.split(text).map_err(|error| Refusal {
            reason: error.reason(),
            detail: error.to_string(),
            instrument: None,
            raw: None,
        })?;
        for record in frame.records() {
            let fields = Fields { tr: frame.tr.id, record };
            let item = read(frame.tr, &fields, received_ns, &mut self.clock);
            items.push(item.unwrap_or_else(|error| Item::Refused(refused(frame.tr, &record, &error))));
        }
        Ok(Summary {
            what: frame.tr.id,
            records: frame.len(),
            width: frame.width,
            extra_fields: frame.extra_fields(),
            count_was_wrong: frame.count_was_wrong,
        })
    }
}

fn read(
    tr: &'static Tr,
    fields: &Fields<'_>,
    received_ns: i64,
    clock: &mut SessionClock,
) -> Result<Item, FieldError> {
    Ok(match tr.shape {
        Shape::KrTrade => Item::Trade(kr_trade::parse(fields, tr.tape, clock)?, None),
        Shape::KrBook => Item::OrderBook(kr_book::parse(fields, tr.tape, received_ns, clock)?),
        Shape::UsTrade => {
            let (trade, sides) = us_trade::parse(fields, clock)?;
            Item::Trade(trade, Some(sides))
        }
        Shape::UsBook => Item::OrderBook(us_book::parse(fields, clock)?),
        Shape::Expected => Item::Apart("expected_price"),
        Shape::MarketStatus => Item::Apart("market_status"),
    })
}

fn refused(tr: &'static Tr, record: &Record<'_>, error: &FieldError) -> Refusal {
    let (tape, symbol) = match tr.shape {
        Shape::UsTrade | Shape::UsBook => (us::tape_of_key(record.get(0)), record.get(1)),
        _ => (Some(tr.tape), record.get(0)),
    };
    Refusal {
        reason: "field",
        detail: error.to_string(),
        instrument: tape.zip(market::Symbol::parse(symbol).ok()),
        raw: Some(record.text().to_owned()),
    }
}
