//! What the calendar says about one trade date: its phases as intervals of UTC nanoseconds.

use crate::session::{MarketState, Session, Venue};
use crate::trade_date::TradeDate;

/// A stretch of time in which a venue stays in one phase; start included, end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// The venue.
    pub venue: Venue,
    /// The phase; `Closed` and `NotYetOpen` between the days.
    pub session: Session,
    /// First instant, UTC nanoseconds.
    pub start_ns: i64,
    /// First instant after it, UTC nanoseconds.
    pub end_ns: i64,
    /// The trade date the phase belongs to; none when closed.
    pub trade_date: Option<TradeDate>,
}

impl Phase {
    /// Whether an instant lies in the phase.
    #[must_use]
    pub const fn contains(&self, utc_ns: i64) -> bool {
        self.start_ns <= utc_ns && utc_ns < self.end_ns
    }
}

/// One session day of a market: at least one phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    pub(super) date: TradeDate,
    pub(super) kind: String,
    pub(super) phases: Vec<Phase>,
}

impl Day {
    /// The trade date.
    #[must_use]
    pub const fn date(&self) -> TradeDate {
        self.date
    }

    /// The kind of day: `normal`, or the word of its special line (`first_day`, `csat`, `half_day`, …).
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// All phases, by start.
    #[must_use]
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// The phases of one venue, by start; none overlap.
    pub fn venue_phases(&self, venue: Venue) -> impl Iterator<Item = &Phase> {
        self.phases.iter().filter(move |phase| phase.venue == venue)
    }

    /// A phase of a venue (the first one: NXT pauses twice), if the day has it.
    #[must_use]
    pub fn phase(&self, venue: Venue, session: Session) -> Option<&Phase> {
        self.venue_phases(venue).find(|phase| phase.session == session)
    }

    /// The regular session `[open, close)`, closing auction included, UTC nanoseconds.
    #[must_use]
    pub fn regular_hours(&self) -> Option<(i64, i64)> {
        self.span(|session| session.state() == MarketState::Regular)
    }

    /// From the first to the end of the last phase in which the market is regular or extended; the US night before
    /// the session is not part of it. UTC nanoseconds.
    #[must_use]
    pub fn open_hours(&self) -> Option<(i64, i64)> {
        self.span(|session| session.state() != MarketState::Closed)
    }

    /// The start of the first phase, the US night included, UTC nanoseconds.
    #[must_use]
    pub fn start_ns(&self) -> i64 {
        self.phases.iter().map(|phase| phase.start_ns).min().unwrap_or_default()
    }

    /// The end of the last phase: the day is over and can be checked for completeness. UTC nanoseconds.
    #[must_use]
    pub fn end_ns(&self) -> i64 {
        self.phases.iter().map(|phase| phase.end_ns).max().unwrap_or_default()
    }

    fn span(&self, wanted: impl Fn(Session) -> bool) -> Option<(i64, i64)> {
        let found = || self.phases.iter().filter(|phase| wanted(phase.session));
        let start = found().map(|phase| phase.start_ns).min()?;
        let end = found().map(|phase| phase.end_ns).max()?;
        Some((start, end))
    }
}

/// Why a weekday is closed, or a session does not follow the normal hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// What the day is: `Chuseok`, `college entrance exam`.
    pub name: String,
    /// Where that is known from.
    pub source: String,
    pub(super) kind: Option<String>,
    pub(super) line: usize,
}

impl Exception {
    /// Whether the market is closed; otherwise it opens at other hours.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.kind.is_none()
    }
}
