//! The merged line by chance: two brokers whose prints are lost, doubled and delayed, who die and come back, and who cut the
//! same shares alike or otherwise, in any interleaving.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use market::Source::{self, Kis, Kiwoom};
use market::time::SECOND;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::super::Alive;
use super::super::books::Books;
use super::super::trades::{Dropped, Print, Told, Trades};
use super::{WAIT, book, print};

/// Cases of each property.
const CASES: u32 = 1_000;

/// Prints of a broker in one case.
const PRINTS: usize = 60;

/// What happens to a print on its way: lost, delayed by so many places, told again.
#[derive(Debug, Clone, Copy)]
struct Fate {
    lost: bool,
    delay: u8,
    again: bool,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let delay = prop_oneof![6 => Just(0_u8), 2 => 1_u8..12, 1 => 12_u8..60];
    let fate = (prop::bool::weighted(0.2), delay, prop::bool::weighted(0.1));
    prop::collection::vec(fate.prop_map(|(lost, delay, again)| Fate { lost, delay, again }), PRINTS)
}

/// Whose print comes next, how long after the one before (ms), and who dies or comes back before it.
type Turn = (bool, u64, Option<bool>);

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    // Mostly close together, as at the open; now and then longer than anybody waits.
    let pause = prop_oneof![8 => 0_u64..20, 3 => 20_u64..120, 1 => 120_u64..700];
    let turn = (prop::bool::ANY, pause, prop::option::weighted(0.03, prop::bool::ANY));
    prop::collection::vec(turn, 4 * PRINTS)
}

/// The prints of one broker in the order in which they arrive.
fn arrivals(source: Source, sizes: &[i64], fates: &[Fate]) -> VecDeque<Print> {
    let mut until = 0;
    let mut placed = Vec::new();
    for (place, (size, fate)) in sizes.iter().zip(fates).enumerate() {
        let after = until;
        until += size;
        if fate.lost {
            continue;
        }
        // One exchange second for all: no counter begins anew.
        let mut one = print(source, after, until);
        one.trade.at.exchange_ns = SECOND;
        placed.push((place + usize::from(fate.delay), one));
        if fate.again {
            placed.push((place + 7, one));
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, one)| one).collect()
}

fn shares(print: &Print) -> (i64, i64) {
    let until = print.trade.cumulative_volume.units();
    (until - print.trade.quantity.units(), until)
}

/// What a reader of the line knows: how far it is, which shares were told, which were said to be missing.
#[derive(Default)]
struct Reader {
    /// The first share of the line, and the last one so far.
    line: Option<(i64, i64)>,
    prints: BTreeSet<(i64, i64)>,
    told: BTreeSet<i64>,
    missing: BTreeSet<i64>,
    /// The end of the gap that was told just now: there the next print begins.
    gap: Option<i64>,
    late: usize,
}

impl Reader {
    /// Reads what is told, and finds whatever is not as promised.
    fn read(&mut self, told: &mut Vec<Told>) -> Result<(), TestCaseError> {
        for one in told.drain(..) {
            match one {
                Told::Gap { after, until, .. } => {
                    prop_assert_eq!(
                        self.line.map(|line| line.1),
                        Some(after),
                        "a gap begins where the line ends"
                    );
                    prop_assert!(until > after && self.gap.is_none());
                    self.missing.extend(after + 1..=until);
                    self.gap = Some(until);
                }
                Told::Print { print, late } => self.print(shares(&print), late)?,
            }
        }
        prop_assert!(self.gap.is_none(), "behind a gap comes its print");
        Ok(())
    }

    fn print(&mut self, (after, until): (i64, i64), late: bool) -> Result<(), TestCaseError> {
        prop_assert!(self.prints.insert((after, until)), "told twice: {after}-{until}");
        for share in after + 1..=until {
            prop_assert!(self.told.insert(share), "share told twice: {share}");
        }
        let Some((first, last)) = self.line else {
            prop_assert!(!late, "nothing is late before the first");
            self.line = Some((after, until));
            return Ok(());
        };
        if late {
            self.late += 1;
            let named = (after + 1..=until).all(|share| self.missing.remove(&share));
            prop_assert!(named || until <= first, "late, and was not missing: {after}-{until}");
        } else {
            prop_assert_eq!(after, self.gap.take().unwrap_or(last), "no hole without a word");
            self.line = Some((first, until));
        }
        Ok(())
    }

