//! `nats/server.conf` and `nats/permissions.conf`: each service can do its work and nothing of another's.

use std::time::Duration;

use bus::publisher::Trouble;
use bus::{BatchLimits, Consumer, NatsSettings, Outgoing, Password, Publisher, Topology};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::support::{LIMIT, NatsServer, program, repository};

async fn with_streams() -> NatsServer {
    let server = NatsServer::start_with_users().await;
    let topology = Topology::load(&server.settings()).expect("topology");
    bus::topology::apply(&server.context("sise").await, &topology).await.expect("sise makes the streams");
    server
}

/// Whether `service` gets a message on `subject` stored.
async fn may_publish(server: &NatsServer, service: &str, subject: &str) -> bool {
    // A refusal has no answer: three seconds are long for a permitted message.
    let settings = NatsSettings { ack_timeout_ms: 10_000, ..server.settings() };
    let mut publisher = Publisher::new(&settings, service).expect("publisher");
    publisher.publish(Outgoing::new(subject, format!("{service} {subject}"), "x"), ()).await.expect("taken");
    publisher.drain(Instant::now() + Duration::from_secs(3)).await.is_ok()
}

#[test]
fn the_server_takes_the_configuration() {
    let folder = tempfile::tempdir().expect("folder");
    let config = repository().join("nats/server.conf");
    let check = program(folder.path()).arg("-t").arg("-c").arg(&config).output().expect("nats-server");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    // A password that is not there is an error, not an open door.
    let mut without = program(folder.path());
    without.env_remove("SISE__NATS__PASSWORDS__ARCHIVER").arg("-t").arg("-c").arg(&config);
    let check = without.output().expect("nats-server");
    assert!(!check.status.success());
    assert!(String::from_utf8_lossy(&check.stderr).contains("SISE__NATS__PASSWORDS__ARCHIVER"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_publishes_its_own_subjects_only() {
    let server = with_streams().await;
    for (service, own, other) in [
        (
            "kis-service",
            [
                "ticker.kr.kis.005930.krx",
                "orderbook.kr.kis.005930.nxt",
                "status.kr.kis.link_up",
                "deadletter.kr.kis.frame",
            ],
            ["ticker.kr.kiwoom.005930.krx", "ticker.us.kis.AAPL.us", "deadletter.kr.kiwoom.event"],
        ),
        (
            "us-service",
            [
                "ticker.us.kis.AAPL.us",
                "orderbook.us.kis.BRK/B.us",
                "status.us.kis.link_up",
                "deadletter.us.kis.frame",
            ],
            ["ticker.kr.kis.005930.krx", "status.kr.kis.link_up", "recovered.ticker.us.kis.AAPL.us"],
        ),
        (
            "kiwoom-service",
            [
                "ticker.kr.kiwoom.005930.krx",
                "orderbook.kr.kiwoom.005930.nxt",
                "status.kr.kiwoom.link_up",
                "deadletter.kr.kiwoom.frame",
            ],
            ["ticker.kr.kis.005930.krx", "orderbook.kr.kis.005930.krx", "status.kr.kis.link_up"],
        ),
    ] {
        // All at once: each refusal takes a second.
        let try_all = |subjects: Vec<&'static str>| {
            let server = &server;
            join_all(subjects.into_iter().map(move |subject| may_publish(server, service, subject)))
        };
        assert_eq!(try_all(own.into()).await, [true; 4], "{service} must publish {own:?}");
        assert_eq!(try_all(other.into()).await, [false; 3], "{service} must not publish {other:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_publish_no_event() {
    let server = with_streams().await;
    for service in ["archiver", "gap-finder", "gateway", "sise", "observer"] {
        assert!(!may_publish(&server, service, "ticker.kr.kis.005930.krx").await, "{service}");
    }
    assert!(may_publish(&server, "gap-finder", "recovered.ticker.kr.kiwoom.005930.krx").await);
    assert!(!may_publish(&server, "gateway", "recovered.ticker.kr.kiwoom.005930.krx").await);
    assert!(may_publish(&server, "archiver", "deadletter.kr.kis.event").await);
    let sise = server.context("sise").await;
    assert_eq!(bus::stream_state(&sise, "TICKER_KR_KIS").await.expect("state").messages, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gap_finder_tells_what_is_missing_and_what_came_of_it_and_nothing_else() {
    let server = with_streams().await;
    let try_all = |subjects: Vec<&'static str>| {
        let server = &server;
        join_all(subjects.into_iter().map(move |subject| may_publish(server, "gap-finder", subject)))
    };
    let own = [
        "recovered.ticker.kr.kiwoom.005930.krx",
        "status.kr.kiwoom.gap_opened",
        "status.us.kis.gap_closed",
        "status.kr.kis.recovery",
        "status.kr.kiwoom.day_total",
    ];
    assert_eq!(try_all(own.into()).await, [true; 5]);
    let other = [
        "ticker.kr.kiwoom.005930.krx",
        "orderbook.kr.kis.005930.krx",
        "status.kr.kiwoom.link_up",
        "status.kr.kis.ownership",
        "deadletter.kr.kiwoom.event",
        "recovered.orderbook.kr.kiwoom.005930.krx",
    ];
    assert_eq!(try_all(other.into()).await, [false; 6]);

    // It sees the state of every stream, and the messages of its own alone; it changes nothing.
    let mut context = server.context("gap-finder").await;
    context.set_timeout(Duration::from_secs(2));
    assert_eq!(bus::stream_state(&context, "TICKER_KR_KIS").await.expect("state").messages, 0);
    let recovered = context.get_stream("RECOVERED").await.expect("state");
    assert_eq!(recovered.get_raw_message(1).await.expect("message").payload, "x");
    assert!(recovered.purge().await.is_err() && recovered.delete_message(1).await.is_err());
    assert!(may_publish(&server, "kis-service", "ticker.kr.kis.005930.krx").await);
    let foreign = context.get_stream("TICKER_KR_KIS").await.expect("state");
    assert!(foreign.get_raw_message(1).await.is_err());
    assert!(!may_publish(&server, "gap-finder", "$KV.ownership.kr.A").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archiver_reads_acknowledges_and_looks() {
    let server = with_streams().await;
    assert!(may_publish(&server, "kis-service", "status.kr.kis.link_up").await);
    let context = server.context("archiver").await;
    let mut consumer =
        Consumer::open(&server.settings(), "archiver", "STATUS", "archiver").await.expect("consumer");
    let limits = BatchLimits { messages: 1, bytes: 1 << 20, wait: LIMIT };
    let deliveries = consumer.batch(limits).await.expect("batch");
    assert_eq!(deliveries.len(), 1);
    deliveries[0].in_progress().await.expect("said");
    deliveries[0].ack().await.expect("acknowledged");
    crate::support::until("the acknowledgement has come", || async {
        bus::durable_state(&context, "STATUS", "archiver").await.expect("state").ack_floor == 1
    })
    .await;
    assert_eq!(bus::stream_state(&context, "STATUS").await.expect("state").last_sequence, 1);
    // Streams and durables are not its business.
    assert!(context.delete_stream("STATUS").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_reads_last_messages_and_health_and_changes_nothing() {
    let server = with_streams().await;
    for symbol in ["005930", "000660", "005930"] {
        let (subject, id) = (format!("ticker.kr.kis.{symbol}.krx"), "same");
        let mut publisher = Publisher::new(&server.settings(), "kis-service").expect("publisher");
        publisher.publish(Outgoing::new(subject, format!("{id} {symbol}"), "x"), ()).await.expect("taken");
        publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");
    }
    let mut context = server.context("gateway").await;
    context.set_timeout(Duration::from_secs(2));
    let mut last: Vec<_> =
        bus::latest(&context, "TICKER_KR_KIS", "ticker.>").await.expect("last").into_iter().collect();
    last.sort_by_key(|message| message.stream_sequence);
    let last: Vec<_> = last.iter().map(|message| message.subject().to_owned()).collect();
    assert_eq!(last, ["ticker.kr.kis.005930.krx", "ticker.kr.kis.000660.krx"]);
    assert_eq!(bus::latest(&context, "STATUS", "status.>").await.expect("none").len(), 0);
    assert!(bus::latest(&context, "NO_SUCH_STREAM", ">").await.is_err());
    let health = bus::Bucket::open(&context, bus::bucket::HEALTH).await.expect("bucket");
    assert!(health.get::<market::Health>("kr.kis").await.expect("read").is_none());
    assert!(!may_publish(&server, "gateway", "$KV.health.kr.kis").await);
    assert!(!may_publish(&server, "gateway", "status.kr.kis.link_up").await);
    assert!(context.delete_stream("STATUS").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_sees_what_passes() {
    let server = with_streams().await;
    let context = server.context("observer").await;
    let mut tap = bus::Tap::open(&context.client(), "ticker.kr.kis.>").await.expect("tap");
    context.client().flush().await.expect("subscribed");
    assert!(may_publish(&server, "kis-service", "ticker.kr.kis.005930.krx").await);
    let passing = tokio::time::timeout(LIMIT, tap.next()).await.expect("in time").expect("message");
    assert_eq!(passing.subject, "ticker.kr.kis.005930.krx");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told() {
    let server = with_streams().await;
    let settings =
        NatsSettings { user: "kis-service".into(), password: Password::new("wrong"), ..server.settings() };
    let mut publisher = Publisher::new(&settings, "kis-service").expect("publisher");
    publisher.publish(Outgoing::new("ticker.kr.kis.x.krx", "id", "x"), ()).await.expect("taken");
    let error = publisher.drain(Instant::now() + Duration::from_secs(5)).await.expect_err("refused");
    assert_eq!((error.left, error.trouble), (1, Some(Trouble::Credentials)));
}
