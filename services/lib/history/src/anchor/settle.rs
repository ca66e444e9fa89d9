//! A ruler, its segments and the broker's totals become places on the line, row by row, where they are proven.

use std::ops::Range;

use market::Proof;
use market::chain::Print;

use super::ruler::Ruler;
use super::segments::{Segment, segments};
use crate::evidence::{AUCTION_ENDS_LATE, Evidence};
use crate::row::Minute;

const MINUTE: i64 = 60 * market::time::SECOND;

/// Shares `(after, until]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) after: i64,
    pub(crate) until: i64,
}

/// A stretch between two points that the rows between them do not fill exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) stretch: Stretch,
    /// Shares that the rows lack; negative: that they have too many; 0: the rows fit in more than one way.
    pub(crate) residue: i64,
}

/// What is known of the rows after all.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Row and its cumulative volume; a row may come twice.
    pub(crate) placed: Vec<(usize, i64, Proof)>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) off_hours: Vec<(Stretch, usize)>,
    /// Runs of prints by which the ruler was laid.
    pub(crate) anchors: usize,
    /// Prints that fit.
    pub(crate) matched: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A known print, or the end of the day's line.
    Exact,
    /// The end of a minute of the chart.
    Minute,
}

/// So many shares lie below this boundary of the ruler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Point {
    boundary: usize,
    volume: i64,
    kind: Kind,
}

/// What is still to be tried with a stretch that does not fit.
#[derive(Debug, Clone, Copy)]
enum Try {
    Minutes,
    Singles,
    OffHours,
}

struct Settling<'a> {
    ruler: &'a Ruler<'a>,
    prints: &'a [Print],
    minutes: Vec<(Point, Minute)>,
    session_changed: &'a dyn Fn(i64, i64) -> bool,
    out: Settled,
}

/// Finds the place of every row that can be proven. `prints` as of [`super::comparable`].
pub(crate) fn settle(ruler: &Ruler<'_>, prints: &[Print], evidence: &Evidence<'_>) -> Settled {
    let found = segments(ruler, prints);
    let minutes = minute_ends(ruler, evidence.minutes);
    let out = Settled { anchors: found.len(), ..Settled::default() };
    let mut settling = Settling { ruler, prints, minutes, session_changed: evidence.session_changed, out };
    let mut points: Vec<(Point, Point, i64)> = Vec::new();
    for segment in &found {
        let Some((low, high)) = segment.core else { continue };
        let (Some(first), Some(last)) =
            (ruler.row_at(segment.shift, &prints[low]), ruler.row_at(segment.shift, &prints[high]))
        else {
            continue;
        };
        settling.out.matched += high - low + 1;
        let from = Point { boundary: first, volume: prints[low].after().units(), kind: Kind::Exact };
        let until =
            Point { boundary: last + 1, volume: prints[high].cumulative_volume.units(), kind: Kind::Exact };
        settling.place(first..last + 1, from.volume, Proof::Anchored);
        points.push((from, until, segment.shift));
    }
    let mut below = settling.bottom(evidence, points.first().map(|(from, _, _)| *from));
    for &(from, until, _) in &points {
        if let Some(below) = below {
            settling.between(below, from, Try::Minutes);
        }
        below = Some(until);
    }
    if let (Some(below), Some(top)) = (below, settling.top(evidence, below)) {
        settling.between(below, top, Try::Minutes);
    }
    for pair in found.windows(2) {
        settling.either_way(&pair[0], &pair[1]);
    }
    settling.out
}

/// The boundary at the end of each minute that tells its cumulative volume, by time.
fn minute_ends(ruler: &Ruler<'_>, minutes: &[Minute]) -> Vec<(Point, Minute)> {
    let mut sorted = minutes.to_vec();
    sorted.sort_by_key(|minute| minute.start_ns);
    let end = |minute: Minute| {
        let volume = minute.cumulative_volume?.units();
        let boundary = ruler.boundary_at(minute.start_ns + MINUTE);
        Some((Point { boundary, volume, kind: Kind::Minute }, minute))
    };
    sorted.into_iter().filter_map(end).collect()
}

