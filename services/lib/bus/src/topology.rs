//! `nats/streams.json` to streams, durables and buckets: what the server must have.
//!
//! [`diff`] compares with the server, [`apply`] makes it so; neither deletes anything.

mod apply;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use serde::Deserialize;

pub use self::apply::{Change, ChangeKind, FieldChange, TopologyError, apply, diff};
use crate::connect::NatsSettings;

/// The file as it stands in the repository.
const DEFAULT: &str = include_str!("../../../../nats/streams.json");

/// The streams and durables that the server must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The streams, in the order of the file.
    pub streams: Vec<StreamSpec>,
    /// The key-value buckets, in the order of the file.
    pub buckets: Vec<BucketSpec>,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSpec {
    /// The name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The subjects it takes.
    pub subjects: Vec<String>,
    /// Its limit in bytes; the oldest messages go first.
    pub max_bytes: i64,
    /// Its limit in age.
    pub max_age: Duration,
    /// 1 on one node, 3 on a cluster.
    pub replicas: usize,
    /// How long the server remembers message ids.
    pub duplicate_window: Duration,
    /// The durables that read it.
    pub durables: Vec<DurableSpec>,
}

/// A durable consumer: pull, explicit acknowledgements, everything from the first message, redelivered without end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DurableSpec {
    /// The name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// After how many seconds an unacknowledged message is delivered again.
    pub ack_wait_seconds: u64,
    /// How many messages may be unacknowledged over all readers.
    pub max_ack_pending: i64,
}

/// A key-value bucket: a stream of its own on the server, which keeps the last values of each key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketSpec {
    /// The name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Values kept of each key.
    pub history: i64,
    /// After so long a value goes; zero = never.
    pub max_age: Duration,
    /// Its limit in bytes: beyond it nothing is taken any more.
    pub max_bytes: i64,
    /// 1 on one node, 3 on a cluster.
    pub replicas: usize,
}

