//! What the REST side, the sockets and the engine share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::config::Settings;
use crate::credentials::Credentials;
use crate::day::Day;
use crate::hub::{Hub, Item};
use crate::kiwoom::tokens::Tokens;
use crate::market::Market;
use crate::script::{LinkFault, Script};
use crate::tape::Tape;
use crate::tr::{Broker, COUNT, Tr};

/// Everything the parts share. Locks are held for bookkeeping only, never across an await.
pub struct State {
    /// The settings.
    pub settings: Settings,
    credentials: Mutex<Credentials>,
    tokens: Mutex<Tokens>,
    hub: Mutex<Hub>,
    market: Mutex<Market>,
    script: Mutex<Script>,
    /// A whole day in place of a market that runs.
    pub day: Option<Day>,
    /// The tape.
    pub tape: Tape,
    /// Events written, by TR.
    pub written: [AtomicU64; COUNT],
    /// Frames of files written.
    pub replayed: AtomicU64,
    /// Events made so far: what `at_event` of a fault counts.
    pub made: AtomicU64,
    /// Whether events are made.
    pub running: AtomicBool,
    /// Whether the engine still holds lines for the tape.
    pub lines_held: AtomicBool,
}

impl State {
    /// The state at start.
    #[must_use]
    pub fn new(settings: Settings, day: Option<Day>, tape: Tape, boot: u64) -> Self {
        let mut script = Script::default();
        script.add(settings.faults.clone());
        Self {
            credentials: Mutex::new(Credentials::new(&settings.keys, settings.requests_per_second, boot)),
            tokens: Mutex::new(Tokens::new(&settings.kiwoom, boot)),
            hub: Mutex::new(Hub::default()),
            market: Mutex::new(Market::new(settings.seed, settings.symbols.clone())),
            script: Mutex::new(script),
            tape,
            written: std::array::from_fn(|_| AtomicU64::new(0)),
            replayed: AtomicU64::new(0),
            made: AtomicU64::new(0),
            // A day is over: nothing happens any more.
            running: AtomicBool::new(day.is_none()),
            day,
            lines_held: AtomicBool::new(false),
            settings,
        }
    }

    /// Kiwoom's keys and tokens.
    pub fn tokens(&self) -> MutexGuard<'_, Tokens> {
        lock(&self.tokens)
    }

    /// KIS's keys.
    pub fn credentials(&self) -> MutexGuard<'_, Credentials> {
        lock(&self.credentials)
    }

    /// The connections.
    pub fn hub(&self) -> MutexGuard<'_, Hub> {
        lock(&self.hub)
    }

    /// The market. Taken after the hub when both are needed.
    pub fn market(&self) -> MutexGuard<'_, Market> {
        lock(&self.market)
    }

    /// The faults.
    pub fn script(&self) -> MutexGuard<'_, Script> {
        lock(&self.script)
    }

    /// Lets the faults happen that are due.
    pub fn apply_faults(&self) {
        let due = self.script().due(self.made.load(Ordering::Relaxed), Instant::now());
        for (fault, broker) in due {
            tracing::info!(?fault, ?broker, "fault by script");
            match fault {
                LinkFault::Cut(reset) => self.tell(broker, || Item::Cut(reset)),
                LinkFault::Stall(time) => self.tell(broker, || Item::Stall(time)),
                LinkFault::Mute(time) => self.tell(broker, || Item::Mute(time)),
                LinkFault::Kick if broker != Some(Broker::Kis) => {
                    self.tell(Some(Broker::Kiwoom), || Item::Kick);
                }
                LinkFault::Kick => tracing::warn!("fault not done, kis ends no session in favour of another"),
                LinkFault::Refuse(code) => self.refuse(broker.unwrap_or(Broker::Kis), code),
                LinkFault::DeadKey => {
                    if broker != Some(Broker::Kiwoom) {
                        self.credentials().forget_approvals();
                    }
                    if broker != Some(Broker::Kis) {
                        self.tokens().forget();
                    }
                }
            }
        }
    }

    fn refuse(&self, broker: Broker, code: Option<String>) {
        let own = match broker {
            Broker::Kis => "OPSP0007",
            Broker::Kiwoom => "105110",
        };
        self.hub().refusals.push_back((broker, code.unwrap_or_else(|| own.to_owned())));
    }

    fn tell(&self, broker: Option<Broker>, item: impl Fn() -> Item) {
        for (id, connection) in &self.hub().connections {
            if broker.is_some_and(|named| named != connection.broker) {
                continue;
            }
            if connection.sender.try_send(item()).is_err() {
                tracing::warn!(connection = id, "fault not delivered, its queue is full");
            }
        }
    }

    /// Whether every event made so far is written or given up, and with the tape.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let drained = self.hub().connections.values().all(|connection| connection.figures.is_drained());
        drained && !self.lines_held.load(Ordering::Acquire)
    }

    /// Counts events that were written; none = a frame of a file.
    pub fn count(&self, tr: Option<Tr>, events: u64) {
        let counter = tr.map_or(&self.replayed, |tr| &self.written[tr.index()]);
        counter.fetch_add(events, Ordering::Relaxed);
    }
}

/// A panic of another holder leaves counters and maps that are still whole enough for a test bench.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
