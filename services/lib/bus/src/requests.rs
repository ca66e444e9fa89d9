//! Requests answered, as a NATS service: `rest.<source>.<call>` for one page of a broker's REST interface, and whatever
//! another service answers at a [`Place`] of its own.
//!
//! A request is JSON, an answer is JSON or a [`Refused`] in headers; what either means is the cell's business. Services
//! of one source share a queue group, so each request reaches one of them. The NATS service API makes them visible:
//! `nats micro ls`, `nats micro stats kis-service`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::service::endpoint::Endpoint;
use async_nats::service::{Request, Service, ServiceExt as _, error};
use async_nats::{Client, HeaderMap, Statistics};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use crate::connect::{ConnectError, NatsSettings, connect};
use crate::subject::REASON_HEADER;

/// How long an asker waits for its answer; what is older is answered to nobody.
pub const ASK_LIMIT: Duration = Duration::from_secs(60);
/// The largest request in bytes: a page's parameters and a key of some hundred characters fit many times.
pub const MAX_REQUEST: usize = 64 << 10;
/// Requests that wait or are being answered. At two pages a second, which any broker gives, the last of them gets its
/// answer within half of [`ASK_LIMIT`]; beyond it the asker is told at once.
const MAX_WAITING: usize = 64;
/// The most of a text in a header, in bytes.
const MAX_TEXT: usize = 1_000;
/// Room for the protocol around an answer, in bytes.
const OVERHEAD: usize = 1_024;
/// One request, one answer, whichever service of the source takes it.
const QUEUE_GROUP: &str = "pages";

/// Where a service answers, and what the service API tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The subject before the call: `archiver` for `archiver.<call>`.
    pub prefix: &'a str,
    /// The name of the endpoint: letters, digits, `_` and `-`.
    pub endpoint: &'a str,
    /// Those that share a group share the requests: each reaches one of them.
    pub queue_group: &'a str,
    /// What is answered, for people.
    pub description: &'a str,
}

/// The subject of a call; none when source or call is no single word.
#[must_use]
pub fn request_subject(source: &str, call: &str) -> Option<String> {
    let word = |text: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        (1..=64).contains(&text.len()) && text.bytes().all(fits)
    };
    (word(source) && word(call)).then(|| format!("rest.{source}.{call}"))
}

/// Why a request has no answer but this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word}: {text}")]
pub struct Refused {
    /// As HTTP has it: 4xx = asking again unchanged would not help (but 429: later), 5xx = later it may.
    pub code: u16,
    /// One word, for programs and counters.
    pub word: String,
    /// For people: what is wrong and what to do. Cut at 1,000 bytes, control characters become spaces.
    pub text: String,
}

impl Refused {
    /// A refusal of these parts.
    pub fn new(code: u16, word: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code, word: word.into(), text: text.into() }
    }
}

/// Why a responder cannot start. A server that is away is no reason: it is waited for.
#[derive(Debug, thiserror::Error)]
pub enum RespondError {
    /// The settings cannot be meant.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The source is no single word of letters, digits, `_` and `-`.
    #[error("`{source_word}` cannot stand in a subject: letters, digits, _ and - only")]
    Source {
        /// The source as given.
        source_word: String,
    },
    /// The library refuses, for example a version that is none.
    #[error("service {service} cannot be announced: {problem}")]
    Announce {
        /// The service.
        service: String,
        /// What the library says.
        problem: String,
    },
}

/// Takes the requests of one source, on a connection of its own that comes back by itself.
#[derive(Debug)]
pub struct Responder {
    service: Service,
    client: Client,
    room: Arc<Semaphore>,
    asked: mpsc::Receiver<Asked>,
}

impl Responder {
    /// Answers `rest.<source>.*` as `service` (its user at the server) of `version` (three numbers with dots).
    ///
    /// # Errors
    /// [`RespondError`] when settings, source or version cannot be meant.
    pub async fn start(
        settings: &NatsSettings,
        service: &str,
        version: &str,
        source: &str,
    ) -> Result<Self, RespondError> {
        // Any word stands for the calls here: which of them the broker has, its cell says in the answer.
        let Some(_) = request_subject(source, "x") else {
            return Err(RespondError::Source { source_word: source.to_owned() });
        };
        crate::figures::of_requests();
        let prefix = format!("rest.{source}");
        let place = Place {
            prefix: &prefix,
            endpoint: "page",
            queue_group: QUEUE_GROUP,
            description: "one page of the broker's REST interface",
        };
        Self::start_at(settings, service, version, place).await
    }

