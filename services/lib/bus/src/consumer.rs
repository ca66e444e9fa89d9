//! A durable of a stream to batches of deliveries, each acknowledged by itself.
//!
//! The subscription behind it is rebuilt when the server or the network breaks it, and when it is silent while
//! messages wait; the durable itself is never made or deleted here (`sise streams apply` does).

use std::time::Duration;

use async_nats::jetstream::consumer::pull::{self, MessagesErrorKind};
use async_nats::jetstream::consumer::{Info, PullConsumer};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::ConsumerErrorKind;
use async_nats::jetstream::{Context, ErrorCode, Message};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, timeout_at};

use crate::connect::backoff;
use crate::delivery::Delivery;

/// When a batch is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// At most so many messages.
    pub messages: usize,
    /// Full when it has so many bytes.
    pub bytes: usize,
    /// At most so long after the first message; with none at all, so long after the call.
    pub wait: Duration,
}

/// Why nothing can be consumed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsumeError {
    /// The durable or its stream is not there.
    #[error("stream {stream} has no durable {durable}: apply the streams")]
    NoDurable {
        /// The stream.
        stream: String,
        /// The durable.
        durable: String,
    },
    /// The durable does not allow what is asked of it.
    #[error("durable {durable} of stream {stream} refuses: {problem}")]
    Refused {
        /// The stream.
        stream: String,
        /// The durable.
        durable: String,
        /// What the server says.
        problem: String,
    },
    /// The server is away, or does not permit the question.
    #[error("no answer about stream {stream}: {problem}")]
    Away {
        /// The stream.
        stream: String,
        /// What the client says.
        problem: String,
    },
}

impl ConsumeError {
    /// Whether it may pass by itself.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamState {
    /// When it was made, UTC ns; a stream that was made anew starts again at sequence 1.
    pub created_ns: i64,
    /// The oldest sequence it holds; 0 in one that never held anything.
    pub first_sequence: u64,
    /// The newest sequence it ever held.
    pub last_sequence: u64,
    /// Messages.
    pub messages: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Where a durable stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurableState {
    /// Messages not delivered yet.
    pub pending: u64,
    /// Messages delivered and not acknowledged.
    pub ack_pending: u64,
    /// Up to this stream sequence everything is acknowledged.
    pub ack_floor: u64,
}

/// How the subscription behind a consumer works; the default is for an archiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullSettings {
    /// Messages that wait here for the next batch, at most about twice as many: 4,000 are enough for the round trip at
    /// 200,000 messages/s, and are about 2 MB of books.
    pub prefetch: usize,
    /// How long the server may say nothing before the subscription counts as broken (twice that).
    pub heartbeat: Duration,
    /// How long a pull request lives.
    pub expires: Duration,
    /// How long nothing may come before the server is asked whether something waits.
    pub silence: Duration,
}

impl Default for PullSettings {
    fn default() -> Self {
        Self {
            prefetch: 4_000,
            heartbeat: Duration::from_secs(5),
            expires: Duration::from_secs(30),
            silence: Duration::from_secs(30),
        }
    }
}

/// A consumer of one durable.
pub struct Consumer {
    context: Context,
    stream: String,
    durable: String,
    pull: PullSettings,
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
        let mut consumer = Self {
            context: context.clone(),
            stream: stream.to_owned(),
            durable: durable.to_owned(),
            pull,
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
        let info = self.info().await?;
        Ok(DurableState {
            pending: info.num_pending,
            ack_pending: u64::try_from(info.num_ack_pending).unwrap_or(u64::MAX),
            ack_floor: info.ack_floor.stream_sequence,
        })
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
            Some(Ok(message)) => Ok(self.take(message)),
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

    fn take(&mut self, message: Message) -> Option<Delivery> {
        self.heard = Instant::now();
        self.rebuilds = 0;
        let delivery = Delivery::read(message);
        if delivery.is_none() {
            metrics::counter!("bus_foreign_messages_total", "stream" => self.stream.clone()).increment(1);
        }
        delivery
    }

    /// Leaves the subscription; the next call makes another.
    fn rebuild(&mut self, reason: &'static str) {
        self.messages = None;
        self.rebuilds += 1;
        metrics::counter!("bus_consumer_rebuilt_total", "stream" => self.stream.clone(), "reason" => reason)
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

/// What a stream holds.
///
/// # Errors
/// [`ConsumeError::Away`], also for a stream that is not there.
pub async fn stream_state(context: &Context, stream: &str) -> Result<StreamState, ConsumeError> {
    let away = |problem: String| ConsumeError::Away { stream: stream.to_owned(), problem };
    let handle = context.get_stream_no_info(stream).await.map_err(|e| away(e.to_string()))?;
    let info = handle.get_info().await.map_err(|e| away(e.to_string()))?;
    let created_ns = i64::try_from(info.created.unix_timestamp_nanos()).map_err(|e| away(e.to_string()))?;
    Ok(StreamState {
        created_ns,
        first_sequence: info.state.first_sequence,
        last_sequence: info.state.last_sequence,
        messages: info.state.messages,
        bytes: info.state.bytes,
    })
}
