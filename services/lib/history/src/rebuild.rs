//! Missing volume and a broker's rows become trades with their cumulative volumes, proven gap by gap.
//!
//! Rows that tell their cumulative volume are taken by interval and must chain. Rows that do not are given one by
//! [`crate::anchor`]. Either way only what is missing comes out, no quantity is ever changed, and what cannot be proven
//! stays open with its residue.

mod compare;
mod fill;

#[cfg(test)]
mod fixture_tests;
#[cfg(test)]
mod off_hours_tests;
#[cfg(test)]
mod tape;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use market::chain::{Missing, OffHours, Print};
use market::time::SECOND;
use market::{Proof, Quantity};

use crate::anchor::{Ruler, Stretch, comparable, settle};
use crate::evidence::Evidence;
use crate::proof::{Closed, Open, Refused, Why};
use crate::row::Row;

use fill::Placed;

/// How rows without cumulative volumes were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// The order inside a second was turned round, for the rows as given did not fit.
    pub reversed_in_second: bool,
    /// What was added to the times of the rows to make them fit: 0, or a second up or down.
    pub time_shift_ns: i64,
    /// Runs of prints at which the rows were anchored.
    pub anchors: usize,
    /// Known prints that fit the rows.
    pub matched: usize,
    /// Known prints whose place holds a row that differs.
    pub contradicted: usize,
}

/// What came of the rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filled {
    /// Trades to add, by rising cumulative volume, which every one of them has.
    pub trades: Vec<Row>,
    /// Gaps that these trades close.
    pub closed: Vec<Closed>,
    /// Gaps that stay open, one entry for each part that is still missing.
    pub open: Vec<Open>,
    /// Volume without a print, as the rows prove.
    pub off_hours: Vec<OffHours>,
    /// How the rows were read.
    pub reading: Reading,
    /// Why the rows were refused as a whole, if they were.
    pub refused: Option<Refused>,
    /// Minutes of the chart were not given and could confine or prove what stays open.
    pub wants_minutes: bool,
}

impl Filled {
    /// Shares of the trades to add.
    #[must_use]
    pub fn added_volume(&self) -> Quantity {
        Quantity::from_units(self.trades.iter().map(|row| row.quantity.units()).sum())
    }

    /// Shares still missing after the trades are added.
    #[must_use]
    pub fn missing_volume(&self) -> Quantity {
        Quantity::from_units(self.open.iter().map(|open| open.within.volume().units()).sum())
    }

    /// Shares that the rows lack or have too many, over all that stays open.
    #[must_use]
    pub fn residue(&self) -> i64 {
        self.open.iter().map(|open| open.residue).sum()
    }

    /// How it is known that what was added is what was missing.
    #[must_use]
    pub fn proof(&self) -> Proof {
        crate::proof::of(&self.closed, &self.open)
    }

    fn nothing(missing: &[Missing], why: Why) -> Self {
        let open = |gap: &Missing| Open { gap: *gap, within: *gap, residue: gap.volume().units(), why };
        Self { open: missing.iter().map(open).collect(), ..Self::default() }
    }
}

/// Fills what is missing of a day from rows, oldest first, of the same tape, symbol and trade date.
///
/// All gaps of the day are filled from one list. Rows in which every cumulative volume is told are chained, others are
/// anchored; a list of both kinds counts as the second.
#[must_use]
pub fn rebuild(missing: &[Missing], rows: &[Row], evidence: &Evidence<'_>) -> Filled {
    if rows.is_empty() {
        return Filled::nothing(missing, Why::NoSource);
    }
    if rows.iter().all(|row| row.cumulative_volume.is_some()) {
        chained(missing, rows, evidence)
    } else {
        anchored(missing, rows, evidence)
    }
}

