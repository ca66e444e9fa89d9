//! Local time of a market to UTC and back. Korea is a constant, New York comes from the time zone database that is
//! compiled in, so that a host without zone files, or with old ones, gives the same answers.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use super::error::CalendarError;
use crate::time::{DAY, KST, SECOND};
use crate::trade_date::TradeDate;

/// Eastern Standard Time, for instants outside what the time library can express (before 1678, after 2261).
const EST: i64 = -5 * 3_600 * SECOND;

/// The clock of a market. Local time is nanoseconds since 1970-01-01 00:00 on the wall clock.
#[derive(Debug, Clone)]
pub(super) enum Zone {
    Korea,
    NewYork(TimeZone),
}

impl Zone {
    pub(super) fn new_york() -> Result<Self, CalendarError> {
        let zone = TimeZoneDatabase::bundled().get("America/New_York").map_err(|_| CalendarError::NoZone)?;
        Ok(Self::NewYork(zone))
    }

    /// New York without daylight saving: what is left when there is no zone database.
    pub(super) const fn standard_new_york() -> Self {
        Self::NewYork(TimeZone::fixed(Offset::constant(-5)))
    }

    /// The wall clock at an instant.
    pub(super) fn to_local(&self, utc_ns: i64) -> i64 {
        utc_ns.saturating_add(match self {
            Self::Korea => KST,
            Self::NewYork(zone) => Timestamp::from_nanosecond(i128::from(utc_ns))
                .map_or(EST, |at| i64::from(zone.to_offset(at).seconds()) * SECOND),
        })
    }

    /// The instant of a wall clock time. In the hour that a switch repeats or skips (no session is there) the
    /// offset before the switch counts.
    pub(super) fn to_utc(&self, local_ns: i64) -> i64 {
        local_ns.saturating_sub(match self {
            Self::Korea => KST,
            Self::NewYork(zone) => Timestamp::from_nanosecond(i128::from(local_ns))
                .and_then(|wall| zone.to_timestamp(Offset::UTC.to_datetime(wall)))
                .map_or(EST, |at| i64::from(zone.to_offset(at).seconds()) * SECOND),
        })
    }

    /// The date on the wall.
    pub(super) fn date(&self, utc_ns: i64) -> TradeDate {
        local_date(self.to_local(utc_ns))
    }

    /// The instant at which a date begins.
    pub(super) fn midnight(&self, date: TradeDate) -> i64 {
        self.to_utc(local_midnight(date))
    }
}

/// The date of a wall clock time.
pub(super) fn local_date(local_ns: i64) -> TradeDate {
    TradeDate::from_epoch_days_clamped(local_ns.div_euclid(DAY))
}

/// The wall clock time at which a date begins.
pub(super) fn local_midnight(date: TradeDate) -> i64 {
    i64::from(date.days_since_epoch()) * DAY
}

/// Whether a date is a Saturday or Sunday. 1970-01-01 was a Thursday.
pub(super) fn is_weekend(date: TradeDate) -> bool {
    (date.days_since_epoch() + 3).rem_euclid(7) >= 5
}

/// The date a number of days later, kept within the dates that exist.
pub(super) fn add_days(date: TradeDate, days: i32) -> TradeDate {
    TradeDate::from_epoch_days_clamped(i64::from(date.days_since_epoch()) + i64::from(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i16, month: i8, day: i8) -> TradeDate {
        TradeDate::from_ymd(year, month, day).expect("date")
    }

    #[test]
    fn new_york_follows_its_switches() {
        let zone = Zone::new_york().expect("zone");
        // 2026-03-06T14:30:00Z and 2026-03-09T13:30:00Z: 09:30 before and after the switch.
        for (utc, day) in [(1_772_807_400, date(2026, 3, 6)), (1_773_063_000, date(2026, 3, 9))] {
            let wall = local_midnight(day) + (9 * 60 + 30) * 60 * SECOND;
            assert_eq!(zone.to_local(utc * SECOND), wall);
            assert_eq!(zone.to_utc(wall), utc * SECOND);
        }
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for zone in [Zone::Korea, Zone::new_york().expect("zone"), Zone::standard_new_york()] {
            for at in [i64::MIN, i64::MAX] {
                zone.to_utc(zone.to_local(at));
                zone.date(at);
            }
        }
    }

    #[test]
    fn weekends_are_saturday_and_sunday() {
        let week: Vec<bool> = (23..30).map(|day| is_weekend(date(2026, 11, day))).collect();
        assert_eq!(week, [false, false, false, false, false, true, true]);
        assert_eq!(add_days(date(2026, 2, 28), 1), date(2026, 3, 1));
    }
}
