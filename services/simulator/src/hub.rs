//! Connections, sessions and registrations: who holds which app key, who wants what. Pure bookkeeping.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::tr::{Broker, Tr};

/// Registrations a session may hold (kis.md 2.6).
pub const REGISTRATIONS: usize = 41;

/// Items that may wait for a socket: a few slices of some milliseconds. A socket that is behind by
/// [`ROOM`] is not written for, so cuts and stalls always find room.
pub const WAITING: usize = 8;
/// Free places below which no events are made for a connection.
pub const ROOM: usize = 4;

/// A frame on its way.
#[derive(Debug)]
pub struct Frame {
    /// The text.
    pub text: Utf8Bytes,
    /// Its TR; none for a replayed one.
    pub tr: Option<Tr>,
    /// The streams of further events, one each: Kiwoom mixes them in a frame. Those of `tr` are not among them.
    pub others: Vec<Tr>,
    /// Records in it.
    pub records: u64,
    /// Those that the connection counts as written; the engine counts what goes to several sockets.
    pub events: u64,
    /// Where its lines end in the batch's lines.
    pub lines_end: usize,
    /// How the script has spoilt it.
    pub spoilt: Option<&'static str>,
}

/// The frames of one slice for one connection.
#[derive(Debug, Default)]
pub struct Batch {
    /// In order.
    pub frames: Vec<Frame>,
    /// Tape lines of the frames that go to this connection alone.
    pub lines: String,
}

/// What a connection is told to do.
#[derive(Debug)]
pub enum Item {
    /// Write.
    Batch(Batch),
    /// End without a close frame; `true` = reset.
    Cut(bool),
    /// Be silent; what waits is sent afterwards.
    Stall(Duration),
    /// Be dead for this time with an open socket: what is sent meanwhile is lost.
    Mute(Duration),
    /// Another session has logged in with the same key: say so and close.
    Kick,
}

/// Figures of a connection, for the status.
#[derive(Debug, Default)]
pub struct Figures {
    /// Records given to it.
    pub handed: AtomicU64,
    /// Records written to it.
    pub written: AtomicU64,
    /// Records that its end left unwritten.
    pub unwritten: AtomicU64,
    /// Records that it had no room for while another connection got them.
    pub missed: AtomicU64,
}

impl Figures {
    /// Whether everything that was given to it is written or given up.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let done = self.written.load(Ordering::Acquire) + self.unwritten.load(Ordering::Acquire);
        self.handed.load(Ordering::Acquire) == done
    }
}

/// An open socket.
#[derive(Debug)]
pub struct Connection {
    /// Whose client it is.
    pub broker: Broker,
    /// Where its items go.
    pub sender: mpsc::Sender<Item>,
    /// The app key of its session, after the first subscription.
    pub app_key: Option<String>,
    /// TR and key to the position of the instrument.
    pub registrations: BTreeMap<(Tr, String), usize>,
    /// What it got.
    pub figures: Arc<Figures>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// It was registered before.
    Already,
    /// It was not registered.
    NotFound,
    /// 41 are registered.
    Full,
}

#[derive(Debug)]
enum Session {
    Held(u64),
    HeldUntil(Instant),
}

/// The bookkeeping.
#[derive(Debug, Default)]
pub struct Hub {
    last: u64,
    sessions: HashMap<String, Session>,
    /// Open sockets by number.
    pub connections: BTreeMap<u64, Connection>,
    /// Codes for the next subscriptions, each for one broker.
    pub refusals: VecDeque<(Broker, String)>,
    /// Raised by every change of connections and registrations.
    pub version: u64,
}

impl Hub {
    /// A new socket: its number and its figures.
    pub fn connect(&mut self, broker: Broker, sender: mpsc::Sender<Item>) -> (u64, Arc<Figures>) {
        self.last += 1;
        self.version += 1;
        let figures = Arc::new(Figures::default());
        let registrations = BTreeMap::new();
        let connection =
            Connection { broker, sender, app_key: None, registrations, figures: figures.clone() };
        self.connections.insert(self.last, connection);
        (self.last, figures)
    }

    /// A socket has ended; its app key is free again, after `hold` if there was no close frame.
    pub fn disconnect(&mut self, id: u64, clean: bool, hold: Duration, now: Instant) {
        self.version += 1;
        let Some(connection) = self.connections.remove(&id) else { return };
        let Some(app_key) = connection.app_key.filter(|_| connection.broker == Broker::Kis) else { return };
        if clean || hold.is_zero() {
            self.sessions.remove(&app_key);
        } else {
            self.sessions.insert(app_key, Session::HeldUntil(now + hold));
        }
    }

