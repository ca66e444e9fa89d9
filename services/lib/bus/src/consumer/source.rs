//! Where the messages of a consumer come from: a connection of its own, and the subscription on it.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{Info, PullConsumer, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::ConsumerErrorKind;
use async_nats::jetstream::{Context, ErrorCode};

use super::{ConsumeError, PullSettings};
use crate::connect::{Connection, NatsSettings, connect_once};

/// A durable, and how it is reached.
#[derive(Clone)]
pub(super) struct Source {
    settings: NatsSettings,
    service: String,
    pub(super) stream: String,
    pub(super) durable: String,
    pub(super) pull: PullSettings,
}

/// A subscription and its connection.
pub(super) struct Opened {
    /// For acknowledgements: one for all deliveries.
    pub(super) connection: Arc<Connection>,
    pub(super) context: Context,
    pub(super) messages: pull::Stream,
}

impl Source {
    pub(super) fn new(
        settings: &NatsSettings,
        service: &str,
        stream: &str,
        durable: &str,
        pull: PullSettings,
    ) -> Self {
        let (stream, durable) = (stream.to_owned(), durable.to_owned());
        Self { settings: settings.clone(), service: service.to_owned(), stream, durable, pull }
    }

    /// Subscribes, on a new connection.
    pub(super) async fn open(&self) -> Result<Opened, ConsumeError> {
        let connection =
            connect_once(&self.settings, &self.service).await.map_err(|error| self.away(&error))?;
        let context = async_nats::jetstream::new(connection.client.clone());
        let found = context.get_consumer_from_stream(&self.durable, &self.stream).await;
        let consumer: PullConsumer = found.map_err(|error| match error.kind() {
            ConsumerErrorKind::JetStream(error) if is_not_found(error.error_code()) => self.no_durable(),
            ConsumerErrorKind::InvalidConsumerType | ConsumerErrorKind::InvalidName => self.refused(&error),
            _ => self.away(&error),
        })?;
        let PullSettings { prefetch, heartbeat, expires, .. } = self.pull;
        let pull = consumer.stream().max_messages_per_batch(prefetch).heartbeat(heartbeat).expires(expires);
        let messages = pull.messages().await.map_err(|error| self.away(&error))?;
        Ok(Opened { connection: Arc::new(connection), context, messages })
    }

    /// The same after a pause.
    pub(super) async fn open_after(self, pause: Duration) -> Result<Opened, ConsumeError> {
        tokio::time::sleep(pause).await;
        self.open().await
    }

    pub(super) async fn info(&self, opened: &Opened) -> Result<Info, ConsumeError> {
        let stream = opened.context.get_stream_no_info(&self.stream).await.map_err(|e| self.away(&e))?;
        stream.consumer_info(&self.durable).await.map_err(|error| match error.kind() {
            ConsumerInfoErrorKind::NotFound | ConsumerInfoErrorKind::StreamNotFound => self.no_durable(),
            ConsumerInfoErrorKind::JetStream(error) if is_not_found(error.error_code()) => self.no_durable(),
            _ => self.away(&error),
        })
    }

    pub(super) fn no_durable(&self) -> ConsumeError {
        ConsumeError::NoDurable { stream: self.stream.clone(), durable: self.durable.clone() }
    }

    pub(super) fn refused(&self, error: &impl ToString) -> ConsumeError {
        let (stream, durable) = (self.stream.clone(), self.durable.clone());
        ConsumeError::Refused { stream, durable, problem: error.to_string() }
    }

    pub(super) fn away(&self, error: &impl ToString) -> ConsumeError {
        ConsumeError::Away { stream: self.stream.clone(), problem: error.to_string() }
    }
}

fn is_not_found(code: ErrorCode) -> bool {
    [ErrorCode::CONSUMER_NOT_FOUND, ErrorCode::STREAM_NOT_FOUND].contains(&code)
}
