//! Section `[simulator]`: what the files and the environment say turns into checked settings.
//!
//! Lists may be TOML lists or, for the environment, comma-separated text; `faults` there is a JSON list.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use process::{ConfigError, Secret};
use serde::Deserialize;

use crate::script::Fault;

pub use self::day::{Adjusted, DayKind, DaySettings, civil};
pub use self::kiwoom::KiwoomSettings;

mod day;
mod kiwoom;
mod values;

use self::values::{Faults, List, faults, layout, symbols, weights};

/// Highest rate that settings may ask for, in events a second: what one machine can archive.
const RATE_LIMIT: u64 = 50_000;

/// The sections that the simulator reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Raw {
    simulator: RawSimulator,
}

/// Section `[simulator]` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSimulator {
    rest_address: String,
    websocket_address: String,
    tls: bool,
    tls_folder: PathBuf,
    seed: u64,
    rate: u64,
    books_per_trade: u32,
    total_events: u64,
    symbols: List,
    keys: BTreeMap<String, RawKey>,
    tape: PathBuf,
    frames: List,
    repeat: u64,
    records_per_frame: List,
    layout: String,
    ping_seconds: u64,
    pong_limit_seconds: u64,
    hold_seconds: u64,
    requests_per_second: usize,
    faults: Faults,
    market_goes_on: bool,
    day: day::RawDay,
    kiwoom_rest_address: Option<String>,
    kiwoom_websocket_address: Option<String>,
    kiwoom_keys: BTreeMap<String, RawKey>,
    kiwoom_items: usize,
    kiwoom_registrations_per_second: usize,
    kiwoom_requests_per_second: usize,
    kiwoom_ping_seconds: u64,
    kiwoom_pong_limit_seconds: u64,
    kiwoom_delay_ms: List,
    kiwoom_token_seconds: u64,
    kiwoom_second_token_kills: bool,
    kiwoom_blocked_agents: List,
}

/// One key as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    app_key: Secret,
    app_secret: Secret,
}

impl Default for RawSimulator {
    fn default() -> Self {
        Self {
            rest_address: "127.0.0.1:17000".to_owned(),
            websocket_address: "127.0.0.1:17001".to_owned(),
            tls: false,
            tls_folder: PathBuf::from("var/simulator"),
            seed: 1,
            rate: 1_000,
            books_per_trade: 3,
            total_events: 0,
            symbols: List::default(),
            keys: BTreeMap::new(),
            tape: PathBuf::new(),
            frames: List::default(),
            repeat: 1,
            // Seen in a busy minute: 295 of 1027 frames held several records (kis.md 4.1).
            records_per_frame: List(
                ["71", "14", "7", "3", "2", "1", "1", "0", "1"].map(str::to_owned).into(),
            ),
            layout: "2026".to_owned(),
            ping_seconds: 10,
            pong_limit_seconds: 100,
            hold_seconds: 0,
            requests_per_second: 20,
            faults: Faults::Many(Vec::new()),
            market_goes_on: false,
            day: day::RawDay::default(),
            kiwoom_rest_address: None,
            kiwoom_websocket_address: None,
            kiwoom_keys: BTreeMap::new(),
            // Limits that were measured (kiwoom.md 3.2, 6.6).
            kiwoom_items: 200,
            kiwoom_registrations_per_second: 5,
            kiwoom_requests_per_second: 5,
            kiwoom_ping_seconds: 10,
            kiwoom_pong_limit_seconds: 30,
            kiwoom_delay_ms: List(["20", "60"].map(str::to_owned).into()),
            kiwoom_token_seconds: 86_400,
            kiwoom_second_token_kills: true,
            kiwoom_blocked_agents: List(["python-", "aiohttp"].map(str::to_owned).into()),
        }
    }
}

/// Which edition of the wire the Korean frames follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// To about 2024: trades 46, KRX books 59, others 65, expected prices 45 fields.
    Y2023,
    /// 2025 to 2026-09-11: 46, 62, 65, 46.
    Y2025,
    /// Since 2026-09-14: trades 47, books 63 (KRX), 62 (NXT), 66 (unified), expected prices 46.
    Y2026,
}

impl Layout {
    /// Whether trades and books end with the market class.
    #[must_use]
    pub fn has_market_class(self) -> bool {
        self == Self::Y2026
    }
}

