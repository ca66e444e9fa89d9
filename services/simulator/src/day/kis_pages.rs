//! The day turns into KIS's rows: FHPST01060000 by a time, HHDFS76200300 by a key (kis.md 7).

use super::{Day, Which};
use crate::market::instrument::{Instrument, Row};
use crate::tr::Tape;

/// Rows of a page.
const PAGE: usize = 30;

/// Instrument and rows of FHPST01060000, newest first: prints of today at and before `hour` (HHMMSS); and the newest of all.
/// None for a symbol that nothing is known of; no rows when the day is no longer today.
#[must_use]
pub fn korean<'a>(
    day: &'a Day,
    key: &str,
    tape: Tape,
    hour: u32,
) -> Option<(&'a Instrument, Vec<Row>, Option<Row>)> {
    let line = day.find(key, tape)?;
    let it = day.symbols.get(line.symbol)?;
    if day.settings.today != day.settings.date {
        return Some((it, Vec::new(), None));
    }
    let all = day.rows(line, Which::Day);
    let end = partition(all, |at| {
        day.slice(line, Which::Day, at, at + 1, false).first().is_some_and(|row| row.time <= hour)
    });
    let mut rows = day.slice(line, Which::Day, end.saturating_sub(PAGE), end, true);
    rows.reverse();
    let newest = day.slice(line, Which::Day, all.saturating_sub(1), all, false).pop();
    Some((it, rows, newest))
}

/// Instrument and rows of HHDFS76200300, newest first, and the key of the page behind them. `today` false asks for the
/// day before; a key is the number of older rows.
#[must_use]
pub fn american<'a>(
    day: &'a Day,
    key: &str,
    today: bool,
    page_key: &str,
) -> Option<(&'a Instrument, Vec<Row>, Option<String>)> {
    let line = day.find(key, Tape::First)?;
    let it = day.symbols.get(line.symbol)?;
    let is_today = day.settings.today == day.settings.date;
    let which = match (is_today, today) {
        (true, true) | (false, false) => Which::Day,
        (true, false) => Which::Before,
        (false, true) => return Some((it, Vec::new(), None)),
    };
    let all = day.rows(line, which);
    let end = page_key.trim().parse().map_or(all, |left: usize| left.min(all));
    let from = end.saturating_sub(PAGE);
    let mut rows = day.slice(line, which, from, end, true);
    rows.reverse();
    Some((it, rows, (from > 0).then(|| from.to_string())))
}

/// How many of `0..count` come before the first for which `is_before` is false.
fn partition(count: usize, is_before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = usize::midpoint(low, high);
        if is_before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
