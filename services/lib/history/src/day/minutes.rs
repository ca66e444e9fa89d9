//! A day's minute bars → stretches of the counter without a print: what it held before the first bar, and what it gained
//! between two bars where a session ended.

use market::Quantity;
use market::Tape;
use market::calendar::Calendar;
use market::chain::{Missing, OffHours, session_changed};
use market::time::SECOND;

use crate::evidence::AUCTION_ENDS_LATE;
use crate::fetch::MinuteBar;

/// The print of an auction bears the second in which the next session begins: it stands for the one that ended.
fn has_ended(tape: Tape, calendar: &Calendar, from_ns: i64, until_ns: i64) -> bool {
    session_changed(calendar, tape, from_ns - SECOND, until_ns)
}

/// The stretches, in rising order. A jump inside a session is none: there the chart lacks a bar.
pub(super) fn off_hours(bars: &[MinuteBar], tape: Tape, calendar: &Calendar) -> Vec<OffHours> {
    let mut stretches = Vec::new();
    let mut before: Option<(&MinuteBar, i64)> = None;
    for (index, bar) in bars.iter().enumerate() {
        let Some(end) = bar.cumulative_volume.map(Quantity::units) else {
            // Without its end nothing can be said of what lies beside it.
            before = None;
            continue;
        };
        let begin = end - bar.quantity.units();
        let (reached, proven) = match before {
            Some((bar_before, reached)) => {
                (reached, has_ended(tape, calendar, bar_before.start_ns, bar.start_ns))
            }
            None => (0, index == 0),
        };
        if proven && begin > reached {
            stretches.push(OffHours {
                after: Quantity::from_units(reached),
                until: Quantity::from_units(begin),
                from_ns: None,
                until_ns: Some(bar.start_ns),
            });
        }
        before = Some((bar, end));
    }
    stretches
}

/// Whether a gap may be volume without a print: the head of a day, or a change of session.
pub(super) fn may_be_off_hours(missing: &Missing, tape: Tape, calendar: &Calendar) -> bool {
    match (missing.from_ns, missing.until_ns) {
        (None, _) => true,
        (Some(from), Some(until)) => has_ended(tape, calendar, from - AUCTION_ENDS_LATE, until),
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use market::{TradeDate, time};

    use super::*;

    fn bar(clock: &str, quantity: i64, end: Option<i64>) -> MinuteBar {
        let date = TradeDate::parse("20261124").expect("date");
        MinuteBar {
            start_ns: time::kst(date, time::parse_hhmmss(clock).expect("time")),
            quantity: Quantity::from_units(quantity),
            cumulative_volume: end.map(Quantity::from_units),
        }
    }

    fn found(bars: &[MinuteBar]) -> Vec<(i64, i64)> {
        let stretches = off_hours(bars, Tape::Krx, Calendar::built_in());
        stretches.iter().map(|stretch| (stretch.after.units(), stretch.until.units())).collect()
    }

    #[test]
    fn the_head_and_a_change_of_session_are_proven_and_a_jump_inside_is_not() {
        let bars = [
            bar("090000", 100, Some(140)),
            bar("090100", 10, Some(150)),
            // Ten shares that no bar has, in the middle of a session.
            bar("100000", 10, Some(170)),
            bar("153000", 30, Some(200)),
            bar("154000", 5, Some(225)),
        ];
        assert_eq!(found(&bars), [(0, 40), (200, 220)]);
    }

    #[test]
    fn beside_a_bar_without_its_end_nothing_is_proven() {
        let bars = [bar("090000", 100, None), bar("153000", 30, Some(200)), bar("154000", 5, Some(225))];
        assert_eq!(found(&bars), [(200, 220)]);
        assert_eq!(found(&[]), []);
    }
}
