//! How far a replay is: for `/v1/health` and for the log.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use serde_json::{Value, json};

use super::Day;

/// How far it is; shared between who plays and who is asked.
#[derive(Debug)]
pub struct Progress {
    date: String,
    market: &'static str,
    speed: u32,
    until_ns: i64,
    of: u64,
    events: AtomicU64,
    at_ns: AtomicI64,
    begun: AtomicBool,
    over: AtomicBool,
}

impl Progress {
    /// Nothing is played yet.
    pub fn new(day: &Day, speed: u32) -> Self {
        Self {
            date: day.date.to_string(),
            market: day.market.as_str(),
            speed,
            until_ns: day.end_ns(),
            of: day.events(),
            events: AtomicU64::new(0),
            at_ns: AtomicI64::new(day.begin_ns()),
            begun: AtomicBool::new(false),
            over: AtomicBool::new(false),
        }
    }

    /// A client is there.
    pub fn begin(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    /// So many events more, up to `at_ns` on the day's clock.
    pub fn played(&self, events: u64, at_ns: i64) {
        self.events.fetch_add(events, Ordering::Relaxed);
        self.at_ns.store(at_ns, Ordering::Relaxed);
    }

    /// Everything is played.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Events played.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Events played of a hundred.
    pub fn percent(&self) -> u64 {
        self.events().saturating_mul(100).checked_div(self.of).unwrap_or(100).min(100)
    }

    /// For `/v1/health`.
    pub fn json(&self) -> Value {
        let state = match (self.begun.load(Ordering::Relaxed), self.over.load(Ordering::Relaxed)) {
            (_, true) => "over",
            (true, false) => "playing",
            (false, false) => "waiting",
        };
        json!({
            "date": self.date, "market": self.market, "speed": self.speed, "state": state,
            "at_ns": self.at_ns.load(Ordering::Relaxed).to_string(), "until_ns": self.until_ns.to_string(),
            "events": self.events(), "of": self.of,
        })
    }
}
