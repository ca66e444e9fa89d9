//! Messages into the archive out of their turn: what a stream still holds and the tables lack, and dead letters that can
//! be archived now.
//!
//! Runs in the worker of the stream, between its batches, so that nothing is inserted beside it. A message is known by
//! its sequence and event id, or by its event id near by (published twice); everything else is inserted, verified and
//! written into the ledger like a batch. Running it twice changes nothing.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bus::{ConnectError, Context, StreamMessage};
use futures_util::{StreamExt as _, TryStreamExt as _};
use store::{Insert, Store, Table, TableRow};

use crate::archive::Archive;
use crate::batch::{Batch, Lane};
use crate::epoch::{Fate, at};
use crate::storing::store_rows;
use crate::stretch::Outcome;

/// Sequences looked at in one go: their messages are in memory together, about half a megabyte.
const CHUNK: u64 = 1_000;
/// Messages asked for at once: the round trip is hidden, the server is not pressed.
const READS: usize = 32;

/// What became of a stretch of a stream.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Replayed {
    /// Sequences that stood in a table already, at this sequence or published twice.
    pub there: u64,
    /// Rows inserted.
    pub inserted: u64,
    /// Messages that cannot be rows: in the dead letters, now or before.
    pub set_aside: u64,
    /// Stretches that the stream does not hold any more and no table has.
    pub gone: Vec<(u64, u64)>,
}

/// What became of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redriven {
    /// Inserted.
    Archived,
    /// It stood in a table already.
    Known,
    /// It is still no event, or no row of this version's tables.
    Refused(String),
}

