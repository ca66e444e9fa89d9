//! What the archive asks of its tables and of the ledger.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use store::{Insert, Store, Stored, Table, TableRow};

use super::Archive;
use crate::epoch::{Known, at};
use crate::storing::{ask, store_rows};

/// Rows of a rolled-back tail that are remembered at most: three minutes at 5,000 events/s, 25 MB for a short while.
const MAX_TAIL: usize = 1_000_000;

/// An event that was published twice stands within so many sequences of its first place: a publisher has far fewer messages
/// unanswered, and a rolled-back tail is no longer.
const NEAR: u64 = 1_000_000;

/// How old may be what is known of other archivers: what one of them left unacknowledged comes here only after
/// `ack_wait`, which is longer.
const LEDGER_AGE: Duration = Duration::from_secs(1);

impl Archive {
    /// Takes in what other archivers of the durable wrote.
    pub(super) async fn read_ledger(&mut self) {
        if self.ledger_read.elapsed() < LEDGER_AGE {
            return;
        }
        let (store, stream) = (&self.store, &self.stream);
        let tail = ask(&mut self.trouble, "read ledger", || store.ledger_tail(stream)).await;
        if self.progress.adopt(tail) {
            let (store, stream, created_ns) = (&self.store, &self.stream, self.progress.created_ns);
            let query = || store.ledger_epochs(stream, created_ns);
            let epochs = ask(&mut self.trouble, "read ledger", query).await;
            self.progress.learn(&epochs);
        }
        self.ledger_read = Instant::now();
    }

    /// What stands in the table at `sequences`, in rising order.
    pub(crate) async fn look_up(&mut self, table: Table, sequences: &[u64]) -> Vec<Stored> {
        let (store, stream, floor) = (&self.store, &self.stream, self.progress.floor);
        let what = "look up sequences";
        let mut found = ask(&mut self.trouble, what, || store.look_up(table, stream, floor, sequences)).await;
        found.sort_by_key(|stored| stored.stream_sequence);
        found
    }

    /// Looks whether rows are there that were confirmed after a failure or a crash, and inserts those that are not: a
    /// crash of ClickHouse can leave the token of an insert without its rows.
    pub(crate) async fn verify<R>(&mut self, rows: &[R], is_refused: impl Fn(usize) -> bool)
    where
        R: TableRow + Clone + Sync,
        Store: Insert<R>,
    {
        let sequences: Vec<u64> = rows.iter().map(TableRow::stream_sequence).collect();
        let found = self.look_up(R::TABLE, &sequences).await;
        let is_there = |row: &R| {
            at(&found, row.stream_sequence()).iter().any(|stored| stored.event_id == row.event_id())
        };
        let missing = rows.iter().enumerate().filter(|(index, row)| !is_refused(*index) && !is_there(row));
        let missing: Vec<R> = missing.map(|(_, row)| row.clone()).collect();
        if !missing.is_empty() {
            let (stream, rows) = (&self.stream, missing.len());
            tracing::warn!(stream = &**stream, rows, "confirmed rows are missing, inserted again");
            metrics::counter!("sise_archiver_missing_total", "stream" => stream.to_string())
                .increment(rows as u64);
            // Rows that the table refuses were sorted out before.
            let _none = store_rows(&self.store, &missing, 1, &mut self.trouble).await;
        }
    }

    /// Remembers the events around and behind `sequence`: what a publisher may publish again.
    pub(super) async fn remember(&mut self, sequence: u64) {
        let from = sequence.saturating_sub(self.remembered);
        let mut latest = Vec::new();
        for table in Table::ALL {
            let (store, stream, floor) = (&self.store, &self.stream, self.progress.floor);
            let what = "read latest events";
            let query = || store.latest(*table, stream, floor, from, MAX_TAIL);
            latest.extend(ask(&mut self.trouble, what, query).await);
        }
        latest.sort_by_key(|stored| (stored.epoch, stored.stream_sequence));
        self.recent.load(latest.iter().map(|stored| (stored.stream_sequence, stored.event_id)));
        self.trouble.over();
    }

    /// What a table has of events (sequence and event id), in any epoch.
    pub(crate) async fn known(&mut self, table: Table, names: &[(u64, u64)]) -> Known {
        let sequences: Vec<u64> = names.iter().map(|(sequence, _)| *sequence).collect();
        let ids: Vec<u64> = names.iter().map(|(_, event_id)| *event_id).collect();
        let near = sequences.first().map_or(0, |first| first.saturating_sub(NEAR))
            ..=sequences.last().map_or(0, |last| last.saturating_add(NEAR));
        let (store, stream) = (&self.store, &self.stream);
        let what = "look up sequences";
        let mut here = ask(&mut self.trouble, what, || store.look_up(table, stream, 0, &sequences)).await;
        here.sort_by_key(|stored| stored.stream_sequence);
        let what = "look up events";
        let query = || store.look_up_events(table, stream, near.clone(), &ids);
        let elsewhere = ask(&mut self.trouble, what, query).await;
        self.trouble.over();
        Known { here, elsewhere }
    }

    /// The stretches between two sequences with messages in the dead letters.
    pub(crate) async fn set_aside(&mut self, first: u64, last: u64) -> Vec<RangeInclusive<u64>> {
        let (store, stream, floor) = (&self.store, &self.stream, self.progress.floor);
        let query = || store.set_aside(stream, floor, first, last);
        ask(&mut self.trouble, "read ledger", query).await
    }
}
