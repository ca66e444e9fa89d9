//! A stream to the last message of each of its subjects: what is known before anything new comes.
//!
//! Asked for by direct gets of many subjects at once, without a consumer: a reader that may only read messages can do it,
//! and nothing is left behind on the server.

use std::collections::HashSet;
use std::time::Duration;

use async_nats::Message;
use async_nats::StatusCode;
use async_nats::jetstream::Context;
use async_nats::jetstream::message::StreamMessage as Direct;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::message::StreamMessage;

/// Subjects in one question: an answer of about 200 kB, and well below the 1,024 that the server takes.
const AT_ONCE: usize = 250;

/// How long the server may take for the next message of an answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Why the last messages of a stream cannot be read now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("last messages of stream {stream}: {problem}")]
pub struct LatestError {
    /// The stream.
    pub stream: String,
    /// What the server or the client says.
    pub problem: String,
}

/// The last message of every subject of `stream` that fits `filter` (wildcards allowed), in the order of the stream
/// within each question.
///
/// # Errors
/// [`LatestError`] when the stream is not there, or the server does not answer or permit it.
pub async fn latest(
    context: &Context,
    stream: &str,
    filter: &str,
) -> Result<Vec<StreamMessage>, LatestError> {
    let fail = |problem: String| LatestError { stream: stream.to_owned(), problem };
    let handle = context.get_stream_no_info(stream).await.map_err(|error| fail(error.to_string()))?;
    let listed = async {
        let subjects = handle.info_with_subjects(filter).await.map_err(|error| fail(error.to_string()))?;
        let subjects = subjects.map_ok(|(subject, _)| subject).try_collect::<Vec<String>>();
        subjects.await.map_err(|error| fail(error.to_string()))
    };
    let late = |_| fail(format!("no answer within {} s", LIMIT.as_secs()));
    let subjects = tokio::time::timeout(LIMIT, listed).await.unwrap_or_else(|elapsed| Err(late(elapsed)))?;
    let mut found = Vec::with_capacity(subjects.len());
    for chunk in subjects.chunks(AT_ONCE) {
        let mut wanted: HashSet<&str> = chunk.iter().map(String::as_str).collect();
        // The server may cut an answer short; a subject that is gone meanwhile ends the asking too.
        while !wanted.is_empty() {
            let before = wanted.len();
            let asked: Vec<&str> = wanted.iter().copied().collect();
            for message in ask(context, stream, &asked).await.map_err(fail)? {
                wanted.remove(message.subject());
                found.push(message);
            }
            if wanted.len() == before {
                break;
            }
        }
    }
    Ok(found)
}

/// One question and its answer, which ends with a message of its own.
async fn ask(context: &Context, stream: &str, subjects: &[&str]) -> Result<Vec<StreamMessage>, String> {
    let client = context.client();
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
    let question = serde_json::json!({ "multi_last": subjects, "batch": subjects.len() });
    let payload = serde_json::to_vec(&question).map_err(|error| error.to_string())?;
    let to = format!("$JS.API.DIRECT.GET.{stream}");
    client.publish_with_reply(to, inbox, payload.into()).await.map_err(|error| error.to_string())?;
    let mut found = Vec::with_capacity(subjects.len());
    loop {
        let answer = tokio::time::timeout(LIMIT, answers.next()).await;
        let answer = answer.map_err(|_| format!("no answer within {} s", LIMIT.as_secs()))?;
        match read(answer.ok_or("the connection is closed")?)? {
            Some(message) => found.push(message),
            None => return Ok(found),
        }
    }
}

/// A message of the answer; none at its end.
fn read(answer: Message) -> Result<Option<StreamMessage>, String> {
    match answer.status {
        None | Some(StatusCode::OK) => {}
        Some(StatusCode::NOT_FOUND) => return Ok(None),
        // 204: the end of the answer.
        Some(status) if status.as_u16() == 204 => return Ok(None),
        Some(status) => {
            let text = answer.description.unwrap_or_default();
            return Err(format!("{status} {text}"));
        }
    }
    let message = Direct::try_from(answer).map_err(|error| error.to_string())?;
    StreamMessage::read(&message).map(Some).ok_or_else(|| format!("impossible time {}", message.time))
}
