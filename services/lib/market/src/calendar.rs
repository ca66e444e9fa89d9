//! An instant to what the Korean and US markets are doing at it: phase, state and trade date; a trade date to its hours.
//!
//! The knowledge is data, one file a market (`data/kr.cal`, `data/us.cal`), with effective dates, a coverage and a
//! source for every exception. Files given at run time replace the built-in ones, since holidays are announced after a
//! release. Questions are answered from the instant and the data alone: no clock, no host time zone. Outside the coverage
//! the answer is an error; only the stamp of an event ([`Calendar::trade_date`], [`Calendar::session_of`]) always
//! exists, because data is kept even when the calendar has ended.

mod clock;
mod day;
mod days;
mod error;
mod file;
mod hours;
mod zone;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

pub use clock::{SessionClock, SessionStamp};
pub use day::{Day, Exception, Phase};
pub use error::{CalendarError, LineError};
pub use file::CalendarFile;
pub use hours::{Hours, Keeping};

use clock::Stretch;
use days::{MarketDays, venues};
use zone::{Zone, add_days, is_weekend, local_date};

use crate::instrument::{Market, Tape};
use crate::session::{MarketState, Session, Venue};
use crate::time::{DAY, SECOND};
use crate::trade_date::TradeDate;

/// The Korean calendar that comes with this library.
pub const KR: CalendarFile<'static> = CalendarFile { name: "kr.cal", text: include_str!("../data/kr.cal") };
/// The US calendar that comes with this library.
pub const US: CalendarFile<'static> = CalendarFile { name: "us.cal", text: include_str!("../data/us.cal") };

/// New York's time of day from which the coming session's trade date counts, where no data says so.
const US_EVENING: i64 = 20 * 3_600 * SECOND;

/// Hours and holidays of both markets. Cloning copies a handle.
#[derive(Debug, Clone)]
pub struct Calendar {
    inner: Arc<Markets>,
}

#[derive(Debug)]
struct Markets {
    kr: MarketDays,
    us: MarketDays,
}

