//! A gateway of one test, clients of it, and events for it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bus::{Outgoing, Publisher};
use futures_util::{SinkExt as _, StreamExt as _};
use market::{
    AggressorSide, At, Body, Codes, Event, Level, Levels, Market, OrderBook, Origin, Price, Quantity,
    Session, Source, Stamp, Symbol, Tape, Trade, TradeDate, Value as Money,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::nats::NatsServer;
pub use listening::listening;

#[path = "../../../../tests/it/support/listening.rs"]
mod listening;

/// How long anything may take before a test fails.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The bus and a gateway.
pub struct House {
    pub nats: NatsServer,
    pub gateway: Gateway,
}

/// A gateway, killed when it is dropped.
pub struct Gateway {
    child: Child,
    pub address: std::net::SocketAddr,
    pub folder: tempfile::TempDir,
}

impl House {
    /// With these settings of the gateway beside those of the bus.
    pub async fn build(settings: &[(&str, &str)]) -> Self {
        Self::with(nats().await, settings).await
    }

    pub async fn with(nats: NatsServer, settings: &[(&str, &str)]) -> Self {
        // The HTTP client of the tests wants one too.
        process::tls::install();
        let gateway = Gateway::start(nats.port(), settings).await;
        let house = Self { nats, gateway };
        let ready = house.gateway.url("/readyz");
        until("the gateway is ready", async || {
            reqwest::get(&ready).await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        house
    }

    pub async fn publish(&self, events: impl IntoIterator<Item = Event>) {
        publish(&self.nats, events).await;
    }

    pub async fn client(&self) -> Client {
        Client::open(&self.gateway).await
    }
}

/// A server with the repository's users and streams.
pub async fn nats() -> NatsServer {
    NatsServer::start().await
}

/// Publishes as the services of the events' brokers.
pub async fn publish(nats: &NatsServer, events: impl IntoIterator<Item = Event>) {
    for event in events {
        let service = format!("{}-service", event.stamp.source);
        let mut publisher = Publisher::new(&nats.settings(), &service).expect("publisher");
        publisher.publish(Outgoing::event(&event), ()).await.expect("published");
        publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");
    }
}

impl Gateway {
    async fn start(nats_port: u16, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("empty.toml"), "").expect("settings");
        std::fs::write(
            path("symbols.yaml"),
            "symbols:\n  - {symbol: \"005930\", name: 삼성전자, market: kr}\n",
        )
        .expect("symbols");
        std::fs::create_dir(path("page")).expect("page");
        std::fs::write(path("page/index.html"), "<title>sise</title>").expect("page");
        let log = std::fs::File::create(path("log")).expect("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.arg("--config").arg(path("empty.toml")).env_clear();
        let mut set = |key: &str, value: &str| {
            command.env(format!("SISE__{key}"), value);
        };
        set("LOG__JSON", "true");
        set("LOG__LEVEL", "info,gateway=debug");
        set("NATS__URL", &format!("nats://127.0.0.1:{nats_port}"));
        set("NATS__PASSWORDS__GATEWAY", "p-gateway");
        set("SYMBOLS__FILE", path("symbols.yaml").to_str().expect("path"));
        set("GATEWAY__LISTEN", "127.0.0.1:0");
        set("GATEWAY__PAGE", path("page").to_str().expect("path"));
        // Nothing listens there, unless a test says otherwise.
        set("CLICKHOUSE__URL", "http://127.0.0.1:1");
        for (key, value) in settings {
            set(key, value);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let mut child = child.expect("gateway starts");
        let address = listening(&mut child, &path("log"), r#""message":"serving","address":""#).await;
        Self { child, address, folder }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks for a path: the status and the JSON of the answer.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let answer = reqwest::get(self.url(path)).await.expect("answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn stop(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    }

    pub async fn ended(&mut self) -> bool {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().expect("status") {
                return status.success();
            }
            assert!(Instant::now() < deadline, "the gateway does not end");
            pause().await;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// A client of the stream.
pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub async fn open(gateway: &Gateway) -> Self {
        let (socket, _) = connect_async(format!("ws://{}/v1/stream", gateway.address)).await.expect("stream");
        let mut client = Self { socket };
        assert_eq!(client.next().await["type"], "hello");
        client
    }

    /// The status with which an opening is refused.
    pub async fn refused(gateway: &Gateway, headers: &[(&str, &str)]) -> Option<u16> {
        let mut request =
            ClientRequestBuilder::new(format!("ws://{}/v1/stream", gateway.address).parse().expect("uri"));
        for (name, value) in headers {
            request = request.with_header(*name, *value);
        }
        match connect_async(request).await {
            Ok(_) => None,
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Some(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    pub async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text.to_owned())).await.expect("sent");
    }

    /// The next message that is no heartbeat.
    pub async fn next(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(LIMIT, self.socket.next()).await.expect("in time");
            let Message::Text(text) = message.expect("open").expect("message") else { continue };
            let value: Value = serde_json::from_str(&text).expect("json");
            if value["type"] != "heartbeat" {
                return value;
            }
        }
    }

    /// Subscribes; the answer and the items of the snapshot.
    pub async fn subscribe(&mut self, request: Value) -> (Value, Vec<Value>) {
        let mut request = request;
        request["op"] = json!("subscribe");
        self.send(&request.to_string()).await;
        let answer = self.next().await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
        let snapshot = self.next().await;
        assert_eq!((&snapshot["type"], &snapshot["more"]), (&json!("snapshot"), &json!(false)), "{snapshot}");
        (answer, snapshot["items"].as_array().expect("items").clone())
    }

    /// Items of updates until so many of `kind` have come.
    pub async fn items(&mut self, kind: &str, count: usize) -> Vec<Value> {
        let mut found = Vec::new();
        while found.len() < count {
            let update = self.next().await;
            assert_eq!(update["type"], "update", "{update}");
            let items = update["items"].as_array().expect("items").clone();
            found.extend(items.into_iter().filter(|item| item["kind"] == kind));
        }
        found
    }
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

pub fn program(name: &str) -> std::path::PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_gateway")).parent().expect("folder").to_owned();
    let program = std::env::var_os("SISE_BIN_DIR").map_or(beside, std::path::PathBuf::from).join(name);
    assert!(program.exists(), "{} is not there: cargo build -p {name}", program.display());
    program
}

pub fn stamp(source: Source, number: i64) -> Stamp {
    Stamp {
        market: Market::Kr,
        source,
        received_ns: 1_795_478_430_000_000_000 + number,
        connection_id: 1_795_478_000_000_000_001,
        frame_sequence: number.unsigned_abs(),
        record_index: 0,
        origin: Origin::Live,
    }
}

fn at(symbol: &str, second: i64) -> At {
    At {
        tape: Tape::Krx,
        symbol: Symbol::parse(symbol).expect("symbol"),
        trade_date: TradeDate::parse("20261124").expect("date"),
        exchange_ns: (1_795_478_430 + second) * 1_000_000_000,
    }
}

/// A trade of ten shares up to `until`.
pub fn trade(source: Source, symbol: &str, until: i64) -> Event {
    let trade = Trade {
        at: at(symbol, until / 100),
        price: Price::from_units(700_000_000 + until * 10_000),
        quantity: Quantity::from_units(10),
        aggressor_side: AggressorSide::Buy,
        cumulative_volume: Quantity::from_units(until),
        cumulative_value: Money::from_units(700_000_000),
        cumulative_value_step: Money::ONE,
        best_ask: Some(Price::from_units(700_010_000)),
        best_bid: None,
        session: Session::Continuous,
        session_codes: Codes::default(),
        halted: false,
    };
    Event { stamp: stamp(source, until), body: Body::Trade(trade) }
}

/// A book of a second whose best ask has `quantity` shares.
pub fn book(source: Source, symbol: &str, second: i64, quantity: i64) -> Event {
    let level =
        |price, quantity| Level { price: Price::from_units(price), quantity: Quantity::from_units(quantity) };
    let book = OrderBook {
        at: at(symbol, second),
        asks: Levels::collect([level(700_010_000, quantity)]).expect("levels"),
        bids: Levels::collect([level(700_000_000, 9)]).expect("levels"),
        total_ask_quantity: Quantity::from_units(quantity),
        total_bid_quantity: Quantity::from_units(9),
        expected_price: None,
        expected_quantity: Quantity::ZERO,
        cumulative_volume: None,
        session: Session::Continuous,
        session_codes: Codes::default(),
    };
    Event { stamp: stamp(source, second * 1_000 + quantity), body: Body::OrderBook(book) }
}

/// The cumulative volumes of trades; late ones negative.
pub fn volumes(items: &[Value]) -> Vec<i64> {
    let volume = |item: &Value| item["cumulative_volume"].as_i64().expect("volume");
    let sign = |item: &Value| if item["late"] == json!(true) { -1 } else { 1 };
    items.iter().map(|item| volume(item) * sign(item)).collect()
}
