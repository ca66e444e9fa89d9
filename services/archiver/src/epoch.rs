//! Which epoch a stream is in, and which deliveries are in the archive already. Pure: what the ledger, the tables and
//! the server say comes in, what to do with each delivery goes out.
//!
//! A sequence above the highest one dealt with is new. One at or below it is looked up together with its event id:
//! the same id is already there; another id under the current epoch says that the stream was rolled back (a server
//! that lost its tail gives old sequences to new events), and a new epoch begins.

use store::{Highest, LedgerReach, LedgerTail, Stored};

use crate::recent::Recent;

/// What the server says of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamFacts {
    /// Creation time, ns since 1970 UTC.
    pub created_ns: i64,
    /// Last sequence given out.
    pub last_sequence: u64,
}

/// Why a new epoch began: an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewEpoch {
    /// The stream was deleted and made again.
    Recreated,
    /// The server has given out fewer sequences than are archived.
    Shortened,
    /// A sequence holds another event than the archived one.
    OtherEvent {
        /// The sequence.
        sequence: u64,
    },
}

impl NewEpoch {
    /// The word in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recreated => "recreated",
            Self::Shortened => "shortened",
            Self::OtherEvent { .. } => "other_event",
        }
    }
}

/// How far a stream is archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The current epoch, from 1.
    pub epoch: u32,
    /// The lowest epoch since the stream was created: what was archived before cannot be delivered again.
    pub floor: u32,
    /// The highest sequence dealt with in any epoch from `floor` on.
    pub highest: u64,
    /// Creation time of the stream, ns since 1970 UTC.
    pub created_ns: i64,
}

/// What to do with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Insert it.
    New,
    /// It is in a table, at its sequence, under this epoch.
    Known {
        /// The epoch.
        epoch: u32,
    },
    /// Its event is in a table under another sequence: it was published twice.
    Repeated,
}

impl Progress {
    /// The progress of a stream as the ledger has it, and whether that means a new epoch.
    pub fn open(
        facts: StreamFacts,
        tail: Option<LedgerTail>,
        reach: Option<LedgerReach>,
    ) -> (Self, Option<NewEpoch>) {
        let created_ns = facts.created_ns;
        let Some(tail) = tail else {
            return (Self { epoch: 1, floor: 1, highest: 0, created_ns }, None);
        };
        // One epoch for each creation: a ledger that does not know this creation says that the stream was re-created.
        let Some(reach) = reach.filter(|_| tail.created_ns == created_ns) else {
            let epoch = tail.epoch + 1;
            return (Self { epoch, floor: epoch, highest: 0, created_ns }, Some(NewEpoch::Recreated));
        };
        let known = Self { epoch: tail.epoch, floor: reach.floor, highest: reach.highest, created_ns };
        if facts.last_sequence < tail.last {
            return (Self { epoch: tail.epoch + 1, ..known }, Some(NewEpoch::Shortened));
        }
        (known, None)
    }

    /// Takes in what stands in a table beyond the ledger: rows whose insert was the last thing before a crash.
    pub fn reach(&mut self, highest: Option<Highest>) {
        if let Some(highest) = highest {
            self.epoch = self.epoch.max(highest.epoch);
            self.highest = self.highest.max(highest.stream_sequence);
        }
    }

    /// Takes in what other archivers of the same durable wrote into the ledger.
    pub fn adopt(&mut self, tail: Option<LedgerTail>) {
        let Some(tail) = tail else { return };
        if tail.epoch < self.epoch {
            return;
        }
        if tail.created_ns != self.created_ns && tail.epoch > self.epoch {
            *self = Self {
                epoch: tail.epoch,
                floor: tail.epoch,
                highest: tail.last,
                created_ns: tail.created_ns,
            };
            return;
        }
        self.epoch = tail.epoch;
        self.highest = self.highest.max(tail.last);
    }

    /// Whether a delivery must be looked up before it is inserted.
    pub const fn is_doubtful(&self, sequence: u64, delivered: u64) -> bool {
        sequence <= self.highest || delivered > 1
    }

    /// The first delivery that contradicts the archive, by what was `found` at their sequences (in rising order), or the
    /// delivery before it: around a roll-back one batch may hold an old and a new event of one sequence.
    pub fn conflict(&self, deliveries: &[(u64, u64)], found: &[Stored]) -> Option<u64> {
        // Another archiver may have begun the next epoch in the meantime: its rows are the current ones.
        let current = found.iter().map(|stored| stored.epoch).fold(self.epoch, u32::max);
        let contradicts = |(sequence, event_id): &(u64, u64)| {
            let stored = at(found, *sequence);
            stored.iter().any(|stored| stored.epoch == current)
                && stored.iter().all(|stored| stored.event_id != *event_id)
        };
        let archived = deliveries.iter().find(|delivery| contradicts(delivery));
        let differ = |pair: &&[(u64, u64)]| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1;
        let in_batch = deliveries.windows(2).find(differ).map(|pair| &pair[1]);
        archived.into_iter().chain(in_batch).map(|(sequence, _)| *sequence).min()
    }

    /// Begins the epoch that the conflict at `sequence` calls for.
    pub fn begin_epoch(&mut self, found: &[Stored]) {
        self.epoch = found.iter().map(|stored| stored.epoch).fold(self.epoch, u32::max) + 1;
    }

    /// What to do with each of the `deliveries`, by what was `found` at their sequences (in rising order) and what was
    /// inserted lately. New ones are noted in `recent`.
    pub fn judge(&mut self, deliveries: &[(u64, u64)], found: &[Stored], recent: &mut Recent) -> Vec<Fate> {
        self.epoch = found.iter().map(|stored| stored.epoch).fold(self.epoch, u32::max);
        let (mut before, mut seen) = (None, Vec::new());
        let fates = deliveries.iter().map(|&(sequence, event_id)| {
            if before.replace(sequence) != Some(sequence) {
                seen.clear();
            }
            if seen.contains(&event_id) {
                return Fate::Known { epoch: self.epoch };
            }
            seen.push(event_id);
            match at(found, sequence).iter().find(|stored| stored.event_id == event_id) {
                Some(stored) => Fate::Known { epoch: stored.epoch },
                None if recent.is_repeated(event_id, sequence) => Fate::Repeated,
                None => Fate::New,
            }
        });
        fates.collect()
    }

    /// Everything up to `sequence` that was delivered is dealt with.
    pub fn advance(&mut self, sequence: u64) {
        self.highest = self.highest.max(sequence);
    }
}

/// What tables have of events, by sequence and by event id.
pub struct Known {
    /// At their sequences, in rising order.
    pub here: Vec<Stored>,
    /// With their event ids, near by.
    pub elsewhere: Vec<Stored>,
}

/// What was `found` (in rising order) at one sequence.
pub fn at(found: &[Stored], sequence: u64) -> &[Stored] {
    let start = found.partition_point(|stored| stored.stream_sequence < sequence);
    let rest = found.get(start..).unwrap_or_default();
    let length = rest.partition_point(|stored| stored.stream_sequence == sequence);
    rest.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests;