/// What the simulator does; every value is checked.
#[derive(Debug)]
pub struct Settings {
    /// REST and control.
    pub rest_address: SocketAddr,
    /// WebSocket.
    pub websocket_address: SocketAddr,
    /// Serve https and wss.
    pub tls: bool,
    /// Where `ca.pem` is written.
    pub tls_folder: PathBuf,
    /// Decides the market.
    pub seed: u64,
    /// Events a second over all registrations, 1 to 50,000.
    pub rate: u64,
    /// Books for each trade, 0 to 1000.
    pub books_per_trade: u32,
    /// Stop after so many events.
    pub total_events: Option<u64>,
    /// Base price (won, 1/10000 dollar) and weight by bare symbol.
    pub symbols: HashMap<String, (i64, u32)>,
    /// App key to app secret.
    pub keys: Vec<(Secret, Secret)>,
    /// The tape file.
    pub tape: Option<PathBuf>,
    /// Files of frames to play in place of the market.
    pub frames: Vec<PathBuf>,
    /// How often the files are played.
    pub repeat: u64,
    /// Weights of 1, 2, 3 … records in a trade frame.
    pub records_per_frame: Vec<u32>,
    /// Field lists of the Korean frames.
    pub layout: Layout,
    /// Time between two PINGPONGs.
    pub ping: Duration,
    /// A PINGPONG that is not answered for so long cuts the socket.
    pub pong_limit: Duration,
    /// How long an app key stays taken after a socket ended without a close frame.
    pub hold: Duration,
    /// REST calls a second and app key.
    pub requests_per_second: usize,
    /// Faults from the start on.
    pub faults: Vec<Fault>,
    /// Whether what was registered once trades on while nobody listens, and all trades are kept beside the tape.
    pub market_goes_on: bool,
    /// A whole day in place of a market that runs.
    pub day: Option<DaySettings>,
    /// The Kiwoom side.
    pub kiwoom: KiwoomSettings,
}

impl TryFrom<Raw> for Settings {
    type Error = ConfigError;

    fn try_from(raw: Raw) -> Result<Self, ConfigError> {
        let mut raw = raw.simulator;
        let rest_address = address("simulator.rest_address", &raw.rest_address)?;
        let websocket_address = address("simulator.websocket_address", &raw.websocket_address)?;
        let kiwoom = kiwoom::settings(&mut raw, rest_address, websocket_address)?;
        let path = |path: PathBuf| (!path.as_os_str().is_empty()).then_some(path);
        if !(1..=RATE_LIMIT).contains(&raw.rate) {
            return Err(ConfigError::invalid("simulator.rate", "must be 1 to 50000 events a second"));
        }
        if raw.books_per_trade > 1_000 {
            return Err(ConfigError::invalid("simulator.books_per_trade", "must be 0 to 1000"));
        }
        if raw.ping_seconds == 0 || raw.pong_limit_seconds == 0 {
            return Err(ConfigError::invalid(
                "simulator.ping_seconds",
                "and pong_limit_seconds must be 1 or more",
            ));
        }
        Ok(Self {
            rest_address,
            websocket_address,
            tls: raw.tls,
            tls_folder: raw.tls_folder,
            seed: raw.seed,
            rate: raw.rate,
            books_per_trade: raw.books_per_trade,
            total_events: (raw.total_events > 0).then_some(raw.total_events),
            symbols: symbols(&raw.symbols.0)?,
            keys: keys("KEYS", raw.keys)?,
            tape: path(raw.tape),
            frames: raw.frames.0.iter().map(PathBuf::from).collect(),
            repeat: raw.repeat,
            records_per_frame: weights(&raw.records_per_frame.0)?,
            layout: layout(&raw.layout)?,
            ping: Duration::from_secs(raw.ping_seconds),
            pong_limit: Duration::from_secs(raw.pong_limit_seconds),
            hold: Duration::from_secs(raw.hold_seconds),
            requests_per_second: raw.requests_per_second.max(1),
            faults: faults(raw.faults)?,
            market_goes_on: raw.market_goes_on,
            day: day::settings(raw.day, raw.seed)?,
            kiwoom,
        })
    }
}