    /// The code by script for the next subscription of a broker.
    pub fn refusal(&mut self, broker: Broker) -> Option<String> {
        let position = self.refusals.iter().position(|(named, _)| *named == broker)?;
        self.refusals.remove(position).map(|(_, code)| code)
    }

    /// Gives the session of `app_key` to the connection, unless another one holds it: the first wins.
    pub fn claim(&mut self, id: u64, app_key: &str, now: Instant) -> bool {
        let free = match self.sessions.get(app_key) {
            None => true,
            Some(Session::Held(holder)) => *holder == id,
            Some(Session::HeldUntil(until)) => now >= *until,
        };
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        // One socket, one session: a second app key on it is refused like a foreign one.
        if !free || connection.app_key.as_deref().is_some_and(|held| held != app_key) {
            return false;
        }
        connection.app_key = Some(app_key.to_owned());
        self.sessions.insert(app_key.to_owned(), Session::Held(id));
        true
    }

    /// Gives the session of `app_key` to a Kiwoom connection: the newest wins, the others are told to end.
    pub fn take_over(&mut self, id: u64, app_key: &str) {
        for (&other, connection) in &mut self.connections {
            if connection.broker != Broker::Kiwoom {
                continue;
            }
            if other == id {
                connection.app_key = Some(app_key.to_owned());
            } else if connection.app_key.as_deref() == Some(app_key) {
                connection.app_key = None;
                connection.registrations.clear();
                if connection.sender.try_send(Item::Kick).is_err() {
                    tracing::warn!(connection = other, "session not ended, its queue is full");
                }
            }
        }
        self.version += 1;
    }

    /// Replaces what a Kiwoom connection has registered.
    pub fn replace(&mut self, id: u64, registrations: BTreeMap<(Tr, String), usize>) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.registrations = registrations;
            self.version += 1;
        }
    }

    /// Registers.
    pub fn subscribe(&mut self, id: u64, tr: Tr, key: &str, instrument: usize) -> Outcome {
        let Some(connection) = self.connections.get_mut(&id) else { return Outcome::NotFound };
        let registration = (tr, key.to_owned());
        if connection.registrations.contains_key(&registration) {
            return Outcome::Already;
        }
        if connection.registrations.len() >= REGISTRATIONS {
            return Outcome::Full;
        }
        connection.registrations.insert(registration, instrument);
        self.version += 1;
        Outcome::Done
    }

    /// Deregisters.
    pub fn unsubscribe(&mut self, id: u64, tr: Tr, key: &str) -> Outcome {
        let removed =
            self.connections.get_mut(&id).and_then(|c| c.registrations.remove(&(tr, key.to_owned())));
        self.version += 1;
        if removed.is_some() { Outcome::Done } else { Outcome::NotFound }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> (Hub, Vec<u64>) {
        let mut hub = Hub::default();
        let ids = (0..2).map(|_| hub.connect(Broker::Kis, mpsc::channel(WAITING).0).0).collect();
        (hub, ids)
    }

    #[test]
    fn first_session_wins_until_it_ends() {
        let (mut hub, ids) = hub();
        let now = Instant::now();
        assert!(hub.claim(ids[0], "a", now) && hub.claim(ids[0], "a", now));
        assert!(!hub.claim(ids[1], "a", now));
        assert!(!hub.claim(ids[0], "b", now));
        hub.disconnect(ids[0], true, Duration::from_secs(45), now);
        assert!(hub.claim(ids[1], "a", now));
        hub.disconnect(ids[1], false, Duration::from_secs(45), now);
        let (third, _) = hub.connect(Broker::Kis, mpsc::channel(WAITING).0);
        assert!(!hub.claim(third, "a", now + Duration::from_secs(44)));
        assert!(hub.claim(third, "a", now + Duration::from_secs(45)));
    }

    #[test]
    fn the_42nd_registration_is_too_many_and_unsubscribing_frees_a_place() {
        let (mut hub, ids) = hub();
        for n in 0..REGISTRATIONS {
            assert_eq!(hub.subscribe(ids[0], Tr::KrxTrade, &format!("{n:06}"), n), Outcome::Done);
        }
        assert_eq!(hub.subscribe(ids[0], Tr::KrxTrade, "000000", 0), Outcome::Already);
        assert_eq!(hub.subscribe(ids[0], Tr::KrxBook, "000000", 0), Outcome::Full);
        assert_eq!(hub.unsubscribe(ids[0], Tr::KrxTrade, "000000"), Outcome::Done);
        assert_eq!(hub.unsubscribe(ids[0], Tr::KrxTrade, "000000"), Outcome::NotFound);
        assert_eq!(hub.subscribe(ids[0], Tr::KrxBook, "000000", 0), Outcome::Done);
    }
}
