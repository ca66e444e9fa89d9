//! What a cell needs to know beside its feed.

use std::path::PathBuf;
use std::time::Duration;

use bus::connect::NatsSettings;
use journal::{JournalSettings, Sync};
use process::ConfigError;
use serde::Deserialize;

use crate::kis::RawKis;

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

/// The sections of a cell as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawCell {
    journal: RawJournal,
    nats: NatsSettings,
}

/// A stop waits so long for the last acknowledgements; what is left is published after the next start.
const STOP_LIMIT: Duration = Duration::from_secs(10);

impl RawCell {
    /// The cell of a service on KIS.
    ///
    /// # Errors
    /// [`ConfigError`] with the key.
    pub fn of(self, service: &str, kis: &RawKis) -> Result<CellSettings, ConfigError> {
        self.nats.check().map_err(|e| ConfigError::invalid("nats", e))?;
        Ok(CellSettings {
            service: service.to_owned(),
            journal: self.journal.of(service)?,
            nats: self.nats,
            ca_file: kis.ca_file.clone(),
            always_open: kis.always_open()?,
            reconnect_first: Duration::from_millis(kis.reconnect_first_ms),
            stop_limit: STOP_LIMIT,
        })
    }
}

/// The settings of a cell.
#[derive(Debug, Clone)]
pub struct CellSettings {
    /// Name of the service; also its user on the bus.
    pub service: String,
    /// Its journal.
    pub journal: JournalSettings,
    /// The bus.
    pub nats: NatsSettings,
    /// A private certificate authority of the broker, beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Whether data is expected at all times, whatever the calendar says.
    pub always_open: bool,
    /// First wait after a lost connection; doubles up to a minute.
    pub reconnect_first: Duration,
    /// How long a stop may take before what is left is only counted.
    pub stop_limit: Duration,
}
