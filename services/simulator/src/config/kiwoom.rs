//! The keys of section `[simulator]` that begin with `kiwoom_` turn into checked settings of the Kiwoom side.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use process::{ConfigError, Secret};

use super::{RawSimulator, address, keys};

/// In place of an address: this side is not served. In place of a list: nothing is blocked.
const OFF: &str = "off";
/// Longest delay: what waits in memory for it is bounded by the rate.
const LONGEST_DELAY: i64 = 1_000;

/// What the Kiwoom side does; every value is checked.
#[derive(Debug)]
pub struct KiwoomSettings {
    /// REST and WebSocket; none = this side is off.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// App key to secret key.
    pub keys: Vec<(Secret, Secret)>,
    /// Items a connection may register.
    pub items: usize,
    /// REG requests a second and connection.
    pub registrations_per_second: usize,
    /// REST calls a second, app key and TR.
    pub requests_per_second: usize,
    /// Time between two PINGs.
    pub ping: Duration,
    /// A PING that does not come back unchanged for so long ends the socket.
    pub pong_limit: Duration,
    /// How many milliseconds a row is later than the event, shortest and longest.
    pub delay_ms: RangeInclusive<i64>,
    /// Life of a token.
    pub token_life: Duration,
    /// Whether a second token ends the first; otherwise the first comes back.
    pub second_token_kills: bool,
    /// What a User-Agent must not contain, in lower case. An empty one is refused unless the list is empty.
    pub blocked_agents: Vec<String>,
}

/// Takes the Kiwoom keys out of the section; the addresses of KIS decide those that are not given.
///
/// # Errors
/// With the key whose value cannot be meant.
pub(super) fn settings(
    raw: &mut RawSimulator,
    kis_rest: SocketAddr,
    kis_websocket: SocketAddr,
) -> Result<KiwoomSettings, ConfigError> {
    let (rest, websocket) = (raw.kiwoom_rest_address.as_deref(), raw.kiwoom_websocket_address.as_deref());
    let addresses = if rest == Some(OFF) && websocket == Some(OFF) {
        None
    } else {
        Some((
            beside("simulator.kiwoom_rest_address", rest, kis_rest)?,
            beside("simulator.kiwoom_websocket_address", websocket, kis_websocket)?,
        ))
    };
    if raw.kiwoom_ping_seconds == 0 || raw.kiwoom_pong_limit_seconds == 0 {
        let help = "and kiwoom_pong_limit_seconds must be 1 or more";
        return Err(ConfigError::invalid("simulator.kiwoom_ping_seconds", help));
    }
    Ok(KiwoomSettings {
        addresses,
        keys: keys("KIWOOM_KEYS", std::mem::take(&mut raw.kiwoom_keys))?,
        items: raw.kiwoom_items,
        registrations_per_second: raw.kiwoom_registrations_per_second.max(1),
        requests_per_second: raw.kiwoom_requests_per_second.max(1),
        ping: Duration::from_secs(raw.kiwoom_ping_seconds),
        pong_limit: Duration::from_secs(raw.kiwoom_pong_limit_seconds),
        delay_ms: delay(&raw.kiwoom_delay_ms.0)?,
        token_life: Duration::from_secs(raw.kiwoom_token_seconds),
        second_token_kills: raw.kiwoom_second_token_kills,
        blocked_agents: raw
            .kiwoom_blocked_agents
            .0
            .iter()
            .map(|agent| agent.to_lowercase())
            .filter(|agent| agent != OFF)
            .collect(),
    })
}

/// The address given, or two ports above the one of KIS: 17002 and 17003 by default.
fn beside(key: &str, given: Option<&str>, kis: SocketAddr) -> Result<SocketAddr, ConfigError> {
    if let Some(given) = given {
        return address(key, given);
    }
    let mut beside = kis;
    if beside.port() != 0 {
        beside.set_port(beside.port().checked_add(2).ok_or_else(|| {
            ConfigError::invalid(key, "give one: two ports above the one of kis there is none")
        })?);
    }
    Ok(beside)
}

/// `20,60`: shortest and longest.
fn delay(words: &[String]) -> Result<RangeInclusive<i64>, ConfigError> {
    let numbers: Option<Vec<i64>> = words.iter().map(|word| word.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[low, high]) if (0..=high).contains(&low) && high <= LONGEST_DELAY => Ok(low..=high),
        _ => Err(ConfigError::invalid(
            "simulator.kiwoom_delay_ms",
            "give the shortest and the longest delay, at most 1000 ms, for example 20,60",
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Raw, Settings};

    fn read(variables: &[(&str, &str)]) -> Result<Settings, process::ConfigError> {
        let variables = variables.iter().map(|(k, v)| (format!("SISE__SIMULATOR__{k}"), (*v).to_owned()));
        let sources = process::config::Sources::new("simulator", &[]);
        Settings::try_from(sources.load_from::<Raw>(variables.collect())?)
    }

    #[test]
    fn defaults_are_the_measured_limits() {
        let kiwoom = read(&[]).expect("settings").kiwoom;
        let (rest, websocket) = kiwoom.addresses.expect("addresses");
        assert_eq!((rest.port(), websocket.port()), (17_002, 17_003));
        let limits = (kiwoom.items, kiwoom.registrations_per_second, kiwoom.requests_per_second);
        assert_eq!((limits, kiwoom.delay_ms), ((200, 5, 5), 20..=60));
        assert_eq!(kiwoom.keys[0].0.expose(), "demo-app-key");
    }

    #[test]
    fn environment_gives_keys_delays_and_no_addresses() {
        let kiwoom = read(&[
            ("KIWOOM_REST_ADDRESS", "off"),
            ("KIWOOM_WEBSOCKET_ADDRESS", "off"),
            ("KIWOOM_KEYS__MAIN__APP_KEY", "a"),
            ("KIWOOM_KEYS__MAIN__APP_SECRET", "b"),
            ("KIWOOM_DELAY_MS", "0,5"),
            ("KIWOOM_BLOCKED_AGENTS", "off"),
        ])
        .expect("settings")
        .kiwoom;
        assert_eq!((kiwoom.addresses, kiwoom.delay_ms, kiwoom.keys.len()), (None, 0..=5, 1));
        assert!(kiwoom.blocked_agents.is_empty());
        let error = read(&[("KIWOOM_DELAY_MS", "60,20")]).unwrap_err().to_string();
        assert!(error.contains("simulator.kiwoom_delay_ms"), "{error}");
    }
}
