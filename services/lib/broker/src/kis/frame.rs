//! One KIS data frame to its records: `flag|TR id|count|field^field^…`.
//!
//! ```text
//! 0|HDFSCNT0|002|DNASAAPL^AAPL^4^20230502^…^1^DNASAAPL^AAPL^4^20230502^…^1
//! ```
//! The width of a record is derived from each frame, since records have grown without notice (46 to 47 fields on
//! 2026-09-14). Every record must begin with a plausible head; shifted fields are never handed on.

use market::Symbol;
use market::time::parse_hhmmss;

use super::tr::{ALL, Shape, Tr};

/// Where the fields of one frame lie. Kept between frames so that splitting allocates nothing.
#[derive(Debug, Default)]
pub struct Splitter {
    /// Byte after each field, in the payload.
    ends: Vec<u32>,
}

/// A frame that was split.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Its TR.
    pub tr: &'static Tr,
    /// Fields of a record.
    pub width: usize,
    /// The count in the frame was wrong and the records were found by their heads.
    pub count_was_wrong: bool,
    payload: &'a str,
    ends: &'a [u32],
}

/// One record of a frame.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    payload: &'a str,
    /// Byte at which the first field begins.
    start: u32,
    ends: &'a [u32],
}

/// Why a frame cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Neither control message nor data frame.
    #[error("not a data frame: three `|` and a flag 0 or 1 expected")]
    Form,
    /// Execution notices are encrypted; sise never asks for them.
    #[error("encrypted frame of {0}: sise asks for no notices")]
    Encrypted(String),
    /// A TR that sise does not record.
    #[error("unknown TR {0}: not one that sise records")]
    UnknownTr(String),
    /// The count is no number from 1 to 9999.
    #[error("count {0:?} is not a number of records")]
    Count(String),
    /// Count and fields disagree and the records cannot be found by their heads.
    #[error("{tr}: {fields} fields do not make {count} records of {least} to {most} fields")]
    Width {
        /// The TR id.
        tr: &'static str,
        /// Fields received.
        fields: usize,
        /// Records announced.
        count: usize,
        /// Fewest fields of a record.
        least: usize,
        /// Most fields of a record.
        most: usize,
    },
    /// No record begins as it should.
    #[error("{tr}: no record begins with a symbol and a time, but with {head:?}")]
    Head {
        /// The TR id.
        tr: &'static str,
        /// First two fields of the frame.
        head: String,
    },
}

impl FrameError {
    /// One word for counters and dead letters.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Encrypted(_) => "encrypted",
            Self::UnknownTr(_) => "unknown_tr",
            Self::Count(_) => "count",
            Self::Width { .. } => "width",
            Self::Head { .. } => "head",
        }
    }
}

impl Splitter {
    /// Splits a frame into records.
    ///
    /// # Errors
    /// [`FrameError`] when the frame is not one, or its records cannot be told apart with certainty.
    pub fn split<'a>(&'a mut self, text: &'a str) -> Result<Frame<'a>, FrameError> {
        let mut parts = text.splitn(4, '|');
        let (Some(flag), Some(id), Some(count), Some(payload)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(FrameError::Form);
        };
        match flag {
            "0" => {}
            "1" => return Err(FrameError::Encrypted(cut(id))),
            _ => return Err(FrameError::Form),
        }
        let tr = Tr::find(id).ok_or_else(|| FrameError::UnknownTr(cut(id)))?;
        let announced = read_count(count).ok_or_else(|| FrameError::Count(cut(count)))?;
        self.find_fields(payload).ok_or_else(|| FrameError::Count(cut(count)))?;
        let fields = self.ends.len();
        let frame = |width, count_was_wrong| Frame { tr, width, count_was_wrong, payload, ends: &self.ends };
        if fields.is_multiple_of(announced) && tr.accepts(fields / announced) {
            let frame = frame(fields / announced, false);
            if frame.heads_agree() {
                return Ok(frame);
            }
        }
        // Count and payload disagree: the records may still be found where the first symbol comes again.
        // (One record where several were announced is a frame cut off, not a wrong count.)
        let found = frame(fields, true).repeated_width();
        if let Some(width) = found.filter(|width| announced == 1 || *width < fields) {
            return Ok(frame(width, true));
        }
        if fields.is_multiple_of(announced) && tr.accepts(fields / announced) {
            let head = frame(fields, false).record_at(0);
            return Err(FrameError::Head {
                tr: tr.id,
                head: cut(&format!("{}^{}", head.get(0), head.get(1))),
            });
        }
        let most = tr.newest + super::tr::GROWTH;
        Err(FrameError::Width { tr: tr.id, fields, count: announced, least: tr.least, most })
    }

