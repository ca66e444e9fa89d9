//! The same stack on three NATS nodes, as `nats/cluster.conf` has them: with nkeys for the services and a password between
//! the nodes, all made by `scripts/secrets`.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use super::{Stack, root};

/// The nodes, as parts of a stack.
pub const NODES: [&str; 3] = ["nats-1", "nats-2", "nats-3"];

/// Runs `scripts/secrets` on a folder.
pub fn secrets(folder: &std::path::Path, arguments: &[&str]) {
    let mut command = Command::new("scripts/secrets");
    command.current_dir(root()).args(arguments).arg("--folder").arg(folder);
    let output = command.output().expect("scripts/secrets");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

impl Stack {
    /// The folder with copies of `nats` and fresh `secrets` side by side, as the configuration wants them.
    pub fn configuration(&self) -> PathBuf {
        let folder = self.folder.path().join("configuration");
        if !folder.exists() {
            std::fs::create_dir(&folder).expect("folder");
            let copied = Command::new("cp").arg("-r").arg(root().join("nats")).arg(&folder).status();
            assert!(copied.expect("cp").success());
            // A container listens everywhere, a test on loopback.
            for name in ["production.conf", "cluster.conf"] {
                let path = folder.join("nats").join(name);
                let text = std::fs::read_to_string(&path).expect("configuration");
                std::fs::write(&path, text.replace("0.0.0.0", "127.0.0.1")).expect("configuration");
            }
            secrets(&folder.join("secrets"), &["init"]);
        }
        folder
    }

    /// One node with `nats/production.conf` and more variables; its address for clients.
    pub async fn start_nats_with_keys(&mut self, variables: &[(&str, String)]) -> SocketAddr {
        let mut command = self.nats_server();
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.arg("-c").arg(self.configuration().join("nats/production.conf"));
        command.args(["-a", "127.0.0.1", "-p", "-1", "-m", "-1"]);
        self.spawn("nats", command);
        let address = self.address("nats", "Listening for client connections on ").await;
        let monitor = self.address("nats", "Starting http monitor on ").await;
        self.answers(&format!("http://{monitor}/healthz")).await;
        address
    }

    /// ClickHouse without a table yet; its URL.
    pub async fn start_clickhouse_alone(&mut self) -> String {
        self.start_clickhouse();
        self.clickhouse_answers().await;
        self.environment.get("SISE__CLICKHOUSE__URL").expect("set").clone()
    }

    /// Three nodes, ClickHouse, streams with three replicas, tables.
    pub async fn start_servers_of_a_cluster(&mut self) {
        self.start_clickhouse();
        self.start_nodes().await;
        self.clickhouse_answers().await;
        self.set("SISE__NATS__REPLICAS", "3");
        let seeds = self.configuration().join("secrets/nats").display().to_string();
        self.set("SISE__NATS__SEED_FILE", &seeds);
        self.make_streams_and_tables();
    }

    async fn start_nodes(&mut self) {
        // Nodes must know each other's ports before they start, so here ports are looked for. All at once, so that they differ.
        let listeners = NODES.map(|_| TcpListener::bind("127.0.0.1:0").expect("port"));
        let routes = listeners.map(|listener| listener.local_addr().expect("address").to_string());
        let configuration = self.configuration();
        let [first, second, third] = &routes;
        secrets(&configuration.join("secrets"), &["cluster", first, second, third]);
        let mut urls = Vec::new();
        for (node, route) in NODES.into_iter().zip(&routes) {
            self.set(&format!("ROUTE_OF_{node}"), route);
            self.start_node(node, "-1");
            let address = self.address(node, "Listening for client connections on ").await;
            self.set(&format!("PORT_OF_{node}"), &address.port().to_string());
            urls.push(format!("nats://{address}"));
            self.nats = Some(address);
        }
        self.set("SISE__NATS__URL", &urls.join(","));
        for node in NODES {
            let monitor = self.address(node, "Starting http monitor on ").await;
            self.answers(&format!("http://{monitor}/healthz")).await;
        }
    }

    /// Starts a node; one that was killed gets the port that it had.
    pub fn start_node(&mut self, node: &'static str, port: &str) {
        let mut command = self.nats_server();
        let route = self.environment.get(&format!("ROUTE_OF_{node}")).expect("a node").clone();
        command.env("SISE_NATS_NODE", node).env("SISE_NATS_ZONE", format!("zone:{node}"));
        command.env("SISE_NATS_CLUSTER_LISTEN", route);
        command.env("SISE_NATS_STORE_DIR", self.folder.path().join(node));
        command.arg("-c").arg(self.configuration().join("nats/cluster.conf"));
        command.args(["-a", "127.0.0.1", "-p", port, "-m", "-1"]);
        self.spawn(node, command);
    }

    /// Starts a killed node again, on its port and folder.
    pub fn start_node_again(&mut self, node: &'static str) {
        let port = self.environment.get(&format!("PORT_OF_{node}")).expect("it ran").clone();
        self.start_node(node, &port);
    }

    /// A client of the bus as `user`, by its key.
    pub async fn bus_by_key(&self, user: &str) -> bus::Client {
        let settings = bus::NatsSettings {
            url: self.environment.get("SISE__NATS__URL").expect("servers run").clone(),
            seed_file: Some(self.configuration().join("secrets/nats")),
            ..bus::NatsSettings::default()
        };
        bus::connect(&settings, user).await.expect("bus")
    }
}
