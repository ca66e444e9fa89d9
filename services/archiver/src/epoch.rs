//! Which epoch a stream is in, and which deliveries are in the archive already. Pure: what the ledger, the tables and
//! the server say comes in, what to do with each delivery goes out.
//!
//! A sequence above the highest one dealt with is new. One at or below it is looked up together with its event id:
//! the same id is already there; another id under the epoch that the sequence belongs to says that the stream was rolled
//! back (a server that lost its tail gives old sequences to new events), and a new epoch begins there.

use store::{Highest, LedgerEpoch, LedgerTail, Stored};

use crate::recent::Recent;
use crate::timeline::Timeline;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The current epoch, from 1.
    pub epoch: u32,
    /// The lowest epoch since the stream was created: what was archived before cannot be delivered again.
    pub floor: u32,
    /// The highest sequence dealt with in any epoch from `floor` on.
    pub highest: u64,
    /// Creation time of the stream, ns since 1970 UTC.
    pub created_ns: i64,
    /// Where its epochs begin.
    pub timeline: Timeline,
}

/// What to do with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Insert it.
    New,
    /// It is in a table, at its sequence.
    Known,
    /// Its event is in a table under another sequence: it was published twice.
    Repeated,
}

impl Progress {
    /// The progress of a stream as the ledger has it, and whether that means a new epoch. `epochs` are those since the
    /// stream was created.
    pub fn open(
        facts: StreamFacts,
        tail: Option<LedgerTail>,
        epochs: &[LedgerEpoch],
    ) -> (Self, Option<NewEpoch>) {
        let created_ns = facts.created_ns;
        let fresh =
            |epoch| Self { epoch, floor: epoch, highest: 0, created_ns, timeline: Timeline::new(epoch) };
        let Some(tail) = tail else { return (fresh(1), None) };
        // One epoch for each creation: a ledger that does not know this creation says that the stream was re-created.
        let Some(oldest) = epochs.first().filter(|_| tail.created_ns == created_ns) else {
            return (fresh(tail.epoch + 1), Some(NewEpoch::Recreated));
        };
        let floor = oldest.epoch;
        let highest = epochs.iter().map(|epoch| epoch.last).fold(0, u64::max);
        let timeline = Timeline::of(floor, epochs);
        let mut known = Self { epoch: tail.epoch, floor, highest, created_ns, timeline };
        if facts.last_sequence < tail.last {
            known.epoch += 1;
            // At the latest: what the server gave out since then comes as a conflict.
            known.timeline.begin(known.epoch, facts.last_sequence.saturating_add(1));
            return (known, Some(NewEpoch::Shortened));
        }
        (known, None)
    }

    /// Takes in what stands in a table beyond the ledger: rows whose insert was the last thing before a crash.
    pub fn reach(&mut self, highest: Option<Highest>) {
        if let Some(Highest { epoch, stream_sequence }) = highest {
            self.later(epoch, stream_sequence);
            self.highest = self.highest.max(stream_sequence);
        }
    }

    /// Something at `sequence` belongs to `epoch`, which may be the first that is heard of it.
    fn later(&mut self, epoch: u32, sequence: u64) {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.timeline.begin(epoch, sequence);
        } else if self.timeline.is_before(sequence, epoch) {
            self.timeline.begin(epoch, sequence);
        }
    }

    /// Takes in what other archivers of the same durable wrote into the ledger. True when it has an epoch that is news:
    /// where it begins, [`Progress::learn`] is to be told.
    pub fn adopt(&mut self, tail: Option<LedgerTail>) -> bool {
        let Some(tail) = tail.filter(|tail| tail.epoch >= self.epoch) else { return false };
        let is_new = tail.epoch > self.epoch;
        if tail.created_ns != self.created_ns && is_new {
            *self = Self {
                epoch: tail.epoch,
                floor: tail.epoch,
                highest: tail.last,
                created_ns: tail.created_ns,
                timeline: Timeline::new(tail.epoch),
            };
            return false;
        }
        self.later(tail.epoch, tail.last);
        self.highest = self.highest.max(tail.last);
        is_new
    }

    /// Takes in where epochs begin.
    pub fn learn(&mut self, epochs: &[LedgerEpoch]) {
        for epoch in epochs {
            self.timeline.begin(epoch.epoch, epoch.first);
        }
    }

    /// Whether a delivery must be looked up before it is inserted.
    pub const fn is_doubtful(&self, sequence: u64, delivered: u64) -> bool {
        sequence <= self.highest || delivered > 1
    }

    /// Compares `deliveries` with what was `found` at their sequences (in rising order). When they contradict the archive a
    /// new epoch begins: returns its first sequence.
    pub fn reconcile(&mut self, deliveries: &[(u64, u64)], found: &[Stored]) -> Option<u64> {
        // Another archiver may have begun the next epoch in the meantime: its rows are the current ones.
        for stored in found {
            self.later(stored.epoch, stored.stream_sequence);
        }
        let archived = self.contradiction(deliveries, found);
        // Around a roll-back one batch may hold an old and a new event of one sequence.
        let differ = |pair: &&[(u64, u64)]| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1;
        let in_batch = deliveries.windows(2).find(differ).map(|pair| pair[1].0);
        let mut first = archived.into_iter().chain(in_batch).min()?;
        if self.timeline.is_before(first, self.epoch) {
            // The current epoch began earlier than was known: with the first of what was not looked at until now.
            self.timeline.begin(self.epoch, first);
            first = self.contradiction(deliveries, found)?;
        }
        self.epoch += 1;
        self.timeline.begin(self.epoch, first);
        Some(first)
    }

    /// The first delivery whose sequence has other events only under the epoch it belongs to.
    fn contradiction(&self, deliveries: &[(u64, u64)], found: &[Stored]) -> Option<u64> {
        let contradicts = |(sequence, event_id): &&(u64, u64)| {
            let (stored, epoch) = (at(found, *sequence), self.timeline.epoch_of(*sequence));
            stored.iter().any(|stored| stored.epoch == epoch)
                && stored.iter().all(|stored| stored.event_id != *event_id)
        };
        deliveries.iter().find(contradicts).map(|(sequence, _)| *sequence)
    }

    /// What to do with each of the `deliveries`, by what was `found` at their sequences (in rising order) and what was
    /// inserted lately. New ones are noted in `recent`.
    pub fn judge(deliveries: &[(u64, u64)], found: &[Stored], recent: &mut Recent) -> Vec<Fate> {
        let (mut before, mut seen) = (None, Vec::new());
        let fates = deliveries.iter().map(|&(sequence, event_id)| {
            if before.replace(sequence) != Some(sequence) {
                seen.clear();
            }
            if seen.contains(&event_id) {
                return Fate::Known;
            }
            seen.push(event_id);
            match at(found, sequence).iter().find(|stored| stored.event_id == event_id) {
                Some(_) => Fate::Known,
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
