//! Settings to a connection: one that never gives up, and one that never comes back.
//!
//! Every service has a user of its own at the server, named as the service; its inbox is `_INBOX.<user>`, so that no
//! service can read another's replies (`nats/permissions.conf`).

use std::collections::BTreeMap;
use std::fmt;
use std::future::Ready;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Auth, AuthError, Client, ConnectOptions, Event, ReconnectToServer, ServerAddr};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

/// A password. `Debug` prints `***`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether nothing was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "\"\"" } else { "***" })
    }
}

/// Section `[nats]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NatsSettings {
    /// Server or servers of one cluster, separated by commas.
    pub url: String,
    /// User at the server; empty = the name of the service, if it has a password below.
    pub user: String,
    /// Password of `user`.
    pub password: Password,
    /// Password by service, `-` written as `_`: `SISE__NATS__PASSWORDS__KIS_SERVICE` serves the server's file and
    /// the service alike.
    pub passwords: BTreeMap<String, Password>,
    /// Certificate authority of the server (PEM), for `tls://` with a certificate of one's own.
    pub ca_file: Option<PathBuf>,
    /// Messages that a publisher has unacknowledged at most. Measured: below 500 the round trip is waited for, above
    /// 2,000 nothing is gained and consumers on the same server starve.
    pub window_messages: usize,
    /// Bytes that a publisher has unacknowledged at most: bounds the memory when messages are large.
    pub window_bytes: usize,
    /// How long an acknowledgement may take before everything unacknowledged is sent again, in milliseconds.
    pub ack_timeout_ms: u64,
    /// Replicas of each stream; none = as in `nats/streams.json`.
    pub replicas: Option<usize>,
    /// Limit of each stream in bytes; none = as in `nats/streams.json`.
    pub max_bytes: Option<i64>,
    /// Age limit of each stream in hours; none = as in `nats/streams.json`.
    pub max_age_hours: Option<u64>,
}

impl Default for NatsSettings {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".into(),
            user: String::new(),
            password: Password::default(),
            passwords: BTreeMap::new(),
            ca_file: None,
            window_messages: 1_000,
            window_bytes: 8 << 20,
            ack_timeout_ms: 10_000,
            replicas: None,
            max_bytes: None,
            max_age_hours: None,
        }
    }
}

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
    /// The server knows the user not, or not with this password.
    #[error("{url} refuses the user or password of {service}")]
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

impl NatsSettings {
    /// Checks what can be checked without a server.
    ///
    /// # Errors
    /// [`ConnectError::Url`] or [`ConnectError::Setting`] with the key.
    pub fn check(&self) -> Result<(), ConnectError> {
        self.servers()?;
        for (key, value) in [("window_messages", self.window_messages), ("window_bytes", self.window_bytes)] {
            if value == 0 {
                return Err(ConnectError::Setting { key, problem: "must be at least 1" });
            }
        }
        if self.window_messages > MAX_WINDOW {
            return Err(ConnectError::Setting { key: "window_messages", problem: "must be at most 32768" });
        }
        if self.ack_timeout_ms == 0 {
            return Err(ConnectError::Setting { key: "ack_timeout_ms", problem: "must be at least 1" });
        }
        Ok(())
    }

    /// The user and password of `service`, if any.
    fn credentials(&self, service: &str) -> Option<(String, Password)> {
        if self.user.is_empty() {
            let password = self.passwords.get(&service.replace('-', "_"))?;
            Some((service.to_owned(), password.clone()))
        } else {
            Some((self.user.clone(), self.password.clone()))
        }
    }

    fn servers(&self) -> Result<Vec<ServerAddr>, ConnectError> {
        let read = |text: &str| text.trim().parse::<ServerAddr>().map_err(|_| ConnectError::Url);
        let servers: Vec<_> = self.url.split(',').map(read).collect::<Result<_, _>>()?;
        if servers.iter().any(ServerAddr::has_user_pass) {
            let problem = "must not hold a password: use nats.user and nats.password";
            return Err(ConnectError::Setting { key: "url", problem });
        }
        Ok(servers)
    }

    fn options(&self, base: ConnectOptions, service: &str) -> ConnectOptions {
        let mut options = base
            .name(service)
            .connection_timeout(Duration::from_secs(5))
            .client_capacity(MAX_WINDOW / 8)
            // A half-open connection shows itself after two of these.
            .ping_interval(Duration::from_secs(10));
        if let Some((user, _)) = self.credentials(service) {
            options = options.custom_inbox_prefix(format!("_INBOX.{user}"));
        }
        if let Some(path) = &self.ca_file {
            options = options.add_root_certificates(path.clone());
        }
        options
    }
}

