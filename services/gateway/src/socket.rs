//! One WebSocket: what the client asks goes to the hub, what its queue holds goes out. A client that takes nothing for too
//! long is closed; nobody else notices.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use process::Shutdown;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::client::{AWAY, Client, End, Next, POLICY, TOO_LARGE};
use crate::clock::Clock;
use crate::hub::{Command, Join};
use crate::request::{self, Problem, Refusal, Request};

/// The largest message of a client.
pub const MOST_MESSAGE: usize = 64 << 10;
/// Subscriptions of one client.
const MOST_SUBSCRIPTIONS: usize = 64;
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a socket needs to know.
#[derive(Debug, Clone)]
pub struct SocketSettings {
    /// How often changes are sent.
    pub batch: Duration,
    /// How often the client hears that it is not forgotten.
    pub heartbeat: Duration,
    /// A client that takes nothing for so long is closed.
    pub slow: Duration,
    /// The time that is told.
    pub clock: Clock,
    /// What a client hears at the end.
    pub farewell: &'static str,
}

/// Serves a client to its end.
pub async fn serve(
    socket: WebSocket,
    client: Arc<Client>,
    commands: mpsc::Sender<Command>,
    settings: SocketSettings,
    shutdown: Shutdown,
) {
    client.answer(
        json!({
            "type": "hello", "version": 1, "now_ns": settings.clock.now_ns().to_string(),
            "heartbeat_ms": ms(settings.heartbeat), "batch_ms": ms(settings.batch),
        })
        .to_string(),
    );
    let (sink, stream) = socket.split();
    tokio::select! {
        () = write(sink, &client, &settings, &shutdown) => {}
        () = read(stream, &client, &commands, &settings.clock) => {}
    }
    // The hub may have ended.
    let _ended = commands.send(Command::Gone { client: client.id }).await;
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Takes what the client says; returns when it is gone.
async fn read(
    mut stream: SplitStream<WebSocket>,
    client: &Arc<Client>,
    commands: &mpsc::Sender<Command>,
    clock: &Clock,
) {
    let (mut next, mut open) = (1, 0);
    while let Some(message) = stream.next().await {
        let text = match message {
            Ok(Message::Text(text)) => text,
            Ok(Message::Binary(_)) => {
                let problem = Problem::new("message", "binary", "send text: one JSON object");
                client.answer(refusal(&Refusal { id: None, op: None, problem }));
                continue;
            }
            Ok(Message::Ping(_) | Message::Pong(_)) => continue,
            Ok(Message::Close(_)) => return,
            Err(error) => {
                if !error.to_string().contains("too long") {
                    return;
                }
                client.close(TOO_LARGE, &format!("a message has at most {MOST_MESSAGE} bytes"));
                // The writer says farewell.
                return std::future::pending().await;
            }
        };
        let command = match request::read(&text) {
            Ok(Request::Ping { id }) => {
                client.answer(
                    json!({"type": "pong", "id": id, "now_ns": clock.now_ns().to_string()}).to_string(),
                );
                continue;
            }
            Ok(Request::Subscribe { id, .. }) if open >= MOST_SUBSCRIPTIONS => {
                let problem = format!("{MOST_SUBSCRIPTIONS} subscriptions are there");
                let problem = Problem::new("op", problem, "unsubscribe one, or put symbols together");
                client.answer(refusal(&Refusal { id, op: Some("subscribe".into()), problem }));
                continue;
            }
            Ok(Request::Subscribe { id, selection }) => {
                let subscription = next;
                (next, open) = (next + 1, open + 1);
                Command::Join(Join { client: Arc::clone(client), subscription, id, selection })
            }
            Ok(Request::Unsubscribe { id, subscription }) if client.end(subscription) => {
                open -= 1;
                client.answer(
                    json!({"type": "unsubscribed", "id": id, "subscription": subscription}).to_string(),
                );
                Command::Leave { client: client.id, subscription }
            }
            Ok(Request::Unsubscribe { id, subscription }) => {
                let hint = "a number that an answer `subscribed` told";
                let problem = Problem::new("subscription", format!("there is no {subscription}"), hint);
                client.answer(refusal(&Refusal { id, op: Some("unsubscribe".into()), problem }));
                continue;
            }
            Err(refused) => {
                client.answer(refusal(&refused));
                continue;
            }
        };
        if commands.send(command).await.is_err() {
            return;
        }
    }
}

fn refusal(refusal: &Refusal) -> String {
    metrics::counter!("sise_gateway_requests_refused_total").increment(1);
    let Refusal { id, op, problem } = refusal;
    json!({
        "type": "error", "id": id, "op": op, "field": problem.field, "problem": problem.problem, "hint": problem.hint,
    })
    .to_string()
}

/// Sends what the queue holds; returns when the client is gone or closed.
async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    client: &Client,
    settings: &SocketSettings,
    shutdown: &Shutdown,
) {
    let mut heartbeat = interval(settings.heartbeat);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat.tick().await;
    let stops = || End { code: AWAY, reason: settings.farewell.to_owned() };
    let end = loop {
        let message = tokio::select! {
            biased;
            () = shutdown.requested() => break stops(),
            _ = heartbeat.tick() => {
                Message::text(json!({"type": "heartbeat", "now_ns": settings.clock.now_ns().to_string()}).to_string())
            }
            next = client.next() => match next {
                Ok(next) => Message::Text(text(next)),
                Err(end) => break end,
            },
        };
        let sent = tokio::select! {
            sent = timeout(settings.slow, sink.send(message)) => sent,
            () = shutdown.requested() => break stops(),
        };
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                metrics::counter!("sise_gateway_clients_closed_total", "reason" => "slow").increment(1);
                let reason = format!("nothing was read for {} s", settings.slow.as_secs());
                tracing::info!(client = client.id, reason, "client closed");
                break End { code: POLICY, reason };
            }
        }
    };
    let closing = json!({"type": "closing", "reason": end.reason}).to_string();
    let farewell = async {
        sink.send(Message::text(closing)).await?;
        sink.send(Message::Close(Some(CloseFrame { code: end.code, reason: end.reason.into() }))).await
    };
    // Who never reads does not hear it.
    let _unheard = timeout(FAREWELL, farewell).await;
}

/// A message as text: an envelope around items that were encoded once for all.
fn text(next: Next) -> Utf8Bytes {
    let (subscription, sequence, snapshot, piece) = match next {
        Next::Answer(text) => return text.into(),
        Next::Piece { subscription, sequence, snapshot, piece } => (subscription, sequence, snapshot, piece),
    };
    let head = match snapshot {
        Some(part) => format!(
            r#"{{"type":"snapshot","subscription":{subscription},"sequence":{sequence},"more":{},"skipped":{},"items":["#,
            part.more, part.skipped
        ),
        None => format!(r#"{{"type":"update","subscription":{subscription},"sequence":{sequence},"items":["#),
    };
    let mut bytes = Vec::with_capacity(head.len() + piece.items.len() + 2);
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(&piece.items);
    bytes.extend_from_slice(b"]}");
    // Only JSON text was written.
    String::from_utf8(bytes).unwrap_or_default().into()
}
