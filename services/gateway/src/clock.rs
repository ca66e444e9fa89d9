//! The time that the gateway goes by: the machine's, or that of the day that it plays.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    Machine,
    /// That of a day that is played, UTC ns.
    Played(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that shows `now_ns` until it is set.
    pub fn played(now_ns: i64) -> Self {
        Self::Played(Arc::new(AtomicI64::new(now_ns)))
    }

    /// Sets a clock that is played; the machine's goes by itself.
    pub fn set(&self, now_ns: i64) {
        if let Self::Played(time) = self {
            time.store(now_ns, Ordering::Relaxed);
        }
    }

    /// Now, UTC ns.
    pub fn now_ns(&self) -> i64 {
        match self {
            Self::Machine => process::clock::now_ns(),
            Self::Played(time) => time.load(Ordering::Relaxed),
        }
    }

    /// Whether a day is played.
    pub const fn is_played(&self) -> bool {
        matches!(self, Self::Played(_))
    }
}
