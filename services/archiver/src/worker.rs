//! One stream's loop: pull, archive, close. One batch is in memory, and the next one while there is room for it; the one
//! before is closed meanwhile, with the room it had.

use std::sync::Arc;
use std::time::Duration;

use bus::{BatchLimits, ConnectError, ConsumeError, Consumer, Context, Delivery, NatsSettings};
use process::Shutdown;
use process::ready::Part;
use store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::alive::{keep_alive, while_at_work};
use crate::archive::Archive;
use crate::batch::span;
use crate::closing::{Closed, Closing};
use crate::config::ArchiverSettings;
use crate::orders::{Order, Orders};
use crate::pulled::Pulled;
use crate::storing::Trouble;

/// Pause after the bus refused, before it is asked again.
const PAUSE: Duration = Duration::from_secs(2);

/// The archiver of one stream.
pub struct Worker {
    /// The stream.
    pub stream: Arc<str>,
    /// Section `[archiver]`.
    pub settings: Arc<ArchiverSettings>,
    /// Section `[nats]`, for the consumer and the dead letters.
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

/// A consumer, the archive behind it, and what ends a batch.
struct Open {
    consumer: Consumer,
    archive: Archive,
    closing: Closing,
    /// For what was pulled ahead and is not given out yet.
    room: Option<OwnedSemaphorePermit>,
}

/// Why a stream is not worked on any longer.
#[derive(Debug, thiserror::Error)]
enum Broken {
    /// The consumer must be opened anew.
    #[error(transparent)]
    Consumer(#[from] ConsumeError),
    /// The settings of the bus cannot be meant.
    #[error(transparent)]
    Settings(#[from] ConnectError),
    /// A fault of ours.
    #[error("a task of the archiver did not end well")]
    Task(#[from] JoinError),
}

impl Worker {
    /// Works until the stop is asked for and what was pulled until then is acknowledged.
    ///
    /// # Errors
    /// When the settings of the bus cannot be meant, or a task did not end well.
    pub async fn run(mut self, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut told = false;
        while !shutdown.is_requested() {
            let opened = tokio::select! {
                biased;
                () = shutdown.requested() => break,
                opened = self.open() => opened,
            };
            let outcome = match opened {
                Ok(mut open) => {
                    told = false;
                    self.ready.ready();
                    self.work(&mut open, &shutdown).await
                }
                Err(error) => Err(error.into()),
            };
            let error = match outcome {
                Ok(()) => break,
                Err(Broken::Consumer(error)) => error,
                Err(error) => return Err(error.into()),
            };
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
        let trouble = || Trouble::new(&self.stream, settings.retry_max);
        let archive =
            Archive::open(&self.stream, &self.store, &self.nats, state, settings.recent, trouble()).await;
        let closing = Closing::new(&self.stream, &self.store, self.report_every(), trouble());
        let consumer = Consumer::open(&self.nats, "archiver", &self.stream, &settings.durable).await?;
        let progress = archive.progress();
        tracing::info!(
            stream = &*self.stream,
            epoch = progress.epoch,
            highest = progress.highest,
            last = state.last_sequence,
            "archiving"
        );
        Ok(Open { consumer, archive, closing, room: None })
    }

    /// Pulls and archives until the stop is asked for or the consumer must be opened anew.
    async fn work(&mut self, open: &mut Open, shutdown: &Shutdown) -> Result<(), Broken> {
        let outcome = self.until(open, shutdown).await;
        if matches!(outcome, Ok(()) | Err(Broken::Consumer(_))) {
            // Whoever opens the stream anew finds the ledger written.
            open.closing.closed().await?;
        }
        outcome
    }

    async fn until(&mut self, open: &mut Open, shutdown: &Shutdown) -> Result<(), Broken> {
        let mut next: Option<Pulled> = None;
        while !shutdown.is_requested() {
            // One between two batches: neither waits long for the other.
            if let Ok(order) = self.orders.try_recv() {
                self.carry_out(order, open, next.as_ref()).await?;
            }
            if let Some(pulled) = next.take() {
                next = self.archive(open, pulled, true).await?;
                continue;
            }
            let (began, limits) = (Instant::now(), self.limits(self.settings.bytes));
            let pulled = tokio::select! {
                biased;
                () = shutdown.requested() => break,
                Some(order) = self.orders.recv() => {
                    self.carry_out(order, open, None).await?;
                    continue;
                }
                pulled = open.consumer.batch(limits) => pulled,
            };
            next = self.filled(open, pulled?, began, shutdown).await;
        }
        // What is here already: left behind, it would come again only after `ack_wait`.
        let limits = BatchLimits { wait: Duration::ZERO, ..self.limits(self.settings.bytes) };
        let here = open.consumer.batch(limits).await.unwrap_or_default();
        let here = Pulled::read(&self.stream, here, open.room.take());
        for pulled in next.into_iter().chain(here) {
            self.archive(open, pulled, false).await?;
        }
        Ok(())
    }

    /// A batch that came full before its time: where there is memory for it, what comes until then belongs to it too.
    /// ClickHouse stores a few large batches for much less than many small ones.
    async fn filled(
        &self,
        Open { consumer, room, .. }: &mut Open,
        mut deliveries: Vec<Delivery>,
        began: Instant,
        shutdown: &Shutdown,
    ) -> Option<Pulled> {
        let bytes: usize = deliveries.iter().map(|delivery| delivery.size()).sum();
        let is_full = bytes >= self.settings.bytes;
        let more_room = || Arc::clone(&self.ahead).try_acquire_owned().ok();
        let memory = room.take().filter(|_| is_full).or_else(|| is_full.then(more_room).flatten());
        if memory.is_some() {
            let rest = BatchLimits {
                messages: self.settings.rows.saturating_sub(deliveries.len()),
                bytes: self.settings.bytes_ahead.saturating_sub(bytes),
                // Waits so long for the first, and from then on.
                wait: self.settings.age.saturating_sub(began.elapsed()) / 2,
            };
            let more = tokio::select! {
                biased;
                () = shutdown.requested() => Ok(Vec::new()),
                more = consumer.batch(rest) => more,
            };
            match more {
                Ok(more) => deliveries.extend(more),
                // The next pull tells of it; these are here.
                Err(error) => tracing::debug!(stream = &*self.stream, %error, "no more than one batch"),
            }
        }
        Pulled::read(&self.stream, deliveries, memory)
    }

    fn limits(&self, bytes: usize) -> BatchLimits {
        BatchLimits { messages: self.settings.rows, bytes, wait: self.settings.age }
    }

    /// Archives a batch and begins to close it. Meanwhile pulls the next one, if wanted and as soon as there is memory for
    /// it; that may be a larger one, since where a batch waits there are more.
    async fn archive(
        &self,
        open: &mut Open,
        pulled: Pulled,
        pull_ahead: bool,
    ) -> Result<Option<Pulled>, Broken> {
        let began = Instant::now();
        let (deliveries, memory, batch) = pulled.rows().await?;
        let (first, last) = span(&deliveries);
        let Open { consumer, archive, closing, room } = open;
        let span = tracing::info_span!("batch", stream = &*self.stream, first, last, rows = deliveries.len());
        let settle = async {
            let (settled, stretches) = archive.settle(batch, &deliveries).instrument(span).await?;
            settled.count(&self.stream, &deliveries, began.elapsed());
            closing.begin(Closed { stretches, deliveries: Arc::clone(&deliveries), memory }).await?;
            Ok::<_, Broken>(())
        };
        let mut settling = std::pin::pin!(while_at_work(Box::pin(settle), self.report_every(), &deliveries));
        let mut pull = std::pin::pin!(async {
            if room.is_none() {
                // Never closed.
                *room = Arc::clone(&self.ahead).acquire_owned().await.ok();
            }
            let pulled = consumer.batch(self.limits(self.settings.bytes_ahead)).await;
            let memory = room.take();
            pulled.map(|deliveries| Pulled::read(&self.stream, deliveries, memory))
        });
        let mut ahead = None;
        let mut alive = tokio::time::interval_at(Instant::now() + self.report_every(), self.report_every());
        loop {
            tokio::select! {
                settled = &mut settling => break settled?,
                pulled = &mut pull, if pull_ahead && ahead.is_none() => ahead = Some(pulled),
                _ = alive.tick() => {
                    if let Some(Ok(Some(pulled))) = &ahead {
                        keep_alive(&pulled.deliveries).await;
                    }
                }
            }
        }
        Ok(ahead.transpose()?.flatten())
    }

    /// Does what was asked for, on what is closed; who asked may be gone meanwhile. What is pulled already waits.
    async fn carry_out(
        &self,
        order: Order,
        open: &mut Open,
        waiting: Option<&Pulled>,
    ) -> Result<(), JoinError> {
        let Open { archive, closing, .. } = open;
        let work = async {
            closing.closed().await?;
            let _asker_gone = match order {
                Order::Replay { first, last, answer } => {
                    answer.send(archive.replay(&self.context, first..=last).await).is_err()
                }
                Order::Redrive { message, epoch, answer } => {
                    answer.send(archive.redrive(&message, epoch).await).is_err()
                }
            };
            Ok(())
        };
        let waiting = waiting.map_or(&[][..], |pulled| &pulled.deliveries);
        while_at_work(work, self.report_every(), waiting).await
    }

    /// How often messages at work are reported as such: a batch waits, is stored and is closed, and no two of these
    /// together pass `ack_wait` unreported.
    fn report_every(&self) -> Duration {
        self.settings.ack_wait / 4
    }
}
