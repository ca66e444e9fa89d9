//! The WebSocket side: one task a socket turns requests into answers and batches into frames, sends PINGPONGs and
//! ends the way the script or the client wants.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use process::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use crate::clock::Clock;
use crate::hub::{Batch, Figures, Item, WAITING};
use crate::request::{self, Reply};
use crate::state::State;

/// Sockets at once: far above what a test opens, far below what a leak would.
const SOCKETS: usize = 64;
/// A client that does not finish its handshake in this time is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Requests are short; a longer message is no request.
const MESSAGE: usize = 64 * 1024;
/// Bytes written to the socket at once.
const WRITE: usize = 128 * 1024;

/// A socket, plain or encrypted.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The TCP stream below.
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// How a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client sent a close frame.
    Closed,
    /// The client went away, or a write failed.
    Lost,
    /// A PINGPONG was not answered, or a write took as long.
    Unanswered,
    /// By script; `true` = reset.
    Cut(bool),
    /// This process stops.
    Stopping,
}

/// Accepts sockets until the stop is asked for, then waits until they have ended.
pub async fn run(state: Arc<State>, listener: TcpListener, tls: Option<TlsAcceptor>, shutdown: Shutdown) {
    let places = Arc::new(Semaphore::new(SOCKETS));
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.requested() => break,
            accepted = listener.accept() => accepted,
        };
        while tasks.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "socket not accepted");
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            tracing::warn!(%peer, SOCKETS, "too many sockets, dropped");
            continue;
        };
        let (state, tls, shutdown) = (state.clone(), tls.clone(), shutdown.clone());
        tasks.spawn(async move {
            let _place = place;
            let handshake = Instant::now() + HANDSHAKE;
            match tls {
                None => serve(state, stream, handshake, shutdown).await,
                Some(tls) => match timeout_at(handshake, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(state, stream, handshake, shutdown).await,
                    Ok(Err(error)) => tracing::warn!(%peer, %error, "tls handshake failed"),
                    Err(_) => tracing::warn!(%peer, "tls handshake took too long"),
                },
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// `/tryitout`, `/tryitout/<TR>`, or no path at all (kis.md 1.1).
#[allow(clippy::result_large_err, reason = "the type is the library's")]
fn check_path(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    let path = request.uri().path();
    if path.is_empty() || path == "/" || path == "/tryitout" || path.starts_with("/tryitout/") {
        return Ok(response);
    }
    let mut refused = ErrorResponse::new(None);
    *refused.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::NOT_FOUND;
    Err(refused)
}

async fn serve<S: Socket>(state: Arc<State>, stream: S, handshake: Instant, shutdown: Shutdown) {
    // Nagle would hold back the last frame of a slice.
    if let Err(error) = stream.tcp().set_nodelay(true) {
        tracing::warn!(%error, "socket option not set");
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE))
        .write_buffer_size(WRITE)
        .max_write_buffer_size(8 * WRITE);
    let accept = accept_hdr_async_with_config(stream, check_path, Some(config));
    let ws = match timeout_at(handshake, accept).await {
        Ok(Ok(ws)) => ws,
        Ok(Err(error)) => return tracing::warn!(%error, "websocket handshake failed"),
        Err(_) => return tracing::warn!("websocket handshake took too long"),
    };
    let (sender, items) = mpsc::channel(WAITING);
    let (id, figures) = state.hub().connect(sender);
    tracing::info!(connection = id, "socket open");
    let link = Link { state: state.clone(), id, ws, items, figures, unanswered: None };
    let end = link.run(shutdown).await;
    tracing::info!(connection = id, ?end, "socket ended");
}

/// An open socket.
struct Link<S> {
    state: Arc<State>,
    id: u64,
    ws: WebSocketStream<S>,
    items: mpsc::Receiver<Item>,
    figures: Arc<Figures>,
    /// When the oldest unanswered PINGPONG was sent.
    unanswered: Option<Instant>,
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
        let period = self.state.settings.ping;
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
        self.unanswered.unwrap_or_else(Instant::now) + self.state.settings.pong_limit
    }

    async fn read(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        match message {
            Some(Ok(Message::Text(text))) => match request::answer(&self.state, self.id, text.as_str()) {
                Reply::Pong => self.unanswered = None,
                Reply::Answer(answer) => self.send(answer).await?,
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
            Item::Batch(batch) => self.write(batch).await,
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
        let now = clock.now().korea;
        self.unanswered.get_or_insert_with(Instant::now);
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

    /// Counts the first `written` frames of a batch as sent, the others as unwritten.
    async fn account(&self, mut batch: Batch, written: usize) {
        let (sent, left) = batch.frames.split_at(written);
        let rest = batch.lines.split_off(sent.last().map_or(0, |frame| frame.lines_end));
        for frame in sent {
            self.state.count(frame.tr, frame.events);
        }
        let (sent, left) = (records(sent), records(left));
        self.state.tape.lines(batch.lines).await;
        self.state.tape.faults(unwritten(&rest)).await;
        // Last: whoever sees the figures agree finds the lines on their way to the file.
        self.figures.written.fetch_add(sent, std::sync::atomic::Ordering::AcqRel);
        self.figures.unwritten.fetch_add(left, std::sync::atomic::Ordering::AcqRel);
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
        match end {
            // The library has queued the answer to the close frame. It may fail, the client is gone then.
            End::Closed => _ = timeout(HANDSHAKE, self.ws.flush()).await,
            End::Stopping => _ = timeout(HANDSHAKE, self.ws.close(None)).await,
            End::Cut(true) => {
                if let Err(error) = self.ws.get_ref().tcp().set_zero_linger() {
                    tracing::warn!(%error, "socket option not set");
                }
            }
            End::Lost | End::Unanswered | End::Cut(false) => {}
        }
    }
}

fn records(frames: &[crate::hub::Frame]) -> u64 {
    frames.iter().map(|frame| frame.records).sum()
}

/// Tape lines with the reason that nobody got them.
#[must_use]
pub fn unwritten(lines: &str) -> String {
    lines.replace(",\"connections\":", ",\"reason\":\"unwritten\",\"connections\":")
}
