//! A day's prints, in any order and with repetitions, to what is missing.

use super::{Correction, Missing, OffHours, Print, Reset, is_fallen};
use crate::quantity::Quantity;

/// What is known of a day beside its prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Day<'a> {
    /// The broker's total of the day, shares; none = not known, and then a missing tail cannot be seen.
    pub known_volume: Option<Quantity>,
    /// The feed was registered from before the session's start: what the counter held before the first print is then
    /// off-hours volume, else it is missing.
    pub head_expected: bool,
    /// Stretches that are proven to have no print (see [`super::off_hours_from`]), in any order.
    pub off_hours: &'a [OffHours],
}

/// What the prints of a day say together. Its size goes with the number of prints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Shares that no print covers, in rising order (of each counter, where it started again).
    pub missing: Vec<Missing>,
    /// Shares that no print covers, and need not, in the same order.
    pub off_hours: Vec<OffHours>,
    /// Different prints.
    pub prints: usize,
    /// Highest cumulative volume of a print; of the last counter, where it started again.
    pub volume: Quantity,
    /// Shares covered by prints.
    pub covered: Quantity,
    /// Prints that were there already.
    pub duplicates: usize,
    /// Unequal prints over the same shares.
    pub corrections: Vec<Correction>,
    /// The counter started again. Volumes of several counters stand in the lists then, and names by cumulative volume are
    /// not unique: such a day proves nothing.
    pub resets: Vec<Reset>,
}

impl Line {
    /// Shares missing.
    #[must_use]
    pub fn missing_volume(&self) -> Quantity {
        total(self.missing.iter().map(Missing::volume))
    }

    /// Shares that need no print.
    #[must_use]
    pub fn off_hours_volume(&self) -> Quantity {
        total(self.off_hours.iter().map(OffHours::volume))
    }
}

fn total(shares: impl Iterator<Item = Quantity>) -> Quantity {
    Quantity::from_units(shares.fold(0, |sum, shares| sum.saturating_add(shares.units())))
}

/// Judges a day. The order of the prints does not matter, nor how often one comes.
#[must_use]
pub fn line(prints: impl IntoIterator<Item = Print>, day: &Day<'_>) -> Line {
    let mut prints: Vec<Print> = prints.into_iter().collect();
    let read = prints.len();
    sort(&mut prints);
    prints.dedup_by(|later, kept| later.is_same(kept));
    let mut line = Line { prints: prints.len(), duplicates: read - prints.len(), ..Line::default() };
    let off_hours = joined(day.off_hours);
    let (runs, resets) = runs(prints);
    let last = runs.len().saturating_sub(1);
    let mut covered = 0_i64;
    for (index, run) in runs.iter().enumerate() {
        // Stretches and totals of the broker are of its present counter.
        let proven: &[OffHours] = if index == last { &off_hours } else { &[] };
        let mut sweep = Sweep { line: &mut line, proven, reached: 0, by: None, covered: 0 };
        sweep.run(run, day.head_expected && index == 0);
        if index == last {
            sweep.tail(day.known_volume);
        }
        covered = covered.saturating_add(sweep.covered);
    }
    line.covered = Quantity::from_units(covered);
    line.resets = resets;
    line
}

/// By the first share covered; the earliest of equal prints first.
pub(super) fn sort(prints: &mut [Print]) {
    prints.sort_unstable_by_key(|print| {
        (print.after(), print.cumulative_volume, print.quantity, print.price, print.exchange_ns)
    });
}

/// Stretches in rising order, none over another.
fn joined(off_hours: &[OffHours]) -> Vec<OffHours> {
    let mut sorted = off_hours.to_vec();
    sorted.sort_unstable_by_key(|stretch| (stretch.after, stretch.until));
    let mut joined: Vec<OffHours> = Vec::with_capacity(sorted.len());
    for stretch in sorted {
        match joined.last_mut() {
            Some(before) if stretch.after < before.until => before.until = before.until.max(stretch.until),
            _ => joined.push(stretch),
        }
    }
    joined
}

