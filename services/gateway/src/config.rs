//! Settings of the gateway: `[nats]`, `[clickhouse]`, `[symbols]` and `[gateway]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bus::NatsSettings;
use market::{Market, Symbol, TradeDate};
use process::{ConfigError, Secret};
use serde::Deserialize;
use store::played::DayOf;
use store::{ClickhouseSettings, Store};

use crate::replay::ReplaySettings;

/// Symbols of a replay that are named: as many as a subscription takes. They stand in one query.
const MOST_SYMBOLS: usize = 2_000;
/// A batch of 50 ms is ten seconds of the day then. Faster is speed 0.
const MOST_SPEED: u32 = 200;

/// The settings as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Raw {
    nats: NatsSettings,
    clickhouse: ClickhouseSettings,
    symbols: RawSymbols,
    gateway: RawGateway,
}

/// Section `[symbols]`, of which the file is of interest here.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct RawSymbols {
    file: PathBuf,
}

impl Default for RawSymbols {
    fn default() -> Self {
        Self { file: PathBuf::from("config/symbols.yaml") }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawGateway {
    listen: String,
    page: Option<PathBuf>,
    token: Secret,
    origins: Origins,
    clients: usize,
    clients_per_address: usize,
    batch_ms: u64,
    wait_ms: u64,
    book_switch_ms: u64,
    heartbeat_ms: u64,
    queue_ms: u64,
    queue_bytes: usize,
    slow_ms: u64,
    stale_ms: u64,
    replay: RawReplay,
}

/// Section `[gateway.replay]`: `sise replay` sets it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawReplay {
    /// The day, `2026-11-25`; without one there is no replay.
    date: String,
    market: String,
    /// With commas between; none = all.
    symbols: String,
    speed: u32,
    from_ns: Option<i64>,
    until_ns: Option<i64>,
}

/// A list, or one text with commas (which is all that an environment variable can say).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Origins {
    List(Vec<String>),
    Text(String),
}

impl Origins {
    fn list(self) -> Vec<String> {
        let texts = match self {
            Self::List(texts) => texts,
            Self::Text(text) => text.split(',').map(ToOwned::to_owned).collect(),
        };
        let plain = texts.iter().map(|text| text.trim().trim_end_matches('/').to_owned());
        plain.filter(|text| !text.is_empty()).collect()
    }
}

impl Default for RawGateway {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            page: None,
            token: Secret::default(),
            origins: Origins::List(Vec::new()),
            clients: 2_000,
            clients_per_address: 2_000,
            batch_ms: 50,
            wait_ms: 300,
            book_switch_ms: 2_000,
            heartbeat_ms: 5_000,
            queue_ms: 1_000,
            queue_bytes: 4 << 20,
            slow_ms: 10_000,
            stale_ms: 5_000,
            replay: RawReplay::default(),
        }
    }
}

/// The settings as understood.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bus.
    pub nats: NatsSettings,
    /// The archive, which is only read.
    pub clickhouse: ClickhouseSettings,
    /// The symbols file.
    pub symbols: PathBuf,
    /// The gateway itself.
    pub gateway: GatewaySettings,
}

/// Section `[gateway]`.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The folder of the page; none = `page` beside the program.
    pub page: Option<PathBuf>,
    /// What a client must know; none = nothing.
    pub token: Option<Secret>,
    /// Origins of pages beside its own that may ask.
    pub origins: Vec<String>,
    /// WebSockets at once.
    pub clients: usize,
    /// WebSockets at once from one address.
    pub clients_per_address: usize,
    /// How often changes are sent.
    pub batch: Duration,
    /// How long a trade waits for its predecessor.
    pub wait: Duration,
    /// So far behind the other a broker's book is left.
    pub book_switch: Duration,
    /// How often a client hears that it is not forgotten.
    pub heartbeat: Duration,
    /// How long an update may wait for a client.
    pub queue: Duration,
    /// Bytes of updates that may wait for a client.
    pub queue_bytes: usize,
    /// A client that takes nothing for so long is closed.
    pub slow: Duration,
    /// A feed's service that has said nothing for so long is gone.
    pub stale: Duration,
    /// The day of the archive that is played in place of what is live.
    pub replay: Option<ReplaySettings>,
}

