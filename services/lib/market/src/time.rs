//! Local text of an exchange to UTC nanoseconds. Korea is UTC+9 without daylight saving.

use crate::trade_date::TradeDate;

/// One second in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;
/// One day in nanoseconds.
pub const DAY: i64 = 86_400 * SECOND;
/// Korea's distance from UTC in nanoseconds.
pub const KST: i64 = 9 * 3_600 * SECOND;

/// A text that is no time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time of day (HHMMSS): {text:?}")]
pub struct TimeError {
    /// The text as received, cut after 40 characters.
    pub text: String,
}

/// Reads `HHMMSS` as nanoseconds since midnight.
///
/// # Errors
/// [`TimeError`] with the text for anything but six digits of a valid time (`24` hours and second `60` are not).
pub fn parse_hhmmss(text: &str) -> Result<i64, TimeError> {
    let fail = || TimeError { text: text.chars().take(40).collect() };
    let bytes: &[u8; 6] = text.as_bytes().try_into().map_err(|_| fail())?;
    if !bytes.iter().all(u8::is_ascii_digit) {
        return Err(fail());
    }
    let pair = |at: usize| i64::from(bytes[at] - b'0') * 10 + i64::from(bytes[at + 1] - b'0');
    let (hour, minute, second) = (pair(0), pair(2), pair(4));
    if hour > 23 || minute > 59 || second > 59 {
        return Err(fail());
    }
    Ok(((hour * 60 + minute) * 60 + second) * SECOND)
}

/// UTC nanoseconds of a Korean date and a time since midnight.
#[must_use]
pub fn kst(date: TradeDate, since_midnight: i64) -> i64 {
    i64::from(date.days_since_epoch()) * DAY + since_midnight - KST
}

/// The Korean date of an instant.
#[must_use]
pub fn kst_date(utc_ns: i64) -> TradeDate {
    TradeDate::from_epoch_days_clamped((utc_ns.saturating_add(KST)).div_euclid(DAY))
}

/// UTC nanoseconds of a Korean time of day without a date: the day that brings it nearest to `received_ns`.
///
/// A book record of KIS has a time and no date; a frame stamped 23:59:59 may be received after midnight.
#[must_use]
pub fn kst_nearest(received_ns: i64, since_midnight: i64) -> i64 {
    let midnight = received_ns.saturating_add(KST).div_euclid(DAY).saturating_mul(DAY).saturating_sub(KST);
    let same_day = midnight.saturating_add(since_midnight);
    match same_day.saturating_sub(received_ns) {
        distance if distance > DAY / 2 => same_day - DAY,
        distance if distance < -DAY / 2 => same_day + DAY,
        _ => same_day,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 2026-11-24T00:00:30Z is 09:00:30 in Seoul.
    const OPEN: i64 = 1_795_478_430 * SECOND;

    #[test]
    fn six_digits_or_nothing() {
        assert_eq!(parse_hhmmss("090030"), Ok(32_430 * SECOND));
        for text in ["", "90030", "240000", "096000", "090060", "09003a", "0900300", "+90030", "９0"] {
            assert_eq!(parse_hhmmss(text).unwrap_err().text, text);
        }
    }

    #[test]
    fn korean_date_and_time_are_utc() {
        let date = TradeDate::parse("20261124").expect("date");
        assert_eq!(kst(date, 32_430 * SECOND), OPEN);
        assert_eq!(kst_date(OPEN), date);
        assert_eq!(kst_date(OPEN - 10 * 3_600 * SECOND), TradeDate::parse("20261123").expect("date"));
    }

    #[test]
    fn a_time_without_date_takes_the_nearest_day() {
        assert_eq!(kst_nearest(OPEN + 1, 32_430 * SECOND), OPEN);
        let after_midnight = kst(TradeDate::parse("20261125").expect("date"), SECOND);
        assert_eq!(kst_nearest(after_midnight, 86_399 * SECOND), after_midnight - 2 * SECOND);
        assert_eq!(kst_nearest(after_midnight - 2 * SECOND, SECOND), after_midnight);
    }
}
