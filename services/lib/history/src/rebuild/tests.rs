//! Tapes with losses, from sources that are whole, lack rows, turn seconds round, are a second late, or are adjusted.

use std::collections::BTreeSet;

use market::Price;
use market::time::SECOND;
use proptest::prelude::*;

use super::tape::{Numbers, OPEN, Step, Tape, busy, config, names};
use super::*;
use crate::proof::Refused;

/// Steps of a day with bursts, equal trades, auctions after pauses and volume without a print.
fn steps(off_hours: bool) -> impl Strategy<Value = Vec<Step>> {
    let jump =
        if off_hours { prop_oneof![60 => Just(0_u16), 1 => 1_u16..3_000].boxed() } else { Just(0).boxed() };
    let quantity = prop_oneof![4 => 1_u16..4, 2 => Just(10_u16), 1 => 1_u16..5_000];
    let seconds = prop_oneof![6 => Just(0_u8), 3 => Just(1_u8), 1 => 2_u8..100];
    let step = (seconds, 0_u8..4, quantity, jump, any::<bool>()).prop_map(
        |(seconds, price, quantity, off_hours, auction)| Step {
            seconds,
            price,
            quantity,
            off_hours,
            auction,
        },
    );
    prop::collection::vec(step, 1..250)
}

/// Which trades are lost: some at random, and one stretch.
fn losses() -> impl Strategy<Value = (Vec<bool>, usize, usize)> {
    let share = prop_oneof![Just(0.05), Just(0.3), Just(0.7), Just(1.0)];
    let random = share.prop_flat_map(|share| prop::collection::vec(prop::bool::weighted(share), 250));
    (random, 0_usize..250, 0_usize..60)
}

fn is_lost((random, start, length): &(Vec<bool>, usize, usize), index: usize) -> bool {
    random[index % random.len()] || (*start..start + length).contains(&index)
}

pub(super) fn lost_rows(tape: &Tape, lost: impl Fn(usize) -> bool) -> Vec<Row> {
    tape.rows.iter().enumerate().filter(|(index, _)| lost(*index)).map(|(_, row)| *row).collect()
}

