//! The brokers' sections of the settings → which keys there are, for which market, with which limit.
//!
//! The services are strict about these sections; here they are read leniently, and no key's value is kept.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::bail;
use market::{Market, Source};
use process::{ConfigError, Secret};
use serde::Deserialize;
use store::ClickhouseSettings;

/// More keys a broker than anybody has: a slip of the pen, or a plan that no broker would allow.
const MOST_KEYS: usize = 1_000;

/// The sections that are looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Raw {
    kis: RawBroker,
    kiwoom: RawBroker,
    /// The archive, where one is set.
    pub clickhouse: Option<ClickhouseSettings>,
    /// Which file, and who runs.
    pub symbols: RawSymbols,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawBroker {
    keys: BTreeMap<String, RawKey>,
    registration_limit: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawKey {
    app_key: Secret,
    app_secret: Secret,
    market: String,
}

/// Section `[symbols]` as written.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct RawSymbols {
    /// The file of the instruments to follow.
    pub file: PathBuf,
    /// The brokers that run, `kis,kiwoom`; empty: those that have a key.
    carriers: String,
}

impl Default for RawSymbols {
    fn default() -> Self {
        Self { file: PathBuf::from("config/symbols.yaml"), carriers: String::new() }
    }
}

/// `kis=3,kiwoom=2`: keys to plan with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts(Vec<(Source, usize)>);

impl FromStr for Counts {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut counts: Vec<(Source, usize)> = Vec::new();
        for part in text.split(',') {
            let read = part.split_once('=').and_then(|(word, count)| {
                let count = count.trim().parse().ok().filter(|count| *count <= MOST_KEYS)?;
                Some((Source::from_word(word.trim())?, count))
            });
            let known = |source| counts.iter().any(|(known, _)| *known == source);
            match read {
                Some((source, count)) if !known(source) => counts.push((source, count)),
                _ => bail!("{part:?}: write kis=3,kiwoom=2, each broker once, {MOST_KEYS} keys at most"),
            }
        }
        Ok(Self(counts))
    }
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name in the settings, or its number in a plan.
    pub name: String,
    /// The market it is for; none: both, at different hours, with its whole limit for each.
    pub market: Option<Market>,
}

impl Key {
    /// Whether it serves a market.
    #[must_use]
    pub fn is_for(&self, market: Market) -> bool {
        self.market.is_none_or(|only| only == market)
    }
}

/// The keys of one broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerKeys {
    /// The broker.
    pub source: Source,
    /// Registrations one key may hold.
    pub limit: usize,
    /// In the order of their names, as its service has them.
    pub keys: Vec<Key>,
}

/// What there is to carry with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The brokers that run, as written; empty: those that have a key.
    written: Vec<Source>,
    /// Every broker, with or without keys.
    pub brokers: Vec<BrokerKeys>,
    /// What a person should know: keys that are named and have no value.
    pub remarks: Vec<String>,
}

impl Keys {
    /// The keys of the settings.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the key of the setting that cannot be meant.
    pub fn of(raw: &Raw) -> Result<Self, ConfigError> {
        let mut remarks = Vec::new();
        let mut brokers = Vec::new();
        for &source in Source::ALL {
            let section = raw.of(source);
            let mut keys = Vec::new();
            for (name, key) in &section.keys {
                let market = key_market(source, name, &key.market)?;
                match key.missing() {
                    None => keys.push(Key { name: name.clone(), market }),
                    Some(field) => remarks.push(unset(source, name, field)),
                }
            }
            brokers.push(BrokerKeys { source, limit: raw.limit(source)?, keys });
        }
        let written = market::carriers::read(&raw.symbols.carriers);
        let written = written.map_err(|problem| ConfigError::invalid("symbols.carriers", problem))?;
        Ok(Self { written, brokers, remarks })
    }

    /// So many keys, each for every market of its broker; the limits are those of the settings.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for a limit that cannot be meant.
    pub fn planned(counts: &Counts, raw: &Raw) -> Result<Self, ConfigError> {
        let mut brokers = Vec::new();
        for &source in Source::ALL {
            let count = counts.0.iter().find(|(known, _)| *known == source).map_or(0, |(_, count)| *count);
            let keys = (1..=count).map(|n| Key { name: format!("key{n}"), market: None }).collect();
            brokers.push(BrokerKeys { source, limit: raw.limit(source)?, keys });
        }
        Ok(Self { written: Vec::new(), brokers, remarks: Vec::new() })
    }

    /// The brokers that run in a market, as the services understand it.
    #[must_use]
    pub fn carriers(&self, market: Market) -> Vec<Source> {
        if !self.written.is_empty() {
            return self.written.clone();
        }
        let runs = |broker: &&BrokerKeys| {
            broker.source.serves(market) && broker.keys.iter().any(|key| key.is_for(market))
        };
        self.brokers.iter().filter(runs).map(|broker| broker.source).collect()
    }
}

impl Raw {
    const fn of(&self, source: Source) -> &RawBroker {
        match source {
            Source::Kis => &self.kis,
            Source::Kiwoom => &self.kiwoom,
        }
    }

    fn limit(&self, source: Source) -> Result<usize, ConfigError> {
        let known = match source {
            Source::Kis => broker::kis::registration::LIMIT,
            Source::Kiwoom => broker::kiwoom::registration::LIMIT,
        };
        match self.of(source).registration_limit.unwrap_or(known) {
            0 => Err(ConfigError::invalid(format!("{source}.registration_limit"), "must be 1 or more")),
            limit => Ok(limit),
        }
    }
}

impl RawKey {
    fn missing(&self) -> Option<&'static str> {
        match (self.app_key.is_empty(), self.app_secret.is_empty()) {
            (true, _) => Some("APP_KEY"),
            (_, true) => Some("APP_SECRET"),
            _ => None,
        }
    }
}

fn key_market(source: Source, name: &str, word: &str) -> Result<Option<Market>, ConfigError> {
    let market = Market::from_word(word);
    if market.is_none() && !word.is_empty() {
        let problem = format!("{word:?} is none of kr, us, or empty for both");
        return Err(ConfigError::invalid(format!("{source}.keys.{name}.market"), problem));
    }
    Ok(market)
}

fn unset(source: impl fmt::Display, name: &str, field: &str) -> String {
    let variable = format!("SISE__{source}__KEYS__{name}__{field}").to_uppercase();
    format!(
        "key {name} of {source} is not counted, and no service starts with it: {variable} is missing or empty"
    )
}
