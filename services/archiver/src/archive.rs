//! One stream's way into ClickHouse, effectively once: look up what is doubtful, insert what is new, say what the ledger is
//! to know. What returns from here may be acknowledged as soon as that is written.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{ConnectError, Delivery, NatsSettings, StreamMessage, StreamState};
use store::{Archived, Insert, Store, StoreError, Stored, Table, TableRow};

use crate::batch::{Batch, Lane, span};
use crate::deadletter::DeadLetters;
use crate::epoch::{Fate, Known, NewEpoch, Progress, StreamFacts, at};
use crate::recent::Recent;
use crate::settled::Settled;
use crate::storing::{Trouble, ask, store_rows};
use crate::stretch::{Outcome, stretches};

/// Rows of a rolled-back tail that are remembered at most: three minutes at 5,000 events/s, 25 MB for a short while.
const MAX_TAIL: usize = 1_000_000;

/// An event that was published twice stands within so many sequences of its first place: a publisher has far fewer messages
/// unanswered, and a rolled-back tail is no longer.
const NEAR: u64 = 1_000_000;

/// How old may be what is known of other archivers: what one of them left unacknowledged comes here only after
/// `ack_wait`, which is longer.
const LEDGER_AGE: Duration = Duration::from_secs(1);

/// The archive of one stream.
pub struct Archive {
    stream: Arc<str>,
    store: Store,
    progress: Progress,
    recent: Recent,
    remembered: u64,
    dead_letters: DeadLetters,
    trouble: Trouble,
    ledger_read: Instant,
}

/// The row table, what became of its deliveries, and the refused ones.
struct LaneOutcome {
    refused: Vec<(usize, StoreError)>,
    inserted: usize,
}

impl Archive {
    /// The archive of `stream` as ledger and tables have it. Waits for ClickHouse as long as it takes.
    pub async fn open(
        stream: &Arc<str>,
        store: &Store,
        nats: &NatsSettings,
        state: StreamState,
        remembered: usize,
        mut trouble: Trouble,
    ) -> Self {
        let facts = StreamFacts { created_ns: state.created_ns, last_sequence: state.last_sequence };
        let first = state.first_sequence;
        let tail = ask(&mut trouble, "read ledger", || store.ledger_tail(stream)).await;
        let epochs = ask(&mut trouble, "read ledger", || store.ledger_epochs(stream, facts.created_ns)).await;
        let (mut progress, new_epoch) = Progress::open(facts, tail, &epochs);
        if let Some(reason) = new_epoch {
            alarm(stream, &progress, reason);
        }
        for table in Table::ALL {
            let (floor, above) = (progress.floor, progress.highest);
            let highest =
                ask(&mut trouble, "read table", || store.highest(*table, stream, floor, above)).await;
            progress.reach(highest);
        }
        trouble.over();
        if first > progress.highest.saturating_add(1) {
            crate::lag::discarded_unread(stream, progress.highest.saturating_add(1), first - 1);
        }
        let mut archive = Self {
            stream: Arc::clone(stream),
            store: store.clone(),
            progress,
            recent: Recent::new(remembered),
            remembered: u64::try_from(remembered).unwrap_or(u64::MAX),
            dead_letters: DeadLetters::new(stream, nats),
            trouble,
            ledger_read: Instant::now(),
        };
        let highest = archive.progress.highest;
        archive.remember(facts.last_sequence.min(highest)).await;
        archive
    }

    /// How far the stream is archived.
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The stream.
    pub const fn stream(&self) -> &Arc<str> {
        &self.stream
    }

    /// Where rows go, and the trouble on the way.
    pub(crate) fn storing(&mut self) -> (Store, &mut Trouble) {
        (self.store.clone(), &mut self.trouble)
    }

    /// An event was inserted out of its turn.
    pub(crate) fn remember_one(&mut self, event_id: u64, sequence: u64) {
        self.recent.is_repeated(event_id, sequence);
    }

    /// Deliveries up to here may be known.
    pub(crate) fn advance(&mut self, sequence: u64) {
        self.progress.advance(sequence);
    }

