//! A look at a subject as it passes: no stream, no acknowledgement, no promise. For people; a reader that is too slow
//! misses messages, which the log says.

use async_nats::{Client, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;

/// A message that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passing {
    /// The subject.
    pub subject: String,
    /// The message id, if it has one.
    pub message_id: Option<String>,
    /// The payload.
    pub payload: Bytes,
}

/// Why a subject cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot follow {subject:?}: {problem}")]
pub struct TapError {
    /// The subject asked for.
    pub subject: String,
    /// What the client says.
    pub problem: String,
}

/// A subject that is followed.
pub struct Tap {
    messages: Subscriber,
}

impl Tap {
    /// Follows a subject, wildcards allowed: `ticker.kr.kis.>`. A user that may not is told in the log.
    ///
    /// # Errors
    /// [`TapError`] when it is no subject, or the connection is closed for good.
    pub async fn open(client: &Client, subject: &str) -> Result<Self, TapError> {
        let fail = |problem: String| TapError { subject: subject.to_owned(), problem };
        let messages = client.subscribe(subject.to_owned()).await.map_err(|e| fail(e.to_string()))?;
        Ok(Self { messages })
    }

    /// The next message; none when the connection is closed for good. Safe to drop.
    pub async fn next(&mut self) -> Option<Passing> {
        let message = self.messages.next().await?;
        let id = message.headers.as_ref().and_then(|headers| headers.get(crate::subject::MESSAGE_ID_HEADER));
        Some(Passing {
            subject: message.subject.to_string(),
            message_id: id.map(ToString::to_string),
            payload: message.payload,
        })
    }
}