impl TryFrom<Raw> for Settings {
    type Error = ConfigError;

    fn try_from(raw: Raw) -> Result<Self, ConfigError> {
        raw.nats.check().map_err(|error| ConfigError::invalid("nats", error))?;
        Store::new(&raw.clickhouse).map_err(|error| ConfigError::invalid(error.key, error.problem))?;
        let gateway = understood(raw.gateway)?;
        Ok(Self { nats: raw.nats, clickhouse: raw.clickhouse, symbols: raw.symbols.file, gateway })
    }
}

fn understood(raw: RawGateway) -> Result<GatewaySettings, ConfigError> {
    let listen = raw.listen.parse().map_err(|_| {
        ConfigError::invalid(
            "gateway.listen",
            format!("not an address such as 127.0.0.1:8080: {:?}", raw.listen),
        )
    })?;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    for (key, value, least, most) in [
        ("gateway.clients", count(raw.clients), 1, 100_000),
        ("gateway.clients_per_address", count(raw.clients_per_address), 1, 100_000),
        ("gateway.batch_ms", raw.batch_ms, 10, 5_000),
        ("gateway.wait_ms", raw.wait_ms, 0, 10_000),
        ("gateway.book_switch_ms", raw.book_switch_ms, 1_000, 600_000),
        ("gateway.heartbeat_ms", raw.heartbeat_ms, 100, 60_000),
        ("gateway.queue_ms", raw.queue_ms, raw.batch_ms, 60_000),
        ("gateway.queue_bytes", count(raw.queue_bytes), 64 << 10, 1 << 30),
        ("gateway.slow_ms", raw.slow_ms, 100, 600_000),
        ("gateway.stale_ms", raw.stale_ms, 2_000, 600_000),
    ] {
        if !(least..=most).contains(&value) {
            return Err(ConfigError::invalid(key, format!("{value}: must be {least} to {most}")));
        }
    }
    let origins = raw.origins.list();
    if let Some(wrong) =
        origins.iter().find(|text| !text.starts_with("http://") && !text.starts_with("https://"))
    {
        let problem = format!("{wrong:?} is no origin such as https://example.org");
        return Err(ConfigError::invalid("gateway.origins", problem));
    }
    // A browser sends it as a subprotocol of a WebSocket, which has no other letters.
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !raw.token.expose().bytes().all(fits) {
        let problem = "may have letters, digits and !#$%&'*+-.^_`|~ alone: no browser could send it";
        return Err(ConfigError::invalid("gateway.token", problem));
    }
    let ms = Duration::from_millis;
    Ok(GatewaySettings {
        listen,
        page: raw.page,
        token: Some(raw.token).filter(|token| !token.is_empty()),
        origins,
        clients: raw.clients,
        clients_per_address: raw.clients_per_address,
        batch: ms(raw.batch_ms),
        wait: ms(raw.wait_ms),
        book_switch: ms(raw.book_switch_ms),
        heartbeat: ms(raw.heartbeat_ms),
        queue: ms(raw.queue_ms),
        queue_bytes: raw.queue_bytes,
        slow: ms(raw.slow_ms),
        stale: ms(raw.stale_ms),
        replay: replay(&raw.replay)?,
    })
}

