//! What the server itself tells: which services answer on it, and what its streams take on disk. For people who look.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::{Client, Message, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::time::Instant;

/// Every service answers here: the NATS service API.
const PING: &str = "$SRV.PING";
/// Answers that are taken: more services than anybody runs.
const MOST: usize = 1_000;

/// A service that answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Present {
    /// Its name: `kis-service`, `archiver`.
    pub name: String,
    /// Its version, three numbers with dots.
    pub version: String,
    /// Its own id: two of one name are two processes.
    pub id: String,
}

/// What the streams of an account take on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage {
    /// Bytes in use.
    pub used: u64,
    /// What the account may use; none = what the server has.
    pub limit: Option<u64>,
}

/// The server does not answer, or does not permit the question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no answer to {question}: {problem}")]
pub struct ServerError {
    /// What was asked.
    pub question: &'static str,
    /// What the client says.
    pub problem: String,
}

fn fail(question: &'static str) -> impl Fn(&dyn std::fmt::Display) -> ServerError {
    move |problem| ServerError { question, problem: problem.to_string() }
}

/// The services that answer within `window`, by name; who is slower is not among them.
///
/// # Errors
/// [`ServerError`] when nobody could be asked.
pub async fn present(client: &Client, window: Duration) -> Result<Vec<Present>, ServerError> {
    let fail = fail(PING);
    let deadline = Instant::now() + window;
    let asked = async {
        let inbox = client.new_inbox();
        let answers = client.subscribe(inbox.clone()).await.map_err(|error| fail(&error))?;
        client.publish_with_reply(PING, inbox, Bytes::new()).await.map_err(|error| fail(&error))?;
        client.flush().await.map_err(|error| fail(&error))?;
        Ok(answers)
    };
    let late = |_| fail(&format!("not within {} ms", window.as_millis()));
    let mut answers = tokio::time::timeout_at(deadline, asked).await.map_err(late)??;
    let mut found = Vec::new();
    while let Ok(Some(answer)) = tokio::time::timeout_at(deadline, answers.next()).await {
        // Nobody has subscribed: nobody will answer.
        if answer.status == Some(StatusCode::NO_RESPONDERS) || found.len() == MOST {
            break;
        }
        found.extend(read(&answer));
    }
    found.sort_unstable();
    Ok(found)
}

/// An answer of another form is somebody else's.
fn read(answer: &Message) -> Option<Present> {
    serde_json::from_slice(&answer.payload).ok()
}

/// What the streams take on disk.
///
/// # Errors
/// [`ServerError`] when the server does not answer or does not permit the question.
pub async fn storage(context: &Context) -> Result<Storage, ServerError> {
    let account = context.query_account().await.map_err(|error| fail("JetStream account")(&error))?;
    Ok(Storage {
        used: account.storage,
        limit: account
            .limits
            .max_storage
            .and_then(|bytes| u64::try_from(bytes).ok())
            .filter(|bytes| *bytes > 0),
    })
}
