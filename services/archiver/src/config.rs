//! Settings of the archiver: `[nats]`, `[clickhouse]` and `[archiver]`.

use std::sync::Arc;
use std::time::Duration;

use bus::connect::NatsSettings;
use process::ConfigError;
use serde::Deserialize;
use store::{ClickhouseSettings, Store};

/// The streams of events.
const STREAMS: &[&str] = &[
    "TICKER_KR_KIS",
    "ORDERBOOK_KR_KIS",
    "TICKER_KR_KIWOOM",
    "ORDERBOOK_KR_KIWOOM",
    "TICKER_US_KIS",
    "ORDERBOOK_US_KIS",
    "RECOVERED",
    "STATUS",
];

/// More rows than this in one insert would be cut into blocks by ClickHouse, and a block stored alone could not be
/// told from a whole insert.
const MAX_ROWS: usize = 500_000;

/// The settings as written.
#[derive(Debug, Deserialize)]
pub struct Raw {
    #[serde(default)]
    nats: NatsSettings,
    #[serde(default)]
    clickhouse: ClickhouseSettings,
    #[serde(default)]
    archiver: RawArchiver,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawArchiver {
    streams: Names,
    durable: String,
    rows: usize,
    bytes: usize,
    bytes_ahead: usize,
    age_ms: u64,
    recent: usize,
    ack_wait_ms: u64,
    retry_max_ms: u64,
    watch_ms: u64,
    stop_timeout_ms: u64,
}

/// A list, or one text with commas (which is all that an environment variable can say).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    Text(String),
}

impl Names {
    fn list(self) -> Vec<String> {
        match self {
            Self::List(names) => names,
            Self::Text(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        }
    }
}

impl Default for RawArchiver {
    fn default() -> Self {
        Self {
            streams: Names::List(STREAMS.iter().map(|name| (*name).to_owned()).collect()),
            durable: "archiver".to_owned(),
            rows: 20_000,
            bytes: 1 << 18,
            bytes_ahead: 1 << 22,
            age_ms: 1_000,
            // Where more than 28,672 are remembered, the map is twice as large: forgetting leaves marks in it.
            recent: 25_000,
            ack_wait_ms: 60_000,
            retry_max_ms: 5_000,
            watch_ms: 10_000,
            stop_timeout_ms: 20_000,
        }
    }
}

/// The settings as understood.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bus.
    pub nats: NatsSettings,
    /// The database.
    pub clickhouse: ClickhouseSettings,
    /// The archiver itself.
    pub archiver: Arc<ArchiverSettings>,
}

/// Section `[archiver]`.
#[derive(Debug, Clone)]
pub struct ArchiverSettings {
    /// Streams, each with a task of its own.
    pub streams: Vec<Arc<str>>,
    /// Name of the durable on each stream.
    pub durable: String,
    /// A batch has at most so many rows.
    pub rows: usize,
    /// A batch is full when its messages take so many bytes of memory. Its rows take about as much again, and its insert
    /// about half a megabyte.
    pub bytes: usize,
    /// The same for a batch that is pulled while another is being archived, and for one that is full before its time;
    /// two of these are held by all streams together.
    pub bytes_ahead: usize,
    /// A batch is at most so old.
    pub age: Duration,
    /// Events remembered for each stream to tell one that was published twice. A publisher has at most a window of
    /// messages unanswered, so this is many restarts of it.
    pub recent: usize,
    /// `ack_wait` of the durable (`nats/streams.json`): at each quarter of it messages at work are reported as such.
    pub ack_wait: Duration,
    /// Longest pause between two tries while ClickHouse is away.
    pub retry_max: Duration,
    /// How often is looked whether a stream is about to discard what is not archived.
    pub watch: Duration,
    /// How long a stop may take.
    pub stop_timeout: Duration,
}

impl TryFrom<Raw> for Settings {
    type Error = ConfigError;

