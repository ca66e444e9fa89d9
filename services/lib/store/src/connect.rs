//! Settings `[clickhouse]` into a client.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use clickhouse::Client;
use serde::Deserialize;

use crate::error::StoreError;

/// A password; prints as `***`.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "***" })
    }
}

/// Section `[clickhouse]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClickhouseSettings {
    /// HTTP address, `http://` or `https://`.
    pub url: String,
    /// Database of all tables; letters, digits and `_`.
    pub database: String,
    /// User.
    pub user: String,
    /// Password of the user; may be empty.
    pub password: Password,
    /// File with the password, in place of it: read at the start, so that no environment shows it.
    pub password_file: Option<PathBuf>,
    /// Limit for one insert from its first byte to the confirmation. Below the consumer's `ack_wait`.
    pub insert_timeout_ms: u64,
    /// Limit for one query.
    pub query_timeout_ms: u64,
}

impl Default for ClickhouseSettings {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8123".to_owned(),
            database: "sise".to_owned(),
            user: "default".to_owned(),
            password: Password::default(),
            password_file: None,
            insert_timeout_ms: 30_000,
            query_timeout_ms: 30_000,
        }
    }
}

/// Settings that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SettingsError {
    /// The key in dotted form.
    pub key: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// A ClickHouse database. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Store {
    pub(crate) client: Client,
    pub(crate) server: Client,
    pub(crate) database: String,
    pub(crate) insert_timeout: Duration,
    query_timeout: Duration,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("database", &self.database).finish_non_exhaustive()
    }
}

impl Store {
    /// A store of `settings`. Opens nothing yet.
    ///
    /// # Errors
    /// [`SettingsError`] for an address that is no HTTP address, a database that is no plain name, no time, or a file of
    /// the password that cannot be read.
    pub fn new(settings: &ClickhouseSettings) -> Result<Self, SettingsError> {
        let fail = |key, problem: String| Err(SettingsError { key, problem });
        let url = settings.url.trim();
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
            return fail("clickhouse.url", format!("not an HTTP address (http://host:8123): {url:?}"));
        }
        let name = settings.database.as_str();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return fail("clickhouse.database", format!("not a name (letters, digits, `_`): {name:?}"));
        }
        for (key, limit) in [
            ("clickhouse.insert_timeout_ms", settings.insert_timeout_ms),
            ("clickhouse.query_timeout_ms", settings.query_timeout_ms),
        ] {
            if limit == 0 {
                return fail(key, "must be at least 1".to_owned());
            }
        }
        let password = match &settings.password_file {
            Some(_) if !settings.password.0.is_empty() => {
                return fail(
                    "clickhouse.password_file",
                    "set it or clickhouse.password, not both".to_owned(),
                );
            }
            Some(path) => match std::fs::read_to_string(path) {
                Ok(text) => Password::new(text.trim_end_matches(['\r', '\n'])),
                Err(error) => {
                    return fail("clickhouse.password_file", format!("{}: {error}", path.display()));
                }
            },
            None => settings.password.clone(),
        };
        let server = Client::default().with_url(url).with_user(&settings.user).with_password(&password.0);
        Ok(Self {
            client: server.clone().with_database(name),
            server,
            database: name.to_owned(),
            insert_timeout: Duration::from_millis(settings.insert_timeout_ms),
            query_timeout: Duration::from_millis(settings.query_timeout_ms),
        })
    }

    /// The name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Waits for a query, at most its time limit.
    pub(crate) async fn limited<T>(
        &self,
        query: impl Future<Output = Result<T, clickhouse::error::Error>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(self.query_timeout, query).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(StoreError::from(error)),
            Err(_) => Err(StoreError::TimedOut { limit: self.query_timeout }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let settings = ClickhouseSettings { password: Password::new("hunter2"), ..Default::default() };
        let printed = format!("{settings:?} {:?}", Store::new(&settings).expect("store"));
        assert!(!printed.contains("hunter2") && printed.contains("***"), "{printed}");
    }

    #[test]
    fn settings_that_cannot_be_meant_name_their_key() {
        let with = |change: fn(&mut ClickhouseSettings)| {
            let mut settings = ClickhouseSettings::default();
            change(&mut settings);
            Store::new(&settings).err().map(|error| error.key)
        };
        assert_eq!(with(|_| ()), None);
        assert_eq!(with(|s| s.url = "localhost:8123".into()), Some("clickhouse.url"));
        assert_eq!(with(|s| s.url = "http://".into()), Some("clickhouse.url"));
        assert_eq!(with(|s| s.database = "a; drop".into()), Some("clickhouse.database"));
        assert_eq!(with(|s| s.insert_timeout_ms = 0), Some("clickhouse.insert_timeout_ms"));
        assert_eq!(
            with(|s| s.password_file = Some("/no/such/file".into())),
            Some("clickhouse.password_file")
        );
        let both = with(|s| {
            s.password = Password::new("hunter2");
            s.password_file = Some("/dev/null".into());
        });
        assert_eq!(both, Some("clickhouse.password_file"));
        assert_eq!(with(|s| s.password_file = Some("/dev/null".into())), None);
    }
}
