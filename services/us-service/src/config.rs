//! The settings of `us-service`.

use broker::kis::feed::KisSettings;
use cell::kis::{RawKis, RawSymbols};
use cell::{CellSettings, RawCell};
use market::Market;
use market::universe::Universe;
use process::ConfigError;
use serde::Deserialize;

/// Name of the service: its journal, its user on the bus, its settings file.
pub const SERVICE: &str = "us-service";

/// The sections as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Raw {
    kis: RawKis,
    symbols: RawSymbols,
    #[serde(flatten)]
    cell: RawCell,
}

/// The settings as understood.
#[derive(Debug)]
pub struct Settings {
    /// The feed.
    pub kis: KisSettings,
    /// The instruments.
    pub universe: Universe,
    /// The cell.
    pub cell: CellSettings,
}

impl TryFrom<Raw> for Settings {
    type Error = ConfigError;

    fn try_from(raw: Raw) -> Result<Self, ConfigError> {
        let universe = raw.symbols.read()?;
        let cell = raw.cell.of(SERVICE, &raw.kis)?;
        Ok(Self { kis: raw.kis.of(Market::Us)?, universe, cell })
    }
}
