//! Messages of a stream by their sequence, for those who look something up: no durable, no acknowledgement.

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::DirectGetErrorKind;

use crate::message::StreamMessage;

/// A message that cannot be read or deleted now: the server is away, or does not permit it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sequence {stream_sequence} of stream {stream}: {problem}")]
pub struct ReadError {
    /// The stream.
    pub stream: String,
    /// The sequence asked for.
    pub stream_sequence: u64,
    /// What the client says.
    pub problem: String,
}

/// The message at a sequence; none when the stream does not hold it (any more).
///
/// # Errors
/// [`ReadError`] when the server does not answer or does not permit the question.
pub async fn read_message(
    context: &Context,
    stream: &str,
    stream_sequence: u64,
) -> Result<Option<StreamMessage>, ReadError> {
    get(context, stream, stream_sequence, None).await
}

/// The first message at or after a sequence whose subject fits `subject` (wildcards allowed); none when there is none.
///
/// # Errors
/// As [`read_message`].
pub async fn next_message(
    context: &Context,
    stream: &str,
    stream_sequence: u64,
    subject: &str,
) -> Result<Option<StreamMessage>, ReadError> {
    get(context, stream, stream_sequence, Some(subject)).await
}

async fn get(
    context: &Context,
    stream: &str,
    stream_sequence: u64,
    subject: Option<&str>,
) -> Result<Option<StreamMessage>, ReadError> {
    let fail = |problem: String| ReadError { stream: stream.to_owned(), stream_sequence, problem };
    let handle = context.get_stream_no_info(stream).await.map_err(|e| fail(e.to_string()))?;
    let got = match subject {
        None => handle.direct_get(stream_sequence).await,
        Some(subject) => handle.direct_get_next_for_subject(subject, Some(stream_sequence)).await,
    };
    match got {
        Ok(message) => match StreamMessage::read(&message) {
            Some(message) => Ok(Some(message)),
            None => Err(fail(format!("impossible time {}", message.time))),
        },
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
        Err(error) => Err(fail(error.to_string())),
    }
}

/// Deletes one message of a stream, for a person who has dealt with it. True when it was there.
///
/// # Errors
/// As [`read_message`].
pub async fn delete_message(
    context: &Context,
    stream: &str,
    stream_sequence: u64,
) -> Result<bool, ReadError> {
    let fail = |problem: String| ReadError { stream: stream.to_owned(), stream_sequence, problem };
    let handle = context.get_stream_no_info(stream).await.map_err(|e| fail(e.to_string()))?;
    handle.delete_message(stream_sequence).await.map_err(|e| fail(e.to_string()))
}
