//! A broker's section, `[kis]` or `[kiwoom]`: the keys and limits that every broker has alike.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use broker::credentials::Credentials;
use broker::settings::BrokerSettings;
use market::Market;
use process::{ConfigError, Secret};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A broker's section as written; what is left out has the broker's own default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawBroker {
    /// REST address.
    pub rest_url: Option<String>,
    /// WebSocket address.
    pub ws_url: Option<String>,
    /// Keys by name: `SISE__KIS__KEYS__MAIN__APP_KEY` and `…__APP_SECRET`.
    pub keys: BTreeMap<String, RawKey>,
    /// A private certificate authority (PEM), beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Where tokens are kept.
    pub token_folder: Option<PathBuf>,
    /// Registrations one connection may hold.
    pub registration_limit: Option<usize>,
    /// Between two requests, in ms.
    pub pace_ms: Option<u64>,
    /// Between two REST pages of one TR with one key, in ms; left out = as fast as the broker is known to allow.
    pub page_pace_ms: Option<u64>,
    /// No message at all for so long: the socket is dead, in ms.
    pub liveness_limit_ms: Option<u64>,
    /// Confirmed registrations without any data for so long, while data is expected, are an error, in ms.
    pub silence_limit_ms: Option<u64>,
    /// First wait after a lost connection, in ms; 1,000 if left out.
    pub reconnect_first_ms: Option<u64>,
    /// `calendar` or `always`: when the market is open. A simulated broker trades at night.
    pub data_expected: Option<String>,
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

impl RawBroker {
    /// Whether the market is open at all times. `section` is the name of this one.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for anything but `calendar` and `always`.
    pub fn always_open(&self, section: &str) -> Result<bool, ConfigError> {
        match self.data_expected.as_deref() {
            None | Some("calendar") => Ok(false),
            Some("always") => Ok(true),
            Some(other) => {
                let problem = format!("{other:?} is neither calendar nor always");
                Err(ConfigError::invalid(format!("{section}.data_expected"), problem))
            }
        }
    }

    /// Names of the keys that another market uses too.
    #[must_use]
    pub fn shared_keys(&self) -> Vec<String> {
        let shared = self.keys.iter().filter(|(_, key)| key.market.is_empty());
        shared.map(|(name, _)| name.clone()).collect()
    }

    /// The settings of the feed of one market, over the broker's defaults.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] with the variable when there is no key for the market, or one is empty;
    /// [`ConfigError::Invalid`] for a market or a limit that cannot be meant.
    pub fn of(
        self,
        section: &str,
        market: Market,
        defaults: BrokerSettings,
    ) -> Result<BrokerSettings, ConfigError> {
        let prefix = format!("SISE__{}__KEYS__", section.to_uppercase());
        let mut keys = Vec::new();
        for (name, key) in self.keys {
            if !key.market.is_empty() && Market::from_word(&key.market).is_none() {
                let problem = format!("{:?} is none of kr, us, or empty for both", key.market);
                return Err(ConfigError::invalid(format!("{section}.keys.{name}.market"), problem));
            }
            if !key.market.is_empty() && key.market != market.as_str() {
                continue;
            }
            let variable = format!("{prefix}{}", name.to_uppercase());
            keys.push(Credentials {
                app_key: key.app_key.require(&format!("{variable}__APP_KEY"))?.expose().to_owned(),
                app_secret: key.app_secret.require(&format!("{variable}__APP_SECRET"))?.expose().to_owned(),
                name,
            });
        }
        if keys.is_empty() {
            return Err(ConfigError::missing(&format!("{prefix}MAIN__APP_KEY")));
        }
        let registration_limit = self.registration_limit.unwrap_or(defaults.registration_limit);
        if registration_limit == 0 {
            return Err(ConfigError::invalid(format!("{section}.registration_limit"), "must be 1 or more"));
        }
        let ms = |given: Option<u64>, default| given.map_or(default, Duration::from_millis);
        Ok(BrokerSettings {
            rest_url: self.rest_url.unwrap_or(defaults.rest_url),
            ws_url: self.ws_url.unwrap_or(defaults.ws_url),
            keys,
            ca_file: self.ca_file,
            token_folder: self.token_folder,
            registration_limit,
            pace: ms(self.pace_ms, defaults.pace),
            page_pace: self.page_pace_ms.map(Duration::from_millis).or(defaults.page_pace),
            liveness_limit: ms(self.liveness_limit_ms, defaults.liveness_limit),
            silence_limit: ms(self.silence_limit_ms, defaults.silence_limit),
        })
    }
}

/// A section of somebody else: of interest is only whether it holds a key.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum OtherSection {
    /// It has keys.
    Broker {
        /// By name.
        keys: BTreeMap<String, OtherKey>,
    },
    /// It has none, whatever it is.
    Else(IgnoredAny),
}