    fn reached(&self) -> Option<i64> {
        self.line.map(|line| line.1)
    }
}

/// One case as it goes: the line, its reader, and what both brokers have told.
#[derive(Default)]
struct Case {
    trades: Trades,
    out: Vec<Told>,
    reader: Reader,
    now: u64,
    /// Taken, with the time; not told yet, as far as the reader knows.
    taken: BTreeMap<(i64, i64), u64>,
    highest: BTreeMap<&'static str, i64>,
    waits: usize,
}

impl Case {
    fn due(&mut self, alive: Alive) -> Result<(), TestCaseError> {
        self.trades.due(alive, self.now, &mut self.out);
        self.reader.read(&mut self.out)?;
        let (told, now) = (&self.reader.told, self.now);
        // Told, or cut otherwise than what was told.
        self.taken.retain(|(after, until), _| !(after + 1..=*until).any(|share| told.contains(&share)));
        let overdue = self.taken.iter().find(|(_, since)| **since + WAIT <= now);
        prop_assert!(overdue.is_none(), "waits too long at {now}: {overdue:?}");
        Ok(())
    }

    fn push(&mut self, one: Print, alive: Alive) -> Result<(), TestCaseError> {
        let key = shares(&one);
        let highest = self.highest.entry(one.stamp.source.as_str()).or_insert(key.1);
        *highest = key.1.max(*highest);
        let pushed = self.trades.push(one, alive, self.now, WAIT, &mut self.out);
        self.reader.read(&mut self.out)?;
        let told = |share: i64| self.reader.told.contains(&share);
        match pushed {
            Ok(()) if self.reader.prints.contains(&key) => {}
            Ok(()) => {
                self.waits += 1;
                self.taken.entry(key).or_insert(self.now);
            }
            Err(Dropped::Duplicate) => {
                let known = (key.0 + 1..=key.1).all(told) || self.taken.contains_key(&key);
                prop_assert!(known, "dropped, and nobody told it: {key:?}");
            }
            Err(Dropped::Overlap) => prop_assert!((key.0 + 1..=key.1).any(told), "overlaps nothing: {key:?}"),
            Err(Dropped::OldDay) => prop_assert!(false, "one day alone"),
        }
        if self.trades.is_waiting() {
            let reached = self.reader.reached().unwrap_or(0);
            let hope = [Kis, Kiwoom].into_iter().any(|source| {
                alive.is(source)
                    && self.highest.get(source.as_str()).is_some_and(|highest| *highest <= reached)
            });
            prop_assert!(hope, "waits for nobody at {}", self.now);
        }
        Ok(())
    }

    /// Everything arrives, then nobody waits any more.
    fn run(&mut self, mut lanes: [VecDeque<Print>; 2], turns: &[Turn]) -> Result<(), TestCaseError> {
        let mut alive = Alive::ALL;
        for (second, pause, changes) in turns.iter().cycle() {
            let lane = usize::from(*second);
            let Some(print) = lanes[lane].pop_front().or_else(|| lanes[1 - lane].pop_front()) else { break };
            if let Some(kis) = changes {
                let source = if *kis { Kis } else { Kiwoom };
                alive = alive.with(source, !alive.is(source));
            }
            self.now += pause;
            self.due(alive)?;
            self.push(print, alive)?;
        }
        self.now += WAIT;
        self.due(alive)?;
        prop_assert!(!self.trades.is_waiting());
        let Some((first, last)) = self.reader.line else { return Ok(()) };
        for share in first + 1..=last {
            let (told, missing) = (self.reader.told.contains(&share), self.reader.missing.contains(&share));
            prop_assert!(told != missing, "share {share}: told {told}, missing {missing}");
        }
        Ok(())
    }
}

/// Runs a property, and says how many late prints, gaps and waits its cases had: one that never meets them proves nothing.
fn check<S: Strategy>(
    strategy: &S,
    property: impl Fn(S::Value, &mut Case) -> Result<(), TestCaseError>,
) -> [usize; 3] {
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let met = Cell::new([0; 3]);
    let run = |value: S::Value| {
        let mut case = Case::default();
        property(value, &mut case)?;
        let [late, gaps, waits] = met.get();
        met.set([late + case.reader.late, gaps + case.reader.missing.len(), waits + case.waits]);
        Ok(())
    };
    if let Err(error) = TestRunner::new(config).run(strategy, run) {
        panic!("{error}");
    }
    met.get()
}

