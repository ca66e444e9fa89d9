//! A durable of a stream to batches of deliveries, each acknowledged by itself.
//!
//! The subscription behind it is rebuilt when the server or the network breaks it, and when it is silent while
//! messages wait; the durable itself is never made or deleted here (`sise streams apply` does).

mod state;

use std::sync::Arc;

use async_nats::Client;
use async_nats::jetstream::consumer::pull::{self, MessagesErrorKind};
use async_nats::jetstream::consumer::{Info, PullConsumer};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::ConsumerErrorKind;
use async_nats::jetstream::{Context, ErrorCode, Message};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, timeout_at};

pub use self::state::{
    BatchLimits, ConsumeError, DurableState, PullSettings, StreamState, durable_state, stream_state,
};
use crate::connect::backoff;
use crate::delivery::Delivery;

/// A consumer of one durable.
pub struct Consumer {
    context: Context,
    stream: String,
    durable: String,
    pull: PullSettings,
    /// For acknowledgements: one for all deliveries.
    client: Arc<Client>,
    messages: Option<pull::Stream>,
    /// Taken from the subscription, not yet given out: a batch that was dropped half way loses nothing.
    ready: Vec<Delivery>,
    ready_bytes: usize,
    /// Rebuilds since the last message.
    rebuilds: usize,
    /// When the last message came, or the server was last asked about the silence.
    heard: Instant,
}

impl Consumer {
    /// A consumer of a durable that exists.
    ///
    /// # Errors
    /// [`ConsumeError`]; [`ConsumeError::is_retryable`] tells a server that is away from a durable that is missing.
    pub async fn open(context: &Context, stream: &str, durable: &str) -> Result<Self, ConsumeError> {
        Self::open_with(context, stream, durable, PullSettings::default()).await
    }

    /// As [`Consumer::open`] with other times.
    ///
    /// # Errors
    /// As [`Consumer::open`].
    pub async fn open_with(
        context: &Context,
        stream: &str,
        durable: &str,
        pull: PullSettings,
    ) -> Result<Self, ConsumeError> {
        crate::figures::of_consumer(stream);
        let mut consumer = Self {
            context: context.clone(),
            stream: stream.to_owned(),
            durable: durable.to_owned(),
            pull,
            client: Arc::new(context.client()),
            messages: None,
            ready: Vec::new(),
            ready_bytes: 0,
            rebuilds: 0,
            heard: Instant::now(),
        };
        consumer.messages = Some(consumer.subscribe().await?);
        Ok(consumer)
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
        if self.ready.is_empty() && self.heard.elapsed() > self.pull.silence {
            self.watch().await?;
        }
        self.ready_bytes = 0;
        Ok(std::mem::take(&mut self.ready))
    }

    /// Gives up the subscription until the next batch: for a reader whose store is away. What waits here is delivered
    /// again after `ack_wait`.
    pub fn pause(&mut self) {
        self.messages = None;
    }

    /// What the stream holds.
    ///
    /// # Errors
    /// [`ConsumeError::Away`].
    pub async fn stream_state(&self) -> Result<StreamState, ConsumeError> {
        stream_state(&self.context, &self.stream).await
    }

    /// Where the durable stands.
    ///
    /// # Errors
    /// [`ConsumeError`] when the durable is gone or the server is away.
    pub async fn durable_state(&self) -> Result<DurableState, ConsumeError> {
        Ok(DurableState::from(&self.info().await?))
    }

    /// How often the subscription was rebuilt since the last message.
    #[must_use]
    pub fn rebuilds(&self) -> usize {
        self.rebuilds
    }

