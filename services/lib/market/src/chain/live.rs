//! Prints while they come to breaks of the chain, in memory that does not grow with them.

use super::{Missing, OffHours, Print, Reset, is_fallen};
use crate::quantity::Quantity;
use crate::trade_date::TradeDate;

/// Open breaks told one by one; more of one instrument are told together. A feed that loses every second trade would
/// else say so with every trade.
const MOST_OPEN: usize = 100;
/// Pieces of one break while late prints fill it from several sides; more are not kept apart, and the break stays open.
const MOST_PIECES: usize = 16;
/// Prints remembered to tell a repetition from a correction: frames are repeated soon or never.
const RECENT: usize = 8;

/// Where and how a print came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its trading day.
    pub trade_date: TradeDate,
    /// The session, by the calendar or by the broker's codes, is another one than at the print before: volume that came
    /// into the counter in between needs no print.
    pub session_changed: bool,
    /// Nobody listened here since the print before (another broker carried the instrument): a jump says nothing.
    pub unwatched: bool,
}

/// How a print joins those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The first one known.
    First {
        /// Shares before it: off-hours volume when the feed was registered from before the session's start.
        before: Quantity,
    },
    /// It follows the print before without a hole.
    Contiguous,
    /// Shares are missing before it.
    Gap(Missing),
    /// Shares are missing before it, and too many breaks are open to tell each.
    Grown(Grown),
    /// Shares came into the counter without a print, at a change of session.
    OffHours(OffHours),
    /// Shares passed while nobody listened.
    Unwatched(Missing),
    /// It came behind later ones; see [`Chain::take_filled`].
    Late,
    /// It was there before.
    Duplicate,
    /// The same shares were told otherwise.
    Correction,
    /// The counter started again from zero.
    Reset(Reset),
    /// The first print of a new day.
    NewDay {
        /// Shares before it, as for the first.
        before: Quantity,
    },
}

/// The break into which all go that are not told one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grown {
    /// From the first to the last of them, with what is covered in between.
    pub whole: Missing,
    /// How many they are.
    pub breaks: u32,
    /// Shares missing in them.
    pub volume: Quantity,
    /// Whether it is to be told now: at 1, 2, 4, 8, … breaks.
    pub tell: bool,
    /// What was told last of it, and is a part of it.
    pub told: Option<Missing>,
}

/// An open break.
#[derive(Debug, Clone)]
struct Hole {
    told: Missing,
    /// What of it is missing yet: `(after, until]` in rising order, at most [`MOST_PIECES`].
    pieces: Vec<(i64, i64)>,
}

/// The chain of one instrument. Memory: a few prints, and the open breaks up to a bound.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    run: Option<Run>,
    filled: Vec<Missing>,
}

#[derive(Debug, Clone)]
struct Run {
    trade_date: TradeDate,
    /// Shares up to here are covered or noted as missing.
    reached: i64,
    /// The print with the highest cumulative volume.
    last: Print,
    /// The last prints, in turn.
    recent: [Print; RECENT],
    next: usize,
    holes: Vec<Hole>,
    grown: Option<Grown>,
    /// A print far behind the counter: with a second one the counter has started again.
    fallen: Option<Print>,
}

impl Chain {
    /// A chain without a print.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next print as it comes.
    pub fn push(&mut self, print: Print, place: Place) -> Link {
        let before = print.after();
        let Some(run) = &mut self.run else {
            self.run = Some(Run::new(print, place.trade_date));
            return Link::First { before };
        };
        if place.trade_date > run.trade_date {
            self.run = Some(Run::new(print, place.trade_date));
            return Link::NewDay { before };
        }
        if place.trade_date < run.trade_date {
            return Link::Late;
        }
        let link = if print.cumulative_volume.units() > run.reached {
            run.forward(print, place, &mut self.filled)
        } else {
            run.backward(print, &mut self.filled)
        };
        if link != Link::Duplicate {
            run.remember(print);
        }
        link
    }

    /// Breaks that late prints have filled whole since it was asked last, as they were told.
    #[must_use]
    pub fn take_filled(&mut self) -> Vec<Missing> {
        std::mem::take(&mut self.filled)
    }

    /// Whether a cumulative volume that something else than a print tells (a book) is above what prints have reached.
    /// Never before the first print of the day.
    #[must_use]
    pub fn is_behind(&self, trade_date: TradeDate, volume: Quantity) -> bool {
        self.run.as_ref().is_some_and(|run| run.trade_date == trade_date && volume.units() > run.reached)
    }

    /// The prints up to `volume` have not come: a break that has no print behind it yet. None when they have, and none
    /// while such a break stands at the end already: the next print tells how far it goes.
    pub fn lacks(&mut self, trade_date: TradeDate, volume: Quantity) -> Option<Link> {
        if !self.is_behind(trade_date, volume) {
            return None;
        }
        let run = self.run.as_mut().filter(|run| run.last.cumulative_volume.units() == run.reached)?;
        let link = run.open(run.hole(volume, None));
        run.reached = volume.units();
        Some(link)
    }

    /// What is missing of the open breaks that were told one by one, in the order of telling.
    pub fn open(&self) -> impl Iterator<Item = Missing> {
        let holes = self.run.iter().flat_map(|run| &run.holes);
        holes.flat_map(|hole| {
            hole.pieces.iter().map(|(after, until)| Missing {
                after: Quantity::from_units(*after),
                until: Quantity::from_units(*until),
                ..hole.told
            })
        })
    }
}

