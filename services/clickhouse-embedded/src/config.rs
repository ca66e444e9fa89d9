//! Section `[clickhouse_embedded]`: what the files and the environment say, and what it means.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use process::{ConfigError, Secret};
use serde::Deserialize;

use crate::user::{Rights, User, plain};

/// The sections that this service reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Raw {
    clickhouse_embedded: Section,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Section {
    library: String,
    path: String,
    listen: String,
    allow_remote: bool,
    connections: usize,
    queue: usize,
    sessions: usize,
    max_result_bytes: u64,
    max_spool_bytes: u64,
    max_memory_bytes: u64,
    stop_seconds: u64,
    users_file: String,
    users: BTreeMap<String, RawUser>,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            library: String::new(),
            path: "var/clickhouse".to_owned(),
            listen: "127.0.0.1:8123".to_owned(),
            allow_remote: false,
            connections: 8,
            queue: 64,
            sessions: 64,
            max_result_bytes: 1 << 30,
            max_spool_bytes: 8 << 30,
            max_memory_bytes: 0,
            stop_seconds: 60,
            users_file: String::new(),
            users: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawUser {
    password: Secret,
    rights: Rights,
    databases: Names,
}

/// A list, or one text with commas (which is all that an environment variable can say).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    Text(String),
}

impl Default for Names {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

/// What the service understood.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `libchdb.so`.
    pub library: PathBuf,
    /// Folder of the data, the spool and the lock.
    pub path: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Statements running at once.
    pub connections: usize,
    /// Requests admitted beyond those, which wait or send their body; one more is refused with 503.
    pub queue: usize,
    /// Sessions (`session_id`) kept open at once.
    pub sessions: usize,
    /// Largest result, in the engine's bytes, of a query whose output is not streamed.
    pub max_result_bytes: u64,
    /// Largest sum of insert bodies on disk, in bytes.
    pub max_spool_bytes: u64,
    /// Most memory of the engine, in bytes; 0 = nine tenths of the machine's, ClickHouse's own default.
    pub max_memory_bytes: u64,
    /// How long a stop waits for running requests.
    pub stop_after: Duration,
    /// Who may connect.
    pub users: Vec<User>,
}

/// Characters with a meaning in the engine's file names, which the spool's path goes through.
const REFUSED_IN_PATH: [char; 11] = ['*', '?', '{', '}', '\'', '"', '`', '\\', '\n', '<', '&'];

impl TryFrom<Raw> for Settings {
    type Error = ConfigError;

    fn try_from(raw: Raw) -> Result<Self, ConfigError> {
        let raw = raw.clickhouse_embedded;
        if raw.library.is_empty() {
            return Err(ConfigError::missing("SISE__CLICKHOUSE_EMBEDDED__LIBRARY"));
        }
        let invalid =
            |key: &str, problem: &str| ConfigError::invalid(format!("clickhouse_embedded.{key}"), problem);
        if raw.path.is_empty() || raw.path.contains(REFUSED_IN_PATH) {
            return Err(invalid("path", "a folder whose name has none of * ? { } ' \" ` \\ < &"));
        }
        let listen: SocketAddr = raw
            .listen
            .parse()
            .map_err(|_| invalid("listen", "an address with a port, such as 127.0.0.1:8123"))?;
        let remote = !listen.ip().is_loopback();
        if remote && !raw.allow_remote {
            return Err(invalid(
                "listen",
                "not a loopback address: set allow_remote = true if that is meant",
            ));
        }
        if raw.connections == 0 {
            return Err(invalid("connections", "at least 1"));
        }
        let users = match raw.users_file.as_str() {
            "" => users(raw.users)?,
            _ if !raw.users.is_empty() => {
                return Err(invalid("users_file", "set it or users, not both"));
            }
            file => crate::users_file::read(Path::new(file))?,
        };
        if let Some(user) = users.iter().find(|user| remote && user.password.is_empty()) {
            let key = format!("users.{}.password", user.name);
            return Err(invalid(
                &key,
                "an empty password is for loopback only: set one, or listen on 127.0.0.1",
            ));
        }
        Ok(Self {
            library: raw.library.into(),
            path: raw.path.into(),
            listen,
            connections: raw.connections,
            queue: raw.queue,
            sessions: raw.sessions,
            max_result_bytes: raw.max_result_bytes,
            max_spool_bytes: raw.max_spool_bytes,
            max_memory_bytes: raw.max_memory_bytes,
            stop_after: Duration::from_secs(raw.stop_seconds),
            users,
        })
    }
}