    /// The name of the stream.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// One message, or none after something was mended. Safe to drop.
    async fn next(&mut self) -> Result<Option<Delivery>, ConsumeError> {
        if self.messages.is_none() {
            tokio::time::sleep(backoff(self.rebuilds)).await;
            match self.subscribe().await {
                Ok(messages) => self.messages = Some(messages),
                Err(error) if error.is_retryable() => {
                    self.rebuild("away");
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        self.received().await
    }

    async fn received(&mut self) -> Result<Option<Delivery>, ConsumeError> {
        let Some(messages) = &mut self.messages else { return Ok(None) };
        match messages.next().await {
            Some(Ok(message)) => Ok(self.take(&message)),
            Some(Err(error)) => match error.kind() {
                MessagesErrorKind::ConsumerDeleted => {
                    self.messages = None;
                    Err(self.no_durable())
                }
                MessagesErrorKind::PushBasedConsumer | MessagesErrorKind::RequestLimitExceeded => {
                    self.messages = None;
                    Err(self.refused(&error))
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
        let delivery = Delivery::read(message, &self.client);
        if delivery.is_none() {
            metrics::counter!("sise_bus_foreign_messages_total", "stream" => self.stream.clone())
                .increment(1);
        }
        delivery
    }

    /// Leaves the subscription; the next call makes another.
    fn rebuild(&mut self, reason: &'static str) {
        self.messages = None;
        self.rebuilds += 1;
        metrics::counter!("sise_bus_consumer_rebuilt_total", "stream" => self.stream.clone(), "reason" => reason)
            .increment(1);
        // Once a trouble; the next ones are counted.
        if self.rebuilds == 1 {
            tracing::warn!(stream = self.stream, durable = self.durable, reason, "pull subscription rebuilt");
        }
    }

    /// Nothing came for long: is there something?
    async fn watch(&mut self) -> Result<(), ConsumeError> {
        self.heard = Instant::now();
        let info = match self.info().await {
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
                stream = self.stream,
                unacknowledged,
                "nothing comes before something is acknowledged"
            );
        } else {
            self.rebuild("silent");
        }
        Ok(())
    }

    async fn subscribe(&self) -> Result<pull::Stream, ConsumeError> {
        let found = self.context.get_consumer_from_stream(&self.durable, &self.stream).await;
        let consumer: PullConsumer = found.map_err(|error| match error.kind() {
            ConsumerErrorKind::JetStream(error) if is_not_found(error.error_code()) => self.no_durable(),
            ConsumerErrorKind::InvalidConsumerType | ConsumerErrorKind::InvalidName => self.refused(&error),
            _ => self.away(&error),
        })?;
        let PullSettings { prefetch, heartbeat, expires, .. } = self.pull;
        let pull = consumer.stream().max_messages_per_batch(prefetch).heartbeat(heartbeat).expires(expires);
        pull.messages().await.map_err(|error| self.away(&error))
    }

    async fn info(&self) -> Result<Info, ConsumeError> {
        let stream = self.context.get_stream_no_info(&self.stream).await.map_err(|e| self.away(&e))?;
        stream.consumer_info(&self.durable).await.map_err(|error| match error.kind() {
            ConsumerInfoErrorKind::NotFound | ConsumerInfoErrorKind::StreamNotFound => self.no_durable(),
            ConsumerInfoErrorKind::JetStream(error) if is_not_found(error.error_code()) => self.no_durable(),
            _ => self.away(&error),
        })
    }

    fn no_durable(&self) -> ConsumeError {
        ConsumeError::NoDurable { stream: self.stream.clone(), durable: self.durable.clone() }
    }

    fn refused(&self, error: &impl ToString) -> ConsumeError {
        let (stream, durable) = (self.stream.clone(), self.durable.clone());
        ConsumeError::Refused { stream, durable, problem: error.to_string() }
    }

    fn away(&self, error: &impl ToString) -> ConsumeError {
        ConsumeError::Away { stream: self.stream.clone(), problem: error.to_string() }
    }
}

fn is_not_found(code: ErrorCode) -> bool {
    [ErrorCode::CONSUMER_NOT_FOUND, ErrorCode::STREAM_NOT_FOUND].contains(&code)
}
