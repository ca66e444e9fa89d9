//! A Kiwoom frame to what it holds: split, then each row on its own, so that a bad one harms no other.

use market::calendar::{Calendar, SessionClock};
use serde_json::value::RawValue;

use super::field::tolerated;
use super::frame::{self, Row};
use super::kind::Shape;
use super::{book, trade};
use crate::feed::{FrameParser, Item, Refusal, Summary};
use crate::field::FieldError;

/// Parses REAL frames of every type. Holds the calendar; no clock, no I/O.
#[derive(Debug)]
pub struct KiwoomParser {
    clock: SessionClock,
}

impl KiwoomParser {
    /// A parser on a calendar.
    #[must_use]
    pub fn new(calendar: Calendar) -> Self {
        Self { clock: SessionClock::new(calendar) }
    }

    fn row(&mut self, raw: &RawValue, received_ns: i64, summary: &mut Summary) -> Item {
        let row = match Row::read(raw) {
            Ok(row) => row,
            Err(detail) => {
                let raw = Some(raw.get().to_owned());
                return Item::Refused(Refusal { reason: "row", detail, instrument: None, raw });
            }
        };
        summary.what =
            if summary.records == 0 || summary.what == row.kind.code { row.kind.code } else { "several" };
        summary.width = summary.width.max(row.width);
        if let Some(what) = row.tolerated {
            tolerated(what);
        }
        let read = match row.kind.shape {
            Shape::Apart(name) => return Item::Apart(name),
            Shape::Trade => trade::parse(&row, received_ns, &mut self.clock),
            Shape::Book => book::parse(&row, received_ns, &mut self.clock).map(Item::OrderBook),
        };
        summary.extra_fields = summary.extra_fields.max(row.unknown);
        read.unwrap_or_else(|error| Item::Refused(refused(&row, &error)))
    }
}

impl FrameParser for KiwoomParser {
    fn parse(&mut self, text: &str, received_ns: i64, items: &mut Vec<Item>) -> Result<Summary, Refusal> {
        let mut summary =
            Summary { what: "control", records: 0, width: 0, extra_fields: 0, count_was_wrong: false };
        if let Some(rows) = frame::split(text)? {
            summary.what = "REAL";
            for raw in rows {
                items.push(self.row(raw, received_ns, &mut summary));
                summary.records += 1;
            }
        }
        Ok(summary)
    }
}

fn refused(row: &Row<'_>, error: &FieldError) -> Refusal {
    Refusal {
        reason: "field",
        detail: error.to_string(),
        instrument: row.instrument().ok(),
        raw: Some(row.raw.to_owned()),
    }
}
