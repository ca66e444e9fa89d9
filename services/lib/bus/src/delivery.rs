//! One message of a stream in one small piece of memory, and the acknowledgement of one that a durable delivered.
//!
//! The client hands out slices of its read buffer and a map of headers: kept for a whole batch they hold several times
//! what the message needs. So a message is copied once, to its size, and what it came in is given back.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use async_nats::jetstream::message::{Info, StreamMessage as Direct};
use async_nats::jetstream::{AckKind, Message as Pulled};
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;

use crate::connect::Connection;
use crate::subject::MESSAGE_ID_HEADER;

/// A message of a stream, as it was stored.
#[derive(Clone)]
pub struct StreamMessage {
    /// Its sequence in the stream, from 1.
    pub stream_sequence: u64,
    /// When the server stored it, UTC ns.
    pub published_ns: i64,
    /// Subject, message id, payload and reply subject, one behind the other.
    bytes: Bytes,
    subject_end: usize,
    id_end: usize,
    payload_end: usize,
    has_id: bool,
    /// Headers that are not the message id: rare, and an empty list needs no memory of its own.
    others: Vec<(String, String)>,
}

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

impl StreamMessage {
    /// A message of these parts.
    #[must_use]
    pub fn new(
        subject: &str,
        message_id: Option<&str>,
        payload: &[u8],
        stream_sequence: u64,
        published_ns: i64,
    ) -> Self {
        Self::copy(subject, message_id, payload, "", (stream_sequence, published_ns))
    }

    /// Copies the parts into one piece.
    fn copy(
        subject: &str,
        message_id: Option<&str>,
        payload: &[u8],
        reply: &str,
        (stream_sequence, published_ns): (u64, i64),
    ) -> Self {
        let id = message_id.unwrap_or_default();
        let subject_end = subject.len();
        let id_end = subject_end + id.len();
        let payload_end = id_end + payload.len();
        let mut bytes = Vec::with_capacity(payload_end + reply.len());
        for part in [subject.as_bytes(), id.as_bytes(), payload, reply.as_bytes()] {
            bytes.extend_from_slice(part);
        }
        let has_id = message_id.is_some();
        let bytes = bytes.into();
        Self {
            stream_sequence,
            published_ns,
            bytes,
            subject_end,
            id_end,
            payload_end,
            has_id,
            others: Vec::new(),
        }
    }

    /// A message that was read by its sequence; none when its time cannot be one.
    pub(crate) fn read(message: &Direct) -> Option<Self> {
        let published_ns = i64::try_from(message.time.unix_timestamp_nanos()).ok()?;
        let id = message.headers.get(MESSAGE_ID_HEADER).map(async_nats::HeaderValue::as_str);
        let at = (message.sequence, published_ns);
        let mut copy = Self::copy(&message.subject, id, &message.payload, "", at);
        // The server tells where the message was in headers of its own.
        copy.others =
            others(&message.headers, &["Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"]);
        Some(copy)
    }

    /// The subject.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.text(0..self.subject_end)
    }

    /// The message id it was published with.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.has_id.then(|| self.text(self.subject_end..self.id_end))
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(self.id_end..self.payload_end).unwrap_or_default()
    }

    /// The payload to hand on, not copied.
    #[must_use]
    pub fn payload_bytes(&self) -> Bytes {
        self.bytes.slice(self.id_end..self.payload_end)
    }

    /// A header, the first of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        if name.eq_ignore_ascii_case(MESSAGE_ID_HEADER) {
            return self.message_id();
        }
        let mut others = self.others.iter();
        others.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All headers, the message id first, the others in no order.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        let id = self.message_id().map(|id| (MESSAGE_ID_HEADER.to_owned(), id.to_owned()));
        id.into_iter().chain(self.others.iter().cloned()).collect()
    }

    /// About what the message needs in memory, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let others: usize = self.others.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
        // Beside the bytes: the structure itself, and what the allocator adds.
        self.bytes.len() + others + 160
    }

    /// The bytes were text when they came in.
    fn text(&self, range: Range<usize>) -> &str {
        std::str::from_utf8(self.bytes.get(range).unwrap_or_default()).unwrap_or_default()
    }
}

fn others(headers: &HeaderMap, but: &[&str]) -> Vec<(String, String)> {
    let mut others = Vec::new();
    for (name, values) in headers.iter() {
        let name = name.to_string();
        if name.eq_ignore_ascii_case(MESSAGE_ID_HEADER)
            || but.iter().any(|but| name.eq_ignore_ascii_case(but))
        {
            continue;
        }
        others.extend(values.iter().map(|value| (name.clone(), value.to_string())));
    }
    others
}

impl Delivery {
    /// None when the message carries no JetStream reply subject: it is not a delivery.
    pub(crate) fn read(message: &Pulled, connection: &Arc<Connection>) -> Option<Self> {
        let Info { stream_sequence, delivered, published, .. } = message.info().ok()?;
        let delivered = u64::try_from(delivered).ok()?;
        let published_ns = i64::try_from(published.unix_timestamp_nanos()).ok()?;
        let headers = message.headers.as_ref();
        let id = headers.and_then(|headers| headers.get(MESSAGE_ID_HEADER));
        let id = id.map(async_nats::HeaderValue::as_str);
        let reply = message.reply.as_ref()?;
        let at = (stream_sequence, published_ns);
        let mut copy = StreamMessage::copy(&message.subject, id, &message.payload, reply, at);
        copy.others = headers.map_or_else(Vec::new, |headers| others(headers, &[]));
        Some(Self { delivered, message: copy, connection: Arc::clone(connection) })
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
        let reply = self.message.bytes.slice(self.message.payload_end..);
        let reply = Subject::from_utf8(reply).map_err(|e| fail(e.to_string()))?;
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

impl AsRef<Self> for StreamMessage {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for StreamMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamMessage")
            .field("subject", &self.subject())
            .field("stream_sequence", &self.stream_sequence)
            .field("bytes", &self.payload().len())
            .finish_non_exhaustive()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_come_out_as_they_went_in() {
        let message = StreamMessage::new("ticker.kr.kis.005930.krx", Some("t:1"), b"\xff\x00", 7, 9);
        assert_eq!((message.subject(), message.message_id()), ("ticker.kr.kis.005930.krx", Some("t:1")));
        assert_eq!((message.payload(), &message.payload_bytes()[..]), (&b"\xff\x00"[..], &b"\xff\x00"[..]));
        assert_eq!(message.headers(), [("Nats-Msg-Id".to_owned(), "t:1".to_owned())]);
        assert_eq!(message.header("nats-msg-id"), Some("t:1"));
        let bare = StreamMessage::new("a.b", None, b"", 1, 1);
        assert_eq!((bare.subject(), bare.message_id(), bare.payload()), ("a.b", None, &b""[..]));
        assert!(bare.headers().is_empty());
    }

    #[test]
    fn headers_beside_the_id_are_kept() {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", "t:1");
        headers.append("Trace", "x");
        headers.append("Trace", "y");
        headers.insert("Nats-Stream", "S");
        let others = others(&headers, &["Nats-Stream"]);
        assert_eq!(others, [("Trace".to_owned(), "x".to_owned()), ("Trace".to_owned(), "y".to_owned())]);
    }
}
