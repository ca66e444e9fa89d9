//! Shares, times and gaps as people read them.

use market::calendar::Day;
use market::chain::Missing;
use store::history::Outage;

use crate::json::clock;
use crate::words::printable;

/// An instant without its date: `10:00:31`.
pub(super) fn time(utc_ns: i64) -> String {
    // `2026-11-24 10:00:31 KST`
    clock(utc_ns).split(' ').nth(1).unwrap_or_default().to_owned()
}

/// When a gap is: `10:00:01 to 10:00:31`, `until 09:00:10`, `from 15:30:00`.
pub(super) fn span(from_ns: Option<i64>, until_ns: Option<i64>) -> String {
    match (from_ns, until_ns) {
        (Some(from), Some(until)) => format!("{} to {}", time(from), time(until)),
        (None, Some(until)) => format!("until {}", time(until)),
        (Some(from), None) => format!("from {}", time(from)),
        (None, None) => "the whole day".to_owned(),
    }
}

/// Why shares may be missing there, as far as it was recorded.
pub(super) fn outage(outage: &Outage) -> String {
    let whose = if outage.connection.is_empty() {
        outage.source.to_string()
    } else {
        format!("{} {}", outage.source, outage.connection)
    };
    let when = match outage.until_ns {
        Some(until) => format!("{} to {}", time(outage.from_ns), time(until)),
        None => format!("since {}, not over", time(outage.from_ns)),
    };
    let detail =
        if outage.detail.is_empty() { String::new() } else { format!(" ({})", printable(&outage.detail)) };
    format!("{} of {whose}, {when}{detail}", outage.reason)
}

/// Whether an outage touches the time of a gap. The edges of a gap are whole seconds of the exchange.
pub(super) fn touches(outage: &Outage, missing: &Missing, day: &Day) -> bool {
    let from = missing.from_ns.unwrap_or(day.start_ns());
    let until = missing.until_ns.unwrap_or(day.end_ns()).saturating_add(market::time::SECOND);
    outage.from_ns < until && outage.until_ns.is_none_or(|end| end > from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_names_the_edges_that_are_known() {
        const OPEN: i64 = 1_795_478_430_000_000_000;
        assert_eq!(span(Some(OPEN), Some(OPEN + 1_000_000_000)), "09:00:30 to 09:00:31");
        assert_eq!(span(None, Some(OPEN)), "until 09:00:30");
        assert_eq!(span(Some(OPEN), None), "from 09:00:30");
    }
}
