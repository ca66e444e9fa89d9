//! The feed as a cell uses it: open a connection, hear data.

use std::time::Duration;

use axum::Router;
use axum::routing::post;
use futures_util::{SinkExt, StreamExt};
use market::universe::Universe;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::connection::{self, Dialer, LinkNote, Received};
use crate::feed::Note;
use crate::kiwoom::auth::tests::{credentials, serve, token_answer};

/// A broker that lets one client in, confirms one REG and sends one frame before the answer.
async fn websocket() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("client");
        let mut socket = tokio_tungstenite::accept_async(socket).await.expect("handshake");
        let login = socket.next().await.expect("login").expect("text").into_text().expect("text");
        assert_eq!(login.as_str(), r#"{"trnm":"LOGIN","token":"token-1"}"#);
        let mut say = async |text: &str| socket.send(Message::text(text)).await.expect("sent");
        say(r#"{"trnm":"LOGIN","return_code":0,"return_msg":"","sor_yn":"Y"}"#).await;
        say(r#"{"trnm":"REAL","data":[]}"#).await;
        say(r#"{"trnm":"REG","return_code":0,"return_msg":""}"#).await;
        // Keeps the connection until the client leaves.
        while let Some(Ok(_)) = socket.next().await {}
    });
    format!("ws://{address}/api/dostk/websocket")
}

#[tokio::test]
async fn a_connection_logs_in_registers_and_hears_data() {
    let token = || async { token_answer(1) };
    let rest_url = serve(Router::new().route("/oauth2/token", post(token))).await;
    let ws_url = websocket().await;
    let settings = BrokerSettings { rest_url, ws_url, keys: vec![credentials("main")], ..defaults() };
    let calendar = Calendar::built_in().clone();
    let feed = KiwoomFeed::new(settings, calendar.clone()).expect("feed");
    let universe =
        Universe::from_yaml("symbols:\n- {symbol: 005930, tapes: [krx, nxt]}\n").expect("universe");
    let wanted = universe.carried(Market::Kr, Source::Kiwoom, &[Source::Kiwoom]);
    assert_eq!(feed.lines().follow(feed.registrations(&wanted)), []);
    let opening = feed.open(0).await.expect("opening");
    let tls = tls::client(None).expect("tls");
    let connection = "main".to_owned();
    let pulse = Arc::default();
    let dialer = Dialer { connection, tls, market: Market::Kr, calendar, always_open: true, pulse };
    let (out, mut received) = mpsc::channel(16);
    let stop = CancellationToken::new();
    let (idle, until, line) = (CancellationToken::new(), stop.clone(), feed.lines().wanted(0));
    let run = tokio::spawn(async move { connection::run(&dialer, opening, line, &out, &idle, &until).await });
    let mut heard = Vec::new();
    while heard.len() < 3 {
        let next = timeout(Duration::from_secs(10), received.recv()).await.expect("in time").expect("open");
        heard.push(match next {
            Received::Frame(frame) => String::from_utf8(frame.text.to_vec()).expect("text"),
            Received::Note { note: LinkNote::Protocol(Note::Settled { registered, refused }), .. } => {
                format!("settled {registered} {refused}")
            }
            Received::Note { note, .. } => format!("{note:?}"),
        });
    }
    assert_eq!(heard, ["Up", r#"{"trnm":"REAL","data":[]}"#, "settled 2 0"]);
    stop.cancel();
    run.await.expect("ended");
    assert!(matches!(feed.open(1).await, Err(OpenError::Credentials(_))));
}
