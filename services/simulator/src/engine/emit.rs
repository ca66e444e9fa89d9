//! Drawn entries turn into market events, frames and tape lines, with the faults of the script.

use std::time::Duration;

use tokio::time::Instant;

use self::road::Road;
use super::Lines;
use super::outbox::Outbox;
use super::plan::Plan;
use crate::clock::Moment;
use crate::config::{Layout, Settings};
use crate::format::{kr, start_frame, tape_line, us};
use crate::kiwoom::{book as kiwoom_book, other as kiwoom_other, row, trade as kiwoom_trade};
use crate::market::instrument::Instrument;
use crate::market::random::Random;
use crate::script::FrameFault;
use crate::state::State;
use crate::tr::{Broker, Kind, Tape, Tr};

mod road;

/// Time between two expected prices of a registration.
const EXPECTED_EVERY: Duration = Duration::from_secs(2);
/// Time between two market operation records: on and off in turn.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// A frame (Kiwoom: rows) in the making: text, and the line of every record without its end.
#[derive(Debug, Default, Clone)]
pub(super) struct Draft {
    entry: usize,
    tr: Option<Tr>,
    frame: String,
    lines: String,
    ends: Vec<usize>,
}

/// Makes events out of drawn entries; its strings are used again.
#[derive(Debug)]
pub struct Emitter {
    random: Random,
    layout: Layout,
    books_per_trade: i64,
    /// Books that the trades so far ask for.
    books_owed: i64,
    records: Vec<u32>,
    with_lines: bool,
    /// Whether trades that nobody hears happen and are kept.
    goes_on: bool,
    /// The trades that happened in this slice.
    happened: String,
    drafts: [Draft; 4],
    /// Where Kiwoom's rows wait.
    pub outbox: Outbox,
    /// Drafts that come after their followers, with their instruments.
    held: Vec<(usize, Draft)>,
    next_expected: Instant,
    next_status: Instant,
    interrupted: bool,
}

impl Emitter {
    /// An emitter by the settings; `with_lines` when there is a tape.
    #[must_use]
    pub fn new(settings: &Settings, with_lines: bool) -> Self {
        let now = Instant::now();
        Self {
            random: Random::new(settings.seed, "engine"),
            layout: settings.layout,
            books_per_trade: i64::from(settings.books_per_trade),
            books_owed: 0,
            records: settings.records_per_frame.clone(),
            with_lines,
            goes_on: settings.market_goes_on,
            happened: String::new(),
            drafts: Default::default(),
            outbox: Outbox::new(settings.kiwoom.delay_ms.clone(), settings.seed),
            held: Vec::new(),
            next_expected: now + EXPECTED_EVERY,
            next_status: now + STATUS_EVERY,
            interrupted: false,
        }
    }

    /// Makes up to about `budget` events into the plan's batches; returns how many.
    pub fn slice(
        &mut self,
        plan: &mut Plan,
        state: &State,
        now: &Moment,
        budget: u64,
        lines: &mut Lines,
    ) -> u64 {
        self.side_events(plan, state, now);
        let mut made = 0;
        // An opening print that nobody registered makes no event: draws are bounded as well.
        for _ in 0..budget.saturating_mul(2) {
            if made >= budget {
                break;
            }
            let both = !plan.trades.is_empty() && !plan.books.is_empty();
            let trade = if both { self.books_owed <= 0 } else { !plan.trades.is_empty() };
            let draw = if trade { &plan.trades } else { &plan.books };
            let Some(drawn) = draw.one(&mut self.random) else { break };
            let (tr, instrument) = (plan.entries[drawn].tr, plan.entries[drawn].instrument);
            let mut market = state.market();
            let it = &mut market.instruments[instrument];
            let drafts = if trade {
                let count = self.record_count().min(budget - made);
                self.trade(plan, it, tr, instrument, now, count, state)
            } else {
                self.book(plan, it, tr, instrument, now, state)
            };
            drop(market);
            let mut events = 0;
            for draft in 0..drafts {
                events += self.deliver(draft, plan, state, lines);
            }
            // What nobody hears takes its time as well.
            made += if self.goes_on { events.max(1) } else { events };
            if both {
                let events = i64::try_from(events).unwrap_or(0);
                self.books_owed += if trade { events * self.books_per_trade } else { -events };
            }
        }
        std::mem::swap(&mut lines.market, &mut self.happened);
        made
    }

    /// How many records the next trade frame holds.
    fn record_count(&mut self) -> u64 {
        let sum: i64 = self.records.iter().map(|&weight| i64::from(weight)).sum();
        let mut at = self.random.between(0, sum - 1);
        let mut count = 0;
        for &weight in &self.records {
            count += 1;
            at -= i64::from(weight);
            if at < 0 {
                break;
            }
        }
        count
    }