    /// Notes the end of each field; nothing when the payload is longer than 4 GiB.
    fn find_fields(&mut self, payload: &str) -> Option<()> {
        let length = u32::try_from(payload.len()).ok()?;
        self.ends.clear();
        // Positions are below `length`, which fits.
        self.ends.extend(
            memchr::memchr_iter(b'^', payload.as_bytes()).map(|at| u32::try_from(at).unwrap_or(length)),
        );
        self.ends.push(length);
        Some(())
    }
}

impl<'a> Frame<'a> {
    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len() / self.width
    }

    /// Whether there is no record; never true of a frame that was split.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The records, in wire order.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let (payload, ends, width) = (self.payload, self.ends, self.width);
        (0..ends.len() / width).map(move |index| record(payload, ends, index * width, width))
    }

    /// Fields of a record beyond the newest known list.
    #[must_use]
    pub fn extra_fields(&self) -> usize {
        self.width.saturating_sub(self.tr.newest)
    }

    fn record_at(&self, field: usize) -> Record<'a> {
        record(self.payload, self.ends, field, self.ends.len() - field)
    }

    /// Every record begins with a plausible symbol, and one at least with a valid time beside it. A single wrong
    /// time is the fault of its record, not of the split.
    fn heads_agree(&self) -> bool {
        let shape = self.tr.shape;
        let mut one_whole = false;
        for record in self.records() {
            if !symbol_fits(shape, &record) {
                return false;
            }
            one_whole |= head_fits(shape, &record);
        }
        one_whole && !self.symbol_recurs_inside()
    }

    /// The first record's symbol stands again, with a whole head, at a distance of a known width inside a record.
    fn symbol_recurs_inside(&self) -> bool {
        let first = self.record_at(0).get(0);
        ALL.iter().filter(|tr| tr.shape == self.tr.shape).any(|tr| {
            [tr.least, tr.newest].into_iter().filter(|known| *known < self.width).any(|known| {
                let inside = self.record_at(known);
                inside.get(0) == first && head_fits(self.tr.shape, &inside)
            })
        })
    }

    /// The constant distance at which whole heads follow each other, if there is one that the TR may have.
    fn repeated_width(&self) -> Option<usize> {
        let first = self.record_at(0);
        let shape = self.tr.shape;
        if !head_fits(shape, &first) {
            return None;
        }
        let total = self.ends.len();
        let starts_record = |field: usize| {
            let record = self.record_at(field);
            record.get(0) == first.get(0) && head_fits(shape, &record)
        };
        let width = (self.tr.least..total).find(|field| starts_record(*field)).unwrap_or(total);
        let whole = total.is_multiple_of(width) && self.tr.accepts(width);
        (whole && (0..total / width).all(|index| starts_record(index * width))).then_some(width)
    }
}

impl<'a> Record<'a> {
    /// Field `index`, from 0; empty text beyond the record's end.
    #[must_use]
    pub fn get(&self, index: usize) -> &'a str {
        let Some(end) = self.ends.get(index) else { return "" };
        let start = match index {
            0 => self.start,
            _ => self.ends[index - 1] + 1,
        };
        self.payload.get(start as usize..*end as usize).unwrap_or("")
    }

    /// The record as received.
    #[must_use]
    pub fn text(&self) -> &'a str {
        let end = self.ends.last().copied().unwrap_or(self.start);
        self.payload.get(self.start as usize..end as usize).unwrap_or("")
    }

    /// Number of fields.
    #[must_use]
    pub fn width(&self) -> usize {
        self.ends.len()
    }
}

fn record<'a>(payload: &'a str, ends: &'a [u32], first: usize, width: usize) -> Record<'a> {
    let start = if first == 0 { 0 } else { ends[first - 1] + 1 };
    Record { payload, start, ends: &ends[first..first + width] }
}

/// Whether a record begins with something that can be its symbol.
fn symbol_fits(shape: Shape, record: &Record<'_>) -> bool {
    let key = record.get(0);
    match shape {
        Shape::UsTrade | Shape::UsBook => {
            key.len() > 4 && key.is_char_boundary(4) && key[4..] == *record.get(1)
        }
        // 005930, 0155E0, Q500001: letters and digits, and longer than a price or a time is likely to be alone.
        _ => {
            (6..=9).contains(&key.len())
                && Symbol::parse(key).is_ok()
                && key.bytes().any(|b| b.is_ascii_digit())
        }
    }
}

/// Whether a record begins with a symbol and what must stand beside it.
fn head_fits(shape: Shape, record: &Record<'_>) -> bool {
    symbol_fits(shape, record)
        && match shape {
            Shape::UsTrade | Shape::UsBook => true,
            Shape::MarketStatus => matches!(record.get(1), "Y" | "N" | ""),
            _ => parse_hhmmss(record.get(1)).is_ok(),
        }
}

fn read_count(text: &str) -> Option<usize> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|count| *count >= 1)
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