    fn try_from(raw: Raw) -> Result<Self, ConfigError> {
        let archiver = raw.archiver;
        raw.nats.check().map_err(|error| ConfigError::invalid("nats", error))?;
        Store::new(&raw.clickhouse).map_err(|error| ConfigError::invalid(error.key, error.problem))?;
        let at_least_1 = [
            ("archiver.bytes", u64::try_from(archiver.bytes).unwrap_or(u64::MAX)),
            ("archiver.bytes_ahead", u64::try_from(archiver.bytes_ahead).unwrap_or(u64::MAX)),
            ("archiver.age_ms", archiver.age_ms),
            ("archiver.ack_wait_ms", archiver.ack_wait_ms),
            ("archiver.retry_max_ms", archiver.retry_max_ms),
            ("archiver.watch_ms", archiver.watch_ms),
            ("archiver.stop_timeout_ms", archiver.stop_timeout_ms),
        ];
        for (key, value) in at_least_1 {
            if value == 0 {
                return Err(ConfigError::invalid(key, "must be at least 1"));
            }
        }
        if archiver.rows == 0 || archiver.rows > MAX_ROWS {
            return Err(ConfigError::invalid("archiver.rows", format!("must be 1 to {MAX_ROWS}")));
        }
        let streams = archiver.streams.list();
        let mut names = streams.clone();
        names.sort();
        names.dedup();
        if names.len() != streams.len() || names.first().is_none_or(String::is_empty) {
            return Err(ConfigError::invalid("archiver.streams", "must name streams, each once"));
        }
        let settings = ArchiverSettings {
            streams: streams.iter().map(|name| Arc::from(name.as_str())).collect(),
            durable: archiver.durable,
            rows: archiver.rows,
            bytes: archiver.bytes,
            bytes_ahead: archiver.bytes_ahead,
            age: Duration::from_millis(archiver.age_ms),
            recent: archiver.recent,
            ack_wait: Duration::from_millis(archiver.ack_wait_ms),
            retry_max: Duration::from_millis(archiver.retry_max_ms),
            watch: Duration::from_millis(archiver.watch_ms),
            stop_timeout: Duration::from_millis(archiver.stop_timeout_ms),
        };
        Ok(Self { nats: raw.nats, clickhouse: raw.clickhouse, archiver: Arc::new(settings) })
    }
}

#[cfg(test)]
mod tests {
    use process::config::Sources;

    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Settings::try_from(Sources::new("no-such-service", &[]).load_from::<Raw>(variables)?)
    }

    #[test]
    fn everything_has_a_default_and_the_environment_wins() {
        let settings = load(&[("SISE__ARCHIVER__ROWS", "7"), ("SISE__CLICKHOUSE__PASSWORD", "hunter2")]);
        let settings = settings.expect("settings");
        assert_eq!(settings.archiver.rows, 7);
        assert_eq!(settings.archiver.streams.len(), 8);
        let two = load(&[("SISE__ARCHIVER__STREAMS", "A, B")]).expect("settings");
        assert_eq!(two.archiver.streams, [Arc::from("A"), Arc::from("B")]);
        assert_eq!(settings.archiver.age, Duration::from_millis(1_000));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let error = |key: &str, value: &str| load(&[(key, value)]).expect_err("refused").to_string();
        assert!(error("SISE__ARCHIVER__ROWS", "0").contains("archiver.rows"));
        assert!(error("SISE__ARCHIVER__ROWS", "500001").contains("archiver.rows"));
        assert!(error("SISE__ARCHIVER__AGE_MS", "0").contains("archiver.age_ms"));
        assert!(error("SISE__CLICKHOUSE__URL", "nowhere").contains("clickhouse.url"));
        assert!(error("SISE__ARCHIVER__STREAMS", "A,A").contains("archiver.streams"));
        assert!(error("SISE__ARCHIVER__STREAMS", ",").contains("archiver.streams"));
        assert!(error("SISE__ARCHIVER__ROWZ", "1").contains("rowz"));
    }
}
