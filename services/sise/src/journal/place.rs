//! Text of a person to a place in a journal: a position (`12:4096`) or a time; and times to text.

use std::path::Path;

use journal::{JournalError, Position, Record, segments};
use market::TradeDate;
use market::time::{DAY, KST, SECOND, kst, kst_date, parse_hhmmss};

/// A place in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A byte position between two records.
    Position(Position),
    /// A time of receipt, UTC ns.
    Time(i64),
}

const KNOWN: &str = "neither a position (12:4096), nor a time in Seoul (2026-11-25, 2026-11-25T09:00, \
                     2026-11-25T09:00:30), nor UTC nanoseconds";

impl Place {
    /// Reads what a person wrote.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is {KNOWN}");
        if let Ok(utc_ns) = text.parse() {
            return Ok(Self::Time(utc_ns));
        }
        if let Some((segment, offset)) = text.split_once(':')
            && let (Ok(segment), Ok(offset)) = (segment.parse(), offset.parse())
        {
            return Ok(Self::Position(Position { segment, offset }));
        }
        let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
        let date = TradeDate::parse(&date.replace('-', "")).map_err(|_| wrong())?;
        let mut digits = time.replace(':', "");
        if digits.len() == 4 {
            digits.push_str("00");
        }
        let since_midnight = parse_hhmmss(&digits).map_err(|_| wrong())?;
        Ok(Self::Time(kst(date, since_midnight)))
    }
}

/// A stretch of a journal: from a place on, up to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct Range {
    /// First record: position (12:4096), or time in Seoul (2026-11-25T09:00). Default: the oldest.
    #[arg(long, value_name = "TIME|POSITION", value_parser = Place::parse)]
    pub from: Option<Place>,
    /// The end, which is not in it. Default: the present end.
    #[arg(long, value_name = "TIME|POSITION", value_parser = Place::parse)]
    pub to: Option<Place>,
}

/// How far a clock may have been set back while a journal was written.
const CLOCK_SLACK: i64 = 600 * SECOND;

impl Range {
    /// Where to begin reading: at or before the first record of the range.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn begin(&self, folder: &Path) -> Result<Position, JournalError> {
        match self.from {
            None => Ok(Position::START),
            Some(Place::Position(position)) => Ok(position),
            // What was received after a segment was begun stands in it or behind it.
            Some(Place::Time(from_ns)) => {
                let begun = |created_ns: i64| created_ns.saturating_add(CLOCK_SLACK) <= from_ns;
                let last = segments(folder)?.into_iter().rfind(|info| info.created_ns.is_some_and(begun));
                Ok(last.map_or(Position::START, |info| Position { segment: info.number, offset: 0 }))
            }
        }
    }

    /// Whether the record that begins at `before` is in the range.
    pub fn holds(&self, record: &Record, before: Position) -> bool {
        let reached = |place: Place| match place {
            Place::Position(position) => before >= position,
            Place::Time(utc_ns) => record.received_ns >= utc_ns,
        };
        self.from.is_none_or(reached) && !self.to.is_some_and(reached)
    }

    /// Whether nothing from `position` on can be in the range. Times do not rise strictly: they end nothing.
    pub fn is_over(&self, position: Position) -> bool {
        matches!(self.to, Some(Place::Position(end)) if position >= end)
    }
}

/// A time as a person in Seoul reads it, in milliseconds.
pub fn seoul(utc_ns: i64) -> String {
    let of_day = utc_ns.saturating_add(KST).rem_euclid(DAY);
    let (seconds, millis) = (of_day / SECOND, of_day % SECOND / 1_000_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{} {hour:02}:{minute:02}:{second:02}.{millis:03}", kst_date(utc_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    // 2026-11-24T00:00:30Z is 09:00:30 in Seoul.
    const OPEN: i64 = 1_795_478_430 * SECOND;

    #[test]
    fn positions_and_times_are_told_apart() {
        assert_eq!(Place::parse("12:4096"), Ok(Place::Position(Position { segment: 12, offset: 4_096 })));
        for text in ["2026-11-24T09:00:30", "2026-11-24 09:00:30", "20261124T090030", "1795478430000000000"] {
            assert_eq!(Place::parse(text), Ok(Place::Time(OPEN)), "{text}");
        }
        assert_eq!(Place::parse("2026-11-24T09:00"), Ok(Place::Time(OPEN - 30 * SECOND)));
        assert_eq!(Place::parse("2026-11-24"), Ok(Place::Time(OPEN - 32_430 * SECOND)));
        for text in ["", "09:00:30", "2026-13-01", "2026-11-24T25:00", "12:x", "yesterday"] {
            assert!(Place::parse(text).is_err(), "{text} was taken for {:?}", Place::parse(text));
        }
    }

    #[test]
    fn a_range_takes_its_first_and_not_its_end() {
        let record = |received_ns| Record {
            kind: journal::RecordKind::FRAME,
            connection_id: 1,
            sequence: 1,
            received_ns,
            payload: bytes::Bytes::new(),
        };
        let at = |offset| Position { segment: 1, offset };
        let times = Range { from: Some(Place::Time(10)), to: Some(Place::Time(20)) };
        let held = [9, 10, 19, 20].map(|received_ns| times.holds(&record(received_ns), at(48)));
        assert_eq!(held, [false, true, true, false]);
        let positions = Range { from: Some(Place::Position(at(100))), to: Some(Place::Position(at(200))) };
        let held = [99, 100, 199, 200].map(|offset| positions.holds(&record(0), at(offset)));
        assert_eq!(held, [false, true, true, false]);
        assert_eq!([at(199), at(200)].map(|position| positions.is_over(position)), [false, true]);
        assert!(!times.is_over(at(1_000_000)));
    }

    #[test]
    fn times_are_those_of_seoul() {
        assert_eq!(seoul(OPEN + 7_999_999), "2026-11-24 09:00:30.007");
    }
}
