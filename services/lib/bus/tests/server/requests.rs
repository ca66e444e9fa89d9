//! Pages asked for and answered over a real server, with the users that may.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::service::Stats;
use bus::{AskError, Client, Place, Refused, Responder, ask, ask_at};
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::task::JoinHandle;

use crate::support::{LIMIT, NatsServer};

const FIRST_PAGE: &[u8] = br#"{"parameters":{"stk_cd":"005930"}}"#;

async fn client(server: &NatsServer, user: &str) -> Client {
    let client = bus::connect(&server.settings(), user).await.expect("client");
    assert!(bus::connected(&client, LIMIT).await, "no connection as {user}");
    client
}

async fn responder(server: &NatsServer, service: &str, source: &str) -> Responder {
    let responder = Responder::start(&server.settings(), service, "0.1.0", source).await.expect("responder");
    assert!(responder.ready(LIMIT).await, "{service}");
    responder
}

/// Answers everything: `{"by": service, "call": call}`; `refuse` is refused, `large` is larger than the bus.
fn answering(mut responder: Responder, service: &'static str) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(asked) = responder.next().await {
            let answer = match asked.call.as_str() {
                "refuse" => Err(Refused::new(422, "refused", "8005: 토큰이\n유효하지 않습니다")),
                "large" => Ok(Bytes::from(format!("\"{}\"", "x".repeat(1 << 20)))),
                "drop" => continue,
                call => Ok(Bytes::from(format!(r#"{{"by":"{service}","call":"{call}"}}"#))),
            };
            asked.answer(answer).await;
        }
    })
}

