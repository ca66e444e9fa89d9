//! The trading day an event belongs to.

use std::fmt;

use jiff::civil::Date;

/// A trade date: a calendar day of the exchange, from 1970-01-01 to 2149-06-06 (what ClickHouse's `Date` holds).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TradeDate(u16);

/// A text that is no trade date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a date (YYYYMMDD, 1970 to 2149): {text:?}")]
pub struct DateError {
    /// The text as received, cut after 40 characters.
    pub text: String,
}

impl TradeDate {
    /// A date from its parts, if there is such a day.
    #[must_use]
    pub fn from_ymd(year: i16, month: i8, day: i8) -> Option<Self> {
        let date = Date::new(year, month, day).ok()?;
        let days = Date::constant(1970, 1, 1).until(date).ok()?.get_days();
        Self::from_days_since_epoch(days)
    }

    /// A date from days since 1970-01-01.
    #[must_use]
    pub fn from_days_since_epoch(days: i32) -> Option<Self> {
        u16::try_from(days).ok().map(Self)
    }

    /// As [`TradeDate::from_days_since_epoch`]; what lies outside becomes the first or last date.
    #[must_use]
    pub(crate) fn from_epoch_days_clamped(days: i64) -> Self {
        Self(u16::try_from(days.max(0)).unwrap_or(u16::MAX))
    }

    /// Days since 1970-01-01, 0 to 65,535.
    #[must_use]
    pub const fn days_since_epoch(self) -> i32 {
        self.0 as i32
    }

    /// Reads `YYYYMMDD`, the brokers' form.
    ///
    /// # Errors
    /// [`DateError`] with the text.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let fail = || DateError { text: text.chars().take(40).collect() };
        if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(fail());
        }
        let year = text[..4].parse().map_err(|_| fail())?;
        let month = text[4..6].parse().map_err(|_| fail())?;
        let day = text[6..].parse().map_err(|_| fail())?;
        Self::from_ymd(year, month, day).ok_or_else(fail)
    }

    fn date(self) -> Date {
        let span = jiff::Span::new().days(i64::from(self.0));
        // Within u16 days of 1970 the sum exists.
        Date::constant(1970, 1, 1).checked_add(span).unwrap_or(Date::constant(1970, 1, 1))
    }

    /// The year.
    #[must_use]
    pub fn year(self) -> i16 {
        self.date().year()
    }

    /// The month, 1 to 12.
    #[must_use]
    pub fn month(self) -> i8 {
        self.date().month()
    }

    /// The day of the month, 1 to 31.
    #[must_use]
    pub fn day(self) -> i8 {
        self.date().day()
    }

    /// The brokers' and subjects' compact form as a number: 20261125.
    #[must_use]
    pub fn yyyymmdd(self) -> u32 {
        let date = self.date();
        date.year().unsigned_abs() as u32 * 10_000
            + u32::from(date.month().unsigned_abs()) * 100
            + u32::from(date.day().unsigned_abs())
    }
}

impl fmt::Display for TradeDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.date(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_brokers_form() {
        let date = TradeDate::parse("20261125").expect("date");
        assert_eq!((date.year(), date.month(), date.day()), (2026, 11, 25));
        assert_eq!((date.to_string().as_str(), date.yyyymmdd()), ("2026-11-25", 20_261_125));
        assert_eq!(date.days_since_epoch(), 20_782);
        assert_eq!(TradeDate::from_days_since_epoch(20_782), Some(date));
    }

    #[test]
    fn refuses_days_that_do_not_exist() {
        for text in ["", "20261301", "20260229", "2026112", "202611255", "2026-1-5", "19691231", "00000000"] {
            assert_eq!(TradeDate::parse(text).unwrap_err().text, text);
        }
    }
}