/// A key of somebody else: whether it is empty, and which market it is for, is all that is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OtherKey {
    app_key: Secret,
    app_secret: Secret,
    market: String,
}

impl OtherSection {
    /// Whether its service could run in a market: it has a key for it.
    #[must_use]
    pub fn has_key(&self, market: Market) -> bool {
        let usable = |key: &OtherKey| {
            let here = key.market.is_empty() || key.market == market.as_str();
            here && !key.app_key.is_empty() && !key.app_secret.is_empty()
        };
        match self {
            Self::Broker { keys } => keys.values().any(usable),
            Self::Else(_) => false,
        }
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

    fn with(keys: &[(&str, RawKey)]) -> RawBroker {
        let keys = keys.iter().map(|(name, key)| ((*name).to_owned(), key.clone())).collect();
        RawBroker { keys, ..RawBroker::default() }
    }

    fn of(raw: RawBroker, market: Market) -> Result<BrokerSettings, ConfigError> {
        raw.of("kis", market, broker::kis::feed::defaults())
    }

    #[test]
    fn a_start_without_keys_names_the_variable() {
        let error = of(RawBroker::default(), Market::Kr).expect_err("no key").to_string();
        assert!(error.contains("SISE__KIS__KEYS__MAIN__APP_KEY"), "{error}");
    }

    #[test]
    fn an_empty_secret_refuses_to_start() {
        let error = of(with(&[("main", key("k", " ", ""))]), Market::Kr).expect_err("empty").to_string();
        assert!(error.contains("SISE__KIS__KEYS__MAIN__APP_SECRET"), "{error}");
    }

    #[test]
    fn a_key_may_be_for_one_market() {
        let raw = with(&[("a", key("k", "s", "kr")), ("b", key("k", "s", "us")), ("c", key("k", "s", ""))]);
        let names = |market| {
            of(raw.clone(), market).expect("keys").keys.into_iter().map(|k| k.name).collect::<Vec<_>>()
        };
        assert_eq!(names(Market::Kr), ["a", "c"]);
        assert_eq!(names(Market::Us), ["b", "c"]);
        assert_eq!(raw.shared_keys(), ["c"]);
        assert!(of(with(&[("a", key("k", "s", "jp"))]), Market::Kr).is_err());
    }

    #[test]
    fn another_broker_runs_where_it_has_a_key_for_the_market() {
        let read = |json: &str| serde_json::from_str::<OtherSection>(json).expect("section");
        let key = |market: &str| {
            read(&format!(
                r#"{{"keys":{{"a":{{"app_key":"k","app_secret":"s","market":"{market}"}}}},"x":1}}"#
            ))
        };
        let markets = |section: OtherSection| [section.has_key(Market::Kr), section.has_key(Market::Us)];
        assert_eq!(markets(key("")), [true, true]);
        assert_eq!(markets(key("us")), [false, true]);
        assert_eq!(markets(read(r#"{"keys":{"a":{"app_key":"k"}}}"#)), [false, false]);
        assert_eq!(markets(read(r#"{"url":"x"}"#)), [false, false]);
        assert_eq!(markets(read("7")), [false, false]);
    }

    #[test]
    fn what_is_left_out_has_the_brokers_default() {
        let raw = RawBroker { pace_ms: Some(7), ..with(&[("a", key("k", "s", ""))]) };
        let settings = of(raw, Market::Kr).expect("settings");
        assert_eq!((settings.registration_limit, settings.pace), (41, Duration::from_millis(7)));
    }
}
