//! One stream's loop: pull, archive, acknowledge. One batch is in memory, and the next one while there is room for it.

use std::sync::Arc;
use std::time::Duration;

use bus::{BatchLimits, ConsumeError, Consumer, Context, Delivery, NatsSettings};
use process::Shutdown;
use process::ready::Part;
use store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::archive::{Archive, Settled};
use crate::batch::{Batch, span};
use crate::config::ArchiverSettings;
use crate::orders::{Order, Orders};
use crate::storing::Trouble;

/// Pause after the bus refused, before it is asked again.
const PAUSE: Duration = Duration::from_secs(2);

/// The archiver of one stream.
pub struct Worker {
    /// The stream.
    pub stream: Arc<str>,
    /// Section `[archiver]`.
    pub settings: Arc<ArchiverSettings>,
    /// Section `[nats]`, for the dead letters.
    pub nats: NatsSettings,
    /// The bus.
    pub context: Context,
    /// The database.
    pub store: Store,
    /// Batches that all workers together may pull ahead.
    pub ahead: Arc<Semaphore>,
    /// What is to be archived out of its turn.
    pub orders: Orders,
    /// Ready while the stream is consumed.
    pub ready: Part,
}

/// Deliveries in rising order of their sequences, and their rows, which another task makes meanwhile. Not a thread beside the
/// runtime's: the allocator keeps a heap for each, and each would grow as large as the largest batch.
struct Pulled {
    deliveries: Arc<Vec<Delivery>>,
    batch: JoinHandle<Batch>,
}

impl Pulled {
    fn new(stream: &Arc<str>, mut deliveries: Vec<Delivery>) -> Self {
        deliveries.sort_by_key(|delivery| delivery.stream_sequence);
        let deliveries = Arc::new(deliveries);
        let (stream, read) = (Arc::clone(stream), Arc::clone(&deliveries));
        let batch = tokio::spawn(async move { Batch::read(&stream, &read) });
        Self { deliveries, batch }
    }
}

/// The next batch, and the room it takes.
struct Ahead {
    pulled: Result<Pulled, ConsumeError>,
    _memory: Option<OwnedSemaphorePermit>,
}

/// A consumer and the archive behind it.
struct Open {
    consumer: Consumer,
    archive: Archive,
}