/// Why a stretch was not replayed to its end.
#[derive(Debug, thiserror::Error)]
pub enum RefillError {
    /// A message cannot be read.
    #[error(transparent)]
    Read(#[from] bus::ReadError),
    /// Dead letters cannot be kept.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// What became of messages.
#[derive(Debug, Default)]
struct Refilled {
    inserted: u64,
    known: u64,
    /// By index, with the reason.
    refused: Vec<(usize, String)>,
    outcomes: Vec<Outcome>,
}

impl Archive {
    /// Inserts what the stream holds in the stretch and no table has. Waits for ClickHouse as long as it takes.
    ///
    /// # Errors
    /// [`RefillError`]; what was done before stands.
    pub async fn replay(
        &mut self,
        context: &Context,
        sequences: RangeInclusive<u64>,
    ) -> Result<Replayed, RefillError> {
        let mut replayed = Replayed::default();
        let (mut first, last) = (*sequences.start(), *sequences.end());
        while first <= last {
            let end = last.min(first.saturating_add(CHUNK - 1));
            self.replay_chunk(context, first..=end, &mut replayed).await?;
            first = end.saturating_add(1);
            if end == u64::MAX {
                break;
            }
        }
        Ok(replayed)
    }

    async fn replay_chunk(
        &mut self,
        context: &Context,
        chunk: RangeInclusive<u64>,
        replayed: &mut Replayed,
    ) -> Result<(), RefillError> {
        let timeline = self.progress().timeline.clone();
        let all: Vec<u64> = chunk.clone().collect();
        let mut there: Vec<u64> = Vec::new();
        for table in Table::ALL {
            let found = self.look_up(*table, &all).await;
            // A row of an earlier epoch at this sequence may be of another event.
            let found = found.iter().filter(|stored| {
                chunk.contains(&stored.stream_sequence)
                    && stored.epoch == timeline.epoch_of(stored.stream_sequence)
            });
            there.extend(found.map(|stored| stored.stream_sequence));
        }
        there.sort_unstable();
        there.dedup();
        let lacking: Vec<u64> =
            all.into_iter().filter(|sequence| there.binary_search(sequence).is_err()).collect();
        replayed.there += u64::try_from(there.len()).unwrap_or(u64::MAX);
        // The ledger may lack what a table has: a crash came between the two.
        self.note(there.into_iter().map(|sequence| Outcome { sequence, set_aside: false }).collect()).await;

        let stream = Arc::clone(self.stream());
        let reads = lacking.clone().into_iter().map(|sequence| {
            let (context, stream) = (context.clone(), Arc::clone(&stream));
            async move { bus::read_message(&context, &stream, sequence).await }
        });
        // Boxed: the compiler cannot see that a stream of borrowing closures may move between threads.
        let reads = futures_util::stream::iter(reads).buffered(READS).boxed();
        let read: Vec<Option<StreamMessage>> = reads.try_collect().await?;
        for (sequence, _) in lacking.iter().zip(&read).filter(|(_, message)| message.is_none()) {
            match replayed.gone.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(*sequence) => *last = *sequence,
                _ => replayed.gone.push((*sequence, *sequence)),
            }
        }
        let messages: Vec<StreamMessage> = read.into_iter().flatten().collect();
        if messages.is_empty() {
            return Ok(());
        }
        let mut refilled = self.refill(&messages, None).await;
        replayed.there += refilled.known;
        replayed.inserted += refilled.inserted;
        replayed.set_aside += u64::try_from(refilled.refused.len()).unwrap_or(u64::MAX);

        let aside = self.set_aside(*chunk.start(), *chunk.end()).await;
        let kept =
            |message: &StreamMessage| aside.iter().any(|range| range.contains(&message.stream_sequence));
        let letters: Vec<(&StreamMessage, String)> = refilled
            .refused
            .into_iter()
            .filter_map(|(index, reason)| Some((messages.get(index)?, reason)))
            .filter(|(message, _)| !kept(message))
            .collect();
        self.keep_letters(&letters).await?;
        let new = letters.iter().map(|(message, _)| message.stream_sequence);
        refilled.outcomes.extend(new.map(|sequence| Outcome { sequence, set_aside: true }));
        self.note(refilled.outcomes).await;
        self.advance(messages.last().map_or(0, |message| message.stream_sequence));
        Ok(())
    }

    /// Archives a message that was set aside, under the epoch that its stream had then.
    pub async fn redrive(&mut self, message: &StreamMessage, epoch: Option<u32>) -> Redriven {
        // The ledger has its sequence since it was set aside, and what stands there now may be another message.
        let mut refilled = self.refill(std::slice::from_ref(message), epoch).await;
        match refilled.refused.pop() {
            Some((_, reason)) => Redriven::Refused(reason),
            None if refilled.inserted == 0 => Redriven::Known,
            None => Redriven::Archived,
        }
    }

    /// Inserts what no table has of `messages`, which are in rising order of their sequences; under `epoch` if it is
    /// given, else each under that of its sequence.
    async fn refill(&mut self, messages: &[StreamMessage], epoch: Option<u32>) -> Refilled {
        let Batch { mut trades, mut books, mut statuses, unreadable, .. } =
            Batch::read(self.stream(), messages);
        let mut refilled = Refilled::default();
        let reasons = unreadable.into_iter().map(|(index, error)| (index, error.to_string()));
        refilled.refused.extend(reasons);
        self.refill_lane(&mut trades, epoch, &mut refilled).await;
        self.refill_lane(&mut books, epoch, &mut refilled).await;
        self.refill_lane(&mut statuses, epoch, &mut refilled).await;
        refilled
    }

    async fn refill_lane<R>(&mut self, lane: &mut Lane<R>, epoch: Option<u32>, refilled: &mut Refilled)
    where
        R: TableRow + Clone + Sync,
        Store: Insert<R>,
    {
        if lane.rows.is_empty() {
            return;
        }
        let names = lane.names();
        let found = self.known(R::TABLE, &names).await;
        let fates: Vec<Fate> = names
            .iter()
            .map(|(sequence, event_id)| {
                let here = at(&found.here, *sequence).iter().find(|stored| stored.event_id == *event_id);
                match here {
                    Some(_) => Fate::Known,
                    None if found.elsewhere.iter().any(|stored| stored.event_id == *event_id) => {
                        Fate::Repeated
                    }
                    None => Fate::New,
                }
            })
            .collect();
        for (_, (sequence, _)) in fates.iter().zip(&names).filter(|(fate, _)| **fate != Fate::New) {
            refilled.known += 1;
            refilled.outcomes.push(Outcome { sequence: *sequence, set_aside: false });
        }
        let timeline = &self.progress().timeline;
        lane.keep_new(&fates, |sequence| epoch.unwrap_or_else(|| timeline.epoch_of(sequence)));
        let refused = self.store_verified(&lane.rows).await;
        for (index, row) in lane.rows.iter().enumerate() {
            if !refused.iter().any(|(refused, _)| *refused == index) {
                refilled.inserted += 1;
                let sequence = row.stream_sequence();
                refilled.outcomes.push(Outcome { sequence, set_aside: false });
            }
        }
        let reasons = refused.into_iter();
        refilled
            .refused
            .extend(reasons.filter_map(|(row, error)| Some((*lane.deliveries.get(row)?, error.to_string()))));
    }

    /// Inserts rows and looks whether they are there: a token of an earlier insert may swallow them.
    async fn store_verified<R>(&mut self, rows: &[R]) -> Vec<(usize, store::StoreError)>
    where
        R: TableRow + Clone + Sync,
        Store: Insert<R>,
    {
        if rows.is_empty() {
            return Vec::new();
        }
        let (store, trouble) = self.storing();
        let refused = store_rows(&store, rows, 0, trouble).await;
        self.verify(rows, |row| refused.iter().any(|(refused, _)| *refused == row)).await;
        for row in rows {
            self.remember_one(row.event_id(), row.stream_sequence());
        }
        refused
    }

    async fn note(&mut self, mut outcomes: Vec<Outcome>) {
        outcomes.sort_by_key(|outcome| outcome.sequence);
        self.write_ledger(&outcomes).await;
    }
}
