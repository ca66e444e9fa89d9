//! Nothing is forgotten before it is stored, whatever the server does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::publisher::{MAX_MESSAGE, Trouble};
use bus::{BatchLimits, Consumer, Context, Outgoing, PublishError, Publisher, Topology, stream_state};
use tokio::time::{Instant, timeout};

use crate::support::{LIMIT, NatsServer, Proxy, settings, until};

fn message(number: u64) -> Outgoing {
    Outgoing::new("ticker.kr.kis.005930.krx", format!("id-{number}"), number.to_string())
}

async fn messages(context: &Context, stream: &str) -> u64 {
    stream_state(context, stream).await.expect("state").messages
}

/// The payloads of a stream, as numbers, in the order of the stream.
pub async fn stored(server: &NatsServer, stream: &str) -> Vec<u64> {
    let count = messages(&server.context("archiver").await, stream).await;
    let mut consumer =
        Consumer::open(&server.settings(), "archiver", stream, "archiver").await.expect("consumer");
    let limits = BatchLimits { messages: 10_000, bytes: 64 << 20, wait: Duration::from_millis(200) };
    let mut numbers = BTreeMap::new();
    let deadline = Instant::now() + LIMIT;
    while u64::try_from(numbers.len()).expect("small") < count {
        assert!(Instant::now() < deadline, "only {} of {count} came", numbers.len());
        for delivery in consumer.batch(limits).await.expect("batch") {
            let number: u64 = std::str::from_utf8(delivery.payload()).expect("text").parse().expect("number");
            numbers.insert(delivery.stream_sequence, number);
            delivery.ack().await.expect("acknowledged");
        }
    }
    numbers.into_values().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn answered_timeout_though_stored_leaves_one_message() {
    let server = NatsServer::start().await.with_streams().await;
    let proxy = Proxy::start(server.port()).await;
    let context = server.context("sise").await;
    let settings = bus::NatsSettings { ack_timeout_ms: 200, ..settings(proxy.port()) };
    let mut publisher = Publisher::new(&settings, "kis-service").expect("publisher");
    publisher.publish(message(1), 1_u64).await.expect("taken");
    timeout(LIMIT, publisher.progress()).await.expect("acknowledged");

    proxy.swallow(true);
    publisher.publish(message(2), 2).await.expect("taken");
    until("it is stored, though not answered", || async { messages(&context, "TICKER_KR_KIS").await == 2 })
        .await;
    let error = publisher.drain(Instant::now() + Duration::from_millis(500)).await.expect_err("no answer");
    assert_eq!(error.left, 1);
    assert_eq!(publisher.acknowledged(), Some(1));
    assert_eq!(messages(&context, "TICKER_KR_KIS").await, 2, "stored once");

    proxy.swallow(false);
    publisher.drain(Instant::now() + LIMIT).await.expect("drained");
    assert_eq!(publisher.acknowledged(), Some(2));
    assert_eq!(stored(&server, "TICKER_KR_KIS").await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_costs_neither_messages_nor_order() {
    let mut server = NatsServer::start().await.with_streams().await;
    let settings = server.settings();
    let enough = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&enough);
    let publishing = tokio::spawn(async move {
        let mut publisher = Publisher::new(&settings, "kis-service").expect("publisher");
        let mut number = 0;
        while !told.load(Ordering::SeqCst) {
            publisher.publish(message(number), number).await.expect("taken");
            number += 1;
        }
        publisher.drain(Instant::now() + LIMIT).await.expect("drained");
        assert_eq!(publisher.acknowledged(), Some(number - 1));
        number
    });
    let mut before = 0;
    for _kill in 0..3 {
        let context = server.context("sise").await;
        until("more is stored", || async {
            // A server that was just started may not answer yet.
            let state = stream_state(&context, "TICKER_KR_KIS").await;
            state.is_ok_and(|state| state.messages > before + 2_000)
        })
        .await;
        before = messages(&context, "TICKER_KR_KIS").await;
        server.kill();
        server.start_again().await;
    }
    enough.store(true, Ordering::SeqCst);
    let published = publishing.await.expect("published");
    let stored = stored(&server, "TICKER_KR_KIS").await;
    assert_eq!(stored.len() as u64, published);
    assert!(stored.into_iter().eq(0..published), "in order, each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_may_start_before_its_server_and_its_stream() {
    let mut server = NatsServer::start().await;
    server.kill();
    let mut publisher = Publisher::new(&server.settings(), "kis-service").expect("publisher");
    publisher.publish(message(1), 1_u64).await.expect("taken");
    publisher.drain(Instant::now() + Duration::from_millis(300)).await.expect_err("no server");
    assert!(matches!(publisher.trouble(), Some(Trouble::Disconnected { .. })));

    server.start_again().await;
    let error = publisher.drain(Instant::now() + Duration::from_secs(10)).await.expect_err("no stream");
    assert_eq!((error.left, error.trouble), (1, Some(Trouble::NoStream)));

    let context = server.context("sise").await;
    let topology = Topology::load(&server.settings()).expect("topology");
    bus::topology::apply(&context, &topology).await.expect("streams");
    publisher.drain(Instant::now() + LIMIT).await.expect("drained");
    assert_eq!((publisher.acknowledged(), publisher.trouble()), (Some(1), None));
    assert_eq!(stored(&server, "TICKER_KR_KIS").await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_window_waits() {
    let server = NatsServer::start().await.with_streams().await;
    let settings = bus::NatsSettings { window_messages: 10, ..server.settings() };
    let mut publisher = Publisher::new(&settings, "kis-service").expect("publisher");
    publisher.publish(message(0), 0_u64).await.expect("taken");
    timeout(LIMIT, publisher.progress()).await.expect("acknowledged");

    server.stall().await;
    for number in 1..=10 {
        timeout(LIMIT, publisher.publish(message(number), number)).await.expect("room").expect("taken");
    }
    assert!(!publisher.has_room());
    let eleventh = timeout(Duration::from_millis(100), publisher.publish(message(11), 11)).await;
    assert!(eleventh.is_err(), "no room");
    assert_eq!((publisher.in_flight(), publisher.acknowledged()), (10, Some(0)));

    server.go_on();
    publisher.publish(message(11), 11).await.expect("taken");
    publisher.drain(Instant::now() + LIMIT).await.expect("drained");
    assert_eq!(stored(&server, "TICKER_KR_KIS").await, (0..=11).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_no_server_takes_is_handed_back() {
    let server = NatsServer::start().await.with_streams().await;
    let mut publisher = Publisher::new(&server.settings(), "kis-service").expect("publisher");
    for subject in ["", "ticker.>", "ticker..x", "ticker.a b", "*"] {
        let error = publisher.publish(Outgoing::new(subject, "id", "x"), 0_u64).await;
        assert!(matches!(error, Err(PublishError::Subject { .. })), "{subject:?}");
    }
    let large = Outgoing::new("deadletter.kr.kis.frame", "id", vec![0; MAX_MESSAGE]);
    assert!(matches!(publisher.publish(large, 0).await, Err(PublishError::TooLarge { .. })));

    let reason = "not a number:\r\nNats-Msg-Id: other";
    let letter = Outgoing::new("deadletter.kr.kis.frame", "id-1", vec![0xff; 512 << 10]);
    publisher.publish(letter.header(bus::subject::REASON_HEADER, reason), 1).await.expect("taken");
    publisher.drain(Instant::now() + LIMIT).await.expect("drained");
    let context = server.context("sise").await;
    let stream = context.get_stream("DEADLETTER").await.expect("stream");
    let message = stream.direct_get(1).await.expect("message");
    assert_eq!(message.payload.len(), 512 << 10);
    let header = |name| message.headers.get(name).map(ToString::to_string);
    assert_eq!(header("Nats-Msg-Id").as_deref(), Some("id-1"));
    assert_eq!(header("Sise-Reason").as_deref(), Some("not a number:  Nats-Msg-Id: other"));
}

/// A stream that takes nothing more until there is room.
async fn limit(context: &Context, stream: &str, max_bytes: i64) {
    let mut config = context.get_stream(stream).await.expect("stream").cached_info().config.clone();
    config.max_bytes = max_bytes;
    config.discard = async_nats::jetstream::stream::DiscardPolicy::New;
    context.update_stream(config).await.expect("updated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_is_told_at_once_and_goes_on_when_there_is_room() {
    let server = NatsServer::start().await.with_streams().await;
    let context = server.context("sise").await;
    limit(&context, "TICKER_KR_KIS", 100_000).await;
    let settings = bus::NatsSettings { window_messages: 100, ..server.settings() };
    let mut publisher = Publisher::new(&settings, "kis-service").expect("publisher");
    let (mut number, started) = (0_u64, Instant::now());
    // The window fills and the source waits: nothing is taken that cannot be kept.
    while timeout(Duration::from_millis(500), publisher.publish(message(number), number)).await.is_ok() {
        number += 1;
        assert!(number < 10_000, "the stream takes everything");
    }
    assert!(started.elapsed() < LIMIT, "told at once");
    let Some(Trouble::Refused { description, .. }) = publisher.trouble() else {
        panic!("{:?}", publisher.trouble());
    };
    assert!(description.contains("maximum bytes"), "{description}");
    let kept = messages(&context, "TICKER_KR_KIS").await;
    assert_eq!((publisher.in_flight(), kept), (100, number - 100));

    limit(&context, "TICKER_KR_KIS", 10_000_000).await;
    publisher.drain(Instant::now() + LIMIT).await.expect("drained");
    assert_eq!((publisher.trouble(), publisher.acknowledged()), (None, Some(number - 1)));
    let mut all = stored(&server, "TICKER_KR_KIS").await;
    all.sort_unstable();
    assert!(all.into_iter().eq(0..number), "each once");
}
