//! `archiver.replay` and `archiver.redrive` answered: requests for messages to be archived out of their turn.
//!
//! - `archiver.replay {"stream": "TICKER_KR_KIS", "first": 1, "last": 5000}`: what the stream still holds there and the
//!   tables lack is archived. The answer counts (`there`, `inserted`, `set_aside`), names what is `gone` from the stream,
//!   and says where to go on (`next`) when the stretch was longer than one request takes.
//! - `archiver.redrive {"sequence": 7}`: the dead letter at that sequence of `DEADLETTER` is archived, if it was a message
//!   of a stream and this version can read and store it.
//!
//! An order waits for its stream's worker, which does it between two batches.

use std::collections::HashMap;
use std::sync::Arc;

use bus::subject::{ORIGINAL_ID_HEADER, REASON_HEADER, SEQUENCE_HEADER, STREAM_HEADER, SUBJECT_HEADER};
use bus::{Asked, Context, NatsSettings, Place, Refused, RespondError, Responder, StreamMessage};
use bytes::Bytes;
use process::Shutdown;
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

use crate::deadletter::{CUT_HEADER, EPOCH_HEADER};
use crate::refill::{Redriven, RefillError, Replayed};

/// Orders that wait for one worker: each is done within seconds, and who asks waits a minute.
const WAITING: usize = 4;
/// Sequences in one replay: about a second of work, so that an answer comes in time.
const MOST: u64 = 10_000;
/// Where dead letters are.
const LETTERS: &str = "DEADLETTER";

/// What a worker is asked to do.
pub enum Order {
    /// Archive what is lacking between two sequences.
    Replay {
        /// The first sequence.
        first: u64,
        /// The last sequence.
        last: u64,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<Replayed, RefillError>>,
    },
    /// Archive a message that was set aside.
    Redrive {
        /// As it was in the stream.
        message: StreamMessage,
        /// The epoch of the stream then, if it was told.
        epoch: Option<u32>,
        /// Where the answer goes.
        answer: oneshot::Sender<Redriven>,
    },
}

/// A worker's end of the way.
pub type Orders = mpsc::Receiver<Order>;

