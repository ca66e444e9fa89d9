//! The WebSocket side of both brokers: one task a socket turns requests into answers and batches into frames, sends
//! PINGPONGs (Kiwoom: PINGs) and ends the way the script or the client wants.

mod accept;
mod handshake;
mod written;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use process::Shutdown;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use crate::clock::Clock;
use crate::hub::{Batch, Figures, Item, WAITING};
use crate::kiwoom::session::{self, Session};
use crate::request::{self, Reply};
use crate::state::State;
use crate::tr::Broker;

use self::accept::Socket;
pub use self::accept::run;
pub use self::written::unwritten;

/// A client that does not finish its handshake in this time is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A client that does not answer a close frame in this time is dropped.
const PARTING: Duration = Duration::from_secs(2);
/// Requests are short; a longer message is no request.
const MESSAGE: usize = 64 * 1024;
/// Bytes written to the socket at once.
const WRITE: usize = 128 * 1024;
/// What may wait to be written: that, and a frame that a script made as large as no client reads it.
const UNWRITTEN: usize = 8 << 20;

/// How a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client sent a close frame.
    Closed,
    /// The client went away, or a write failed.
    Lost,
    /// A PINGPONG was not answered, or a write took as long.
    Unanswered,
    /// By script; `true` = reset.
    Cut(bool),
    /// Another session of the same key has begun, or the script says so.
    Kicked,
    /// This process stops.
    Stopping,
}

impl End {
    /// Its word on the tape.
    fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Lost => "lost",
            Self::Unanswered => "unanswered",
            Self::Cut(false) => "cut",
            Self::Cut(true) => "reset",
            Self::Kicked => "kicked",
            Self::Stopping => "stopping",
        }
    }
}

async fn serve<S: Socket>(
    broker: Broker,
    state: Arc<State>,
    stream: S,
    handshake: Instant,
    shutdown: Shutdown,
) {
    let opened_ns = written::now_ns();
    // Nagle would hold back the last frame of a slice.
    if let Err(error) = stream.tcp().set_nodelay(true) {
        tracing::warn!(%error, "socket option not set");
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE))
        .write_buffer_size(WRITE)
        .max_write_buffer_size(UNWRITTEN);
    let check = handshake::Check { broker, blocked_agents: &state.settings.kiwoom.blocked_agents };
    let accept = accept_hdr_async_with_config(stream, check, Some(config));
    let ws = match timeout_at(handshake, accept).await {
        Ok(Ok(ws)) => ws,
        Ok(Err(error)) => return tracing::warn!(%error, "websocket handshake failed"),
        Err(_) => return tracing::warn!("websocket handshake took too long"),
    };
    let (sender, items) = mpsc::channel(WAITING);
    let (id, figures) = state.hub().connect(broker, sender);
    tracing::info!(connection = id, ?broker, "socket open");
    let (session, state) = (Session::default(), state.clone());
    state.tape.connections(written::opened(id, broker, opened_ns)).await;
    let link =
        Link { broker, state, id, ws, items, figures, frames: 0, session, unanswered: None, muted: None };
    let end = link.run(shutdown).await;
    tracing::info!(connection = id, ?end, "socket ended");
}

/// An open socket.
struct Link<S> {
    broker: Broker,
    state: Arc<State>,
    id: u64,
    ws: WebSocketStream<S>,
    items: mpsc::Receiver<Item>,
    figures: Arc<Figures>,
    /// Data frames written.
    frames: u64,
    /// What a Kiwoom client has said.
    session: Session,
    /// When the oldest unanswered PINGPONG was sent.
    unanswered: Option<Instant>,
    /// Until when the socket is dead by script.
    muted: Option<Instant>,
}

impl<S: Socket> Link<S> {
    async fn run(mut self, shutdown: Shutdown) -> End {
        let end = match Clock::new() {
            Ok(clock) => self.work(clock, shutdown).await,
            Err(_) => End::Lost,
        };
        self.finish(end).await;
        end
    }

    async fn work(&mut self, mut clock: Clock, shutdown: Shutdown) -> End {
        let settings = &self.state.settings;
        let period = if self.broker == Broker::Kis { settings.ping } else { settings.kiwoom.ping };
        let mut pings = interval_at(Instant::now() + period, period);
        loop {
            let deadline = self.deadline();
            let result = tokio::select! {
                () = shutdown.requested() => Err(End::Stopping),
                message = self.ws.next() => self.read(message).await,
                Some(item) = self.items.recv() => self.execute(item).await,
                _ = pings.tick() => self.ping(&mut clock).await,
                () = tokio::time::sleep_until(deadline), if self.unanswered.is_some() => Err(End::Unanswered),
            };
            if let Err(end) = result {
                return end;
            }
        }
    }

    /// When the socket is cut if nothing is answered and nothing can be written until then.
    fn deadline(&self) -> Instant {
        let settings = &self.state.settings;
        let limit = if self.broker == Broker::Kis { settings.pong_limit } else { settings.kiwoom.pong_limit };
        self.unanswered.unwrap_or_else(Instant::now) + limit
    }

    /// Whether the socket is dead at this moment.
    fn is_muted(&mut self) -> bool {
        self.muted = self.muted.filter(|until| Instant::now() < *until);
        self.muted.is_some()
    }

