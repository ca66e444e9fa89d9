//! Rows in the order of trading become a ruler: sums of quantities, against which known prints are held.

use market::chain::Print;

use crate::row::Row;

/// The fewest prints in a row that make an anchor.
pub const SHORTEST_RUN: usize = 5;
/// The most prints in a row that are tried for an anchor: what is not unique by then repeats itself.
pub const LONGEST_RUN: usize = 200;

/// Rows, oldest first, with the shares that lie below each.
pub(crate) struct Ruler<'a> {
    rows: &'a [Row],
    /// `sums[n]`: shares of the first n rows; rises strictly.
    sums: Vec<i64>,
    /// Rows by time, those of one second in the order of the rows.
    by_time: Vec<usize>,
    /// What is added to a row's time before it is compared.
    time_shift_ns: i64,
}

impl<'a> Ruler<'a> {
    pub(crate) fn new(rows: &'a [Row], time_shift_ns: i64) -> Self {
        let mut sums = Vec::with_capacity(rows.len() + 1);
        let mut sum = 0;
        sums.push(sum);
        for row in rows {
            sum += row.quantity.units();
            sums.push(sum);
        }
        let mut by_time: Vec<usize> = (0..rows.len()).collect();
        by_time.sort_by_key(|&index| rows[index].exchange_ns);
        Self { rows, sums, by_time, time_shift_ns }
    }

    pub(crate) fn rows(&self) -> &'a [Row] {
        self.rows
    }

    /// Shares of the rows below a boundary; boundary n lies between row n - 1 and row n.
    pub(crate) fn sum(&self, boundary: usize) -> i64 {
        self.sums[boundary.min(self.rows.len())]
    }

    /// Shares of all rows.
    pub(crate) fn total(&self) -> i64 {
        self.sum(self.rows.len())
    }

    /// The boundary below which exactly so many shares lie.
    pub(crate) fn boundary(&self, sum: i64) -> Option<usize> {
        self.sums.binary_search(&sum).ok()
    }

    /// The first boundary with no row before `ns` above it.
    pub(crate) fn boundary_at(&self, ns: i64) -> usize {
        self.by_time.partition_point(|&index| self.rows[index].exchange_ns < ns)
    }

    /// Whether a row and a print are the same in second, price and quantity.
    pub(crate) fn same(&self, index: usize, print: &Print) -> bool {
        let row = &self.rows[index];
        row.quantity == print.quantity
            && row.price == print.price
            && row.exchange_ns + self.time_shift_ns == print.exchange_ns
    }

    /// The row at the place of a print under a shift, if the two are the same.
    pub(crate) fn row_at(&self, shift: i64, print: &Print) -> Option<usize> {
        let boundary = self.boundary(print.cumulative_volume.units() - shift)?;
        let index = boundary.checked_sub(1)?;
        self.same(index, print).then_some(index)
    }

    /// Every row that is the same as a print, by rising index.
    pub(crate) fn twins<'b>(&'b self, print: &'b Print) -> impl Iterator<Item = usize> + 'b {
        let ns = print.exchange_ns - self.time_shift_ns;
        let first = self.by_time.partition_point(|&index| self.rows[index].exchange_ns < ns);
        self.by_time[first..]
            .iter()
            .copied()
            .take_while(move |&index| self.rows[index].exchange_ns == ns)
            .filter(move |&index| self.same(index, print))
    }
}

/// Prints by rising cumulative volume, each once, without those that contradict others: a broker that cuts the same
/// shares into other prints is no witness where it does.
pub(crate) fn comparable(prints: impl IntoIterator<Item = Print>) -> Vec<Print> {
    let mut sorted: Vec<Print> = prints.into_iter().collect();
    sorted.sort_by_key(|print| (print.cumulative_volume, print.quantity, print.price, print.exchange_ns));
    sorted.dedup_by_key(|print| (print.cumulative_volume, print.quantity, print.price));
    let mut contested = vec![false; sorted.len()];
    for upper in 1..sorted.len() {
        let start = sorted[upper].cumulative_volume.units() - sorted[upper].quantity.units();
        for lower in (0..upper).rev() {
            if sorted[lower].cumulative_volume.units() <= start {
                break;
            }
            contested[lower] = true;
            contested[upper] = true;
        }
    }
    let mut contested = contested.into_iter();
    sorted.retain(|_| !contested.next().unwrap_or(false));
    sorted
}