    /// Answers `<prefix>.*` of `place` as `service` of `version`.
    ///
    /// # Errors
    /// [`RespondError`] when settings, place or version cannot be meant.
    pub async fn start_at(
        settings: &NatsSettings,
        service: &str,
        version: &str,
        place: Place<'_>,
    ) -> Result<Self, RespondError> {
        let client = connect(settings, service).await?;
        let fail = |e: async_nats::Error| RespondError::Announce {
            service: service.to_owned(),
            problem: e.to_string(),
        };
        let builder = client.service_builder().description(place.description);
        let announced = builder.queue_group(place.queue_group).start(service, version).await.map_err(fail)?;
        let group = announced.group(place.prefix);
        let endpoint = group.endpoint_builder().name(place.endpoint).add("*").await.map_err(fail)?;
        let room = Arc::new(Semaphore::new(MAX_WAITING));
        let (sender, asked) = mpsc::channel(MAX_WAITING);
        tokio::spawn(read(endpoint, client.clone(), Arc::clone(&room), sender));
        Ok(Self { service: announced, client, room, asked })
    }

    /// The next request whose asker still waits; none after the connection was closed for good.
    ///
    /// May be cancelled: nothing is lost.
    pub async fn next(&mut self) -> Option<Asked> {
        loop {
            let asked = self.asked.recv().await?;
            if Instant::now() < asked.deadline() {
                return Some(asked);
            }
            metrics::counter!("sise_bus_requests_late_total").increment(1);
        }
    }

    /// Waits until the server is there and has the subscription, at most `limit`. True when it has.
    pub async fn ready(&self, limit: Duration) -> bool {
        crate::connect::connected(&self.client, limit).await
    }

    /// Takes no more requests, refuses those that wait, and returns when those handed out are answered or dropped, at
    /// most after `limit`.
    pub async fn stop(self, limit: Duration) {
        let Self { service, client, room, asked } = self;
        // The library never fails here.
        let _stopped = service.stop().await;
        drop(asked);
        let all = u32::try_from(MAX_WAITING).unwrap_or(u32::MAX);
        let end = async {
            let _all = room.acquire_many(all).await;
            let _sent = client.flush().await;
        };
        if tokio::time::timeout(limit, end).await.is_err() {
            tracing::warn!("requests are left unanswered at the stop");
        }
    }
}

/// Takes requests from the subscription, refuses at once what cannot be answered, queues the rest.
async fn read(mut endpoint: Endpoint, client: Client, room: Arc<Semaphore>, sender: mpsc::Sender<Asked>) {
    let statistics = client.statistics();
    while let Some(request) = endpoint.next().await {
        if request.message.reply.is_none() {
            metrics::counter!("sise_bus_requests_total", "outcome" => "nobody").increment(1);
            continue;
        }
        let permit = Arc::clone(&room).try_acquire_owned().ok();
        let busy = permit.is_none();
        let call = request.message.subject.rsplit('.').next().unwrap_or_default().to_owned();
        let asked = Asked {
            call,
            payload: request.message.payload.clone(),
            received: Instant::now(),
            pending: Some(Pending {
                request,
                connection: statistics.connects.load(Ordering::Relaxed),
                client: client.clone(),
                statistics: Arc::clone(&statistics),
                _permit: permit,
            }),
        };
        if busy {
            let text = format!("{MAX_WAITING} requests are waiting: ask again later");
            asked.answer(Err(Refused::new(503, "busy", text))).await;
        } else if let Err(refused) = readable(&asked.payload) {
            asked.answer(Err(refused)).await;
        } else if sender.send(asked).await.is_err() {
            return;
        }
    }
}

