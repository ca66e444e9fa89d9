//! Limits, states and errors of a consumer.

use std::time::Duration;

use async_nats::jetstream::Context;

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
    /// When the oldest message it holds was stored, UTC ns.
    pub first_published_ns: i64,
    /// Beyond so many bytes the oldest messages go; none = no limit.
    pub max_bytes: Option<u64>,
    /// Beyond this age a message goes; none = no limit.
    pub max_age: Option<Duration>,
}

/// Where a durable stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurableState {
    /// Messages not delivered yet.
    pub pending: u64,
    /// Messages delivered and not acknowledged.
    pub ack_pending: u64,
    /// Of these, delivered more than once.
    pub redelivered: u64,
    /// Up to this stream sequence everything is acknowledged.
    pub ack_floor: u64,
}

/// How the subscription behind a consumer works; the default is for an archiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullSettings {
    /// Messages that wait here for the next batch, at most about one and a half times as many: 1,000 are enough for the
    /// round trip at 200,000 messages/s on one machine, and are about 2 MB of books as the client holds them.
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
            prefetch: 1_000,
            heartbeat: Duration::from_secs(5),
            expires: Duration::from_secs(30),
            silence: Duration::from_secs(30),
        }
    }
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
        first_published_ns: i64::try_from(info.state.first_timestamp.unix_timestamp_nanos()).unwrap_or(0),
        max_bytes: u64::try_from(info.config.max_bytes).ok().filter(|bytes| *bytes > 0),
        max_age: Some(info.config.max_age).filter(|age| !age.is_zero()),
    })
}

/// Where a durable stands, for those who do not consume it.
///
/// # Errors
/// [`ConsumeError::Away`], also for a durable that is not there.
pub async fn durable_state(
    context: &Context,
    stream: &str,
    durable: &str,
) -> Result<DurableState, ConsumeError> {
    let away = |problem: String| ConsumeError::Away { stream: stream.to_owned(), problem };
    let handle = context.get_stream_no_info(stream).await.map_err(|e| away(e.to_string()))?;
    let info = handle.consumer_info(durable).await.map_err(|e| away(e.to_string()))?;
    Ok(DurableState::from(&info))
}

impl From<&async_nats::jetstream::consumer::Info> for DurableState {
    fn from(info: &async_nats::jetstream::consumer::Info) -> Self {
        Self {
            pending: info.num_pending,
            ack_pending: u64::try_from(info.num_ack_pending).unwrap_or(u64::MAX),
            redelivered: u64::try_from(info.num_redelivered).unwrap_or(u64::MAX),
            ack_floor: info.ack_floor.stream_sequence,
        }
    }
}
