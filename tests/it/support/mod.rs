//! A whole sise on ports that its servers take themselves in a folder of its own: the real servers, the simulated broker, the services.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub use cluster::{NODES, secrets};
use listening::listening;

mod cluster;
mod listening;

/// How long anything may take before a test fails.
pub const LIMIT: Duration = Duration::from_secs(60);
/// What a killed archiver held comes again only when its `ack_wait` of 60 s is over.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(150);

/// A server takes a port itself.
const ANY: &str = "127.0.0.1:0";

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
    /// Once they run.
    nats: Option<SocketAddr>,
    clickhouse: Option<SocketAddr>,
    rest: Option<SocketAddr>,
    pub http: reqwest::Client,
    tls: bool,
}

impl Stack {
    /// Prepares everything and starts nothing. `rate` is in events a second.
    pub fn new(rate: u32, tls: bool) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut environment = BTreeMap::new();
        let mut set = |name: &str, value: String| environment.insert(format!("SISE__{name}"), value);
        for user in USERS {
            set(&format!("NATS__PASSWORDS__{user}"), format!("p-{user}"));
        }
        set("CLICKHOUSE__DATABASE", "sise_test".to_owned());
        set("CLICKHOUSE_EMBEDDED__PATH", path("clickhouse"));
        set("CLICKHOUSE_EMBEDDED__LISTEN", ANY.to_owned());
        set("JOURNAL__FOLDER", path("journal"));
        for (service, _) in process::metrics::ADDRESSES {
            set(&format!("METRICS__{}", service.to_uppercase()), ANY.to_owned());
        }
        set("SIMULATOR__REST_ADDRESS", ANY.to_owned());
        set("SIMULATOR__WEBSOCKET_ADDRESS", ANY.to_owned());
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
        set("KIS__TOKEN_FOLDER", path(""));
        set("KIS__DATA_EXPECTED", "always".to_owned());
        set("KIS__RECONNECT_FIRST_MS", "100".to_owned());
        set("SIMULATOR__KIWOOM_REST_ADDRESS", ANY.to_owned());
        set("SIMULATOR__KIWOOM_WEBSOCKET_ADDRESS", ANY.to_owned());
        for part in ["KEY", "SECRET"] {
            set(&format!("SIMULATOR__KIWOOM_KEYS__MAIN__APP_{part}"), format!("simulated-kiwoom-{part}"));
            set(&format!("KIWOOM__KEYS__MAIN__APP_{part}"), format!("simulated-kiwoom-{part}"));
        }
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
        Self { folder, environment, parts, nats: None, clickhouse: None, rest: None, http, tls }
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