    /// Whether the next event of a tape happens on NXT.
    fn on_nxt(&mut self, it: &Instrument, tape: Tape) -> bool {
        match tape {
            Tape::First => false,
            Tape::Nxt => true,
            Tape::All => it.has_nxt() && self.random.per_mille(300),
        }
    }

    /// Prepares the drafts of the tapes that see an event and are wanted; returns how many.
    fn prepare(&mut self, plan: &Plan, instrument: usize, trs: &[Tr], count: u64) -> usize {
        let mut used = 0;
        for &tr in trs {
            let Some(entry) = plan.ready(tr, instrument) else { continue };
            let draft = &mut self.drafts[used];
            (draft.entry, draft.tr) = (entry, Some(tr));
            draft.lines.clear();
            draft.ends.clear();
            match tr.broker() {
                Broker::Kis => start_frame(&mut draft.frame, tr, u32::try_from(count).unwrap_or(1)),
                Broker::Kiwoom => draft.frame.clear(),
            }
            used += 1;
        }
        used
    }

    #[allow(clippy::too_many_arguments, reason = "one call site; a struct would only rename the arguments")]
    fn trade(
        &mut self,
        plan: &Plan,
        it: &mut Instrument,
        tr: Tr,
        instrument: usize,
        now: &Moment,
        count: u64,
        state: &State,
    ) -> usize {
        // The opening print comes first whatever was drawn: NXT and the unified tape never run ahead of KRX.
        let nxt = it.is_open(now) && self.on_nxt(it, tr.tape());
        let own = if nxt { Tape::Nxt } else { Tape::First };
        let ([first, second], [third, fourth]) = (Tr::trades_of(own), Tr::trades_of(Tape::All));
        let korean = [first, third, second, fourth];
        let trs: &[Tr] = if tr.is_us() { &[Tr::UsTrade] } else { &korean };
        let used = self.prepare(plan, instrument, trs, count);
        for record in 0..count {
            let print = it.trade(nxt, now);
            if self.goes_on && self.with_lines && !tr.is_us() {
                let [heard, _] = Tr::trades_of(own);
                for tr in [heard, Tr::AllTrade] {
                    tape_line::trade(&mut self.happened, it, tr, &print, now);
                    self.happened.push_str("}\n");
                }
            }
            for draft in &mut self.drafts[..used] {
                let Some(tr) = draft.tr else { continue };
                if tr.broker() == Broker::Kiwoom {
                    row::open(&mut draft.frame, record == 0);
                    kiwoom_trade::values(&mut draft.frame, it, tr.tape(), nxt, &print, now);
                } else if tr.is_us() {
                    us::trade(&mut draft.frame, record == 0, it, &print, now);
                } else {
                    kr::trade(&mut draft.frame, record == 0, it, tr.tape(), &print, now, self.layout);
                }
                finish(draft, tr, it, state);
                if self.with_lines {
                    tape_line::trade(&mut draft.lines, it, tr, &print, now);
                }
                draft.ends.push(draft.lines.len());
            }
        }
        used
    }

    fn book(
        &mut self,
        plan: &Plan,
        it: &mut Instrument,
        tr: Tr,
        instrument: usize,
        now: &Moment,
        state: &State,
    ) -> usize {
        let nxt = self.on_nxt(it, tr.tape());
        it.change_book(nxt, now);
        let own = if nxt { Tape::Nxt } else { Tape::First };
        let korean = [own, Tape::All].map(|tape| Tr::book_of(tape, tr.broker()));
        let trs: &[Tr] = if tr.is_us() { &[Tr::UsBook] } else { &korean };
        let used = self.prepare(plan, instrument, trs, 1);
        for draft in &mut self.drafts[..used] {
            let Some(tr) = draft.tr else { continue };
            let record = it.book_record(tr.tape(), tr.broker());
            if tr.broker() == Broker::Kiwoom {
                row::open(&mut draft.frame, true);
                kiwoom_book::values(&mut draft.frame, it, tr.tape(), &record, now);
            } else if tr.is_us() {
                us::book(&mut draft.frame, true, it, &record, now);
            } else {
                kr::book(&mut draft.frame, true, it, tr.tape(), &record, now, self.layout);
            }
            finish(draft, tr, it, state);
            if self.with_lines {
                tape_line::book(&mut draft.lines, it, tr, &record, now);
            }
            draft.ends.push(draft.lines.len());
        }
        used
    }

