//! A message as it is handed to the publisher.

use async_nats::Subject;
use bytes::Bytes;
use market::Event;

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The subject; a stream must take it.
    pub subject: Subject,
    /// The id by which two copies are known as one message.
    pub message_id: String,
    /// More headers; line ends in a value become spaces.
    pub headers: Vec<(&'static str, String)>,
    /// The payload.
    pub payload: Bytes,
}

impl Outgoing {
    /// A message without further headers.
    pub fn new(
        subject: impl Into<Subject>,
        message_id: impl Into<String>,
        payload: impl Into<Bytes>,
    ) -> Self {
        Self {
            subject: subject.into(),
            message_id: message_id.into(),
            headers: Vec::new(),
            payload: payload.into(),
        }
    }

    /// The message of an event.
    #[must_use]
    pub fn event(event: &Event) -> Self {
        Self::new(crate::subject::subject(event), event.message_id(), crate::to_proto::encode(event))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Hands back what no server would take.
    pub(super) fn checked(self) -> Result<Self, PublishError> {
        if !self.subject.is_valid() || self.subject.contains(['*', '>']) {
            Err(PublishError::Subject { outgoing: Box::new(self) })
        } else if self.size() > MAX_MESSAGE {
            Err(PublishError::TooLarge { outgoing: Box::new(self) })
        } else {
            Ok(self)
        }
    }

    /// About what the message needs on the wire and in memory, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        // Protocol, reply subject and the name of the id header.
        self.subject.len() + self.message_id.len() + headers + self.payload.len() + 128
    }
}

/// A message that can never be published; it is handed back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// No subject: empty tokens, white space or wildcards.
    #[error("not a subject to publish to: {:?}", outgoing.subject.as_str())]
    Subject {
        /// The message.
        outgoing: Box<Outgoing>,
    },
    /// More than a server takes.
    #[error("message of {} bytes on {:?} is above {MAX_MESSAGE} bytes", outgoing.size(), outgoing.subject.as_str())]
    TooLarge {
        /// The message.
        outgoing: Box<Outgoing>,
    },
}

/// The largest message in bytes, headers included: `max_payload` in `nats/limits.conf` (1 MiB).
pub const MAX_MESSAGE: usize = 1 << 20;
