//! A ClickHouse of a benchmark's own: `clickhouse-embedded` on a free port with the tables of `clickhouse/`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use store::{ClickhouseSettings, Store};
use tokio::process::Command;

use super::services::Service;

/// An engine that starts in half a second takes ten on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(180);
/// The engine tells its address behind this.
const MARK: &str = r#""message":"serving","address":"127.0.0.1:"#;
/// What was inserted is merged for a while; longer is not waited for.
const QUIET_LIMIT: Duration = Duration::from_secs(60);

/// A running engine. It is killed when this is dropped.
#[derive(Debug)]
pub struct Clickhouse {
    service: Service,
    port: u16,
    folder: PathBuf,
    store: Store,
}

impl Clickhouse {
    /// An engine that keeps its tables below `folder`, which is made and must be nobody else's; the tables are made.
    ///
    /// # Errors
    /// When `SISE__CLICKHOUSE_EMBEDDED__LIBRARY` is not the path of libchdb.so, the engine does not serve in time or the
    /// tables cannot be made.
    pub async fn start(binaries: &Path, folder: &Path) -> anyhow::Result<Self> {
        let library = std::env::var_os("SISE__CLICKHOUSE_EMBEDDED__LIBRARY")
            .context("SISE__CLICKHOUSE_EMBEDDED__LIBRARY is not set: the path of libchdb.so")?;
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let config = folder.join("empty.toml");
        std::fs::write(&config, "").with_context(|| format!("write {}", config.display()))?;
        let mut command = Command::new(binaries.join("clickhouse-embedded"));
        command.arg("--config").arg(&config).env_clear();
        command.env("SISE__LOG__JSON", "true");
        command.env("SISE__METRICS__CLICKHOUSE_EMBEDDED", "off");
        command.env("SISE__CLICKHOUSE_EMBEDDED__LIBRARY", library);
        command.env("SISE__CLICKHOUSE_EMBEDDED__PATH", folder.join("data"));
        command.env("SISE__CLICKHOUSE_EMBEDDED__LISTEN", "127.0.0.1:0");
        let mut service = Service::spawn("clickhouse-embedded", &mut command, folder)?;
        let log = folder.join("clickhouse-embedded.log");
        let mut found = None;
        let serves = async || {
            found = port(&std::fs::read_to_string(&log).unwrap_or_default());
            match found {
                Some(port) => Ok(client(port).query("SELECT 1").fetch_one::<u8>().await.is_ok()),
                None => Ok(false),
            }
        };
        service.until("clickhouse-embedded serves", START_LIMIT, serves).await?;
        let port = found.context("port")?;
        let url = format!("http://127.0.0.1:{port}");
        let store = Store::new(&ClickhouseSettings { url, ..ClickhouseSettings::default() })?;
        store.migrate().await.context("make the tables")?;
        Ok(Self { service, port, folder: folder.to_path_buf(), store })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its process id: for what it costs.
    pub fn pid(&self) -> u32 {
        self.service.pid()
    }

    /// The tables, as the archiver writes them.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The client itself, in the database of the tables.
    pub fn client(&self) -> clickhouse::Client {
        client(self.port).with_database(self.store.database())
    }

    /// A number from SQL.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn number(&self, sql: &str) -> anyhow::Result<u64> {
        let query = format!("SELECT assumeNotNull(toUInt64(({sql})))");
        self.client().query(&query).fetch_one::<u64>().await.with_context(|| sql.to_owned())
    }

    /// Waits until nothing is merged any more: what came before is not to be paid for by what is measured next.
    ///
    /// # Errors
    /// When the engine does not answer, or goes on merging.
    pub async fn quiet(&mut self) -> anyhow::Result<()> {
        let client = self.client();
        let quiet = async || {
            let merges = client.query("SELECT count() FROM system.merges").fetch_one::<u64>().await;
            Ok(merges.context("system.merges")? == 0)
        };
        self.service.until("nothing is merged", QUIET_LIMIT, quiet).await
    }

    /// Ends it and removes what it kept.
    ///
    /// # Errors
    /// When it does not end well, or its folder cannot be removed.
    pub async fn end(self) -> anyhow::Result<()> {
        self.service.stop().await?;
        std::fs::remove_dir_all(&self.folder).with_context(|| format!("remove {}", self.folder.display()))
    }
}

fn client(port: u16) -> clickhouse::Client {
    clickhouse::Client::default().with_url(format!("http://127.0.0.1:{port}"))
}

/// The port in the whole lines of a log.
fn port(log: &str) -> Option<u16> {
    let (_, behind) = log.get(..=log.rfind('\n')?)?.split_once(MARK)?;
    behind.split_once('"')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_whole_lines() {
        let log = "{\"level\":\"INFO\",\"message\":\"serving\",\"address\":\"127.0.0.1:4711\",\"x\":1}\n";
        assert_eq!(port(log), Some(4_711));
        assert_eq!(port(&log[..60]), None);
    }
}
