//! Two pages that follow each other, without cumulative volume, to the number of rows that were sent twice.

use crate::row::Row;

/// Fewer equal rows than this prove nothing: equal trades follow each other on a calm day too.
const LEAST: usize = 20;

/// Whether two rows are the same trade as told by the source. When they were received is no part of it.
pub(super) fn same(a: &Row, b: &Row) -> bool {
    let told = |row: &Row| (row.exchange_ns, row.price, row.quantity, row.cumulative_volume);
    told(a) == told(b)
}

/// Whether two pages have the same rows.
pub(super) fn same_page(a: &[Row], b: &[Row]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

/// How many rows at the beginning of `page` are those at the end of `before` (both newest first), the longest run
/// counts. A run of fewer than 20 rows, or of rows that are all equal, is taken for new trades.
pub(super) fn overlap(before: &[Row], page: &[Row]) -> usize {
    let most = before.len().min(page.len());
    let equal = |count: &usize| same_page(&before[before.len() - count..], &page[..*count]);
    let differ = |count: &usize| page[..*count].windows(2).any(|pair| !same(&pair[0], &pair[1]));
    (LEAST..=most).rev().find(|count| equal(count) && differ(count)).unwrap_or(0)
}
