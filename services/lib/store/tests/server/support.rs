//! An engine of one test with the tables of `clickhouse/`, and SQL as text in and out.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clickhouse::Client;
use store::{ClickhouseSettings, Store};

use listening::listening;

#[path = "../../../../../tests/it/support/listening.rs"]
mod listening;

/// How long the engine may take to start.
const LIMIT: Duration = Duration::from_secs(60);

/// A running engine, killed when it is dropped.
pub struct Engine {
    child: Child,
    client: Client,
    url: String,
    _folder: tempfile::TempDir,
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn variable(name: &str, what: &str) -> PathBuf {
    let path = std::env::var_os(name).map(PathBuf::from);
    path.unwrap_or_else(|| panic!("{name} is not set: {what} (scripts/test sets it)"))
}

impl Engine {
    /// Starts an engine and applies every migration.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let program = variable("SISE_BIN_DIR", "the folder of our programs").join("clickhouse-embedded");
        assert!(program.exists(), "{} is not there: cargo build -p clickhouse-embedded", program.display());
        let config = folder.path().join("empty.toml");
        std::fs::write(&config, "").expect("settings");
        let log = folder.path().join("log");
        let mut child = Command::new(program)
            .arg("--config")
            .arg(config)
            .env_clear()
            .env(
                "SISE__CLICKHOUSE_EMBEDDED__LIBRARY",
                variable("SISE__CLICKHOUSE_EMBEDDED__LIBRARY", "libchdb.so"),
            )
            .env("SISE__CLICKHOUSE_EMBEDDED__PATH", folder.path().join("clickhouse"))
            .env("SISE__CLICKHOUSE_EMBEDDED__LISTEN", "127.0.0.1:0")
            .env("SISE__LOG__JSON", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).expect("log"))
            .spawn()
            .expect("engine");
        let address = listening(&mut child, &log, r#""message":"serving","address":""#).await;
        let url = format!("http://{address}");
        let server = Client::default().with_url(&url);
        let engine =
            Self { child, client: server.clone().with_database("sise"), url: url.clone(), _folder: folder };
        let deadline = Instant::now() + LIMIT;
        while server.query("SELECT 1").fetch_one::<u8>().await.is_err() {
            assert!(Instant::now() < deadline, "the engine does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let settings = ClickhouseSettings { url, ..ClickhouseSettings::default() };
        Store::new(&settings).expect("store").migrate().await.expect("migrated");
        engine
    }

    /// The HTTP address.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Runs a statement.
    pub async fn execute(&self, sql: &str) {
        // A statement may hold question marks: none is a place for a value.
        let sql = sql.replace('?', "??");
        self.client.query(&sql).execute().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The rows of a query, values parted by spaces, NULL as `-`.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let mut cursor = self.client.query(sql).fetch_bytes("TSV").expect("query");
        let bytes = cursor.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        text.lines().map(|line| line.replace('\t', " ").replace("\\N", "-")).collect()
    }
}
