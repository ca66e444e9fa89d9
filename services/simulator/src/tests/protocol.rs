//! The control protocol: every refusal of kis.md 2.3 that a client can provoke, limits, sessions, PINGPONG, TLS.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::support::{Client, LIMIT, Simulator};

fn refused(code: &str) -> (String, String, String) {
    ("(null)".to_owned(), "9".to_owned(), code.to_owned())
}

fn answered(tr: &str, rt_cd: &str, code: &str) -> (String, String, String) {
    (tr.to_owned(), rt_cd.to_owned(), code.to_owned())
}

#[tokio::test]
async fn every_slip_has_its_code() {
    let simulator = Simulator::start("rate = 1").await;
    let mut client = simulator.client("demo").await;
    client.send("{\"header\":".to_owned()).await;
    assert_eq!(client.control().await["body"]["msg_cd"], "OPSP9999");

    let good = client.request("1", "H0STCNT0", "005930");
    let without = |pointer: &str, name: &str| {
        let mut message = good.clone();
        message.pointer_mut(pointer).and_then(Value::as_object_mut).expect("object").remove(name);
        message
    };
    let with = |pointer: &str, value: &str| {
        let mut message = good.clone();
        *message.pointer_mut(pointer).expect("field") = value.into();
        message
    };
    for (message, code) in [
        (without("", "header"), "OPSP9998"),
        (without("", "body"), "OPSP9992"),
        (without("/body", "input"), "OPSP9991"),
        (without("/body/input", "tr_key"), "OPSP9990"),
        (without("/body/input", "tr_id"), "OPSP8991"),
        (without("/header", "custtype"), "OPSP9997"),
        (with("/header/custtype", "X"), "OPSP8998"),
        (with("/header/tr_type", "0"), "OPSP8997"),
        (with("/header/approval_key", "unknown"), "OPSP0011"),
        (without("/header", "approval_key"), "OPSP0011"),
        (with("/body/input/tr_id", "H0STXXX0"), "OPSP8993"),
        (with("/body/input/tr_key", "5930"), "OPSP8992"),
        (with("/body/input/tr_key", "DNASAAPL"), "OPSP8992"),
    ] {
        assert_eq!(client.ask(&message).await, refused(code), "{message}");
    }

    let bad = client.request("2", "H0STCNT0", "005930");
    assert_eq!(client.ask(&bad).await, answered("H0STCNT0", "1", "OPSP0003"));
    assert_eq!(client.ask(&good).await, answered("H0STCNT0", "0", "OPSP0000"));
    assert_eq!(client.ask(&good).await, answered("H0STCNT0", "1", "OPSP0002"));
    assert_eq!(client.ask(&bad).await, answered("H0STCNT0", "0", "OPSP0001"));
    simulator.end().await;
}

#[tokio::test]
async fn the_42nd_registration_is_refused_and_silent() {
    let simulator = Simulator::start("rate = 5000").await;
    let mut client = simulator.client("demo").await;
    for n in 0..41 {
        client.subscribe("H0STASP0", &format!("{:06}", 100 + n)).await;
    }
    let over = client.request("1", "H0STASP0", "000999");
    assert_eq!(client.ask(&over).await, answered("H0STASP0", "1", "OPSP0008"));
    let seen = client.data.len();
    client.receive(500).await;
    assert!(client.data[seen..].iter().all(|frame| !frame.contains("|000999^")));
    let free = client.request("2", "H0STASP0", "000100");
    assert_eq!(client.ask(&free).await, answered("H0STASP0", "0", "OPSP0001"));
    client.subscribe("H0STASP0", "000999").await;
    simulator.end().await;
}

#[tokio::test]
async fn the_second_session_of_a_key_waits_for_the_first() {
    let simulator = Simulator::start("rate = 1").await;
    let mut first = simulator.client("demo").await;
    first.subscribe("H0STCNT0", "005930").await;
    let (ws, _) = tokio_tungstenite::connect_async(&simulator.websocket).await.expect("socket");
    let mut second = Client { ws, approval: first.approval.clone(), data: Vec::new() };
    let request = second.request("1", "H0STASP0", "005930");
    assert_eq!(second.ask(&request).await, refused("OPSP8996"));
    let mut other = simulator.client("demo2").await;
    other.subscribe("H0STASP0", "005930").await;

    first.ws.send(Message::Close(None)).await.expect("sent");
    loop {
        match timeout(LIMIT, first.ws.next()).await.expect("in time") {
            Some(Ok(_)) => {}
            Some(Err(error)) => panic!("no clean close: {error}"),
            None => break,
        }
    }
    let start = Instant::now();
    while second.ask(&request).await != answered("H0STASP0", "0", "OPSP0000") {
        assert!(start.elapsed() < LIMIT, "the session is never free");
    }
    simulator.end().await;
}

