//! Real servers for the tests: a nats-server with a port and a folder of its own, and a proxy that swallows answers.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::{Context, NatsSettings, Password, Topology};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use listening::listening;

#[path = "../../../../../tests/it/support/listening.rs"]
mod listening;

/// How long anything may take before a test fails.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Every user of `nats/permissions.conf`, spelled as in the variable of its password.
const USERS: [&str; 8] =
    ["kis_service", "us_service", "kiwoom_service", "archiver", "gap_finder", "gateway", "sise", "observer"];

pub struct NatsServer {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    kind: Kind,
}

/// What a server is started with.
#[derive(Clone, Copy)]
enum Kind {
    Plain,
    /// `nats/server.conf`.
    WithUsers,
}

impl NatsServer {
    /// A server without users.
    pub async fn start() -> Self {
        Self::start_with(Kind::Plain).await
    }

    /// A server with the repository's `nats/server.conf`.
    pub async fn start_with_users() -> Self {
        Self::start_with(Kind::WithUsers).await
    }

    async fn start_with(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let mut child = spawn(None, folder.path(), kind);
        let log = folder.path().join("log");
        let port = listening(&mut child, &log, "Listening for client connections on ").await.port();
        let mut server = Self { child, port, folder, kind };
        server.ready().await;
        server
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// An orderly stop: everything is on disk then.
    pub async fn stop(&mut self) {
        self.signal("TERM");
        let deadline = Instant::now() + LIMIT;
        while self.child.try_wait().expect("status").is_none() {
            assert!(Instant::now() < deadline, "nats-server does not end");
            pause().await;
        }
    }

    /// Copies the streams aside; the server must not run.
    pub fn keep_store(&self) {
        copy(&self.folder.path().join("jetstream"), &self.folder.path().join("earlier"));
    }

    /// Puts the copy back; the server must not run.
    pub fn put_store_back(&self) {
        copy(&self.folder.path().join("earlier"), &self.folder.path().join("jetstream"));
    }

    /// Starts it again on the same port and folder.
    pub async fn start_again(&mut self) {
        self.child = spawn(Some(self.port), self.folder.path(), self.kind);
        self.ready().await;
    }

    /// Stops the process where it stands, every thread of it: the signal alone returns before they do.
    pub async fn stall(&self) {
        self.signal("STOP");
        let deadline = Instant::now() + LIMIT;
        while !stalled(self.child.id()) {
            assert!(Instant::now() < deadline, "nats-server does not stall");
            pause().await;
        }
    }

    /// Lets a stalled process go on.
    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill").success());
    }

    async fn ready(&mut self) {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("nats-server ended: {status}");
            }
            // The greeting comes when everything is ready, JetStream too.
            if let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await {
                let mut greeting = [0; 4];
                if stream.read_exact(&mut greeting).await.is_ok() && greeting == *b"INFO" {
                    return;
                }
            }
            assert!(Instant::now() < deadline, "nats-server does not answer");
            pause().await;
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn settings(&self) -> NatsSettings {
        settings(self.port)
    }

    /// A context of `service`, connected.
    pub async fn context(&self, service: &str) -> Context {
        let client = bus::connect(&self.settings(), service).await.expect("client");
        assert!(bus::connected(&client, LIMIT).await, "no connection as {service}");
        bus::jetstream(client)
    }

    /// The streams of the repository, on a server without users.
    pub async fn with_streams(self) -> Self {
        let topology = Topology::load(&self.settings()).expect("topology");
        bus::topology::apply(&self.context("sise").await, &topology).await.expect("streams");
        self
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Whether every thread of a process stands still (state `T` in `/proc`).
fn stalled(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("threads");
    threads.filter_map(Result::ok).all(|thread| {
        // A thread that ended meanwhile has no file any more.
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
    })
}

fn copy(from: &Path, to: &Path) {
    let _absent = std::fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").args([from, to]).status().expect("cp").success());
}

pub fn settings(port: u16) -> NatsSettings {
    NatsSettings {
        url: format!("nats://127.0.0.1:{port}"),
        passwords: USERS.map(|user| (user.to_owned(), Password::new(password(user)))).into(),
        max_bytes: Some(64 << 20),
        ..NatsSettings::default()
    }
}

fn password(user: &str) -> String {
    format!("p-{user}")
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// The server's program with the variables that `nats/server.conf` needs.
pub fn program(folder: &Path) -> Command {
    let program = std::env::var_os("SISE_NATS_SERVER").expect(
        "SISE_NATS_SERVER is not set: the path of a nats-server (scripts/lib/nats_server.sh installs one)",
    );
    let mut command = Command::new(program);
    command.env("SISE_NATS_STORE_DIR", folder).env("SISE_NATS_MAX_FILE_STORE", "4GB");
    for user in USERS {
        command.env(format!("SISE__NATS__PASSWORDS__{}", user.to_uppercase()), password(user));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Without a port the server takes a free one.
fn spawn(port: Option<u16>, folder: &Path, kind: Kind) -> Child {
    let port = port.map_or(-1, i32::from);
    let mut command = program(folder);
    command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
    match kind {
        Kind::Plain => command.arg("-js").arg("-sd").arg(folder),
        Kind::WithUsers => {
            let config = repository().join("nats/server.conf");
            command.arg("-c").arg(config).args(["-m", "-1"])
        }
    };
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("log");
    command.stderr(log).spawn().expect("nats-server starts")
}

/// A short pause between two looks at a condition.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// Waits until `condition` holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + LIMIT;
    while !condition().await {
        assert!(Instant::now() < deadline, "never: {what}");
        pause().await;
    }
}

/// Between client and server; swallows what the server says while told so.
pub struct Proxy {
    port: u16,
    swallow: Arc<AtomicBool>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub async fn start(server: u16) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("port");
        let port = listener.local_addr().expect("address").port();
        let swallow = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&swallow);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, server, Arc::clone(&told)));
            }
        });
        Self { port, swallow, accepting }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn swallow(&self, swallow: bool) {
        self.swallow.store(swallow, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn relay(client: tokio::net::TcpStream, server: u16, swallow: Arc<AtomicBool>) {
    let Ok(server) = tokio::net::TcpStream::connect(("127.0.0.1", server)).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = async {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            if !swallow.load(Ordering::SeqCst) && to_client.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        () = answers => {}
    }
}
