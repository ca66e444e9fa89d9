//! Days made from seeds, with losses that the test chose: what the chain finds is compared with what was taken out.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::calendar::Calendar;
use crate::instrument::Tape;
use crate::time::{SECOND, kst};
use crate::trade_date::TradeDate;

/// Between two sessions nothing trades for so long.
const PAUSE: i64 = 1_800 * SECOND;

fn print(cumulative_volume: i64, quantity: i64, second: i64) -> Print {
    Print {
        cumulative_volume: Quantity::from_units(cumulative_volume),
        quantity: Quantity::from_units(quantity),
        exchange_ns: second * SECOND,
        price: Price::from_units(700_000_000),
    }
}

fn date(day: &str) -> TradeDate {
    TradeDate::parse(day).expect("date")
}

fn here() -> Place {
    Place { trade_date: date("20261125"), session_changed: false, unwatched: false }
}

/// `(after, until)` of each.
fn spans(missing: &[Missing]) -> Vec<(i64, i64)> {
    missing.iter().map(|missing| (missing.after.units(), missing.until.units())).collect()
}

fn paused(from_ns: i64, until_ns: i64) -> bool {
    until_ns - from_ns >= PAUSE
}

/// A day as it was: its prints in order, and the stretches of its counter without a print.
#[derive(Debug, Clone, Default)]
struct Taped {
    prints: Vec<Print>,
    jumps: Vec<(i64, i64)>,
}

impl Taped {
    fn volume(&self) -> i64 {
        self.prints.last().map_or(0, |print| print.cumulative_volume.units())
    }

    fn off_hours(&self) -> Vec<OffHours> {
        let stretch = |(after, until): &(i64, i64)| OffHours {
            after: Quantity::from_units(*after),
            until: Quantity::from_units(*until),
            from_ns: None,
            until_ns: None,
        };
        self.jumps.iter().map(stretch).collect()
    }
}

/// Trades of 1 to 300 shares, many in one second, equal ones, auctions of thousands after a pause, and jumps of the
/// counter in pauses; one in three days begins with such a jump.
fn tape(longest: usize) -> impl Strategy<Value = Taped> {
    let step = (0..20_u8, 1..300_i64, 0..3_i64, 0..4_i64);
    vec(step, 1..longest).prop_map(|steps| {
        let (mut tape, mut volume, mut now) = (Taped::default(), 0, 32_400 * SECOND);
        for (kind, shares, wait, tick) in steps {
            match (kind, tape.prints.last().copied()) {
                (0, _) | (1..=6, None) => {
                    tape.jumps.push((volume, volume + shares));
                    volume += shares;
                    now += PAUSE;
                }
                (1, _) => now += PAUSE,
                _ => now += wait * SECOND,
            }
            let quantity = match (kind, tape.prints.last()) {
                (1, _) => shares * 1_000,
                (2..=5, Some(before)) => before.quantity.units(),
                _ => shares,
            };
            volume += quantity;
            let price = Price::from_units(700_000_000 + tick * 1_000_000);
            tape.prints.push(Print { exchange_ns: now, price, ..print(volume, quantity, 0) });
        }
        tape
    })
}

/// What is missing of a day, by the prints that are left of it.
fn taken_out(tape: &Taped, kept: &[bool]) -> Vec<Missing> {
    let mut missing: Vec<Missing> = Vec::new();
    let (mut from_ns, mut open) = (None, 0);
    for (print, kept) in tape.prints.iter().zip(kept) {
        if *kept {
            for missing in &mut missing[open..] {
                missing.until_ns = Some(print.exchange_ns);
            }
            (from_ns, open) = (Some(print.exchange_ns), missing.len());
            continue;
        }
        let after = Quantity::from_units(print.cumulative_volume.units() - print.quantity.units());
        let until = print.cumulative_volume;
        match missing[open..].last_mut() {
            Some(before) if before.until == after => before.until = until,
            _ => missing.push(Missing { after, until, from_ns, until_ns: None }),
        }
    }
    missing
}

