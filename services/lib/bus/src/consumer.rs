//! A durable of a stream to batches of deliveries, each acknowledged by itself.
//!
//! The subscription has a connection of its own. Both are made anew when the server or the network breaks them, and when
//! nothing comes while messages wait; the durable itself is never made or deleted here (`sise streams apply` does).

mod source;
mod state;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::MessagesErrorKind;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use self::source::{Opened, Source};
pub use self::state::{
    BatchLimits, ConsumeError, DurableState, PullSettings, StreamState, durable_state, stream_state,
};
use crate::connect::{NatsSettings, backoff};
use crate::delivery::Delivery;
use crate::message::Pages;

/// A consumer of one durable.
pub struct Consumer {
    source: Source,
    opened: Option<Opened>,
    /// Beside the batches: one may be shorter than it takes.
    opening: Option<AbortOnDropHandle<Result<Opened, ConsumeError>>>,
    /// Taken from the subscription, not yet given out: a batch that was dropped half way loses nothing.
    ready: Vec<Delivery>,
    pages: Pages,
    ready_bytes: usize,
    /// Rebuilds since the last message.
    rebuilds: usize,
    /// When the last message came, or the server was last asked about the silence.
    heard: Instant,
}

impl Consumer {
    /// A consumer of a durable that exists, as the user of `service`.
    ///
    /// # Errors
    /// [`ConsumeError`]; [`ConsumeError::is_retryable`] tells a server that is away from a durable that is missing.
    pub async fn open(
        settings: &NatsSettings,
        service: &str,
        stream: &str,
        durable: &str,
    ) -> Result<Self, ConsumeError> {
        Self::open_with(settings, service, stream, durable, PullSettings::default()).await
    }

    /// As [`Consumer::open`] with other times.
    ///
    /// # Errors
    /// As [`Consumer::open`].
    pub async fn open_with(
        settings: &NatsSettings,
        service: &str,
        stream: &str,
        durable: &str,
        pull: PullSettings,
    ) -> Result<Self, ConsumeError> {
        crate::figures::of_consumer(stream);
        let source = Source::new(settings, service, stream, durable, pull);
        let opened = source.open().await?;
        Ok(Self {
            source,
            opened: Some(opened),
            opening: None,
            ready: Vec::new(),
            pages: Pages::default(),
            ready_bytes: 0,
            rebuilds: 0,
            heard: Instant::now(),
        })
    }

    /// The next messages, up to the limits; none when none came in time. Dropped before it is done, it has taken
    /// nothing.
    ///
    /// # Errors
    /// [`ConsumeError`] when the durable is gone or refuses. A server that is away is waited for: no messages.
    pub async fn batch(&mut self, limits: BatchLimits) -> Result<Vec<Delivery>, ConsumeError> {
        let mut deadline = Instant::now() + limits.wait;
        while self.ready.len() < limits.messages && self.ready_bytes < limits.bytes {
            let Ok(next) = timeout_at(deadline, self.next()).await else { break };
            let Some(delivery) = next? else { continue };
            if self.ready.is_empty() {
                deadline = Instant::now() + limits.wait;
            }
            self.ready_bytes += delivery.size();
            self.ready.push(delivery);
            // What is there already needs no timer.
            while self.ready.len() < limits.messages && self.ready_bytes < limits.bytes {
                let Some(Ok(Some(delivery))) = self.received().now_or_never() else { break };
                self.ready_bytes += delivery.size();
                self.ready.push(delivery);
            }
        }
        if self.ready.is_empty() && self.heard.elapsed() > self.source.pull.silence {
            self.watch().await?;
        }
        self.ready_bytes = 0;
        Ok(std::mem::take(&mut self.ready))
    }

    /// How often the subscription was rebuilt since the last message.
    #[must_use]
    pub fn rebuilds(&self) -> usize {
        self.rebuilds
    }