/// What is wrong with the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Cannot be read.
    #[error("{path}: {problem}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        problem: String,
    },
    /// Not the JSON that belongs there; the text names line and column.
    #[error("streams file: {0}")]
    Form(String),
    /// A value that cannot be meant.
    #[error("streams file: stream {stream}: {problem}")]
    Stream {
        /// The stream.
        stream: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    // For the reader of the file only.
    #[serde(default, rename = "about")]
    _about: Vec<String>,
    defaults: RawDefaults,
    streams: Vec<RawStream>,
    durables: Vec<DurableSpec>,
    #[serde(default)]
    buckets: Vec<RawBucket>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBucket {
    name: String,
    description: String,
    history: i64,
    max_age_hours: u64,
    max_bytes: i64,
    replicas: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDefaults {
    max_age_hours: u64,
    replicas: usize,
    duplicate_window_seconds: u64,
    durables: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStream {
    name: String,
    description: String,
    subjects: Vec<String>,
    max_bytes: i64,
    max_age_hours: Option<u64>,
    replicas: Option<usize>,
    durables: Option<Vec<String>>,
}

impl Topology {
    /// The topology of the repository, with the limits of `[nats]` where they are set.
    ///
    /// # Errors
    /// [`SpecError`]; not with the file as it stands, which a test reads.
    pub fn load(settings: &NatsSettings) -> Result<Self, SpecError> {
        Ok(Self::from_json(DEFAULT)?.with(settings))
    }

    /// As [`Topology::load`] from another file.
    ///
    /// # Errors
    /// [`SpecError`] with the file or the stream.
    pub fn load_from(path: &Path, settings: &NatsSettings) -> Result<Self, SpecError> {
        let text = std::fs::read_to_string(path).map_err(|error| SpecError::Read {
            path: path.display().to_string(),
            problem: error.to_string(),
        })?;
        Ok(Self::from_json(&text)?.with(settings))
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    /// [`SpecError`] with the line or the stream.
    pub fn from_json(text: &str) -> Result<Self, SpecError> {
        let raw: RawFile = serde_json::from_str(text).map_err(|error| SpecError::Form(error.to_string()))?;
        let replicas = raw.defaults.replicas;
        let mut names = BTreeSet::new();
        let mut streams = Vec::with_capacity(raw.streams.len());
        for stream in raw.streams {
            let fail = |problem: String| SpecError::Stream { stream: stream.name.clone(), problem };
            if !names.insert(stream.name.clone()) {
                return Err(fail("stands there twice".into()));
            }
            if stream.subjects.is_empty() {
                return Err(fail("takes no subject".into()));
            }
            let wanted = stream.durables.as_ref().unwrap_or(&raw.defaults.durables);
            let find = |name: &String| {
                let found = raw.durables.iter().find(|durable| durable.name == *name).cloned();
                found.ok_or_else(|| fail(format!("durable {name} is not described under durables")))
            };
            streams.push(StreamSpec {
                durables: wanted.iter().map(find).collect::<Result<_, _>>()?,
                max_age: hours(stream.max_age_hours.unwrap_or(raw.defaults.max_age_hours)),
                replicas: stream.replicas.unwrap_or(raw.defaults.replicas),
                duplicate_window: Duration::from_secs(raw.defaults.duplicate_window_seconds),
                name: stream.name,
                description: stream.description,
                subjects: stream.subjects,
                max_bytes: stream.max_bytes,
            });
        }
        let bucket = |raw: RawBucket| BucketSpec {
            name: raw.name,
            description: raw.description,
            history: raw.history,
            max_age: hours(raw.max_age_hours),
            max_bytes: raw.max_bytes,
            replicas: raw.replicas.unwrap_or(replicas),
        };
        Ok(Self { streams, buckets: raw.buckets.into_iter().map(bucket).collect() })
    }

    fn with(mut self, settings: &NatsSettings) -> Self {
        for stream in &mut self.streams {
            stream.replicas = settings.replicas.unwrap_or(stream.replicas);
            stream.max_bytes = settings.max_bytes.unwrap_or(stream.max_bytes);
            stream.max_age = settings.max_age_hours.map_or(stream.max_age, hours);
        }
        for bucket in &mut self.buckets {
            bucket.replicas = settings.replicas.unwrap_or(bucket.replicas);
        }
        self
    }

    /// The names of the streams that `durable` reads: what an archiver pulls from.
    pub fn streams_of(&self, durable: &str) -> impl Iterator<Item = &str> {
        let reads = move |stream: &&StreamSpec| stream.durables.iter().any(|known| known.name == durable);
        self.streams.iter().filter(reads).map(|stream| stream.name.as_str())
    }
}

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours.saturating_mul(3_600))
}

impl StreamSpec {
    /// The stream as the server takes it. `known` keeps what this file says nothing about.
    fn config(&self, known: Config) -> Config {
        Config {
            name: self.name.clone(),
            description: Some(self.description.clone()),
            subjects: self.subjects.clone(),
            max_bytes: self.max_bytes,
            max_age: self.max_age,
            num_replicas: self.replicas,
            duplicate_window: self.duplicate_window,
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::Old,
            // The last message of a subject is the snapshot of a live view.
            allow_direct: true,
            ..known
        }
    }
}

impl BucketSpec {
    /// The bucket's stream as clients of key-value buckets expect it. `known` keeps what this file says nothing about.
    fn config(&self, known: Config) -> Config {
        Config {
            name: format!("KV_{}", self.name),
            description: Some(self.description.clone()),
            subjects: vec![format!("$KV.{}.>", self.name)],
            max_bytes: self.max_bytes,
            max_age: self.max_age,
            max_messages_per_subject: self.history,
            num_replicas: self.replicas,
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            // The bucket is full: what is there stays, and who writes is told.
            discard: DiscardPolicy::New,
            allow_rollup: true,
            deny_delete: true,
            allow_direct: true,
            ..known
        }
    }
}

impl DurableSpec {
    fn config(&self, known: pull::Config) -> pull::Config {
        pull::Config {
            durable_name: Some(self.name.clone()),
            description: Some(self.description.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_secs(self.ack_wait_seconds),
            max_ack_pending: self.max_ack_pending,
            max_deliver: -1,
            ..known
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::stream_name;

    fn topology() -> Topology {
        Topology::load(&NatsSettings::default()).expect("topology")
    }

    #[test]
    fn the_file_names_the_streams_of_the_design() {
        let topology = topology();
        let names: Vec<_> = topology.streams.iter().map(|stream| stream.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "TICKER_KR_KIS",
                "ORDERBOOK_KR_KIS",
                "TICKER_KR_KIWOOM",
                "ORDERBOOK_KR_KIWOOM",
                "TICKER_US_KIS",
                "ORDERBOOK_US_KIS",
                "RECOVERED",
                "STATUS",
                "DEADLETTER"
            ]
        );
        let buckets: Vec<_> = topology.buckets.iter().map(|bucket| bucket.name.as_str()).collect();
        assert_eq!(buckets, [crate::bucket::HEALTH, crate::bucket::OWNERSHIP]);
        let read: Vec<_> = topology.streams_of("archiver").collect();
        assert_eq!(read, names[..8], "the dead letters wait for a person");
    }

    #[test]
    fn every_subject_goes_where_the_file_says() {
        for stream in topology().streams {
            for subject in &stream.subjects {
                let example =
                    subject.replace('>', if subject.contains(".ticker.") { "kr.kis.x" } else { "x.y" });
                assert_eq!(stream_name(&example).as_deref(), Some(stream.name.as_str()), "{example}");
            }
        }
    }

    #[test]
    fn settings_override_the_limits() {
        let settings = NatsSettings {
            max_bytes: Some(1 << 20),
            max_age_hours: Some(2),
            replicas: Some(3),
            ..NatsSettings::default()
        };
        for stream in Topology::load(&settings).expect("topology").streams {
            let limits = (stream.max_bytes, stream.max_age.as_secs(), stream.replicas);
            assert_eq!(limits, (1_048_576, 7_200, 3));
        }
    }

    #[test]
    fn mistakes_are_named() {
        let file = |streams: &str| {
            format!(
                r#"{{"defaults": {{"max_age_hours": 1, "replicas": 1, "duplicate_window_seconds": 1, "durables": ["a"]}},
                    "streams": [{streams}], "durables": []}}"#
            )
        };
        let stream =
            r#"{"name": "S", "description": "", "subjects": ["s.>"], "max_bytes": 1, "durables": []}"#;
        for (text, part) in [
            (file(r#"{"name": "S", "maxbytes": 1}"#), "maxbytes"),
            (file(&stream.replace(r#", "durables": []"#, "")), "durable a is not described"),
            (file(&stream.replace(r#""s.>""#, "")), "takes no subject"),
            (file(&format!("{stream}, {stream}")), "stands there twice"),
        ] {
            let error = Topology::from_json(&text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