fn replay(raw: &RawReplay) -> Result<Option<ReplaySettings>, ConfigError> {
    if raw.date.is_empty() {
        return Ok(None);
    }
    let wrong = |key: &str, problem: String| ConfigError::invalid(format!("gateway.replay.{key}"), problem);
    let digits: String = raw.date.split('-').collect();
    let trade_date = TradeDate::parse(&digits).ok().filter(|date| date.to_string() == raw.date);
    let trade_date =
        trade_date.ok_or_else(|| wrong("date", format!("{:?} is no date such as 2026-11-25", raw.date)))?;
    let market = Market::from_word(if raw.market.is_empty() { "kr" } else { &raw.market });
    let market = market.ok_or_else(|| wrong("market", format!("{:?} is neither kr nor us", raw.market)))?;
    let texts = raw.symbols.split(',').map(str::trim).filter(|text| !text.is_empty());
    let symbols = texts.map(Symbol::parse).collect::<Result<Vec<_>, _>>();
    let symbols = symbols.map_err(|error| wrong("symbols", error.to_string()))?;
    if symbols.len() > MOST_SYMBOLS {
        return Err(wrong(
            "symbols",
            format!("{} symbols: at most {MOST_SYMBOLS}, or none for all", symbols.len()),
        ));
    }
    if raw.speed > MOST_SPEED {
        return Err(wrong("speed", format!("{}: must be 0 (no pause) to {MOST_SPEED}", raw.speed)));
    }
    let (from_ns, until_ns) = (raw.from_ns, raw.until_ns);
    if from_ns.zip(until_ns).is_some_and(|(from, until)| from >= until) {
        return Err(wrong("until_ns", "the end does not lie behind the begin".to_owned()));
    }
    let day = DayOf { market, trade_date, symbols, from_ns, until_ns };
    Ok(Some(ReplaySettings { day, speed: raw.speed }))
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
        let settings = load(&[
            ("SISE__GATEWAY__BATCH_MS", "100"),
            ("SISE__GATEWAY__TOKEN", "hunter2"),
            ("SISE__GATEWAY__ORIGINS", "https://a.example/, http://b.example:1"),
        ]);
        let settings = settings.expect("settings");
        assert_eq!(settings.gateway.batch, Duration::from_millis(100));
        assert_eq!(settings.gateway.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.gateway.origins, ["https://a.example", "http://b.example:1"]);
        assert!(settings.gateway.token.is_some() && !format!("{settings:?}").contains("hunter2"));
        assert!(load(&[]).expect("settings").gateway.token.is_none());
    }

    #[test]
    fn a_replay_is_a_day_of_a_market() {
        let settings = load(&[
            ("SISE__GATEWAY__REPLAY__DATE", "2026-11-24"),
            ("SISE__GATEWAY__REPLAY__SYMBOLS", "005930,000660"),
            ("SISE__GATEWAY__REPLAY__SPEED", "20"),
            ("SISE__GATEWAY__REPLAY__FROM_NS", "1795478400000000000"),
        ]);
        let replay = settings.expect("settings").gateway.replay.expect("replay");
        let texts: Vec<String> = replay.day.symbols.iter().map(ToString::to_string).collect();
        assert_eq!(
            (replay.speed, replay.day.market, texts.join(" ").as_str()),
            (20, Market::Kr, "005930 000660")
        );
        assert_eq!((replay.day.from_ns, replay.day.until_ns), (Some(1_795_478_400_000_000_000), None));
        assert_eq!(replay.day.trade_date.to_string(), "2026-11-24");
        assert!(load(&[]).expect("settings").gateway.replay.is_none());
        let day = ("SISE__GATEWAY__REPLAY__DATE", "2026-11-24");
        for (key, value, named) in [
            ("SISE__GATEWAY__REPLAY__MARKET", "jp", "gateway.replay.market"),
            ("SISE__GATEWAY__REPLAY__SYMBOLS", "삼성", "gateway.replay.symbols"),
            ("SISE__GATEWAY__REPLAY__SPEED", "201", "gateway.replay.speed"),
            ("SISE__GATEWAY__REPLAY__DATE", "24.11.2026", "gateway.replay.date"),
        ] {
            let error = load(&[day, (key, value)]).expect_err(key).to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (key, value, named) in [
            ("SISE__GATEWAY__LISTEN", "8080", "gateway.listen"),
            ("SISE__GATEWAY__TOKEN", "open sesame", "gateway.token"),
            ("SISE__GATEWAY__BATCH_MS", "1", "gateway.batch_ms"),
            ("SISE__GATEWAY__QUEUE_MS", "10", "gateway.queue_ms"),
            ("SISE__GATEWAY__ORIGINS", "example.org", "gateway.origins"),
            ("SISE__GATEWAY__CLIENTZ", "1", "clientz"),
            ("SISE__CLICKHOUSE__URL", "nowhere", "clickhouse.url"),
        ] {
            let error = load(&[(key, value)]).expect_err(key).to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
