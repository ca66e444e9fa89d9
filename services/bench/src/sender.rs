//! A broker of KIS that costs next to nothing: it gives an approval key, answers registrations and then writes prepared
//! frames of what is registered, as fast as they are read or at a rate, and says in one line how many and how long it took.
//!
//! Written from the facts of the wire alone, without code of the feed that reads it. Frames are made before the clock
//! starts; while it runs only their times and cumulative figures are written over, so that each is a new print or book.

pub mod frames;
mod link;
mod rest;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::measure::Measure;

/// How much is sent to whom.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Port of `/oauth2/Approval`, `/oauth2/tokenP`, `/start` and `/status`; 0 = a free one, told on stderr.
    #[arg(long, default_value_t = 0)]
    pub rest_port: u16,
    /// Port of the WebSocket; 0 = a free one, told on stderr.
    #[arg(long, default_value_t = 0)]
    pub websocket_port: u16,
    /// Frames to send, over all connections; one record each: of a symbol with both kinds one trade, then two books.
    #[arg(long)]
    pub frames: u64,
    /// Frames a second over all connections, in bursts a millisecond apart; left out = as fast as they are read.
    #[arg(long)]
    pub rate: Option<u64>,
    /// Symbols that will be registered with both kinds: sending begins with the last of the registrations.
    #[arg(long, default_value_t = 20)]
    pub symbols: usize,
    /// Registrations over all connections with which sending begins, in place of two a symbol; 0 = by POST `/start`.
    #[arg(long)]
    pub registrations: Option<usize>,
}

/// How far everything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Registrations come.
    Registering,
    /// Each connection makes its frames.
    Preparing,
    /// The clock runs.
    Sending,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    rate: Option<u64>,
    wanted: usize,
    phase: watch::Sender<Phase>,
    /// Registrations over all connections.
    registered: AtomicUsize,
    /// Connections that have registrations.
    links: AtomicUsize,
    prepared: AtomicUsize,
    /// Frames that nobody has taken yet.
    left: AtomicU64,
    sent_trades: AtomicU64,
    sent_books: AtomicU64,
    bytes: AtomicU64,
    frames: u64,
    started_ns: AtomicI64,
    ended_ns: AtomicI64,
    /// All frames are written.
    done: watch::Sender<bool>,
}

impl Shared {
    fn new(arguments: &Arguments) -> Self {
        Self {
            rate: arguments.rate,
            wanted: arguments.registrations.unwrap_or(arguments.symbols * 2),
            phase: watch::Sender::new(Phase::Registering),
            registered: AtomicUsize::new(0),
            links: AtomicUsize::new(0),
            prepared: AtomicUsize::new(0),
            left: AtomicU64::new(arguments.frames),
            sent_trades: AtomicU64::new(0),
            sent_books: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            frames: arguments.frames,
            started_ns: AtomicI64::new(0),
            ended_ns: AtomicI64::new(0),
            done: watch::Sender::new(false),
        }
    }

    fn registered(&self) {
        if self.registered.fetch_add(1, Ordering::SeqCst) + 1 == self.wanted {
            self.start();
        }
    }

    /// Whatever is registered now is sent.
    fn start(&self) {
        self.phase.send_if_modified(|phase| {
            let first = *phase == Phase::Registering;
            if first {
                *phase = Phase::Preparing;
            }
            first
        });
    }

    /// A connection has made its frames; with the last of them the clock starts.
    fn is_prepared(&self) {
        if self.prepared.fetch_add(1, Ordering::SeqCst) + 1 == self.links.load(Ordering::SeqCst) {
            self.started_ns.store(frames::now_ns(), Ordering::SeqCst);
            self.phase.send_replace(Phase::Sending);
        }
    }

    /// Takes at most so many frames to send.
    fn take(&self, most: u64) -> u64 {
        let take = |left: u64| Some(left.saturating_sub(most));
        let before = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).unwrap_or_default();
        before.min(most)
    }

    /// These frames are written.
    fn wrote(&self, trades: u64, books: u64, bytes: usize) {
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or_default(), Ordering::SeqCst);
        self.sent_trades.fetch_add(trades, Ordering::SeqCst);
        self.sent_books.fetch_add(books, Ordering::SeqCst);
        if self.sent() == self.frames {
            self.ended_ns.store(frames::now_ns(), Ordering::SeqCst);
            self.done.send_replace(true);
        }
    }

    fn sent(&self) -> u64 {
        self.sent_trades.load(Ordering::SeqCst) + self.sent_books.load(Ordering::SeqCst)
    }

    fn summary(&self) -> Summary {
        let (started_ns, ended_ns) =
            (self.started_ns.load(Ordering::SeqCst), self.ended_ns.load(Ordering::SeqCst));
        Summary {
            sent: self.sent(),
            seconds: Duration::from_nanos(u64::try_from(ended_ns - started_ns).unwrap_or_default())
                .as_secs_f64(),
            trades: self.sent_trades.load(Ordering::SeqCst),
            books: self.sent_books.load(Ordering::SeqCst),
            bytes: self.bytes.load(Ordering::SeqCst),
            started_ns,
            ended_ns,
        }
    }
}

/// The line at the end.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Summary {
    /// Frames written.
    pub sent: u64,
    /// From before the first write to after the last.
    pub seconds: f64,
    /// Of the frames, trades.
    pub trades: u64,
    /// Of the frames, books.
    pub books: u64,
    /// Written, with the WebSocket headers.
    pub bytes: u64,
    /// Before the first write, UTC ns.
    pub started_ns: i64,
    /// After the last write, UTC ns.
    pub ended_ns: i64,
}

/// Where it listens, as told on stderr when it is ready.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Listening {
    /// Port of the REST calls.
    pub rest_port: u16,
    /// Port of the WebSocket.
    pub websocket_port: u16,
}

async fn finished(done: &mut watch::Receiver<bool>) -> bool {
    done.wait_for(|done| *done).await.is_ok()
}

/// Serves until every connection has ended after the last frame, or until it is told to stop; the summary stands on stdout
/// as soon as all frames are written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Vec<Measure>> {
    let shared = Arc::new(Shared::new(&arguments));
    let listen = async |port| {
        TcpListener::bind(("127.0.0.1", port)).await.with_context(|| format!("listen on port {port}"))
    };
    let (rest, websocket) = (listen(arguments.rest_port).await?, listen(arguments.websocket_port).await?);
    let listening = Listening {
        rest_port: rest.local_addr().context("port")?.port(),
        websocket_port: websocket.local_addr().context("port")?.port(),
    };
    eprintln!("{}", serde_json::to_string(&listening)?);
    let mut links = JoinSet::new();
    let mut told = false;
    let mut done = shared.done.subscribe();
    let mut terminated = signal(SignalKind::terminate()).context("signal")?;
    loop {
        tokio::select! {
            Ok((stream, _)) = rest.accept() => {
                tokio::spawn(rest::answer(stream, Arc::clone(&shared)));
            }
            Ok((stream, _)) = websocket.accept() => {
                links.spawn(link::serve(stream, Arc::clone(&shared)));
            }
            true = finished(&mut done), if !told => {
                println!("{}", serde_json::to_string(&shared.summary())?);
                told = true;
            }
            Some(ended) = links.join_next() => {
                let ended = ended.context("a connection")?;
                if !*shared.done.borrow() {
                    ended?;
                } else if told && links.is_empty() {
                    break;
                }
            }
            _ = terminated.recv() => break,
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    if !told {
        bail!("stopped after {} of {} frames", shared.sent(), shared.frames);
    }
    Ok(Vec::new())
}