fn address(key: &str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|e| ConfigError::invalid(key, format!("`{text}`: {e}")))
}

/// The keys given, or `demo-app-key` and `demo2-app-key` (secrets `demo-app-secret`, `demo2-app-secret`).
fn keys(section: &str, raw: BTreeMap<String, RawKey>) -> Result<Vec<(Secret, Secret)>, ConfigError> {
    if raw.is_empty() {
        let demo =
            |name: &str| (Secret::new(format!("{name}-app-key")), Secret::new(format!("{name}-app-secret")));
        return Ok(vec![demo("demo"), demo("demo2")]);
    }
    let require = |(name, key): (String, RawKey)| {
        let variable = |field: &str| format!("SISE__SIMULATOR__{section}__{}__{field}", name.to_uppercase());
        Ok((key.app_key.require(&variable("APP_KEY"))?, key.app_secret.require(&variable("APP_SECRET"))?))
    };
    raw.into_iter().map(require).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("s.toml");
        std::fs::write(&path, file).expect("file");
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Settings::try_from(process::config::Sources::new("simulator", &[path]).load_from::<Raw>(variables)?)
    }

    #[test]
    fn defaults_are_usable() {
        let settings = read("", &[]).expect("settings");
        assert_eq!(settings.rest_address.to_string(), "127.0.0.1:17000");
        assert_eq!(settings.keys[0].0.expose(), "demo-app-key");
        assert_eq!((settings.rate, settings.total_events, settings.tape), (1_000, None, None));
    }

    #[test]
    fn environment_gives_lists_keys_and_faults() {
        let settings = read(
            "",
            &[
                ("SISE__SIMULATOR__SYMBOLS", "005930:70000:100, AAPL:169.79:60"),
                ("SISE__SIMULATOR__RECORDS_PER_FRAME", "1,0,3"),
                ("SISE__SIMULATOR__KEYS__MAIN__APP_KEY", "a"),
                ("SISE__SIMULATOR__KEYS__MAIN__APP_SECRET", "b"),
                ("SISE__SIMULATOR__TLS", "true"),
                ("SISE__SIMULATOR__RATE", "50000"),
                ("SISE__SIMULATOR__FAULTS", r#"[{"at_event":10,"do":"cut"}]"#),
                ("SISE__SIMULATOR__FRAMES", "a.txt,b.txt"),
            ],
        )
        .expect("settings");
        assert_eq!(settings.symbols["005930"], (70_000, 100));
        assert_eq!(settings.symbols["AAPL"], (1_697_900, 60));
        assert_eq!(settings.records_per_frame, [1, 0, 3]);
        assert_eq!(settings.keys.len(), 1);
        assert_eq!(settings.keys[0].1.expose(), "b");
        assert_eq!((settings.tls, settings.rate, settings.faults.len()), (true, 50_000, 1));
        assert_eq!(settings.frames.len(), 2);
    }

    #[test]
    fn file_gives_lists() {
        let settings = read(
            "[simulator]\nsymbols = ['005930:70000:1']\nrecords_per_frame = [1, 2]\n\
             faults = [{ at_event = 5, do = 'drop', count = 2 }]\n",
            &[],
        )
        .expect("settings");
        assert_eq!((settings.records_per_frame.len(), settings.faults.len()), (2, 1));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_key() {
        for (line, key) in [
            ("rate = 0", "simulator.rate"),
            ("rate = 50001", "simulator.rate"),
            ("layout = '2022'", "simulator.layout"),
            ("symbols = '005930'", "simulator.symbols"),
            ("symbols = 'AAPL:1.23456:1'", "simulator.symbols"),
            ("websocket_address = 'nowhere'", "simulator.websocket_address"),
            ("kiwoom_rest_address = 'nowhere'", "simulator.kiwoom_rest_address"),
            ("rest_address = 'nowhere'", "simulator.rest_address"),
            ("records_per_frame = '0'", "simulator.records_per_frame"),
            ("faults = '[{\"do\":\"dance\"}]'", "simulator.faults"),
            ("rates = 1", "rates"),
        ] {
            let error = read(&format!("[simulator]\n{line}\n"), &[]).unwrap_err().to_string();
            assert!(error.contains(key), "{line}: {error}");
        }
    }
}
