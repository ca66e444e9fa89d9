//! A time of Seoul on a trading day → an instant.

use std::str::FromStr;

use market::time::{DAY, kst, parse_hhmmss};
use market::{Market, TradeDate};

/// A time of day in Seoul, ns since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock(i64);

impl FromStr for Clock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no time such as 09:00 or 15:20:30");
        let parts: Vec<&str> = text.split(':').collect();
        let digits = match parts.as_slice() {
            [hours, minutes] if hours.len() == 2 && minutes.len() == 2 => format!("{hours}{minutes}00"),
            [hours, minutes, seconds] if [hours, minutes, seconds].iter().all(|part| part.len() == 2) => {
                parts.concat()
            }
            _ => return Err(wrong()),
        };
        parse_hhmmss(&digits).map(Self).map_err(|_| wrong())
    }
}

impl Clock {
    /// The instant on a trading day, UTC ns. A US day begins in the evening of Seoul and ends on the morning after.
    pub fn on(self, market: Market, date: TradeDate) -> i64 {
        let next_morning = market == Market::Us && self.0 < DAY / 2;
        kst(date, self.0) + if next_morning { DAY } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_of_seoul_and_of_the_day_or_the_morning_after() {
        let date = TradeDate::parse("20261124").expect("date");
        let at = |text: &str, market| text.parse::<Clock>().expect("time").on(market, date) / 1_000_000_000;
        assert_eq!(at("09:00:30", Market::Kr), 1_795_478_430);
        assert_eq!(at("09:00", Market::Kr), 1_795_478_400);
        // 23:30 of the 24th and 06:00 of the 25th in Seoul: the regular session of the US.
        assert_eq!(at("23:30", Market::Us), 1_795_530_600);
        assert_eq!(at("06:00", Market::Us), 1_795_554_000);
        for text in ["9:00", "0900", "24:00", "09:60", "09:00:00.5", ""] {
            assert!(text.parse::<Clock>().is_err_and(|error| error.contains("09:00")), "{text}");
        }
    }
}
