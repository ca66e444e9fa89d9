//! One connection of a publisher: sends messages, gives back what the server says about each.

use std::borrow::Cow;
use std::sync::Arc;

use async_nats::jetstream::Context;
use async_nats::{Client, HeaderMap, Message, StatusCode, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::Outgoing;
use super::trouble::Trouble;
use super::window::Place;
use crate::connect::{ConnectError, Connection, NatsSettings, connect_once};
use crate::subject::MESSAGE_ID_HEADER;

/// A connection with one inbox for all acknowledgements: `<inbox>.<round>.<number>`. The library's own way costs an
/// inbox, a channel, a timer and a permit for each message.
pub(super) struct Session {
    client: Client,
    inbox: String,
    replies: Subscriber,
    /// Names of the streams that answered: one copy of each.
    streams: Vec<Arc<str>>,
    /// Cancelled when the connection is gone; it never comes back.
    pub(super) down: CancellationToken,
}

/// What the server says about one message.
pub(super) struct Reply {
    /// The round in which it was sent.
    pub(super) round: u64,
    /// Its number in the window.
    pub(super) number: u64,
    /// Stored, or why not.
    pub(super) outcome: Result<Stored, Trouble>,
}

/// A stored message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stored {
    /// Where.
    pub(super) place: Place,
    /// The server knew the id already; the place is that of the first copy.
    pub(super) duplicate: bool,
}

impl Session {
    pub(super) async fn open(settings: &NatsSettings, service: &str) -> Result<Self, ConnectError> {
        let Connection { client, down } = connect_once(settings, service).await?;
        let inbox = client.new_inbox();
        let replies = client.subscribe(format!("{inbox}.>")).await.map_err(|error| {
            ConnectError::Connect { url: settings.url.clone(), problem: error.to_string() }
        })?;
        Ok(Self { client, inbox, replies, streams: Vec::new(), down })
    }

    /// The connection, for questions to JetStream.
    pub(super) fn context(&self) -> Context {
        async_nats::jetstream::new(self.client.clone())
    }

    /// Hands a message to the connection. Safe to drop: then it was not sent.
    pub(super) async fn send(&self, round: u64, number: u64, outgoing: &Outgoing) -> Result<(), Trouble> {
        let mut headers = HeaderMap::new();
        headers.insert(MESSAGE_ID_HEADER, one_line(&outgoing.message_id).as_ref());
        for (name, value) in &outgoing.headers {
            headers.insert(*name, one_line(value).as_ref());
        }
        let reply = format!("{}.{round}.{number}", self.inbox);
        self.client
            .publish_with_reply_and_headers(
                outgoing.subject.clone(),
                reply,
                headers,
                outgoing.payload.clone(),
            )
            .await
            .map_err(|error| match error.kind() {
                async_nats::client::PublishErrorKind::Send => {
                    Trouble::Disconnected { problem: error.to_string() }
                }
                _ => Trouble::Refused { code: 0, description: error.to_string() },
            })
    }

    /// The next answer; none when the connection is gone. Safe to drop.
    pub(super) async fn reply(&mut self) -> Option<Reply> {
        loop {
            let message = self.replies.next().await?;
            if let Some(reply) = read(&message, &self.inbox, &mut self.streams) {
                return Some(reply);
            }
        }
    }

    /// An answer that is there already.
    pub(super) fn reply_now(&mut self) -> Option<Reply> {
        self.reply().now_or_never().flatten()
    }
}

/// A header ends at its line: what a broker wrote may hold more than one.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\r', '\n']) {
        Cow::Owned(text.replace(['\r', '\n'], " "))
    } else {
        Cow::Borrowed(text)
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// Reads an answer; none when it is nobody's.
fn read(message: &Message, inbox: &str, streams: &mut Vec<Arc<str>>) -> Option<Reply> {
    let (round, number) = message.subject.strip_prefix(inbox)?.strip_prefix('.')?.split_once('.')?;
    let outcome = if message.status == Some(StatusCode::NO_RESPONDERS) {
        Err(Trouble::NoStream)
    } else {
        match serde_json::from_slice::<Answer<'_>>(&message.payload) {
            Ok(Answer { error: Some(Refusal { err_code, description }), .. }) => {
                Err(Trouble::Refused { code: err_code, description })
            }
            Ok(Answer { stream: Some(stream), seq, duplicate, .. }) => {
                Ok(Stored { place: Place { stream: name(streams, &stream), sequence: seq }, duplicate })
            }
            Ok(_) | Err(_) => Err(Trouble::Refused { code: 0, description: "answer not understood".into() }),
        }
    };
    Some(Reply { round: round.parse().ok()?, number: number.parse().ok()?, outcome })
}

/// The one copy of a stream's name.
fn name(streams: &mut Vec<Arc<str>>, stream: &str) -> Arc<str> {
    if let Some(known) = streams.iter().find(|known| ***known == *stream) {
        return Arc::clone(known);
    }
    let new: Arc<str> = stream.into();
    // A service has four; beyond that each answer has its own copy.
    if streams.len() < 16 {
        streams.push(Arc::clone(&new));
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(payload: &'static str) -> Result<Stored, Trouble> {
        let message = Message {
            subject: "_INBOX.x.3.41".into(),
            reply: None,
            payload: payload.into(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        };
        let reply = read(&message, "_INBOX.x", &mut Vec::new()).expect("reply");
        assert_eq!((reply.round, reply.number), (3, 41));
        reply.outcome
    }

    #[test]
    fn answers_of_the_server() {
        let stored = |duplicate| Stored { place: Place { stream: "STATUS".into(), sequence: 7 }, duplicate };
        assert_eq!(outcome(r#"{"stream":"STATUS","seq":7}"#), Ok(stored(false)));
        assert_eq!(outcome(r#"{"stream":"STATUS","seq":7,"duplicate":true}"#), Ok(stored(true)));
        assert_eq!(
            outcome(r#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"}}"#),
            Err(Trouble::Refused { code: 10_077, description: "maximum messages exceeded".into() })
        );
        assert!(outcome("{}").is_err());
        assert!(outcome("garbage").is_err());
    }

    #[test]
    fn a_header_stays_on_its_line() {
        assert_eq!(one_line("a\r\nNats-Msg-Id: b"), "a  Nats-Msg-Id: b");
        assert_eq!(one_line("a"), "a");
    }
}
