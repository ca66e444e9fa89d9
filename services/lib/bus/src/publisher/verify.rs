//! Checkpoints against the server: which of them are still there.
//!
//! A server that lost its tail gives the sequences out again, to others' messages too, so the last sequence proves
//! nothing: the message at the sequence is read and its id compared. Asked is the stream's leader, not a replica that may
//! lag behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::context::{GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::stream::{RawMessageErrorKind, State, Stream};
use async_nats::jetstream::{Context, ErrorCode};
use futures_util::future::try_join_all;

use super::checkpoints::{Checkpoint, Track};
use super::session::one_line;
use super::trouble::Trouble;
use crate::subject::MESSAGE_ID_HEADER;

/// A stream whose newest checkpoint is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) stream: Arc<str>,
    /// How many of its checkpoints, from the oldest on, are there.
    pub(super) standing: usize,
    /// The last sequence of the stream as it is now.
    pub(super) last_sequence: u64,
    /// When the newest of those was stored, UTC ns, where the server still has it.
    pub(super) standing_ns: Option<i64>,
}

/// Where a checkpoint is.
enum Found {
    /// In the stream; when it was stored, UTC ns, unless the limits have evicted it since.
    There(Option<i64>),
    Gone,
}

/// Compares all streams at once: two questions for each that lost nothing.
pub(super) async fn verify<T: Clone>(
    mut context: Context,
    timeout: Duration,
    tracks: Vec<Track<T>>,
) -> Result<Vec<Lost>, Trouble> {
    if tracks.is_empty() {
        return Ok(Vec::new());
    }
    context.set_timeout(timeout);
    let started = Instant::now();
    let lost = try_join_all(tracks.iter().map(|track| verify_stream(&context, track))).await?;
    metrics::histogram!("sise_bus_check_seconds").record(started.elapsed());
    tracing::debug!(streams = tracks.len(), elapsed = ?started.elapsed(), "acknowledged messages looked up");
    Ok(lost.into_iter().flatten().collect())
}

async fn verify_stream<T>(context: &Context, track: &Track<T>) -> Result<Option<Lost>, Trouble> {
    let Some(newest) = track.last() else { return Ok(None) };
    let stream = context.get_stream(&*newest.stream).await.map_err(|error| trouble(&error))?;
    let state = stream.cached_info().state.clone();
    if let Found::There(_) = find(&stream, &state, newest).await? {
        return Ok(None);
    }
    // Below `standing` all are there, from `gone` on none.
    let (mut standing, mut gone, mut standing_ns) = (0, track.len() - 1, None);
    while standing < gone {
        let middle = standing.midpoint(gone);
        match find(&stream, &state, &track[middle]).await? {
            Found::There(at_ns) => (standing, standing_ns) = (middle + 1, at_ns),
            Found::Gone => gone = middle,
        }
    }
    let (stream, last_sequence) = (Arc::clone(&newest.stream), state.last_sequence);
    Ok(Some(Lost { stream, standing, last_sequence, standing_ns }))
}

async fn find<T>(stream: &Stream, state: &State, checkpoint: &Checkpoint<T>) -> Result<Found, Trouble> {
    if checkpoint.sequence > state.last_sequence {
        return Ok(Found::Gone);
    }
    if checkpoint.sequence < state.first_sequence {
        return Ok(Found::There(None));
    }
    match stream.get_raw_message(checkpoint.sequence).await {
        Ok(message) => {
            let id = message.headers.get(MESSAGE_ID_HEADER).map(AsRef::<str>::as_ref);
            let at_ns = i64::try_from(message.time.unix_timestamp_nanos()).ok();
            let same = id == Some(&*one_line(&checkpoint.message_id));
            Ok(if same { Found::There(at_ns) } else { Found::Gone })
        }
        Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => Ok(Found::Gone),
        Err(error) => match error.kind() {
            RawMessageErrorKind::JetStream(error) => {
                Err(Trouble::Refused { code: error.error_code().0, description: error.to_string() })
            }
            _ => Err(Trouble::Timeout),
        },
    }
}

fn trouble(error: &GetStreamError) -> Trouble {
    match error.kind() {
        GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            Trouble::NoStream
        }
        GetStreamErrorKind::JetStream(error) => {
            Trouble::Refused { code: error.error_code().0, description: error.to_string() }
        }
        // No answer: the server is stalled, JetStream is not there yet, or the question is not permitted.
        _ => Trouble::Timeout,
    }
}
