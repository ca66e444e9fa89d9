//! Prints of one instrument as they come → each print once, in the order of the cumulative volume.
//!
//! A print covers the shares `(cumulative volume - quantity, cumulative volume]` of its day. What is told never overlaps, so
//! that no share is told twice although two brokers may cut the same shares otherwise. A print whose predecessor is missing
//! waits for it, until every broker that may bring it has passed it, or for a bounded time. What comes later is told as late.

use market::time::SECOND;
use market::{Stamp, Trade, TradeDate};

use super::{Alive, index};

/// Prints that wait for a predecessor: at 300 ms more than the busiest symbol has. Then the first waits no longer.
const MOST_WAITING: usize = 256;

/// Stretches of a day that no print was told for. Then the earliest is given up: what comes for it is not told.
const MOST_HOLES: usize = 64;

/// A print so much later than the last one, with a cumulative volume below it, belongs to a counter that has begun anew.
const RESTART_NS: i64 = 10 * SECOND;

/// A print and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print {
    /// The frame that brought it.
    pub stamp: Stamp,
    /// The print.
    pub trade: Trade,
}

impl Print {
    const fn until(&self) -> i64 {
        self.trade.cumulative_volume.units()
    }

    const fn after(&self) -> i64 {
        self.until() - self.trade.quantity.units()
    }
}

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A print; `late` = behind later ones.
    Print {
        /// The print.
        print: Print,
        /// It belongs where its cumulative volume says.
        late: bool,
    },
    /// Shares `(after, until]` were not told in time; before the print that follows.
    Gap {
        /// The day of the counter.
        trade_date: TradeDate,
        /// Cumulative volume before them.
        after: i64,
        /// Cumulative volume at the last of them.
        until: i64,
    },
}

/// Why a print is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// Its shares were told.
    Duplicate,
    /// Some of its shares were told: the brokers cut them otherwise.
    Overlap,
    /// It belongs to a day before.
    OldDay,
}

impl Dropped {
    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Overlap => "overlap",
            Self::OldDay => "old_day",
        }
    }
}

/// The prints of one instrument.
#[derive(Debug, Clone, Default)]
pub struct Trades {
    date: Option<TradeDate>,
    /// The last print in order.
    last: Option<Print>,
    /// Shares up to here are told, or stand in `holes`.
    reached: i64,
    holes: Vec<(i64, i64)>,
    /// By their first share; with the time (ms) until which each waits.
    waiting: Vec<(u64, Print)>,
    /// How far each broker has come today.
    highest: [Option<i64>; 2],
    /// A print that may belong to a counter that has begun anew.
    fallen: Option<Print>,
}

impl Trades {
    /// The last print in order.
    pub const fn last(&self) -> Option<&Print> {
        self.last.as_ref()
    }

    /// Whether prints wait.
    pub const fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes a print as it comes, at `now` (ms of any clock that only rises); it waits `wait` ms at most. What is to be told
    /// goes to `out`.
    ///
    /// # Errors
    /// [`Dropped`] when it is not told now and never will be.
    pub fn push(
        &mut self,
        print: Print,
        alive: Alive,
        now: u64,
        wait: u64,
        out: &mut Vec<Told>,
    ) -> Result<(), Dropped> {
        let day = print.trade.at.trade_date;
        if self.date.is_some_and(|date| day < date) {
            return Err(Dropped::OldDay);
        }
        if self.date != Some(day) {
            self.release_all(out);
            *self = Self { date: Some(day), ..Self::default() };
        }
        let highest = &mut self.highest[index(print.stamp.source)];
        *highest = (*highest).max(Some(print.until()));
        let taken = if print.after() < self.reached {
            self.below(print, out)
        } else {
            self.line_up(print, now, wait)
        };
        // Whatever becomes of it: its broker may have passed what was waited for.
        self.release(alive, now, out);
        taken
    }

    /// Puts a print that begins at or above what is told among those that wait.
    fn line_up(&mut self, print: Print, now: u64, wait: u64) -> Result<(), Dropped> {
        let known = |waiting: &Print| waiting.after() == print.after() && waiting.until() == print.until();
        if self.waiting.iter().any(|(_, waiting)| known(waiting)) {
            return Err(Dropped::Duplicate);
        }
        let at = self.waiting.partition_point(|(_, waiting)| waiting.after() <= print.after());
        self.waiting.insert(at, (now.saturating_add(wait), print));
        Ok(())
    }

    /// Tells what has waited long enough.
    pub fn due(&mut self, alive: Alive, now: u64, out: &mut Vec<Told>) {
        self.release(alive, now, out);
    }

