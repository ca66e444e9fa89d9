//! A server of one test: own folder, free port, ended when dropped.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A folder and, while it runs, the process on it.
pub struct Server {
    folder: PathBuf,
    _kept: tempfile::TempDir,
    settings: Vec<(String, String)>,
    child: Option<Child>,
    /// `127.0.0.1:PORT`; the same after a restart.
    pub address: String,
}

fn variable(name: &str, what: &str) -> String {
    let hint =
        "source scripts/lib/clickhouse_lib.sh and call its functions, which install it and set the variable";
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: the path of {what}; {hint}"))
}

/// A Python with `clickhouse-connect`.
pub fn python() -> String {
    variable("SISE_TEST_PYTHON", "a Python with clickhouse-connect")
}

/// The command of the service on `folder`, before it is started.
pub fn command(folder: &Path, listen: &str, settings: &[(String, String)]) -> Command {
    let library = variable("SISE__CLICKHOUSE_EMBEDDED__LIBRARY", "libchdb.so");
    let config = folder.join("empty.toml");
    std::fs::write(&config, "").expect("settings file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_clickhouse-embedded"));
    command.env_clear().env("SISE__LOG__JSON", "true").arg("--config").arg(config).stdin(Stdio::null());
    let mut set = |key: &str, value: &str| {
        command.env(format!("SISE__CLICKHOUSE_EMBEDDED__{key}"), value);
    };
    set("LIBRARY", &library);
    set("PATH", folder.join("data").to_str().expect("path"));
    set("LISTEN", listen);
    for (key, value) in settings {
        set(key, value);
    }
    command
}

impl Server {
    /// Starts a server with these settings (`SISE__CLICKHOUSE_EMBEDDED__` is put before the keys).
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let kept = tempfile::tempdir().expect("folder");
        let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let folder = kept.path().to_owned();
        let mut server =
            Self { folder, _kept: kept, settings, child: None, address: "127.0.0.1:0".to_owned() };
        server.run();
        server
    }

    /// Starts the process again, on the same folder and port.
    pub fn run(&mut self) {
        let mut child = command(&self.folder, &self.address, &self.settings)
            .stderr(Stdio::piped())
            .spawn()
            .expect("start");
        let lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let (found, address) = mpsc::channel();
        std::thread::spawn(move || {
            let mut log = Vec::new();
            for line in lines.map_while(Result::ok) {
                let json: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                if json["fields"]["message"] == "serving" {
                    let _tested =
                        found.send(Ok(json["fields"]["address"].as_str().unwrap_or_default().to_owned()));
                }
                log.push(line);
            }
            let _tested = found.send(Err(log.join("\n")));
        });
        self.address =
            address.recv_timeout(DEADLINE).expect("the server says nothing").expect("the server ends");
        self.child = Some(child);
    }

    fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("running"))
    }

    /// Asks for an orderly stop, and waits for it.
    pub fn stop(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.wait()
    }

    /// Asks for an orderly stop.
    pub fn ask_to_stop(&self) {
        kill_process(self.pid(), Signal::TERM).expect("signal");
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> ExitStatus {
        kill_process(self.pid(), Signal::KILL).expect("signal");
        self.wait()
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("running");
        let pid = Pid::from_child(&child);
        let (ended, waited) = mpsc::channel::<()>();
        let guard = std::thread::spawn(move || {
            if waited.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _gone = kill_process(pid, Signal::KILL);
            }
        });
        let status = child.wait().expect("status");
        drop(ended);
        guard.join().expect("guard");
        status
    }

    /// The folder of the test.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Files of insert bodies.
    pub fn spooled(&self) -> usize {
        std::fs::read_dir(self.folder.join("data/spool")).expect("spool").count()
    }

    /// The URL with these parameters.
    pub fn url(&self, parameters: &[(&str, &str)]) -> String {
        let mut query = String::new();
        for (name, value) in parameters {
            let escaped: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            query += &format!("{name}={escaped}&");
        }
        format!("http://{}/?{query}", self.address)
    }

    /// Posts a statement and returns the output; it must be good.
    pub fn sql(&self, statement: &str) -> String {
        let answer = self.post(&[], statement.as_bytes());
        assert_eq!(answer.status, 200, "{statement}: {}", answer.text());
        answer.text()
    }

    /// Posts a body with `curl`.
    pub fn post(&self, parameters: &[(&str, &str)], body: &[u8]) -> Answer {
        curl(&["--data-binary", "@-", &self.url(parameters)], body)
    }

    /// A client of the official crate.
    pub fn client(&self) -> clickhouse::Client {
        clickhouse::Client::default().with_url(format!("http://{}", self.address))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// What `curl` got.
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next_back()
    }
}

/// Runs `curl` with `body` as its input.
pub fn curl(arguments: &[&str], body: &[u8]) -> Answer {
    let headers = tempfile::NamedTempFile::new().expect("file");
    let mut child = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "120", "-H", "Expect:", "-D"])
        .arg(headers.path())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl is needed for the tests");
    let mut stdin = child.stdin.take().expect("stdin");
    let body = body.to_vec();
    // A server that refuses early leaves curl with a closed pipe: no fault of the test.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&body)));
    let output = child.wait_with_output().expect("curl");
    writer.join().expect("writer");
    let headers = std::fs::read_to_string(headers.path()).expect("headers");
    let status = headers.lines().rfind(|line| line.starts_with("HTTP/"));
    let status = status.and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    Answer { status: status.unwrap_or(0), headers, body: output.stdout }
}

/// Asks again and again until the answer is yes.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while !holds() {
        assert!(Instant::now() < end, "still not: {what}");
        ticks.tick().await;
    }
}
