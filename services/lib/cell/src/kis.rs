//! Section `[kis]`: what both services on KIS, Korea and US, read alike.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use broker::kis::auth::Credentials;
use broker::kis::feed::KisSettings;
use broker::kis::session::SessionRules;
use market::Market;
use market::universe::Universe;
use process::{ConfigError, Secret};
use serde::Deserialize;

/// Section `[kis]` as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawKis {
    /// REST address.
    pub rest_url: String,
    /// WebSocket address.
    pub ws_url: String,
    /// Keys by name: `SISE__KIS__KEYS__MAIN__APP_KEY` and `…__APP_SECRET`.
    pub keys: BTreeMap<String, RawKey>,
    /// A private certificate authority (PEM), beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Where REST tokens are kept.
    pub token_folder: Option<PathBuf>,
    /// Registrations one session may hold.
    pub registration_limit: usize,
    /// Between two requests, in ms.
    pub pace_ms: u64,
    /// No message at all for so long: the socket is dead, in ms.
    pub liveness_limit_ms: u64,
    /// Confirmed registrations without any data for so long, while data is expected, are an error, in ms.
    pub silence_limit_ms: u64,
    /// First wait after a lost connection, in ms.
    pub reconnect_first_ms: u64,
    /// `calendar` or `always`: when data is expected. A simulated broker trades at night.
    pub data_expected: String,
}

/// One key as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawKey {
    /// App key.
    pub app_key: Secret,
    /// App secret.
    pub app_secret: Secret,
    /// `kr`, `us` or empty for both: which service uses it.
    pub market: String,
}

impl Default for RawKis {
    fn default() -> Self {
        let rules = SessionRules::default();
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            rest_url: "https://openapi.koreainvestment.com:9443".to_owned(),
            ws_url: "ws://ops.koreainvestment.com:21000/tryitout".to_owned(),
            keys: BTreeMap::new(),
            ca_file: None,
            token_folder: None,
            registration_limit: rules.limit,
            pace_ms: ms(rules.pace),
            liveness_limit_ms: ms(rules.liveness_limit),
            silence_limit_ms: ms(rules.silence_limit),
            reconnect_first_ms: 1_000,
            data_expected: "calendar".to_owned(),
        }
    }
}

/// Section `[symbols]` as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSymbols {
    /// The file of the instruments to follow.
    pub file: PathBuf,
}

impl Default for RawSymbols {
    fn default() -> Self {
        Self { file: PathBuf::from("config/symbols.yaml") }
    }
}

impl RawSymbols {
    /// Reads the file.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with what is wrong in it.
    pub fn read(&self) -> Result<Universe, ConfigError> {
        let key = "symbols.file";
        let path = self.file.display();
        let text = std::fs::read_to_string(&self.file)
            .map_err(|e| ConfigError::invalid(key, format!("{path}: {e}")))?;
        Universe::from_yaml(&text).map_err(|e| ConfigError::invalid(key, format!("{path}: {e}")))
    }
}

impl RawKis {
    /// Whether data is expected at all times.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for anything but `calendar` and `always`.
    pub fn always_open(&self) -> Result<bool, ConfigError> {
        match self.data_expected.as_str() {
            "calendar" => Ok(false),
            "always" => Ok(true),
            other => Err(ConfigError::invalid(
                "kis.data_expected",
                format!("{other:?} is neither calendar nor always"),
            )),
        }
    }

    /// The feed of one market.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] with the variable when there is no key for the market, or one is empty.
    pub fn of(self, market: Market) -> Result<KisSettings, ConfigError> {
        let mut keys = Vec::new();
        for (name, key) in self.keys {
            if !key.market.is_empty() && Market::from_word(&key.market).is_none() {
                let problem = format!("{:?} is none of kr, us, or empty for both", key.market);
                return Err(ConfigError::invalid(format!("kis.keys.{name}.market"), problem));
            }
            if !key.market.is_empty() && key.market != market.as_str() {
                continue;
            }
            let variable = format!("SISE__KIS__KEYS__{}", name.to_uppercase());
            keys.push(Credentials {
                app_key: key.app_key.require(&format!("{variable}__APP_KEY"))?.expose().to_owned(),
                app_secret: key.app_secret.require(&format!("{variable}__APP_SECRET"))?.expose().to_owned(),
                name,
            });
        }
        if keys.is_empty() {
            return Err(ConfigError::missing("SISE__KIS__KEYS__MAIN__APP_KEY"));
        }
        let rules = SessionRules {
            limit: self.registration_limit,
            pace: Duration::from_millis(self.pace_ms),
            liveness_limit: Duration::from_millis(self.liveness_limit_ms),
            silence_limit: Duration::from_millis(self.silence_limit_ms),
            ..SessionRules::default()
        };
        Ok(KisSettings {
            market,
            rest_url: self.rest_url,
            ws_url: self.ws_url,
            keys,
            ca_file: self.ca_file,
            token_folder: self.token_folder,
            rules,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(app_key: &str, app_secret: &str, market: &str) -> RawKey {
        RawKey {
            app_key: Secret::new(app_key),
            app_secret: Secret::new(app_secret),
            market: market.to_owned(),
        }
    }

    fn with(keys: &[(&str, RawKey)]) -> RawKis {
        let keys = keys.iter().map(|(name, key)| ((*name).to_owned(), key.clone())).collect();
        RawKis { keys, ..RawKis::default() }
    }

    #[test]
    fn a_start_without_keys_names_the_variable() {
        let error = RawKis::default().of(Market::Kr).expect_err("no key").to_string();
        assert!(error.contains("SISE__KIS__KEYS__MAIN__APP_KEY"), "{error}");
    }

    #[test]
    fn an_empty_secret_refuses_to_start() {
        let error = with(&[("main", key("k", " ", ""))]).of(Market::Kr).expect_err("empty").to_string();
        assert!(error.contains("SISE__KIS__KEYS__MAIN__APP_SECRET"), "{error}");
    }

    #[test]
    fn a_key_may_be_for_one_market() {
        let raw = with(&[("a", key("k", "s", "kr")), ("b", key("k", "s", "us")), ("c", key("k", "s", ""))]);
        let names = |market| {
            raw.clone().of(market).expect("keys").keys.into_iter().map(|k| k.name).collect::<Vec<_>>()
        };
        assert_eq!(names(Market::Kr), ["a", "c"]);
        assert_eq!(names(Market::Us), ["b", "c"]);
        assert!(with(&[("a", key("k", "s", "jp"))]).of(Market::Kr).is_err());
    }
}