async fn first_page(client: &Client, source: &str, call: &str) -> Result<Bytes, AskError> {
    ask(client, source, call, Bytes::from_static(FIRST_PAGE), LIMIT).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_asked_for_and_answered_or_refused_with_its_reason() {
    let server = NatsServer::start_with_users().await;
    answering(responder(&server, "kiwoom-service", "kiwoom").await, "kiwoom-service");
    for user in ["gap-finder", "sise"] {
        let client = client(&server, user).await;
        let answer = first_page(&client, "kiwoom", "ka10079").await.expect("answer");
        assert_eq!(answer, r#"{"by":"kiwoom-service","call":"ka10079"}"#, "{user}");
        let refused = first_page(&client, "kiwoom", "refuse").await.expect_err("refused");
        assert_eq!(
            refused,
            AskError::Refused(Refused::new(422, "refused", "8005: 토큰이 유효하지 않습니다"))
        );
        let large = first_page(&client, "kiwoom", "large").await.expect_err("too large");
        assert!(
            matches!(large, AskError::Refused(Refused { code: 413, ref word, .. }) if word == "too_large")
        );
        let dropped = first_page(&client, "kiwoom", "drop").await.expect_err("dropped");
        assert!(
            matches!(dropped, AskError::Refused(Refused { code: 503, ref word, .. }) if word == "stopped")
        );
        let no_json = ask(&client, "kiwoom", "ka10079", Bytes::from_static(b"{"), LIMIT).await;
        assert!(
            matches!(no_json, Err(AskError::Refused(Refused { code: 400, ref word, .. })) if word == "json")
        );
        let subject = "rest.kis.ka10079".to_owned();
        assert_eq!(first_page(&client, "kis", "ka10079").await, Err(AskError::NobodyAnswers { subject }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn services_of_a_source_share_its_requests() {
    let server = NatsServer::start_with_users().await;
    answering(responder(&server, "kis-service", "kis").await, "kis-service");
    answering(responder(&server, "us-service", "kis").await, "us-service");
    let client = client(&server, "gap-finder").await;
    let answers = join_all((0..64).map(|_| first_page(&client, "kis", "FHPST01060000"))).await;
    let mut by = HashMap::<Bytes, usize>::new();
    for answer in answers {
        *by.entry(answer.expect("answer")).or_default() += 1;
    }
    // 2 in 2^64 that one of them gets none.
    assert_eq!((by.len(), by.values().sum::<usize>()), (2, 64), "{by:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_bounded_and_told_at_the_stop() {
    let server = NatsServer::start_with_users().await;
    // Nobody takes from it: 64 requests wait, the others are told at once.
    let waiting = responder(&server, "kis-service", "kis").await;
    let client = client(&server, "sise").await;
    let asking: Vec<_> = (0..70)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { first_page(&client, "kis", "FHPST01060000").await })
        })
        .collect();
    crate::support::until("six are told that it is busy", || async {
        asking.iter().filter(|asking| asking.is_finished()).count() == 6
    })
    .await;
    waiting.stop(LIMIT).await;
    let mut words = HashMap::<String, usize>::new();
    for answer in join_all(asking).await {
        match answer.expect("no panic").expect_err("refused") {
            AskError::Refused(refused) => *words.entry(refused.word).or_default() += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!(words, HashMap::from([("busy".to_owned(), 6), ("stopped".to_owned(), 64)]));
    let after = first_page(&client, "kis", "FHPST01060000").await;
    assert!(matches!(after, Err(AskError::NobodyAnswers { .. })), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_responder_comes_back_with_its_server() {
    let mut server = NatsServer::start_with_users().await;
    let mut responder = responder(&server, "kiwoom-service", "kiwoom").await;
    let asker = client(&server, "sise").await;
    let early = tokio::spawn({
        let asker = asker.clone();
        async move { ask(&asker, "kiwoom", "early", Bytes::from_static(FIRST_PAGE), Duration::from_secs(5)).await }
    });
    let asked = responder.next().await.expect("asked");
    server.kill();
    server.start_again().await;
    assert!(responder.ready(LIMIT).await);
    // The old request came by a connection that is gone: its answer goes nowhere and harms nothing.
    asked.answer(Ok(Bytes::from_static(b"1"))).await;
    answering(responder, "kiwoom-service");
    assert!(bus::connected(&asker, LIMIT).await);
    // Both are connected; which of the two the server has heard first is not known.
    let deadline = std::time::Instant::now() + LIMIT;
    let answer = loop {
        match first_page(&asker, "kiwoom", "ka10079").await {
            Err(AskError::NobodyAnswers { .. }) if std::time::Instant::now() < deadline => {}
            answer => break answer.expect("answer"),
        }
    };
    assert_eq!(answer, r#"{"by":"kiwoom-service","call":"ka10079"}"#);
    assert!(matches!(
        early.await.expect("no panic"),
        Err(AskError::TimedOut { .. } | AskError::Connection(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_can_be_listed() {
    let server = NatsServer::start_with_users().await;
    answering(responder(&server, "us-service", "kis").await, "us-service");
    let client = client(&server, "sise").await;
    assert!(first_page(&client, "kis", "HHDFS76950200").await.is_ok());
    for subject in ["$SRV.PING", "$SRV.INFO.us-service"] {
        let answer = client.request(subject, Bytes::new()).await.expect("answer");
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload).expect("json");
        assert_eq!(answer["name"], "us-service", "{subject}");
    }
    let stats = client.request("$SRV.STATS.us-service", Bytes::new()).await.expect("answer");
    let stats: Stats = serde_json::from_slice(&stats.payload).expect("statistics");
    assert_eq!((stats.endpoints[0].subject.as_str(), stats.endpoints[0].requests), ("rest.kis.*", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archiver_answers_at_its_own_place_those_who_may_ask() {
    let server = NatsServer::start_with_users().await;
    let place =
        Place { prefix: "archiver", endpoint: "order", queue_group: "archiver", description: "orders" };
    let started = Responder::start_at(&server.settings(), "archiver", "0.1.0", place).await;
    let responder = started.expect("responder");
    assert!(responder.ready(LIMIT).await);
    answering(responder, "archiver");
    let long = Duration::from_secs(3);
    let asked = async |user: &str, call: &str| {
        let client = client(&server, user).await;
        ask_at(&client, format!("archiver.{call}"), Bytes::from_static(b"{}"), long).await
    };
    for (user, call) in [("gap-finder", "replay"), ("sise", "replay"), ("sise", "redrive")] {
        let answer = asked(user, call).await.expect("answer");
        assert_eq!(answer, format!(r#"{{"by":"archiver","call":"{call}"}}"#), "{user}");
    }
    for (user, call) in [("gap-finder", "redrive"), ("observer", "replay"), ("kis-service", "replay")] {
        let answer = asked(user, call).await;
        assert!(matches!(answer, Err(AskError::TimedOut { .. })), "{user}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_may_neither_ask_nor_answer() {
    let server = NatsServer::start_with_users().await;
    answering(responder(&server, "kis-service", "kis").await, "kis-service");
    let long = Duration::from_secs(3);
    let refused = ["gateway", "observer", "archiver", "kiwoom-service", "us-service"].map(|user| {
        let server = &server;
        async move {
            let client = client(server, user).await;
            let payload = Bytes::from_static(FIRST_PAGE);
            (user, ask(&client, "kis", "FHPST01060000", payload, long).await)
        }
    });
    for (user, answer) in join_all(refused).await {
        assert!(matches!(answer, Err(AskError::TimedOut { .. })), "{user}: {answer:?}");
    }
    // A cell of another source hears nothing, and so the asker learns at once that nobody answers.
    let foreign =
        Responder::start(&server.settings(), "kis-service", "0.1.0", "kiwoom").await.expect("responder");
    assert!(foreign.ready(LIMIT).await);
    let asker = client(&server, "sise").await;
    let answer = first_page(&asker, "kiwoom", "ka10079").await;
    assert!(matches!(answer, Err(AskError::NobodyAnswers { .. })), "{answer:?}");
    // A cell writes into no inbox on its own account.
    let mut inbox = asker.subscribe("_INBOX.sise.open").await.expect("subscribed");
    asker.flush().await.expect("flushed");
    let cell = client(&server, "kis-service").await;
    cell.publish("_INBOX.sise.open", Bytes::from_static(b"1")).await.expect("sent");
    cell.flush().await.expect("flushed");
    let got = tokio::time::timeout(long, futures_util::StreamExt::next(&mut inbox)).await;
    assert!(got.is_err(), "{got:?}");
}
