//! One client's queue: what the hub offers it, until its socket takes it. Bounded by age and bytes; a client that is too
//! slow loses what waits, is told how much, and begins anew with the state of that time. It never makes anybody wait.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

/// Answers and errors that wait; a client that asks without reading is closed.
const MOST_ANSWERS: usize = 256;

/// Close code: the client does what it may not.
pub const POLICY: u16 = 1008;
/// Close code: the server goes away.
pub const AWAY: u16 = 1001;
/// Close code: a message is too large.
pub const TOO_LARGE: u16 = 1009;

/// Why a client is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The close code.
    pub code: u16,
    /// For people.
    pub reason: String,
}

/// A piece of a subscription that clients share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Items, as JSON with commas between.
    pub items: Bytes,
    /// How many.
    pub count: u32,
}

/// What a socket sends next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A whole message.
    Answer(String),
    /// A piece of a subscription.
    Piece {
        /// Whose.
        subscription: u32,
        /// The message's number within it, from 1.
        sequence: u64,
        /// A snapshot; else an update.
        snapshot: Option<SnapshotPart>,
        /// What is in it.
        piece: Piece,
    },
}

/// Where in a snapshot a piece stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotPart {
    /// Another one follows.
    pub more: bool,
    /// Items that the client did not get before it.
    pub skipped: u64,
}

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long an update may wait.
    pub age: Duration,
    /// Bytes of updates that may wait.
    pub bytes: usize,
}

/// A client, shared between the hub and its socket.
#[derive(Debug)]
pub struct Client {
    /// Its number.
    pub id: u64,
    limits: Limits,
    inner: Mutex<Inner>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    answers: VecDeque<String>,
    pieces: VecDeque<Waiting>,
    /// Bytes of the updates in `pieces`.
    bytes: usize,
    subscriptions: HashMap<u32, Subscription>,
    /// The socket has taken everything and sent it.
    idle: bool,
    closed: Option<End>,
}

#[derive(Debug)]
struct Waiting {
    subscription: u32,
    snapshot: Option<SnapshotPart>,
    piece: Piece,
    since: Instant,
}

#[derive(Debug, Default)]
struct Subscription {
    sequence: u64,
    /// Items were left out: nothing more comes before a new snapshot.
    behind: bool,
    skipped: u64,
}