    /// Starts any program as a part.
    pub fn spawn(&mut self, name: &'static str, mut command: Command) {
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

    /// Starts a server of ours whose log is read by [`Stack::address`].
    fn start_telling(&mut self, name: &'static str) {
        let mut command = self.command(name);
        command.env("SISE__LOG__JSON", "true");
        self.spawn(name, command);
    }

    /// Waits for the address that a running part tells behind `mark`.
    pub async fn address(&mut self, name: &str, mark: &str) -> SocketAddr {
        let log = self.log(name);
        listening(self.parts.get_mut(name).expect("a running part"), &log, mark).await
    }

    /// A client of the bus as user `sise`, who may look at everything.
    pub async fn bus(&self) -> bus::Client {
        let passwords = [("sise".to_owned(), "p-SISE".to_owned())];
        let settings = bus::connect::NatsSettings {
            url: format!("nats://{}", self.nats.expect("servers run")),
            passwords: passwords.into_iter().map(|(user, word)| (user, bus::Password::new(word))).collect(),
            ..bus::connect::NatsSettings::default()
        };
        bus::connect(&settings, "sise").await.expect("bus")
    }

    /// Asks a part to stop in order, and waits until it has ended well.
    pub async fn stop(&mut self, name: &str) {
        let mut child = self.parts.remove(name).expect("a running part");
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(asked.expect("kill").success());
        until(&format!("{name} has ended"), async || child.try_wait().expect("status").is_some()).await;
        assert!(child.wait().expect("status").success(), "{name} did not end well: {}", self.said(name));
    }

    /// Sends a running part a signal, such as `STOP`.
    pub fn signal(&self, name: &str, signal: &str) {
        let id = self.parts.get(name).expect("a running part").id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &id]).status();
        assert!(sent.expect("kill").success());
    }

    /// `kill -9`.
    pub fn kill(&mut self, name: &str) {
        let mut child = self.parts.remove(name).expect("a running part");
        child.kill().expect("killed");
        child.wait().expect("ended");
    }

    /// Starts nats-server and clickhouse-embedded, makes streams and tables.
    pub async fn start_servers(&mut self) {
        self.start_clickhouse();
        self.start_nats().await;
        self.clickhouse_answers().await;
        self.make_streams_and_tables();
    }

    /// One node with `nats/server.conf`.
    async fn start_nats(&mut self) {
        self.start_nats_at(["-1", "-1"]).await;
    }

    /// The one node again, which was killed: on its ports.
    pub async fn start_nats_again(&mut self) {
        let port = |url: &str| url.rsplit(':').next().unwrap_or_default().to_owned();
        let [nats, monitor] =
            ["SISE__NATS__URL", "SISE_NATS_MONITOR"].map(|name| port(&self.environment[name]));
        self.start_nats_at([&nats, &monitor]).await;
    }

    async fn start_nats_at(&mut self, [port, monitor]: [&str; 2]) {
        let mut command = self.nats_server();
        command.args(["-c", "nats/server.conf", "-a", "127.0.0.1", "-p", port, "-m", monitor]);
        self.spawn("nats", command);
        let nats = self.address("nats", "Listening for client connections on ").await;
        let monitor = self.address("nats", "Starting http monitor on ").await;
        self.answers(&format!("http://{monitor}/healthz")).await;
        self.set("SISE__NATS__URL", &format!("nats://{nats}"));
        self.set("SISE_NATS_MONITOR", &format!("http://{monitor}"));
        self.nats = Some(nats);
    }

    /// The server's program with the environment of this stack.
    fn nats_server(&self) -> Command {
        let server = std::env::var("SISE_NATS_SERVER")
            .expect("SISE_NATS_SERVER: run scripts/test road, which sets it");
        let mut command = Command::new(server);
        command.current_dir(root()).envs(&self.environment);
        command
    }

    fn start_clickhouse(&mut self) {
        self.start_telling("clickhouse-embedded");
    }

    async fn clickhouse_answers(&mut self) {
        let clickhouse = self.address("clickhouse-embedded", r#""message":"serving","address":""#).await;
        self.answers(&format!("http://{clickhouse}/ping")).await;
        self.set("SISE__CLICKHOUSE__URL", &format!("http://{clickhouse}"));
        self.clickhouse = Some(clickhouse);
    }

    fn make_streams_and_tables(&self) {
        for arguments in [&["streams", "apply"][..], &["migrate"][..]] {
            let output = self.command("sise").args(arguments).output().expect("sise");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }

    /// Starts the simulated broker and waits until it answers.
    pub async fn start_simulator(&mut self) {
        self.start_telling("simulator");
        let rest = self.address("simulator", r#""rest":""#).await;
        let websocket = self.address("simulator", r#""websocket":""#).await;
        let kiwoom_rest = self.address("simulator", r#""kiwoom":"Some(("#).await;
        let kiwoom_websocket = self.address("simulator", &format!("Some(({kiwoom_rest}, ")).await;
        let (http, ws) = if self.tls { ("https", "wss") } else { ("http", "ws") };
        for (variable, url) in [
            ("SISE__KIS__REST_URL", format!("{http}://{rest}")),
            ("SISE__KIS__WS_URL", format!("{ws}://{websocket}/tryitout")),
            ("SISE__KIWOOM__REST_URL", format!("{http}://{kiwoom_rest}")),
            ("SISE__KIWOOM__WS_URL", format!("{ws}://{kiwoom_websocket}/api/dostk/websocket")),
        ] {
            self.set(variable, &url);
        }
        self.rest = Some(rest);
        let url = self.simulator("status");
        self.answers(&url).await;
    }

    fn simulator(&self, what: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}/control/{what}", self.rest.expect("the simulator runs"))
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
        let url = format!("http://{}/?database=sise_test", self.clickhouse.expect("servers run"));
        let answer = self.http.post(url).body(sql.to_owned()).send().await.expect("clickhouse");
        let text = answer.text().await.expect("answer");
        text.trim().parse().unwrap_or_else(|_| panic!("{sql}: {text}"))
    }

    /// What ClickHouse answers to a statement, or why it refuses it.
    pub async fn ask(&self, sql: &str) -> Result<String, String> {
        let url = format!("http://{}/?database=sise_test", self.clickhouse.expect("servers run"));
        let answer = self.http.post(url).body(sql.to_owned()).send().await.expect("clickhouse");
        let good = answer.status().is_success();
        let text = answer.text().await.expect("answer");
        if good { Ok(text) } else { Err(text) }
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
            .arg(format!("http://{}", self.clickhouse.expect("servers run")))
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
