//! What is known of a day beside the rows that a broker gave: everything that these are held against.

use market::Quantity;
use market::chain::Print;
use market::time::SECOND;

use crate::row::{Minute, Row};

/// The print of an auction bears a second of the next session, up to so long after its hour. So much before a print its
/// session is looked for where minutes of the chart confirm that volume came in without a print.
pub(crate) const AUCTION_ENDS_LATE: i64 = 60 * SECOND;

/// What is known of the day beside the rows. The default knows nothing.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// Prints of the same tape, symbol and trade date that are in the record, live or recovered, in any order.
    pub known: &'a [Print],
    /// The last trades with their cumulative volumes (ka10003), if they were asked for: an anchor at the newest end.
    pub last: &'a [Row],
    /// Minutes of the chart (ka10080), if they were asked for.
    pub minutes: &'a [Minute],
    /// Whether the tape's session ended between two exchange times: see [`market::chain::session_changed`].
    pub session_changed: &'a dyn Fn(i64, i64) -> bool,
    /// The broker's total of the day, if it is final and the rows go up to it.
    pub day_volume: Option<Quantity>,
    /// The rows go back to the first trade of the day.
    pub reached_start: bool,
}

impl Default for Evidence<'_> {
    fn default() -> Self {
        Self {
            known: &[],
            last: &[],
            minutes: &[],
            session_changed: &|_, _| false,
            day_volume: None,
            reached_start: false,
        }
    }
}
