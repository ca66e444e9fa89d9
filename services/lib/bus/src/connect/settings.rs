//! Section `[nats]`: which server, as whom, and the limits.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Auth, ConnectOptions, ServerAddr};
use nkeys::{KeyPair, KeyPairType};
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
    /// File with the nkey seed of the service, in place of a password: the server then knows a public key alone, and the
    /// seed never travels. A folder holds one for each service, `<service>.nk`, so that one setting serves all.
    pub seed_file: Option<PathBuf>,
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
            seed_file: None,
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
        // A single file must be there at the start; of a folder each service needs its own alone.
        if let Some(path) = self.seed_file.as_ref().filter(|path| !path.is_dir()) {
            seed(path)?;
        }
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

    /// The user that `service` is at the server, when it has anything to show for it.
    fn user_of(&self, service: &str) -> Option<String> {
        if !self.user.is_empty() {
            return Some(self.user.clone());
        }
        let shown = self.seed_file.is_some() || self.passwords.contains_key(&service.replace('-', "_"));
        shown.then(|| service.to_owned())
    }

    /// What `service` shows to the server, if anything. A seed is read anew each time.
    ///
    /// # Errors
    /// [`ConnectError::Seed`] when the file of the seed cannot be used.
    pub(super) fn credentials(&self, service: &str) -> Result<Option<Credentials>, ConnectError> {
        let Some(user) = self.user_of(service) else { return Ok(None) };
        if let Some(path) = &self.seed_file {
            let path = if path.is_dir() { path.join(format!("{user}.nk")) } else { path.clone() };
            return Ok(Some(Credentials::Key(seed(&path)?)));
        }
        let password = if self.user.is_empty() {
            self.passwords.get(&service.replace('-', "_")).cloned().unwrap_or_default()
        } else {
            self.password.clone()
        };
        Ok(Some(Credentials::Password { user, password }))
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
        if let Some(user) = self.user_of(service) {
            options = options.custom_inbox_prefix(format!("_INBOX.{user}"));
        }
        if let Some(path) = &self.ca_file {
            options = options.add_root_certificates(path.clone());
        }
        options
    }
}

/// What a service shows to the server. `Debug` shows neither password nor seed.
#[derive(Clone)]
pub(super) enum Credentials {
    /// A user's name and password.
    Password { user: String, password: Password },
    /// A key that signs what the server asks.
    Key(Arc<KeyPair>),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, password } => write!(f, "{user} {password:?}"),
            Self::Key(key) => f.write_str(&key.public_key()),
        }
    }
}

impl Credentials {
    /// What is sent to a server that asks with `nonce`.
    pub(super) fn auth(&self, nonce: &[u8]) -> Result<Auth, nkeys::error::Error> {
        let mut auth = Auth::new();
        match self {
            Self::Password { user, password } => {
                auth.username = Some(user.clone());
                auth.password = Some(password.0.clone());
            }
            Self::Key(key) => {
                auth.nkey = Some(key.public_key());
                auth.signature = Some(key.sign(nonce)?);
            }
        }
        Ok(auth)
    }
}

/// Reads the seed of a user (`SU…`). What is wrong is told without what the file holds.
fn seed(path: &std::path::Path) -> Result<Arc<KeyPair>, ConnectError> {
    let fail = |problem: String| ConnectError::Seed { path: path.display().to_string(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let wanted = || fail("not the nkey seed of a user (one line, SU and 56 letters and digits)".into());
    let key = KeyPair::from_seed(text.trim()).map_err(|_| wanted())?;
    if key.key_pair_type() == KeyPairType::User { Ok(Arc::new(key)) } else { Err(wanted()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// User and password, if that is what is shown.
    fn shown(settings: &NatsSettings, service: &str) -> Option<(String, Password)> {
        match settings.credentials(service).expect("readable") {
            Some(Credentials::Password { user, password }) => Some((user, password)),
            Some(Credentials::Key(_)) => panic!("a key"),
            None => None,
        }
    }

    #[test]
    fn a_seed_is_a_file_or_one_of_a_folder_and_is_never_shown() {
        let folder = tempfile::tempdir().expect("folder");
        let key = KeyPair::new_user();
        let file = folder.path().join("archiver.nk");
        std::fs::write(&file, format!("{}\n", key.seed().expect("seed"))).expect("file");
        for path in [&file, folder.path()] {
            let settings = NatsSettings { seed_file: Some(path.into()), ..NatsSettings::default() };
            settings.check().expect("readable");
            let credentials = settings.credentials("archiver").expect("readable").expect("some");
            assert_eq!(format!("{credentials:?}"), key.public_key());
            let auth = credentials.auth(b"nonce").expect("signed");
            key.verify(b"nonce", &auth.signature.expect("signature")).expect("by this key");
            assert_eq!((auth.nkey, auth.password), (Some(key.public_key()), None));
        }
        let settings = NatsSettings { seed_file: Some(folder.path().into()), ..NatsSettings::default() };
        let error = settings.credentials("gateway").expect_err("no file").to_string();
        assert!(error.contains("gateway.nk") && error.contains("No such file"), "{error}");
        std::fs::write(&file, "SUHUNTER2").expect("file");
        let error = settings.credentials("archiver").expect_err("no seed").to_string();
        assert!(error.contains("archiver.nk") && !error.contains("HUNTER2"), "{error}");
        let server = KeyPair::new_server().seed().expect("seed");
        std::fs::write(&file, server).expect("file");
        assert!(settings.credentials("archiver").is_err(), "the seed of a server is no user's");
    }

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
        assert_eq!(shown(&settings, "kis-service"), Some(("kis-service".into(), Password::new("p"))));
        assert_eq!(shown(&settings, "archiver"), None);
        settings.user = "someone".into();
        assert_eq!(shown(&settings, "archiver"), Some(("someone".into(), Password::default())));
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
