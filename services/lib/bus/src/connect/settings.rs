//! Section `[nats]`: which server, as whom, and the limits.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::{ConnectOptions, ServerAddr};
use serde::Deserialize;

use super::ConnectError;

/// The acknowledgements of a full window must fit into the buffer of one subscription (65,536 messages), twice: those
/// of a first sending may come together with those of the second.
const MAX_WINDOW: usize = 32_768;

/// A password. `Debug` prints `***`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Password(pub(super) String);

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
    /// Messages that a publisher has unacknowledged at most. Measured on loopback, 100 to 4,000 are alike (about 90,000/s
    /// on two busy cores); a server 10 ms away needs 1,000 for 100,000/s, and tens of thousands starve the consumers on
    /// the same server.
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
    pub(super) fn credentials(&self, service: &str) -> Option<(String, Password)> {
        if self.user.is_empty() {
            let password = self.passwords.get(&service.replace('-', "_"))?;
            Some((service.to_owned(), password.clone()))
        } else {
            Some((self.user.clone(), self.password.clone()))
        }
    }

    pub(super) fn servers(&self) -> Result<Vec<ServerAddr>, ConnectError> {
        let read = |text: &str| text.trim().parse::<ServerAddr>().map_err(|_| ConnectError::Url);
        let servers: Vec<_> = self.url.split(',').map(read).collect::<Result<_, _>>()?;
        if servers.iter().any(ServerAddr::has_user_pass) {
            let problem = "must not hold a password: use nats.user and nats.password";
            return Err(ConnectError::Setting { key: "url", problem });
        }
        Ok(servers)
    }

    pub(super) fn options(&self, base: ConnectOptions, service: &str) -> ConnectOptions {
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
}
