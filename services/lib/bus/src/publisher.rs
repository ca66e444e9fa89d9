//! Messages to JetStream: each with its id, pipelined, and forgotten only when the server has stored it.
//!
//! At most a window of messages is unacknowledged. What fails or is not answered is sent again with the same id, and
//! everything behind it too, in order: the server drops those it has (within its duplicate window; the archive drops
//! the rest). When the connection breaks a new one is made, so that nothing can overtake. A publisher never gives up:
//! what stands in the way is logged once, counted, and tried again with a growing pause.
//!
//! A server may lose what it acknowledged: power failed, or its store was put back to an earlier copy. A publisher that
//! was made with [`Publisher::remembering`] looks at every new connection, before anything is sent, whether the newest
//! message of each stream is still there, and says from where to publish again ([`Rewind`]) when it is not.

mod checkpoints;
mod memory;
mod outgoing;
mod session;
mod trouble;
mod verify;
mod window;

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use metrics::{Counter, Gauge, Histogram};

pub use self::checkpoints::Checkpoint;
use self::memory::Memory;
pub use self::memory::{Rewind, RolledBack};
pub use self::outgoing::{MAX_MESSAGE, Outgoing, PublishError};
use self::session::{Reply, Session, Stored};
pub use self::trouble::Trouble;
use self::trouble::{Standstill, Telling};
use self::verify::{Lost, verify};
use self::window::Window;
use crate::connect::{ConnectError, NatsSettings, backoff};

/// What was left when the time was over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{left} messages are not acknowledged: {trouble}", trouble = trouble.as_ref().map_or("time is over".into(), ToString::to_string))]
pub struct DrainError {
    /// How many messages.
    pub left: usize,
    /// What stands in the way, if known.
    pub trouble: Option<Trouble>,
}

type Opening = Pin<Box<dyn Future<Output = Result<(Session, Vec<Lost>), Trouble>> + Send>>;

/// A publisher: one connection of its own, one window. `T` travels with each message, for example its journal position.
pub struct Publisher<T> {
    settings: NatsSettings,
    service: String,
    ack_timeout: Duration,
    window: Window<T>,
    /// None when nobody could publish again.
    memory: Option<Memory<T>>,
    session: Option<Session>,
    opening: Option<Opening>,
    /// Counts the sendings of the window: an answer of an earlier one is no news when it is bad.
    round: u64,
    /// Failures since the front of the window last moved.
    failures: usize,
    /// Nothing is sent until then.
    paused: Option<Instant>,
    /// What stands in the way.
    standing: Option<Standstill>,
    metrics: Metrics,
}

struct Metrics {
    published: Counter,
    acknowledged: Counter,
    duplicates: Counter,
    ack_seconds: Histogram,
    window: Gauge,
}