impl Run {
    fn new(print: Print, trade_date: TradeDate) -> Self {
        Self {
            trade_date,
            reached: print.cumulative_volume.units(),
            last: print,
            recent: [print; RECENT],
            next: 0,
            holes: Vec::new(),
            grown: None,
            fallen: None,
        }
    }

    fn remember(&mut self, print: Print) {
        if let Some(slot) = self.recent.get_mut(self.next) {
            *slot = print;
        }
        self.next = (self.next + 1) % RECENT;
    }

    /// The shares from what is reached to `until`.
    const fn hole(&self, until: Quantity, until_ns: Option<i64>) -> Missing {
        let after = Quantity::from_units(self.reached);
        Missing { after, until, from_ns: Some(self.last.exchange_ns), until_ns }
    }

    /// A print above everything known.
    fn forward(&mut self, print: Print, place: Place, filled: &mut Vec<Missing>) -> Link {
        let after = print.after().units();
        let link = match after - self.reached {
            0 => Link::Contiguous,
            1.. => {
                let hole = self.hole(print.after(), Some(print.exchange_ns));
                if place.unwatched {
                    Link::Unwatched(hole)
                } else if place.session_changed {
                    let Missing { after, until, from_ns, until_ns } = hole;
                    Link::OffHours(OffHours { after, until, from_ns, until_ns })
                } else {
                    self.open(hole)
                }
            }
            overlap => {
                let was_missing = self.fill(after, self.reached, filled);
                if was_missing == -overlap { Link::Late } else { Link::Correction }
            }
        };
        self.reached = print.cumulative_volume.units();
        self.last = print;
        self.fallen = None;
        link
    }

    /// A print not above what is known.
    fn backward(&mut self, print: Print, filled: &mut Vec<Missing>) -> Link {
        let (after, until) = (print.after().units(), print.cumulative_volume.units());
        match self.fill(after, until, filled) {
            0 => {}
            shares if shares == until - after => return Link::Late,
            _ => return Link::Correction,
        }
        if self.recent.iter().any(|known| known.is_same(&print)) {
            return Link::Duplicate;
        }
        if self.recent.iter().any(|known| known.cumulative_volume == print.cumulative_volume) {
            return Link::Correction;
        }
        if is_fallen(&print, &self.last) {
            let begun = self.fallen.is_some_and(|fallen| {
                fallen.cumulative_volume < print.cumulative_volume && fallen.exchange_ns <= print.exchange_ns
            });
            if begun {
                let reset = Reset { before: Quantity::from_units(self.reached), at_ns: print.exchange_ns };
                *self = Self::new(print, self.trade_date);
                return Link::Reset(reset);
            }
            self.fallen = Some(print);
            return Link::Late;
        }
        let grown = self.grown.is_some_and(|grown| {
            grown.whole.after < print.cumulative_volume && print.after() < grown.whole.until
        });
        if grown { Link::Late } else { Link::Duplicate }
    }

    /// A break, told alone or with the others.
    fn open(&mut self, missing: Missing) -> Link {
        if self.holes.len() < MOST_OPEN {
            let pieces = vec![(missing.after.units(), missing.until.units())];
            self.holes.push(Hole { told: missing, pieces });
            return Link::Gap(missing);
        }
        let grown = match self.grown {
            None => Grown { whole: missing, breaks: 1, volume: missing.volume(), tell: true, told: None },
            Some(grown) => {
                let breaks = grown.breaks.saturating_add(1);
                let volume = grown.volume.units().saturating_add(missing.volume().units());
                Grown {
                    whole: Missing { until: missing.until, until_ns: missing.until_ns, ..grown.whole },
                    breaks,
                    volume: Quantity::from_units(volume),
                    tell: breaks.is_power_of_two(),
                    told: grown.told,
                }
            }
        };
        let told = if grown.tell { Some(grown.whole) } else { grown.told };
        self.grown = Some(Grown { told, ..grown });
        Link::Grown(grown)
    }

    /// `(after, until]` has a print: how many of these shares were missing. Breaks that it fills whole go to `filled`.
    fn fill(&mut self, after: i64, until: i64, filled: &mut Vec<Missing>) -> i64 {
        let mut shares = 0;
        self.holes.retain_mut(|hole| {
            if hole.told.until.units() <= after || until <= hole.told.after.units() {
                return true;
            }
            shares += hole.fill(after, until);
            if hole.pieces.is_empty() {
                filled.push(hole.told);
            }
            !hole.pieces.is_empty()
        });
        shares
    }
}

impl Hole {
    /// Takes `(after, until]` out of what is missing; returns how many shares of it were.
    fn fill(&mut self, after: i64, until: i64) -> i64 {
        let mut shares = 0;
        let mut left = Vec::with_capacity(self.pieces.len() + 1);
        for (from, to) in &self.pieces {
            let (begin, end) = (after.max(*from), until.min(*to));
            if begin >= end {
                left.push((*from, *to));
                continue;
            }
            shares += end - begin;
            left.extend([(*from, begin), (end, *to)].into_iter().filter(|(from, to)| from < to));
        }
        // Too many pieces: what is filled stays noted as missing, which is the safe side.
        if left.len() <= MOST_PIECES {
            self.pieces = left;
        }
        shares
    }
}
