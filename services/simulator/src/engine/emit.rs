//! Drawn entries turn into market events, frames and tape lines, with the faults of the script.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Lines;
use super::plan::{Plan, suffix};
use crate::clock::Moment;
use crate::config::{Layout, Settings};
use crate::format::{kr, start_frame, tape_line, us};
use crate::hub::Frame;
use crate::market::instrument::Instrument;
use crate::market::random::Random;
use crate::script::{FrameFault, mangle};
use crate::state::State;
use crate::tr::{Kind, Tape, Tr};

/// Time between two expected prices of a registration.
const EXPECTED_EVERY: Duration = Duration::from_secs(2);
/// Time between two market operation records: on and off in turn.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// A frame in the making: text, and the line of every record without its end.
#[derive(Debug, Default)]
struct Draft {
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
    drafts: [Draft; 2],
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
            drafts: Default::default(),
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
            made += events;
            if both {
                let events = i64::try_from(events).unwrap_or(0);
                self.books_owed += if trade { events * self.books_per_trade } else { -events };
            }
        }
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
            start_frame(&mut draft.frame, tr, u32::try_from(count).unwrap_or(1));
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
        let korean = [Tr::trade_of(own), Tr::AllTrade];
        let trs: &[Tr] = if tr.is_us() { &[Tr::UsTrade] } else { &korean };
        let used = self.prepare(plan, instrument, trs, count);
        for record in 0..count {
            let print = it.trade(nxt, now);
            for draft in &mut self.drafts[..used] {
                let Some(tr) = draft.tr else { continue };
                if tr.is_us() {
                    us::trade(&mut draft.frame, record == 0, it, &print, now);
                } else {
                    kr::trade(&mut draft.frame, record == 0, it, tr.tape(), &print, now, self.layout);
                }
                grow(draft, state);
                if self.with_lines {
                    tape_line::trade(&mut draft.lines, it, tr.tape(), &print, now);
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
        let korean = [Tr::book_of(own), Tr::AllBook];
        let trs: &[Tr] = if tr.is_us() { &[Tr::UsBook] } else { &korean };
        let used = self.prepare(plan, instrument, trs, 1);
        for draft in &mut self.drafts[..used] {
            let Some(tr) = draft.tr else { continue };
            let record = it.book_record(tr.tape());
            if tr.is_us() {
                us::book(&mut draft.frame, true, it, &record, now);
            } else {
                kr::book(&mut draft.frame, true, it, tr.tape(), &record, now, self.layout);
            }
            grow(draft, state);
            if self.with_lines {
                tape_line::book(&mut draft.lines, it, tr.tape(), &record, now);
            }
            draft.ends.push(draft.lines.len());
        }
        used
    }

    /// Hands a draft to its subscribers; returns its events.
    fn deliver(&mut self, draft: usize, plan: &mut Plan, state: &State, lines: &mut Lines) -> u64 {
        let draft = &self.drafts[draft];
        let Some(tr) = draft.tr else { return 0 };
        let events = draft.ends.len();
        let count = u64::try_from(events).unwrap_or(0);
        let mut script = state.script();
        let fault = if script.is_quiet() { None } else { script.take(tr, count) };
        drop(script);
        let price = if tr.is_us() { 11 } else { 2 };
        let Some(fault) = fault else {
            push(draft, &draft.frame, 0..events, plan, state, lines);
            return count;
        };
        let text = mangle(&draft.frame, &fault, price);
        match fault {
            FrameFault::Drop => fault_lines(draft, 0..events, "drop", plan, lines),
            FrameFault::Duplicate => {
                push(draft, &draft.frame, 0..events, plan, state, lines);
                // A trade that comes twice is one trade; a book that comes twice is two books.
                let again = if tr.kind() == Kind::Book { 0..events } else { 0..0 };
                push(draft, &draft.frame, again, plan, state, lines);
                fault_lines(draft, 0..events, "duplicate", plan, lines);
            }
            FrameFault::Truncate => {
                push(draft, &text, 0..0, plan, state, lines);
                fault_lines(draft, 0..events, "truncate", plan, lines);
            }
            FrameFault::WrongCount => {
                push(draft, &text, 0..0, plan, state, lines);
                fault_lines(draft, 0..events, "wrong_count", plan, lines);
            }
            FrameFault::Garbage(..) => {
                push(draft, &text, 1..events, plan, state, lines);
                fault_lines(draft, 0..1, "garbage", plan, lines);
            }
        }
        count
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
        for entry in &plan.entries {
            let it = &market.instruments[entry.instrument];
            let frame = &mut self.drafts[0].frame;
            match entry.tr.kind() {
                Kind::Expected if expected => {
                    start_frame(frame, entry.tr, 1);
                    let quantity = self.random.between(1, 10_000);
                    kr::expected(frame, it, it.bid, quantity, now, self.layout);
                }
                Kind::Status if status => {
                    start_frame(frame, entry.tr, 1);
                    kr::status(frame, it, entry.tr.tape(), self.interrupted);
                }
                _ => continue,
            }
            let text = Utf8Bytes::from(frame.as_str());
            for &slot in &entry.ready {
                let batch = &mut plan.slots[slot].batch;
                let lines_end = batch.lines.len();
                let (text, tr) = (text.clone(), Some(entry.tr));
                batch.frames.push(Frame { text, tr, records: 1, events: 1, lines_end });
            }
        }
    }
}

/// Fields that the script added to every record.
fn grow(draft: &mut Draft, state: &State) {
    let Some(tr) = draft.tr else { return };
    let script = state.script();
    if script.is_quiet() {
        return;
    }
    for _ in 0..script.grown(tr) {
        draft.frame.push_str("^0");
    }
}

/// The lines of the draft's records in `range`.
fn draft_lines(draft: &Draft, range: std::ops::Range<usize>) -> impl Iterator<Item = &str> {
    range.map(|record| {
        let start = if record == 0 { 0 } else { draft.ends[record - 1] };
        &draft.lines[start..draft.ends[record]]
    })
}

/// Gives `text` to all subscribers with room; the tape has the records in `counted`.
fn push(
    draft: &Draft,
    text: &str,
    counted: std::ops::Range<usize>,
    plan: &mut Plan,
    state: &State,
    lines: &mut Lines,
) {
    let entry = &plan.entries[draft.entry];
    let count = |n: usize| u64::try_from(n).unwrap_or(0);
    let (records, events) = (count(draft.ends.len()), count(counted.len()));
    let alone = entry.ready.len() == 1;
    let target = match entry.ready.first() {
        Some(&slot) if alone => &mut plan.slots[slot].batch.lines,
        _ => &mut lines.shared,
    };
    for line in draft_lines(draft, counted).filter(|line| !line.is_empty()) {
        target.push_str(line);
        target.push_str(&entry.suffix);
    }
    if !alone {
        state.count(draft.tr, events);
    }
    let text = Utf8Bytes::from(text);
    for &slot in &entry.ready {
        let batch = &mut plan.slots[slot].batch;
        let lines_end = batch.lines.len();
        let events = if alone { events } else { 0 };
        batch.frames.push(Frame { text: text.clone(), tr: draft.tr, records, events, lines_end });
    }
    if entry.late.is_empty() {
        return;
    }
    for &slot in &entry.late {
        plan.slots[slot].figures.missed.fetch_add(records, Ordering::Relaxed);
    }
    let end = suffix(entry.late.iter().map(|slot| plan.slots[*slot].id));
    reasoned(draft, 0..draft.ends.len(), "slow_reader", &end, lines);
}

/// Lines for the file of faults.
fn fault_lines(draft: &Draft, range: std::ops::Range<usize>, reason: &str, plan: &Plan, lines: &mut Lines) {
    reasoned(draft, range, reason, &plan.entries[draft.entry].suffix, lines);
}

fn reasoned(draft: &Draft, range: std::ops::Range<usize>, reason: &str, end: &str, lines: &mut Lines) {
    for line in draft_lines(draft, range).filter(|line| !line.is_empty()) {
        for part in [line, ",\"reason\":\"", reason, "\"", end] {
            lines.faults.push_str(part);
        }
    }
}