    fn reply(&mut self, text: &str) -> Reply {
        match self.broker {
            Broker::Kis => request::answer(&self.state, self.id, text),
            Broker::Kiwoom => self.session.answer(&self.state, self.id, text, Instant::now()),
        }
    }

    async fn read(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        match message {
            Some(Ok(Message::Text(_))) if self.is_muted() => {}
            Some(Ok(Message::Text(text))) => match self.reply(text.as_str()) {
                Reply::Pong => self.unanswered = None,
                Reply::Answer(answer) => self.send(answer).await?,
                Reply::Nothing => {}
            },
            // The other two forms of the answer that the broker tolerates (kis.md 2.4).
            Some(Ok(Message::Pong(payload) | Message::Ping(payload))) => {
                if payload.windows(8).any(|part| part == b"PINGPONG") {
                    self.unanswered = None;
                }
            }
            Some(Ok(Message::Close(_))) => return Err(End::Closed),
            Some(Ok(Message::Binary(_))) => {
                tracing::warn!(connection = self.id, "binary message from a client, ignored");
            }
            Some(Ok(Message::Frame(_))) => {}
            Some(Err(error)) => {
                tracing::info!(connection = self.id, %error, "read failed");
                return Err(End::Lost);
            }
            None => return Err(End::Lost),
        }
        Ok(())
    }

    async fn execute(&mut self, item: Item) -> Result<(), End> {
        match item {
            Item::Batch(batch) if self.is_muted() => {
                self.account(batch, 0).await;
                Ok(())
            }
            Item::Batch(batch) => self.write(batch).await,
            Item::Kick => {
                self.send(session::KICKED.to_owned()).await?;
                Err(End::Kicked)
            }
            Item::Mute(time) => {
                self.muted = Some(Instant::now() + time);
                self.unanswered = None;
                Ok(())
            }
            Item::Cut(reset) => Err(End::Cut(reset)),
            Item::Stall(time) => {
                // Silence in both directions: nothing is written, and nothing is read that would be answered.
                tokio::time::sleep(time).await;
                self.unanswered = None;
                Ok(())
            }
        }
    }

    async fn ping(&mut self, clock: &mut Clock) -> Result<(), End> {
        if self.is_muted() {
            return Ok(());
        }
        self.unanswered.get_or_insert_with(Instant::now);
        if self.broker == Broker::Kiwoom {
            return self.send(session::PING.to_owned()).await;
        }
        let now = clock.now().korea;
        let (date, time) = (now.date, now.time);
        self.send(format!(r#"{{"header":{{"tr_id":"PINGPONG","datetime":"{date:08}{time:06}"}}}}"#)).await
    }

    async fn send(&mut self, text: String) -> Result<(), End> {
        match timeout_at(self.deadline(), self.ws.send(Message::Text(text.into()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Lost),
            Err(_) => Err(End::Unanswered),
        }
    }

    /// Writes a batch and puts into the tape what went to the socket.
    async fn write(&mut self, batch: Batch) -> Result<(), End> {
        let (mut written, deadline) = (0, self.deadline());
        let ws = &mut self.ws;
        let writing = async {
            for frame in &batch.frames {
                ws.feed(Message::Text(frame.text.clone())).await?;
                written += 1;
            }
            ws.flush().await
        };
        let result = timeout_at(deadline, writing).await;
        self.account(batch, written).await;
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Lost),
            Err(_) => Err(End::Unanswered),
        }
    }

    /// Takes leave of the hub and of the client.
    async fn finish(mut self, end: End) {
        let clean = matches!(end, End::Closed | End::Stopping);
        self.state.hub().disconnect(self.id, clean, self.state.settings.hold, Instant::now());
        self.items.close();
        while let Ok(item) = self.items.try_recv() {
            if let Item::Batch(batch) = item {
                self.account(batch, 0).await;
            }
        }
        self.state.tape.connections(written::closed(self.id, self.broker, self.frames, end)).await;
        match end {
            End::Kicked => self.part("Bye").await,
            // The library has queued the answer to the close frame. It may fail, the client is gone then.
            End::Closed => _ = timeout(HANDSHAKE, self.ws.flush()).await,
            End::Stopping => _ = timeout(HANDSHAKE, self.ws.close(None)).await,
            End::Cut(true) => {
                if let Err(error) = self.ws.get_ref().tcp().set_zero_linger() {
                    tracing::warn!(%error, "socket option not set");
                }
            }
            End::Unanswered if self.broker == Broker::Kiwoom => self.part("").await,
            End::Lost | End::Unanswered | End::Cut(false) => {}
        }
    }
    /// Closes, and reads until the client has closed too: an end with unread bytes would be a reset, which can
    /// overtake the close frame.
    async fn part(&mut self, reason: &'static str) {
        let close = CloseFrame { code: CloseCode::Normal, reason: reason.into() };
        let parting = async {
            self.ws.close(Some(close)).await?;
            while let Some(message) = self.ws.next().await {
                message?;
            }
            Ok::<(), Error>(())
        };
        match timeout(PARTING, parting).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "closing failed"),
            Err(_) => tracing::debug!("client did not close"),
        }
    }
}
