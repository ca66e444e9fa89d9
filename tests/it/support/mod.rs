//! A whole sise on free ports in a folder of its own: the real servers, the simulated broker, the services.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before a test fails.
pub const LIMIT: Duration = Duration::from_secs(60);
/// What a killed archiver held comes again only when its `ack_wait` of 60 s is over.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(150);

const USERS: [&str; 8] =
    ["KIS_SERVICE", "US_SERVICE", "KIWOOM_SERVICE", "ARCHIVER", "GAP_FINDER", "GATEWAY", "SISE", "OBSERVER"];

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("root")
}

/// A program of ours, built by `scripts/test`.
pub fn program(name: &str) -> PathBuf {
    let folder =
        std::env::var("SISE_BIN_DIR").expect("SISE_BIN_DIR: run scripts/test road, which builds and sets it");
    let path = Path::new(&folder).join(name);
    assert!(path.is_file(), "{} is not built", path.display());
    path
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address").port()
}

/// Waits for a condition, looking every 20 ms.
pub async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    within(LIMIT, what, condition).await;
}

async fn within(limit: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition().await {
        assert!(Instant::now() < deadline, "gave up: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The whole system.
pub struct Stack {
    pub folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
    parts: BTreeMap<&'static str, Child>,
    nats_port: u16,
    monitor_port: u16,
    clickhouse_port: u16,
    rest_port: u16,
    pub http: reqwest::Client,
    tls: bool,
}

impl Stack {
    /// Prepares everything and starts nothing. `rate` is in events a second.
    pub fn new(rate: u32, tls: bool) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let (nats_port, monitor_port, clickhouse_port) = (free_port(), free_port(), free_port());
        let (rest_port, websocket_port) = (free_port(), free_port());
        let (kiwoom_rest_port, kiwoom_websocket_port) = (free_port(), free_port());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (http, ws) = if tls { ("https", "wss") } else { ("http", "ws") };
        let mut environment = BTreeMap::new();
        let mut set = |name: &str, value: String| environment.insert(format!("SISE__{name}"), value);
        for user in USERS {
            set(&format!("NATS__PASSWORDS__{user}"), format!("p-{user}"));
        }
        set("NATS__URL", format!("nats://127.0.0.1:{nats_port}"));
        set("CLICKHOUSE__URL", format!("http://127.0.0.1:{clickhouse_port}"));
        set("CLICKHOUSE__DATABASE", "sise_test".to_owned());
        set("CLICKHOUSE_EMBEDDED__PATH", path("clickhouse"));
        set("CLICKHOUSE_EMBEDDED__LISTEN", format!("127.0.0.1:{clickhouse_port}"));
        set("JOURNAL__FOLDER", path("journal"));
        set("SIMULATOR__REST_ADDRESS", format!("127.0.0.1:{rest_port}"));
        set("SIMULATOR__WEBSOCKET_ADDRESS", format!("127.0.0.1:{websocket_port}"));
        set("SIMULATOR__TAPE", path("tape.jsonl"));
        set("SIMULATOR__RATE", rate.to_string());
        set("SIMULATOR__TLS", tls.to_string());
        set("SIMULATOR__TLS_FOLDER", path("tls"));
        for market in ["KR", "US"] {
            for (section, part) in
                [("SIMULATOR", "KEY"), ("SIMULATOR", "SECRET"), ("KIS", "KEY"), ("KIS", "SECRET")]
            {
                set(&format!("{section}__KEYS__{market}__APP_{part}"), format!("simulated-{market}-{part}"));
            }
            set(&format!("KIS__KEYS__{market}__MARKET"), market.to_lowercase());
        }
        set("KIS__REST_URL", format!("{http}://127.0.0.1:{rest_port}"));
        set("KIS__WS_URL", format!("{ws}://127.0.0.1:{websocket_port}/tryitout"));
        set("KIS__TOKEN_FOLDER", path(""));
        set("KIS__DATA_EXPECTED", "always".to_owned());
        set("KIS__RECONNECT_FIRST_MS", "100".to_owned());
        set("SIMULATOR__KIWOOM_REST_ADDRESS", format!("127.0.0.1:{kiwoom_rest_port}"));
        set("SIMULATOR__KIWOOM_WEBSOCKET_ADDRESS", format!("127.0.0.1:{kiwoom_websocket_port}"));
        for part in ["KEY", "SECRET"] {
            set(&format!("SIMULATOR__KIWOOM_KEYS__MAIN__APP_{part}"), format!("simulated-kiwoom-{part}"));
            set(&format!("KIWOOM__KEYS__MAIN__APP_{part}"), format!("simulated-kiwoom-{part}"));
        }
        set("KIWOOM__REST_URL", format!("{http}://127.0.0.1:{kiwoom_rest_port}"));
        set("KIWOOM__WS_URL", format!("{ws}://127.0.0.1:{kiwoom_websocket_port}/api/dostk/websocket"));
        set("KIWOOM__TOKEN_FOLDER", path(""));
        set("KIWOOM__DATA_EXPECTED", "always".to_owned());
        set("KIWOOM__RECONNECT_FIRST_MS", "100".to_owned());
        if tls {
            set("KIS__CA_FILE", path("tls/ca.pem"));
            set("KIWOOM__CA_FILE", path("tls/ca.pem"));
        }
        environment.insert("SISE_NATS_STORE_DIR".to_owned(), path("nats"));
        environment.insert("SISE_NATS_MAX_FILE_STORE".to_owned(), "48GB".to_owned());
        process::tls::install();
        let http = reqwest::Client::builder().danger_accept_invalid_certs(tls).build().expect("http client");
        let parts = BTreeMap::new();
        Self { folder, environment, parts, nats_port, monitor_port, clickhouse_port, rest_port, http, tls }
    }

    /// Sets one more variable for the parts started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// A program of ours with the environment of this stack.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(program(name));
        command.current_dir(root()).envs(&self.environment);
        command
    }

    fn spawn(&mut self, name: &'static str, mut command: Command) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log(name)).expect("log");
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().expect("log")).stderr(log).spawn();
        self.parts.insert(name, child.expect("started"));
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// What a part has said so far.
    pub fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.log(name)).unwrap_or_default()
    }

    /// Starts one of our services.
    pub fn start(&mut self, name: &'static str) {
        let command = self.command(name);
        self.spawn(name, command);
    }

    /// A client of the bus as user `sise`, who may look at everything.
    pub async fn bus(&self) -> bus::Client {
        let passwords = [("sise".to_owned(), "p-SISE".to_owned())];
        let settings = bus::connect::NatsSettings {
            url: format!("nats://127.0.0.1:{}", self.nats_port),
            passwords: passwords.into_iter().map(|(user, word)| (user, bus::Password::new(word))).collect(),
            ..bus::connect::NatsSettings::default()
        };
        bus::connect(&settings, "sise").await.expect("bus")
    }

    /// `kill -9`.
    pub fn kill(&mut self, name: &str) {
        let mut child = self.parts.remove(name).expect("a running part");
        child.kill().expect("killed");
        child.wait().expect("ended");
    }

    /// Starts nats-server and clickhouse-embedded, makes streams and tables.
    pub async fn start_servers(&mut self) {
        let server = std::env::var("SISE_NATS_SERVER")
            .expect("SISE_NATS_SERVER: run scripts/test road, which sets it");
        let mut command = Command::new(server);
        command.current_dir(root()).envs(&self.environment).args([
            "-c",
            "nats/server.conf",
            "-a",
            "127.0.0.1",
        ]);
        command.args(["-p", &self.nats_port.to_string(), "-m", &self.monitor_port.to_string()]);
        self.spawn("nats", command);
        self.start("clickhouse-embedded");
        let (monitor, clickhouse) = (self.monitor_port, self.clickhouse_port);
        self.answers(&format!("http://127.0.0.1:{monitor}/healthz")).await;
        self.answers(&format!("http://127.0.0.1:{clickhouse}/ping")).await;
        for arguments in [&["streams", "apply"][..], &["migrate"][..]] {
            let output = self.command("sise").args(arguments).output().expect("sise");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }

    /// Starts the simulated broker and waits until it answers.
    pub async fn start_simulator(&mut self) {
        self.start("simulator");
        let url = self.simulator("status");
        self.answers(&url).await;
    }

    fn simulator(&self, what: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/control/{what}", self.rest_port)
    }

    async fn answers(&self, url: &str) {
        until(url, async || self.http.get(url).send().await.is_ok_and(|answer| answer.status().is_success()))
            .await;
    }

    /// Asks the simulator.
    pub async fn control(&self, what: &str, body: Option<serde_json::Value>) -> serde_json::Value {
        let url = self.simulator(what);
        let request = match body {
            Some(body) => self.http.post(url).json(&body),
            None if what == "status" => self.http.get(url),
            None => self.http.post(url),
        };
        let answer = request.send().await.expect("simulator").text().await.expect("answer");
        serde_json::from_str(&answer).unwrap_or(serde_json::Value::Null)
    }

    /// Events that the simulator has written to sockets.
    pub async fn sent(&self) -> u64 {
        self.control("status", None).await["events"].as_u64().expect("events")
    }

    /// Events of one broker on the tape, each as often as it was sent; complete after `stop`.
    pub fn sent_by(&self, source: &str) -> u64 {
        let tape = std::fs::read_to_string(self.folder.path().join("tape.jsonl")).expect("tape");
        let events = tape.lines().map(|line| serde_json::from_str(line).expect("line"));
        let own = events.filter(|event: &serde_json::Value| event["source"] == source);
        own.map(|event| event["connections"].as_array().map_or(0, Vec::len) as u64).sum()
    }

    /// One number from ClickHouse.
    pub async fn number(&self, sql: &str) -> u64 {
        let url = format!("http://127.0.0.1:{}/?database=sise_test", self.clickhouse_port);
        let answer = self.http.post(url).body(sql.to_owned()).send().await.expect("clickhouse");
        let text = answer.text().await.expect("answer");
        text.trim().parse().unwrap_or_else(|_| panic!("{sql}: {text}"))
    }

    /// Rows in both event tables, without `FINAL`.
    pub async fn archived(&self) -> u64 {
        self.number("SELECT (SELECT count() FROM trades) + (SELECT count() FROM order_books)").await
    }

    /// Stops the broker, waits for the archive, compares event by event, and returns the last line.
    pub async fn compare(&self) -> String {
        self.control("stop", None).await;
        let sent = self.sent().await;
        within(CATCH_UP_LIMIT, "the archive has caught up", async || self.archived().await >= sent).await;
        self.compare_with(&[])
    }

    /// Compares the archive as it is with the tape; `arguments` are more ones of `compare.py`.
    pub fn compare_with(&self, arguments: &[&str]) -> String {
        let output = Command::new("python3")
            .current_dir(root())
            .args(["scripts/lib/compare.py", "--name", "test"])
            .args(arguments)
            .args(["--database", "sise_test", "--url"])
            .arg(format!("http://127.0.0.1:{}", self.clickhouse_port))
            .arg("--tape")
            .arg(self.folder.path().join("tape.jsonl"))
            .output()
            .expect("compare");
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success(), "{said}");
        said
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        for (name, child) in &mut self.parts {
            let _ended = child.kill();
            let _reaped = child.wait();
            if std::thread::panicking() {
                let said = std::fs::read_to_string(self.folder.path().join(format!("{name}.log")))
                    .unwrap_or_default();
                let tail: Vec<_> = said.lines().rev().take(8).collect();
                eprintln!("--- {name}\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
            }
        }
    }
}
