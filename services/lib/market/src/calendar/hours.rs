//! When a connection to a broker has to stand: the market's hours with a margin, and who comes first where one key
//! serves two markets.

use super::{Calendar, Day};
use crate::instrument::Market;
use crate::time::SECOND;

/// Before the first phase and after the last: time to connect and register, and for late prints.
pub const MARGIN_NS: i64 = 10 * 60 * SECOND;
/// Where the calendar knows nothing, the question is asked again after this.
const UNKNOWN_NS: i64 = 3_600 * SECOND;

/// Whether a connection has to stand, and until when that answer holds (UTC nanoseconds).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hours {
    /// It has to.
    Up {
        /// First instant at which it has not.
        until_ns: i64,
    },
    /// The market is closed, or the key is another market's.
    Down {
        /// First instant at which it has to stand again.
        until_ns: i64,
    },
}

/// Which hours a connection keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keeping {
    /// Its key serves Korea and the US. Brokers allow one session a key: Korea has its whole day, the US the regular
    /// session.
    pub shared: bool,
    /// The US night is wanted too (the Korean brokers' day market).
    pub night: bool,
}

impl Calendar {
    /// Whether a connection of `market` has to stand at an instant. Outside the calendar's coverage it always has to:
    /// a connection too many loses nothing.
    #[must_use]
    pub fn hours(&self, market: Market, keeping: Keeping, utc_ns: i64) -> Hours {
        let days = &self.market(market);
        let Ok(today) = days.index(days.zone.date(utc_ns)) else {
            return Hours::Up { until_ns: utc_ns.saturating_add(UNKNOWN_NS) };
        };
        // A trade date's hours may begin on the local day before it and end on the one after it.
        let near = days.days[today.saturating_sub(1)..].iter().flatten();
        let mut until_ns = None;
        for (start_ns, end_ns) in near.filter_map(|day| window(market, keeping, day)) {
            match until_ns {
                // Windows that touch are one.
                Some(until) if start_ns <= until => until_ns = Some(end_ns),
                Some(_) => break,
                None if end_ns <= utc_ns => {}
                None if utc_ns < start_ns => return Hours::Down { until_ns: start_ns },
                None => until_ns = Some(end_ns),
            }
        }
        match until_ns {
            Some(until_ns) => Hours::Up { until_ns },
            // No session is known any more: the coverage ends with the last one.
            None => Hours::Down { until_ns: days.zone.midnight(super::add_days(days.covered_through, 1)) },
        }
    }
}

/// First and last instant of a day's connection.
fn window(market: Market, keeping: Keeping, day: &Day) -> Option<(i64, i64)> {
    let (start_ns, end_ns) = match market {
        Market::Us if keeping.shared => day.regular_hours()?,
        Market::Us if keeping.night => (day.start_ns(), day.end_ns()),
        Market::Us | Market::Kr => day.open_hours()?,
    };
    Some((start_ns - MARGIN_NS, end_ns + MARGIN_NS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::kst;
    use crate::trade_date::TradeDate;

    const OWN: Keeping = Keeping { shared: false, night: false };
    const SHARED: Keeping = Keeping { shared: true, night: false };

    fn at(text: &str) -> i64 {
        let (date, time) = text.split_once(' ').expect("date and time");
        let date = TradeDate::parse(&date.replace('-', "")).expect("date");
        kst(date, crate::time::parse_hhmmss(&time.replace(':', "")).expect("time"))
    }

    fn up(market: Market, keeping: Keeping, from: &str, until: &str) {
        let hours = Calendar::built_in().hours(market, keeping, at(from));
        assert_eq!(hours, Hours::Up { until_ns: at(until) }, "{market} {from}");
        let before = Calendar::built_in().hours(market, keeping, at(from) - 1);
        assert_eq!(before, Hours::Down { until_ns: at(from) }, "{market} before {from}");
    }

    #[test]
    fn korea_stands_from_ten_to_eight_until_ten_past_twenty() {
        up(Market::Kr, OWN, "2026-11-25 07:50:00", "2026-11-25 20:10:00");
        up(Market::Kr, SHARED, "2026-11-25 07:50:00", "2026-11-25 20:10:00");
    }

    #[test]
    fn nights_weekends_and_holidays_are_idle() {
        let down = |text: &str, until: &str| {
            let hours = Calendar::built_in().hours(Market::Kr, OWN, at(text));
            assert_eq!(hours, Hours::Down { until_ns: at(until) }, "{text}");
        };
        down("2026-11-25 20:10:00", "2026-11-26 07:50:00");
        down("2026-11-27 23:00:00", "2026-11-30 07:50:00");
        // Chuseok: Thursday and Friday.
        down("2026-09-24 10:00:00", "2026-09-28 07:50:00");
    }

    #[test]
    fn a_key_of_its_own_serves_the_whole_us_day_and_a_shared_one_the_regular_session() {
        up(Market::Us, OWN, "2026-11-24 17:50:00", "2026-11-25 10:10:00");
        up(Market::Us, SHARED, "2026-11-24 23:20:00", "2026-11-25 06:10:00");
        // Summer time; half day.
        up(Market::Us, SHARED, "2026-07-14 22:20:00", "2026-07-15 05:10:00");
        up(Market::Us, SHARED, "2026-11-27 23:20:00", "2026-11-28 03:10:00");
    }

    #[test]
    fn with_the_night_the_us_week_has_no_hole() {
        let night = Keeping { shared: false, night: true };
        let hours = Calendar::built_in().hours(Market::Us, night, at("2026-11-17 12:00:00"));
        assert_eq!(hours, Hours::Up { until_ns: at("2026-11-21 10:10:00") });
    }

    #[test]
    fn two_markets_on_one_key_never_stand_at_once() {
        let calendar = Calendar::built_in();
        for keeping in [SHARED, Keeping { shared: true, night: true }] {
            let windows = |market| calendar.days(market).filter_map(move |day| window(market, keeping, day));
            let mut all: Vec<(i64, i64)> = windows(Market::Kr).chain(windows(Market::Us)).collect();
            assert!(all.len() > 1_900, "{} windows", all.len());
            all.sort_unstable();
            for pair in all.windows(2) {
                assert!(pair[0].1 < pair[1].0, "{pair:?} overlap");
            }
        }
    }

    #[test]
    fn outside_the_coverage_a_connection_stands() {
        let hours = Calendar::built_in().hours(Market::Kr, OWN, at("2031-01-02 03:00:00"));
        assert!(matches!(hours, Hours::Up { .. }));
    }
}