impl Calendar {
    /// The calendar that comes with this library.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static BUILT_IN: OnceLock<Calendar> = OnceLock::new();
        // The files are compiled in and a test reads them. Were they wrong all the same, everything would be out of
        // coverage, which stops a deploy and loses no data.
        BUILT_IN.get_or_init(|| Self::from_text(KR, US).unwrap_or_else(|_| Self::unknown()))
    }

    /// A calendar from two files; [`KR`] or [`US`] for the one that is not replaced.
    ///
    /// # Errors
    /// [`CalendarError`] with file, line and what is wrong; the first problem found.
    pub fn from_text(kr: CalendarFile<'_>, us: CalendarFile<'_>) -> Result<Self, CalendarError> {
        let kr = MarketDays::build(kr, Market::Kr, Zone::Korea, file::read(kr, Market::Kr)?)?;
        let us = MarketDays::build(us, Market::Us, Zone::new_york()?, file::read(us, Market::Us)?)?;
        Ok(Self { inner: Arc::new(Markets { kr, us }) })
    }

    fn unknown() -> Self {
        let kr = MarketDays::unknown(Market::Kr, Zone::Korea);
        let us = MarketDays::unknown(Market::Us, Zone::new_york().unwrap_or(Zone::standard_new_york()));
        Self { inner: Arc::new(Markets { kr, us }) }
    }

    fn market(&self, market: Market) -> &MarketDays {
        match market {
            Market::Kr => &self.inner.kr,
            Market::Us => &self.inner.us,
        }
    }

    /// First trade date known.
    #[must_use]
    pub fn covered_from(&self, market: Market) -> TradeDate {
        self.market(market).covered_from
    }

    /// Last trade date known.
    #[must_use]
    pub fn covered_through(&self, market: Market) -> TradeDate {
        self.market(market).covered_through
    }

    /// The phase of a venue at an instant (UTC nanoseconds) with its bounds; `Closed` between the sessions.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn phase(&self, venue: Venue, utc_ns: i64) -> Result<&Phase, CalendarError> {
        let market = self.market(venue.market());
        market.phase(venue, utc_ns).ok_or_else(|| market.out_of_coverage(market.zone.date(utc_ns)))
    }

    /// The phase of KRX at an instant.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn krx_phase(&self, utc_ns: i64) -> Result<Session, CalendarError> {
        self.phase(Venue::Krx, utc_ns).map(|phase| phase.session)
    }

    /// The phase of NXT at an instant.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn nxt_phase(&self, utc_ns: i64) -> Result<Session, CalendarError> {
        self.phase(Venue::Nxt, utc_ns).map(|phase| phase.session)
    }

    /// The phase of the US market at an instant.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn us_phase(&self, utc_ns: i64) -> Result<Session, CalendarError> {
        self.phase(Venue::Us, utc_ns).map(|phase| phase.session)
    }

    /// The state of a market at an instant: the highest of its venues'.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn state(&self, market: Market, utc_ns: i64) -> Result<MarketState, CalendarError> {
        let mut state = MarketState::Closed;
        for venue in venues(market) {
            state = state.max(self.phase(venue, utc_ns)?.session.state());
        }
        Ok(state)
    }

    /// Whether the regular session matches trades all the time, so that silence is worth a look: not so in the closing
    /// auction, nor anywhere outside the coverage.
    #[must_use]
    pub fn data_expected(&self, market: Market, utc_ns: i64) -> bool {
        let phases = venues(market).filter_map(|venue| self.phase(venue, utc_ns).ok());
        phases.map(|phase| phase.session).any(|s| s.state() == MarketState::Regular && s.is_continuous())
    }

    /// The state of the Korean market over KRX and NXT.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn kr_state(&self, utc_ns: i64) -> Result<MarketState, CalendarError> {
        self.state(Market::Kr, utc_ns)
    }

    /// The state of the US market.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn us_state(&self, utc_ns: i64) -> Result<MarketState, CalendarError> {
        self.state(Market::Us, utc_ns)
    }

    /// The trade date of the Korean session an instant belongs to; none when closed.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn kr_trade_date(&self, utc_ns: i64) -> Result<Option<TradeDate>, CalendarError> {
        let krx = self.phase(Venue::Krx, utc_ns)?.trade_date;
        Ok(krx.or(self.phase(Venue::Nxt, utc_ns)?.trade_date))
    }

    /// The trade date of the US session an instant belongs to (overnight: the coming session); none when closed.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn us_trade_date(&self, utc_ns: i64) -> Result<Option<TradeDate>, CalendarError> {
        self.phase(Venue::Us, utc_ns).map(|phase| phase.trade_date)
    }

    /// The first instant after `utc_ns` at which a venue of the market changes its phase, or the coverage ends.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn next_change(&self, market: Market, utc_ns: i64) -> Result<i64, CalendarError> {
        let mut next = i64::MAX;
        for venue in venues(market) {
            next = next.min(self.phase(venue, utc_ns)?.end_ns);
        }
        Ok(next)
    }

    /// The first instant after `utc_ns` at which the state of the market is another one, and that state.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`] also when the state is not known to change before the coverage ends.
    pub fn next_state(&self, market: Market, utc_ns: i64) -> Result<(i64, MarketState), CalendarError> {
        let now = self.state(market, utc_ns)?;
        let mut at = utc_ns;
        // Ends: each step goes to a later end of a phase, and past the last one `state` is an error.
        loop {
            at = self.next_change(market, at)?;
            let state = self.state(market, at)?;
            if state != now {
                return Ok((at, state));
            }
        }
    }

    /// A trade date's hours; none when the market has no session on it.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn day(&self, market: Market, date: TradeDate) -> Result<Option<&Day>, CalendarError> {
        let market = self.market(market);
        let index = market.index(date)?;
        Ok(market.days[index].as_ref())
    }

    /// A Korean trade date's hours; none on holidays and weekends.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn kr_day(&self, date: TradeDate) -> Result<Option<&Day>, CalendarError> {
        self.day(Market::Kr, date)
    }

    /// A US trade date's hours; none on holidays and weekends.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn us_day(&self, date: TradeDate) -> Result<Option<&Day>, CalendarError> {
        self.day(Market::Us, date)
    }

    /// All session days known, in order.
    pub fn days(&self, market: Market) -> impl DoubleEndedIterator<Item = &Day> {
        self.market(market).days.iter().flatten()
    }

    /// The first session on or after a date.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`], also when none is known before the coverage ends.
    pub fn next_session(&self, market: Market, date: TradeDate) -> Result<&Day, CalendarError> {
        let market = self.market(market);
        let index = market.index(date)?;
        let past_end = || market.out_of_coverage(add_days(market.covered_through, 1));
        market.days[index..].iter().flatten().next().ok_or_else(past_end)
    }

    /// The last session on or before a date.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`], also when none is known after the coverage begins.
    pub fn previous_session(&self, market: Market, date: TradeDate) -> Result<&Day, CalendarError> {
        let market = self.market(market);
        let index = market.index(date)?;
        let past_start = || market.out_of_coverage(add_days(market.covered_from, -1));
        market.days[..=index].iter().flatten().next_back().ok_or_else(past_start)
    }

    /// The last session whose end (of its last phase) is at or before an instant: the newest day that can be checked
    /// for completeness.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`] also when no session has ended since the coverage began.
    pub fn last_ended(&self, market: Market, utc_ns: i64) -> Result<&Day, CalendarError> {
        let days = self.market(market);
        // Past the coverage a newer session may have ended.
        self.next_change(market, utc_ns)?;
        let today = days.zone.date(utc_ns).clamp(days.covered_from, days.covered_through);
        let past_start = || days.out_of_coverage(add_days(days.covered_from, -1));
        let known = days.days[..=days.index(today)?].iter().flatten();
        known.rev().find(|day| day.end_ns() <= utc_ns).ok_or_else(past_start)
    }

    /// Why a weekday is closed or has other hours; none for ordinary days and weekends.
    ///
    /// # Errors
    /// [`CalendarError::OutOfCoverage`].
    pub fn exception(&self, market: Market, date: TradeDate) -> Result<Option<&Exception>, CalendarError> {
        let market = self.market(market);
        market.index(date)?;
        Ok(market.exceptions.get(&date))
    }

    /// The trade date to stamp an event with. Never fails.
    ///
    /// Korea: the Korean date. US: the New York date; in the night before a session (from 20:00) that session's date.
    /// Outside the coverage every weekday counts as a session.
    #[must_use]
    pub fn trade_date(&self, market: Market, utc_ns: i64) -> TradeDate {
        let days = self.market(market);
        let local_ns = days.zone.to_local(utc_ns);
        let local = local_date(local_ns);
        if market == Market::Kr {
            return local;
        }
        if let Some(phase) = days.phase(Venue::Us, utc_ns) {
            return phase.trade_date.unwrap_or(local);
        }
        let tomorrow = add_days(local, 1);
        let evening = local_ns.rem_euclid(DAY) >= US_EVENING;
        if evening && !is_weekend(tomorrow) { tomorrow } else { local }
    }

    /// The phase to stamp an event of a tape with; `Unspecified` outside the coverage. Never fails.
    ///
    /// The combined Korean tape has KRX's phase, and NXT's while KRX is closed.
    #[must_use]
    pub fn session_of(&self, tape: Tape, utc_ns: i64) -> Session {
        self.stretch(tape, utc_ns).stamp.session
    }

    /// Stamp of an instant on a tape, and how long it stays right.
    fn stretch(&self, tape: Tape, utc_ns: i64) -> Stretch {
        let days = self.market(tape.market());
        let trade_date = self.trade_date(tape.market(), utc_ns);
        let stamp = |session| SessionStamp { session, trade_date };
        let Some((session, start_ns, end_ns)) = tape_phase(days, tape, utc_ns) else {
            // Not remembered: start = end.
            return Stretch { stamp: stamp(Session::Unspecified), start_ns: utc_ns, end_ns: utc_ns };
        };
        let dated = days.phase(Venue::Us, utc_ns).is_some_and(|phase| phase.trade_date.is_some());
        if dated {
            return Stretch { stamp: stamp(session), start_ns, end_ns };
        }
        // The trade date is the local date: right until midnight at most.
        let (midnight, next) = (days.zone.midnight(trade_date), days.zone.midnight(add_days(trade_date, 1)));
        Stretch { stamp: stamp(session), start_ns: start_ns.max(midnight), end_ns: end_ns.min(next) }
    }
}

