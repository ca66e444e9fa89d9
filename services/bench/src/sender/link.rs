//! One WebSocket connection: registrations answered, then frames written in batches past the WebSocket library, which
//! reads what the other side says in between.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::frames::{Clock, Prepared, Registered, hhmmss, yyyymmdd};
use super::{Phase, Shared, frames};

/// Frames of one write: about 64 KiB.
const BATCH: u64 = 160;
/// A quiet line of the broker has a sign of life every 10 to 14 s.
const PINGPONG: Duration = Duration::from_secs(10);
/// Between two bursts when a rate is kept: the finest that the timer has.
const BURST: Duration = Duration::from_millis(1);

type Socket = WebSocketStream<TcpStream>;

/// A request as far as it matters.
#[derive(Debug, Deserialize)]
struct Request {
    header: RequestHeader,
    body: RequestBody,
}

#[derive(Debug, Deserialize)]
struct RequestHeader {
    tr_type: String,
}

#[derive(Debug, Deserialize)]
struct RequestBody {
    input: Registered,
}

/// Serves one connection to its end. An end before all frames are written is an error.
pub async fn serve(stream: TcpStream, shared: Arc<Shared>) -> anyhow::Result<()> {
    stream.set_nodelay(true).context("nodelay")?;
    let mut socket = tokio_tungstenite::accept_async(stream).await.context("handshake")?;
    let mut registered: Vec<Registered> = Vec::new();
    if !register(&mut socket, &mut registered, &shared).await? {
        return Ok(());
    }
    let mut prepared = Prepared::new(&registered);
    let mut phase = shared.phase.subscribe();
    shared.is_prepared();
    phase.wait_for(|phase| *phase == Phase::Sending).await.context("start")?;
    match shared.rate {
        None => {
            while send(&mut socket, &mut prepared, &shared, BATCH).await? > 0 {
                heard(&mut socket, &mut registered, &shared).await?;
            }
        }
        Some(rate) => {
            let all = u64::try_from(shared.registered.load(Ordering::SeqCst)).unwrap_or(u64::MAX);
            let own = u64::try_from(registered.len()).unwrap_or(u64::MAX);
            paced(&mut socket, &mut prepared, &mut registered, &shared, (rate.saturating_mul(own), all))
                .await?;
        }
    }
    quiet(&mut socket, &mut registered, &shared).await
}

/// Answers registrations until frames are to be made; false when the other side has left without any.
async fn register(
    socket: &mut Socket,
    registered: &mut Vec<Registered>,
    shared: &Shared,
) -> anyhow::Result<bool> {
    let mut phase = shared.phase.subscribe();
    let mut alive = interval(PINGPONG);
    loop {
        tokio::select! {
            // Answers before the start, so that the last one is not behind the first frames.
            biased;
            message = socket.next() => {
                if !take(socket, message, registered, shared).await? {
                    if registered.is_empty() {
                        return Ok(false);
                    }
                    bail!("the reader has left before the start");
                }
            }
            true = started(&mut phase), if !registered.is_empty() => return Ok(true),
            _ = alive.tick() => pingpong(socket).await?,
        }
    }
}

/// Waits for the end of registering.
async fn started(phase: &mut watch::Receiver<Phase>) -> bool {
    phase.wait_for(|phase| *phase != Phase::Registering).await.is_ok()
}

/// Writes at most so many frames; says how many.
async fn send(
    socket: &mut Socket,
    prepared: &mut Prepared,
    shared: &Shared,
    most: u64,
) -> anyhow::Result<u64> {
    let taken = shared.take(most);
    let clock = Clock::now();
    let mut left = taken;
    while left > 0 {
        let batch = prepared.batch(left, &clock);
        socket.get_mut().write_all(batch.bytes).await.context("the reader has left before the end")?;
        left -= batch.trades + batch.books;
        shared.wrote(batch.trades, batch.books, batch.bytes.len());
    }
    Ok(taken)
}

