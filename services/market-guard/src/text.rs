//! Instants and verdicts → words for people: the time of Seoul first, UTC beside it.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use market::session::MarketState;

use crate::quiet::{Blocker, Stretch, Verdict};

const SECOND: i64 = 1_000_000_000;

/// An instant on a wall clock, by a pattern of `strftime`. What the time library cannot express shows as a dash.
pub fn on_the_wall(zone: &TimeZone, at_ns: i64, pattern: &str) -> String {
    let at = Timestamp::from_nanosecond(i128::from(at_ns));
    at.map_or_else(|_| "-".to_owned(), |at| zone.to_datetime(at).strftime(pattern).to_string())
}

/// The clock of Seoul.
pub fn seoul() -> TimeZone {
    TimeZone::fixed(Offset::constant(9))
}

fn day(at_ns: i64) -> String {
    on_the_wall(&seoul(), at_ns, "%a %Y-%m-%d")
}

/// Hours and minutes, with seconds where there are any.
fn time(zone: &TimeZone, at_ns: i64) -> String {
    let whole = at_ns.rem_euclid(60 * SECOND) == 0;
    on_the_wall(zone, at_ns, if whole { "%H:%M" } else { "%H:%M:%S" })
}

/// `Tue 2026-11-24 20:10 KST (11:10 UTC)`.
fn instant(at_ns: i64) -> String {
    format!("{} {} KST ({} UTC)", day(at_ns), time(&seoul(), at_ns), time(&TimeZone::UTC, at_ns))
}

/// `Tue 2026-11-24 20:10 to 23:20 KST (11:10 to 14:20 UTC), 3 h 10 min`.
fn window(window: &Stretch) -> String {
    let (start, end) = (window.start_ns, window.end_ns);
    let last = if day(start) == day(end) { String::new() } else { format!("{} ", day(end)) };
    format!(
        "{} {} to {last}{} KST ({} to {} UTC), {}",
        day(start),
        time(&seoul(), start),
        time(&seoul(), end),
        time(&TimeZone::UTC, start),
        time(&TimeZone::UTC, end),
        length(end.saturating_sub(start))
    )
}

fn length(nanoseconds: i64) -> String {
    let minutes = nanoseconds / (60 * SECOND);
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn blocker(blocker: &Blocker, at_ns: i64) -> String {
    let Blocker { market, state, hours } = blocker;
    match state {
        MarketState::Closed if at_ns < hours.start_ns => {
            format!("{market} begins at {}", instant(hours.start_ns))
        }
        MarketState::Closed => format!("{market} ended at {}", instant(hours.end_ns)),
        state => format!("{market} is {state}, until {}", instant(hours.end_ns)),
    }
}

/// What is said of an instant: a line for the verdict, a line for the window.
pub fn verdict(verdict: &Verdict, at_ns: i64) -> String {
    match verdict {
        Verdict::Quiet { window: now } => {
            let left = length(now.end_ns.saturating_sub(at_ns));
            format!("quiet: {left} left at {}\nquiet window: {}\n", instant(at_ns), window(now))
        }
        Verdict::Open { by, next } => {
            let by: Vec<_> = by.iter().map(|one| blocker(one, at_ns)).collect();
            let next =
                next.as_ref().map_or_else(|| "none that the calendar knows: update sise".to_owned(), window);
            format!("not quiet at {}: {}\nnext quiet window: {next}\n", instant(at_ns), by.join("; "))
        }
        Verdict::Unknown { error } => {
            let at = instant(at_ns);
            format!("cannot say at {at}: {error}\nnext quiet window: not known: update sise\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use market::calendar::Calendar;
    use market::{Market, session::MarketState};

    use super::*;
    use crate::quiet::{Rule, Rules};

    fn said(at: &str) -> String {
        let rule = |market, from| Rule { market, from };
        let rules = vec![rule(Market::Kr, MarketState::Extended), rule(Market::Us, MarketState::Regular)];
        let at_ns = at.parse::<crate::arguments::Instant>().expect("instant").0;
        let rules = Rules { rules, margin_ns: 600 * SECOND };
        verdict(&crate::quiet::verdict(Calendar::built_in(), &rules, at_ns), at_ns)
    }

    #[test]
    fn a_verdict_says_why_and_when_it_is_quiet_next() {
        assert_eq!(
            said("2026-11-24T15:00:00+09:00"),
            "not quiet at Tue 2026-11-24 15:00 KST (06:00 UTC): kr is regular, until Tue 2026-11-24 20:00 KST (11:00 UTC)\n\
             next quiet window: Tue 2026-11-24 20:10 to 23:20 KST (11:10 to 14:20 UTC), 3 h 10 min\n"
        );
        assert_eq!(
            said("2026-11-24T23:25:30+09:00"),
            "not quiet at Tue 2026-11-24 23:25:30 KST (14:25:30 UTC): us begins at Tue 2026-11-24 23:30 KST (14:30 UTC)\n\
             next quiet window: Wed 2026-11-25 06:10 to 07:50 KST (21:10 to 22:50 UTC), 1 h 40 min\n"
        );
        assert_eq!(
            said("2026-11-21T12:00:00+09:00"),
            "quiet: 43 h 50 min left at Sat 2026-11-21 12:00 KST (03:00 UTC)\n\
             quiet window: Sat 2026-11-21 06:10 to Mon 2026-11-23 07:50 KST (21:10 to 22:50 UTC), 49 h 40 min\n"
        );
        let unknown = said("2028-01-03T12:00:00Z");
        assert!(
            unknown.starts_with("cannot say") && unknown.contains("2024-01-01 to 2027-12-31"),
            "{unknown}"
        );
    }
}
