//! What a cell needs to know beside its feed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use broker::settings::BrokerSettings;
use bus::connect::NatsSettings;
use journal::{JournalSettings, Sync};
use market::{Market, Source};
use process::ConfigError;
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
    /// Bytes of a journal; acknowledged segments go when it is reached.
    pub max_bytes: u64,
    /// `never`, `batch`, or a number of milliseconds between two syncs to disk.
    pub sync: String,
}

impl Default for RawJournal {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("var/journal"),
            segment_bytes: 64 << 20,
            max_bytes: 8 << 30,
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
        Ok(JournalSettings {
            folder: self.folder.join(service),
            segment_bytes: self.segment_bytes,
            max_bytes: self.max_bytes,
            sync,
        })
    }
}

/// The sections of a cell as written, beside its broker's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawCell {
    journal: RawJournal,
    nats: NatsSettings,
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
        let settings = CellSettings {
            service: self.name.to_owned(),
            journal: cell.journal.of(self.name)?,
            nats: cell.nats,
            following: Following { files, carriers: cell.symbols.carriers(self.source, seen)? },
            ca_file: broker.ca_file.clone(),
            always_open: broker.always_open(section)?,
            shared_keys: broker.shared_keys(),
            reconnect_first: Duration::from_millis(broker.reconnect_first_ms.unwrap_or(RECONNECT_FIRST_MS)),
            stop_limit: STOP_LIMIT,
        };
        Ok(ServiceSettings { broker: broker.of(section, self.market, defaults)?, cell: settings })
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
    /// How long a stop may take before what is left is only counted.
    pub stop_limit: Duration,
}
