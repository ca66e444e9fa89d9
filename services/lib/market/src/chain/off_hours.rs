//! A broker's rows of a day to the stretches of the cumulative volume that never had a print.

use super::{OffHours, Print, line::sort};
use crate::calendar::Calendar;
use crate::instrument::Tape;
use crate::quantity::Quantity;

/// Stretches without a print, as a complete list of rows proves them: where one row follows another over a jump of the
/// cumulative volume, and a session ended between them.
///
/// A jump inside a session is no such stretch, although the broker has no row for it: there the source itself lacks
/// rows. `reached_start` says that the list goes back to the first print of the day: what the counter held before it is
/// off-hours volume. `session_changed` is asked with the exchange times (UTC ns) of the two rows; see
/// [`session_changed()`]. Rows in any order; overlapping pages do no harm.
#[must_use]
pub fn off_hours_from(
    rows: &[Print],
    reached_start: bool,
    session_changed: impl Fn(i64, i64) -> bool,
) -> Vec<OffHours> {
    let mut rows = rows.to_vec();
    sort(&mut rows);
    let mut stretches = Vec::new();
    let mut before: Option<Print> = None;
    for row in rows {
        let (reached, from_ns) =
            before.map_or((Quantity::ZERO, None), |print| (print.cumulative_volume, Some(print.exchange_ns)));
        let proven = match from_ns {
            Some(from_ns) => session_changed(from_ns, row.exchange_ns),
            None => reached_start,
        };
        if proven && row.after() > reached {
            let (until, until_ns) = (row.after(), Some(row.exchange_ns));
            stretches.push(OffHours { after: reached, until, from_ns, until_ns });
        }
        if before.is_none() || row.cumulative_volume > reached {
            before = Some(row);
        }
    }
    stretches
}

/// Whether a tape's session ended between two exchange times, UTC ns.
#[must_use]
pub fn session_changed(calendar: &Calendar, tape: Tape, from_ns: i64, until_ns: i64) -> bool {
    calendar.session_of(tape, from_ns) != calendar.session_of(tape, until_ns)
}
