//! A nats-server of one test, with the repository's `nats/server.conf`, its users and its streams.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bus::{Context, NatsSettings, Password, Topology};

use crate::support::{LIMIT, listening};

/// Every user of `nats/permissions.conf`, spelled as in the variable of its password.
const USERS: [&str; 8] =
    ["kis_service", "us_service", "kiwoom_service", "archiver", "gap_finder", "gateway", "sise", "observer"];

/// A server, killed when it is dropped.
pub struct NatsServer {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl NatsServer {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let mut child = spawn(None, folder.path());
        let mark = "Listening for client connections on ";
        let port = listening(&mut child, &folder.path().join("log"), mark).await.port();
        let server = Self { child, port, folder };
        let topology = Topology::load(&server.settings()).expect("topology");
        bus::topology::apply(&server.context("sise").await, &topology).await.expect("streams");
        server
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// Starts it again on the same port and folder.
    pub async fn start_again(&mut self) {
        self.child = spawn(Some(self.port), self.folder.path());
        self.context("sise").await;
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn settings(&self) -> NatsSettings {
        NatsSettings {
            url: format!("nats://127.0.0.1:{}", self.port),
            passwords: USERS.map(|user| (user.to_owned(), Password::new(password(user)))).into(),
            max_bytes: Some(64 << 20),
            ..NatsSettings::default()
        }
    }

    /// A context of `service`, connected.
    async fn context(&self, service: &str) -> Context {
        let client = bus::connect(&self.settings(), service).await.expect("client");
        assert!(bus::connected(&client, LIMIT).await, "no connection as {service}");
        bus::jetstream(client)
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn password(user: &str) -> String {
    format!("p-{user}")
}

/// Without a port the server takes a free one.
fn spawn(port: Option<u16>, folder: &Path) -> Child {
    let program = std::env::var_os("SISE_NATS_SERVER").map(PathBuf::from);
    let program = program
        .expect("SISE_NATS_SERVER is not set: a nats-server (scripts/lib/nats_server.sh installs one)");
    let port = port.map_or(-1, i32::from).to_string();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nats/server.conf");
    let mut command = Command::new(program);
    command.env("SISE_NATS_STORE_DIR", folder).env("SISE_NATS_MAX_FILE_STORE", "4GB");
    for user in USERS {
        command.env(format!("SISE__NATS__PASSWORDS__{}", user.to_uppercase()), password(user));
    }
    command.args(["-a", "127.0.0.1", "-p", &port, "-m", "-1"]).arg("-c").arg(config);
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("log");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("nats-server starts")
}
