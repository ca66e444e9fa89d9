//! A NATS server of a benchmark's own: a free port, a folder of its own, the streams of `nats/streams.json`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bus::{Context, NatsSettings, Topology};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

/// How long a start may take: on a busy machine it is not the moment that it is on a quiet one.
const LIMIT: Duration = Duration::from_secs(60);
/// The server writes its address behind this into its log.
const MARK: &str = "Listening for client connections on ";
/// The most bytes of each stream: above what any benchmark publishes, so that nothing is evicted, and within what a
/// server may promise to all streams together.
const MAX_BYTES: i64 = 4 << 30;

/// A running server. It is killed when this is dropped.
#[derive(Debug)]
pub struct Nats {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Nats {
    /// A server without users that keeps its streams below `folder`, which is made and must be nobody else's.
    ///
    /// # Errors
    /// When `SISE_NATS_SERVER` is not the path of a nats-server, or it does not listen in time.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        Self::start_syncing(folder, None).await
    }

    /// As [`Nats::start`]; forces its streams to disk so often (`1s`, `always`), or as often as it does by itself.
    ///
    /// # Errors
    /// As [`Nats::start`].
    pub async fn start_syncing(folder: &Path, interval: Option<&str>) -> anyhow::Result<Self> {
        let program = std::env::var_os("SISE_NATS_SERVER")
            .context("SISE_NATS_SERVER is not set: the path of a nats-server")?;
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let log = folder.join("log");
        let errors = std::fs::File::create(&log).with_context(|| format!("make {}", log.display()))?;
        let sync = interval.map(|interval| format!(", sync_interval: {interval:?}")).unwrap_or_default();
        let config = folder.join("bench.conf");
        let text = format!("jetstream {{ store_dir: {:?}, max_file_store: 200GB{sync} }}\n", folder);
        std::fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;
        let child = Command::new(&program)
            .args(["-a", "127.0.0.1", "-p", "-1", "-c"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let mut server = Self { child, port: 0, folder: folder.to_path_buf() };
        server.port = server.ready(&log).await?;
        Ok(server)
    }

    /// With the streams and durables of the repository, none of them limited below what a benchmark publishes.
    ///
    /// # Errors
    /// When the server refuses them.
    pub async fn with_streams(self) -> anyhow::Result<Self> {
        let topology = Topology::load(&self.settings()).context("nats/streams.json")?;
        bus::topology::apply(&self.context("sise").await?, &topology).await.context("make the streams")?;
        Ok(self)
    }

    /// Where it listens: `nats://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its process id, while it runs: for what it costs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Section `[nats]` of a client.
    #[must_use]
    pub fn settings(&self) -> NatsSettings {
        NatsSettings { url: self.url(), max_bytes: Some(MAX_BYTES), ..NatsSettings::default() }
    }

    /// A connection to JetStream.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn context(&self, name: &str) -> anyhow::Result<Context> {
        let client = bus::connect(&self.settings(), name).await?;
        if !bus::connected(&client, LIMIT).await {
            bail!("no connection to {}", self.url());
        }
        Ok(bus::jetstream(client))
    }

    /// Ends it and removes what it kept.
    ///
    /// # Errors
    /// When it cannot be ended, or its folder not be removed.
    pub async fn end(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("end nats-server")?;
        std::fs::remove_dir_all(&self.folder).with_context(|| format!("remove {}", self.folder.display()))
    }

    /// Waits until it greets, and gives its port.
    async fn ready(&mut self, log: &Path) -> anyhow::Result<u16> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            if let Some(port) = port(&said)
                && greets(port).await
            {
                return Ok(port);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("nats-server has ended ({status}): {said}");
            }
            if Instant::now() > deadline {
                bail!("nats-server does not listen: {said}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The greeting comes when everything is ready, JetStream too.
async fn greets(port: u16) -> bool {
    let mut greeting = [0; 4];
    match tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
        Ok(mut stream) => stream.read_exact(&mut greeting).await.is_ok() && greeting == *b"INFO",
        Err(_) => false,
    }
}

/// The port in the whole lines of a log.
fn port(log: &str) -> Option<u16> {
    let (_, behind) = log.get(..=log.rfind('\n')?)?.split_once(MARK)?;
    behind.lines().next()?.rsplit_once(':')?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_whole_lines() {
        let log =
            "[1] 2026/11/25 10:00:00.000000 [INF] Listening for client connections on 127.0.0.1:41623\n";
        assert_eq!(port(log), Some(41_623));
        assert_eq!(port(&log[..log.len() - 3]), None);
        assert_eq!(port("nothing\n"), None);
    }
}
