//! One message as a consumer got it, and its acknowledgement.

use std::fmt;

use async_nats::jetstream::message::{Acker, Info};
use async_nats::jetstream::{AckKind, Message};
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;

use crate::subject::MESSAGE_ID_HEADER;

/// A message of a stream. It is delivered again when it is not acknowledged within the durable's `ack_wait`.
pub struct Delivery {
    /// The subject.
    pub subject: Subject,
    /// The payload.
    pub payload: Bytes,
    /// Its sequence in the stream, from 1.
    pub stream_sequence: u64,
    /// How often it was delivered, 1 for the first time.
    pub delivered: u64,
    /// When the server stored it, UTC ns.
    pub published_ns: i64,
    headers: Option<HeaderMap>,
    acker: Acker,
}

/// An acknowledgement that did not leave: the connection is closed for good. The message will be delivered again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot acknowledge sequence {stream_sequence}: {problem}")]
pub struct AckError {
    /// The message.
    pub stream_sequence: u64,
    /// What the client says.
    pub problem: String,
}

impl Delivery {
    /// None when the message carries no JetStream reply subject: it is not a delivery.
    pub(crate) fn read(message: Message) -> Option<Self> {
        let Info { stream_sequence, delivered, published, .. } = message.info().ok()?;
        let delivered = u64::try_from(delivered).ok()?;
        let published_ns = i64::try_from(published.unix_timestamp_nanos()).ok()?;
        let (message, acker) = message.split();
        Some(Self {
            subject: message.subject,
            payload: message.payload,
            stream_sequence,
            delivered,
            published_ns,
            headers: message.headers,
            acker,
        })
    }

    /// The message id it was published with.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.header(MESSAGE_ID_HEADER)
    }

    /// A header, the first of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.as_ref()?.get(name).map(async_nats::HeaderValue::as_str)
    }

    /// All headers, in no order.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        let all = self.headers.iter().flat_map(|headers| headers.iter());
        all.flat_map(|(name, values)| values.iter().map(move |value| (name.to_string(), value.to_string())))
            .collect()
    }

    /// About what the message needs in memory, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.subject.len() + self.payload.len() + 256
    }

    /// Done: stored for good. Sent without waiting for the server; one that gets lost costs a redelivery.
    ///
    /// # Errors
    /// [`AckError`] when the connection is closed for good.
    pub async fn ack(&self) -> Result<(), AckError> {
        self.send(AckKind::Ack).await
    }

    /// Never deliver it again: it was set aside.
    ///
    /// # Errors
    /// As [`Delivery::ack`].
    pub async fn term(&self) -> Result<(), AckError> {
        self.send(AckKind::Term).await
    }

    /// Still at work: `ack_wait` starts anew.
    ///
    /// # Errors
    /// As [`Delivery::ack`].
    pub async fn in_progress(&self) -> Result<(), AckError> {
        self.send(AckKind::Progress).await
    }

    async fn send(&self, kind: AckKind) -> Result<(), AckError> {
        let sent = self.acker.ack_with(kind).await;
        sent.map_err(|e| AckError { stream_sequence: self.stream_sequence, problem: e.to_string() })
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("subject", &self.subject.as_str())
            .field("stream_sequence", &self.stream_sequence)
            .field("delivered", &self.delivered)
            .field("bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}
