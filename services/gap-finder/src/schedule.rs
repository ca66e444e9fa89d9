//! The calendar and what is done → the day that is due, or when to look again. Pure: the time is an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use market::calendar::{Calendar, CalendarError, Day};
use market::{Market, TradeDate};

/// When no day is known to end, the calendar is looked at again after so long: it ends before the future does.
const LOOK_AGAIN_NS: i64 = 6 * 3_600 * 1_000_000_000;

/// What became of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Everything is asked and told.
    Completed,
    /// To be looked at again at this instant, UTC ns.
    Again(i64),
}

/// What is known of the days of one market.
#[derive(Debug)]
pub struct Days {
    market: Market,
    margin_ns: i64,
    reach_days: usize,
    states: BTreeMap<TradeDate, State>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// This day is due.
    Day(TradeDate),
    /// Nothing is due before this instant, UTC ns.
    At(i64),
}

fn ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl Days {
    /// Days of a market of which nothing is known yet.
    #[must_use]
    pub fn new(market: Market, margin: Duration, reach_days: u32) -> Self {
        let reach_days = usize::try_from(reach_days).unwrap_or(usize::MAX);
        Self { market, margin_ns: ns(margin), reach_days, states: BTreeMap::new() }
    }

    /// A day is done with.
    pub fn completed(&mut self, date: TradeDate) {
        self.states.insert(date, State::Completed);
    }

    /// A day was not finished.
    pub fn again(&mut self, date: TradeDate, now_ns: i64, pause: Duration) {
        self.states.insert(date, State::Again(now_ns.saturating_add(ns(pause))));
    }

    /// The day that is due at `now_ns`, the newest first: its pages are the cheapest now, and go first.
    ///
    /// # Errors
    /// [`CalendarError`] when the calendar does not know the time.
    pub fn next(&mut self, calendar: &Calendar, now_ns: i64) -> Result<Next, CalendarError> {
        let ended_by = now_ns.saturating_sub(self.margin_ns);
        let newest = calendar.last_ended(self.market, ended_by)?.date();
        let within: Vec<&Day> = calendar
            .days(self.market)
            .rev()
            .skip_while(|day| day.date() > newest)
            .take(self.reach_days)
            .collect();
        // What is out of reach is out of mind.
        if let Some(oldest) = within.last().map(|day| day.date()) {
            self.states.retain(|date, _| *date >= oldest);
        }
        let mut wake = self.end_of_next(calendar, newest).unwrap_or(now_ns.saturating_add(LOOK_AGAIN_NS));
        for day in within {
            match self.states.get(&day.date()) {
                Some(State::Completed) => {}
                Some(State::Again(at)) if *at > now_ns => wake = wake.min(*at),
                _ => return Ok(Next::Day(day.date())),
            }
        }
        Ok(Next::At(wake))
    }

    fn end_of_next(&self, calendar: &Calendar, newest: TradeDate) -> Option<i64> {
        let next = calendar.days(self.market).find(|day| day.date() > newest)?;
        Some(next.end_ns().saturating_add(self.margin_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR_NS: i64 = 3_600 * 1_000_000_000;

    fn date(text: &str) -> TradeDate {
        TradeDate::parse(text).expect("date")
    }

    fn end(text: &str) -> i64 {
        Calendar::built_in().kr_day(date(text)).expect("covered").expect("a session").end_ns()
    }

    #[test]
    fn a_day_is_due_when_its_last_phase_and_the_margin_are_over() {
        let calendar = Calendar::built_in();
        let mut days = Days::new(Market::Kr, MINUTE, 1);
        // 2026-11-24 is a Tuesday.
        let end = end("20261124");
        days.completed(date("20261123"));
        assert_eq!(days.next(calendar, end - 1), Ok(Next::At(end + 60_000_000_000)));
        assert_eq!(days.next(calendar, end + 59_000_000_000), Ok(Next::At(end + 60_000_000_000)));
        assert_eq!(days.next(calendar, end + 60_000_000_000), Ok(Next::Day(date("20261124"))));
    }

    #[test]
    fn missed_days_come_the_newest_first_and_holidays_never() {
        let calendar = Calendar::built_in();
        let mut days = Days::new(Market::Kr, MINUTE, 4);
        let mut due = Vec::new();
        // Monday 2026-09-28, after Chuseok (Thursday and Friday), in the evening.
        let now = end("20260928") + HOUR_NS;
        while let Ok(Next::Day(date)) = days.next(calendar, now) {
            due.push(date.yyyymmdd());
            days.completed(date);
        }
        assert_eq!(due, [20_260_928, 20_260_923, 20_260_922, 20_260_921]);
        assert_eq!(days.next(calendar, now), Ok(Next::At(end("20260929") + 60_000_000_000)));
    }

    #[test]
    fn what_was_not_finished_comes_again_after_its_pause_and_others_go_on() {
        let calendar = Calendar::built_in();
        let mut days = Days::new(Market::Kr, MINUTE, 2);
        let now = end("20261124") + HOUR_NS;
        days.again(date("20261124"), now, MINUTE);
        assert_eq!(days.next(calendar, now), Ok(Next::Day(date("20261123"))));
        days.completed(date("20261123"));
        assert_eq!(days.next(calendar, now), Ok(Next::At(now + 60_000_000_000)));
        assert_eq!(days.next(calendar, now + 60_000_000_000), Ok(Next::Day(date("20261124"))));
    }
}