/// The kept prints, some of them again, in an order by `keys`.
fn delivered(tape: &Taped, kept: &[bool], again: &[Index], keys: &[u32]) -> Vec<Print> {
    let left: Vec<Print> =
        tape.prints.iter().zip(kept).filter(|(_, kept)| **kept).map(|(print, _)| *print).collect();
    let mut delivered = left.clone();
    if !left.is_empty() {
        delivered.extend(again.iter().map(|index| *index.get(&left)));
    }
    let mut keyed: Vec<_> = delivered.into_iter().zip(keys.iter().cycle()).collect();
    keyed.sort_by_key(|(_, key)| **key);
    keyed.into_iter().map(|(print, _)| print).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_subset_in_any_order_gives_exactly_what_was_taken_out(
        tape in tape(300),
        kept in vec(prop::bool::weighted(0.8), 300),
        again in vec(any::<Index>(), 0..40),
        keys in vec(any::<u32>(), 1..400),
    ) {
        let off_hours = tape.off_hours();
        let known_volume = Some(Quantity::from_units(tape.volume()));
        let day = Day { known_volume, head_expected: false, off_hours: &off_hours };
        let line = line(delivered(&tape, &kept, &again, &keys), &day);
        prop_assert_eq!(&line.missing, &taken_out(&tape, &kept));
        let apart: Vec<_> =
            line.off_hours.iter().map(|stretch| (stretch.after.units(), stretch.until.units())).collect();
        prop_assert_eq!(apart, tape.jumps.clone());
        let left = tape.prints.iter().zip(&kept).filter(|(_, kept)| **kept);
        let (count, shares) = left.fold((0, 0), |(count, shares), (print, _)| (count + 1, shares + print.quantity.units()));
        prop_assert_eq!((line.prints, line.covered.units()), (count, shares));
        prop_assert_eq!(line.duplicates, if count == 0 { 0 } else { again.len() });
        prop_assert!(line.corrections.is_empty() && line.resets.is_empty());
        let parts = line.covered.units() + line.missing_volume().units() + line.off_hours_volume().units();
        prop_assert_eq!(parts, tape.volume());
    }

    #[test]
    fn a_head_that_was_listened_to_is_off_hours_volume(
        tape in tape(100),
        kept in vec(prop::bool::weighted(0.8), 100),
        keys in vec(any::<u32>(), 1..100),
    ) {
        let off_hours = tape.off_hours();
        let day = Day { known_volume: None, head_expected: true, off_hours: &off_hours };
        let line = line(delivered(&tape, &kept, &[], &keys), &day);
        // Without a total of the day nobody sees the tail.
        let inner = |missing: &Missing| missing.from_ns.is_some() && missing.until_ns.is_some();
        let expected: Vec<_> = taken_out(&tape, &kept).into_iter().filter(inner).collect();
        prop_assert_eq!(line.missing, expected);
    }

    #[test]
    fn a_day_without_loss_has_none(tape in tape(300), keys in vec(any::<u32>(), 1..400)) {
        let kept = vec![true; tape.prints.len()];
        let rows = delivered(&tape, &kept, &[], &keys);
        let off_hours = off_hours_from(&rows, true, paused);
        let known_volume = Some(Quantity::from_units(tape.volume()));
        let line = line(rows, &Day { known_volume, head_expected: false, off_hours: &off_hours });
        prop_assert_eq!(line.missing, []);
        prop_assert_eq!(line.resets, []);
    }

    #[test]
    fn trades_cut_otherwise_by_a_second_broker_are_no_gap(tape in tape(200), joined in vec(any::<bool>(), 200)) {
        let mut other: Vec<Print> = Vec::new();
        for (print, join) in tape.prints.iter().zip(joined) {
            match other.last_mut() {
                Some(before) if join && before.cumulative_volume == print.after() => {
                    let quantity = before.quantity.checked_add(print.quantity).expect("small");
                    *before = Print { quantity, ..*print };
                }
                _ => other.push(*print),
            }
        }
        let off_hours = tape.off_hours();
        let known_volume = Some(Quantity::from_units(tape.volume()));
        let day = Day { known_volume, head_expected: false, off_hours: &off_hours };
        let line = line(tape.prints.iter().copied().chain(other), &day);
        prop_assert_eq!(line.missing, []);
        prop_assert_eq!(line.covered.units(), tape.prints.iter().map(|print| print.quantity.units()).sum::<i64>());
    }

    #[test]
    fn live_breaks_are_told_as_they_come_and_late_prints_fill_them(
        tape in tape(90),
        kept in vec(prop::bool::weighted(0.85), 90),
        behind in vec(0..6_usize, 90),
        again in vec(any::<Index>(), 0..20),
    ) {
        let mut kept = kept;
        kept[0] = true;
        // Each print comes up to five places late; the first is first.
        let mut order: Vec<(usize, Print)> = tape.prints.iter().zip(&kept).zip(&behind).enumerate()
            .filter(|(_, ((_, kept), _))| **kept)
            .map(|(index, ((print, _), behind))| (if index == 0 { 0 } else { index + behind }, *print))
            .collect();
        let repeated: Vec<_> = again.iter().map(|index| *index.get(&order)).map(|(at, print)| (at + 6, print)).collect();
        order.extend(repeated);
        order.sort_by_key(|(at, _)| *at);
        let mut chain = Chain::new();
        let (mut told, mut filled) = (Vec::new(), Vec::new());
        for (_, print) in &order {
            match chain.push(*print, here()) {
                Link::Gap(missing) => told.push(missing),
                Link::First { .. } | Link::Contiguous | Link::Late | Link::Duplicate => {}
                other => prop_assert!(false, "{other:?}"),
            }
            filled.extend(chain.take_filled());
        }
        // What no kept print covers between the first and the last of them.
        let mut expected: Vec<(i64, i64)> = Vec::new();
        let mut reached = tape.prints[0].cumulative_volume.units();
        for (print, _) in tape.prints.iter().zip(&kept).skip(1).filter(|(_, kept)| **kept) {
            let after = print.cumulative_volume.units() - print.quantity.units();
            if after > reached {
                expected.push((reached, after));
            }
            reached = print.cumulative_volume.units();
        }
        let mut open: Vec<(i64, i64)> = Vec::new();
        for (after, until) in spans(&chain.open().collect::<Vec<_>>()) {
            match open.last_mut() {
                Some(before) if before.1 == after => before.1 = until,
                _ => open.push((after, until)),
            }
        }
        prop_assert_eq!(open, expected);
        prop_assert!(filled.iter().all(|missing| told.contains(missing)));
    }

    #[test]
    fn live_prints_in_order_tell_the_same_as_the_whole_day(
        tape in tape(100),
        kept in vec(prop::bool::weighted(0.7), 100),
    ) {
        let mut chain = Chain::new();
        let mut told = Vec::new();
        let (mut apart, mut before) = (Vec::new(), None);
        for (print, _) in tape.prints.iter().zip(&kept).filter(|(_, kept)| **kept) {
            let session_changed = before.is_some_and(|before| paused(before, print.exchange_ns));
            before = Some(print.exchange_ns);
            match chain.push(*print, Place { session_changed, ..here() }) {
                Link::Gap(missing) => told.push(missing),
                Link::OffHours(stretch) => apart.push((stretch.after.units(), stretch.until.units())),
                _ => {}
            }
        }
        // At a change of session a loss cannot be told from off-hours volume while it happens.
        let day = Day { known_volume: None, head_expected: true, off_hours: &[] };
        let line = line(delivered(&tape, &kept, &[], &[0]), &day);
        let (late, now): (Vec<_>, Vec<_>) =
            line.missing.iter().partition(|missing| apart.contains(&(missing.after.units(), missing.until.units())));
        prop_assert_eq!(told, now);
        prop_assert_eq!(late.len(), apart.len());
    }
}