/// Counts PINGPONGs while answering by `answer`, until there are three or the socket has ended.
async fn pings(client: &mut Client, answer: fn(String) -> Message) -> usize {
    let mut count = 0;
    while count < 3 {
        let Ok(Some(text)) = client.next().await else { return count };
        if !text.starts_with('{') {
            continue;
        }
        let ping: Value = serde_json::from_str(&text).expect("JSON");
        if ping["header"]["tr_id"] == "(null)" {
            // The refusal of an answer that was none.
            continue;
        }
        assert_eq!(ping["header"]["tr_id"], "PINGPONG");
        assert_eq!((text.len(), ping["header"]["datetime"].as_str().map(str::len)), (59, Some(14)));
        count += 1;
        client.ws.send(answer(text)).await.expect("sent");
    }
    count
}

#[tokio::test]
async fn pingpong_comes_on_quiet_and_busy_lines_and_all_answers_count() {
    let simulator = Simulator::start("rate = 20000\nping_seconds = 1\npong_limit_seconds = 2").await;
    let mut quiet = simulator.client("demo").await;
    let mut busy = simulator.client("demo2").await;
    busy.subscribe("H0STASP0", "005930").await;
    let text = |text: String| Message::text(text);
    let pong = |text: String| Message::Pong(Bytes::from(text));
    let (quiet, busy) = tokio::join!(pings(&mut quiet, text), pings(&mut busy, pong));
    assert_eq!((quiet, busy), (3, 3));
    simulator.end().await;
}

#[tokio::test]
async fn an_unanswered_pingpong_cuts_the_socket() {
    let simulator = Simulator::start("rate = 1\nping_seconds = 1\npong_limit_seconds = 1").await;
    let mut client = simulator.client("demo").await;
    let start = Instant::now();
    let count = pings(&mut client, |_| Message::text("{\"header\":{\"tr_id\":\"x\"}}")).await;
    // The second PINGPONG falls together with the end of the limit.
    assert!((1..=2).contains(&count), "{count}");
    assert!(start.elapsed() >= Duration::from_millis(1_900), "{:?}", start.elapsed());
    simulator.end().await;
}

#[tokio::test]
async fn only_the_documented_paths_are_websockets() {
    let simulator = Simulator::start("rate = 1").await;
    let base = simulator.websocket.trim_end_matches("/tryitout").to_owned();
    for path in ["", "/", "/tryitout", "/tryitout/H0STCNT0"] {
        assert!(tokio_tungstenite::connect_async(format!("{base}{path}")).await.is_ok(), "{path}");
    }
    assert!(tokio_tungstenite::connect_async(format!("{base}/other")).await.is_err());
    simulator.end().await;
}

#[tokio::test]
async fn https_and_wss_with_the_own_authority() {
    let simulator = Simulator::start("rate = 1000\ntls = true").await;
    let pem = std::fs::read(simulator.path("ca.pem")).expect("ca.pem");
    let body = json!({ "grant_type": "client_credentials", "appkey": "demo-app-key", "secretkey": "demo-app-secret" });
    let url = format!("{}/oauth2/Approval", simulator.rest);
    assert!(
        reqwest::Client::new().post(&url).json(&body).send().await.is_err(),
        "an unknown authority was trusted"
    );
    let authority = reqwest::Certificate::from_pem(&pem).expect("PEM");
    let http = reqwest::Client::builder().tls_certs_only([authority]).build().expect("client");
    let answer: Value = http.post(&url).json(&body).send().await.expect("https").json().await.expect("JSON");
    let approval = answer["approval_key"].as_str().expect("key").to_owned();

    let mut roots = rustls::RootCertStore::empty();
    let certificate =
        <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(&pem);
    roots.add(certificate.expect("PEM")).expect("root");
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = tokio_tungstenite::Connector::Rustls(std::sync::Arc::new(config));
    let connect =
        tokio_tungstenite::connect_async_tls_with_config(&simulator.websocket, None, false, Some(connector));
    let (ws, _) = connect.await.expect("wss");
    let mut client = Client { ws, approval, data: Vec::new() };
    client.subscribe("H0STCNT0", "005930").await;
    client.receive(20).await;
    simulator.end().await;
}