    /// A print that begins below what is told.
    fn below(&mut self, print: Print, out: &mut Vec<Told>) -> Result<(), Dropped> {
        let (after, until) = (print.after(), print.until());
        if self.begins_anew(&print) {
            let first = self.fallen.take();
            self.last = None;
            self.reached = 0;
            self.holes.clear();
            self.waiting.clear();
            self.highest = [None; 2];
            for print in first.into_iter().chain([print]) {
                self.highest[index(print.stamp.source)] = Some(print.until());
                self.tell(print, out);
            }
            return Ok(());
        }
        if self.fallen == Some(print) {
            return Ok(());
        }
        let Some(hole) = self.holes.iter().position(|(from, to)| *from <= after && until <= *to) else {
            let touches = self.holes.iter().any(|(from, to)| *from < until && after < *to);
            let beyond = until > self.reached;
            return Err(if touches || beyond { Dropped::Overlap } else { Dropped::Duplicate });
        };
        let (from, to) = self.holes.remove(hole);
        let left = [(from, after), (until, to)];
        for piece in left.into_iter().filter(|(from, to)| from < to).rev() {
            self.holes.insert(hole, piece);
        }
        self.bound_holes();
        out.push(Told::Print { print, late: true });
        Ok(())
    }

    /// Whether the counter has begun anew: two prints in a row far later than the last one, and below it. The first of
    /// them is kept until the second tells.
    fn begins_anew(&mut self, print: &Print) -> bool {
        let Some(last) = &self.last else { return false };
        let later = print.trade.at.exchange_ns.saturating_sub(last.trade.at.exchange_ns) >= RESTART_NS;
        if !later || print.until() > last.until() {
            return false;
        }
        let after = self.fallen.as_ref().is_some_and(|fallen| {
            fallen.until() <= print.after() && fallen.trade.at.exchange_ns <= print.trade.at.exchange_ns
        });
        if !after {
            self.fallen = Some(*print);
        }
        after
    }

    /// Tells every waiting print that need not wait any more.
    fn release(&mut self, alive: Alive, now: u64, out: &mut Vec<Told>) {
        while let Some((_, first)) = self.waiting.first() {
            let after = first.after();
            let wait = self.last.is_some()
                && after > self.reached
                && now < self.deadline()
                && self.waiting.len() <= MOST_WAITING
                && self.may_come(alive);
            if wait {
                return;
            }
            let print = self.take_first();
            self.tell(print, out);
        }
    }

    /// When the first of the waiting prints has waited long enough: when any of them has, for they are told in order.
    fn deadline(&self) -> u64 {
        self.waiting.iter().map(|(deadline, _)| *deadline).min().unwrap_or(0)
    }

    /// Of the waiting prints that begin first the one of the broker that told the last: a stretch stays with one broker.
    fn take_first(&mut self) -> Print {
        let first = self.waiting[0].1.after();
        let source = self.last.map(|last| last.stamp.source);
        let same = self.waiting.iter().take_while(|(_, print)| print.after() == first);
        let mut same = same.map(|(_, print)| Some(print.stamp.source));
        let at = same.position(|of| of == source).unwrap_or(0);
        self.waiting.remove(at).1
    }

    /// Whether a broker that is alive has not come beyond what is told: it may still bring what is missing.
    fn may_come(&self, alive: Alive) -> bool {
        [market::Source::Kis, market::Source::Kiwoom].into_iter().any(|source| {
            alive.is(source) && self.highest[index(source)].is_some_and(|highest| highest <= self.reached)
        })
    }

    fn release_all(&mut self, out: &mut Vec<Told>) {
        while !self.waiting.is_empty() {
            let print = self.take_first();
            self.tell(print, out);
        }
    }

    /// Tells a print that begins at or above what is told, and what is missing before it.
    fn tell(&mut self, print: Print, out: &mut Vec<Told>) {
        let after = print.after();
        if after < self.reached {
            // Another cut of the same shares was told meanwhile.
            metrics::counter!("sise_gateway_trades_dropped_total", "reason" => Dropped::Overlap.as_str())
                .increment(1);
            return;
        }
        if after > self.reached {
            // Before the first print nothing is known to be missing; at a change of session volume needs no print.
            let same_session = self.last.is_some_and(|last| last.trade.session == print.trade.session);
            if same_session {
                let trade_date = print.trade.at.trade_date;
                out.push(Told::Gap { trade_date, after: self.reached, until: after });
            }
            self.holes.push((self.reached, after));
            self.bound_holes();
        }
        self.reached = print.until();
        self.last = Some(print);
        self.fallen = None;
        out.push(Told::Print { print, late: false });
    }

    fn bound_holes(&mut self) {
        if self.holes.len() > MOST_HOLES {
            self.holes.remove(0);
        }
    }
}
