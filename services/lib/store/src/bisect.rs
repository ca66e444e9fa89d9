//! Which rows of a batch to insert next, when some of them may be impossible: halves, halves of halves, one row.
//!
//! Pure. What was inserted stays inserted over a retry, because the halves are cut the same way each time and
//! so have the same insert tokens.

use std::ops::Range;

/// A batch on its way into a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bisection {
    /// Stretches still to insert, the next one last.
    pending: Vec<Range<usize>>,
    stored: usize,
}

impl Bisection {
    /// A batch of `rows` rows, tried as one first.
    #[must_use]
    pub fn new(rows: usize) -> Self {
        // A vector with one range in it, not the numbers of the range.
        let whole = std::iter::once(0..rows).filter(|range| !range.is_empty());
        Self { pending: whole.collect(), stored: 0 }
    }

    /// The stretch to insert next; none when everything is stored or refused.
    #[must_use]
    pub fn next_range(&self) -> Option<Range<usize>> {
        self.pending.last().cloned()
    }

    /// The stretch of [`Bisection::next_range`] is stored.
    pub fn stored(&mut self) {
        if let Some(range) = self.pending.pop() {
            self.stored += range.len();
        }
    }

    /// The stretch of [`Bisection::next_range`] holds a row that cannot be stored. Returns the row once it is found;
    /// until then the halves of the stretch come next.
    pub fn refused(&mut self) -> Option<usize> {
        let range = self.pending.pop()?;
        if range.len() <= 1 {
            return Some(range.start);
        }
        let middle = range.start + range.len() / 2;
        self.pending.push(middle..range.end);
        self.pending.push(range.start..middle);
        None
    }

    /// Rows stored so far.
    #[must_use]
    pub const fn rows_stored(&self) -> usize {
        self.stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table that refuses a stretch with a bad row in it. Returns stored rows, refused rows, inserts tried.
    fn run(rows: usize, bad: &[usize]) -> (Vec<usize>, Vec<usize>, usize) {
        let (mut bisection, mut stored, mut refused, mut inserts) =
            (Bisection::new(rows), Vec::new(), Vec::new(), 0);
        while let Some(range) = bisection.next_range() {
            inserts += 1;
            if range.clone().any(|row| bad.contains(&row)) {
                refused.extend(bisection.refused());
            } else {
                stored.extend(range);
                bisection.stored();
            }
        }
        assert_eq!(bisection.rows_stored(), stored.len());
        (stored, refused, inserts)
    }

    #[test]
    fn good_rows_take_one_insert() {
        assert_eq!(run(5, &[]), (vec![0, 1, 2, 3, 4], vec![], 1));
        assert_eq!(run(0, &[]), (vec![], vec![], 0));
    }

    #[test]
    fn one_poisoned_row_takes_no_good_row_along() {
        let (stored, refused, inserts) = run(100_000, &[31_415]);
        assert_eq!((stored.len(), refused), (99_999, vec![31_415]));
        assert!(stored.is_sorted() && !stored.contains(&31_415));
        assert!(inserts <= 35, "{inserts}");
    }

    #[test]
    fn several_and_all_poisoned() {
        assert_eq!(run(4, &[0, 3]), (vec![1, 2], vec![0, 3], 7));
        assert_eq!(run(3, &[0, 1, 2]), (vec![], vec![0, 1, 2], 5));
        assert_eq!(run(1, &[0]), (vec![], vec![0], 1));
    }

    #[test]
    fn a_retry_cuts_the_same_stretches() {
        let mut bisection = Bisection::new(10);
        assert_eq!(bisection.refused(), None);
        assert_eq!(bisection.next_range(), Some(0..5));
        // The server is away: nothing is told, the same stretch comes again.
        assert_eq!(bisection.next_range(), Some(0..5));
        bisection.stored();
        assert_eq!(bisection.next_range(), Some(5..10));
    }
}
