//! Placing is complete, bounded, deterministic, and moves no more than it must.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct One(Symbol, u8);

impl Subscription for One {
    fn symbol(&self) -> Symbol {
        self.0
    }
    fn name(&self) -> String {
        format!("{} {}", self.0, self.1)
    }
}

fn symbol(number: usize) -> Symbol {
    Symbol::parse(&format!("{number:06}")).expect("symbol")
}

/// `pieces[n]` registrations of symbol n.
fn wanted(pieces: &[u8]) -> Vec<One> {
    let pieces = pieces.iter().enumerate();
    pieces.flat_map(|(n, count)| (0..*count).map(move |piece| One(symbol(n), piece))).collect()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("key{n}")).collect()
}

#[test]
fn three_hundred_symbols_fit_three_kis_keys_and_two_kiwoom_keys() {
    // 120 registrations on 3 keys of 41 (60 symbols, trades and books), 300 items on 2 keys of 200.
    let kis = spread(wanted(&[2; 60]), &names(3), 41, &[]);
    assert_eq!(kis.lines.iter().map(Vec::len).sum::<usize>(), 120);
    assert!(kis.lines.iter().all(|line| line.len() <= 41) && kis.uncovered.is_empty());
    let kiwoom = spread(wanted(&[1; 300]), &names(2), 200, &[]);
    assert_eq!(kiwoom.lines.iter().map(Vec::len).sum::<usize>(), 300);
    assert!(kiwoom.lines.iter().all(|line| line.len() <= 200) && kiwoom.uncovered.is_empty());
}

#[test]
fn the_least_important_stays_uncovered_and_is_named() {
    let placed = spread(wanted(&[2; 21]), &names(1), 41, &[]);
    assert_eq!(placed.lines[0].len(), 41);
    let uncovered: Vec<_> = placed.uncovered.iter().map(One::name).collect();
    assert_eq!(uncovered, ["000020 1"]);
    assert_eq!(spread(wanted(&[1, 1]), &[], 41, &[]).uncovered.len(), 2);
}

#[test]
fn a_new_key_takes_from_the_others_only_what_it_carries() {
    let all = wanted(&[1; 100]);
    let two = spread(all.clone(), &names(2), 200, &[]);
    let three = spread(all, &names(3), 200, &[]);
    for line in 0..2 {
        let kept: HashSet<_> = two.lines[line].iter().collect();
        assert!(three.lines[line].iter().all(|one| kept.contains(one)), "moved between the old keys");
    }
    assert!(!three.lines[2].is_empty());
}

#[test]
fn connections_are_told_only_what_changed() {
    let lines = Lines::new(names(2), 10);
    assert!(lines.follow(wanted(&[1; 6])).is_empty());
    let mut receivers: Vec<_> = (0..2).map(|index| lines.wanted(index)).collect();
    let carrier =
        receivers.iter().position(|line| line.borrow().contains(&One(symbol(5), 0))).expect("placed");
    for receiver in &mut receivers {
        receiver.mark_unchanged();
    }
    lines.follow(wanted(&[1; 5]));
    let told: Vec<bool> = receivers.iter().map(|line| line.has_changed().expect("lives")).collect();
    assert_eq!(told.iter().filter(|told| **told).count(), 1);
    assert!(told[carrier]);
}

proptest! {
    #[test]
    fn everything_is_placed_once_within_the_limits(
        pieces in prop::collection::vec(1u8..5, 0..60), keys in 1usize..5, limit in 1usize..45,
    ) {
        let all = wanted(&pieces);
        let placed = spread(all.clone(), &names(keys), limit, &[]);
        prop_assert_eq!(&placed, &spread(all.clone(), &names(keys), limit, &[]));
        prop_assert!(placed.lines.iter().all(|line| line.len() <= limit));
        prop_assert_eq!(placed.uncovered.len(), all.len().saturating_sub(keys * limit));
        let mut again: Vec<_> = placed.lines.into_iter().flatten().chain(placed.uncovered).collect();
        let mut all = all;
        again.sort_by_key(One::name);
        all.sort_by_key(One::name);
        prop_assert_eq!(again, all);
    }

    #[test]
    fn what_stays_wanted_and_covered_stays_where_it_is(
        before in prop::collection::vec(0u8..3, 40), after in prop::collection::vec(0u8..3, 40),
        keys in 1usize..4, limit in 5usize..30,
    ) {
        let first = spread(wanted(&before), &names(keys), limit, &[]);
        let second = spread(wanted(&after), &names(keys), limit, &first.lines);
        for (line, own) in first.lines.iter().enumerate() {
            for one in own {
                let moved = second.lines.iter().enumerate().any(|(other, then)| other != line && then.contains(one));
                prop_assert!(!moved, "{} moved", one.name());
            }
        }
        prop_assert_eq!(second.uncovered.len(), wanted(&after).len().saturating_sub(keys * limit));
    }
}