proptest! {
    #![proptest_config(config(20_261_125))]

    /// ka10084: exactly what was lost, and off-hours volume is told from it.
    #[test]
    fn rows_with_volumes_bring_back_exactly_what_was_lost(steps in steps(true), losses in losses(), dated in any::<bool>()) {
        let tape = Tape::new(&steps);
        let live = tape.live(|index| !is_lost(&losses, index));
        let changed = |from, until| tape.session_changed(from, until);
        let missing = tape.missing(&live);
        let minutes = if dated { tape.minutes.as_slice() } else { &[] };
        let evidence = Evidence { minutes, ..tape.evidence(&live, &changed) };
        let filled = rebuild(&missing, &tape.rows, &evidence);
        prop_assert_eq!(&filled.trades, &lost_rows(&tape, |index| is_lost(&losses, index)));
        // Behind an auction's print only the minutes tell such volume from a trade that the source lacks.
        let behind = |(index, step): (usize, &Step)| index > 0 && step.auction && !dated;
        let jumps = |open: bool| -> i64 {
            let of = steps.iter().enumerate().filter(|of| behind(*of) == open);
            of.map(|(_, step)| i64::from(step.off_hours)).sum()
        };
        prop_assert_eq!((filled.missing_volume().units(), filled.residue()), (jumps(true), jumps(true)));
        prop_assert_eq!(filled.off_hours.iter().map(|stretch| stretch.volume().units()).sum::<i64>(), jumps(false));
        prop_assert!(jumps(true) > 0 || filled.closed.len() == missing.len());
    }

    /// ka10079 with minutes: the same without a cumulative volume in any row.
    #[test]
    fn rows_without_volumes_bring_back_exactly_what_was_lost(steps in steps(true), losses in losses()) {
        let tape = Tape::new(&steps);
        let live = tape.live(|index| !is_lost(&losses, index));
        let changed = |from, until| tape.session_changed(from, until);
        let missing = tape.missing(&live);
        let evidence = Evidence { minutes: &tape.minutes, ..tape.evidence(&live, &changed) };
        let filled = rebuild(&missing, &Tape::bare(&tape.rows), &evidence);
        // Open is only where volume without a print and lost prints lie side by side: rows say not in which order.
        let is_open = |row: &Row| {
            filled.open.iter().any(|open| {
                let until = row.cumulative_volume.expect("volume");
                open.within.after < until && until <= open.within.until
            })
        };
        let (open, sure): (Vec<Row>, Vec<Row>) =
            lost_rows(&tape, |index| is_lost(&losses, index)).into_iter().partition(is_open);
        prop_assert_eq!(names(&filled.trades), names(&sure));
        for open in &filled.open {
            let volume = open.within.volume().units();
            let jumped = steps.iter().any(|step| (1..volume).contains(&i64::from(step.off_hours)));
            prop_assert!(jumped && (open.residue, open.why) == (volume, Why::Ambiguous), "{open:?}");
        }
        let beside = |row: &Row| {
            let late = |change: &i64| (*change..*change + 60 * SECOND).contains(&row.exchange_ns);
            tape.changes.iter().any(late)
        };
        prop_assert!(open.iter().all(beside), "{open:?}");
        // With their volumes in the rows nothing stays open.
        let filled = rebuild(&missing, &tape.rows, &evidence);
        prop_assert_eq!(&filled.open, &vec![]);
    }

    /// ka10079 alone: no minutes, and rows only from before the oldest gap on.
    #[test]
    fn known_prints_alone_are_enough(steps in steps(false), losses in losses()) {
        let tape = Tape::new(&steps);
        let last = tape.rows.len() - 1;
        let lost = |index: usize| index > 0 && index < last && is_lost(&losses, index);
        let live = tape.live(|index| !lost(index));
        let changed = |_, _| false;
        let missing = tape.missing(&live);
        let evidence = tape.evidence(&live, &changed);
        let filled = rebuild(&missing, &Tape::bare(&tape.rows), &evidence);
        prop_assert_eq!(names(&filled.trades), names(&lost_rows(&tape, lost)));
        prop_assert_eq!(&filled.open, &vec![]);
    }

    /// A source that itself lacks rows: exactly these stay open, to the share.
    #[test]
    fn what_a_source_with_volumes_lacks_stays_open_to_the_share(
        steps in steps(false), losses in losses(), lacking in prop::collection::vec(prop::bool::weighted(0.03), 250),
    ) {
        let tape = Tape::new(&steps);
        let live = tape.live(|index| !is_lost(&losses, index));
        let changed = |_, _| false;
        let lacks = |index: usize| lacking[index % lacking.len()];
        let source: Vec<Row> = lost_rows(&tape, |index| !lacks(index));
        let evidence = Evidence { minutes: &tape.minutes, ..tape.evidence(&live, &changed) };
        let filled = rebuild(&tape.missing(&live), &source, &evidence);
        prop_assert_eq!(&filled.trades, &lost_rows(&tape, |index| is_lost(&losses, index) && !lacks(index)));
        let open = lost_rows(&tape, |index| is_lost(&losses, index) && lacks(index));
        let open: i64 = open.iter().map(|row| row.quantity.units()).sum();
        prop_assert_eq!((filled.missing_volume().units(), filled.residue()), (open, open));
    }

    /// The same without volumes: nothing false is added, whatever the source lacks, and the account is exact.
    #[test]
    fn what_a_bare_source_lacks_makes_nothing_false(
        steps in steps(true), losses in losses(), lacking in prop::collection::vec(prop::bool::weighted(0.01), 250),
        dated in any::<bool>(),
    ) {
        let tape = Tape::new(&steps);
        let live = tape.live(|index| !is_lost(&losses, index));
        let changed = |from, until| tape.session_changed(from, until);
        let source = Tape::bare(&lost_rows(&tape, |index| !lacking[index % lacking.len()]));
        let minutes = if dated { tape.minutes.as_slice() } else { &[] };
        let evidence = Evidence { minutes, ..tape.evidence(&live, &changed) };
        let missing = tape.missing(&live);
        let filled = rebuild(&missing, &source, &evidence);
        let lost: BTreeSet<_> = names(&lost_rows(&tape, |index| is_lost(&losses, index))).into_iter().collect();
        for name in names(&filled.trades) {
            prop_assert!(lost.contains(&name), "{:?} was never traded", name);
        }
        let all: i64 = missing.iter().map(|gap| gap.volume().units()).sum();
        let off: i64 = steps.iter().map(|step| i64::from(step.off_hours)).sum();
        let accounted = filled.added_volume().units() + filled.missing_volume().units();
        prop_assert!(accounted <= all && accounted >= all - off);
    }
}

