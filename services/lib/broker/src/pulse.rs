//! Signs of life of one connection, written where they happen and looked at from outside: what a feed's health is made
//! of. A PING is one, though it is neither kept nor handed on.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

/// The signs of life of one connection, over all its lives.
#[derive(Debug, Default)]
pub struct Pulse {
    up: AtomicBool,
    settled: AtomicBool,
    registered: AtomicU32,
    message_ns: AtomicI64,
    frame_ns: AtomicI64,
}

/// What a [`Pulse`] showed at an instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signs {
    /// Whether the connection is made.
    pub up: bool,
    /// Whether everything wanted was asked for and answered.
    pub settled: bool,
    /// Confirmed registrations; 0 while not settled.
    pub registered: u32,
    /// When the last message of any kind was read, UTC ns; 0 = never.
    pub message_ns: i64,
    /// When the last data frame was read, UTC ns; 0 = never.
    pub frame_ns: i64,
}

impl Pulse {
    /// What it shows now. The parts are read one by one: a moment later each may be another.
    #[must_use]
    pub fn signs(&self) -> Signs {
        Signs {
            up: self.up.load(Ordering::Relaxed),
            settled: self.settled.load(Ordering::Relaxed),
            registered: self.registered.load(Ordering::Relaxed),
            message_ns: self.message_ns.load(Ordering::Relaxed),
            frame_ns: self.frame_ns.load(Ordering::Relaxed),
        }
    }

    /// The connection was made, or has ended.
    pub(crate) fn is_up(&self, up: bool) {
        self.unsettled();
        self.up.store(up, Ordering::Relaxed);
    }

    /// Something is to be asked for.
    pub(crate) fn unsettled(&self) {
        self.settled.store(false, Ordering::Relaxed);
        self.registered.store(0, Ordering::Relaxed);
    }

    /// Everything is answered.
    pub(crate) fn settled(&self, registered: u32) {
        self.registered.store(registered, Ordering::Relaxed);
        self.settled.store(true, Ordering::Relaxed);
    }

    /// A message of any kind was read.
    pub(crate) fn message(&self, at_ns: i64) {
        self.message_ns.store(at_ns, Ordering::Relaxed);
    }

    /// A data frame was read.
    pub(crate) fn frame(&self, at_ns: i64) {
        self.frame_ns.store(at_ns, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_connection_is_not_settled_but_its_last_signs_stay() {
        let pulse = Pulse::default();
        assert_eq!(pulse.signs(), Signs::default());
        pulse.is_up(true);
        pulse.message(7);
        pulse.frame(5);
        pulse.settled(40);
        let signs = Signs { up: true, settled: true, registered: 40, message_ns: 7, frame_ns: 5 };
        assert_eq!(pulse.signs(), signs);
        pulse.is_up(false);
        assert_eq!(pulse.signs(), Signs { up: false, settled: false, registered: 0, ..signs });
    }
}