#[test]
fn every_trade_that_a_broker_has_is_told_once_and_in_order() {
    let strategy = (prop::collection::vec(1_i64..10, PRINTS), (fates(), fates()), turns());
    let met = check(&strategy, |(sizes, (kis, kiwoom), turns), case| {
        let lanes = [arrivals(Kis, &sizes, &kis), arrivals(Kiwoom, &sizes, &kiwoom)];
        let wanted: BTreeSet<(i64, i64)> = lanes.iter().flatten().map(shares).collect();
        case.run(lanes, &turns)?;
        prop_assert_eq!(&case.reader.prints, &wanted);
        Ok(())
    });
    assert!(met.iter().all(|count| *count > 1_000), "late, missing, waits: {met:?}");
}

#[test]
fn brokers_that_cut_otherwise_never_tell_a_share_twice() {
    let sizes = || prop::collection::vec(1_i64..10, PRINTS);
    let strategy = ((sizes(), sizes()), (fates(), fates()), turns());
    let met = check(&strategy, |((kis_sizes, kiwoom_sizes), (kis, kiwoom), turns), case| {
        let lanes = [arrivals(Kis, &kis_sizes, &kis), arrivals(Kiwoom, &kiwoom_sizes, &kiwoom)];
        let wanted: BTreeSet<(i64, i64)> = lanes.iter().flatten().map(shares).collect();
        case.run(lanes, &turns)?;
        prop_assert!(case.reader.prints.is_subset(&wanted), "no print is invented");
        Ok(())
    });
    assert!(met.iter().all(|count| *count > 1_000), "late, missing, waits: {met:?}");
}

/// A book as it comes: whose, how many seconds behind the market, and who dies or comes back before it.
fn books() -> impl Strategy<Value = Vec<(bool, i64, Option<bool>)>> {
    let behind = prop_oneof![6 => Just(0_i64), 3 => 1_i64..3, 1 => 3_i64..12];
    prop::collection::vec((prop::bool::ANY, behind, prop::option::weighted(0.05, prop::bool::ANY)), 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_book_never_goes_back_and_is_that_of_a_broker_that_keeps_up(told in books()) {
        let (mut shown, mut alive, mut before, mut received) = (Books::default(), Alive::ALL, 0, 0);
        // The newest book of each broker, told while it was alive.
        let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
        for (kis, behind, changes) in told {
            received += 1;
            if let Some(kis) = changes {
                let source = if kis { Kis } else { Kiwoom };
                alive = alive.with(source, !alive.is(source));
            }
            let source = if kis { Kis } else { Kiwoom };
            let second = (received / 4 - behind).max(0);
            let owner = shown.told().map(|told| told.stamp.source);
            let change = shown.push(book(source, received, second), alive, 2 * SECOND);
            let now = *shown.told().expect("book");
            prop_assert!(now.book.at.exchange_ns >= before, "back in exchange time");
            prop_assert_eq!(change.is_some(), now.stamp.received_ns == received, "what is shown is told");
            before = now.book.at.exchange_ns;
            if let (Some(change), Some(owner)) = (&change, owner) {
                let other = (owner != source).then_some((owner, source));
                prop_assert_eq!(change.as_ref().map(|change| (change.from, change.to)), other, "labelled");
            }
            if alive.is(source) {
                let known = newest.entry(source.as_str()).or_insert(second);
                *known = second.max(*known);
                prop_assert!(*known * SECOND - before < 2 * SECOND, "a living broker is ahead");
            }
            if let Some(owner) = owner.filter(|owner| !alive.is(*owner) && alive.is(source)) {
                let is_newer = second * SECOND >= before;
                prop_assert!(!is_newer || now.stamp.source != owner || owner == source, "a dead broker's book stays");
            }
        }
    }

    #[test]
    fn a_copy_of_a_book_is_never_told(kis in prop::bool::ANY, seconds in prop::collection::vec(0_i64..9, 1..60)) {
        let source = if kis { Kis } else { Kiwoom };
        let (mut merged, mut alone) = (Books::default(), Books::default());
        for (received, second) in (1..).zip(&seconds) {
            let one = book(source, received, *second);
            alone.push_alone(one);
            merged.push(one, Alive::ALL, 2 * SECOND);
            prop_assert!(!alone.push_alone(one), "one broker alone");
            prop_assert_eq!(merged.push(one, Alive::ALL, 2 * SECOND), None, "merged");
        }
    }
}
