//! Rows with cumulative volumes and what is missing become trades, closed gaps and open ones.

use market::chain::{Missing, OffHours};
use market::{Proof, Quantity};

use super::Filled;
use crate::anchor::{Fault, Stretch};
use crate::evidence::{AUCTION_ENDS_LATE, Evidence};
use crate::proof::{Closed, Open, Why, weaker};
use crate::row::Row;

const MINUTE: i64 = 60 * market::time::SECOND;

/// A row with its cumulative volume.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) row: Row,
    pub(super) proof: Proof,
}

impl Placed {
    fn until(&self) -> i64 {
        self.row.cumulative_volume.unwrap_or_default().units()
    }

    fn after(&self) -> i64 {
        self.until() - self.row.quantity.units()
    }
}

/// Rows by rising cumulative volume, each once. Rows that lie over each other name the same shares twice: none of them
/// is taken.
pub(super) fn in_order(mut placed: Vec<Placed>) -> Vec<Placed> {
    placed.sort_by_key(|placed| {
        (placed.until(), placed.row.quantity, placed.row.price, placed.row.exchange_ns)
    });
    placed.dedup_by(|later, kept| {
        let name =
            |placed: &Placed| (placed.until(), placed.row.quantity, placed.row.price, placed.row.exchange_ns);
        name(later) == name(kept)
    });
    let mut doubtful = vec![false; placed.len()];
    for upper in 1..placed.len() {
        for lower in (0..upper).rev() {
            if placed[lower].until() <= placed[upper].after() {
                break;
            }
            doubtful[lower] = true;
            doubtful[upper] = true;
        }
    }
    let mut doubtful = doubtful.into_iter();
    placed.retain(|placed| !doubtful.next().unwrap_or(false) && placed.after() >= 0);
    placed
}

/// Jumps between neighbouring rows that are volume without a print: where a session ended between the two rows, or the
/// day began, and the minutes do not say otherwise. In the middle of a session the source may lack the trade in all that it
/// tells, so a jump there is never taken for one.
pub(super) fn jumps(rows: &[Placed], evidence: &Evidence<'_>) -> Vec<OffHours> {
    let mut known: Vec<Stretch> = evidence
        .known
        .iter()
        .map(|print| Stretch { after: print.after().units(), until: print.cumulative_volume.units() })
        .collect();
    known.sort_by_key(|print| print.until);
    let mut found = Vec::new();
    let mut below: Option<&Placed> = None;
    for above in rows {
        let (after, until) = (below.map_or(0, Placed::until), above.after());
        // A known print in the jump: the source has no row for it, so it proves nothing here.
        let first = known.partition_point(|print| print.until <= after);
        let empty = known.get(first).is_none_or(|print| print.after >= until);
        let from_ns = below.map(|placed| placed.row.exchange_ns);
        let until_ns = above.row.exchange_ns;
        if until > after && empty && (below.is_some() || evidence.reached_start) {
            let changed = |late: i64| {
                from_ns.is_none_or(|from_ns| (evidence.session_changed)(from_ns - late, until_ns))
            };
            let proven = match by_minutes(after, until, until_ns, evidence) {
                Some(true) => changed(AUCTION_ENDS_LATE),
                Some(false) => false,
                None => changed(0),
            };
            if proven {
                let (after, until) = (Quantity::from_units(after), Quantity::from_units(until));
                found.push(OffHours { after, until, from_ns, until_ns: Some(until_ns) });
            }
        }
        below = Some(above);
    }
    found
}

/// What the minute of the row above a jump says: none when there is no such minute.
fn by_minutes(after: i64, until: i64, until_ns: i64, evidence: &Evidence<'_>) -> Option<bool> {
    let within =
        |minute: &&crate::row::Minute| minute.start_ns <= until_ns && until_ns < minute.start_ns + MINUTE;
    let minute = evidence.minutes.iter().find(within)?;
    let end = minute.cumulative_volume?.units();
    let before = evidence.minutes.iter().filter(|other| other.start_ns < minute.start_ns);
    let before = before.max_by_key(|other| other.start_ns);
    let start = match before {
        Some(before) => before.cumulative_volume?.units(),
        None => 0,
    };
    // A minute before it that ends inside the jump has trades in it.
    Some(start <= after && end - start - minute.quantity.units() == until - after)
}

