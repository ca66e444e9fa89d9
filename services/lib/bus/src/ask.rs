//! `rest.<source>.<call>` asked: one request to the cell that owns a broker, one answer, or why there is none.

use std::time::Duration;

use async_nats::service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE};
use async_nats::{Client, HeaderMap, Message, Request, RequestErrorKind};
use bytes::Bytes;

use crate::requests::{MAX_REQUEST, Refused, request_subject};
use crate::subject::REASON_HEADER;

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Source or call is no single word of letters, digits, `_` and `-`.
    #[error("`{source_word}` `{call}`: source and call are one word each, letters, digits, _ and - only")]
    Call {
        /// The source as given.
        source_word: String,
        /// The call as given.
        call: String,
    },
    /// The request is larger than [`MAX_REQUEST`].
    #[error("the request has {bytes} bytes, at most {MAX_REQUEST} are taken")]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
    /// No service of this source is connected.
    #[error("nobody answers {subject}")]
    NobodyAnswers {
        /// The subject asked.
        subject: String,
    },
    /// No answer in time. A server that is away, or one that forbids this user to ask, looks the same.
    #[error("no answer to {subject} within {limit:?}")]
    TimedOut {
        /// The subject asked.
        subject: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The answer is a refusal.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The connection ended.
    #[error("connection to the bus: {0}")]
    Connection(String),
}

impl AskError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Call { .. } | Self::TooLarge { .. } => false,
            Self::NobodyAnswers { .. } | Self::TimedOut { .. } | Self::Connection(_) => true,
            Self::Refused(refused) => refused.code >= 500 || refused.code == 429,
        }
    }
}

/// Asks the cell of `source` for `call` with a JSON `payload`; the answer is JSON. Waits at most `limit`, which is
/// [`crate::requests::ASK_LIMIT`] unless there is a reason.
///
/// # Errors
/// [`AskError`]; each kind needs another reaction.
pub async fn ask(
    client: &Client,
    source: &str,
    call: &str,
    payload: Bytes,
    limit: Duration,
) -> Result<Bytes, AskError> {
    let Some(subject) = request_subject(source, call) else {
        return Err(AskError::Call { source_word: source.to_owned(), call: call.to_owned() });
    };
    ask_at(client, subject, payload, limit).await
}

/// Asks whoever answers `subject`, as [`ask`] does.
///
/// # Errors
/// As [`ask`].
pub async fn ask_at(
    client: &Client,
    subject: String,
    payload: Bytes,
    limit: Duration,
) -> Result<Bytes, AskError> {
    if payload.len() > MAX_REQUEST {
        return Err(AskError::TooLarge { bytes: payload.len() });
    }
    let request = Request::new().payload(payload).timeout(Some(limit));
    // The library's limit begins when the request is queued, which a full queue can delay.
    let answer = tokio::time::timeout(limit, client.send_request(subject.clone(), request)).await;
    match answer {
        Err(_) => Err(AskError::TimedOut { subject, limit }),
        Ok(Ok(message)) => refusal(&message).map_or(Ok(message.payload), |refused| Err(refused.into())),
        Ok(Err(error)) => Err(match error.kind() {
            RequestErrorKind::NoResponders => AskError::NobodyAnswers { subject },
            RequestErrorKind::TimedOut => AskError::TimedOut { subject, limit },
            _ => AskError::Connection(error.to_string()),
        }),
    }
}

/// The refusal in a message's headers, if it is one.
fn refusal(message: &Message) -> Option<Refused> {
    let headers = message.headers.as_ref()?;
    let text = |name: &str| headers.get(name).map(|value| value.as_str().to_owned());
    if !is_error(headers) {
        return None;
    }
    let code = text(NATS_SERVICE_ERROR_CODE).and_then(|code| code.parse().ok()).unwrap_or(500);
    let word = text(REASON_HEADER).unwrap_or_else(|| "error".to_owned());
    Some(Refused { code, word, text: text(NATS_SERVICE_ERROR).unwrap_or_default() })
}

fn is_error(headers: &HeaderMap) -> bool {
    headers.get(NATS_SERVICE_ERROR_CODE).is_some() || headers.get(NATS_SERVICE_ERROR).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_succeed_later_is_told_apart() {
        let refused = |code| AskError::Refused(Refused::new(code, "word", "text")).is_retryable();
        assert_eq!([400, 401, 422, 429, 503].map(refused), [false, false, false, true, true]);
        assert!(AskError::NobodyAnswers { subject: "rest.kis.x".to_owned() }.is_retryable());
        assert!(!AskError::TooLarge { bytes: 1 << 20 }.is_retryable());
    }
}
