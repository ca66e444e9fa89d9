//! Which day a call reaches, by trading days of the calendar: an instant and a trade date to yes or no.
//!
//! A broker's "today" is the last trading day, over nights, weekends and holidays, until the next trading day opens. In
//! the hour before that a broker may have turned the page already; as the rows of these calls bear no date, what is
//! asked then could be of either day, and no call but the dated ones reaches anything.

use market::calendar::{Calendar, CalendarError, Day};
use market::{Market, Source, TradeDate};

/// How long before the first phase of a trading day the brokers may have turned to it.
const TURNING_NS: i64 = 3_600_000_000_000;
/// Trading days that ka10079 holds, today included (measured 2026-08).
const TICK_DAYS: usize = 20;
/// Trading days that ka10080 holds at least: 12 to 13 months were seen.
const MINUTE_DAYS: usize = 240;

/// A call of a broker that tells a day's trades or minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// Trades of today and the trading day before.
    Ka10084,
    /// Ticks.
    Ka10079,
    /// Minutes.
    Ka10080,
    /// The last 30 trades.
    Ka10003,
    /// KIS: trades of today.
    Fhpst01060000,
    /// KIS: US trades of today and the trading day before.
    Hhdfs76200300,
}

impl Call {
    /// Every call.
    pub const ALL: [Self; 6] = [
        Self::Ka10084,
        Self::Ka10079,
        Self::Ka10080,
        Self::Ka10003,
        Self::Fhpst01060000,
        Self::Hhdfs76200300,
    ];

    /// The broker's spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ka10084 => "ka10084",
            Self::Ka10079 => "ka10079",
            Self::Ka10080 => "ka10080",
            Self::Ka10003 => "ka10003",
            Self::Fhpst01060000 => "FHPST01060000",
            Self::Hhdfs76200300 => "HHDFS76200300",
        }
    }

    /// Whose call it is.
    #[must_use]
    pub const fn source(self) -> Source {
        match self {
            Self::Ka10084 | Self::Ka10079 | Self::Ka10080 | Self::Ka10003 => Source::Kiwoom,
            Self::Fhpst01060000 | Self::Hhdfs76200300 => Source::Kis,
        }
    }

    /// Whose day it tells.
    #[must_use]
    pub const fn market(self) -> Market {
        match self {
            Self::Hhdfs76200300 => Market::Us,
            _ => Market::Kr,
        }
    }

    /// The most rows that a page of it has.
    #[must_use]
    pub const fn rows_a_page(self) -> usize {
        match self {
            Self::Ka10084 => 100,
            Self::Ka10079 | Self::Ka10080 => 900,
            Self::Ka10003 | Self::Fhpst01060000 | Self::Hhdfs76200300 => 30,
        }
    }
}

/// The day as calls name it that know two only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The broker's today, and its trade date.
    Today(TradeDate),
    /// The trading day before it.
    Yesterday(TradeDate),
}

impl Which {
    /// How a broker names `trade_date` at `now_ns`; none when it is neither day, or when it is not sure which day the
    /// broker's today is.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn of(
        calendar: &Calendar,
        market: Market,
        trade_date: TradeDate,
        now_ns: i64,
    ) -> Result<Option<Self>, CalendarError> {
        let Some(today) = broker_day(calendar, market, now_ns)? else { return Ok(None) };
        Ok(match days_back(calendar, market, trade_date, today) {
            Some(0) => Some(Self::Today(trade_date)),
            Some(1) => Some(Self::Yesterday(trade_date)),
            _ => None,
        })
    }

    /// The trade date.
    #[must_use]
    pub const fn trade_date(self) -> TradeDate {
        match self {
            Self::Today(date) | Self::Yesterday(date) => date,
        }
    }

    /// Whether it is the broker's today.
    #[must_use]
    pub const fn is_today(self) -> bool {
        matches!(self, Self::Today(_))
    }
}

/// The trade date that is the brokers' today at `now_ns`: the last that has opened. None in the hour before another
/// opens.
///
/// # Errors
/// [`CalendarError::OutOfCoverage`].
pub fn broker_day(
    calendar: &Calendar,
    market: Market,
    now_ns: i64,
) -> Result<Option<TradeDate>, CalendarError> {
    let (opened, next_ns) = opened(calendar, market, now_ns)?;
    let turning = next_ns.is_some_and(|next_ns| now_ns >= next_ns - TURNING_NS);
    Ok((!turning).then_some(opened))
}

