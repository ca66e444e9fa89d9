//! One WebSocket connection: connect, speak the protocol, stamp and hand on what comes, until it ends.
//!
//! The only place that knows the WebSocket library, and the only place that reads the clock for `received_ns`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use market::{Change, Group, Market, Symbol, Tape, calendar::Calendar};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

use crate::clock::now_ns;
use crate::feed::{Action, Note, Now, Opening, Protocol, Retry};
use crate::pulse::Pulse;

/// Frames of several records reach several kB, and a client with an 8 kB limit was cut off: 512 kB and more.
const MAX_MESSAGE: usize = 1 << 20;
/// How often the protocol is told that time has passed: fine enough for requests 120 ms apart.
const TICK: Duration = Duration::from_millis(20);
/// A connect that hangs is given up.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// A close frame that nobody answers is not waited for any longer.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// What a connection hands on, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A data frame, as read.
    Frame(Frame),
    /// Something people must know.
    Note {
        /// The connection's name.
        connection: String,
        /// The connection: its connect time, UTC ns.
        connection_id: i64,
        /// When, UTC ns.
        at_ns: i64,
        /// What.
        note: LinkNote,
    },
}

/// A data frame with its stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Connect time, UTC ns.
    pub connection_id: i64,
    /// Number of this data frame on its connection, from 1.
    pub frame_sequence: u64,
    /// When it was read from the socket, UTC ns.
    pub received_ns: i64,
    /// Its text.
    pub text: Bytes,
}

/// What happened to a connection, or to what the connections of a feed carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkNote {
    /// It was made.
    Up,
    /// The protocol has something to say.
    Protocol(Note),
    /// It was closed because nothing is wanted of it for a while: the market is closed.
    Idle,
    /// It ended.
    Down {
        /// Why, in the broker's or the system's words.
        reason: String,
        /// When the last message of any kind was read, UTC ns.
        last_received_ns: i64,
    },
    /// This broker carries a group now.
    Took {
        /// Which, from whom, why.
        change: Change,
        /// What nobody carried since the owner before died, and this broker is about to ask for.
        missing: Vec<(Tape, Symbol)>,
        /// What it has no room for or may not carry.
        uncovered: Vec<Symbol>,
    },
    /// This broker carries a group no longer.
    Gave {
        /// Which.
        group: Group,
    },
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// When to connect again.
    pub retry: Retry,
    /// How long messages came: what the back-off wants to know.
    pub healthy: Duration,
}

/// What a connection needs beside its protocol.
#[derive(Clone)]
pub struct Dialer {
    /// Name of the connection: its key's.
    pub connection: String,
    /// Trust for `wss`: public roots, and a private authority if one was given.
    pub tls: Arc<rustls::ClientConfig>,
    /// The market whose calendar says when data is expected.
    pub market: Market,
    /// The calendar.
    pub calendar: Calendar,
    /// Whether data is expected at all times, whatever the calendar says (simulated brokers).
    pub always_open: bool,
    /// Where the connection shows its signs of life.
    pub pulse: Arc<Pulse>,
}

/// Runs one connection from connect to end, carrying what is `wanted` as that changes. Frames go to `out`; while `out`
/// is full the socket is not read. `idle` closes it without a loss, `stop` because the process ends.
pub async fn run<P: Protocol>(
    dialer: &Dialer,
    opening: Opening<P>,
    mut wanted: watch::Receiver<Vec<P::Registration>>,
    out: &mpsc::Sender<Received>,
    idle: &CancellationToken,
    stop: &CancellationToken,
) -> End {
    let connection_id = now_ns();
    let mut socket = match dial(dialer, &opening.url).await {
        Ok(socket) => socket,
        Err(reason) => {
            let note = LinkNote::Down { reason, last_received_ns: connection_id };
            tell(dialer, out, connection_id, note).await;
            return End { retry: Retry::Backoff, healthy: Duration::ZERO };
        }
    };
    dialer.pulse.is_up(true);
    tell(dialer, out, connection_id, LinkNote::Up).await;
    let mut link = Link {
        dialer,
        out,
        protocol: opening.protocol,
        connection_id,
        started: Instant::now(),
        last_message: Instant::now(),
        last_received_ns: connection_id,
        frame_sequence: 0,
        actions: Vec::new(),
    };
    let (reason, retry) = link.speak(&mut socket, &mut wanted, idle, stop).await;
    dialer.pulse.is_up(false);
    // The broker holds the key for a while after an unclean end: always say good-bye.
    let _gone_anyway = timeout(CLOSE_LIMIT, socket.close(None)).await;
    let healthy = link.last_message.duration_since(link.started);
    let last_received_ns = link.last_received_ns;
    let went_idle = idle.is_cancelled() && !stop.is_cancelled();
    let end = if went_idle { LinkNote::Idle } else { LinkNote::Down { reason, last_received_ns } };
    tell(dialer, out, connection_id, end).await;
    End { retry, healthy }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn dial(dialer: &Dialer, url: &str) -> Result<Socket, String> {
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    let connector = Connector::Rustls(Arc::clone(&dialer.tls));
    let mut request = url.into_client_request().map_err(|error| format!("connect: {error}"))?;
    // A filter of Kiwoom's refuses the names of common libraries.
    request.headers_mut().insert("User-Agent", HeaderValue::from_static(crate::USER_AGENT));
    let connect =
        tokio_tungstenite::connect_async_tls_with_config(request, Some(config), true, Some(connector));
    match timeout(CONNECT_LIMIT, connect).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(format!("connect: {error}")),
        Err(_) => Err(format!("connect: no answer within {} s", CONNECT_LIMIT.as_secs())),
    }
}

