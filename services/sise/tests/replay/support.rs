//! The real servers of a test with their users, streams and tables, and `sise` beside them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use bus::connect::NatsSettings;
use bus::{Outgoing, Password, Publisher, stream_state};
use market::{
    AggressorSide, At, Body, Codes, Event, Market, Origin, Price, Quantity, Session, Source, Stamp, Symbol,
    Tape, Trade, TradeDate, Value,
};
use store::{ClickhouseSettings, Store, Table};
use tokio::time::Instant;

/// How long anything may take before a test fails: an engine that starts in half a second takes ten on a busy machine,
/// and what has ended is told at once.
const LIMIT: Duration = Duration::from_secs(180);

const USERS: [&str; 8] =
    ["kis_service", "us_service", "kiwoom_service", "archiver", "gap_finder", "gateway", "sise", "observer"];

/// The environment of a test and what runs in it; killed when it is dropped.
struct Running {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
    processes: Vec<(String, Child)>,
}

/// The servers, and what asks them.
pub struct House {
    running: Running,
    nats: NatsSettings,
    clickhouse_url: String,
    store: Store,
}

impl Drop for Running {
    fn drop(&mut self) {
        for (_, process) in &mut self.processes {
            let _ended = process.kill();
            let _reaped = process.wait();
        }
    }
}