    /// The name of the stream.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.source.stream
    }

    /// One message, or none after something was mended. Safe to drop.
    async fn next(&mut self) -> Result<Option<Delivery>, ConsumeError> {
        if self.opened.is_none() {
            let (source, pause) = (&self.source, backoff(self.rebuilds));
            let open = || AbortOnDropHandle::new(tokio::spawn(source.clone().open_after(pause)));
            let opened = self.opening.get_or_insert_with(open).await;
            let opened = opened.unwrap_or_else(|error| Err(self.source.away(&error)));
            self.opening = None;
            match opened {
                Ok(opened) => self.opened = Some(opened),
                Err(error) if error.is_retryable() => {
                    self.rebuild("away");
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        let Some(down) = self.opened.as_ref().map(|opened| opened.connection.down.clone()) else {
            return Ok(None);
        };
        tokio::select! {
            biased;
            received = self.received() => received,
            () = down.cancelled() => {
                self.rebuild("disconnected");
                Ok(None)
            }
        }
    }

    /// The same of what is here already: only who waits has to hear of a connection that breaks.
    async fn received(&mut self) -> Result<Option<Delivery>, ConsumeError> {
        let Some(opened) = &mut self.opened else { return Ok(None) };
        match opened.messages.next().await {
            Some(Ok(message)) => Ok(self.take(&message)),
            Some(Err(error)) => match error.kind() {
                MessagesErrorKind::ConsumerDeleted => {
                    self.opened = None;
                    Err(self.source.no_durable())
                }
                MessagesErrorKind::PushBasedConsumer | MessagesErrorKind::RequestLimitExceeded => {
                    self.opened = None;
                    Err(self.source.refused(&error))
                }
                MessagesErrorKind::MissingHeartbeat => {
                    self.rebuild("missing_heartbeat");
                    Ok(None)
                }
                MessagesErrorKind::NoResponders => {
                    self.rebuild("no_responders");
                    Ok(None)
                }
                MessagesErrorKind::Pull | MessagesErrorKind::Other => {
                    self.rebuild("error");
                    Ok(None)
                }
            },
            None => {
                self.rebuild("ended");
                Ok(None)
            }
        }
    }

    fn take(&mut self, message: &Message) -> Option<Delivery> {
        self.heard = Instant::now();
        self.rebuilds = 0;
        let delivery = Delivery::read(message, &mut self.pages, &self.opened.as_ref()?.connection);
        if delivery.is_none() {
            metrics::counter!("sise_bus_foreign_messages_total", "stream" => self.source.stream.clone())
                .increment(1);
        }
        delivery
    }

    /// Leaves the subscription; the next call makes another. Its connection lasts until what it brought is acknowledged.
    fn rebuild(&mut self, reason: &'static str) {
        self.opened = None;
        self.rebuilds += 1;
        metrics::counter!("sise_bus_consumer_rebuilt_total", "stream" => self.source.stream.clone(), "reason" => reason)
            .increment(1);
        // Once a trouble; the next ones are counted.
        if self.rebuilds == 1 {
            let Source { stream, durable, .. } = &self.source;
            tracing::warn!(stream, durable, reason, "pull subscription rebuilt");
        }
    }

    /// Nothing came for long: is there something?
    async fn watch(&mut self) -> Result<(), ConsumeError> {
        self.heard = Instant::now();
        let Some(opened) = &self.opened else { return Ok(()) };
        let info = match self.source.info(opened).await {
            Ok(info) => info,
            Err(error) if error.is_retryable() => return Ok(()),
            Err(error) => return Err(error),
        };
        if info.num_pending == 0 {
            return Ok(());
        }
        let unacknowledged = i64::try_from(info.num_ack_pending).unwrap_or(i64::MAX);
        if info.config.max_ack_pending > 0 && unacknowledged >= info.config.max_ack_pending {
            tracing::warn!(
                stream = self.source.stream,
                unacknowledged,
                "nothing comes before something is acknowledged"
            );
        } else {
            self.rebuild("silent");
        }
        Ok(())
    }
}