    /// Hands a draft to its subscribers; returns its events.
    fn deliver(&mut self, draft: usize, plan: &mut Plan, state: &State, lines: &mut Lines) -> u64 {
        let draft = &self.drafts[draft];
        let Some(tr) = draft.tr else { return 0 };
        let events = u64::try_from(draft.ends.len()).unwrap_or(0);
        let mut script = state.script();
        let fault = if script.is_quiet() { None } else { script.take(tr, events) };
        drop(script);
        let instrument = plan.entries[draft.entry].instrument;
        let mut road = Road { plan, state, lines, outbox: &mut self.outbox, spoilt: None };
        match fault {
            None => road.push(draft, &draft.frame, 0..draft.ends.len(), false),
            Some(FrameFault::Reorder) => self.held.push((instrument, draft.clone())),
            Some(ref fault) => road.spoilt(draft, fault),
        }
        if fault != Some(FrameFault::Reorder) && !self.held.is_empty() {
            release(&mut self.held, &mut road, |(held, draft)| *held == instrument && draft.tr == Some(tr));
        }
        events
    }

    /// Sends what is held back or waits for its time: no more events will come.
    pub fn release(&mut self, plan: &mut Plan, state: &State, lines: &mut Lines) {
        let mut road = Road { plan, state, lines, outbox: &mut self.outbox, spoilt: None };
        release(&mut self.held, &mut road, |_| true);
        self.outbox.release(plan, &mut lines.faults);
    }

    /// Expected prices and market operation, now and then; they are no events of the rate or the tape.
    fn side_events(&mut self, plan: &mut Plan, state: &State, now: &Moment) {
        let clock = Instant::now();
        let (expected, status) = (clock >= self.next_expected, clock >= self.next_status);
        if !expected && !status {
            return;
        }
        if expected {
            self.next_expected = clock + EXPECTED_EVERY;
        }
        if status {
            self.next_status = clock + STATUS_EVERY;
            self.interrupted = !self.interrupted;
        }
        let market = state.market();
        for position in 0..plan.entries.len() {
            let entry = &plan.entries[position];
            let (it, tr) = (&market.instruments[entry.instrument], entry.tr);
            let draft = &mut self.drafts[0];
            let due = match tr.kind() {
                Kind::Expected | Kind::Program => expected,
                Kind::Status => status,
                Kind::Trade | Kind::Book | Kind::Silent => false,
            };
            if !due {
                continue;
            }
            // Without a line: it is no event of the tape.
            (draft.entry, draft.tr, draft.ends) = (position, Some(tr), vec![0]);
            draft.lines.clear();
            let frame = &mut draft.frame;
            if tr.broker() == Broker::Kiwoom {
                frame.clear();
                row::open(frame, true);
                kiwoom_other::values(frame, it, tr, &mut self.random, self.interrupted, now);
                finish(draft, tr, it, state);
            } else if tr.kind() == Kind::Expected {
                start_frame(frame, tr, 1);
                kr::expected(frame, it, it.bid, self.random.between(1, 10_000), now, self.layout);
            } else {
                start_frame(frame, tr, 1);
                kr::status(frame, it, tr.tape(), self.interrupted);
            }
            let mut lines = Lines::default();
            let mut road = Road { plan, state, lines: &mut lines, outbox: &mut self.outbox, spoilt: None };
            let draft = &self.drafts[0];
            road.push(draft, &draft.frame, 0..1, false);
        }
    }
}

/// Sends the held drafts that `now` is for, behind what was sent last.
fn release(held: &mut Vec<(usize, Draft)>, road: &mut Road<'_>, now: impl Fn(&(usize, Draft)) -> bool) {
    for (instrument, mut draft) in held.extract_if(.., |it| now(it)) {
        let Some(entry) = draft.tr.and_then(|tr| road.plan.ready(tr, instrument)) else {
            tracing::warn!(tr = ?draft.tr, "event held back until nobody had registered it");
            continue;
        };
        draft.entry = entry;
        road.push(&draft, &draft.frame, 0..draft.ends.len(), false);
    }
}

/// Adds what the script wants and, for Kiwoom, the end of the row.
fn finish(draft: &mut Draft, tr: Tr, it: &Instrument, state: &State) {
    grow(draft, state);
    if tr.broker() == Broker::Kiwoom {
        row::close(&mut draft.frame, tr, it);
    }
}

/// Fields that the script added to every record.
fn grow(draft: &mut Draft, state: &State) {
    let Some(tr) = draft.tr else { return };
    let script = state.script();
    if script.is_quiet() {
        return;
    }
    for n in 0..script.grown(tr) {
        match tr.broker() {
            Broker::Kis => draft.frame.push_str("^0"),
            Broker::Kiwoom => row::unknown(&mut draft.frame, n),
        }
    }
}
