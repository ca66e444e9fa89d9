//! Rules and an instant → whether it is quiet, until when, and when it is quiet next. Pure: the calendar and the instant
//! are all that counts.

use market::Market;
use market::calendar::{Calendar, CalendarError};
use market::session::MarketState;

/// From which state on a market blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The market.
    pub market: Market,
    /// `Extended` or `Regular`; higher states block too.
    pub from: MarketState,
}

/// What blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// One a market.
    pub rules: Vec<Rule>,
    /// So long before a session and after it, nanoseconds.
    pub margin_ns: i64,
}

/// A stretch of time; start included, end excluded. UTC nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// First instant.
    pub start_ns: i64,
    /// First instant after it.
    pub end_ns: i64,
}

impl Stretch {
    fn contains(&self, at_ns: i64) -> bool {
        self.start_ns <= at_ns && at_ns < self.end_ns
    }
}

/// A market that blocks, and its hours without the margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocker {
    /// The market.
    pub market: Market,
    /// Its state at the instant; `Closed` within the margin.
    pub state: MarketState,
    /// From when to when it is in the states that block.
    pub hours: Stretch,
}

/// Whether it is quiet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is, in this window.
    Quiet {
        /// From the end of the last block to the next.
        window: Stretch,
    },
    /// It is not.
    Open {
        /// Why, at least one.
        by: Vec<Blocker>,
        /// The next window; none when the calendar ends before it.
        next: Option<Stretch>,
    },
    /// The calendar does not know the instant, or not all of the margin around it. Never guessed.
    Unknown {
        /// Which market, and which dates are known.
        error: CalendarError,
    },
}

/// Whether it is quiet at an instant.
#[must_use]
pub fn verdict(calendar: &Calendar, rules: &Rules, at_ns: i64) -> Verdict {
    for rule in &rules.rules {
        for around_ns in [at_ns, at_ns.saturating_sub(rules.margin_ns), at_ns.saturating_add(rules.margin_ns)]
        {
            if let Err(error) = calendar.state(rule.market, around_ns) {
                return Verdict::Unknown { error };
            }
        }
    }
    let wide = |hours: &Stretch| Stretch {
        start_ns: hours.start_ns.saturating_sub(rules.margin_ns),
        end_ns: hours.end_ns.saturating_add(rules.margin_ns),
    };
    let mut by = Vec::new();
    let mut blocks = Vec::new();
    for rule in &rules.rules {
        for hours in hours(calendar, *rule) {
            if wide(&hours).contains(at_ns) {
                let state = calendar.state(rule.market, at_ns).unwrap_or(MarketState::Closed);
                let state = if state < rule.from { MarketState::Closed } else { state };
                by.push(Blocker { market: rule.market, state, hours });
            }
            blocks.push(wide(&hours));
        }
    }
    let blocks = joined(blocks);
    let end_ns = known_until(calendar, rules);
    if by.is_empty() {
        let start_ns = blocks.iter().map(|block| block.end_ns).filter(|end| *end <= at_ns).max();
        let next_ns = blocks.iter().map(|block| block.start_ns).find(|start| *start > at_ns);
        let window =
            Stretch { start_ns: start_ns.unwrap_or(at_ns), end_ns: next_ns.unwrap_or(end_ns).min(end_ns) };
        return Verdict::Quiet { window };
    }
    Verdict::Open { by, next: next(&blocks, end_ns, at_ns) }
}

/// The first window that begins after an instant that is not quiet.
fn next(blocks: &[Stretch], known_until_ns: i64, at_ns: i64) -> Option<Stretch> {
    let now = blocks.iter().position(|block| block.contains(at_ns))?;
    let start_ns = blocks[now].end_ns;
    let end_ns = blocks.get(now + 1).map_or(known_until_ns, |block| block.start_ns).min(known_until_ns);
    (start_ns < end_ns).then_some(Stretch { start_ns, end_ns })
}

/// When a market is in the states that block, by time; what touches is one.
fn hours(calendar: &Calendar, rule: Rule) -> Vec<Stretch> {
    let phases = calendar.days(rule.market).flat_map(|day| day.phases());
    let blocking = phases.filter(|phase| phase.session.state() >= rule.from);
    joined(blocking.map(|phase| Stretch { start_ns: phase.start_ns, end_ns: phase.end_ns }).collect())
}

fn joined(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.sort_unstable();
    let mut joined: Vec<Stretch> = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        match joined.last_mut() {
            Some(last) if stretch.start_ns <= last.end_ns => last.end_ns = last.end_ns.max(stretch.end_ns),
            _ => joined.push(stretch),
        }
    }
    joined
}

