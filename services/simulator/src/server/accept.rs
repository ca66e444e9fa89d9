//! A listener turns into sockets, plain or encrypted, each with a task of its own.

use std::sync::Arc;

use process::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{HANDSHAKE, serve};
use crate::state::State;
use crate::tr::Broker;

/// Sockets at once: far above what a test opens, far below what a leak would.
const SOCKETS: usize = 64;

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

/// Accepts sockets until the stop is asked for, then waits until they have ended.
///
/// # Errors
/// None; a part of the process answers so.
pub async fn run(
    broker: Broker,
    state: Arc<State>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
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
                None => serve(broker, state, stream, handshake, shutdown).await,
                Some(tls) => match timeout_at(handshake, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(broker, state, stream, handshake, shutdown).await,
                    Ok(Err(error)) => tracing::warn!(%peer, %error, "tls handshake failed"),
                    Err(_) => tracing::warn!(%peer, "tls handshake took too long"),
                },
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    Ok(())
}