#[test]
fn a_hole_has_its_shares_and_its_times() {
    let prints = [print(10, 10, 1), print(15, 5, 2), print(40, 5, 4), print(15, 5, 2)];
    let known_volume = Some(Quantity::from_units(50));
    let line = line(prints, &Day { known_volume, ..Day::default() });
    let shares = Quantity::from_units;
    let (from_ns, until_ns) = (Some(2 * SECOND), Some(4 * SECOND));
    assert_eq!(
        line.missing,
        [
            Missing { after: shares(15), until: shares(35), from_ns, until_ns },
            Missing { after: shares(40), until: shares(50), from_ns: until_ns, until_ns: None },
        ]
    );
    assert_eq!((line.prints, line.duplicates, line.volume, line.covered), (3, 1, shares(40), shares(20)));
    assert_eq!(line.missing_volume(), shares(30));
}

#[test]
fn a_day_of_which_nothing_came_is_missing_whole() {
    let known_volume = Some(Quantity::from_units(50));
    for head_expected in [false, true] {
        let line = line([], &Day { known_volume, head_expected, off_hours: &[] });
        assert_eq!(spans(&line.missing), [(0, 50)]);
    }
    assert_eq!(line([], &Day::default()), Line::default());
}

#[test]
fn a_jump_inside_a_session_is_not_proven_by_rows_that_lack_it_too() {
    let rows = [print(30, 10, 1), print(40, 10, 2), print(60, 10, 3), print(100, 10, 9_000)];
    let stretches: Vec<_> = off_hours_from(&rows, true, paused)
        .iter()
        .map(|stretch| (stretch.after.units(), stretch.until.units()))
        .collect();
    assert_eq!(stretches, [(0, 20), (60, 90)]);
    // Rows that do not reach the start of the day prove nothing of its head.
    assert_eq!(off_hours_from(&rows, false, paused).len(), 1);
    assert_eq!(off_hours_from(&[], true, paused), []);
}