/// Writes `rate.0 / rate.1` frames a second.
async fn paced(
    socket: &mut Socket,
    prepared: &mut Prepared,
    registered: &mut Vec<Registered>,
    shared: &Shared,
    rate: (u64, u64),
) -> anyhow::Result<()> {
    let mut burst = interval(BURST);
    burst.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (began, mut sent) = (Instant::now(), 0);
    loop {
        burst.tick().await;
        let due = began.elapsed().as_nanos() * u128::from(rate.0) / u128::from(rate.1.max(1)) / 1_000_000_000;
        let due = u64::try_from(due).unwrap_or(u64::MAX).saturating_sub(sent);
        // What the reader could not take in time is not left out: the line says how long everything took.
        let wrote = if due == 0 { 0 } else { send(socket, prepared, shared, due.min(BATCH)).await? };
        sent += wrote;
        if due > 0 && wrote == 0 {
            return Ok(());
        }
        heard(socket, registered, shared).await?;
    }
}

/// Answers whatever has come meanwhile.
async fn heard(socket: &mut Socket, registered: &mut Vec<Registered>, shared: &Shared) -> anyhow::Result<()> {
    while let Some(message) = socket.next().now_or_never() {
        if !take(socket, message, registered, shared).await? && !*shared.done.borrow() {
            bail!("the reader has left after {} of {} frames", shared.sent(), shared.frames);
        }
        if *shared.done.borrow() {
            break;
        }
    }
    Ok(())
}

/// Everything is sent: signs of life until the other side leaves.
async fn quiet(socket: &mut Socket, registered: &mut Vec<Registered>, shared: &Shared) -> anyhow::Result<()> {
    let mut alive = interval(PINGPONG);
    loop {
        tokio::select! {
            message = socket.next() => {
                if !take(socket, message, registered, shared).await? {
                    return Ok(());
                }
            }
            _ = alive.tick() => pingpong(socket).await?,
        }
    }
}

async fn pingpong(socket: &mut Socket) -> anyhow::Result<()> {
    let now_ns = frames::now_ns();
    let datetime = format!("{}{}", yyyymmdd(now_ns), hhmmss(now_ns));
    let text = json!({"header": {"tr_id": "PINGPONG", "datetime": datetime}}).to_string();
    socket.send(Message::text(text)).await.context("sign of life")
}

/// Answers one message; false when it is the end.
async fn take(
    socket: &mut Socket,
    message: Option<Result<Message, Error>>,
    registered: &mut Vec<Registered>,
    shared: &Shared,
) -> anyhow::Result<bool> {
    let text = match message {
        Some(Ok(Message::Text(text))) => text,
        Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(false),
        // Pings are answered by the library.
        Some(Ok(_)) => return Ok(true),
    };
    // What is sent back to a PINGPONG has no body.
    let Ok(Request { header, body: RequestBody { input } }) = serde_json::from_str(&text) else {
        return Ok(true);
    };
    let subscribe = header.tr_type == "1";
    let (code, said) = match registered.iter().position(|one| *one == input) {
        _ if input.kind().is_none() => ("OPSP8991", "invalid tr_id"),
        Some(_) if subscribe => ("OPSP0002", "ALREADY IN SUBSCRIBE"),
        None if subscribe => ("OPSP0000", "SUBSCRIBE SUCCESS"),
        Some(_) => ("OPSP0001", "UNSUBSCRIBE SUCCESS"),
        None => ("OPSP0003", "UNSUBSCRIBE ERROR (not found!)"),
    };
    let rt_cd = if matches!(code, "OPSP0000" | "OPSP0001") { "0" } else { "1" };
    let answer = json!({
        "header": {"tr_id": input.tr_id, "tr_key": input.tr_key, "encrypt": "N"},
        "body": {"rt_cd": rt_cd, "msg_cd": code, "msg1": said, "output": {
            "iv": "0123456789abcdef", "key": "abcdefghijklmnopabcdefghijklmnop",
        }},
    });
    socket.send(Message::text(answer.to_string())).await.context("answer")?;
    match code {
        // What comes after the start is registered and stays silent: its frames are not made.
        "OPSP0000" => {
            if registered.is_empty() {
                shared.links.fetch_add(1, Ordering::SeqCst);
            }
            registered.push(input);
            shared.registered();
        }
        "OPSP0001" if *shared.phase.borrow() == Phase::Registering => {
            bail!("the reader gives up what it has just registered");
        }
        _ => {}
    }
    Ok(true)
}