#[test]
fn busy_days_with_a_source_that_lacks_one_row_in_a_thousand() {
    let (mut gaps, mut open, mut concerned) = (0, 0, 0);
    for seed in 1..=4 {
        let tape = busy(20_000, seed);
        let mut numbers = Numbers(seed + 5);
        let lost: Vec<bool> =
            (0..20_000).map(|index| numbers.below(20) == 0 || (7_000..7_900).contains(&index)).collect();
        let lacks: Vec<bool> = (0..20_000).map(|_| numbers.below(1_000) == 0).collect();
        let live = tape.live(|index| !lost[index]);
        let source = Tape::bare(&lost_rows(&tape, |index| !lacks[index]));
        let changed = |_, _| false;
        let missing = tape.missing(&live);
        let evidence = Evidence { minutes: &tape.minutes, ..tape.evidence(&live, &changed) };
        let filled = rebuild(&missing, &source, &evidence);
        let truth: BTreeSet<_> = names(&lost_rows(&tape, |index| lost[index])).into_iter().collect();
        assert!(names(&filled.trades).iter().all(|name| truth.contains(name)));
        let all: i64 = missing.iter().map(|gap| gap.volume().units()).sum();
        assert_eq!(filled.added_volume().units() + filled.missing_volume().units(), all);
        for row in lost_rows(&tape, |index| lost[index] && lacks[index]) {
            let volume = row.cumulative_volume.expect("volume");
            let holds = |open: &Open| open.within.after < volume && volume <= open.within.until;
            assert!(filled.open.iter().any(holds), "{row:?}");
            concerned += 1;
        }
        gaps += missing.len();
        open += filled.open.len();
    }
    // Every gap of which the source lacks a row stays open, and hardly another one: only those beside a row that it
    // lacks as well, among trades that are alike.
    assert!(gaps > 3_000 && concerned > 3, "{gaps} gaps, {concerned} concerned");
    assert!(open <= concerned + 8, "{open} of {gaps} gaps open, {concerned} concerned");
}

pub(super) fn small(lost: std::ops::Range<usize>) -> (Tape, Vec<Print>, Vec<Missing>) {
    let tape = busy(400, 3);
    let live = tape.live(|index| !lost.contains(&index));
    let missing = tape.missing(&live);
    (tape, live, missing)
}

#[test]
fn a_gap_is_proven_at_both_ends() {
    let (tape, live, missing) = small(100..220);
    let changed = |_, _| false;
    let filled = rebuild(&missing, &Tape::bare(&tape.rows), &tape.evidence(&live, &changed));
    assert_eq!((filled.closed.len(), filled.closed[0].proof), (1, Proof::Anchored));
    assert_eq!((filled.closed[0].added, filled.proof()), (120, Proof::Anchored));
    assert_eq!(filled.reading, Reading { anchors: 1, matched: 280, ..Reading::default() });
    assert!(filled.trades.iter().all(|row| row.aggressor_side == market::AggressorSide::Unspecified));
    let filled = rebuild(&missing, &tape.rows, &tape.evidence(&live, &changed));
    assert_eq!(filled.closed[0].proof, Proof::Chained);
}

#[test]
fn a_missing_row_is_confined_to_its_minute() {
    let (tape, live, missing) = small(50..350);
    let changed = |_, _| false;
    let mut source = Tape::bare(&tape.rows);
    let lacked = source.remove(200);
    let evidence = Evidence { minutes: &tape.minutes, ..tape.evidence(&live, &changed) };
    let filled = rebuild(&missing, &source, &evidence);
    assert_eq!((filled.open.len(), filled.open[0].why), (1, Why::SourceLacksRows));
    let open = filled.open[0];
    assert_eq!(open.residue, lacked.quantity.units());
    let minute = 60 * SECOND;
    let inside: Vec<i64> = lost_rows(&tape, |index| {
        let volume = tape.rows[index].cumulative_volume.expect("volume");
        open.within.after < volume && volume <= open.within.until
    })
    .iter()
    .map(|row| row.exchange_ns / minute)
    .collect();
    assert!(inside.iter().all(|other| *other == lacked.exchange_ns / minute));
    assert_eq!(filled.trades.len(), 300 - inside.len());
    // Without the minutes the whole gap stays open, with the same residue, and minutes are wished for.
    let filled = rebuild(&missing, &source, &tape.evidence(&live, &changed));
    assert_eq!((filled.trades.len(), filled.open.len(), filled.wants_minutes), (0, 1, true));
    assert_eq!((filled.open[0].within, filled.open[0].residue), (missing[0], lacked.quantity.units()));
    assert_eq!(filled.proof(), Proof::Unproven);
}

