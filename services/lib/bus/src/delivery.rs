//! The acknowledgement of a message that a durable delivered.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use async_nats::Subject;
use async_nats::jetstream::message::Info;
use async_nats::jetstream::{AckKind, Message as Pulled};

use crate::connect::Connection;
use crate::message::{Pages, StreamMessage};

/// A message that a durable delivered. It is delivered again when it is not acknowledged within the durable's `ack_wait`.
pub struct Delivery {
    /// How often it was delivered, 1 for the first time.
    pub delivered: u64,
    message: StreamMessage,
    /// On which it came.
    connection: Arc<Connection>,
}

const GONE: &str = "the connection on which it came is gone";

/// An acknowledgement that did not leave: the connection on which the message came is gone. It will be delivered again.
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
    pub(crate) fn read(message: &Pulled, pages: &mut Pages, connection: &Arc<Connection>) -> Option<Self> {
        let Info { stream_sequence, delivered, published, .. } = message.info().ok()?;
        let delivered = u64::try_from(delivered).ok()?;
        let published_ns = i64::try_from(published.unix_timestamp_nanos()).ok()?;
        let message = StreamMessage::delivered(message, (stream_sequence, published_ns), pages)?;
        Some(Self { delivered, message, connection: Arc::clone(connection) })
    }

    /// Done: stored for good. Sent without waiting for the server; one that gets lost costs a redelivery. Only on the
    /// connection on which the message came: a server that comes back with an older store has another message there.
    ///
    /// # Errors
    /// [`AckError`] when that connection is gone.
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

    /// Waits until what was said on the connection of this message has left the process.
    async fn flush(&self) -> Result<(), AckError> {
        let fail = |problem: String| AckError { stream_sequence: self.message.stream_sequence, problem };
        tokio::select! {
            flushed = self.connection.client.flush() => flushed.map_err(|e| fail(e.to_string())),
            () = self.connection.down.cancelled() => Err(fail(GONE.to_owned())),
        }
    }

    async fn send(&self, kind: AckKind) -> Result<(), AckError> {
        let fail = |problem: String| AckError { stream_sequence: self.message.stream_sequence, problem };
        if self.connection.down.is_cancelled() {
            return Err(fail(GONE.to_owned()));
        }
        let reply = Subject::from_utf8(self.message.reply_bytes()).map_err(|e| fail(e.to_string()))?;
        self.connection.client.publish(reply, kind.into()).await.map_err(|e| fail(e.to_string()))
    }
}

/// Acknowledges all of them. Returns when that has left the process: their consumer may be dropped then, whose connection
/// ends with its last delivery and takes along what was not sent.
///
/// # Errors
/// As [`Delivery::ack`], of the first that could not be sent; those that came on other connections are acknowledged.
pub async fn acknowledge(deliveries: &[Delivery]) -> Result<(), AckError> {
    let mut sent = Ok(());
    for same in deliveries.chunk_by(|one, next| Arc::ptr_eq(&one.connection, &next.connection)) {
        sent = sent.and(acknowledge_on_one(same).await);
    }
    sent
}

async fn acknowledge_on_one(deliveries: &[Delivery]) -> Result<(), AckError> {
    for delivery in deliveries {
        delivery.ack().await?;
    }
    match deliveries.last() {
        Some(last) => last.flush().await,
        None => Ok(()),
    }
}

impl Deref for Delivery {
    type Target = StreamMessage;

    fn deref(&self) -> &StreamMessage {
        &self.message
    }
}

impl AsRef<StreamMessage> for Delivery {
    fn as_ref(&self) -> &StreamMessage {
        &self.message
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("message", &self.message)
            .field("delivered", &self.delivered)
            .finish_non_exhaustive()
    }
}
