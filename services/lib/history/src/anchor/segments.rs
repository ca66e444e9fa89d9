//! Known prints and a ruler become segments: ranges of prints that all fit the rows under one shift.

use market::chain::Print;

use super::ruler::{LONGEST_RUN, Ruler, SHORTEST_RUN};

/// Prints `low..=high`, each of which is the row at its place when `shift` is added to the ruler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) shift: i64,
    pub(crate) low: usize,
    pub(crate) high: usize,
    /// The part that no neighbour claims as well: what happens outside is doubtful.
    pub(crate) core: Option<(usize, usize)>,
}

/// Lays the ruler against the prints, from the newest to the oldest. Rising order; `prints` as of `comparable`.
pub(crate) fn segments(ruler: &Ruler<'_>, prints: &[Print]) -> Vec<Segment> {
    let starts = run_starts(prints);
    let mut found = Vec::new();
    let mut top = prints.len();
    while let Some((shift, low, high)) = anchor(ruler, prints, &starts, top) {
        let fits = |index: &usize| ruler.row_at(shift, &prints[*index]).is_some();
        let low = (0..low).rev().take_while(fits).last().unwrap_or(low);
        let high = (high + 1..prints.len()).take_while(fits).last().unwrap_or(high);
        found.push(Segment { shift, low, high, core: Some((low, high)) });
        top = low;
    }
    found.reverse();
    part(ruler, prints, &mut found);
    found
}

/// For each print the first of the run of contiguous prints that it ends.
fn run_starts(prints: &[Print]) -> Vec<usize> {
    let mut starts: Vec<usize> = Vec::with_capacity(prints.len());
    for (index, print) in prints.iter().enumerate() {
        let before = print.cumulative_volume.units() - print.quantity.units();
        let follows = index > 0 && prints[index - 1].cumulative_volume.units() == before;
        starts.push(if follows { starts[index - 1] } else { index });
    }
    starts
}

/// The newest run below `top` that stands in the rows at one place only: its shift, first and last print.
fn anchor(ruler: &Ruler<'_>, prints: &[Print], starts: &[usize], top: usize) -> Option<(i64, usize, usize)> {
    let mut top = top;
    while top > 0 {
        let end = top - 1;
        let room = (top - starts[end]).min(LONGEST_RUN);
        if room < SHORTEST_RUN {
            top = starts[end];
            continue;
        }
        if let Some((row, length)) = unique(ruler, prints, end, room) {
            return Some((prints[end].cumulative_volume.units() - ruler.sum(row + 1), top - length, end));
        }
        top = end;
    }
    None
}

/// Where the prints that end with `end` stand, and how many of them it takes to know.
fn unique(ruler: &Ruler<'_>, prints: &[Print], end: usize, room: usize) -> Option<(usize, usize)> {
    let (mut best, mut longest, mut second) = (None, 0, 0);
    for row in ruler.twins(&prints[end]) {
        let length = (0..room).take_while(|&n| row >= n && ruler.same(row - n, &prints[end - n])).count();
        if length > longest {
            second = longest;
            (best, longest) = (Some(row), length);
        } else {
            second = second.max(length);
        }
    }
    // The first print that is not like the last one: a run of equal trades fits anywhere among equal trades.
    let of = |n: usize| (prints[end - n].price, prints[end - n].quantity);
    let different = (1..room).find(|&n| of(n) != of(0))? + 1;
    let needed = SHORTEST_RUN.max(second + 1).max(different);
    best.filter(|_| needed <= longest).map(|row| (row, needed))
}

/// Takes from neighbours what both claim: prints that fit under two shifts tell neither where the one ends. And takes
/// from each the fringe beyond which prints no longer fit: behind a fault a print may fit a row that is only like it.
fn part(ruler: &Ruler<'_>, prints: &[Print], found: &mut [Segment]) {
    for segment in found.iter_mut() {
        let inside =
            |print: &Print| (1..=ruler.total()).contains(&(print.cumulative_volume.units() - segment.shift));
        let faulty = |index: Option<usize>| index.and_then(|index| prints.get(index)).is_some_and(inside);
        let (at_low, at_high) = (faulty(segment.low.checked_sub(1)), faulty(Some(segment.high + 1)));
        segment.core = segment.core.and_then(|core| trim(ruler, prints, core, at_low, at_high));
    }
    let mut below: Vec<usize> = Vec::new();
    for upper in 0..found.len() {
        below.retain(|&lower| found[lower].core.is_some());
        if let Some(&lower) = below.last() {
            let (older, newer) = (found[lower], found[upper]);
            if older.high >= newer.low {
                let limit = newer.low.checked_sub(1);
                found[lower].core = older.core.zip(limit).map(|((low, high), limit)| (low, high.min(limit)));
                found[upper].core = newer.core.map(|(low, high)| (low.max(older.high + 1), high));
                for segment in [lower, upper] {
                    found[segment].core = found[segment].core.filter(|(low, high)| low <= high);
                }
            }
        }
        below.push(upper);
    }
}

/// Drops prints from the faulty ends of a range as long as they have twins among the rows.
fn trim(
    ruler: &Ruler<'_>,
    prints: &[Print],
    (mut low, mut high): (usize, usize),
    at_low: bool,
    at_high: bool,
) -> Option<(usize, usize)> {
    let has_twins = |index: usize| ruler.twins(&prints[index]).nth(1).is_some();
    while at_low && low <= high && has_twins(low) {
        low += 1;
    }
    while at_high && low <= high && has_twins(high) {
        high = high.checked_sub(1)?;
    }
    (low <= high).then_some((low, high))
}