fn variable(name: &str, what: &str) -> PathBuf {
    let path = std::env::var_os(name).map(PathBuf::from);
    path.unwrap_or_else(|| panic!("{name} is not set: {what} (scripts/test sets it)"))
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// One of our programs.
pub fn program(name: &str) -> Command {
    let path = variable("SISE_BIN_DIR", "the folder of our programs").join(name);
    assert!(path.exists(), "{} is not there: cargo build -p {name}", path.display());
    Command::new(path)
}

/// The address behind `mark` in the whole lines of a log.
fn address(log: &str, mark: &str) -> Option<SocketAddr> {
    let whole = &log[..=log.rfind('\n')?];
    let (_, behind) = whole.split_once(mark)?;
    let end = behind.find(|letter: char| !letter.is_ascii_digit() && letter != '.' && letter != ':')?;
    behind[..end].parse().ok()
}

impl Running {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut environment = BTreeMap::new();
        let mut set = |name: &str, value: String| environment.insert(format!("SISE__{name}"), value);
        for user in USERS {
            set(&format!("NATS__PASSWORDS__{}", user.to_uppercase()), format!("p-{user}"));
        }
        set("NATS__MAX_BYTES", "67108864".to_owned());
        set("CLICKHOUSE_EMBEDDED__LISTEN", "127.0.0.1:0".to_owned());
        set("CLICKHOUSE_EMBEDDED__PATH", path("clickhouse"));
        set("ARCHIVER__AGE_MS", "50".to_owned());
        set("JOURNAL__FOLDER", path("journal"));
        environment.insert("SISE_NATS_STORE_DIR".to_owned(), path("nats"));
        environment.insert("SISE_NATS_MAX_FILE_STORE".to_owned(), "4GB".to_owned());
        Self { folder, environment, processes: Vec::new() }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(format!("SISE__{name}"), value.to_owned());
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    fn start(&mut self, name: &str, mut command: Command) {
        let log = std::fs::File::create(self.log(name)).expect("log");
        command.current_dir(root()).envs(&self.environment).stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.stderr(log).spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        self.processes.push((name.to_owned(), process));
    }

    /// `kill -9`.
    fn kill(&mut self, name: &str) {
        let place = self.processes.iter().position(|(of, _)| of == name);
        let (_, mut process) = self.processes.remove(place.expect("a running part"));
        process.kill().expect("killed");
        process.wait().expect("ended");
    }

    /// Starts a server that takes a free port itself, and waits until its log tells the address behind `mark`. A port
    /// chosen here would be anybody's until the server listens, which takes many seconds on a busy machine.
    async fn serve(&mut self, name: &str, command: Command, mark: &str) -> SocketAddr {
        self.start(name, command);
        let log = self.log(name);
        let (_, server) = self.processes.last_mut().expect("started");
        let mut found = None;
        until(&format!("{name} listens"), async || {
            let ended = server.try_wait().expect("server");
            let said = std::fs::read_to_string(&log).expect("log");
            assert!(ended.is_none(), "{name} has ended: {said}");
            found = address(&said, mark);
            found.is_some()
        })
        .await;
        found.expect("address")
    }
}

impl House {
    /// Both servers, streams and tables made.
    pub async fn build() -> Self {
        process::tls::install();
        let mut running = Running::new();
        let mut server = Command::new(variable("SISE_NATS_SERVER", "the path of a nats-server"));
        server.args(["-c", "nats/server.conf", "-a", "127.0.0.1", "-p", "-1", "-m", "-1"]);
        let nats = running.serve("nats", server, "Listening for client connections on ").await;
        let mut engine = program("clickhouse-embedded");
        engine.env("SISE__LOG__JSON", "true");
        let mark = r#""message":"serving","address":""#;
        let clickhouse = running.serve("clickhouse-embedded", engine, mark).await;
        let (nats_url, clickhouse_url) = (format!("nats://{nats}"), format!("http://{clickhouse}"));
        running.set("NATS__URL", &nats_url);
        running.set("CLICKHOUSE__URL", &clickhouse_url);
        let passwords =
            ["sise", "kis_service"].map(|user| (user.to_owned(), Password::new(format!("p-{user}")))).into();
        let nats = NatsSettings { url: nats_url, passwords, ..NatsSettings::default() };
        let settings = ClickhouseSettings { url: clickhouse_url.clone(), ..ClickhouseSettings::default() };
        let store = Store::new(&settings).expect("store");
        let house = Self { running, nats, clickhouse_url, store };
        house.sise(&["migrate"]);
        house.sise(&["streams", "apply"]);
        house
    }

    pub fn start_archiver(&mut self) {
        self.running.start("archiver", program("archiver"));
    }

    /// Sets a variable, `SISE__` before it, for what is started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.running.set(name, value);
    }

    /// Starts one of our programs.
    pub fn start(&mut self, name: &str) {
        self.running.start(name, program(name));
    }

    /// Starts a command as `name`, and waits until its log tells the address behind `mark`.
    pub async fn serve(&mut self, name: &str, mut command: Command, mark: &str) -> SocketAddr {
        command.env("SISE__LOG__JSON", "true");
        self.running.serve(name, command, mark).await
    }

    /// Another address in the log of what serves.
    pub fn told(&self, name: &str, mark: &str) -> Option<SocketAddr> {
        address(&self.said(name), mark)
    }

    /// What a part has said so far.
    pub fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.running.log(name)).unwrap_or_default()
    }

    /// `kill -9`.
    pub fn kill(&mut self, name: &str) {
        self.running.kill(name);
    }

    /// Whether a part has ended, and how.
    pub fn ended(&mut self, name: &str) -> Option<std::process::ExitStatus> {
        let (_, process) = self.running.processes.iter_mut().find(|(of, _)| of == name).expect("a part");
        process.try_wait().expect("status")
    }

    pub fn folder(&self) -> &Path {
        self.running.folder.path()
    }

    /// Runs `sise`.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sise"));
        command.current_dir(root()).envs(&self.running.environment).args(arguments).output().expect("sise")
    }

    /// Runs a command to its end.
    pub fn run_command(&self, mut command: Command) -> Output {
        command.current_dir(root()).envs(&self.running.environment).output().expect("command")
    }

    /// What `sise` prints when all is well.
    pub fn sise(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Rows of the Korean feed of KIS, repeated ones included: trades and order books.
    pub async fn archived(&self) -> (u64, u64) {
        let trades = self.store.count(Table::Trades, "TICKER_KR_KIS").await.expect("trades");
        (trades, self.store.count(Table::OrderBooks, "ORDERBOOK_KR_KIS").await.expect("order books"))
    }

    /// Waits for so many rows.
    pub async fn archived_are(&self, trades: u64, books: u64) {
        until("archived", async || self.archived().await == (trades, books)).await;
    }

    /// Publishes so many trades, each another, as the Korean feed of KIS.
    pub async fn publish_trades(&self, count: u64) {
        let mut publisher = Publisher::new(&self.nats, "kis-service").expect("publisher");
        for number in 1..=count {
            publisher.publish(Outgoing::event(&trade(number)), ()).await.expect("published");
        }
        publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");
    }

    /// The bus, as user `sise`.
    pub async fn bus(&self) -> bus::Client {
        bus::connect(&self.nats, "sise").await.expect("bus")
    }

    /// The stream discards what is before `sequence`.
    pub async fn discard_before(&self, stream: &str, sequence: u64) {
        let context = bus::jetstream(self.bus().await);
        let stream = context.get_stream(stream).await.expect("stream");
        stream.purge().sequence(sequence).await.expect("purged");
    }

    /// Waits until the answer of ClickHouse is `expected`.
    pub async fn until_text(&self, sql: &str, expected: &str) {
        until(sql, async || self.text(sql).await == expected).await;
    }

    /// Messages ever stored in both streams.
    pub async fn messages(&self) -> (u64, u64) {
        let context = bus::jetstream(self.bus().await);
        let mut last = [0; 2];
        for (stream, last) in ["TICKER_KR_KIS", "ORDERBOOK_KR_KIS"].into_iter().zip(&mut last) {
            *last = stream_state(&context, stream).await.expect("stream").last_sequence;
        }
        (last[0], last[1])
    }

    /// The answer of ClickHouse, tab-separated.
    pub async fn text(&self, sql: &str) -> String {
        let url = format!("{}/?database=sise", self.clickhouse_url);
        let answer = reqwest::Client::new().post(url).body(sql.to_owned()).send().await.expect("clickhouse");
        answer.text().await.expect("text")
    }
}

/// Waits for a condition, looking every 20 ms.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A trade, another for each number.
fn trade(number: u64) -> Event {
    let units = i64::try_from(number).expect("small");
    let stamp = Stamp {
        market: Market::Kr,
        source: Source::Kis,
        received_ns: 1_795_478_430_000_000_000 + units,
        connection_id: 1_795_478_000_000_000_001,
        frame_sequence: number,
        record_index: 0,
        origin: Origin::Live,
    };
    let at = At {
        tape: Tape::Krx,
        symbol: Symbol::parse("005930").expect("symbol"),
        trade_date: TradeDate::parse("20261124").expect("date"),
        exchange_ns: 1_795_478_430_000_000_000,
    };
    let trade = Trade {
        at,
        price: Price::from_units(700_000_000),
        quantity: Quantity::from_units(1),
        aggressor_side: AggressorSide::Buy,
        cumulative_volume: Quantity::from_units(units),
        cumulative_value: Value::from_units(700_000_000),
        cumulative_value_step: Value::ONE,
        best_ask: None,
        best_bid: None,
        session: Session::Continuous,
        session_codes: Codes::default(),
        halted: false,
    };
    Event { stamp, body: Body::Trade(trade) }
}
