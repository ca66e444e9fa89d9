//! Session and trade date of an instant for callers that ask tens of thousands of times a second.

use super::Calendar;
use crate::instrument::Tape;
use crate::session::Session;
use crate::trade_date::TradeDate;

/// What the calendar adds to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionStamp {
    /// The phase of the event's tape; `Unspecified` outside the calendar's coverage.
    pub session: Session,
    /// The trade date; by the local date alone outside the coverage.
    pub trade_date: TradeDate,
}

/// A stamp and the instants for which it is right: start included, end excluded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub(super) stamp: SessionStamp,
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
}

/// Remembers for each tape the stretch of time the last event fell in, so that the next one costs two comparisons.
#[derive(Debug, Clone)]
pub struct SessionClock {
    calendar: Calendar,
    last: [Option<Stretch>; Tape::ALL.len()],
}

impl SessionClock {
    /// A clock on a calendar (a cheap handle: `Calendar::built_in().clone()`).
    #[must_use]
    pub const fn new(calendar: Calendar) -> Self {
        Self { calendar, last: [None; Tape::ALL.len()] }
    }

    /// Phase and trade date of an instant (UTC nanoseconds) on a tape. Never fails.
    pub fn stamp(&mut self, tape: Tape, utc_ns: i64) -> SessionStamp {
        let last = &mut self.last[tape as usize];
        if let Some(stretch) = last
            && stretch.start_ns <= utc_ns
            && utc_ns < stretch.end_ns
        {
            return stretch.stamp;
        }
        let stretch = self.calendar.stretch(tape, utc_ns);
        *last = Some(stretch);
        stretch.stamp
    }
}