/// The ways to the workers, by stream.
#[derive(Default)]
pub struct Desk {
    workers: HashMap<String, mpsc::Sender<Order>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayRequest {
    stream: String,
    first: u64,
    last: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedriveRequest {
    sequence: u64,
}

impl Desk {
    /// A place for the orders of a stream's worker.
    pub fn open(&mut self, stream: &str) -> Orders {
        let (sender, orders) = mpsc::channel(WAITING);
        self.workers.insert(stream.to_owned(), sender);
        orders
    }

    /// Answers until the stop is asked for.
    ///
    /// # Errors
    /// [`RespondError`] when the settings of the bus cannot be meant.
    pub async fn answer(
        self,
        nats: NatsSettings,
        context: Context,
        shutdown: Shutdown,
    ) -> Result<(), RespondError> {
        let place = Place {
            prefix: "archiver",
            endpoint: "order",
            queue_group: "archiver",
            description: "archive messages out of their turn: replay, redrive",
        };
        let mut responder = Responder::start_at(&nats, "archiver", env!("CARGO_PKG_VERSION"), place).await?;
        let desk = Arc::new(self);
        loop {
            let asked = tokio::select! {
                () = shutdown.requested() => break,
                asked = responder.next() => asked,
            };
            let Some(asked) = asked else { break };
            let (desk, context) = (Arc::clone(&desk), context.clone());
            // As many as the responder lets wait.
            tokio::spawn(async move { desk.one(asked, &context).await });
        }
        // Those that wait for a worker are told when it ends.
        responder.stop(std::time::Duration::from_secs(1)).await;
        Ok(())
    }

    async fn one(&self, asked: Asked, context: &Context) {
        let limit = asked.deadline();
        let work = async {
            match asked.call.as_str() {
                "replay" => self.replay(&asked.payload).await,
                "redrive" => self.redrive(&asked.payload, context).await,
                call => Err(Refused::new(404, "call", format!("no call {call}: replay or redrive"))),
            }
        };
        let answer = tokio::time::timeout_at(limit, work).await.unwrap_or_else(|_| {
            Err(Refused::new(
                503,
                "busy",
                "not done in time, it may be done later: see the log of the archiver",
            ))
        });
        asked.answer(answer).await;
    }

    async fn replay(&self, payload: &[u8]) -> Result<Bytes, Refused> {
        let request: ReplayRequest = read(payload)?;
        let ReplayRequest { stream, first, last } = request;
        if first == 0 || first > last {
            let text = format!("first {first}, last {last}: must be 1 or more, in order");
            return Err(Refused::new(422, "range", text));
        }
        let end = last.min(first.saturating_add(MOST - 1));
        let (answer, answered) = oneshot::channel();
        self.send(&stream, Order::Replay { first, last: end, answer }).await?;
        let replayed = answered.await.map_err(|_| stopped())?;
        let replayed = replayed.map_err(|error| Refused::new(503, "bus", error.to_string()))?;
        tracing::info!(
            stream,
            first,
            last = end,
            there = replayed.there,
            inserted = replayed.inserted,
            set_aside = replayed.set_aside,
            "stretch replayed"
        );
        let next = (end < last).then(|| end + 1);
        let Replayed { there, inserted, set_aside, gone } = replayed;
        Ok(json(&serde_json::json!({
            "stream": stream, "first": first, "last": end, "next": next,
            "there": there, "inserted": inserted, "set_aside": set_aside, "gone": gone,
        })))
    }

    async fn redrive(&self, payload: &[u8], context: &Context) -> Result<Bytes, Refused> {
        let RedriveRequest { sequence } = read(payload)?;
        let letter = bus::read_message(context, LETTERS, sequence).await;
        let letter = letter.map_err(|error| Refused::new(503, "bus", error.to_string()))?;
        let letter = letter
            .ok_or_else(|| Refused::new(404, "letter", format!("no dead letter at sequence {sequence}")))?;
        let (stream, message, epoch) = opened(&letter)?;
        let (subject, stream_sequence) = (message.subject().to_owned(), message.stream_sequence);
        let (answer, answered) = oneshot::channel();
        self.send(&stream, Order::Redrive { message, epoch, answer }).await?;
        let outcome = match answered.await.map_err(|_| stopped())? {
            Redriven::Archived => "archived",
            Redriven::Known => "known",
            Redriven::Refused(reason) => return Err(Refused::new(422, "refused", reason)),
        };
        tracing::info!(stream, stream_sequence, letter = sequence, outcome, "dead letter redriven");
        Ok(json(&serde_json::json!({
            "sequence": sequence, "outcome": outcome, "subject": subject,
            "stream": stream, "stream_sequence": stream_sequence,
        })))
    }

    async fn send(&self, stream: &str, order: Order) -> Result<(), Refused> {
        let worker = self.workers.get(stream).ok_or_else(|| {
            Refused::new(404, "stream", format!("stream {stream} is not archived here: see archiver.streams"))
        })?;
        worker.send(order).await.map_err(|_| stopped())
    }
}

/// The stream, the message as it was in it, and the epoch, of a dead letter.
fn opened(letter: &StreamMessage) -> Result<(String, StreamMessage, Option<u32>), Refused> {
    if letter.subject().ends_with(".frame") {
        let text =
            "a frame that a cell refused: `sise journal replay` reads it again with the parser of today";
        return Err(Refused::new(422, "frame", text));
    }
    if let Some(bytes) = letter.header(CUT_HEADER) {
        let text =
            format!("the payload had {bytes} bytes and was cut: read it from its stream, if it is there");
        return Err(Refused::new(422, "cut", text));
    }
    let header = |name: &str| {
        letter.header(name).ok_or_else(|| {
            Refused::new(
                422,
                "header",
                format!("no header {name}: the archiver did not set this message aside"),
            )
        })
    };
    header(REASON_HEADER)?;
    let (stream, subject) = (header(STREAM_HEADER)?.to_owned(), header(SUBJECT_HEADER)?);
    let sequence = header(SEQUENCE_HEADER)?;
    let sequence = sequence
        .parse()
        .map_err(|_| Refused::new(422, "header", format!("{SEQUENCE_HEADER} is no number: {sequence}")))?;
    let id = letter.header(ORIGINAL_ID_HEADER);
    let epoch = letter.header(EPOCH_HEADER).and_then(|epoch| epoch.parse().ok());
    let message = StreamMessage::new(subject, id, letter.payload(), sequence, letter.published_ns);
    Ok((stream, message, epoch))
}

fn read<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Refused> {
    serde_json::from_slice(payload).map_err(|error| Refused::new(422, "request", error.to_string()))
}

fn json(value: &serde_json::Value) -> Bytes {
    value.to_string().into()
}

fn stopped() -> Refused {
    Refused::new(503, "stopped", "the archiver stops: ask again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_of_a_stream_is_refused_with_what_to_do() {
        let frame = StreamMessage::new("deadletter.kr.kis.frame", Some("f:1"), b"0|H0STCNT0", 1, 1);
        assert!(opened(&frame).expect_err("refused").text.contains("sise journal replay"));
        let bare = StreamMessage::new("deadletter.kr.kis.event", Some("d:1"), b"", 1, 1);
        assert!(opened(&bare).expect_err("refused").text.contains("Sise-Reason"));
    }

    #[test]
    fn a_request_is_read_strictly() {
        let word =
            |payload: &[u8]| read::<ReplayRequest>(payload).map(|_| ()).map_err(|refused| refused.word);
        assert_eq!(word(br#"{"stream":"S","first":1,"last":2}"#), Ok(()));
        assert_eq!(word(br#"{"stream":"S","first":-1,"last":2}"#), Err("request".to_owned()));
        assert_eq!(word(br#"{"stream":"S","first":1,"last":2,"force":true}"#), Err("request".to_owned()));
    }
}