#[test]
fn a_row_too_many_is_a_negative_residue() {
    let (tape, live, missing) = small(100..220);
    let changed = |_, _| false;
    let mut source = Tape::bare(&tape.rows);
    source.insert(150, source[150]);
    let filled = rebuild(&missing, &source, &tape.evidence(&live, &changed));
    assert_eq!((filled.trades.len(), filled.open.len()), (0, 1));
    assert_eq!(filled.open[0].why, Why::SourceHasMore);
    assert_eq!(filled.open[0].residue, -source[150].quantity.units());
}

#[test]
fn a_single_trade_received_in_the_gap_confines_the_fault() {
    let tape = busy(400, 3);
    // A trade in the middle that no other is like.
    let alone = (150..250)
        .find(|&i| {
            let of = |row: &Row| (row.exchange_ns, row.price, row.quantity);
            tape.rows.iter().filter(|row| of(row) == of(&tape.rows[i])).count() == 1
        })
        .expect("a trade of its own");
    let lost = |index: usize| (100..300).contains(&index) && index != alone;
    let live = tape.live(|index| !lost(index));
    let missing = tape.missing(&live);
    let mut source = Tape::bare(&tape.rows);
    // One row too few on each side: no shift of the neighbours fits the single trade.
    source.remove(alone + 20);
    source.remove(alone - 20);
    let changed = |_, _| false;
    let filled = rebuild(&missing, &source, &tape.evidence(&live, &changed));
    let residues: Vec<i64> = filled.open.iter().map(|open| open.residue).collect();
    let lacked = [tape.rows[alone - 20].quantity.units(), tape.rows[alone + 20].quantity.units()];
    assert_eq!((filled.open.len(), residues.as_slice()), (2, &lacked[..]));
}

#[test]
fn seconds_that_come_in_reverse_order_are_turned_round() {
    let (tape, live, missing) = small(100..220);
    let changed = |_, _| false;
    let source = turned(&Tape::bare(&tape.rows));
    assert_ne!(source, Tape::bare(&tape.rows));
    let filled = rebuild(&missing, &source, &tape.evidence(&live, &changed));
    assert_eq!((filled.open.len(), filled.reading.reversed_in_second), (0, true));
    assert_eq!(names(&filled.trades), names(&tape.rows[100..220]));
    let filled = rebuild(&missing, &Tape::bare(&tape.rows), &tape.evidence(&live, &changed));
    assert!(!filled.reading.reversed_in_second);
}

#[test]
fn a_second_of_difference_is_allowed_and_reported() {
    let (tape, live, missing) = small(100..220);
    let changed = |_, _| false;
    let later = |by: i64| -> Vec<Row> {
        let row = |row: &Row| Row { exchange_ns: row.exchange_ns + by, ..*row };
        Tape::bare(&tape.rows).iter().map(row).collect()
    };
    let filled = rebuild(&missing, &later(SECOND), &tape.evidence(&live, &changed));
    assert_eq!((filled.open.len(), filled.reading.time_shift_ns), (0, -SECOND));
    // The source's own time stands in the trade.
    assert_eq!(filled.trades[0].exchange_ns, tape.rows[100].exchange_ns + SECOND);
    let filled = rebuild(&missing, &later(2 * SECOND), &tape.evidence(&live, &changed));
    assert_eq!((filled.trades.len(), filled.reading.anchors), (0, 0));
}

#[test]
fn adjusted_prices_are_refused() {
    let (tape, live, missing) = small(100..220);
    let changed = |_, _| false;
    // A split of one into five.
    let split = |row: &Row| Row { price: Price::from_units(row.price.units() / 5), ..*row };
    let rows: Vec<Row> = tape.rows.iter().map(split).collect();
    for rows in [Tape::bare(&rows), rows] {
        let filled = rebuild(&missing, &rows, &tape.evidence(&live, &changed));
        assert!(matches!(filled.refused, Some(Refused::AdjustedPrices { .. })), "{:?}", filled.refused);
        assert_eq!((filled.trades.len(), filled.open.len(), filled.open[0].why), (0, 1, Why::Refused));
    }
}

