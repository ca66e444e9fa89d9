//! A simulator of its own for each test, and a client that knows nothing but text frames.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use process::Shutdown;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::config::{Raw, Settings};
use crate::run;

/// No test waits longer for anything.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A simulator on free ports.
pub struct Simulator {
    pub rest: String,
    pub websocket: String,
    pub kiwoom_rest: String,
    pub kiwoom_websocket: String,
    pub folder: tempfile::TempDir,
    shutdown: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Simulator {
    /// Starts with `lines` of section `[simulator]`; the tape is `tape.jsonl` in the folder.
    pub async fn start(lines: &str) -> Self {
        process::tls::install();
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("simulator.toml");
        let fixed = format!(
            "[simulator]\nrest_address = '127.0.0.1:0'\nwebsocket_address = '127.0.0.1:0'\ntape = '{0}/tape.jsonl'\n\
             tls_folder = '{0}'\n{lines}\n",
            folder.path().display()
        );
        std::fs::write(&path, fixed).expect("settings");
        let raw =
            process::config::Sources::new("simulator", &[path]).load_from::<Raw>(Vec::new()).expect("raw");
        let settings = Settings::try_from(raw).expect("settings");
        let secure = if settings.tls { "s" } else { "" };
        let shutdown = Shutdown::new();
        let running = run::start(settings, &shutdown).await.expect("start");
        let (rest, websocket) = (running.rest, running.websocket);
        let kiwoom = running.kiwoom.expect("the kiwoom side");
        let stop = shutdown.clone();
        let task = tokio::spawn(async move { running.wait(&stop).await });
        Self {
            rest: format!("http{secure}://localhost:{}", rest.port()),
            websocket: format!("ws{secure}://localhost:{}/tryitout", websocket.port()),
            kiwoom_rest: format!("http{secure}://localhost:{}", kiwoom.0.port()),
            kiwoom_websocket: format!("ws{secure}://localhost:{}/api/dostk/websocket", kiwoom.1.port()),
            folder,
            shutdown,
            task,
        }
    }

    /// An approval key of `name`.
    pub async fn approve(&self, name: &str) -> String {
        let body = json!({
            "grant_type": "client_credentials",
            "appkey": format!("{name}-app-key"),
            "secretkey": format!("{name}-app-secret"),
        });
        let answer = self.post("/oauth2/Approval", &body).await.1;
        answer["approval_key"].as_str().expect("approval key").to_owned()
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = reqwest::Client::new().post(format!("{}{path}", self.rest)).json(body);
        let answer = request.send().await.expect("answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// A connected client with a fresh approval key of `name`.
    pub async fn client(&self, name: &str) -> Client {
        let approval = self.approve(name).await;
        let (ws, _) = connect_async(&self.websocket).await.expect("socket");
        Client { ws, approval, data: Vec::new() }
    }

    /// Stops making events; everything is written and on the tape afterwards.
    pub async fn stop_events(&self) -> Value {
        let (status, figures) = self.post("/control/stop", &Value::Null).await;
        assert_eq!((status, &figures["drained"]), (200, &Value::Bool(true)), "{figures}");
        figures
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The lines of a file in the folder.
    pub fn lines(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(name)).expect("file");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Ends it and shows how it ended.
    pub async fn end(self) {
        self.shutdown.request();
        timeout(LIMIT, self.task).await.expect("an end in time").expect("no panic").expect("a clean end");
    }
}

/// A client.
pub struct Client {
    pub ws: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub approval: String,
    /// Data frames received while something else was waited for.
    pub data: Vec<String>,
}

impl Client {
    /// The request that the broker documents.
    pub fn request(&self, tr_type: &str, tr: &str, key: &str) -> Value {
        json!({
            "header": {
                "approval_key": self.approval, "custtype": "P", "tr_type": tr_type, "content-type": "utf-8",
            },
            "body": { "input": { "tr_id": tr, "tr_key": key } },
        })
    }

    pub async fn send(&mut self, text: String) {
        self.ws.send(Message::text(text)).await.expect("sent");
    }

    /// The next text message; none when the socket has ended (with its error).
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        loop {
            match timeout(LIMIT, self.ws.next()).await.expect("a message in time") {
                None => return Ok(None),
                Some(Err(error)) => return Err(error),
                Some(Ok(Message::Text(text))) => return Ok(Some(text.as_str().to_owned())),
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next control message that is no PINGPONG; data is kept.
    pub async fn control(&mut self) -> Value {
        loop {
            let text = self.next().await.expect("alive").expect("open");
            if text.starts_with('{') {
                let value: Value = serde_json::from_str(&text).expect("JSON");
                if value["header"]["tr_id"] != "PINGPONG" {
                    return value;
                }
            } else {
                self.data.push(text);
            }
        }
    }

    /// Sends a message and returns (tr_id, rt_cd, msg_cd) of the answer.
    pub async fn ask(&mut self, message: &Value) -> (String, String, String) {
        self.send(message.to_string()).await;
        let answer = self.control().await;
        let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
        (text("/header/tr_id"), text("/body/rt_cd"), text("/body/msg_cd"))
    }

    /// Registers, which must succeed.
    pub async fn subscribe(&mut self, tr: &str, key: &str) {
        let answer = self.ask(&self.request("1", tr, key)).await;
        assert_eq!(answer, (tr.to_owned(), "0".to_owned(), "OPSP0000".to_owned()), "{key}");
    }

    /// Waits until `count` more records have come.
    pub async fn receive(&mut self, count: usize) {
        let mut have = 0;
        while have < count {
            let text = self.next().await.expect("alive").expect("open");
            if !text.starts_with('{') {
                have += records(std::slice::from_ref(&text)).len();
                self.data.push(text);
            }
        }
    }

    /// Everything that comes until nothing has come for `quiet`.
    pub async fn drain(&mut self, quiet: Duration) {
        timeout(LIMIT, self.drain_all(quiet)).await.expect("quiet in time");
    }

    async fn drain_all(&mut self, quiet: Duration) {
        while let Ok(Some(Ok(message))) = timeout(quiet, self.ws.next()).await {
            if let Message::Text(text) = message
                && !text.starts_with('{')
            {
                self.data.push(text.as_str().to_owned());
            }
        }
    }
}

/// TR and fields of every record: COUNT divides the payload evenly.
pub fn records(frames: &[String]) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for frame in frames {
        let parts: Vec<&str> = frame.splitn(4, '|').collect();
        let fields: Vec<&str> = parts[3].split('^').collect();
        let count: usize = parts[2].parse().expect("count");
        assert_eq!((parts[0], parts[2].len(), fields.len() % count), ("0", 3, 0), "{frame}");
        for record in fields.chunks(fields.len() / count) {
            all.push((parts[1].to_owned(), record.iter().map(|field| (*field).to_owned()).collect()));
        }
    }
    all
}

/// How often each text occurs.
pub fn counted(texts: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_insert(0) += 1;
    }
    counts
}
