//! The simulator as a whole: settings turn into two listeners a broker, an engine and a tape, and end in this order: no more
//! events, sockets closed, tape on disk.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use axum::Router;
use process::Shutdown;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::config::Settings;
use crate::day::{self, Day};
use crate::state::State;
use crate::tape::Tape;
use crate::tls::{self, TlsListener};
use crate::tr::Broker;
use crate::{control, engine, kiwoom, rest, server};

/// A simulator whose listeners are open.
pub struct Running {
    /// REST and control.
    pub rest: SocketAddr,
    /// WebSocket.
    pub websocket: SocketAddr,
    /// Kiwoom's REST and WebSocket, when they are on.
    pub kiwoom: Option<(SocketAddr, SocketAddr)>,
    state: Arc<State>,
    tasks: JoinSet<anyhow::Result<()>>,
}

/// Runs until the stop is asked for.
///
/// # Errors
/// When an address, a file or the certificate authority cannot be had.
pub async fn run(settings: Settings, shutdown: Shutdown) -> anyhow::Result<()> {
    let ready = process::ready::part("listeners");
    let running = start(settings, &shutdown).await?;
    ready.ready();
    let kiwoom = running.kiwoom;
    tracing::info!(rest = %running.rest, websocket = %running.websocket, ?kiwoom, "simulator ready");
    running.wait(&shutdown).await
}

/// Opens the listeners and starts all parts.
///
/// # Errors
/// As [`run`].
pub async fn start(settings: Settings, shutdown: &Shutdown) -> anyhow::Result<Running> {
    let rest = bind(settings.rest_address).await?;
    let websocket = bind(settings.websocket_address).await?;
    let acceptor = if settings.tls { Some(tls::acceptor(&settings.tls_folder)?) } else { None };
    let day = day(&settings).await?;
    // Those of a day are written with its journals.
    let tape = settings.tape.as_deref().filter(|_| day.is_none());
    let tape = Tape::open(tape, settings.market_goes_on)?;
    // Only so that approval keys of an earlier start are unknown.
    let boot = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| u64::from(time.subsec_nanos()) + time.as_secs());
    let state = Arc::new(State::new(settings, day, tape, boot));
    let addresses = (rest.local_addr()?, websocket.local_addr()?);

    let mut tasks = JoinSet::new();
    let routes = rest::routes(state.clone()).merge(control::routes()).with_state(state.clone());
    tasks.spawn(serve(rest, acceptor.clone(), routes, shutdown.clone()));
    tasks.spawn(server::run(Broker::Kis, state.clone(), websocket, acceptor.clone(), shutdown.clone()));
    let kiwoom = match &state.settings.kiwoom.addresses {
        None => None,
        Some((rest, websocket)) => {
            let (rest, websocket) = (bind(*rest).await?, bind(*websocket).await?);
            let addresses = (rest.local_addr()?, websocket.local_addr()?);
            let routes = kiwoom::rest::routes(state.clone());
            tasks.spawn(serve(rest, acceptor.clone(), routes, shutdown.clone()));
            tasks.spawn(server::run(
                Broker::Kiwoom,
                state.clone(),
                websocket,
                acceptor.clone(),
                shutdown.clone(),
            ));
            Some(addresses)
        }
    };
    tasks.spawn(engine::run(state.clone(), shutdown.clone()));
    Ok(Running { rest: addresses.0, websocket: addresses.1, kiwoom, state, tasks })
}

/// The day of the settings, with its journals on disk.
async fn day(settings: &Settings) -> anyhow::Result<Option<Day>> {
    let Some(of) = settings.day.clone() else { return Ok(None) };
    let (tape, layout) = (settings.tape.clone(), settings.layout);
    let made = tokio::task::spawn_blocking(move || {
        let day = Day::new(of)?;
        day::write(&day, tape.as_deref(), layout)?;
        anyhow::Ok(day)
    });
    Ok(Some(made.await??))
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}: is it in use?"))
}

async fn serve(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    routes: Router,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let stop = async move { shutdown.requested().await };
    match acceptor {
        None => axum::serve(listener, routes).with_graceful_shutdown(stop).await?,
        Some(acceptor) => {
            axum::serve(TlsListener::new(listener, acceptor)?, routes).with_graceful_shutdown(stop).await?;
        }
    }
    Ok(())
}

impl Running {
    /// Waits for the stop, then until all parts have ended and the tape is on disk.
    ///
    /// # Errors
    /// The first error of a part; the others are stopped.
    pub async fn wait(mut self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let mut first = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let result = ended.map_err(anyhow::Error::from).and_then(|result| result);
            if result.is_err() && first.is_ok() {
                first = result;
            }
            shutdown.request();
        }
        self.state.tape.flush().await;
        first
    }
}
