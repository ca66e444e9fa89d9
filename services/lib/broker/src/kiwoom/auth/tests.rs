//! Tokens against a broker on this machine that counts what it is asked.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::routing::post;

use super::*;
use crate::tls;

/// Gives the same answer to everybody, and keeps what it was asked.
#[derive(Clone)]
struct Broker {
    answer: Arc<dyn Fn(u32) -> (StatusCode, String) + Send + Sync>,
    asked: Arc<AtomicU32>,
    last: Arc<Mutex<(String, String)>>,
}

async fn answer(State(broker): State<Broker>, request: Request) -> (StatusCode, String) {
    let agent = request.headers().get("user-agent").and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let agent = agent.to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.expect("body");
    *broker.last.lock().expect("last") = (agent, String::from_utf8(body.to_vec()).expect("text"));
    let number = broker.asked.fetch_add(1, Ordering::Relaxed) + 1;
    (broker.answer)(number)
}

/// Starts one; gives its address.
async fn broker(answers: impl Fn(u32) -> (StatusCode, String) + Send + Sync + 'static) -> (Broker, String) {
    let broker = Broker { answer: Arc::new(answers), asked: Arc::default(), last: Arc::default() };
    let router = Router::new().route("/oauth2/token", post(answer)).with_state(broker.clone());
    (broker, serve(router).await)
}

pub(in crate::kiwoom) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

pub(in crate::kiwoom) fn credentials(name: &str) -> Credentials {
    Credentials {
        name: name.to_owned(),
        app_key: format!("appkey-{name}"),
        app_secret: format!("secret-{name}"),
    }
}

/// As captured, with a token of its own number.
pub(in crate::kiwoom) fn token_answer(number: u32) -> String {
    format!(
        r#"{{"expires_dt":"20991231235959","return_msg":"정상적으로 처리되었습니다","token_type":"Bearer","return_code":0,"token":"token-{number}"}}"#
    )
}

fn auth(address: &str, folder: Option<&Path>) -> KiwoomAuth {
    let tls = tls::client(None).expect("tls");
    KiwoomAuth::new(address, &tls, &[credentials("main")], folder).expect("client")
}

#[tokio::test]
async fn two_processes_that_ask_at_once_share_one_token() {
    let folder = tempfile::tempdir().expect("folder");
    let (broker, address) = broker(|number| (StatusCode::OK, token_answer(number))).await;
    let (one, two) = (auth(&address, Some(folder.path())), auth(&address, Some(folder.path())));
    let asked = [one.token(0, 0), two.token(0, 0), one.token(0, 0), two.token(0, 0)];
    for token in futures_util::future::join_all(asked).await {
        let token = token.expect("token");
        assert_eq!((token.expose(), token.expires_ns), ("token-1", 4_102_412_399_000_000_000));
    }
    assert_eq!(broker.asked.load(Ordering::Relaxed), 1);
    let (agent, body) = broker.last.lock().expect("last").clone();
    assert_eq!(agent, crate::USER_AGENT);
    let body: serde_json::Value = serde_json::from_str(&body).expect("json");
    let expected = serde_json::json!({
        "grant_type": "client_credentials", "appkey": "appkey-main", "secretkey": "secret-main",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_dead_token_is_issued_anew_once() {
    let folder = tempfile::tempdir().expect("folder");
    let (broker, address) = broker(|number| (StatusCode::OK, token_answer(number))).await;
    let (one, two) = (auth(&address, Some(folder.path())), auth(&address, Some(folder.path())));
    for auth in [&one, &two] {
        auth.token(0, 0).await.expect("token").mark_dead();
    }
    let again = [one.token(0, 0), two.token(0, 0)];
    for token in futures_util::future::join_all(again).await {
        assert_eq!(token.expect("token").expose(), "token-2");
    }
    assert_eq!(broker.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn refused_credentials_need_a_person_and_are_not_shown_again() {
    let refused =
        r#"{"return_code":3,"return_msg":"실패[8001:App Key와 Secret Key 검증에 실패했습니다 appkey-main]"}"#;
    let (broker, address) = broker(|_| (StatusCode::OK, refused.to_owned())).await;
    let auth = auth(&address, None);
    for _ in 0..2 {
        let error = auth.token(0, 0).await.expect_err("refused");
        let OpenError::Credentials(problem) = error else { panic!("{error:?}") };
        assert!(problem.contains("key main: 8001") && !problem.contains("appkey-main"), "{problem}");
    }
    assert_eq!(broker.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn everything_else_is_trouble_that_passes() {
    for (status, body, told) in [
        (StatusCode::BAD_REQUEST, "<html>Request Blocked</html>", "400"),
        (StatusCode::BAD_GATEWAY, "", "502"),
        (StatusCode::OK, r#"{"return_code":3,"return_msg":"[8006:x]"}"#, "8006"),
        (StatusCode::TOO_MANY_REQUESTS, r#"{"return_code":5,"return_msg":"[1700:x]"}"#, "1700"),
        (StatusCode::OK, r#"{"return_code":0,"token":"t","expires_dt":"tomorrow"}"#, "expires_dt"),
        (StatusCode::OK, r#"{"return_code":0,"token":"","expires_dt":"20991231235959"}"#, "token"),
    ] {
        let (_broker, address) = broker(move |_| (status, body.to_owned())).await;
        let error = auth(&address, None).token(0, 0).await.expect_err(told);
        assert!(matches!(&error, OpenError::Temporary(problem) if problem.contains(told)), "{error:?}");
    }
    let nobody = auth("http://127.0.0.1:1", None).token(0, 0).await.expect_err("nobody");
    assert!(matches!(&nobody, OpenError::Temporary(problem) if !problem.contains("secret-main")));
}

#[tokio::test]
async fn a_number_without_a_key_is_told() {
    let auth = auth("http://127.0.0.1:1", None);
    assert!(matches!(auth.token(1, 0).await, Err(OpenError::Credentials(_))));
    assert!(auth.state(1).is_none() && auth.keys() == 1);
}