/// A connection while it lives.
struct Link<'a, P> {
    dialer: &'a Dialer,
    out: &'a mpsc::Sender<Received>,
    protocol: P,
    connection_id: i64,
    started: Instant,
    last_message: Instant,
    last_received_ns: i64,
    frame_sequence: u64,
    actions: Vec<Action>,
}

impl<P: Protocol> Link<'_, P> {
    /// Reads and writes until the connection ends; says why and when to come back.
    async fn speak(
        &mut self,
        socket: &mut Socket,
        wanted: &mut watch::Receiver<Vec<P::Registration>>,
        idle: &CancellationToken,
        stop: &CancellationToken,
    ) -> (String, Retry) {
        let now = self.now();
        self.protocol.want(&wanted.borrow_and_update());
        self.protocol.opened(now, &mut self.actions);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Some(end) = self.act(socket).await {
                return end;
            }
            tokio::select! {
                () = stop.cancelled() => return ("stopped".to_owned(), Retry::Never),
                () = idle.cancelled() => return ("idle".to_owned(), Retry::After(Duration::ZERO)),
                Ok(()) = wanted.changed() => {
                    self.dialer.pulse.unsettled();
                    self.protocol.want(&wanted.borrow_and_update());
                }
                message = socket.next() => {
                    if let Some(end) = self.message(socket, message).await {
                        return end;
                    }
                }
                _ = tick.tick() => {
                    let silence = self.last_message.elapsed();
                    if silence >= self.protocol.liveness_limit() {
                        return (format!("no message for {} s", silence.as_secs()), Retry::Backoff);
                    }
                    let now = self.now();
                    self.protocol.passed(now, &mut self.actions);
                }
            }
        }
    }

    async fn message(
        &mut self,
        socket: &mut Socket,
        message: Option<Result<Message, WsError>>,
    ) -> Option<(String, Retry)> {
        let received_ns = now_ns();
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(payload))) => {
                self.heard(received_ns);
                return send(socket, Message::Pong(payload)).await;
            }
            Some(Ok(Message::Close(frame))) => {
                let code = frame.as_ref().map(|frame| u16::from(frame.code));
                let reason = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                let retry = self.protocol.closed(code, &reason);
                let code = code.map_or_else(|| "without a code".to_owned(), |code| code.to_string());
                return Some((format!("closed by the broker: {code} {reason}"), retry));
            }
            Some(Ok(Message::Binary(_))) => {
                metrics::counter!("sise_broker_binary_messages_total").increment(1);
                self.heard(received_ns);
                return None;
            }
            Some(Ok(_)) => {
                self.heard(received_ns);
                return None;
            }
            Some(Err(error)) => return Some((format!("read: {error}"), Retry::Backoff)),
            None => return Some(("ended without a close frame".to_owned(), Retry::Backoff)),
        };
        self.heard(received_ns);
        let now = self.now_quick();
        if self.protocol.received(&text, now, &mut self.actions) {
            self.frame_sequence += 1;
            self.dialer.pulse.frame(received_ns);
            let frame = Frame {
                connection_id: self.connection_id,
                frame_sequence: self.frame_sequence,
                received_ns,
                text: text.into(),
            };
            if self.out.send(Received::Frame(frame)).await.is_err() {
                return Some(("the cell is gone".to_owned(), Retry::Never));
            }
        }
        None
    }

    /// Does what the protocol wants; the end of the connection if that is what it wants.
    async fn act(&mut self, socket: &mut Socket) -> Option<(String, Retry)> {
        for action in std::mem::take(&mut self.actions) {
            match action {
                Action::Send(text) => {
                    let end = send(socket, Message::text(text)).await;
                    if end.is_some() {
                        return end;
                    }
                }
                Action::Note(note) => {
                    if let Note::Settled { registered, .. } = note {
                        self.dialer.pulse.settled(registered);
                    }
                    tell(self.dialer, self.out, self.connection_id, LinkNote::Protocol(note)).await;
                }
                Action::Close { reason, then } => return Some((reason, then)),
            }
        }
        None
    }

    fn heard(&mut self, received_ns: i64) {
        self.last_message = Instant::now();
        self.last_received_ns = received_ns;
        self.dialer.pulse.message(received_ns);
    }

    fn now(&self) -> Now {
        let data_expected =
            self.dialer.always_open || self.dialer.calendar.data_expected(self.dialer.market, now_ns());
        Now { elapsed: self.started.elapsed(), data_expected }
    }

    /// For a frame that has just come: data is there, whatever the calendar expects.
    fn now_quick(&self) -> Now {
        Now { elapsed: self.last_message.duration_since(self.started), data_expected: true }
    }
}

async fn send(socket: &mut Socket, message: Message) -> Option<(String, Retry)> {
    match socket.send(message).await {
        Ok(()) => None,
        Err(error) => Some((format!("write: {error}"), Retry::Backoff)),
    }
}

async fn tell(dialer: &Dialer, out: &mpsc::Sender<Received>, connection_id: i64, note: LinkNote) {
    let connection = dialer.connection.clone();
    // The receiver is gone only when the cell stops.
    let _stopping = out.send(Received::Note { connection, connection_id, at_ns: now_ns(), note }).await;
}
