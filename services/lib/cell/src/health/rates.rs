//! Events of each instrument → how often it normally has one, and which are silent for improbably long while their
//! neighbours are not.
//!
//! There is no clock here: the time is that of the latest event of a tape. So a cursor that reads what came an hour ago
//! names nobody, and nothing is silent while nothing comes at all, which is the feed's health and not a symbol's.
//! Only the hours count in which a venue matches all the time and most of its trading is done.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker::feed::{FrameParser, Item, Refusal, Summary};
use market::time::SECOND;
use market::{At, Session, Symbol, Tape, TradeDate};

/// A silence of so many usual intervals is improbable: of events that come by chance e⁻²⁰ of the intervals are as long.
const IMPROBABLE: i64 = 20;
/// No silence is named that is shorter: trading is halted for two minutes when a price jumps, and events come in bursts.
const LEAST_NS: i64 = 60 * SECOND;
/// Events closer together are one: a burst says nothing about the pauses.
const TOGETHER_NS: i64 = SECOND / 2;
/// So many intervals make a usual one.
const ENOUGH: u32 = 8;
/// A longer interval moves the usual one by a quarter of the difference, a shorter one by a sixteenth: a burst in a quiet
/// symbol must not make its next pause look like a loss.
const UP: i64 = 4;
const DOWN: i64 = 16;
/// Instruments whose rate is known: more than any universe has on its tapes.
const MOST_INSTRUMENTS: usize = 60_000;

/// A symbol on a tape.
pub type Instrument = (Tape, Symbol);

/// What is known of the rates, shared between who reads the frames and who judges.
pub type Shared = Arc<Mutex<Rates>>;

/// How often each instrument of a feed has an event, trade or book.
#[derive(Debug, Default)]
pub struct Rates {
    hours: HashMap<Tape, Hours>,
    rates: HashMap<Instrument, Rate>,
    /// Since when each has been watched, in the time of its tape.
    watched: HashMap<Instrument, i64>,
}

/// The phase that a tape is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hours {
    day: TradeDate,
    session: Session,
    began_ns: i64,
    latest_ns: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    last_ns: i64,
    /// Whether `last_ns` belongs to the present phase: nights are no intervals.
    in_phase: bool,
    usual_ns: i64,
    intervals: u32,
    told: bool,
}

impl Rate {
    fn usual(&self) -> Option<i64> {
        (self.intervals >= ENOUGH).then_some(self.usual_ns)
    }
}

impl Rates {
    /// An event of an instrument was read from the socket at `at_ns`. One that was counted before changes nothing.
    pub fn arrived(&mut self, at: &At, session: Session, at_ns: i64) {
        let phase = Hours { day: at.trade_date, session, began_ns: at_ns, latest_ns: at_ns };
        let hours = self.hours.entry(at.tape).or_insert(phase);
        if (hours.day, hours.session) != (phase.day, phase.session) {
            if at_ns <= hours.latest_ns {
                return;
            }
            *hours = phase;
            let of_tape = self.rates.iter_mut().filter(|((tape, _), _)| *tape == at.tape);
            of_tape.for_each(|(_, rate)| rate.in_phase = false);
        }
        hours.latest_ns = hours.latest_ns.max(at_ns);
        let instrument = (at.tape, at.symbol);
        let full = self.rates.len() >= MOST_INSTRUMENTS && !self.rates.contains_key(&instrument);
        if full || !counts(session) {
            return;
        }
        let rate = self.rates.entry(instrument).or_default();
        let interval_ns = at_ns.saturating_sub(rate.last_ns);
        if interval_ns < TOGETHER_NS {
            return;
        }
        if rate.in_phase {
            // What was named as improbable counts as the least that is: an outage is no change of habit at once.
            let usual = rate.usual().filter(|_| rate.told);
            let interval_ns =
                usual.map_or(interval_ns, |usual| interval_ns.min(usual.saturating_mul(IMPROBABLE)));
            let more_ns = interval_ns - rate.usual_ns;
            let share = if more_ns > 0 { UP } else { DOWN };
            rate.usual_ns = if rate.intervals == 0 { interval_ns } else { rate.usual_ns + more_ns / share };
            rate.intervals = rate.intervals.saturating_add(1);
        }
        *rate = Rate { last_ns: at_ns, in_phase: true, told: false, ..*rate };
    }

    /// Of the instruments that living connections carry: those whose silence has become improbable, each once until it
    /// is heard again, and the shortest of these silences. What is not watched any more is forgotten as watched.
    pub fn silent(&mut self, watched: &HashSet<Instrument>) -> Option<(Vec<Symbol>, Duration)> {
        self.watched.retain(|instrument, _| watched.contains(instrument));
        let slowest = self.slowest();
        let (mut symbols, mut shortest_ns) = (Vec::new(), i64::MAX);
        for instrument @ (tape, symbol) in watched {
            let Some(hours) = self.hours.get(tape).filter(|hours| counts(hours.session)) else { continue };
            let since_ns = *self.watched.entry(*instrument).or_insert(hours.latest_ns);
            if self.rates.len() >= MOST_INSTRUMENTS && !self.rates.contains_key(instrument) {
                continue;
            }
            let rate = self.rates.entry(*instrument).or_default();
            // Until its own rate is known it is taken for the slowest of its tape.
            let Some(usual_ns) = rate.usual().or_else(|| slowest.get(tape).copied()) else { continue };
            let heard_ns = rate.last_ns.max(hours.began_ns).max(since_ns);
            let silence_ns = hours.latest_ns.saturating_sub(heard_ns);
            if !rate.told && silence_ns >= LEAST_NS.max(usual_ns.saturating_mul(IMPROBABLE)) {
                rate.told = true;
                symbols.push(*symbol);
                shortest_ns = shortest_ns.min(silence_ns);
            }
        }
        symbols.sort_unstable();
        symbols.dedup();
        let shortest = Duration::from_nanos(u64::try_from(shortest_ns).unwrap_or(0));
        (!symbols.is_empty()).then_some((symbols, shortest))
    }

    /// The longest usual interval of each tape.
    fn slowest(&self) -> HashMap<Tape, i64> {
        let mut slowest = HashMap::new();
        for ((tape, _), rate) in &self.rates {
            if let Some(usual_ns) = rate.usual() {
                let most = slowest.entry(*tape).or_insert(usual_ns);
                *most = usual_ns.max(*most);
            }
        }
        slowest
    }
}

/// Whether silence in a phase can be judged.
const fn counts(session: Session) -> bool {
    matches!(session, Session::Continuous | Session::Main | Session::Regular)
}

/// A parser, and the rates that hear of what it reads.
#[derive(Debug)]
pub struct Observed<P> {
    parser: P,
    rates: Shared,
}

impl<P> Observed<P> {
    /// A parser whose events the rates hear of.
    pub const fn new(parser: P, rates: Shared) -> Self {
        Self { parser, rates }
    }
}

impl<P: FrameParser> FrameParser for Observed<P> {
    fn parse(&mut self, text: &str, received_ns: i64, items: &mut Vec<Item>) -> Result<Summary, Refusal> {
        let before = items.len();
        let summary = self.parser.parse(text, received_ns, items)?;
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        for item in items.iter().skip(before) {
            match item {
                Item::Trade(trade, _) => rates.arrived(&trade.at, trade.session, received_ns),
                Item::OrderBook(book) => rates.arrived(&book.at, book.session, received_ns),
                Item::Apart(_) | Item::Refused(_) => {}
            }
        }
        Ok(summary)
    }
}

#[cfg(test)]
mod tests;
