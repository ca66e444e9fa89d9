//! LOGIN, REG, REMOVE, limits, sessions, PING (kiwoom.md 3).

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::super::support::Simulator;
use super::support::{Client, connect, token};

#[tokio::test]
async fn nothing_is_heard_before_the_login_and_dead_tokens_are_refused() {
    let simulator = Simulator::start("rate = 1000").await;
    let mut client = Client::open(&simulator, "demo").await;
    assert_eq!(client.change("REG", &["005930"], &["0D"]).await, 100_013);
    let answer = client.ask(&json!({ "trnm": "LOGIN", "token": "nothing" })).await;
    assert_eq!((answer["trnm"].as_str(), answer["return_code"].as_i64()), (Some("LOGIN"), Some(805_004)));
    assert!(answer["return_msg"].as_str().is_some_and(|text| text.contains("[CODE=8005, MESSAGE=")));
    assert_eq!(client.ask(&json!({ "trnm": "LOGIN" })).await["return_code"], 805_002);
    // A second token ends the first.
    let second = token(&simulator, "demo").await;
    let login = |token: &str| json!({ "trnm": "LOGIN", "token": token });
    assert_eq!(client.ask(&login(&client.token.clone())).await["return_code"], 805_004);
    assert_eq!(client.ask(&login(&second)).await["return_code"], 0);
    assert_eq!(client.ask(&json!({ "trnm": "DANCE" })).await["return_code"], 105_108);
    assert_eq!(client.ask(&json!({ "trnm": "REG", "grp_no": "1" })).await["return_code"], 100_002);
    simulator.end().await;
}

#[tokio::test]
async fn nonsense_is_acknowledged_and_silent_and_remove_names_its_group() {
    let simulator = Simulator::start("rate = 2000").await;
    let mut client = Client::login(&simulator, "demo").await;
    assert_eq!(client.change("REG", &["XXXXXX", "069500_NX", "005930"], &["0D", "0S"]).await, 0);
    client.receive(50).await;
    assert!(client.rows.iter().all(|row| row["item"] == "005930" && row["type"] == "0D"));
    let other = json!({ "trnm": "REMOVE", "grp_no": "2", "data": [{ "item": ["005930"], "type": ["0D"] }] });
    assert_eq!(client.ask(&other).await["return_code"], 0);
    let seen = client.rows.len();
    client.receive(seen + 50).await;
    assert_eq!(client.change("REMOVE", &["005930"], &["0D"]).await, 0);
    // What was made before is still on its way; then there is silence.
    simulator.stop_events().await;
    simulator.post("/control/start", &json!(null)).await;
    client.drain(Duration::from_secs(1)).await;
    assert_eq!(client.change("REG", &["000660"], &["0D"]).await, 0);
    let seen = client.rows.len();
    client.receive(seen + 20).await;
    assert!(client.rows[seen..].iter().all(|row| row["item"] == "000660"));
    simulator.end().await;
}

#[tokio::test]
async fn items_and_requests_have_limits() {
    let simulator = Simulator::start("rate = 1\nkiwoom_items = 3").await;
    let mut client = Client::login(&simulator, "demo").await;
    assert_eq!(client.change("REG", &["005930", "005930_NX", "005930_AL"], &["0B", "0D"]).await, 0);
    assert_eq!(client.change("REG", &["000660"], &["0B"]).await, 105_115);
    assert_eq!(client.change("REG", &["005930"], &["0H"]).await, 0);
    assert_eq!(client.change("REMOVE", &["005930_AL"], &["0B", "0D"]).await, 0);
    assert_eq!(client.change("REG", &["000660"], &["0B"]).await, 0);
    let start = Instant::now();
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(client.change("REG", &["000660"], &["0B"]).await);
    }
    assert!(codes.contains(&105_110) || start.elapsed() > Duration::from_millis(700), "{codes:?}");
    simulator.end().await;
}

#[tokio::test]
async fn the_newest_session_of_a_key_wins() {
    let simulator = Simulator::start("rate = 1").await;
    let mut first = Client::login(&simulator, "demo").await;
    let mut other = Client::login(&simulator, "demo2").await;
    let mut second = Client::with(&simulator, first.token.clone()).await;
    let login = json!({ "trnm": "LOGIN", "token": second.token });
    assert_eq!(second.ask(&login).await["return_code"], 0);
    let said = first.until_end().await;
    assert_eq!((said[0]["trnm"].as_str(), said[0]["code"].as_str()), (Some("SYSTEM"), Some("R10001")));
    let close = first.closed.expect("a close frame");
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1_000, "Bye"));
    assert_eq!(second.change("REG", &["005930"], &["0B"]).await, 0);
    assert_eq!(other.change("REG", &["005930"], &["0B"]).await, 0);
    simulator.end().await;
}

#[tokio::test]
async fn pings_come_and_must_come_back_unchanged() {
    let simulator =
        Simulator::start("rate = 1\nkiwoom_ping_seconds = 1\nkiwoom_pong_limit_seconds = 2").await;
    let mut good = Client::login(&simulator, "demo").await;
    let mut bad = Client::login(&simulator, "demo2").await;
    bad.echo = false;
    let keep = async {
        while good.pings < 4 {
            good.take().await.expect("open");
        }
    };
    let lose = async {
        bad.take().await.expect("open");
        bad.send("{\"trnm\": \"PING\"}".to_owned()).await;
        bad.until_end().await;
    };
    tokio::join!(keep, lose);
    let close = bad.closed.expect("a close frame");
    assert_eq!((u16::from(close.code), bad.pings < 5), (1_000, true));
    simulator.end().await;
}

#[tokio::test]
async fn the_filter_and_the_path_guard_the_socket() {
    let simulator = Simulator::start("rate = 1").await;
    let refused = connect(&simulator, "Python/3.11 aiohttp/3.9").await.expect_err("a refusal");
    let Error::Http(answer) = refused else { panic!("another refusal: {refused}") };
    assert_eq!(answer.status(), 400);
    assert!(
        String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).contains("Request Blocked")
    );
    let mut elsewhere = simulator;
    elsewhere.kiwoom_websocket = elsewhere.kiwoom_websocket.replace("/api/dostk/websocket", "/tryitout");
    assert!(connect(&elsewhere, "test").await.is_err());
    elsewhere.end().await;
}

#[tokio::test]
async fn https_and_wss_with_the_own_authority() {
    let simulator = Simulator::start("rate = 1\ntls = true").await;
    let pem = std::fs::read(simulator.path("ca.pem")).expect("ca.pem");
    let authority = reqwest::Certificate::from_pem(&pem).expect("PEM");
    let http =
        reqwest::Client::builder().tls_certs_only([authority]).user_agent("test").build().expect("client");
    let keys = json!({ "grant_type": "client_credentials", "appkey": "demo-app-key", "secretkey": "demo-app-secret" });
    let request = http.post(format!("{}/oauth2/token", simulator.kiwoom_rest)).json(&keys);
    let answer: serde_json::Value = request.send().await.expect("https").json().await.expect("JSON");
    assert_eq!(answer["return_code"], 0);
    let mut roots = rustls::RootCertStore::empty();
    let certificate =
        <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(&pem);
    roots.add(certificate.expect("PEM")).expect("root");
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = tokio_tungstenite::Connector::Rustls(std::sync::Arc::new(config));
    let mut request = simulator.kiwoom_websocket.as_str().into_client_request().expect("request");
    request.headers_mut().insert("user-agent", HeaderValue::from_static("test"));
    let connect = tokio_tungstenite::connect_async_tls_with_config(request, None, false, Some(connector));
    assert!(connect.await.is_ok());
    simulator.end().await;
}