#[test]
fn rows_of_another_tape_are_refused() {
    let (tape, live, missing) = small(100..220);
    let changed = |_, _| false;
    let other = |row: &Row| Row { quantity: Quantity::from_units(row.quantity.units() + 1), ..*row };
    let rows: Vec<Row> = tape.rows.iter().map(other).collect();
    let filled = rebuild(&missing, &rows, &tape.evidence(&live, &changed));
    assert_eq!(filled.refused, Some(Refused::Contradicts { compared: 280, contradicted: 280 }));
    assert!(filled.trades.is_empty());
}

#[test]
fn equal_trades_of_one_second_all_come_back() {
    // A set keyed on second, price and quantity would keep one of the forty.
    let mut steps = vec![Step::plain(0, 1, 10); 40];
    steps.extend((0..20).map(|i| Step::plain(1, i % 3, 7)));
    let tape = Tape::new(&steps);
    let lost = |index: usize| (3..30).contains(&index);
    let live = tape.live(|index| !lost(index));
    let changed = |_, _| false;
    for rows in [tape.rows.clone(), Tape::bare(&tape.rows)] {
        let filled = rebuild(&tape.missing(&live), &rows, &tape.evidence(&live, &changed));
        assert_eq!((filled.trades.len(), filled.open.len()), (27, 0));
        assert_eq!(names(&filled.trades), names(&tape.rows[3..30]));
    }
}

#[test]
fn rows_that_stop_before_the_morning_leave_it_open() {
    // Two gaps, and pages that ended as soon as they touched the first of them.
    let tape = busy(400, 3);
    let lost = |index: usize| (50..80).contains(&index) || (300..320).contains(&index);
    let live = tape.live(|index| !lost(index));
    let missing = tape.missing(&live);
    let changed = |_, _| false;
    for rows in [tape.rows[200..].to_vec(), Tape::bare(&tape.rows[200..])] {
        let evidence = Evidence { reached_start: false, ..tape.evidence(&live, &changed) };
        let filled = rebuild(&missing, &rows, &evidence);
        assert_eq!((filled.trades.len(), filled.closed.len(), filled.open.len()), (20, 1, 1));
        assert_eq!((filled.open[0].why, filled.open[0].within), (Why::NotReached, missing[0]));
    }
}

#[test]
fn the_last_trades_anchor_a_missing_tail() {
    let tape = busy(400, 3);
    let live = tape.live(|index| index < 3);
    let missing = tape.missing(&live);
    let changed = |_, _| false;
    let evidence = Evidence { last: &tape.rows[370..], day_volume: None, ..tape.evidence(&live, &changed) };
    let filled = rebuild(&missing, &Tape::bare(&tape.rows), &evidence);
    assert_eq!((names(&filled.trades), filled.open.len()), (names(&tape.rows[3..]), 0));
    assert_eq!(filled.reading.anchors, 1);
}

#[test]
fn rows_that_are_cut_differently_lie_over_nothing_that_is_known() {
    let tape = Tape::new(&[Step::plain(0, 1, 10), Step::plain(1, 1, 30), Step::plain(1, 1, 10)]);
    // Known: the first half of the second trade, as another broker cuts it.
    let mut live = tape.live(|index| index != 1);
    live.push(Print {
        cumulative_volume: Quantity::from_units(25),
        quantity: Quantity::from_units(15),
        exchange_ns: OPEN + SECOND,
        price: Price::from_units(349_750_000),
    });
    let changed = |_, _| false;
    let missing = tape.missing(&live);
    let filled = rebuild(&missing, &tape.rows, &tape.evidence(&live, &changed));
    assert_eq!((filled.trades.len(), filled.open.len()), (0, 1));
    assert_eq!((filled.open[0].why, filled.open[0].residue), (Why::OtherCut, 15));
}

#[test]
fn no_rows_are_no_source() {
    let (tape, live, missing) = small(100..220);
    let changed = |_, _| false;
    let filled = rebuild(&missing, &[], &tape.evidence(&live, &changed));
    assert_eq!((filled.open[0].why, filled.proof()), (Why::NoSource, Proof::NoSource));
    assert_eq!(filled.missing_volume(), missing[0].volume());
}
