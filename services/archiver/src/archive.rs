//! One stream's way into ClickHouse, effectively once: look up what is doubtful, insert what is new, say what the ledger is
//! to know. What returns from here may be acknowledged as soon as that is written.

mod asking;

use std::sync::Arc;
use std::time::Instant;

use bus::{ConnectError, Delivery, NatsSettings, StreamMessage, StreamState};
use store::{Archived, Insert, Store, StoreError, Table, TableRow};

use crate::batch::{Batch, Lane, span};
use crate::deadletter::DeadLetters;
use crate::epoch::{Fate, NewEpoch, Progress, StreamFacts};
use crate::recent::Recent;
use crate::settled::Settled;
use crate::storing::{Trouble, ask, store_rows};
use crate::stretch::{Outcome, stretches};

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

/// What became of the new rows of one table; the refused ones by the index of their delivery.
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
