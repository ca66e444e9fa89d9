//! The engine: the wall clock and the rate turn into the next slice of events, for everybody who registered and has
//! room. What nobody can take is not made, so nothing waits without a bound and the tape is what was written.

mod emit;
mod outbox;
mod plan;
mod replay;

pub use self::outbox::HEAD;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use process::Shutdown;
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::emit::Emitter;
use self::plan::Plan;
use self::replay::Replay;
use crate::clock::Clock;
use crate::hub::{Hub, Item};
use crate::state::State;
use crate::tr::Broker;

/// Time between two slices: short enough to look continuous, long enough to write many frames at once.
const SLICE: Duration = Duration::from_millis(5);
/// Credit that may gather while nobody can take events: a pause is not followed by a storm.
const CREDIT: Duration = Duration::from_millis(100);
const NANOS: i128 = 1_000_000_000;

/// What a slice leaves for the tape.
#[derive(Debug, Default)]
struct Lines {
    /// Events that went to several sockets.
    shared: String,
    /// Faulty ones.
    faults: String,
    /// Trades that happened, when they are kept.
    market: String,
}

impl Lines {
    fn is_empty(&self) -> bool {
        self.shared.is_empty() && self.faults.is_empty() && self.market.is_empty()
    }
}

/// Rate and time turn into whole events.
#[derive(Debug)]
struct Credit {
    /// Events times 10^9; below zero when the last slice made more than was due (both tapes of a print).
    nanos: i128,
    last: Instant,
}

impl Credit {
    fn new(now: Instant) -> Self {
        Self { nanos: 0, last: now }
    }

    /// The events that are due at `now`.
    fn due(&mut self, rate: u64, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.last);
        self.last = now;
        let due =
            |time: Duration| i128::from(rate) * i128::try_from(time.as_nanos()).unwrap_or(i128::MAX >> 64);
        self.nanos = (self.nanos + due(elapsed)).min(due(CREDIT).max(NANOS));
        u64::try_from(self.nanos / NANOS).unwrap_or(0)
    }

    fn spend(&mut self, events: u64) {
        self.nanos -= i128::from(events) * NANOS;
    }
}

/// Makes events until the stop is asked for.
///
/// # Errors
/// When the time zones or a file of frames cannot be read; before the first event.
pub async fn run(state: Arc<State>, shutdown: Shutdown) -> anyhow::Result<()> {
    let mut engine = Engine::new(state)?;
    let mut ticks = interval(SLICE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.requested() => return Ok(()),
            _ = ticks.tick() => {}
        }
        engine.state.apply_faults();
        let lines = engine.slice();
        engine.state.tape.lines(lines.shared).await;
        engine.state.tape.faults(lines.faults).await;
        engine.state.tape.market(lines.market).await;
        engine.state.lines_held.store(false, Ordering::Release);
    }
}

struct Engine {
    state: Arc<State>,
    clock: Clock,
    credit: Credit,
    plan: Plan,
    emitter: Emitter,
    replay: Option<Replay>,
}

impl Engine {
    fn new(state: Arc<State>) -> anyhow::Result<Self> {
        let replay =
            if state.settings.frames.is_empty() { None } else { Some(Replay::open(&state.settings)?) };
        Ok(Self {
            clock: Clock::new()?,
            credit: Credit::new(Instant::now()),
            plan: Plan::default(),
            emitter: Emitter::new(&state.settings, state.tape.is_on()),
            replay,
            state,
        })
    }

    /// Makes what is due and hands it to the sockets. The hub is locked all through: whoever sees `running` false
    /// and holds it knows that no slice is under way.
    fn slice(&mut self) -> Lines {
        let state = self.state.clone();
        let mut lines = Lines::default();
        let hub = state.hub();
        if !state.running.load(Ordering::Acquire) {
            self.credit = Credit::new(Instant::now());
            // What has happened but waits for its time is written now: a stop waits for it.
            self.plan.refresh(&hub, &state, |_| true);
            self.emitter.release(&mut self.plan, &state, &mut lines);
            self.hand_over(&hub, &mut lines);
            state.lines_held.store(!lines.is_empty(), Ordering::Release);
            return lines;
        }
        let budget = self.budget(&state);
        self.plan.refresh(&hub, &state, |id| self.emitter.outbox.has_room(id));
        let now = self.clock.now();
        let made = match &mut self.replay {
            Some(replay) => replay.slice(&mut self.plan, &state, budget),
            None => self.emitter.slice(&mut self.plan, &state, &now, budget, &mut lines),
        };
        self.credit.spend(made);
        let total = state.made.fetch_add(made, Ordering::Relaxed) + made;
        if state.settings.total_events.is_some_and(|limit| total >= limit) {
            tracing::info!(total, "all events are made");
            state.running.store(false, Ordering::Release);
        }
        self.emitter.outbox.flush(&mut self.plan, Instant::now(), &mut lines.faults);
        self.hand_over(&hub, &mut lines);
        state.lines_held.store(!lines.is_empty(), Ordering::Release);
        lines
    }

    /// Events due, no more than are left or than the next fault allows.
    fn budget(&mut self, state: &State) -> u64 {
        let mut script = state.script();
        let now = Instant::now();
        let due = self.credit.due(script.rate(state.settings.rate, now), now);
        let made = state.made.load(Ordering::Relaxed);
        let left = state.settings.total_events.map_or(u64::MAX, |limit| limit.saturating_sub(made));
        let next = script.next_at().map_or(u64::MAX, |at| at.saturating_sub(made));
        due.min(left).min(next)
    }

    fn hand_over(&mut self, hub: &Hub, lines: &mut Lines) {
        for slot in &mut self.plan.slots {
            if slot.batch.frames.is_empty() {
                continue;
            }
            let batch = std::mem::take(&mut slot.batch);
            let records = batch.frames.iter().map(|frame| frame.records).sum();
            let Some(connection) = hub.connections.get(&slot.id) else { continue };
            // Kiwoom's rows were counted when they began to wait.
            if slot.broker == Broker::Kis {
                connection.figures.handed.fetch_add(records, Ordering::AcqRel);
            }
            // Room was seen under the same lock; only a socket that has just ended refuses.
            if let Err(refused) = connection.sender.try_send(Item::Batch(batch)) {
                connection.figures.unwritten.fetch_add(records, Ordering::AcqRel);
                if let Item::Batch(batch) = refused.into_inner() {
                    lines.faults.push_str(&crate::server::unwritten(&batch.lines));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_over_uneven_slices_and_a_pause_is_no_debt() {
        let start = Instant::now();
        let mut credit = Credit::new(start);
        let mut made = 0;
        for ms in [1_u64, 2, 9, 10, 11, 30, 31, 60, 99, 100] {
            let due = credit.due(333, start + Duration::from_millis(ms));
            credit.spend(due);
            made += due;
        }
        assert_eq!(made, 33);
        assert_eq!(credit.due(50_000, start + Duration::from_secs(60)), 5_000);
        credit.spend(5_000 + 50);
        assert_eq!(credit.due(50_000, start + Duration::from_millis(60_002)), 50);
        let mut slow = Credit::new(start);
        assert_eq!(slow.due(1, start + Duration::from_millis(999)), 0);
        assert_eq!(slow.due(1, start + Duration::from_millis(1_001)), 1);
    }
}