fn users(raw: BTreeMap<String, RawUser>) -> Result<Vec<User>, ConfigError> {
    if raw.is_empty() {
        let (name, password) = ("default".to_owned(), Secret::default().into());
        let (databases, grants) = (Vec::new(), Vec::new());
        return Ok(vec![User { name, password, rights: Rights::All, databases, grants }]);
    }
    raw.into_iter()
        .map(|(name, user)| {
            let key = format!("clickhouse_embedded.users.{name}");
            if !plain(&name, "_-") {
                return Err(ConfigError::invalid(key, "a user's name is 1 to 64 letters, digits, _ or -"));
            }
            let databases = match user.databases {
                Names::List(list) => list,
                Names::Text(text) => text
                    .split(',')
                    .map(|name| name.trim().to_owned())
                    .filter(|name| !name.is_empty())
                    .collect(),
            };
            if let Some(database) = databases.iter().find(|database| !plain(database, "_")) {
                let problem = format!("`{database}`: a database's name is 1 to 64 letters, digits or _");
                return Err(ConfigError::invalid(format!("{key}.databases"), problem));
            }
            if user.rights == Rights::All && !databases.is_empty() {
                let problem = "rights = \"all\" go for all databases: a view can always look beyond one";
                return Err(ConfigError::invalid(format!("{key}.databases"), problem));
            }
            let (password, grants) = (user.password.into(), Vec::new());
            Ok(User { name, password, rights: user.rights, databases, grants })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use process::config::Sources;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("empty.toml");
        std::fs::write(&file, "").unwrap();
        let named =
            |(key, value): &(&str, &str)| (format!("SISE__CLICKHOUSE_EMBEDDED__{key}"), (*value).to_owned());
        let raw: Raw = Sources::new("x", &[file]).load_from(pairs.iter().map(named).collect())?;
        Settings::try_from(raw)
    }

    fn refused(pairs: &[(&str, &str)]) -> String {
        settings(pairs).unwrap_err().to_string()
    }

    #[test]
    fn without_users_there_is_default_on_loopback() {
        let settings = settings(&[("LIBRARY", "/l.so")]).unwrap();
        assert_eq!((settings.listen.to_string().as_str(), settings.connections), ("127.0.0.1:8123", 8));
        let user = &settings.users[0];
        assert_eq!(
            (user.name.as_str(), user.rights, user.password.is_empty()),
            ("default", Rights::All, true)
        );
    }

    #[test]
    fn users_come_from_the_environment_too() {
        let settings = settings(&[
            ("LIBRARY", "/l.so"),
            ("USERS__ARCHIVER__PASSWORD", "p"),
            ("USERS__ARCHIVER__RIGHTS", "insert"),
            ("USERS__ARCHIVER__DATABASES", "sise, sise_demo"),
            ("USERS__ANALYST__PASSWORD", "q"),
        ])
        .unwrap();
        let [analyst, archiver] = settings.users.as_slice() else { panic!("{settings:?}") };
        assert_eq!((analyst.rights, archiver.rights), (Rights::Read, Rights::Insert));
        assert_eq!(archiver.databases, ["sise", "sise_demo"]);
        assert!(!format!("{settings:?}").contains("\"p\""));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        assert!(refused(&[]).contains("SISE__CLICKHOUSE_EMBEDDED__LIBRARY"));
        let library = ("LIBRARY", "/l.so");
        assert!(refused(&[library, ("LISTEN", "0.0.0.0:8123")]).contains("allow_remote"));
        let remote = refused(&[library, ("LISTEN", "0.0.0.0:8123"), ("ALLOW_REMOTE", "true")]);
        assert!(remote.contains("users.default.password"), "{remote}");
        assert!(refused(&[library, ("PATH", "/x/{a}")]).contains("path"));
        assert!(refused(&[library, ("CONNECTIONS", "0")]).contains("connections"));
        assert!(refused(&[library, ("USERS__A'B__PASSWORD", "x")]).contains("users.a'b"));
        let all = [library, ("USERS__A__RIGHTS", "all"), ("USERS__A__DATABASES", "x")];
        assert!(refused(&all).contains("users.a.databases"));
        let both = [library, ("USERS_FILE", "/x"), ("USERS__A__PASSWORD", "p")];
        assert!(refused(&both).contains("users_file"));
        assert!(refused(&[library, ("CONECTIONS", "3")]).contains("conections"));
    }
}