#[test]
fn sessions_change_by_the_calendar() {
    let at = |hour: i64, minute: i64| kst(date("20261125"), (hour * 60 + minute) * 60 * SECOND);
    let changed = |from, until| session_changed(Calendar::built_in(), Tape::Krx, from, until);
    assert!(!changed(at(9, 1), at(15, 19)));
    assert!(changed(at(15, 19), at(15, 45)));
    assert!(changed(at(15, 45), at(16, 5)));
}

#[test]
fn unequal_prints_over_the_same_shares_are_told() {
    let other = Print { price: Price::from_units(1), ..print(20, 10, 1) };
    let line = line([print(10, 10, 1), print(20, 10, 1), other, print(20, 5, 1)], &Day::default());
    assert_eq!(line.corrections.len(), 2);
    assert_eq!((line.covered.units(), line.missing.len()), (20, 0));

    let mut chain = Chain::new();
    let links =
        [print(10, 10, 1), print(20, 10, 1), other, print(20, 10, 1), print(25, 10, 2), print(30, 5, 2)]
            .map(|print| chain.push(print, here()));
    assert_eq!(
        links,
        [
            Link::First { before: Quantity::ZERO },
            Link::Contiguous,
            Link::Correction,
            Link::Duplicate,
            Link::Correction,
            Link::Contiguous,
        ]
    );
}

#[test]
fn a_counter_that_starts_again_is_told_and_judged_for_itself() {
    let before = [print(600, 600, 1), print(1_000, 400, 5)];
    let again = [print(30, 30, 6), print(70, 30, 7), print(90, 20, 8), print(2_000, 1_910, 20)];
    let line = line(before.into_iter().chain(again), &Day::default());
    assert_eq!(line.resets, [Reset { before: Quantity::from_units(1_000), at_ns: 6 * SECOND }]);
    assert_eq!(spans(&line.missing), [(30, 40)]);
    assert_eq!((line.volume.units(), line.covered.units(), line.corrections.len()), (2_000, 2_990, 0));

    let mut chain = Chain::new();
    for print in before {
        chain.push(print, here());
    }
    let links = again.map(|print| chain.push(print, here()));
    let reset = Reset { before: Quantity::from_units(1_000), at_ns: 8 * SECOND };
    assert_eq!(links, [Link::Duplicate, Link::Late, Link::Reset(reset), Link::Contiguous]);
}

#[test]
fn one_print_far_behind_is_no_new_counter() {
    let prints = [print(600, 600, 1), print(1_000, 400, 5), print(30, 30, 60), print(1_100, 100, 61)];
    assert_eq!(line(prints, &Day::default()).resets, []);
    let mut chain = Chain::new();
    let links = prints.map(|print| chain.push(print, here()));
    assert_eq!(links[2..], [Link::Late, Link::Contiguous]);
}