impl Client {
    /// A client without a subscription.
    pub fn new(id: u64, limits: Limits) -> Arc<Self> {
        Arc::new(Self { id, limits, inner: Mutex::default(), wake: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a whole message.
    pub fn answer(&self, text: String) {
        let mut inner = self.lock();
        if inner.answers.len() >= MOST_ANSWERS {
            let reason = format!("{MOST_ANSWERS} answers wait: read them");
            inner.closed.get_or_insert(End { code: POLICY, reason });
        } else {
            inner.answers.push_back(text);
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// Queues a snapshot: the first of a subscription, or the next after it was behind.
    pub fn snapshot(&self, subscription: u32, pieces: &[Piece]) {
        let mut inner = self.lock();
        let state = inner.subscriptions.entry(subscription).or_default();
        let skipped = std::mem::take(&mut state.skipped);
        state.behind = false;
        let empty = Piece { items: Bytes::new(), count: 0 };
        let pieces = if pieces.is_empty() { std::slice::from_ref(&empty) } else { pieces };
        for (place, piece) in pieces.iter().enumerate() {
            let more = place + 1 < pieces.len();
            let snapshot = Some(SnapshotPart { more, skipped: if place == 0 { skipped } else { 0 } });
            inner.pieces.push_back(Waiting {
                subscription,
                snapshot,
                piece: piece.clone(),
                since: Instant::now(),
            });
        }
        inner.idle = false;
        drop(inner);
        self.wake.notify_one();
    }

    /// Offers an update. When too much waits, all updates that wait are left out and counted. Returns how many items were
    /// left out now.
    pub fn update(&self, subscription: u32, piece: &Piece, now: Instant) -> u64 {
        let mut inner = self.lock();
        let Some(state) = inner.subscriptions.get_mut(&subscription) else { return 0 };
        if state.behind {
            state.skipped += u64::from(piece.count);
            return u64::from(piece.count);
        }
        let oldest = inner.pieces.iter().find(|waiting| waiting.snapshot.is_none());
        let too_old = oldest.is_some_and(|waiting| now.duration_since(waiting.since) > self.limits.age);
        if too_old || inner.bytes + piece.items.len() > self.limits.bytes {
            return inner.leave_out(subscription, piece);
        }
        inner.bytes += piece.items.len();
        inner.pieces.push_back(Waiting { subscription, snapshot: None, piece: piece.clone(), since: now });
        inner.idle = false;
        drop(inner);
        self.wake.notify_one();
        0
    }

    /// Whether a subscription is behind and its socket has sent everything: it is time for a new snapshot.
    pub fn wants_snapshot(&self, subscription: u32) -> bool {
        let inner = self.lock();
        inner.idle && inner.subscriptions.get(&subscription).is_some_and(|state| state.behind)
    }

    /// Whether more than `most` bytes of updates wait; at 0 whether the socket has not sent everything.
    pub fn waits(&self, most: usize) -> bool {
        let inner = self.lock();
        inner.closed.is_none() && if most == 0 { !inner.idle } else { inner.bytes > most }
    }

    /// Ends a subscription. True when there was one.
    pub fn end(&self, subscription: u32) -> bool {
        let mut inner = self.lock();
        inner.pieces.retain(|waiting| waiting.subscription != subscription);
        inner.bytes = inner.waiting_bytes();
        inner.subscriptions.remove(&subscription).is_some()
    }

    /// Asks the socket to close, with a code and a reason for the client; the first reason stays.
    pub fn close(&self, code: u16, reason: &str) {
        self.lock().closed.get_or_insert_with(|| End { code, reason: reason.to_owned() });
        self.wake.notify_one();
    }

    /// What to send next, in order: answers first. Waits for it; the reason is an error when the client is to be closed.
    /// Safe to drop.
    ///
    /// # Errors
    /// The reason of the end.
    pub async fn next(&self) -> Result<Next, End> {
        loop {
            let woken = self.wake.notified();
            if let Some(next) = self.take()? {
                return Ok(next);
            }
            woken.await;
        }
    }

    fn take(&self) -> Result<Option<Next>, End> {
        let mut inner = self.lock();
        if let Some(end) = &inner.closed {
            return Err(end.clone());
        }
        if let Some(answer) = inner.answers.pop_front() {
            return Ok(Some(Next::Answer(answer)));
        }
        while let Some(waiting) = inner.pieces.pop_front() {
            if waiting.snapshot.is_none() {
                inner.bytes -= waiting.piece.items.len();
            }
            let Some(state) = inner.subscriptions.get_mut(&waiting.subscription) else { continue };
            state.sequence += 1;
            let Waiting { subscription, snapshot, piece, .. } = waiting;
            return Ok(Some(Next::Piece { subscription, sequence: state.sequence, snapshot, piece }));
        }
        inner.idle = true;
        Ok(None)
    }
}

impl Inner {
    fn waiting_bytes(&self) -> usize {
        let updates = self.pieces.iter().filter(|waiting| waiting.snapshot.is_none());
        updates.map(|waiting| waiting.piece.items.len()).sum()
    }

    /// Takes all updates out of the queue, and counts them with the one that was offered.
    fn leave_out(&mut self, subscription: u32, piece: &Piece) -> u64 {
        let mut left_out = u64::from(piece.count);
        let mut counted = vec![(subscription, left_out)];
        self.pieces.retain(|waiting| {
            if waiting.snapshot.is_none() {
                counted.push((waiting.subscription, u64::from(waiting.piece.count)));
                left_out += u64::from(waiting.piece.count);
            }
            waiting.snapshot.is_some()
        });
        self.bytes = 0;
        for (of, count) in counted {
            if let Some(state) = self.subscriptions.get_mut(&of) {
                state.behind = true;
                state.skipped += count;
            }
        }
        left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { age: Duration::from_secs(1), bytes: 100 };

    fn piece(text: &str, count: u32) -> Piece {
        Piece { items: Bytes::copy_from_slice(text.as_bytes()), count }
    }

    fn taken(client: &Client) -> Option<(u64, Option<u64>, Bytes)> {
        match client.take().expect("open")? {
            Next::Piece { sequence, snapshot, piece, .. } => {
                Some((sequence, snapshot.map(|part| part.skipped), piece.items))
            }
            Next::Answer(text) => Some((0, None, text.into())),
        }
    }

    #[test]
    fn snapshot_then_updates_in_sequence() {
        let (client, now) = (Client::new(1, LIMITS), Instant::now());
        assert_eq!(client.update(1, &piece("x", 1), now), 0, "no such subscription");
        client.snapshot(1, &[piece("a", 1), piece("b", 1)]);
        assert_eq!(client.update(1, &piece("c", 1), now), 0);
        let all: Vec<_> = std::iter::from_fn(|| taken(&client)).collect();
        let expected =
            [(1, Some(0), Bytes::from("a")), (2, Some(0), Bytes::from("b")), (3, None, Bytes::from("c"))];
        assert_eq!(all, expected);
        client.snapshot(2, &[]);
        assert_eq!(taken(&client), Some((1, Some(0), Bytes::new())), "even an empty one comes");
    }

    #[test]
    fn a_slow_client_loses_what_waits_and_begins_anew_when_it_has_read() {
        let (client, now) = (Client::new(1, LIMITS), Instant::now());
        client.snapshot(1, &[piece("a", 1)]);
        assert_eq!(client.update(1, &piece("b", 2), now), 0);
        let later = now + Duration::from_millis(1_500);
        assert_eq!(client.update(1, &piece("c", 3), later), 5);
        assert_eq!(client.update(1, &piece("d", 4), later), 4);
        assert!(!client.wants_snapshot(1), "it has not read yet");
        assert_eq!(taken(&client), Some((1, Some(0), Bytes::from("a"))), "a snapshot is never left out");
        assert!(!client.wants_snapshot(1));
        assert_eq!(taken(&client), None);
        assert!(client.wants_snapshot(1));
        client.snapshot(1, &[piece("e", 1)]);
        assert!(!client.wants_snapshot(1));
        assert_eq!(client.update(1, &piece("f", 1), later), 0);
        assert_eq!(taken(&client), Some((2, Some(9), Bytes::from("e"))));
        assert_eq!(taken(&client), Some((3, None, Bytes::from("f"))));
    }

    #[test]
    fn bytes_are_bounded_over_all_subscriptions() {
        let (client, now) = (Client::new(1, LIMITS), Instant::now());
        client.snapshot(1, &[]);
        client.snapshot(2, &[]);
        let large = piece(&"x".repeat(60), 1);
        assert_eq!(client.update(1, &large, now), 0);
        assert_eq!(client.update(2, &large, now), 2);
        // Both are behind.
        assert_eq!((client.update(1, &large, now), client.update(2, &large, now)), (1, 1));
    }

    #[test]
    fn an_end_takes_along_what_waits() {
        let (client, now) = (Client::new(1, LIMITS), Instant::now());
        client.snapshot(1, &[piece("a", 1)]);
        client.update(1, &piece("b", 1), now);
        assert!(client.end(1));
        assert!(!client.end(1));
        assert_eq!(taken(&client), None);
    }

    #[test]
    fn who_asks_without_reading_is_closed() {
        let client = Client::new(1, LIMITS);
        for _ in 0..=MOST_ANSWERS {
            client.answer("x".into());
        }
        assert!(client.take().expect_err("closed").reason.contains("answers wait"));
    }
}
