//! What a cell needs to know beside its feed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use broker::settings::BrokerSettings;
use bus::connect::NatsSettings;
use journal::{JournalSettings, Sync};
use market::{Market, Source};
use process::ConfigError;
use process::config::section;
use serde::Deserialize;

use crate::follow::Following;
use crate::section::{OtherSection, RawBroker};
use crate::symbols::{RawSymbols, UniverseFiles};

/// Section `[journal]` as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawJournal {
    /// Folder of all journals; each service has its own in it.
    pub folder: PathBuf,
    /// Bytes of a segment file.
    pub segment_bytes: u64,
    /// Bytes of a journal on disk; acknowledged segments go when it is reached.
    pub max_bytes: u64,
    /// Acknowledged segments older than so many hours go too; 0 = only bytes count.
    pub max_age_hours: u64,
    /// `off`, or the level of zstd for closed segments: 1 (quick) to 19 (small).
    pub compress: String,
    /// `never`, `batch`, or a number of milliseconds between two syncs to disk.
    pub sync: String,
}

impl Default for RawJournal {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("var/journal"),
            segment_bytes: 64 << 20,
            max_bytes: 8 << 30,
            max_age_hours: 0,
            compress: "3".to_owned(),
            sync: "1000".to_owned(),
        }
    }
}

impl RawJournal {
    /// The journal of one service.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the key.
    pub fn of(self, service: &str) -> Result<JournalSettings, ConfigError> {
        let sync = match self.sync.as_str() {
            "never" => Sync::Never,
            "batch" => Sync::EveryBatch,
            text => {
                let known = "never, batch, or milliseconds such as 1000";
                let ms = text.parse().map_err(|_| {
                    ConfigError::invalid("journal.sync", format!("{text:?} is none of {known}"))
                })?;
                Sync::Interval(Duration::from_millis(ms))
            }
        };
        let compress = match self.compress.as_str() {
            "off" => None,
            text => match text.parse() {
                Ok(level @ 1..=19) => Some(level),
                _ => {
                    let problem = format!("{text:?} is neither off nor a level from 1 to 19");
                    return Err(ConfigError::invalid("journal.compress", problem));
                }
            },
        };
        let max_age = Duration::from_secs(self.max_age_hours.saturating_mul(3_600));
        Ok(JournalSettings {
            folder: self.folder.join(service),
            segment_bytes: self.segment_bytes,
            max_bytes: self.max_bytes,
            max_age: Some(max_age).filter(|age| !age.is_zero()),
            compress,
            sync,
        })
    }
}

/// The sections of a cell as written, beside its broker's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawCell {
    #[serde(deserialize_with = "section")]
    journal: RawJournal,
    #[serde(deserialize_with = "section")]
    nats: NatsSettings,
    #[serde(deserialize_with = "section")]
    symbols: RawSymbols,
    #[serde(flatten)]
    others: BTreeMap<String, OtherSection>,
}

/// A stop waits so long for the last acknowledgements; what is left is published after the next start.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Which service it is: all that one differs in from another, beside its feed.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// Its name: its journal, its user on the bus, its settings file.
    pub name: &'static str,
    /// Its broker; also the name of the broker's section.
    pub source: Source,
    /// Its market.
    pub market: Market,
}

/// The settings of a service.
#[derive(Debug)]
pub struct ServiceSettings {
    /// Of its feed.
    pub broker: BrokerSettings,
    /// Of its cell.
    pub cell: CellSettings,
}

impl Service {
    /// What the sections mean for this service; `defaults` are the broker's own.
    ///
    /// # Errors
    /// [`ConfigError`] with the key.
    pub fn settings(
        self,
        broker: RawBroker,
        cell: RawCell,
        defaults: BrokerSettings,
    ) -> Result<ServiceSettings, ConfigError> {
        cell.nats.check().map_err(|e| ConfigError::invalid("nats", e))?;
        let section = self.source.as_str();
        let others = cell.others.iter().filter(|(_, other)| other.has_key(self.market));
        let seen = others.filter_map(|(name, _)| Source::from_word(name)).chain([self.source]).collect();
        let files =
            UniverseFiles::read(&cell.symbols.file).map_err(|e| ConfigError::invalid("symbols.file", e))?;
        let feed = broker.clone().of(section, self.market, defaults)?;
        let settings = CellSettings {
            service: self.name.to_owned(),
            journal: cell.journal.of(self.name)?,
            nats: cell.nats,
            following: Following {
                files,
                carriers: cell.symbols.carriers(self.source, seen)?,
                rules: cell.symbols.failover.rules()?,
            },
            liveness_limit: feed.liveness_limit,
            silence_limit: feed.silence_limit,
            ca_file: broker.ca_file.clone(),
            always_open: broker.always_open(section)?,
            shared_keys: broker.shared_keys(),
            reconnect_first: Duration::from_millis(broker.reconnect_first_ms.unwrap_or(RECONNECT_FIRST_MS)),
            stop_limit: STOP_LIMIT,
        };
        Ok(ServiceSettings { broker: feed, cell: settings })
    }
}

/// First wait after a lost connection.
const RECONNECT_FIRST_MS: u64 = 1_000;

/// The settings of a cell.
#[derive(Debug, Clone)]
pub struct CellSettings {
    /// Name of the service; also its user on the bus.
    pub service: String,
    /// Its journal.
    pub journal: JournalSettings,
    /// The bus.
    pub nats: NatsSettings,
    /// The instruments.
    pub following: Following,
    /// A private certificate authority of the broker, beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Whether data is expected at all times, whatever the calendar says.
    pub always_open: bool,
    /// Keys that another market uses too, by name: they keep hours.
    pub shared_keys: Vec<String>,
    /// First wait after a lost connection; doubles up to a minute.
    pub reconnect_first: Duration,
    /// No message at all for so long, while data is expected: the feed is dead.
    pub liveness_limit: Duration,
    /// No data for so long, while data is expected: the feed is quiet.
    pub silence_limit: Duration,
    /// How long a stop may take before what is left is only counted.
    pub stop_limit: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(raw: RawJournal) -> Result<JournalSettings, String> {
        raw.of("kis-service").map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_compressed_and_kept_whatever_its_age() {
        let settings = journal(RawJournal::default()).expect("settings");
        assert_eq!(settings.folder, PathBuf::from("var/journal/kis-service"));
        assert_eq!((settings.compress, settings.max_age), (Some(3), None));
        assert_eq!(settings.sync, Sync::Interval(Duration::from_secs(1)));
    }

    #[test]
    fn a_level_an_age_and_a_pace_are_what_is_written() {
        let raw = RawJournal {
            compress: "19".to_owned(),
            max_age_hours: 48,
            sync: "batch".to_owned(),
            ..RawJournal::default()
        };
        let settings = journal(raw).expect("settings");
        assert_eq!(settings.compress, Some(19));
        assert_eq!(settings.max_age, Some(Duration::from_secs(172_800)));
        assert_eq!(settings.sync, Sync::EveryBatch);
        let off = RawJournal { compress: "off".to_owned(), ..RawJournal::default() };
        assert_eq!(journal(off).expect("settings").compress, None);
    }

    #[test]
    fn what_cannot_be_meant_names_its_key() {
        for wrong in ["", "0", "20", "-1", "yes"] {
            let raw = RawJournal { compress: wrong.to_owned(), ..RawJournal::default() };
            let error = journal(raw).expect_err("refused");
            assert!(error.contains("journal.compress"), "{error}");
        }
        let raw = RawJournal { sync: "often".to_owned(), ..RawJournal::default() };
        assert!(journal(raw).expect_err("refused").contains("journal.sync"));
    }
}
