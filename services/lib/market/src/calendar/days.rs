//! Rules to days: every covered trade date becomes its phases in UTC, and every venue a line of time without a hole.
//!
//! All of it is worked out when the data is read: a question is then one search, and a file whose phases overlap is
//! refused before anyone relies on it.

use std::collections::BTreeMap;

use super::day::{Day, Exception, Phase};
use super::error::{CalendarError, LineError};
use super::file::{CalendarFile, NORMAL, Rules};
use super::zone::{Zone, add_days, is_weekend, local_midnight};
use crate::instrument::Market;
use crate::session::{Session, Venue};
use crate::trade_date::TradeDate;

/// What is known about one market.
#[derive(Debug)]
pub(super) struct MarketDays {
    pub(super) market: Market,
    pub(super) zone: Zone,
    pub(super) covered_from: TradeDate,
    pub(super) covered_through: TradeDate,
    pub(super) exceptions: BTreeMap<TradeDate, Exception>,
    /// One a covered date, in order; none = no session.
    pub(super) days: Vec<Option<Day>>,
    /// For each venue phases that touch: `Closed` fills the time between.
    timelines: Vec<(Venue, Vec<Phase>)>,
}

/// A phase and the line of the file that says so.
type Sourced = (usize, Phase);

impl MarketDays {
    pub(super) fn build(
        file: CalendarFile<'_>,
        market: Market,
        zone: Zone,
        rules: Rules,
    ) -> Result<Self, CalendarError> {
        let mut days = Vec::new();
        let mut by_venue: BTreeMap<Venue, Vec<Sourced>> = BTreeMap::new();
        for number in rules.covered_from.days_since_epoch()..=rules.covered_through.days_since_epoch() {
            let date = TradeDate::from_epoch_days_clamped(i64::from(number));
            let Some(kind) = kind_of(date, &rules) else {
                days.push(None);
                continue;
            };
            let phases = phases_of(date, kind, &rules, &zone);
            for venue in open_venues(market, date, &rules) {
                let own = phases.iter().filter(|(_, phase)| phase.venue == venue);
                let before = by_venue.get(&venue).map_or(0, Vec::len);
                by_venue.entry(venue).or_default().extend(own);
                if by_venue.get(&venue).map_or(0, Vec::len) == before {
                    return Err(CalendarError::NoPhases { file: file.name.to_owned(), venue, date });
                }
            }
            let phases = phases.into_iter().map(|(_, phase)| phase).collect();
            days.push(Some(Day { date, kind: kind.to_owned(), phases }));
        }
        // The evening before a date belongs to it where a rule says so: coverage is shifted by as much at both ends.
        let evening = rules.phases.iter().map(|rule| rule.start).min().unwrap_or(0).min(0);
        let start = zone.to_utc(local_midnight(rules.covered_from) + evening);
        let end = zone.to_utc(local_midnight(add_days(rules.covered_through, 1)) + evening);
        let mut timelines = Vec::new();
        for venue in venues(market) {
            let phases = by_venue.remove(&venue).unwrap_or_default();
            let opens = opening(venue, &rules).map(|date| zone.midnight(date));
            let line = timeline(venue, &phases, (start, end), opens)
                .map_err(|(line, reason)| CalendarError::Line { file: file.name.to_owned(), line, reason })?;
            timelines.push((venue, line));
        }
        let Rules { covered_from, covered_through, exceptions, .. } = rules;
        Ok(Self { market, zone, covered_from, covered_through, exceptions, days, timelines })
    }

    /// A market about which nothing is known: every question is out of coverage.
    pub(super) fn unknown(market: Market, zone: Zone) -> Self {
        let never = TradeDate::from_epoch_days_clamped(0);
        Self {
            market,
            zone,
            covered_from: never,
            covered_through: never,
            exceptions: BTreeMap::new(),
            days: Vec::new(),
            timelines: Vec::new(),
        }
    }