/// Up to when the calendar knows every market of the rules, the margin included. The last phase of a market, when it is
/// closed after its last session, ends with the coverage.
fn known_until(calendar: &Calendar, rules: &Rules) -> i64 {
    let ends = rules.rules.iter().filter_map(|rule| {
        let last = calendar.days(rule.market).next_back()?.end_ns();
        calendar.next_change(rule.market, last).ok()
    });
    ends.min().unwrap_or(i64::MIN).saturating_sub(rules.margin_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    fn rules(margin: i64) -> Rules {
        let rule = |market, from| Rule { market, from };
        let rules = vec![rule(Market::Kr, MarketState::Extended), rule(Market::Us, MarketState::Regular)];
        Rules { rules, margin_ns: margin * MINUTE }
    }

    fn at(text: &str) -> i64 {
        text.parse::<crate::arguments::Instant>().expect("instant").0
    }

    fn ask(text: &str) -> Verdict {
        verdict(Calendar::built_in(), &rules(10), at(text))
    }

    fn stretch(start: &str, end: &str) -> Stretch {
        Stretch { start_ns: at(start), end_ns: at(end) }
    }

    #[test]
    fn an_evening_between_korea_and_new_york_is_a_window() {
        let evening = stretch("2026-11-24T20:10:00+09:00", "2026-11-24T23:20:00+09:00");
        assert_eq!(ask("2026-11-24T20:10:00+09:00"), Verdict::Quiet { window: evening });
        assert_eq!(ask("2026-11-24T23:19:59+09:00"), Verdict::Quiet { window: evening });
        let Verdict::Open { by, next } = ask("2026-11-24T20:09:59+09:00") else { panic!("quiet") };
        let hours = stretch("2026-11-24T08:00:00+09:00", "2026-11-24T20:00:00+09:00");
        assert_eq!(by, [Blocker { market: Market::Kr, state: MarketState::Closed, hours }]);
        assert_eq!(next, Some(evening));
        // Daylight saving: New York opens an hour earlier.
        let summer = stretch("2026-07-14T20:10:00+09:00", "2026-07-14T22:20:00+09:00");
        assert_eq!(ask("2026-07-14T21:00:00+09:00"), Verdict::Quiet { window: summer });
    }

    #[test]
    fn a_weekend_is_one_window() {
        let weekend = stretch("2026-11-21T06:10:00+09:00", "2026-11-23T07:50:00+09:00");
        assert_eq!(ask("2026-11-22T12:00:00+09:00"), Verdict::Quiet { window: weekend });
        let Verdict::Open { by, next } = ask("2026-11-21T03:00:00+09:00") else { panic!("quiet") };
        assert_eq!((by.len(), by[0].market, by[0].state), (1, Market::Us, MarketState::Regular));
        assert_eq!(next, Some(weekend));
    }

    #[test]
    fn outside_the_calendar_nothing_is_said() {
        for text in [
            "2023-12-31T12:00:00Z",
            "2028-01-03T12:00:00Z",
            // Korea's date is known, but ten minutes later it is none that is.
            "2027-12-31T23:55:00+09:00",
        ] {
            assert!(matches!(ask(text), Verdict::Unknown { .. }), "{text}");
        }
        let alone = Rules { rules: vec![rules(0).rules[1]], margin_ns: 0 };
        let us = verdict(Calendar::built_in(), &alone, at("2027-12-31T23:55:00+09:00"));
        assert!(matches!(us, Verdict::Open { .. }), "{us:?}");
    }

    #[test]
    fn no_window_reaches_beyond_the_calendar() {
        let end = at("2027-12-31T23:50:00+09:00");
        let Verdict::Quiet { window } = ask("2027-12-31T12:00:00+09:00") else { panic!("not quiet") };
        assert_eq!(window, stretch("2027-12-31T06:10:00+09:00", "2027-12-31T23:20:00+09:00"));
        let korea = Rules { rules: vec![rules(10).rules[0]], margin_ns: 10 * MINUTE };
        let Verdict::Quiet { window } =
            verdict(Calendar::built_in(), &korea, at("2027-12-31T12:00:00+09:00"))
        else {
            panic!("not quiet")
        };
        assert_eq!(window.end_ns, end, "as far as the calendar reaches");
    }

    /// A thousand instants through the four years: the verdict is that of the states around it, and the window begins and
    /// ends where the verdict changes.
    #[test]
    fn the_verdict_follows_the_states_and_windows_end_where_it_changes() {
        let calendar = Calendar::built_in();
        let (first, last) = (at("2024-01-05T00:00:00Z"), at("2027-12-20T00:00:00Z"));
        let step = (last - first) / 1_000;
        for at in (0..1_000).map(|number| first + number * step) {
            let narrow = verdict(calendar, &rules(0), at);
            let open = calendar.kr_state(at).expect("covered") >= MarketState::Extended
                || calendar.us_state(at).expect("covered") == MarketState::Regular;
            assert_eq!(matches!(narrow, Verdict::Open { .. }), open, "{at}");
            let is_quiet = |at| matches!(verdict(calendar, &rules(10), at), Verdict::Quiet { .. });
            let window = match verdict(calendar, &rules(10), at) {
                Verdict::Quiet { window } => window,
                Verdict::Open { next, .. } => next.expect("a window"),
                Verdict::Unknown { error } => panic!("{error}"),
            };
            assert!(!is_quiet(window.start_ns - 1) && is_quiet(window.start_ns), "{window:?}");
            assert!(is_quiet(window.end_ns - 1) && !is_quiet(window.end_ns), "{window:?}");
        }
    }
}
