//! `bench sender` as a process beside a benchmark, on free ports.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

use crate::sender::{Listening, Summary};

/// It listens within milliseconds, on a busy machine too.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running sender. It is killed when this is dropped.
#[derive(Debug)]
pub struct Sender {
    child: Child,
    pid: u32,
    listening: Listening,
    summary: Lines<BufReader<ChildStdout>>,
    errors: Lines<BufReader<ChildStderr>>,
}

impl Sender {
    /// Starts this very program as a sender of so many frames, with further arguments such as `--rate`.
    ///
    /// # Errors
    /// When it does not listen.
    pub async fn start(frames: u64, arguments: &[String]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program")?;
        let mut command = Command::new(program);
        command.args(["sender", "--frames", &frames.to_string()]).args(arguments);
        let command =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("start the sender")?;
        let pid = child.id().context("the sender has ended at once")?;
        let summary = BufReader::new(child.stdout.take().context("stdout")?).lines();
        let mut errors = BufReader::new(child.stderr.take().context("stderr")?).lines();
        let line = timeout(START_LIMIT, errors.next_line()).await.context("the sender does not listen")??;
        let line = line.context("the sender has ended")?;
        let listening = serde_json::from_str(&line).with_context(|| format!("the sender says {line}"))?;
        Ok(Self { child, pid, listening, summary, errors })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Of its REST calls.
    pub fn rest_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.listening.rest_port)
    }

    /// Of its WebSocket.
    pub fn websocket_url(&self) -> String {
        format!("ws://127.0.0.1:{}/tryitout", self.listening.websocket_port)
    }

    /// Waits until all frames are written. It stays and keeps its connections, so that nobody sees a loss.
    ///
    /// # Errors
    /// When it ends before, or after `limit`.
    pub async fn sent(&mut self, limit: Duration) -> anyhow::Result<Summary> {
        match timeout(limit, self.summary.next_line()).await {
            Ok(Ok(Some(line))) => {
                serde_json::from_str(&line).with_context(|| format!("the sender says {line}"))
            }
            Ok(_) => {
                let problem = self.errors.next_line().await.ok().flatten().unwrap_or_default();
                bail!("the sender has ended: {problem}")
            }
            Err(_) => bail!("the sender has not sent everything within {} s", limit.as_secs()),
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub async fn end(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("end the sender")
    }
}
