//! A client of the Kiwoom side: POST with headers, and JSON text frames.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::super::support::{LIMIT, Simulator};

const AGENT: &str = "simulator-test/1";

/// An answer of REST.
pub struct Answer {
    pub status: u16,
    pub more: String,
    pub next_key: String,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    /// return_code, and the detail code in the text.
    pub fn codes(&self) -> (i64, String) {
        let body = self.json();
        let message = body["return_msg"].as_str().expect("text").to_owned();
        let detail = message.split_once('[').and_then(|(_, rest)| rest.split_once(':'));
        (
            body["return_code"].as_i64().expect("code"),
            detail.map_or(String::new(), |(code, _)| code.to_owned()),
        )
    }
}

/// POST with an own User-Agent.
pub async fn post(simulator: &Simulator, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut request = reqwest::Client::new().post(format!("{}{path}", simulator.kiwoom_rest)).json(body);
    if !headers.iter().any(|(name, _)| *name == "user-agent") {
        request = request.header("user-agent", AGENT);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("answer");
    let header = |name: &str| {
        answer.headers().get(name).map_or(String::new(), |value| value.to_str().expect("text").to_owned())
    };
    let (status, more, next_key) = (answer.status().as_u16(), header("cont-yn"), header("next-key"));
    Answer { status, more, next_key, text: answer.text().await.expect("text") }
}

/// A token of `name`.
pub async fn token(simulator: &Simulator, name: &str) -> String {
    let body = json!({
        "grant_type": "client_credentials",
        "appkey": format!("{name}-app-key"),
        "secretkey": format!("{name}-app-secret"),
    });
    let answer = post(simulator, "/oauth2/token", &[], &body).await.json();
    answer["token"].as_str().expect("token").to_owned()
}

/// A call of a TR.
pub async fn call(simulator: &Simulator, token: &str, tr: &str, body: &Value, next_key: &str) -> Answer {
    let group = if matches!(tr, "ka10079" | "ka10080") { "chart" } else { "stkinfo" };
    let bearer = format!("Bearer {token}");
    let more = if next_key.is_empty() { "N" } else { "Y" };
    let headers =
        [("api-id", tr), ("authorization", bearer.as_str()), ("cont-yn", more), ("next-key", next_key)];
    post(simulator, &format!("/api/dostk/{group}"), &headers, body).await
}

/// A socket.
pub struct Client {
    pub ws: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub token: String,
    /// The rows of all data frames so far.
    pub rows: Vec<Value>,
    /// How many rows each data frame had.
    pub frames: Vec<usize>,
    /// Data frames that are no JSON.
    pub spoilt: Vec<String>,
    pub pings: usize,
    /// Echo PINGs, as everybody should.
    pub echo: bool,
    pub closed: Option<CloseFrame>,
}

/// A socket with `agent` as its User-Agent.
pub async fn connect(
    simulator: &Simulator,
    agent: &str,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Error> {
    let mut request = simulator.kiwoom_websocket.as_str().into_client_request().expect("request");
    request.headers_mut().insert("user-agent", HeaderValue::from_str(agent).expect("agent"));
    connect_async(request).await.map(|(ws, _)| ws)
}

impl Client {
    /// Connected, with a fresh token of `name`, and nothing said.
    pub async fn open(simulator: &Simulator, name: &str) -> Self {
        let token = token(simulator, name).await;
        Self::with(simulator, token).await
    }

    pub async fn with(simulator: &Simulator, token: String) -> Self {
        let ws = connect(simulator, AGENT).await.expect("socket");
        Self {
            ws,
            token,
            rows: Vec::new(),
            frames: Vec::new(),
            spoilt: Vec::new(),
            pings: 0,
            echo: true,
            closed: None,
        }
    }

    /// Connected and logged in.
    pub async fn login(simulator: &Simulator, name: &str) -> Self {
        let mut client = Self::open(simulator, name).await;
        let answer = client.ask(&json!({ "trnm": "LOGIN", "token": client.token })).await;
        assert_eq!(answer, json!({ "trnm": "LOGIN", "return_code": 0, "return_msg": "", "sor_yn": "Y" }));
        client
    }

    pub async fn send(&mut self, text: String) {
        self.ws.send(Message::text(text)).await.expect("sent");
    }

    /// Takes one message; gives back what is neither data nor PING. None when the socket has ended.
    pub async fn take(&mut self) -> Option<Option<Value>> {
        let text = loop {
            match timeout(LIMIT, self.ws.next()).await.expect("a message in time")? {
                Ok(Message::Text(text)) => break text.as_str().to_owned(),
                Ok(Message::Close(frame)) => self.closed = frame,
                Ok(_) => {}
                Err(_) => return None,
            }
        };
        let Ok(value) = serde_json::from_str::<Value>(&text) else {
            self.spoilt.push(text);
            return Some(None);
        };
        match value["trnm"].as_str() {
            Some("PING") => {
                self.pings += 1;
                if self.echo {
                    self.send(text).await;
                }
                Some(None)
            }
            Some("REAL") => {
                let rows = value["data"].as_array().expect("rows");
                self.frames.push(rows.len());
                self.rows.extend(rows.iter().cloned());
                Some(None)
            }
            _ => Some(Some(value)),
        }
    }

    /// Sends a message and waits for the answer.
    pub async fn ask(&mut self, message: &Value) -> Value {
        self.send(message.to_string()).await;
        self.answer().await
    }

    /// The next message that is neither data nor PING.
    pub async fn answer(&mut self) -> Value {
        loop {
            if let Some(value) = self.take().await.expect("open") {
                return value;
            }
        }
    }

    /// The return_code of REG or REMOVE of `items` and `types` in group 1.
    pub async fn change(&mut self, name: &str, items: &[&str], types: &[&str]) -> i64 {
        let data = json!([{ "item": items, "type": types }]);
        let mut message = json!({ "trnm": name, "grp_no": "1", "data": data });
        if name == "REG" {
            message["refresh"] = "1".into();
        }
        let answer = self.ask(&message).await;
        answer["return_code"].as_i64().expect("code")
    }

    /// Waits for so many rows in all.
    pub async fn receive(&mut self, count: usize) {
        while self.rows.len() < count {
            assert_eq!(self.take().await.expect("open"), None);
        }
    }

    /// Takes what comes until the socket has ended.
    pub async fn until_end(&mut self) -> Vec<Value> {
        let mut answers = Vec::new();
        while let Some(message) = self.take().await {
            answers.extend(message);
        }
        answers
    }

    /// Takes what comes until nothing has come for `quiet`.
    pub async fn drain(&mut self, quiet: Duration) {
        let drained = async { while let Ok(Some(_)) = timeout(quiet, self.take()).await {} };
        timeout(LIMIT, drained).await.expect("quiet in time");
    }
}

/// The text of a FID.
pub fn text<'a>(row: &'a Value, fid: &str) -> &'a str {
    row["values"][fid].as_str().unwrap_or("")
}

/// The whole number of a FID.
pub fn int(row: &Value, fid: &str) -> i64 {
    text(row, fid).trim().parse().expect("a number")
}
