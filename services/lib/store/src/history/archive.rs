//! Which sequences of a stream the ledger lacks: what was never archived, or not yet.

use std::ops::RangeInclusive;

use crate::connect::Store;
use crate::error::StoreError;

/// Holes told in one go: more would be a stream that was hardly ever archived, and its next look finds the rest.
const MOST_HOLES: usize = 10_000;

/// What the ledger lacks of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lacking {
    /// Stretches in no row of the ledger, in rising order, at most 10,000.
    pub holes: Vec<RangeInclusive<u64>>,
    /// The highest sequence in the ledger; none when nothing was archived.
    pub highest: Option<u64>,
}

impl Lacking {
    /// Sequences in the holes.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.holes.iter().map(|hole| hole.end() - hole.start() + 1).sum()
    }
}

impl Store {
    /// What the ledger lacks of `wanted` sequences of `stream`, as it was created at `created_ns`.
    ///
    /// A stream that was rolled back gives sequences out again: from the first sequence of an epoch on, only that epoch and
    /// later ones count. So a stretch may be told that was archived as it was before; to archive it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn lacking(
        &self,
        stream: &str,
        created_ns: i64,
        wanted: RangeInclusive<u64>,
    ) -> Result<Lacking, StoreError> {
        // Of each epoch only what lies before the next one begins.
        let sql = "SELECT archived.first, least(archived.last, toUInt64(began.next - 1)) FROM archived ANY LEFT JOIN \
                   (SELECT epoch, min(first) OVER (ORDER BY epoch ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS after, \
                    if(after = 0, toUInt64(18446744073709551615), after) AS next \
                    FROM (SELECT epoch, min(first) AS first FROM archived WHERE stream = ? AND created_ns = ? GROUP BY epoch)) AS began \
                   ON began.epoch = archived.epoch \
                   WHERE archived.stream = ? AND archived.created_ns = ? AND archived.first < began.next ORDER BY archived.first";
        let query = self.client.query(sql).bind(stream).bind(created_ns).bind(stream).bind(created_ns);
        let read = async {
            let mut sieve = Sieve::new(wanted);
            let mut rows = query.fetch::<(u64, u64)>()?;
            while let Some((first, last)) = rows.next().await? {
                sieve.archived(first, last);
            }
            Ok(sieve.done())
        };
        self.limited(read).await
    }
}

/// Archived stretches, in the order of their first sequences, into what lies between them.
struct Sieve {
    wanted: RangeInclusive<u64>,
    /// The lowest sequence that may still be lacking.
    next: u64,
    lacking: Lacking,
}

impl Sieve {
    fn new(wanted: RangeInclusive<u64>) -> Self {
        Self { next: *wanted.start(), wanted, lacking: Lacking::default() }
    }

    fn archived(&mut self, first: u64, last: u64) {
        self.lacking.highest = self.lacking.highest.max(Some(last));
        self.hole_before(first);
        self.next = self.next.max(last.saturating_add(1));
    }

    fn hole_before(&mut self, first: u64) {
        let end = first.saturating_sub(1).min(*self.wanted.end());
        if first > self.next && end >= self.next && self.lacking.holes.len() < MOST_HOLES {
            self.lacking.holes.push(self.next..=end);
        }
    }

    fn done(mut self) -> Lacking {
        self.hole_before(self.wanted.end().saturating_add(1));
        self.lacking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holes(
        wanted: RangeInclusive<u64>,
        archived: &[(u64, u64)],
    ) -> (Vec<RangeInclusive<u64>>, Option<u64>) {
        let mut sieve = Sieve::new(wanted);
        archived.iter().for_each(|(first, last)| sieve.archived(*first, *last));
        let lacking = sieve.done();
        (lacking.holes, lacking.highest)
    }

    #[test]
    fn what_lies_between_archived_stretches_is_lacking() {
        assert_eq!(holes(1..=10, &[]), (vec![1..=10], None));
        assert_eq!(holes(1..=10, &[(1, 10)]), (vec![], Some(10)));
        assert_eq!(holes(1..=10, &[(2, 3), (2, 5), (4, 4), (8, 20)]), (vec![1..=1, 6..=7], Some(20)));
        // Only what the stream still holds is wanted.
        assert_eq!(holes(5..=10, &[(1, 2), (7, 7)]), (vec![5..=6, 8..=10], Some(7)));
        assert_eq!(holes(5..=6, &[(1, 2), (9, 9)]), (vec![5..=6], Some(9)));
    }

    #[test]
    fn messages_are_counted() {
        let lacking = Lacking { holes: vec![1..=1, 6..=7], highest: None };
        assert_eq!(lacking.messages(), 3);
    }
}