/// Whether `call` tells trades or minutes of `trade_date` at `now_ns`. False for a day that is no trading day, that has
/// not opened, or that is too far back.
///
/// # Errors
/// [`CalendarError::OutOfCoverage`].
pub fn reach(
    calendar: &Calendar,
    call: Call,
    trade_date: TradeDate,
    now_ns: i64,
) -> Result<bool, CalendarError> {
    let market = call.market();
    let dated = |most: usize| -> Result<bool, CalendarError> {
        let (opened, _) = opened(calendar, market, now_ns)?;
        Ok(days_back(calendar, market, trade_date, opened).is_some_and(|back| back < most))
    };
    let named = || Which::of(calendar, market, trade_date, now_ns);
    match call {
        // While the brokers may be turning, their oldest day may be gone: one day less.
        Call::Ka10079 | Call::Ka10080 => {
            let days = if call == Call::Ka10079 { TICK_DAYS } else { MINUTE_DAYS };
            let turning = broker_day(calendar, market, now_ns)?.is_none();
            dated(days - usize::from(turning))
        }
        Call::Ka10084 | Call::Hhdfs76200300 => Ok(named()?.is_some()),
        Call::Ka10003 | Call::Fhpst01060000 => Ok(named()?.is_some_and(Which::is_today)),
    }
}

/// The last trading day that has opened, and when the next one opens, if that is known.
fn opened(
    calendar: &Calendar,
    market: Market,
    now_ns: i64,
) -> Result<(TradeDate, Option<i64>), CalendarError> {
    let opens = |day: &Day| day.open_hours().map_or(day.start_ns(), |(open, _)| open);
    let date = calendar.trade_date(market, now_ns);
    let mut day = calendar.previous_session(market, date)?;
    if opens(day) > now_ns {
        day = calendar.previous_session(market, beside(day.date(), -1))?;
    }
    let next = calendar.next_session(market, beside(day.date(), 1)).ok().map(opens);
    Ok((day.date(), next))
}

/// How many trading days `date` lies before `today`; none when it is no trading day or lies after it.
fn days_back(calendar: &Calendar, market: Market, date: TradeDate, today: TradeDate) -> Option<usize> {
    let mut days = calendar.days(market).rev().map(Day::date).skip_while(|day| *day > today);
    days.by_ref().take_while(|day| *day >= date).position(|day| day == date)
}

fn beside(date: TradeDate, days: i32) -> TradeDate {
    TradeDate::from_days_since_epoch(date.days_since_epoch() + days).unwrap_or(date)
}

#[cfg(test)]
mod tests {
    use market::time::{self, SECOND};

    use super::*;

    fn date(text: &str) -> TradeDate {
        TradeDate::parse(text).expect("date")
    }

    /// Korean date and time of day.
    fn at(day: &str, clock: &str) -> i64 {
        time::kst(date(day), time::parse_hhmmss(clock).expect("time"))
    }

    fn which(market: Market, day: &str, now_ns: i64) -> Option<Which> {
        Which::of(Calendar::built_in(), market, date(day), now_ns).expect("covered")
    }

    fn reaches(call: Call, day: &str, now_ns: i64) -> bool {
        reach(Calendar::built_in(), call, date(day), now_ns).expect("covered")
    }

    #[test]
    fn today_lasts_over_the_night_until_the_next_day_opens() {
        let (tuesday, monday) = ("20261124", "20261123");
        for (now, named) in [
            (at("20261124", "080000"), Some(Which::Today(date(tuesday)))),
            (at("20261124", "200500"), Some(Which::Today(date(tuesday)))),
            (at("20261125", "003000"), Some(Which::Today(date(tuesday)))),
            (at("20261125", "065959"), Some(Which::Today(date(tuesday)))),
            // The hour before the next pre-open is of neither.
            (at("20261125", "070000"), None),
            (at("20261125", "075959"), None),
            (at("20261125", "080000"), Some(Which::Yesterday(date(tuesday)))),
            (at("20261126", "060000"), Some(Which::Yesterday(date(tuesday)))),
            (at("20261126", "080000"), None),
            // Not yet opened.
            (at("20261124", "065959"), None),
        ] {
            assert_eq!(which(Market::Kr, tuesday, now), named, "{now}");
        }
        assert_eq!(which(Market::Kr, monday, at("20261124", "100000")), Some(Which::Yesterday(date(monday))));
    }