#[test]
fn a_new_day_begins_anew_and_a_late_print_of_the_old_one_does_no_harm() {
    let mut chain = Chain::new();
    chain.push(print(1_000, 10, 1), here());
    let tomorrow = Place { trade_date: date("20261126"), ..here() };
    assert_eq!(chain.push(print(120, 20, 2), tomorrow), Link::NewDay { before: Quantity::from_units(100) });
    assert_eq!(chain.push(print(1_010, 10, 3), here()), Link::Late);
    assert_eq!(chain.push(print(130, 10, 3), tomorrow), Link::Contiguous);
}

#[test]
fn volume_that_a_book_tells_is_a_break_until_the_print_comes() {
    let (day, shares) = (here().trade_date, Quantity::from_units);
    let mut chain = Chain::new();
    assert!(!chain.is_behind(day, shares(50)));
    chain.push(print(10, 10, 1), here());
    assert!(chain.is_behind(day, shares(50)) && !chain.is_behind(day, shares(10)));
    assert!(!chain.is_behind(date("20261126"), shares(50)));
    let missing = Missing { after: shares(10), until: shares(50), from_ns: Some(SECOND), until_ns: None };
    assert_eq!(chain.lacks(day, shares(50)), Some(Link::Gap(missing)));
    assert_eq!(chain.lacks(day, shares(50)), None);
    assert!(chain.is_behind(day, shares(55)));
    assert_eq!(chain.lacks(day, shares(55)), None);
    // The first of its prints, another behind it, and the rest.
    assert_eq!(chain.push(print(30, 20, 2), here()), Link::Late);
    assert_eq!(chain.push(print(60, 10, 3), here()), Link::Contiguous);
    assert_eq!(spans(&chain.open().collect::<Vec<_>>()), [(30, 50)]);
    assert_eq!(chain.take_filled(), []);
    assert_eq!(chain.push(print(50, 20, 3), here()), Link::Late);
    assert_eq!(chain.take_filled(), [missing]);
}

#[test]
fn volume_without_a_print_at_a_change_of_session_or_unwatched_is_no_break() {
    let mut chain = Chain::new();
    chain.push(print(10, 10, 1), here());
    let changed = Place { session_changed: true, ..here() };
    assert!(
        matches!(chain.push(print(30, 10, 2), changed), Link::OffHours(stretch) if stretch.volume().units() == 10)
    );
    assert_eq!(chain.push(print(40, 10, 2), changed), Link::Contiguous);
    let unwatched = Place { unwatched: true, ..here() };
    assert!(
        matches!(chain.push(print(90, 10, 3), unwatched), Link::Unwatched(missing) if missing.volume().units() == 40)
    );
    assert_eq!(chain.open().count(), 0);
}

#[test]
fn more_open_breaks_than_are_told_one_by_one_grow_together() {
    let mut chain = Chain::new();
    chain.push(print(10, 10, 0), here());
    // Ten shares lost before each print of ten.
    let links: Vec<Link> =
        (1..=110).map(|step| chain.push(print(10 + 20 * step, 10, step), here())).collect();
    assert!(links[..100].iter().all(|link| matches!(link, Link::Gap(_))));
    let grown: Vec<Grown> = links[100..]
        .iter()
        .map(|link| match link {
            Link::Grown(grown) => *grown,
            other => panic!("{other:?}"),
        })
        .collect();
    let told: Vec<_> = grown
        .iter()
        .filter(|grown| grown.tell)
        .map(|grown| (grown.breaks, spans(&[grown.whole])[0]))
        .collect();
    // The 101st break is (2010, 2020].
    assert_eq!(told, [(1, (2_010, 2_020)), (2, (2_010, 2_040)), (4, (2_010, 2_080)), (8, (2_010, 2_160))]);
    assert_eq!(grown[9].volume, Quantity::from_units(100));
    assert_eq!(grown[9].told.map(|told| spans(&[told])), Some(vec![(2_010, 2_160)]));
    assert_eq!(chain.open().count(), 100);
    // One is filled: the next is told alone again.
    assert_eq!(chain.push(print(20, 10, 1), here()), Link::Late);
    assert_eq!(spans(&chain.take_filled()), [(10, 20)]);
    assert!(matches!(chain.push(print(2_300, 10, 120), here()), Link::Gap(_)));
}
