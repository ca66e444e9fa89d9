//! Volume without a print: at the head of a day, where a session ends, beside lost prints, and where the source lacks a row.

use super::tape::{OPEN, Step, Tape, names};
use super::tests::{lost_rows, small};
use super::*;

/// A session with nothing before it, and one that begins with an auction's print, volume without a print, and trades.
fn evening() -> Tape {
    let mut steps: Vec<Step> = (0..40).map(|i| Step::plain(1, i % 3, 3 + u16::from(i))).collect();
    steps.push(Step { auction: true, ..Step::after(1_000, 20, 1, 60) });
    steps.extend((0..40).map(|i| Step::plain(7, i % 3, 3 + u16::from(i))));
    Tape::new(&steps)
}

#[test]
fn a_lost_auction_beside_volume_without_a_print_stays_open_until_its_volume_is_told() {
    let tape = evening();
    let changed = |from, until| tape.session_changed(from, until);
    for (lost, is_decided) in
        [(&[30][..], true), (&[39], true), (&[40], false), (&[41], false), (&[40, 41], false), (&[42], true)]
    {
        let live = tape.live(|index| !lost.contains(&index));
        let missing = tape.missing(&live);
        let evidence = Evidence { minutes: &tape.minutes, ..tape.evidence(&live, &changed) };
        let filled = rebuild(&missing, &Tape::bare(&tape.rows), &evidence);
        let decided = (
            filled.open.is_empty(),
            names(&filled.trades) == names(&lost_rows(&tape, |index| lost.contains(&index))),
        );
        assert_eq!(decided, (is_decided, is_decided), "{lost:?}");
        if !is_decided {
            let volume = missing.iter().map(|gap| gap.volume().units()).sum();
            assert_eq!((filled.trades.len(), filled.residue()), (0, volume), "{lost:?}");
            assert_eq!(filled.open[0].why, Why::Ambiguous);
        }
        let filled = rebuild(&missing, &tape.rows, &evidence);
        assert_eq!((filled.open.len(), filled.trades.len()), (0, lost.len()), "{lost:?}");
    }
}

#[test]
fn the_head_of_a_day_stands_before_its_first_print_however_many_of_the_first_minute_are_lost() {
    let mut steps = vec![Step::after(1_001, 0, 1, 37)];
    steps.extend((0..60).map(|i| Step::plain(5, i % 3, 3 + u16::from(i))));
    let mut tape = Tape::new(&steps);
    // The auction before the open ends here, so that a session ended less than a minute before each of these prints.
    tape.changes.push(OPEN);
    let changed = |from, until| tape.session_changed(from, until);
    let live = tape.live(|index| index > 20);
    let evidence = Evidence { minutes: &tape.minutes, ..tape.evidence(&live, &changed) };
    let filled = rebuild(&tape.missing(&live), &Tape::bare(&tape.rows), &evidence);
    assert_eq!((names(&filled.trades), filled.open.len()), (names(&tape.rows[..=20]), 0));
    assert_eq!(filled.off_hours[0].volume().units(), 1_001);
}

#[test]
fn volume_without_a_print_is_no_trade_of_the_source() {
    // The same jump twice: at the change of a session it is off-hours volume, within one the source lacks a row.
    let tape = Tape::new(&[
        Step::plain(0, 1, 10),
        Step::after(40, 1, 1, 10),
        Step::plain(1, 1, 40),
        Step::plain(1, 1, 10),
    ]);
    let source: Vec<Row> = [0, 1, 3].map(|index| tape.rows[index]).to_vec();
    let changed = |from, until| tape.session_changed(from, until);
    let missing = tape.missing(&[]);
    let filled = rebuild(&missing, &source, &tape.evidence(&[], &changed));
    assert_eq!((filled.trades.len(), filled.off_hours.len(), filled.open.len()), (3, 1, 1));
    let open = filled.open[0];
    assert_eq!((open.within.after.units(), open.within.until.units(), open.residue), (60, 100, 40));
    // The minutes know better: there was a trade at the change of the session too.
    let mut minutes = tape.minutes.clone();
    minutes[1].quantity = Quantity::from_units(100);
    let filled = rebuild(&missing, &source, &Evidence { minutes: &minutes, ..tape.evidence(&[], &changed) });
    assert_eq!((filled.off_hours.len(), filled.open.len(), filled.missing_volume().units()), (0, 2, 80));
}

#[test]
fn what_rows_and_minutes_lack_alike_in_the_middle_of_a_session_is_never_off_hours() {
    let (tape, live, missing) = small(100..101);
    let changed = |from, until| tape.session_changed(from, until);
    let lost = &tape.rows[100];
    // The minute has its end right, but counts the trade no more than the rows have it.
    let mut minutes = tape.minutes.clone();
    let of = minutes.iter_mut().rfind(|minute| minute.start_ns <= lost.exchange_ns).expect("minute");
    of.quantity = Quantity::from_units(of.quantity.units() - lost.quantity.units());
    let source: Vec<Row> = tape.rows.iter().filter(|row| *row != lost).copied().collect();
    for rows in [source.clone(), Tape::bare(&source)] {
        let evidence = Evidence { minutes: &minutes, ..tape.evidence(&live, &changed) };
        let filled = rebuild(&missing, &rows, &evidence);
        assert_eq!((filled.trades.len(), filled.off_hours.len(), filled.closed.len()), (0, 0, 0));
        assert_eq!((filled.open.len(), filled.residue()), (1, lost.quantity.units()));
    }
}

#[test]
fn a_day_without_a_known_print_rests_on_its_minutes() {
    let mut steps = vec![Step::after(1_234, 0, 1, 500)];
    let plain =
        |i: u16| Step::plain([0, 1, 2][usize::from(i % 3)], [0, 1, 2, 3, 4][usize::from(i % 5)], 1 + i % 11);
    steps.extend((0..300_u16).map(plain));
    steps.push(Step::after(99, 1, 2, 70));
    let tape = Tape::new(&steps);
    let changed = |from, until| tape.session_changed(from, until);
    let missing = tape.missing(&[]);
    let evidence = Evidence { minutes: &tape.minutes, ..tape.evidence(&[], &changed) };
    let filled = rebuild(&missing, &Tape::bare(&tape.rows), &evidence);
    assert_eq!(names(&filled.trades), names(&tape.rows));
    assert_eq!((filled.open.len(), filled.proof()), (0, Proof::Minutes));
    let off: Vec<i64> = filled.off_hours.iter().map(|stretch| stretch.volume().units()).collect();
    assert_eq!(off, [1_234, 99]);
    assert_eq!(filled.off_hours[1].until_ns, Some(tape.changes[0]));
    // Nothing at all to hold the rows against: nothing is added.
    let alone = Evidence { day_volume: None, ..Evidence::default() };
    let filled = rebuild(&missing, &Tape::bare(&tape.rows), &alone);
    assert_eq!((filled.trades.len(), filled.open[0].why), (0, Why::NoAnchor));
}
