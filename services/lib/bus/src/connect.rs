//! Settings to a connection: one that never gives up, and one that never comes back.
//!
//! Every service has a user of its own at the server, named as the service; its inbox is `_INBOX.<user>`, so that no
//! service can read another's replies (`nats/permissions.conf`).

mod settings;

use std::future::Ready;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Auth, AuthError, Client, ConnectOptions, Event, ReconnectToServer};
use tokio_util::sync::CancellationToken;

use self::settings::Credentials;
pub use self::settings::{NatsSettings, Password};

/// Why no connection can be made with these settings. A server that is away is none of these: it is waited for.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The url cannot be read. It is not shown: it may hold a password.
    #[error("nats.url is not a server address such as nats://127.0.0.1:4222")]
    Url,
    /// A number that cannot be meant.
    #[error("nats.{key}: {problem}")]
    Setting {
        /// The key.
        key: &'static str,
        /// What is wrong and what would be right.
        problem: &'static str,
    },
    /// The file of the nkey seed cannot be used.
    #[error("nats.seed_file: {path}: {problem}")]
    Seed {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The server knows the user not, or not with this password or key.
    #[error("{url} refuses the user, password or key of {service}")]
    Credentials {
        /// The url as given.
        url: String,
        /// The service.
        service: String,
    },
    /// The library refused, or (for a connection that never comes back) the server is away.
    #[error("cannot connect to {url}: {problem}")]
    Connect {
        /// The url as given.
        url: String,
        /// What the library says.
        problem: String,
    },
}

/// Longest wait between two attempts to connect.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(5);

/// 0, 0.1, 0.2, 0.4 … 5 s: a restarted server is found at once, one that is away is not hammered.
pub(crate) fn backoff(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(2)).unwrap_or(u32::MAX).min(10);
    if attempt <= 1 {
        Duration::ZERO
    } else {
        Duration::from_millis(100).saturating_mul(1 << doublings).min(MAX_RECONNECT_DELAY)
    }
}

/// A connection of `service` that is kept up for ever: it comes back by itself, and a server that is not there yet is
/// waited for. Returns at once; what is asked of the server waits until it is there.
///
/// # Errors
/// [`ConnectError`] when the settings cannot be meant.
pub async fn connect(settings: &NatsSettings, service: &str) -> Result<Client, ConnectError> {
    settings.check()?;
    crate::figures::of_connection();
    let mut options = settings
        .options(ConnectOptions::new(), service)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(backoff)
        .event_callback(logger(service));
    match settings.credentials(service)? {
        Some(Credentials::Password { user, password }) => {
            options = options.user_and_password(user, password.0)
        }
        Some(Credentials::Key(key)) => {
            let seed = key.seed().map_err(|error| ConnectError::Connect {
                url: settings.url.clone(),
                problem: error.to_string(),
            })?;
            options = options.nkey(seed);
        }
        None => {}
    }
    options.connect(settings.servers()?).await.map_err(|error| refused(settings, service, &error))
}

/// Whether the connection is up at this moment, as far as the client knows.
#[must_use]
pub fn is_connected(client: &Client) -> bool {
    client.connection_state() == async_nats::connection::State::Connected
}

/// Waits until the server is there, at most `limit`. True when it is.
pub async fn connected(client: &Client, limit: Duration) -> bool {
    // A flush returns when the connection is up and the server has answered.
    matches!(tokio::time::timeout(limit, client.flush()).await, Ok(Ok(())))
}

/// A connection that ends for good when it breaks.
pub(crate) struct Connection {
    /// The connection.
    pub(crate) client: Client,
    /// Cancelled when it is gone.
    pub(crate) down: CancellationToken,
}