    /// Keeps messages in the dead letters.
    pub(crate) async fn keep_letters(
        &mut self,
        letters: &[(&StreamMessage, String)],
    ) -> Result<(), ConnectError> {
        let timeline = &self.progress.timeline;
        self.dead_letters.keep(letters, |sequence| timeline.epoch_of(sequence)).await
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

    /// Stores a batch; waits for ClickHouse and the dead letters as long as it takes. What it returns is to be written into
    /// the ledger before the deliveries are acknowledged.
    ///
    /// # Errors
    /// When the settings of the bus cannot be meant, which the start should have told.
    pub async fn settle(
        &mut self,
        batch: Batch,
        deliveries: &[Delivery],
    ) -> Result<(Settled, Vec<Archived>), ConnectError> {
        self.read_ledger().await;
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(deliveries.len());
        let Batch { mut trades, mut books, mut statuses, unreadable, oldest_live_ns } = batch;
        let mut settled = Settled { unreadable: unreadable.len(), oldest_live_ns, ..Settled::default() };
        let trades = self.settle_lane(&mut trades, deliveries, &mut outcomes, &mut settled).await;
        let books = self.settle_lane(&mut books, deliveries, &mut outcomes, &mut settled).await;
        let statuses = self.settle_lane(&mut statuses, deliveries, &mut outcomes, &mut settled).await;

        let unreadable = unreadable.iter().map(|(index, reason)| (*index, reason.to_string()));
        let refused = trades.refused.iter().chain(&books.refused).chain(&statuses.refused);
        let refused = refused.map(|(index, error)| (*index, error.to_string()));
        let letters: Vec<(&StreamMessage, String)> = unreadable
            .chain(refused)
            .filter_map(|(index, reason)| Some((deliveries.get(index)?.as_ref(), reason)))
            .collect();
        self.keep_letters(&letters).await?;
        let aside = letters.iter().map(|(message, _)| message.stream_sequence);
        outcomes.extend(aside.map(|sequence| Outcome { sequence, set_aside: true }));
        outcomes.sort_by_key(|outcome| outcome.sequence);
        let stretches = self.stretches(&outcomes);
        self.progress.advance(span(deliveries).1);
        settled.inserted = trades.inserted + books.inserted + statuses.inserted;
        settled.set_aside = letters.len();
        settled.epoch = self.progress.epoch;
        Ok((settled, stretches))
    }

    /// Takes in what other archivers of the durable wrote.
    async fn read_ledger(&mut self) {
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

    /// Stores what is new of one table's rows. `outcomes` gets those that stand in the table now.
    async fn settle_lane<R>(
        &mut self,
        lane: &mut Lane<R>,
        deliveries: &[Delivery],
        outcomes: &mut Vec<Outcome>,
        settled: &mut Settled,
    ) -> LaneOutcome
    where
        R: TableRow + Clone + Sync,
        Store: Insert<R>,
    {
        if lane.rows.is_empty() {
            return LaneOutcome { refused: Vec::new(), inserted: 0 };
        }
        let names = lane.names();
        let doubtful = self.doubtful(&names, &lane.deliveries, deliveries);
        let found = self.look_up(R::TABLE, &doubtful).await;
        if let Some(sequence) = self.progress.reconcile(&names, &found) {
            alarm(&self.stream, &self.progress, NewEpoch::OtherEvent { sequence });
            self.remember(sequence).await;
        }
        let fates = Progress::judge(&names, &found, &mut self.recent);
        for (fate, (sequence, _)) in fates.iter().zip(&names) {
            match fate {
                Fate::New => continue,
                Fate::Known => settled.known += 1,
                Fate::Repeated => settled.repeated += 1,
            }
            outcomes.push(Outcome { sequence: *sequence, set_aside: false });
        }
        lane.keep_new(&fates, |sequence| self.progress.timeline.epoch_of(sequence));

        let refused = store_rows(&self.store, &lane.rows, 0, &mut self.trouble).await;
        let is_refused = |row: usize| refused.iter().any(|(refused, _)| *refused == row);
        if !doubtful.is_empty() || self.trouble.pauses() > 0 {
            self.verify(&lane.rows, is_refused).await;
        }
        self.trouble.over();
        let stored = lane.rows.iter().enumerate().filter(|(row, _)| !is_refused(*row));
        outcomes.extend(stored.map(|(_, row)| Outcome { sequence: row.stream_sequence(), set_aside: false }));
        let inserted = lane.rows.len() - refused.len();
        let refused =
            refused.into_iter().filter_map(|(row, e)| Some((*lane.deliveries.get(row)?, e))).collect();
        LaneOutcome { refused, inserted }
    }

    /// The sequences that must be looked up.
    fn doubtful(&self, names: &[(u64, u64)], indexes: &[usize], deliveries: &[Delivery]) -> Vec<u64> {
        let delivered = |index: &usize| deliveries.get(*index).map_or(1, |delivery| delivery.delivered);
        let doubtful = names
            .iter()
            .zip(indexes)
            .filter(|((sequence, _), index)| self.progress.is_doubtful(*sequence, delivered(index)));
        doubtful.map(|((sequence, _), _)| *sequence).collect()
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
    async fn remember(&mut self, sequence: u64) {
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

    fn stretches(&self, outcomes: &[Outcome]) -> Vec<Archived> {
        let Progress { created_ns, timeline, .. } = &self.progress;
        stretches(&self.stream, *created_ns, timeline, outcomes)
    }

    /// Notes what became of sequences, in rising order, under the epochs they belong to.
    pub(crate) async fn write_ledger(&mut self, outcomes: &[Outcome]) {
        let (store, stretches) = (&self.store, self.stretches(outcomes));
        ask(&mut self.trouble, "write ledger", || store.write_ledger(&stretches)).await;
        self.trouble.over();
    }
}

fn alarm(stream: &str, progress: &Progress, reason: NewEpoch) {
    let (epoch, highest, created_ns) = (progress.epoch, progress.highest, progress.created_ns);
    let (word, sequence) = match reason {
        NewEpoch::OtherEvent { sequence } => (reason.as_str(), sequence),
        NewEpoch::Recreated | NewEpoch::Shortened => (reason.as_str(), 0),
    };
    metrics::counter!("sise_archiver_epochs_total", "stream" => stream.to_owned(), "reason" => word)
        .increment(1);
    tracing::error!(
        stream,
        epoch,
        reason = word,
        sequence,
        highest,
        created_ns,
        "stream was rolled back or made again: a new epoch begins"
    );
}