/// Prints by the counter that named them: nearly always one. Each run is sorted as it came.
fn runs(prints: Vec<Print>) -> (Vec<Vec<Print>>, Vec<Reset>) {
    // While time rises with the counter, it has not started again.
    if prints.is_sorted_by_key(|print| print.exchange_ns) {
        return (vec![prints], Vec::new());
    }
    let mut by_time = prints.clone();
    by_time.sort_unstable_by_key(|print| (print.exchange_ns, print.cumulative_volume));
    let resets = resets(&by_time);
    if resets.is_empty() {
        return (vec![prints], resets);
    }
    let mut runs = Vec::with_capacity(resets.len() + 1);
    let mut rest = by_time;
    for reset in resets.iter().rev() {
        runs.push(rest.split_off(rest.partition_point(|print| print.exchange_ns < reset.at_ns)));
    }
    runs.push(rest);
    runs.reverse();
    for run in &mut runs {
        sort(run);
    }
    (runs, resets)
}

/// Where the counter started again, of prints in order of time.
fn resets(by_time: &[Print]) -> Vec<Reset> {
    let mut resets = Vec::new();
    let mut highest: Option<(usize, Print)> = None;
    let mut index = 0;
    while let Some(print) = by_time.get(index) {
        let fallen = |other: Option<&Print>, top: &Print| other.is_some_and(|other| is_fallen(other, top));
        match highest {
            Some((at, top)) if fallen(Some(print), &top) && fallen(by_time.get(index + 1), &top) => {
                // The new counter began right after the highest print, not only where the fall was sure.
                let later = by_time[at..].partition_point(|print| print.exchange_ns <= top.exchange_ns);
                index = at + later;
                let at_ns = by_time.get(index).map_or(print.exchange_ns, |first| first.exchange_ns);
                resets.push(Reset { before: top.cumulative_volume, at_ns });
                highest = None;
                continue;
            }
            Some((_, top)) if print.cumulative_volume <= top.cumulative_volume => {}
            _ => highest = Some((index, *print)),
        }
        index += 1;
    }
    resets
}

/// A walk over the prints of one counter in rising order.
struct Sweep<'a> {
    line: &'a mut Line,
    proven: &'a [OffHours],
    /// Everything up to here is covered or noted.
    reached: i64,
    /// The print that reached it.
    by: Option<Print>,
    covered: i64,
}

impl Sweep<'_> {
    fn run(&mut self, prints: &[Print], head_expected: bool) {
        for print in prints {
            let (after, until) = (print.after().units(), print.cumulative_volume.units());
            match self.by {
                None if after > 0 && head_expected => self.line.off_hours.push(OffHours {
                    after: Quantity::ZERO,
                    until: print.after(),
                    from_ns: None,
                    until_ns: Some(print.exchange_ns),
                }),
                _ if after > self.reached => self.hole(after, Some(print.exchange_ns)),
                Some(kept) if after < self.reached => {
                    self.line.corrections.push(Correction { kept, other: *print });
                }
                _ => {}
            }
            self.covered += (until - after.max(self.reached)).max(0);
            if until > self.reached {
                self.reached = until;
                self.by = Some(*print);
            }
        }
        self.line.volume = Quantity::from_units(self.reached);
    }

    fn tail(&mut self, known_volume: Option<Quantity>) {
        if let Some(known) = known_volume.filter(|known| known.units() > self.reached) {
            self.hole(known.units(), None);
        }
    }

    /// `(reached, until]` has no print: what is proven off-hours is set apart.
    fn hole(&mut self, until: i64, until_ns: Option<i64>) {
        let from_ns = self.by.map(|print| print.exchange_ns);
        let mut after = self.reached;
        let missing = |after, until| {
            let (after, until) = (Quantity::from_units(after), Quantity::from_units(until));
            Missing { after, until, from_ns, until_ns }
        };
        let first = self.proven.partition_point(|stretch| stretch.until.units() <= after);
        for stretch in &self.proven[first..] {
            let (from, to) = (stretch.after.units().max(after), stretch.until.units().min(until));
            if from >= to {
                break;
            }
            if from > after {
                self.line.missing.push(missing(after, from));
            }
            let Missing { after: begin, until: end, .. } = missing(from, to);
            self.line.off_hours.push(OffHours { after: begin, until: end, from_ns, until_ns });
            after = to;
        }
        if after < until {
            self.line.missing.push(missing(after, until));
        }
    }
}