    #[test]
    fn holidays_and_weekends_are_no_days() {
        // Chuseok 2026: Thursday and Friday, 24 and 25 September, then the weekend.
        let wednesday = "20260923";
        for now in [at("20260925", "120000"), at("20260927", "235959"), at("20260928", "065959")] {
            assert_eq!(which(Market::Kr, wednesday, now), Some(Which::Today(date(wednesday))));
            assert!(reaches(Call::Ka10003, wednesday, now) && reaches(Call::Fhpst01060000, wednesday, now));
        }
        let monday = at("20260928", "090000");
        assert_eq!(which(Market::Kr, wednesday, monday), Some(Which::Yesterday(date(wednesday))));
        assert!(reaches(Call::Ka10084, wednesday, monday));
        assert!(
            !reaches(Call::Ka10003, wednesday, monday) && !reaches(Call::Fhpst01060000, wednesday, monday)
        );
        for day in ["20260924", "20260925", "20260926"] {
            assert_eq!(which(Market::Kr, day, monday), None, "{day}");
            assert!(
                Call::ALL
                    .iter()
                    .filter(|call| call.market() == Market::Kr)
                    .all(|call| !reaches(*call, day, monday))
            );
        }
    }

    #[test]
    fn ticks_reach_twenty_trading_days_and_minutes_a_year() {
        // Twenty days end at 2026-10-13: seven in October without the 5th and 9th, eleven in September from the 14th
        // without the 24th and 25th, and the 11th and 10th.
        let now = at("20261013", "210000");
        for (day, reached) in
            [("20261013", true), ("20260910", true), ("20260909", false), ("20261014", false)]
        {
            assert_eq!(reaches(Call::Ka10079, day, now), reached, "{day}");
        }
        // While the brokers turn to the next day, the oldest may be gone.
        let turning = at("20261014", "073000");
        assert!(!reaches(Call::Ka10079, "20260910", turning) && reaches(Call::Ka10079, "20260911", turning));
        assert!(!reaches(Call::Ka10084, "20261013", turning) && reaches(Call::Ka10079, "20261013", turning));
        assert!(reaches(Call::Ka10080, "20251113", now) && !reaches(Call::Ka10080, "20250801", now));
    }

    #[test]
    fn days_that_open_later_turn_later() {
        // The day of the college entrance exam: NXT has no pre-market an hour later, the first phase decides.
        let calendar = Calendar::built_in();
        let exam = calendar.kr_day(date("20261119")).expect("covered").expect("day");
        let (open, _) = exam.open_hours().expect("hours");
        assert_eq!(
            which(Market::Kr, "20261118", open - 1 - TURNING_NS),
            Some(Which::Today(date("20261118")))
        );
        assert_eq!(which(Market::Kr, "20261118", open - 1), None);
        assert_eq!(which(Market::Kr, "20261118", open), Some(Which::Yesterday(date("20261118"))));
        assert_eq!(which(Market::Kr, "20261119", open), Some(Which::Today(date("20261119"))));
    }

    #[test]
    fn the_us_today_begins_with_its_pre_market() {
        // New York's 04:00 is 18:00 in Korea in winter. Thursday the 26th is Thanksgiving.
        let (wednesday, friday) = ("20261125", "20261127");
        assert_eq!(
            which(Market::Us, wednesday, at("20261125", "180000")),
            Some(Which::Today(date(wednesday)))
        );
        assert_eq!(
            which(Market::Us, wednesday, at("20261126", "200000")),
            Some(Which::Today(date(wednesday)))
        );
        assert_eq!(which(Market::Us, wednesday, at("20261127", "173000")), None);
        assert_eq!(
            which(Market::Us, wednesday, at("20261127", "180000")),
            Some(Which::Yesterday(date(wednesday)))
        );
        assert!(reaches(Call::Hhdfs76200300, friday, at("20261127", "180000") + SECOND));
        assert!(!reaches(Call::Hhdfs76200300, "20261126", at("20261127", "180000")));
    }
}
