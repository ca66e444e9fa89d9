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

/// The stretches, in rising order, of a day that lacks `missing`. A jump inside a session is none: there the chart lacks a
/// bar.
///
/// What the counter held before the first bar stands before its first print. Between two bars the jump may stand before
/// or behind the print of an auction: known prints say where, and where one of them is missing too nothing is proven.
pub(super) fn off_hours(
    bars: &[MinuteBar],
    missing: &[Missing],
    tape: Tape,
    calendar: &Calendar,
) -> Vec<OffHours> {
    let mut stretches = Vec::new();
    let mut before: Option<(&MinuteBar, i64)> = None;
    for (index, bar) in bars.iter().enumerate() {
        let Some(end) = bar.cumulative_volume.map(Quantity::units) else {
            // Without its end nothing can be said of what lies beside it.
            before = None;
            continue;
        };
        let begin = end - bar.quantity.units();
        match before {
            Some((bar_before, reached))
                if begin > reached && has_ended(tape, calendar, bar_before.start_ns, bar.start_ns) =>
            {
                stretches.extend(the_only_one(missing, reached, end, begin - reached));
            }
            None if index == 0 && begin > 0 => stretches.push(OffHours {
                after: Quantity::ZERO,
                until: Quantity::from_units(begin),
                from_ns: None,
                until_ns: Some(bar.start_ns),
            }),
            _ => {}
        }
        before = Some((bar, end));
    }
    stretches
}

/// What is missing of a bar, if that is one stretch of so many shares.
fn the_only_one(missing: &[Missing], reached: i64, end: i64, shares: i64) -> Option<OffHours> {
    let mut inside =
        missing.iter().filter(|missing| missing.until.units() > reached && missing.after.units() < end);
    let (only, None) = (inside.next()?, inside.next()) else { return None };
    let is_all =
        only.volume().units() == shares && only.after.units() >= reached && only.until.units() <= end;
    let Missing { after, until, from_ns, until_ns } = *only;
    is_all.then_some(OffHours { after, until, from_ns, until_ns })
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

    fn found(bars: &[MinuteBar], missing: &[(i64, i64)]) -> Vec<(i64, i64)> {
        let missing: Vec<Missing> = missing
            .iter()
            .map(|&(after, until)| Missing {
                after: Quantity::from_units(after),
                until: Quantity::from_units(until),
                from_ns: Some(1),
                until_ns: Some(2),
            })
            .collect();
        let stretches = off_hours(bars, &missing, Tape::Krx, Calendar::built_in());
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
        assert_eq!(found(&bars, &[(150, 160), (200, 220)]), [(0, 40), (200, 220)]);
    }

    #[test]
    fn known_prints_say_on_which_side_of_an_auction_it_stands() {
        let bars = [bar("090000", 100, Some(100)), bar("154000", 30, Some(150))];
        let head_and = |missing: &[(i64, i64)]| found(&bars, missing);
        assert_eq!(head_and(&[(100, 120)]), [(100, 120)]);
        assert_eq!(head_and(&[(110, 130)]), [(110, 130)]);
        // A print beside it is lost: it may stand before the print or behind it.
        assert_eq!(head_and(&[(100, 130)]), []);
        assert_eq!(head_and(&[(100, 110), (120, 130)]), []);
        assert_eq!(head_and(&[(90, 110)]), []);
    }

    #[test]
    fn beside_a_bar_without_its_end_nothing_is_proven() {
        let bars = [bar("090000", 100, None), bar("153000", 30, Some(200)), bar("154000", 5, Some(225))];
        assert_eq!(found(&bars, &[(200, 220)]), [(200, 220)]);
        assert_eq!(found(&[], &[(200, 220)]), []);
    }
}