impl Worker {
    /// Works until the stop is asked for and what was pulled until then is acknowledged.
    ///
    /// # Errors
    /// When the settings of the bus cannot be meant.
    pub async fn run(mut self, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut told = false;
        while !shutdown.is_requested() {
            let opened = tokio::select! {
                biased;
                () = shutdown.requested() => break,
                opened = self.open() => opened,
            };
            let outcome = match opened {
                Ok(open) => {
                    told = false;
                    self.ready.ready();
                    self.work(open, &shutdown).await?
                }
                Err(error) => Err(error),
            };
            let Err(error) = outcome else { break };
            self.ready.not_ready(format!("{}: {error}", self.stream));
            // Once for each trouble; the client keeps trying.
            if !std::mem::replace(&mut told, true) {
                let stream = &*self.stream;
                if error.is_retryable() {
                    tracing::warn!(stream, %error, "bus does not answer, trying again");
                } else {
                    tracing::error!(stream, %error, "stream cannot be consumed, trying again: see to it");
                }
            }
            tokio::select! {
                () = shutdown.requested() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        Ok(())
    }

    async fn open(&self) -> Result<Open, ConsumeError> {
        let settings = &self.settings;
        let state = bus::stream_state(&self.context, &self.stream).await?;
        let trouble = Trouble::new(&self.stream, settings.retry_max);
        let archive =
            Archive::open(&self.stream, &self.store, &self.nats, state, settings.recent, trouble).await;
        let consumer = Consumer::open(&self.context, &self.stream, &settings.durable).await?;
        let progress = archive.progress();
        tracing::info!(
            stream = &*self.stream,
            epoch = progress.epoch,
            highest = progress.highest,
            last = state.last_sequence,
            "archiving"
        );
        Ok(Open { consumer, archive })
    }

    /// Pulls and archives until the stop is asked for or the consumer must be opened anew.
    async fn work(
        &mut self,
        mut open: Open,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Result<(), ConsumeError>> {
        let mut limits = self.limits(self.settings.bytes);
        let mut ahead: Option<Ahead> = None;
        while !shutdown.is_requested() {
            // One between two batches: neither waits long for the other.
            if let Ok(order) = self.orders.try_recv() {
                self.carry_out(order, &mut open.archive).await;
            }
            let next = match ahead.take() {
                Some(next) => next,
                None => {
                    let began = Instant::now();
                    let pulled = tokio::select! {
                        biased;
                        () = shutdown.requested() => break,
                        Some(order) = self.orders.recv() => {
                            self.carry_out(order, &mut open.archive).await;
                            continue;
                        }
                        pulled = open.consumer.batch(limits) => pulled,
                    };
                    self.filled(&mut open.consumer, pulled, began).await
                }
            };
            match next.pulled {
                Ok(pulled) => ahead = self.archive(&mut open, pulled, true).await?,
                Err(error) => return Ok(Err(error)),
            }
        }
        // What is here already: left behind, it would come again only after `ack_wait`.
        if let Some(Ahead { pulled: Ok(pulled), .. }) = ahead {
            self.archive(&mut open, pulled, false).await?;
        }
        limits.wait = Duration::ZERO;
        if let Ok(pulled) = self.read(open.consumer.batch(limits).await) {
            self.archive(&mut open, pulled, false).await?;
        }
        Ok(Ok(()))
    }

    /// A batch that came full before its time: where there is memory for it, what comes until then belongs to it too.
    /// ClickHouse stores a few large batches for much less than many small ones.
    async fn filled(
        &self,
        consumer: &mut Consumer,
        pulled: Result<Vec<Delivery>, ConsumeError>,
        began: Instant,
    ) -> Ahead {
        let is_full = |deliveries: &Vec<Delivery>| {
            deliveries.iter().map(|delivery| delivery.size()).sum::<usize>() >= self.settings.bytes
        };
        let memory = pulled.as_ref().ok().filter(|deliveries| is_full(deliveries));
        let memory = memory.and_then(|_| Arc::clone(&self.ahead).try_acquire_owned().ok());
        let pulled = match (pulled, &memory) {
            (Ok(mut deliveries), Some(_)) => {
                let bytes = self.settings.bytes_ahead.saturating_sub(self.settings.bytes);
                let messages = self.settings.rows.saturating_sub(deliveries.len());
                // Waits so long for the first, and from then on.
                let wait = self.settings.age.saturating_sub(began.elapsed()) / 2;
                let rest = BatchLimits { messages, bytes, wait };
                match consumer.batch(rest).await {
                    Ok(more) => deliveries.extend(more),
                    // The next pull tells of it; these are here.
                    Err(error) => tracing::debug!(stream = &*self.stream, %error, "no more than one batch"),
                }
                Ok(deliveries)
            }
            (pulled, _) => pulled,
        };
        Ahead { pulled: self.read(pulled), _memory: memory }
    }

    fn read(&self, pulled: Result<Vec<Delivery>, ConsumeError>) -> Result<Pulled, ConsumeError> {
        pulled.map(|deliveries| Pulled::new(&self.stream, deliveries))
    }

    fn limits(&self, bytes: usize) -> BatchLimits {
        BatchLimits { messages: self.settings.rows, bytes, wait: self.settings.age }
    }

    /// Archives a batch and acknowledges it. Meanwhile pulls the next one, if wanted and if there is memory for it; that
    /// may be a larger one, since where a batch waits there are more.
    async fn archive(
        &self,
        open: &mut Open,
        Pulled { deliveries, batch }: Pulled,
        pull_ahead: bool,
    ) -> anyhow::Result<Option<Ahead>> {
        if deliveries.is_empty() {
            return Ok(None);
        }
        let began = Instant::now();
        let (first, last) = span(&deliveries);
        let batch = batch.await?;
        if !batch.unreadable.is_empty() {
            let unreadable = u64::try_from(batch.unreadable.len()).unwrap_or(u64::MAX);
            metrics::counter!("sise_archiver_unreadable_total", "stream" => self.stream.to_string())
                .increment(unreadable);
        }
        let oldest_ns = batch.oldest_live_ns;
        let Open { consumer, archive } = open;
        let mut memory = if pull_ahead { Arc::clone(&self.ahead).try_acquire_owned().ok() } else { None };
        let mut ahead: Option<Ahead> = None;
        let span = tracing::info_span!("batch", stream = &*self.stream, first, last, rows = deliveries.len());
        let mut settling = std::pin::pin!(archive.settle(batch, &deliveries).instrument(span));
        let mut alive = tokio::time::interval_at(Instant::now() + self.half_wait(), self.half_wait());
        let settled = loop {
            tokio::select! {
                settled = &mut settling => break settled?,
                pulled = consumer.batch(self.limits(self.settings.bytes_ahead)), if memory.is_some() => {
                    ahead = Some(Ahead { pulled: self.read(pulled), _memory: memory.take() });
                }
                _ = alive.tick() => {
                    keep_alive(&deliveries).await;
                    if let Some(Ahead { pulled: Ok(Pulled { deliveries, .. }), .. }) = &ahead {
                        keep_alive(deliveries).await;
                    }
                }
            }
        };
        self.count(&deliveries, settled, began);
        if let Some(received_ns) = oldest_ns {
            let delay = u64::try_from(process::clock::now_ns().saturating_sub(received_ns)).unwrap_or(0);
            metrics::histogram!("sise_archiver_stored_delay_seconds", "stream" => self.stream.to_string())
                .record(Duration::from_nanos(delay));
        }
        for delivery in deliveries.iter() {
            if let Err(error) = delivery.ack().await {
                // The connection is closed for good: they come again and are known.
                tracing::warn!(stream = &*self.stream, %error, "acknowledgements lost");
                break;
            }
        }
        Ok(ahead)
    }

    /// Does what was asked for; who asked may be gone meanwhile.
    async fn carry_out(&self, order: Order, archive: &mut Archive) {
        let _asker_gone = match order {
            Order::Replay { first, last, answer } => {
                answer.send(archive.replay(&self.context, first..=last).await).is_err()
            }
            Order::Redrive { message, epoch, answer } => {
                answer.send(archive.redrive(&message, epoch).await).is_err()
            }
        };
    }

    fn half_wait(&self) -> Duration {
        self.settings.ack_wait / 2
    }

    fn count(&self, deliveries: &[Delivery], settled: Settled, began: Instant) {
        let stream = || self.stream.to_string();
        let count = |name: &'static str, number: usize| {
            metrics::counter!(name, "stream" => stream())
                .increment(u64::try_from(number).unwrap_or(u64::MAX));
        };
        let (first, last) = span(deliveries);
        count("sise_archiver_messages_total", deliveries.len());
        count("sise_archiver_rows_total", settled.inserted);
        count("sise_archiver_known_total", settled.known);
        count("sise_archiver_repeated_total", settled.repeated);
        count("sise_archiver_set_aside_total", settled.set_aside);
        metrics::histogram!("sise_archiver_batch_seconds", "stream" => stream()).record(began.elapsed());
        let Settled { inserted, known, repeated, set_aside, epoch } = settled;
        tracing::debug!(
            stream = &*self.stream,
            epoch,
            first,
            last,
            inserted,
            known,
            repeated,
            set_aside,
            ms = began.elapsed().as_millis(),
            "batch archived"
        );
    }
}

/// Tells the server that the messages are at work, so that they are not delivered again.
async fn keep_alive(deliveries: &[Delivery]) {
    for delivery in deliveries {
        if delivery.in_progress().await.is_err() {
            break;
        }
    }
}