/// The phase of a tape at an instant, and its bounds.
fn tape_phase(days: &MarketDays, tape: Tape, utc_ns: i64) -> Option<(Session, i64, i64)> {
    let bounds = |phase: &Phase| (phase.session, phase.start_ns, phase.end_ns);
    match tape {
        Tape::Krx => days.phase(Venue::Krx, utc_ns).map(bounds),
        Tape::Nxt => days.phase(Venue::Nxt, utc_ns).map(bounds),
        Tape::Us | Tape::Day => days.phase(Venue::Us, utc_ns).map(bounds),
        Tape::All => {
            let (krx, nxt) = (days.phase(Venue::Krx, utc_ns)?, days.phase(Venue::Nxt, utc_ns)?);
            let session = match (krx.session, nxt.session) {
                (Session::Closed, Session::NotYetOpen) => Session::Closed,
                (Session::Closed, nxt) => nxt,
                (krx, _) => krx,
            };
            Some((session, krx.start_ns.max(nxt.start_ns), krx.end_ns.min(nxt.end_ns)))
        }
    }
}

/// [`Calendar::trade_date`] by the built-in calendar.
#[must_use]
pub fn trade_date(market: Market, utc_ns: i64) -> TradeDate {
    Calendar::built_in().trade_date(market, utc_ns)
}

/// [`Calendar::session_of`] by the built-in calendar.
#[must_use]
pub fn session_of(tape: Tape, utc_ns: i64) -> Session {
    Calendar::built_in().session_of(tape, utc_ns)
}