/// Takes what is missing from the rows. `placed` as of [`in_order`].
pub(super) fn fill(
    missing: &[Missing],
    placed: &[Placed],
    off_hours: &[OffHours],
    faults: &[Fault],
) -> Filled {
    let reach = placed.first().map(Placed::after).zip(placed.last().map(Placed::until));
    let mut filled = Filled::default();
    for gap in missing {
        let (after, until) = (gap.after.units(), gap.until.units());
        let first = placed.partition_point(|placed| placed.until() <= after);
        let touching = placed[first..].iter().take_while(|placed| placed.after() < until);
        let (inside, across): (Vec<&Placed>, Vec<&Placed>) =
            touching.partition(|placed| placed.after() >= after && placed.until() <= until);
        let mut covered: Vec<Stretch> =
            inside.iter().map(|placed| Stretch { after: placed.after(), until: placed.until() }).collect();
        covered.extend(off_hours.iter().filter_map(|stretch| {
            let stretch =
                Stretch { after: stretch.after.units().max(after), until: stretch.until.units().min(until) };
            (stretch.after < stretch.until).then_some(stretch)
        }));
        let rest = uncovered(after, until, covered);
        filled.trades.extend(inside.iter().map(|placed| placed.row));
        if rest.is_empty() {
            let proof = inside.iter().fold(Proof::Chained, |proof, placed| weaker(proof, placed.proof));
            let proof = if inside.is_empty() { of_off_hours(placed) } else { proof };
            let added_volume = inside.iter().map(|placed| placed.row.quantity.units()).sum();
            let added = inside.len() as u64;
            filled.closed.push(Closed {
                gap: *gap,
                proof,
                added,
                added_volume: Quantity::from_units(added_volume),
            });
        }
        for piece in rest {
            let overlaps = |placed: &&Placed| placed.after() < piece.until && placed.until() > piece.after;
            let other_cut = across.iter().any(overlaps);
            let within = Missing {
                after: Quantity::from_units(piece.after),
                until: Quantity::from_units(piece.until),
                from_ns: below(placed, gap, piece.after),
                until_ns: above(placed, gap, piece.until),
            };
            filled.open.push(judged(*gap, within, piece, other_cut, faults, reach));
        }
    }
    filled.trades.sort_by_key(|row| row.cumulative_volume);
    filled
}

/// Gaps of nothing but off-hours volume are proven by the kind of rows around it.
fn of_off_hours(placed: &[Placed]) -> Proof {
    placed.first().map_or(Proof::Minutes, |placed| {
        if placed.proof == Proof::Chained { Proof::Chained } else { Proof::Minutes }
    })
}

/// Time of the last trade at or below a volume, within a gap.
fn below(placed: &[Placed], gap: &Missing, volume: i64) -> Option<i64> {
    if volume == gap.after.units() {
        return gap.from_ns;
    }
    let end = placed.partition_point(|placed| placed.until() <= volume);
    let row = end.checked_sub(1).map(|index| placed[index].row.exchange_ns);
    row.or(gap.from_ns)
}

/// Time of the first trade above a volume, within a gap.
fn above(placed: &[Placed], gap: &Missing, volume: i64) -> Option<i64> {
    if volume == gap.until.units() {
        return gap.until_ns;
    }
    let first = placed.partition_point(|placed| placed.after() < volume);
    placed.get(first).map(|placed| placed.row.exchange_ns).or(gap.until_ns)
}

/// What of `(after, until]` no stretch covers, in rising order.
fn uncovered(after: i64, until: i64, mut covered: Vec<Stretch>) -> Vec<Stretch> {
    covered.sort_by_key(|stretch| stretch.after);
    let mut rest = Vec::new();
    let mut reached = after;
    for stretch in covered {
        if stretch.after > reached {
            rest.push(Stretch { after: reached, until: stretch.after });
        }
        reached = reached.max(stretch.until);
    }
    if reached < until {
        rest.push(Stretch { after: reached, until });
    }
    rest
}

fn judged(
    gap: Missing,
    within: Missing,
    piece: Stretch,
    other_cut: bool,
    faults: &[Fault],
    reach: Option<(i64, i64)>,
) -> Open {
    let volume = piece.until - piece.after;
    let overlap = |fault: &&Fault| {
        let (low, high) =
            (fault.stretch.after.min(fault.stretch.until), fault.stretch.after.max(fault.stretch.until));
        low < piece.until && high > piece.after
    };
    let (residue, why) = if other_cut {
        (volume, Why::OtherCut)
    } else if let Some(fault) = faults.iter().find(overlap) {
        match fault.residue {
            0 => (volume, Why::Ambiguous),
            residue if residue < 0 => (residue, Why::SourceHasMore),
            // The row that is lacking may as well be a known print's: then this gap's stands in the source.
            residue if fault.stretch.after < piece.after || fault.stretch.until > piece.until => {
                (residue.min(volume), Why::Ambiguous)
            }
            residue => (residue, Why::SourceLacksRows),
        }
    } else if reach.is_none_or(|(low, high)| piece.until <= low || piece.after >= high) {
        (volume, Why::NotReached)
    } else {
        (volume, Why::SourceLacksRows)
    };
    Open { gap, within, residue, why }
}
