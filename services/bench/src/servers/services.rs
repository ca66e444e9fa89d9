//! The programs that are measured, each as a process of its own with a log in the folder of the benchmark, and what the
//! system says of a process: processor time and memory.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::sender::Sender;

/// An orderly stop takes at most 20 s by the services' own settings.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Clock ticks of `/proc` a second, on every Linux.
const TICKS: f64 = 100.0;

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    pid: u32,
    name: String,
    log: PathBuf,
}

impl Service {
    /// Starts `command`; what it writes on stderr goes to `folder/<name>.log`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn spawn(name: &str, command: &mut Command, folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let log = folder.join(format!("{name}.log"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log);
        let file = file.with_context(|| format!("open {}", log.display()))?;
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("start {name} ({:?})", command.as_std()))?;
        let pid = child.id().with_context(|| format!("{name} has ended at once"))?;
        Ok(Self { child, pid, name: name.to_owned(), log })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it wrote.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of what it wrote.
    pub fn last_words(&self) -> String {
        let said = self.said();
        let lines: Vec<&str> = said.lines().collect();
        lines.get(lines.len().saturating_sub(10)..).unwrap_or_default().join("\n")
    }

    /// That it still runs.
    ///
    /// # Errors
    /// With its last words when it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} has ended ({status}): {}", self.name, self.last_words());
        }
        Ok(())
    }

    /// Asks for an orderly stop and waits for it.
    ///
    /// # Errors
    /// When it ends otherwise than well, or not in time.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await;
        asked.context("kill")?;
        match timeout(STOP_LIMIT, self.child.wait()).await {
            Ok(status) if status.as_ref().is_ok_and(std::process::ExitStatus::success) => Ok(()),
            Ok(status) => bail!("{} has ended with {:?}: {}", self.name, status, self.last_words()),
            Err(_) => bail!("{} does not stop: {}", self.name, self.last_words()),
        }
    }

    /// Waits until `what` holds, asked again and again while it runs.
    ///
    /// # Errors
    /// When it ends, when `what` fails, or after `limit`.
    pub async fn until(
        &mut self,
        what: &str,
        limit: Duration,
        mut holds: impl AsyncFnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        while !holds().await? {
            self.check()?;
            if Instant::now() > deadline {
                bail!("never: {what}; {} says: {}", self.name, self.last_words());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Seconds of all processors that a process has used so far.
///
/// # Errors
/// When there is no such process.
pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    cpu_ticks(&stat).map(|ticks| f64::from(ticks) / TICKS).with_context(|| format!("{path}: {stat}"))
}

/// Fields 14 and 15 of `/proc/PID/stat`; the name in field 2 may hold anything.
fn cpu_ticks(stat: &str) -> Option<u32> {
    let mut fields = stat.rsplit_once(") ")?.1.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

/// The most memory that was ever resident, in MB of 1,048,576 bytes.
///
/// # Errors
/// When there is no such process.
pub fn peak_mb(pid: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    let kb: u32 = line.trim().trim_end_matches(" kB").parse().with_context(|| line.to_owned())?;
    Ok(f64::from(kb) / 1_024.0)
}

/// Where the services of one run find each other.
#[derive(Debug, Clone)]
pub struct Sise {
    /// The folder of the programs.
    pub binaries: PathBuf,
    /// For logs, journals, symbols.
    pub folder: PathBuf,
    /// Of the NATS server.
    pub nats_url: String,
    /// Of ClickHouse.
    pub clickhouse_url: String,
}

impl Sise {
    /// Starts a service with its own defaults and these settings: `("ARCHIVER__ROWS", "7")`. Nothing of the environment
    /// reaches it, and its metrics are served at a free port unless it is told where.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self, name: &str, settings: &[(&str, &str)]) -> anyhow::Result<Service> {
        let program = self.binaries.join(name);
        std::fs::create_dir_all(&self.folder).with_context(|| format!("make {}", self.folder.display()))?;
        let config = self.folder.join("empty.toml");
        std::fs::write(&config, "").with_context(|| format!("write {}", config.display()))?;
        let mut command = Command::new(&program);
        command.arg("--config").arg(&config).env_clear();
        let metrics = format!("METRICS__{}", name.to_uppercase().replace('-', "_"));
        let usual = [
            // Counting is a part of what a service costs.
            (metrics.as_str(), "127.0.0.1:0"),
            ("LOG__JSON", "true"),
            ("NATS__URL", self.nats_url.as_str()),
            ("CLICKHOUSE__URL", self.clickhouse_url.as_str()),
        ];
        for (key, value) in usual.iter().chain(settings) {
            command.env(format!("SISE__{key}"), value);
        }
        Service::spawn(name, &mut command, &self.folder)
    }

    /// Starts kis-service on `sender` with one key that carries `symbols`, both kinds of each.
    ///
    /// # Errors
    /// When it does not start.
    pub fn kis_service(
        &self,
        sender: &Sender,
        symbols: &[String],
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Service> {
        let file = self.folder.join("symbols.yaml");
        let journal = self.folder.join("journal");
        std::fs::create_dir_all(&self.folder).with_context(|| format!("make {}", self.folder.display()))?;
        let lines: String = symbols.iter().map(|symbol| format!("- symbol: {symbol:?}\n")).collect();
        std::fs::write(&file, format!("symbols:\n{lines}"))
            .with_context(|| format!("write {}", file.display()))?;
        let text = |path: &Path| path.display().to_string();
        let (file, journal, folder) = (text(&file), text(&journal), text(&self.folder));
        let (rest, websocket, limit) =
            (sender.rest_url(), sender.websocket_url(), (symbols.len() * 2).max(41).to_string());
        let mut all = vec![
            ("KIS__REST_URL", rest.as_str()),
            ("KIS__WS_URL", websocket.as_str()),
            ("KIS__KEYS__MAIN__APP_KEY", "bench"),
            ("KIS__KEYS__MAIN__APP_SECRET", "bench"),
            ("KIS__KEYS__MAIN__MARKET", "kr"),
            ("KIS__TOKEN_FOLDER", folder.as_str()),
            ("KIS__DATA_EXPECTED", "always"),
            // The sender has no limits; the real one has 41 registrations, 120 ms apart.
            ("KIS__REGISTRATION_LIMIT", limit.as_str()),
            ("KIS__PACE_MS", "0"),
            ("SYMBOLS__FILE", file.as_str()),
            ("JOURNAL__FOLDER", journal.as_str()),
        ];
        all.extend_from_slice(settings);
        self.start("kis-service", &all)
    }
}

/// So many symbols as they may stand in a file: `100000`, `100010`, ….
pub fn symbols(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{:06}", 100_000 + number * 10)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_that_of_user_and_system() {
        let stat =
            "7 (a) b) S 1 7 7 0 -1 4194304 500 0 0 0 1234 66 0 0 20 0 3 0 100 1000 10 18446744073709551615";
        assert_eq!(cpu_ticks(stat), Some(1_300));
        assert_eq!(cpu_ticks("7 (a"), None);
        assert!(cpu_seconds(std::process::id()).is_ok());
        assert!(peak_mb(std::process::id()).is_ok_and(|mb| mb > 1.0));
    }

    #[test]
    fn symbols_have_six_digits() {
        let all = symbols(10_000);
        assert_eq!((all[0].as_str(), all[9_999].as_str()), ("100000", "199990"));
    }
}