impl<T: Copy + Ord + Send + Sync + 'static> Publisher<T> {
    /// A publisher of `service`. Connects when it is first used, and waits for a server that is away.
    ///
    /// # Errors
    /// [`ConnectError`] when the settings cannot be meant.
    pub fn new(settings: &NatsSettings, service: &str) -> Result<Self, ConnectError> {
        settings.check()?;
        crate::figures::of_publisher();
        Ok(Self {
            settings: settings.clone(),
            service: service.to_owned(),
            ack_timeout: Duration::from_millis(settings.ack_timeout_ms),
            window: Window::new(),
            memory: None,
            session: None,
            opening: None,
            round: 0,
            failures: 0,
            paused: None,
            standing: None,
            metrics: Metrics {
                published: metrics::counter!("sise_bus_published_total"),
                acknowledged: metrics::counter!("sise_bus_acknowledged_total"),
                duplicates: metrics::counter!("sise_bus_duplicates_total"),
                ack_seconds: metrics::histogram!("sise_bus_ack_seconds"),
                window: metrics::gauge!("sise_bus_window_messages"),
            },
        })
    }

    /// As [`Publisher::new`], with a memory of what is stored, beginning with the `saved` checkpoints of an earlier
    /// process. The tags must rise, and whoever hands messages over must heed [`Publisher::take_rewind`].
    ///
    /// # Errors
    /// [`ConnectError`] when the settings cannot be meant.
    pub fn remembering(
        settings: &NatsSettings,
        service: &str,
        saved: Vec<Checkpoint<T>>,
    ) -> Result<Self, ConnectError> {
        Ok(Self { memory: Some(Memory::new(saved)), ..Self::new(settings, service)? })
    }

    /// What is to be saved beside the acknowledged tag: for each stream it was published to, a few dozen messages.
    pub fn checkpoints(&self) -> impl Iterator<Item = &Checkpoint<T>> {
        self.memory.iter().flat_map(|memory| memory.checkpoints.all())
    }

    /// Whether the server has forgotten. Until [`Publisher::take_rewind`] all that is handed over is dropped: it comes
    /// again.
    #[must_use]
    pub fn must_rewind(&self) -> bool {
        self.memory.as_ref().is_some_and(|memory| memory.rewind.is_some())
    }

    /// From where on to hand the messages over again, in order: what was in flight is dropped. Once for each loss.
    pub fn take_rewind(&mut self) -> Option<Rewind<T>> {
        self.memory.as_mut()?.rewind.take()
    }

    /// Hands a message over; waits while the window is full. Dropped before it is done, it has taken nothing.
    ///
    /// # Errors
    /// [`PublishError`] for a message that no server would ever take; everything else is tried until it succeeds.
    pub async fn publish(&mut self, outgoing: Outgoing, tag: T) -> Result<(), PublishError> {
        let outgoing = outgoing.checked()?;
        while !self.has_room() {
            self.step().await;
        }
        if let Some(memory) = &self.memory
            && (memory.rewind.is_some() || memory.stands(&outgoing.subject, tag))
        {
            return Ok(());
        }
        self.window.push(outgoing, tag);
        self.show_window();
        // No waiting from here on: what the connection does not take now goes with the next step.
        if let Some(Err(trouble)) = self.send().now_or_never() {
            self.failed(trouble);
        }
        self.take_replies();
        Ok(())
    }

    /// Whether [`Publisher::publish`] would take a message without waiting.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.window.messages() < self.settings.window_messages
            && self.window.bytes() < self.settings.window_bytes
    }

    /// The tag up to which every message is stored; none until the first is, also after a rewind.
    #[must_use]
    pub fn acknowledged(&self) -> Option<T> {
        self.window.acknowledged()
    }

    /// How many messages are not known to be stored.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.window.messages()
    }

    /// What stands in the way, if anything.
    #[must_use]
    pub fn trouble(&self) -> Option<&Trouble> {
        self.standing.as_ref().map(|standing| &standing.trouble)
    }

    /// Whether messages would go out now; if not, why.
    ///
    /// # Errors
    /// One word: the reason of the trouble, or that there is no connection yet.
    pub fn goes_on(&self) -> Result<(), &'static str> {
        match (self.trouble(), &self.session) {
            (Some(trouble), _) => Err(trouble.reason()),
            (None, None) => Err("not_connected"),
            (None, Some(_)) => Ok(()),
        }
    }

    /// Works until more is acknowledged than before, or the server turns out to have forgotten; with nothing in flight it
    /// keeps the connection and does not return.
    /// Safe to drop: made for `select!` beside the source of messages.
    pub async fn progress(&mut self) {
        let before = self.window.front();
        while self.window.front() == before && !self.must_rewind() {
            self.step().await;
        }
    }

    /// Waits until everything is acknowledged, at most until `deadline`. Nothing is in flight when the server has
    /// forgotten: see [`Publisher::must_rewind`].
    ///
    /// # Errors
    /// [`DrainError`] with what is left; it stays in the window.
    pub async fn drain(&mut self, deadline: tokio::time::Instant) -> Result<(), DrainError> {
        while self.window.messages() > 0 {
            if tokio::time::timeout_at(deadline, self.step()).await.is_err() {
                let trouble = self.trouble().cloned();
                return Err(DrainError { left: self.window.messages(), trouble });
            }
        }
        Ok(())
    }

    /// One wait and what comes of it. Safe to drop at any moment: all state is in `self`.
    async fn step(&mut self) {
        let Some(session) = &self.session else { return self.open().await };
        let (down, timeout, paused) = (session.down.clone(), self.ack_timeout, self.paused);
        let sent = tokio::select! {
            biased;
            sent = self.send() => sent,
            () = down.cancelled() => Err(lost()),
            // The connection takes nothing: the server is stalled.
            () = tokio::time::sleep(timeout) => Err(Trouble::Timeout),
        };
        if let Err(trouble) = sent {
            return self.failed(trouble);
        }
        let oldest = self.window.oldest_sent().map(|sent| sent + timeout);
        let Some(session) = &mut self.session else { return };
        tokio::select! {
            reply = session.reply() => match reply {
                Some(reply) => {
                    self.book(reply);
                    self.take_replies();
                }
                None => self.failed(lost()),
            },
            () = down.cancelled() => self.failed(lost()),
            () = until(oldest), if paused.is_none() => self.failed(Trouble::Timeout),
            () = until(paused), if paused.is_some() => self.send_again(false),
        }
    }

    /// Makes a connection, after a pause when the last attempts failed, and looks what the server still has.
    async fn open(&mut self) {
        let opening = self.opening.get_or_insert_with(|| {
            let (settings, service, wait) =
                (self.settings.clone(), self.service.clone(), backoff(self.failures));
            let tracks = self.memory.as_ref().map(|memory| memory.checkpoints.tracks().to_vec());
            let timeout = self.ack_timeout;
            Box::pin(async move {
                tokio::time::sleep(wait).await;
                let session = Session::open(&settings, &service).await.map_err(|error| match error {
                    ConnectError::Credentials { .. } => Trouble::Credentials,
                    error => Trouble::Disconnected { problem: error.to_string() },
                })?;
                let lost = verify(session.context(), timeout, tracks.unwrap_or_default()).await?;
                Ok((session, lost))
            })
        });
        let opened = opening.await;
        self.opening = None;
        match opened {
            Ok((session, lost)) => {
                self.session = Some(session);
                self.forgotten(&lost);
                self.send_again(true);
                if self.window.messages() == 0 {
                    self.failures = self.failures.min(1);
                    self.recovered();
                } else if let Some(Trouble::Disconnected { .. } | Trouble::Credentials) = self.trouble() {
                    self.recovered();
                }
            }
            Err(trouble) => self.failed(trouble),
        }
    }

    /// Drops what is in flight when acknowledged messages are gone: they must come before it.
    fn forgotten(&mut self, lost: &[Lost]) {
        let Some(memory) = self.memory.as_mut().filter(|_| !lost.is_empty()) else { return };
        memory.roll_back(lost);
        self.window.clear();
        self.metrics.window.set(0);
        for stream in memory.rewind.iter().flat_map(|rewind| &rewind.streams) {
            metrics::counter!("sise_bus_rolled_back_total").increment(1);
            tracing::error!(
                service = self.service,
                stream = %stream.stream,
                acknowledged = stream.acknowledged,
                standing = stream.standing,
                last_sequence = stream.last_sequence,
                "server has lost acknowledged messages: they are published again"
            );
        }
    }

    /// Sends what is to be sent. Safe to drop: a message is marked as sent when the connection has it.
    async fn send(&mut self) -> Result<(), Trouble> {
        let (Some(session), None) = (&self.session, self.paused) else { return Ok(()) };
        while let Some((number, outgoing)) = self.window.next_unsent() {
            session.send(self.round, number, outgoing).await?;
            self.window.sent(Instant::now());
            self.metrics.published.increment(1);
        }
        Ok(())
    }

    fn take_replies(&mut self) {
        while let Some(reply) = self.session.as_mut().and_then(Session::reply_now) {
            self.book(reply);
        }
    }

    fn book(&mut self, reply: Reply) {
        match reply.outcome {
            Ok(stored) => self.stored(reply.number, stored),
            // One pause a round; what was sent before the last pause has been sent again since.
            Err(trouble) if reply.round == self.round && self.paused.is_none() => self.failed(trouble),
            Err(_) => {}
        }
    }

    fn stored(&mut self, number: u64, Stored { place, duplicate }: Stored) {
        let memory = &mut self.memory;
        if !duplicate && memory.as_ref().is_some_and(|memory| memory.is_given_again(&place)) {
            // The stream was made again under this connection: the next one looks what is there.
            let problem = format!("{} gives sequence {} out again", place.stream, place.sequence);
            return self.failed(Trouble::Disconnected { problem });
        }
        let sent = self.window.stored(number, place, |place, message_id, tag| {
            if let Some(memory) = memory {
                memory.stored(place, message_id, tag);
            }
        });
        let Some(sent) = sent else { return };
        self.show_window();
        self.metrics.ack_seconds.record(sent.elapsed());
        self.metrics.acknowledged.increment(1);
        self.metrics.duplicates.increment(u64::from(duplicate));
        if self.failures > 0
            && self.standing.as_ref().is_none_or(|standing| self.window.front() > standing.front)
        {
            self.failures = 0;
            self.recovered();
        }
    }

    /// Notes what stands in the way and pauses; a broken connection is left.
    fn failed(&mut self, trouble: Trouble) {
        if trouble.of_the_connection() {
            self.session = None;
        }
        self.failures += 1;
        self.paused = Some(Instant::now() + backoff(self.failures));
        metrics::counter!("sise_bus_publish_trouble_total", "reason" => trouble.reason()).increment(1);
        let (service, reason, in_flight) = (&self.service, trouble.reason(), self.window.messages());
        let (standing, telling) =
            Standstill::met(self.standing.take(), trouble, self.window.front(), Instant::now());
        match telling {
            Some(Telling::Error) => {
                tracing::error!(service, reason, in_flight, error = %standing.trouble, "publishing stands still");
            }
            Some(Telling::Warning) => {
                tracing::warn!(service, reason, in_flight, error = %standing.trouble, "publishing stands still");
            }
            None => {}
        }
        self.standing = Some(standing);
    }

    /// After a pause or on a new connection: everything unacknowledged goes again, in order, as a new round.
    fn send_again(&mut self, new_connection: bool) {
        self.paused = None;
        self.round += 1;
        let under_way = if new_connection { self.window.rewind_all() } else { self.window.rewind() };
        let reason = self.trouble().map_or("none", Trouble::reason);
        if under_way > 0 {
            metrics::counter!("sise_bus_publish_retried_total", "reason" => reason).increment(under_way);
        }
    }

    fn show_window(&self) {
        self.metrics.window.set(u32::try_from(self.window.messages()).unwrap_or(u32::MAX));
    }

    fn recovered(&mut self) {
        if self.standing.take().is_some() {
            tracing::info!(service = self.service, in_flight = self.window.messages(), "publishing goes on");
        }
    }
}

fn lost() -> Trouble {
    Trouble::Disconnected { problem: "connection lost".into() }
}

/// Waits until the instant; for ever without one.
async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}
