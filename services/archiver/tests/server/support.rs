//! Real servers of one test, the archiver between them, and events to archive.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use bus::{Context, NatsSettings, Outgoing, Publisher, Topology};
use market::{
    AggressorSide, At, Body, Codes, Event, Level, Levels, Market, OrderBook, Origin, Price, Quantity,
    Session, Source, Stamp, Symbol, Tape, Trade, TradeDate, Value,
};
use store::{ClickhouseSettings, Store};
use tokio::time::Instant;

use listening::listening;

#[path = "../../../../tests/it/support/listening.rs"]
mod listening;

/// How long anything may take before a test fails.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A process that is killed when it is dropped.
pub struct Process {
    child: Child,
    name: &'static str,
}

impl Process {
    fn spawn(name: &'static str, command: &mut Command, log: &Path) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("log");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        Self { child: child.unwrap_or_else(|error| panic!("{name} does not start: {error}")), name }
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// Asks for an orderly stop and waits for it.
    pub async fn stop(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        self.ended().await
    }

    /// Waits for the end.
    pub async fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().expect("status") {
                return status;
            }
            assert!(Instant::now() < deadline, "{} does not end", self.name);
            pause().await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The servers of a test.
pub struct House {
    folder: tempfile::TempDir,
    nats_port: u16,
    clickhouse_port: u16,
    pub nats: Process,
    pub clickhouse: Process,
    pub store: Store,
    /// More settings of the archiver.
    pub settings: Vec<(&'static str, String)>,
}

impl House {
    /// Both servers, streams and tables made.
    pub async fn build() -> Self {
        let mut house = Self::without_tables().await;
        house.store.migrate().await.expect("migrated");
        let context = house.context().await;
        let topology = Topology::load(&house.nats_settings()).expect("topology");
        bus::topology::apply(&context, &topology).await.expect("streams");
        house.settings.push(("ARCHIVER__AGE_MS", "50".into()));
        house.stop_merges().await;
        house
    }

    /// Both servers, nothing in them.
    pub async fn without_tables() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let mut nats = start_nats(folder.path(), None);
        let mut clickhouse = start_clickhouse(folder.path(), None);
        let log = |name: &str| folder.path().join(name);
        let mark = "Listening for client connections on ";
        let nats_port = listening(&mut nats.child, &log("nats.log"), mark).await.port();
        let mark = r#""message":"serving","address":""#;
        let clickhouse_port = listening(&mut clickhouse.child, &log("clickhouse.log"), mark).await.port();
        let settings = ClickhouseSettings {
            url: format!("http://127.0.0.1:{clickhouse_port}"),
            ..ClickhouseSettings::default()
        };
        let store = Store::new(&settings).expect("store");
        let house =
            Self { folder, nats_port, clickhouse_port, nats, clickhouse, store, settings: Vec::new() };
        house.clickhouse_ready().await;
        house
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn nats_settings(&self) -> NatsSettings {
        NatsSettings {
            url: format!("nats://127.0.0.1:{}", self.nats_port),
            max_bytes: Some(256 << 20),
            ..NatsSettings::default()
        }
    }

    pub async fn context(&self) -> Context {
        let client = bus::connect(&self.nats_settings(), "sise").await.expect("client");
        assert!(bus::connected(&client, LIMIT).await, "nats-server does not answer");
        bus::jetstream(client)
    }

    /// Messages not acknowledged come again after `seconds`: the tests do not wait a minute.
    pub async fn ack_wait(&mut self, stream: &str, seconds: u64) {
        use async_nats::jetstream::consumer::pull;
        let stream = self.context().await.get_stream(stream).await.expect("stream");
        let consumer = stream.get_consumer::<pull::Config>("archiver").await.expect("durable");
        let mut config: pull::Config =
            async_nats::jetstream::consumer::FromConsumer::try_from_consumer_config(
                consumer.cached_info().config.clone(),
            )
            .expect("pull consumer");
        config.ack_wait = Duration::from_secs(seconds);
        stream.update_consumer(config).await.expect("updated");
    }

    /// Starts the archiver; its log is in the folder.
    pub fn archiver(&self) -> Process {
        let config = self.folder().join("empty.toml");
        std::fs::write(&config, "").expect("settings");
        let mut command = Command::new(env!("CARGO_BIN_EXE_archiver"));
        command
            .arg("--config")
            .arg(config)
            .env_clear()
            .env("SISE__LOG__LEVEL", "info,archiver=debug")
            .env("SISE__LOG__JSON", "true");
        let mut set = |key: &str, value: &str| {
            command.env(format!("SISE__{key}"), value);
        };
        set("NATS__URL", &format!("nats://127.0.0.1:{}", self.nats_port));
        set("CLICKHOUSE__URL", &format!("http://127.0.0.1:{}", self.clickhouse_port));
        set("ARCHIVER__RETRY_MAX_MS", "200");
        for (key, value) in &self.settings {
            set(key, value);
        }
        Process::spawn("archiver", &mut command, &self.folder().join("archiver.log"))
    }

    pub fn archiver_log(&self) -> String {
        std::fs::read_to_string(self.folder().join("archiver.log")).unwrap_or_default()
    }

    pub async fn start_clickhouse_again(&mut self) {
        self.clickhouse = start_clickhouse(self.folder(), Some(self.clickhouse_port));
        self.clickhouse_ready().await;
        self.stop_merges().await;
    }

    /// A merge collapses two rows of one event: what the archiver stored twice would be hidden.
    async fn stop_merges(&self) {
        self.execute("SYSTEM STOP MERGES trades").await;
        self.execute("SYSTEM STOP MERGES order_books").await;
        self.execute("SYSTEM STOP MERGES feed_status").await;
    }

    pub fn start_nats_again(&mut self) {
        self.nats = start_nats(self.folder(), Some(self.nats_port));
    }

    async fn clickhouse_ready(&self) {
        let log = self.folder().join("clickhouse.log");
        until(&format!("clickhouse-embedded answers (log: {})", log.display()), async || {
            let client =
                clickhouse::Client::default().with_url(format!("http://127.0.0.1:{}", self.clickhouse_port));
            client.query("SELECT 1").fetch_one::<u8>().await.is_ok()
        })
        .await;
    }

    pub fn client(&self) -> clickhouse::Client {
        let url = format!("http://127.0.0.1:{}", self.clickhouse_port);
        clickhouse::Client::default().with_url(url).with_database("sise")
    }

    /// A number from SQL.
    pub async fn number(&self, sql: &str) -> u64 {
        self.asked(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    async fn asked(&self, sql: &str) -> Result<u64, clickhouse::error::Error> {
        self.client().query(&format!("SELECT assumeNotNull(toUInt64(({sql})))")).fetch_one::<u64>().await
    }

    pub async fn execute(&self, sql: &str) {
        self.client().query(sql).execute().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Waits until `sql` gives `expected`.
    pub async fn until_number(&self, sql: &str, expected: u64) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let found = self.asked(sql).await;
            if found.as_ref().is_ok_and(|found| *found == expected) {
                return;
            }
            if Instant::now() > deadline {
                let log = self.archiver_log();
                let tail: Vec<_> = log.lines().rev().take(30).collect();
                panic!("{sql}: {found:?}, expected {expected}\n{}", tail.join("\n"));
            }
            pause().await;
        }
    }

    pub fn publisher(&self) -> Publisher<()> {
        Publisher::new(&self.nats_settings(), "kis-service").expect("publisher")
    }

    pub async fn publish(&self, events: impl IntoIterator<Item = Event>) {
        let mut publisher = self.publisher();
        for event in events {
            publisher.publish(Outgoing::event(&event), ()).await.expect("published");
        }
        publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");
    }

    /// Messages of a stream that the archiver has not acknowledged.
    pub async fn unacknowledged(&self, stream: &str) -> u64 {
        let context = self.context().await;
        let state = bus::durable_state(&context, stream, "archiver").await.expect("state");
        state.pending + state.ack_pending
    }
}

fn variable(name: &str, what: &str) -> PathBuf {
    let path = std::env::var_os(name).map(PathBuf::from);
    path.unwrap_or_else(|| panic!("{name} is not set: the path of {what} (scripts/lib installs it)"))
}

/// One of our programs.
pub fn program(name: &str) -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_archiver")).parent().expect("folder").to_owned();
    let program = std::env::var_os("SISE_BIN_DIR").map_or(beside, PathBuf::from).join(name);
    assert!(program.exists(), "{} is not there: cargo build -p {name}", program.display());
    program
}

/// Without a port the server takes a free one.
fn start_nats(folder: &Path, port: Option<u16>) -> Process {
    let port = port.map_or(-1, i32::from);
    let mut command = Command::new(variable("SISE_NATS_SERVER", "a nats-server"));
    command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(folder.join("nats"));
    Process::spawn("nats-server", &mut command, &folder.join("nats.log"))
}

/// Without a port the engine takes a free one.
fn start_clickhouse(folder: &Path, port: Option<u16>) -> Process {
    let port = port.unwrap_or(0);
    let library = variable("SISE__CLICKHOUSE_EMBEDDED__LIBRARY", "libchdb.so");
    let program = program("clickhouse-embedded");
    let config = folder.join("empty.toml");
    std::fs::write(&config, "").expect("settings");
    let mut command = Command::new(program);
    command.arg("--config").arg(config).env_clear();
    command.env("SISE__LOG__JSON", "true");
    command.env("SISE__CLICKHOUSE_EMBEDDED__LIBRARY", library);
    command.env("SISE__CLICKHOUSE_EMBEDDED__PATH", folder.join("clickhouse"));
    command.env("SISE__CLICKHOUSE_EMBEDDED__LISTEN", format!("127.0.0.1:{port}"));
    Process::spawn("clickhouse-embedded", &mut command, &folder.join("clickhouse.log"))
}

/// A short pause between two looks at a condition.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// Waits until `condition` holds.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition().await {
        assert!(Instant::now() < deadline, "never: {what}");
        pause().await;
    }
}

fn stamp(number: u64) -> Stamp {
    Stamp {
        market: Market::Kr,
        source: Source::Kis,
        received_ns: 1_795_478_430_000_000_000 + i64::try_from(number).expect("small"),
        connection_id: 1_795_478_000_000_000_001,
        frame_sequence: number,
        record_index: 0,
        origin: Origin::Live,
    }
}

fn at(number: u64) -> At {
    At {
        tape: Tape::Krx,
        symbol: Symbol::parse(&format!("{:06}", 5_930 + number % 7)).expect("symbol"),
        trade_date: TradeDate::parse("20261124").expect("date"),
        exchange_ns: 1_795_478_430_000_000_000,
    }
}

/// A trade, another for each number from 1.
pub fn trade(number: u64) -> Event {
    let units = i64::try_from(number).expect("small");
    let trade = Trade {
        at: at(number),
        price: Price::from_units(700_000_000),
        quantity: Quantity::from_units(1),
        aggressor_side: AggressorSide::Buy,
        cumulative_volume: Quantity::from_units(units),
        cumulative_value: Value::from_units(700_000_000),
        cumulative_value_step: Value::ONE,
        best_ask: Some(Price::from_units(700_010_000)),
        best_bid: None,
        session: Session::Continuous,
        session_codes: Codes::join(&["20", "0", "", "2"]),
        halted: false,
    };
    Event { stamp: stamp(number), body: Body::Trade(trade) }
}

/// A book, another for each number from 1.
pub fn book(number: u64) -> Event {
    let level =
        |price, quantity| Level { price: Price::from_units(price), quantity: Quantity::from_units(quantity) };
    let book = OrderBook {
        at: at(number),
        asks: Levels::collect((0..10).map(|n| level(700_010_000 + n * 1_000_000, 5 + n))).expect("asks"),
        bids: Levels::collect((0..10).map(|n| level(700_000_000 - n * 1_000_000, 5 + n))).expect("bids"),
        total_ask_quantity: Quantity::from_units(95),
        total_bid_quantity: Quantity::from_units(95),
        expected_price: None,
        expected_quantity: Quantity::ZERO,
        cumulative_volume: Some(Quantity::from_units(7)),
        session: Session::Continuous,
        session_codes: Codes::default(),
    };
    Event { stamp: stamp(number), body: Body::OrderBook(book) }
}
