//! Numbers and times as a person reads them.

use market::time::{DAY, KST, SECOND};

use crate::words::grouped;

/// As [`grouped`].
pub(super) fn count(number: u64) -> String {
    grouped(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A part of a whole in hundredths of a percent: `1.25 %`. Never rounded up to the whole, nor down to nothing.
pub(super) fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 || part < 0 {
        return "–".to_owned();
    }
    let hundredths = i128::from(part) * 10_000 / i128::from(whole);
    if part > 0 && hundredths == 0 {
        return "under 0.01 %".to_owned();
    }
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// Nanoseconds as milliseconds: `812 ms`.
pub(super) fn millis(ns: i64) -> String {
    format!("{} ms", grouped(ns.div_euclid(1_000_000)))
}

/// An instant in Seoul without its date: `10:00:31`.
pub(super) fn time(utc_ns: i64) -> String {
    let seconds = utc_ns.saturating_add(KST).rem_euclid(DAY) / SECOND;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// When a gap is: `10:00:01 to 10:00:31`, `since 15:30:00`.
pub(super) fn span(from_ns: i64, until_ns: Option<i64>) -> String {
    match until_ns {
        Some(until) => format!("{} to {}", time(from_ns), time(until)),
        None => format!("since {}", time(from_ns)),
    }
}

/// trades, order books.
pub(super) fn kind(word: &str) -> String {
    word.replace('_', " ")
}

/// Text that is text in HTML and in XML, whatever a broker wrote.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter if letter.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_never_told_as_the_whole_or_as_nothing() {
        let cases = [(1, 3), (9_999_999, 10_000_000), (1, 10_000_000), (0, 5), (5, 5), (1, 0), (-1, 5)];
        let texts = cases.map(|(part, whole)| percent(part, whole));
        assert_eq!(texts, ["33.33 %", "99.99 %", "under 0.01 %", "0.00 %", "100.00 %", "–", "–"]);
    }

    #[test]
    fn numbers_are_grouped_and_times_are_those_of_seoul() {
        assert_eq!([grouped(0), grouped(-1_234_567), count(999)], ["0", "-1,234,567", "999"]);
        assert_eq!(span(1_795_478_430_000_000_000, Some(1_795_478_431_000_000_000)), "09:00:30 to 09:00:31");
        assert_eq!(millis(1_234_999_999), "1,234 ms");
    }
}