impl Settling<'_> {
    /// Where the rows begin: the start of the day if they reach it, else the oldest known print that can be one row
    /// only, else the first minute that they hold from its start.
    fn bottom(&self, evidence: &Evidence<'_>, lowest: Option<Point>) -> Option<Point> {
        if evidence.reached_start {
            return Some(Point { boundary: 0, volume: 0, kind: Kind::Exact });
        }
        let limit = lowest.map_or(i64::MAX, |point| point.volume);
        let below = self.prints.iter().take_while(|print| print.cumulative_volume.units() <= limit);
        let single = below.filter_map(|print| self.single(print)).map(|row| row.0).next();
        let minute = || self.minutes.iter().map(|(end, _)| *end).find(|end| end.boundary > 0);
        single.or_else(minute)
    }

    /// Where the rows end: at the day's total, else at the newest known print that can be one row only, else at the
    /// last minute.
    fn top(&self, evidence: &Evidence<'_>, below: Option<Point>) -> Option<Point> {
        let rows = self.ruler.rows().len();
        if let Some(total) = evidence.day_volume {
            return Some(Point { boundary: rows, volume: total.units(), kind: Kind::Exact });
        }
        let limit = below.map_or(0, |point| point.volume);
        let above = self.prints.iter().rev().take_while(|print| print.after().units() >= limit);
        let single = above.filter_map(|print| self.single(print)).map(|row| row.1).next();
        let minute = self.minutes.last().map(|(end, _)| *end);
        [minute, single]
            .into_iter()
            .flatten()
            .filter(|top| {
                below.is_none_or(|below| below.boundary <= top.boundary && below.volume <= top.volume)
            })
            .max_by_key(|top| top.volume)
    }

    /// Both ends of a print that can be one row only.
    fn single(&self, print: &Print) -> Option<(Point, Point)> {
        let mut twins = self.ruler.twins(print);
        let (Some(row), None) = (twins.next(), twins.next()) else { return None };
        let point = |boundary, volume: market::Quantity| Point {
            boundary,
            volume: volume.units(),
            kind: Kind::Exact,
        };
        Some((point(row, print.after()), point(row + 1, print.cumulative_volume)))
    }

    fn place(&mut self, rows: Range<usize>, after: i64, proof: Proof) {
        let shift = after - self.ruler.sum(rows.start);
        for index in rows {
            self.out.placed.push((index, self.ruler.sum(index + 1) + shift, proof));
        }
    }

    /// Places the rows between two points if they fill it exactly, else tries to confine what is wrong.
    fn between(&mut self, from: Point, until: Point, next: Try) {
        if from.boundary == until.boundary && from.volume == until.volume {
            return;
        }
        let stretch = Stretch { after: from.volume, until: until.volume };
        let residue = self.residue(from, until);
        if until.boundary < from.boundary || until.volume < from.volume {
            self.out.faults.push(Fault { stretch, residue });
            return;
        }
        if residue == 0 && self.prints_fit(from, stretch) {
            self.place(from.boundary..until.boundary, from.volume, proof(from, until));
            return;
        }
        let (points, next) = match next {
            Try::Minutes => (self.minutes_inside(from, until), Try::Singles),
            Try::Singles => (self.singles_inside(from, until), Try::OffHours),
            Try::OffHours => {
                if residue <= 0 || !self.off_hours(from, until, residue) {
                    self.out.faults.push(Fault { stretch, residue });
                }
                return;
            }
        };
        let mut below = from;
        for point in points.into_iter().chain([until]) {
            self.between(below, point, next);
            below = point;
        }
    }

    fn prints_within(&self, stretch: Stretch) -> &[Print] {
        let first = self.prints.partition_point(|print| print.after().units() < stretch.after);
        let end = self.prints.partition_point(|print| print.cumulative_volume.units() <= stretch.until);
        self.prints.get(first..end).unwrap_or_default()
    }

    /// Whether every known print of a stretch is the row at its place, with the rows laid from `from`.
    fn prints_fit(&self, from: Point, stretch: Stretch) -> bool {
        let shift = from.volume - self.ruler.sum(from.boundary);
        self.prints_within(stretch).iter().all(|print| self.ruler.row_at(shift, print).is_some())
    }

    fn minutes_inside(&self, from: Point, until: Point) -> Vec<Point> {
        let mut inside: Vec<Point> = Vec::new();
        let first = self.minutes.partition_point(|(end, _)| end.boundary < from.boundary);
        for &(end, _) in &self.minutes[first..] {
            if end.boundary > until.boundary {
                break;
            }
            let below = inside.last().copied().unwrap_or(from);
            if end.volume >= below.volume && end.volume <= until.volume && end.boundary >= below.boundary {
                inside.push(end);
            }
        }
        inside
    }

    /// Single known prints of a stretch that can be only one of its rows: both their ends are points.
    fn singles_inside(&self, from: Point, until: Point) -> Vec<Point> {
        let mut inside = Vec::new();
        let mut next = from.boundary;
        for print in self.prints_within(Stretch { after: from.volume, until: until.volume }) {
            let rows = next..until.boundary;
            let mut twins = self.ruler.twins(print).filter(|row| rows.contains(row));
            let (Some(row), None) = (twins.next(), twins.next()) else { continue };
            inside.push(Point { boundary: row, volume: print.after().units(), kind: Kind::Exact });
            inside.push(Point {
                boundary: row + 1,
                volume: print.cumulative_volume.units(),
                kind: Kind::Exact,
            });
            next = row + 1;
        }
        // Where a single print was taken for a row that is only like it, one side has too many shares and the other
        // too few: such points say nothing.
        let total = self.residue(from, until);
        let mut below = from;
        let sound = inside.iter().chain([&until]).all(|&point| {
            let residue = self.residue(below, point);
            below = point;
            (total.min(0)..=total.max(0)).contains(&residue)
        });
        if sound { inside } else { Vec::new() }
    }

    /// Shares that the rows between two points lack; negative: that they have too many.
    fn residue(&self, from: Point, until: Point) -> i64 {
        (until.volume - from.volume) - (self.ruler.sum(until.boundary) - self.ruler.sum(from.boundary))
    }

    /// Whether a minute of the chart says that its rows are complete and that `residue` shares came in without a print.
    ///
    /// Known prints say between which rows they did. Where two places are left, the rows on both sides of them are placed
    /// and what lies between stays open: of it only rows that tell their cumulative volume can say more.
    fn off_hours(&mut self, from: Point, until: Point, residue: i64) -> bool {
        let mut places = self.places(from, until, residue);
        places.retain(|&place| self.jump_fits(from, until, residue, place));
        // What the counter held at the head of the day stands before the first print.
        if places.first() == Some(&0) {
            places.truncate(1);
        }
        let (Some(&lowest), Some(&highest)) = (places.first(), places.last()) else { return false };
        let (after, reached) = (self.laid(from, lowest), self.laid(from, highest) + residue);
        self.place(from.boundary..lowest, from.volume, Proof::Minutes);
        self.place(highest..until.boundary, reached, Proof::Minutes);
        let stretch = Stretch { after, until: reached };
        if lowest == highest {
            self.out.off_hours.push((stretch, lowest));
        } else {
            self.out.faults.push(Fault { stretch, residue: 0 });
        }
        true
    }

    /// Shares below a boundary, with the rows laid from `from`.
    fn laid(&self, from: Point, boundary: usize) -> i64 {
        from.volume + self.ruler.sum(boundary) - self.ruler.sum(from.boundary)
    }

    /// Whether every known print between two points is the row at its place if `residue` shares came in at `place`.
    fn jump_fits(&self, from: Point, until: Point, residue: i64, place: usize) -> bool {
        let after = self.laid(from, place);
        let above = Point { boundary: place, volume: after + residue, kind: Kind::Minute };
        self.prints_fit(from, Stretch { after: from.volume, until: after })
            && self.prints_fit(above, Stretch { after: above.volume, until: until.volume })
            && !self
                .prints
                .iter()
                .any(|print| print.after().units() < above.volume && print.cumulative_volume.units() > after)
    }

    /// The boundaries at which `residue` shares may have come in without a print, in rising order: in a minute that says
    /// so, at the head of the day or where a session ended. In the middle of a session the chart itself may lack the
    /// trade: nothing is proven there.
    fn places(&self, from: Point, until: Point, residue: i64) -> Vec<usize> {
        let rows = self.ruler.rows();
        let mut before = Point { boundary: 0, volume: 0, kind: Kind::Minute };
        for &(end, minute) in &self.minutes {
            let quantity = minute.quantity.units();
            let complete = self.ruler.sum(end.boundary) - self.ruler.sum(before.boundary) == quantity;
            if complete && end.volume - before.volume - quantity == residue {
                let may_be = |&boundary: &usize| {
                    let below = boundary.checked_sub(1).and_then(|index| rows.get(index));
                    match (below, rows.get(boundary)) {
                        (None, _) => true,
                        (Some(below), Some(above)) => {
                            (self.session_changed)(below.exchange_ns - AUCTION_ENDS_LATE, above.exchange_ns)
                        }
                        (Some(_), None) => false,
                    }
                };
                let inside = |place: &usize| (from.boundary..=until.boundary).contains(place);
                let found: Vec<usize> =
                    (before.boundary..end.boundary).filter(may_be).filter(inside).collect();
                if !found.is_empty() {
                    return found;
                }
            }
            before = end;
        }
        Vec::new()
    }

    /// Where two segments claim the same prints, a gap is filled if both say the same of it.
    fn either_way(&mut self, older: &Segment, newer: &Segment) {
        let (ruler, prints) = (self.ruler, self.prints);
        for index in newer.low..older.high.min(newer.high) {
            let (below, above) = (&prints[index], &prints[index + 1]);
            if below.cumulative_volume == above.after() {
                continue;
            }
            let rows = |shift: i64| {
                let first = ruler.row_at(shift, below)? + 1;
                let end = ruler.row_at(shift, above)?;
                (first <= end).then_some(first..end)
            };
            let (Some(one), Some(other)) = (rows(newer.shift), rows(older.shift)) else { continue };
            let content = |range: Range<usize>| {
                ruler.rows()[range].iter().map(|row| (row.exchange_ns, row.price, row.quantity))
            };
            if content(one.clone()).eq(content(other)) {
                self.place(one, below.cumulative_volume.units(), Proof::Anchored);
            }
        }
    }
}

/// What two points prove together: minutes alone are weaker than one known end.
fn proof(from: Point, until: Point) -> Proof {
    match (from.kind, until.kind) {
        (Kind::Exact, Kind::Exact) => Proof::Anchored,
        _ => Proof::Minutes,
    }
}
