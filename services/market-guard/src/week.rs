//! A week → its 168 hours: what each market is, and whether it is quiet, with every change inside an hour.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use market::Market;
use market::calendar::{Calendar, CalendarError};
use market::time::{DAY, KST};

use crate::quiet::{self, Rules, Verdict};
use crate::text::{on_the_wall, seoul};

const MINUTE: i64 = 60_000_000_000;
const HOUR: i64 = 60 * MINUTE;

/// The table of the week, Monday to Sunday in Seoul, in which an instant lies. A cell says what holds at the beginning of
/// its hour, and after each time what holds from then on: `regular 15:30 extended`.
///
/// # Errors
/// [`CalendarError::OutOfCoverage`] when the calendar does not know all of the week.
pub fn table(calendar: &Calendar, rules: &Rules, of_ns: i64) -> Result<String, CalendarError> {
    let new_york = TimeZoneDatabase::bundled().get("America/New_York").map_err(|_| CalendarError::NoZone)?;
    let monday = monday(of_ns);
    let mut table = format!("{:<20} | {:<9} | {:<28} | {:<28} | deploy\n", "Seoul", "New York", "kr", "us");
    for start in (0..168).map(|hour| monday + hour * HOUR) {
        let state = |market| changes(start, |at| calendar.state(market, at).map(|state| state.as_str()));
        let deploy = changes(start, |at| match quiet::verdict(calendar, rules, at) {
            Verdict::Quiet { .. } => Ok("quiet"),
            Verdict::Open { .. } => Ok("blocked"),
            Verdict::Unknown { error } => Err(error),
        })?;
        let _infallible = writeln!(
            table,
            "{:<20} | {:<9} | {:<28} | {:<28} | {deploy}",
            on_the_wall(&seoul(), start, "%a %Y-%m-%d %H:%M"),
            format!("{} {}", on_the_wall(&new_york, start, "%H:%M"), abbreviation(&new_york, start)),
            state(Market::Kr)?,
            state(Market::Us)?,
        );
    }
    Ok(table)
}

/// The Monday of Seoul's week. 1970-01-01 was a Thursday.
fn monday(at_ns: i64) -> i64 {
    let days = at_ns.saturating_add(KST).div_euclid(DAY);
    let monday = days - (days + 3).rem_euclid(7);
    monday.saturating_mul(DAY).saturating_sub(KST)
}

/// EST or EDT.
fn abbreviation(zone: &TimeZone, at_ns: i64) -> String {
    let at = Timestamp::from_nanosecond(i128::from(at_ns));
    at.map_or_else(|_| "-".to_owned(), |at| zone.to_offset_info(at).abbreviation().to_owned())
}

/// What holds at the start of an hour, and each minute at which it becomes something else.
fn changes<T: PartialEq + std::fmt::Display>(
    start: i64,
    what: impl Fn(i64) -> Result<T, CalendarError>,
) -> Result<String, CalendarError> {
    let mut before = what(start)?;
    let mut cell = before.to_string();
    for at in (1..60).map(|minute| start + minute * MINUTE) {
        let now = what(at)?;
        if now != before {
            let _infallible = write!(cell, " {} {now}", on_the_wall(&seoul(), at, "%H:%M"));
            before = now;
        }
    }
    Ok(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday_in_seoul() {
        let at = |text: &str| text.parse::<crate::arguments::Instant>().expect("instant").0;
        let week = at("2026-11-23T00:00:00+09:00");
        for text in ["2026-11-23T00:00:00+09:00", "2026-11-25T12:00:00+09:00", "2026-11-29T23:59:59+09:00"] {
            assert_eq!(monday(at(text)), week, "{text}");
        }
        assert_eq!(monday(week - 1), week - 7 * DAY);
    }
}
