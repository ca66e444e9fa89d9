//! Settings of the gap finder: `[nats]`, `[clickhouse]`, `[symbols]` and `[gap_finder]`.

use std::path::PathBuf;

use bus::connect::NatsSettings;
use history::run::RawSymbols;
use history::settings::{RawGapFinder, RunSettings, Schedule};
use process::ConfigError;
use serde::Deserialize;
use store::{ClickhouseSettings, Store};

/// The settings as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Raw {
    nats: NatsSettings,
    clickhouse: ClickhouseSettings,
    symbols: RawSymbols,
    gap_finder: RawGapFinder,
}

/// The settings as understood.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bus.
    pub nats: NatsSettings,
    /// The archive, which is only read.
    pub clickhouse: ClickhouseSettings,
    /// The symbols file; read anew for each day.
    pub symbols: PathBuf,
    /// How a run works.
    pub run: RunSettings,
    /// When there is one.
    pub schedule: Schedule,
}

impl TryFrom<Raw> for Settings {
    type Error = ConfigError;

    fn try_from(raw: Raw) -> Result<Self, ConfigError> {
        raw.nats.check().map_err(|error| ConfigError::invalid("nats", error))?;
        Store::new(&raw.clickhouse).map_err(|error| ConfigError::invalid(error.key, error.problem))?;
        let understood = raw.gap_finder.understood();
        let (run, schedule) = understood.map_err(|error| ConfigError::invalid(error.key, error.problem))?;
        Ok(Self { nats: raw.nats, clickhouse: raw.clickhouse, symbols: raw.symbols.file, run, schedule })
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
        let settings =
            load(&[("SISE__GAP_FINDER__PARALLEL", "3"), ("SISE__CLICKHOUSE__PASSWORD", "hunter2")]);
        let settings = settings.expect("settings");
        assert_eq!((settings.run.parallel, settings.schedule.reach_days), (3, 20));
        assert_eq!(settings.symbols, PathBuf::from("config/symbols.yaml"));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let error = |key: &str, value: &str| load(&[(key, value)]).expect_err("refused").to_string();
        assert!(error("SISE__GAP_FINDER__PARALLEL", "65").contains("gap_finder.parallel"));
        assert!(error("SISE__GAP_FINDER__MARKETS", "jp").contains("gap_finder.markets"));
        assert!(error("SISE__GAP_FINDER__PARALEL", "1").contains("paralel"));
        assert!(error("SISE__CLICKHOUSE__URL", "nowhere").contains("clickhouse.url"));
    }
}