fn chained(missing: &[Missing], rows: &[Row], evidence: &Evidence<'_>) -> Filled {
    let known = comparable(evidence.known.iter().copied());
    let (reading, refused) = compare::by_volume(rows, &known);
    if refused.is_some() {
        return Filled { refused, reading, ..Filled::nothing(missing, Why::Refused) };
    }
    let placed: Vec<Placed> = rows.iter().map(|row| Placed { row: *row, proof: Proof::Chained }).collect();
    let placed = fill::in_order(placed);
    let off_hours = fill::jumps(&placed, evidence);
    let mut filled = fill::fill(missing, &placed, &off_hours, &[]);
    filled.reading = reading;
    filled.off_hours = off_hours;
    filled.wants_minutes = evidence.minutes.is_empty() && !filled.open.is_empty();
    filled
}

fn anchored(missing: &[Missing], rows: &[Row], evidence: &Evidence<'_>) -> Filled {
    let last = evidence.last.iter().filter_map(print);
    let known = comparable(evidence.known.iter().copied().chain(last));
    let mut best = read(missing, rows, &known, evidence, Reading::default());
    let readings = [(true, 0), (false, SECOND), (false, -SECOND), (true, SECOND), (true, -SECOND)];
    for (reversed_in_second, time_shift_ns) in readings {
        // Where most known prints fit and nothing is open, no other reading can be better. A second is added or taken
        // only if nothing fits without.
        let settled = best.open.is_empty() && best.reading.matched * 2 >= known.len();
        if settled || (time_shift_ns != 0 && best.reading.matched > 0) {
            break;
        }
        let reading = Reading { reversed_in_second, time_shift_ns, ..Reading::default() };
        let other = read(missing, rows, &known, evidence, reading);
        // Another order or time is believed only where runs of prints fit, not for single ones.
        let merit = |filled: &Filled| (filled.reading.matched, filled.added_volume());
        if other.reading.anchors > 0 && merit(&other) > merit(&best) {
            best = other;
        }
    }
    if best.reading.matched == 0
        && let Some(refused) = compare::by_second(rows, &known)
    {
        return Filled { refused: Some(refused), ..Filled::nothing(missing, Why::Refused) };
    }
    best.wants_minutes = evidence.minutes.is_empty() && !best.open.is_empty();
    best
}

/// One attempt: the rows in one order, with one shift of their times.
fn read(
    missing: &[Missing],
    rows: &[Row],
    known: &[Print],
    evidence: &Evidence<'_>,
    reading: Reading,
) -> Filled {
    let rows = if reading.reversed_in_second { Cow::Owned(turned(rows)) } else { Cow::Borrowed(rows) };
    let ruler = Ruler::new(&rows, reading.time_shift_ns);
    let settled = settle(&ruler, known, evidence);
    let placed = settled.placed.iter().map(|&(index, volume, proof)| Placed {
        row: Row { cumulative_volume: Some(Quantity::from_units(volume)), ..rows[index] },
        proof,
    });
    let placed = fill::in_order(placed.collect());
    let time = |index: usize| rows.get(index).map(|row| row.exchange_ns);
    let off_hours: Vec<OffHours> = settled
        .off_hours
        .iter()
        .map(|&(Stretch { after, until }, above)| OffHours {
            after: Quantity::from_units(after),
            until: Quantity::from_units(until),
            from_ns: above.checked_sub(1).and_then(time),
            until_ns: time(above),
        })
        .collect();
    let mut filled = fill::fill(missing, &placed, &off_hours, &settled.faults);
    if settled.anchors == 0 && settled.placed.is_empty() {
        for open in &mut filled.open {
            open.why = Why::NoAnchor;
        }
    }
    filled.off_hours = off_hours;
    filled.reading = Reading { anchors: settled.anchors, matched: settled.matched, ..reading };
    filled
}

/// The same rows with the order inside each second turned round.
fn turned(rows: &[Row]) -> Vec<Row> {
    rows.chunk_by(|one, other| one.exchange_ns == other.exchange_ns)
        .flat_map(|second| second.iter().rev().copied())
        .collect()
}

fn print(row: &Row) -> Option<Print> {
    let cumulative_volume = row.cumulative_volume?;
    Some(Print { cumulative_volume, quantity: row.quantity, exchange_ns: row.exchange_ns, price: row.price })
}