/// Makes such a connection.
///
/// The library's connections come back by themselves and first send what was still queued. Messages that were on the
/// old connection and are lost would then be sent again behind newer ones: a publisher that wants order makes a new
/// connection and decides itself what is sent first. An acknowledgement that comes to a server whose store was rolled
/// back meanwhile would be taken for that of another message, which stands at the same sequence now.
pub(crate) async fn connect_once(settings: &NatsSettings, service: &str) -> Result<Connection, ConnectError> {
    let servers = settings.servers()?;
    let down = CancellationToken::new();
    let log = logger(service);
    let events = down.clone();
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let options = settings
        .options(
            ConnectOptions::with_auth_callback(credentials_once(settings.credentials(service)?)),
            service,
        )
        .max_reconnects(1)
        .event_callback(move |event| {
            if matches!(event, Event::Disconnected | Event::Closed) {
                events.cancel();
            }
            log(event)
        })
        // The servers of a cluster take turns.
        .reconnect_to_server_callback(move |servers, _| {
            let server = servers.get(turn % servers.len().max(1)).map(|server| server.addr.clone());
            std::future::ready(server.map(|addr| ReconnectToServer { addr, delay: Some(Duration::ZERO) }))
        });
    let client = options.connect(servers).await.map_err(|error| refused(settings, service, &error))?;
    Ok(Connection { client, down })
}

/// Counts the connections made, so that the servers of a cluster take turns.
static TURN: AtomicUsize = AtomicUsize::new(0);

type Answer = Pin<Box<dyn Future<Output = Result<Auth, AuthError>> + Send + Sync>>;

/// Gives the credentials once. The library insists on one attempt to come back; that one never gets them, times out,
/// and the client ends with all that it had queued.
fn credentials_once(credentials: Option<Credentials>) -> impl Fn(Vec<u8>) -> Answer + Send + Sync + 'static {
    let used = AtomicBool::new(false);
    move |nonce| {
        if used.swap(true, Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        let auth = credentials.as_ref().map_or_else(|| Ok(Auth::new()), |shown| shown.auth(&nonce));
        Box::pin(std::future::ready(auth.map_err(AuthError::new)))
    }
}

fn refused(settings: &NatsSettings, service: &str, error: &async_nats::ConnectError) -> ConnectError {
    use async_nats::ConnectErrorKind::{Authentication, AuthorizationViolation};
    let url = settings.url.clone();
    match error.kind() {
        Authentication | AuthorizationViolation => ConnectError::Credentials { url, service: service.into() },
        _ => ConnectError::Connect { url, problem: error.to_string() },
    }
}

/// Writes the events of a connection to the log: each trouble once, until the connection is up again or another
/// trouble comes. A service that may not publish is told so with every message.
fn logger(service: &str) -> impl Fn(Event) -> Ready<()> + Send + Sync + 'static {
    let service = service.to_owned();
    let last = Mutex::new(String::new());
    move |event| {
        let text = event.to_string();
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let again = *last == text;
        last.clone_from(&text);
        match event {
            Event::Connected => tracing::info!(service, "nats connected"),
            Event::Disconnected => tracing::warn!(service, "nats disconnected"),
            Event::Closed | Event::Draining => tracing::debug!(service, event = text, "nats connection ends"),
            Event::LameDuckMode => tracing::warn!(service, "nats server is about to stop"),
            Event::SlowConsumer(_) => {
                metrics::counter!("sise_bus_slow_consumer_total").increment(1);
                if !again {
                    tracing::error!(service, "nats subscription is full: messages of a live view are lost");
                }
            }
            Event::ServerError(_) if !again => {
                tracing::error!(service, error = text, "nats server refuses: see its permissions and limits");
            }
            Event::ClientError(_) if !again => tracing::warn!(service, error = text, "nats unreachable"),
            Event::ServerError(_) | Event::ClientError(_) => {}
        }
        std::future::ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_to_five_seconds() {
        let waits: Vec<_> = (0..10).map(|attempt| backoff(attempt).as_millis()).collect();
        assert_eq!(waits, [0, 0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(backoff(usize::MAX), Duration::from_secs(5));
    }
}