    pub(super) fn out_of_coverage(&self, date: TradeDate) -> CalendarError {
        CalendarError::OutOfCoverage {
            market: self.market,
            date,
            covered_from: self.covered_from,
            covered_through: self.covered_through,
        }
    }

    /// The phase of a venue that contains an instant.
    pub(super) fn phase(&self, venue: Venue, utc_ns: i64) -> Option<&Phase> {
        let (_, line) = self.timelines.iter().find(|(own, _)| *own == venue)?;
        let after = line.partition_point(|phase| phase.start_ns <= utc_ns);
        line.get(after.checked_sub(1)?).filter(|phase| phase.contains(utc_ns))
    }

    /// The place of a date in `days`.
    pub(super) fn index(&self, date: TradeDate) -> Result<usize, CalendarError> {
        usize::try_from(date.days_since_epoch() - self.covered_from.days_since_epoch())
            .ok()
            .filter(|index| *index < self.days.len())
            .ok_or_else(|| self.out_of_coverage(date))
    }
}

/// The venues of a market.
pub(super) fn venues(market: Market) -> impl DoubleEndedIterator<Item = Venue> {
    Venue::ALL.iter().copied().filter(move |venue| venue.market() == market)
}

fn opening(venue: Venue, rules: &Rules) -> Option<TradeDate> {
    rules.opens.iter().find(|(own, _)| *own == venue).map(|(_, date)| *date)
}

fn open_venues(market: Market, date: TradeDate, rules: &Rules) -> impl Iterator<Item = Venue> {
    venues(market).filter(move |venue| opening(*venue, rules).is_none_or(|first| first <= date))
}

/// The kind of a session day; none when there is no session.
fn kind_of(date: TradeDate, rules: &Rules) -> Option<&str> {
    match rules.exceptions.get(&date) {
        Some(exception) => exception.kind.as_deref(),
        None => (!is_weekend(date)).then_some(NORMAL),
    }
}

/// The phases of a session day by start, each with its line.
fn phases_of(date: TradeDate, kind: &str, rules: &Rules, zone: &Zone) -> Vec<Sourced> {
    let midnight = local_midnight(date);
    let mut phases: Vec<Sourced> = rules
        .phases
        .iter()
        .filter(|rule| rule.holds(date, kind))
        .filter(|rule| opening(rule.venue, rules).is_none_or(|first| first <= date))
        .map(|rule| {
            let phase = Phase {
                venue: rule.venue,
                session: rule.session,
                start_ns: zone.to_utc(midnight + rule.start),
                end_ns: zone.to_utc(midnight + rule.end),
                trade_date: Some(date),
            };
            (rule.line, phase)
        })
        .collect();
    phases.sort_by_key(|(_, phase)| (phase.start_ns, phase.venue));
    phases
}

/// Fills the time between the phases of a venue from `covered.0` to `covered.1`.
fn timeline(
    venue: Venue,
    phases: &[Sourced],
    covered: (i64, i64),
    opens: Option<i64>,
) -> Result<Vec<Phase>, (usize, LineError)> {
    let mut line = Vec::with_capacity(phases.len() * 2);
    let mut reached = covered.0;
    let mut last_line = 0;
    let idle = |from: i64, to: i64, line: &mut Vec<Phase>| {
        let opens = opens.unwrap_or(from).clamp(from, to);
        for (session, start_ns, end_ns) in [(Session::NotYetOpen, from, opens), (Session::Closed, opens, to)]
        {
            if start_ns < end_ns {
                line.push(Phase { venue, session, start_ns, end_ns, trade_date: None });
            }
        }
    };
    for &(number, phase) in phases {
        if phase.start_ns < reached {
            let date = phase.trade_date.unwrap_or_else(|| TradeDate::from_epoch_days_clamped(0));
            return Err((number, LineError::Overlap { date, other_line: last_line }));
        }
        idle(reached, phase.start_ns, &mut line);
        line.push(phase);
        (reached, last_line) = (phase.end_ns, number);
    }
    idle(reached, covered.1.max(reached), &mut line);
    Ok(line)
}