/// The acknowledgements of a full window must fit into the buffer of one subscription (65,536 messages), twice: those
/// of a first sending may come together with those of the second.
const MAX_WINDOW: usize = 32_768;

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
    let mut options = settings
        .options(ConnectOptions::new(), service)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(backoff)
        .event_callback(logger(service));
    if let Some((user, password)) = settings.credentials(service) {
        options = options.user_and_password(user, password.0);
    }
    options.connect(settings.servers()?).await.map_err(|error| refused(settings, service, &error))
}

/// Waits until the server is there, at most `limit`. True when it is.
pub async fn connected(client: &Client, limit: Duration) -> bool {
    // A flush returns when the connection is up and the server has answered.
    matches!(tokio::time::timeout(limit, client.flush()).await, Ok(Ok(())))
}

/// A connection that ends for good when it breaks, and the token that is cancelled then.
///
/// The library's connections come back by themselves and first send what was still queued: messages that were on the
/// old connection and are lost would then be sent again behind newer ones. A publisher that wants order makes a new
/// connection and decides itself what is sent first.
pub(crate) async fn connect_once(
    settings: &NatsSettings,
    service: &str,
) -> Result<(Client, CancellationToken), ConnectError> {
    let servers = settings.servers()?;
    let down = CancellationToken::new();
    let log = logger(service);
    let events = down.clone();
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let options = settings
        .options(ConnectOptions::with_auth_callback(credentials_once(settings.credentials(service))), service)
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
    Ok((client, down))
}

/// Counts the connections made, so that the servers of a cluster take turns.
static TURN: AtomicUsize = AtomicUsize::new(0);

type Credentials = Pin<Box<dyn Future<Output = Result<Auth, AuthError>> + Send + Sync>>;

/// Gives the credentials once. The library insists on one attempt to come back; that one never gets them, times out,
/// and the client ends with all that it had queued.
fn credentials_once(
    credentials: Option<(String, Password)>,
) -> impl Fn(Vec<u8>) -> Credentials + Send + Sync + 'static {
    let used = AtomicBool::new(false);
    move |_nonce| {
        if used.swap(true, Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        let mut auth = Auth::new();
        if let Some((user, password)) = credentials.clone() {
            auth.username = Some(user);
            auth.password = Some(password.0);
        }
        Box::pin(std::future::ready(Ok(auth)))
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
                metrics::counter!("bus_slow_consumer_total").increment(1);
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
    fn passwords_are_never_shown() {
        let settings = NatsSettings {
            password: Password::new("hunter2"),
            passwords: BTreeMap::from([("archiver".into(), Password::new("hunter2"))]),
            ..NatsSettings::default()
        };
        assert!(!format!("{settings:?}").contains("hunter2"));
        let url = NatsSettings { url: "nats://a:hunter2@127.0.0.1".into(), ..NatsSettings::default() };
        assert!(!url.check().expect_err("refused").to_string().contains("hunter2"));
    }

    #[test]
    fn a_service_is_the_user_of_its_name() {
        let mut settings = NatsSettings {
            passwords: BTreeMap::from([("kis_service".into(), Password::new("p"))]),
            ..NatsSettings::default()
        };
        assert_eq!(settings.credentials("kis-service"), Some(("kis-service".into(), Password::new("p"))));
        assert_eq!(settings.credentials("archiver"), None);
        settings.user = "someone".into();
        assert_eq!(settings.credentials("archiver"), Some(("someone".into(), Password::default())));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(NatsSettings::default().check().is_ok());
        let settings = NatsSettings { url: "nats://a:4222, nats://b:4222".into(), ..NatsSettings::default() };
        assert_eq!(settings.servers().expect("servers").len(), 2);
        let settings = NatsSettings { url: "http://a:4222".into(), ..NatsSettings::default() };
        assert!(matches!(settings.check(), Err(ConnectError::Url)));
        let settings = NatsSettings { window_messages: 0, ..NatsSettings::default() };
        assert!(matches!(settings.check(), Err(ConnectError::Setting { key: "window_messages", .. })));
    }

    #[test]
    fn the_wait_doubles_to_five_seconds() {
        let waits: Vec<_> = (0..10).map(|attempt| backoff(attempt).as_millis()).collect();
        assert_eq!(waits, [0, 0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(backoff(usize::MAX), Duration::from_secs(5));
    }
}