/// Whether a payload may be handed on: JSON of a bounded size.
fn readable(payload: &[u8]) -> Result<(), Refused> {
    if payload.len() > MAX_REQUEST {
        let text = format!("{} bytes: a request has at most {MAX_REQUEST}", payload.len());
        return Err(Refused::new(413, "too_large", text));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(payload) {
        Ok(_) => Ok(()),
        Err(error) => Err(Refused::new(400, "json", format!("the request is not JSON: {error}"))),
    }
}

/// One request. Dropped without an answer, it tells the asker to come again.
#[derive(Debug)]
pub struct Asked {
    /// The call, for example `ka10079`.
    pub call: String,
    /// The request: JSON, at most [`MAX_REQUEST`] bytes.
    pub payload: Bytes,
    received: Instant,
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    request: Request,
    /// The connection it came by, by number.
    connection: u64,
    client: Client,
    statistics: Arc<Statistics>,
    /// Its place among those that wait, held until the answer is sent.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Asked {
    /// Until when the asker waits.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.received + ASK_LIMIT
    }

    /// Sends the answer: JSON, or why there is none. An answer larger than the server takes becomes a refusal.
    pub async fn answer(mut self, answer: Result<Bytes, Refused>) {
        if let Some(pending) = self.pending.take() {
            pending.send(answer).await;
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // Outside of a runtime nothing can be sent; there the asker's own limit ends the wait.
        if let (Some(pending), Ok(runtime)) = (self.pending.take(), tokio::runtime::Handle::try_current()) {
            let refused = Refused::new(503, "stopped", "the service stopped before it answered: ask again");
            runtime.spawn(async move { pending.send(Err(refused)).await });
        }
    }
}

impl Pending {
    async fn send(self, answer: Result<Bytes, Refused>) {
        let answer = answer.and_then(|payload| self.fits(payload));
        let outcome = if answer.is_ok() { "answered" } else { "refused" };
        // The right to reply belongs to the connection by which the request came (`allow_responses`): on another the
        // server would refuse, and the asker has to ask again either way.
        if self.statistics.connects.load(Ordering::Relaxed) != self.connection {
            metrics::counter!("sise_bus_requests_total", "outcome" => "connection_lost").increment(1);
            return;
        }
        metrics::counter!("sise_bus_requests_total", "outcome" => outcome).increment(1);
        let sent = match answer {
            Ok(payload) => self.request.respond(Ok(payload)).await,
            Err(refused) => {
                let mut headers = HeaderMap::new();
                headers.insert(REASON_HEADER, header_text(&refused.word).as_str());
                let error = error::Error { status: header_text(&refused.text), code: refused.code.into() };
                self.request.respond_with_headers(Err(error), headers).await
            }
        };
        if let Err(error) = sent {
            tracing::warn!(%error, "answer to a request not sent");
        }
    }

    fn fits(&self, payload: Bytes) -> Result<Bytes, Refused> {
        let most = self.client.max_payload().saturating_sub(OVERHEAD);
        if payload.len() <= most {
            return Ok(payload);
        }
        let text = format!("the answer has {} bytes and the bus takes {most}: ask for less", payload.len());
        Err(Refused::new(413, "too_large", text))
    }
}

/// What can stand in a header: no control characters, a bounded length.
fn header_text(text: &str) -> String {
    let cut = &text[..text.floor_char_boundary(MAX_TEXT)];
    cut.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_one_word_a_token() {
        assert_eq!(request_subject("kiwoom", "ka10079").as_deref(), Some("rest.kiwoom.ka10079"));
        for (source, call) in
            [("", "a"), ("kis", ""), ("kis", "a.b"), ("kis", ">"), ("*", "a"), ("kis", "a b")]
        {
            assert_eq!(request_subject(source, call), None, "{source} {call}");
        }
        assert_eq!(request_subject("kis", &"a".repeat(65)), None);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(readable(br#"{"parameters":{}}"#), Ok(()));
        let word = |payload: &[u8]| readable(payload).map_err(|refused| (refused.code, refused.word));
        assert_eq!(word(b"{\"parameters\":"), Err((400, "json".to_owned())));
        assert_eq!(word(b""), Err((400, "json".to_owned())));
        assert_eq!(
            word(format!("\"{}\"", "a".repeat(65_535)).as_bytes()),
            Err((413, "too_large".to_owned()))
        );
    }

    #[test]
    fn a_text_in_a_header_has_no_line_end_and_an_end() {
        assert_eq!(header_text("초당 거래건수를\r\n초과"), "초당 거래건수를  초과");
        assert_eq!(header_text(&"가".repeat(400)).len(), 999);
    }
}
