//! A durable's messages come until they are acknowledged, whatever happens to the subscription.

use std::time::Duration;

use bus::consumer::PullSettings;
use bus::{BatchLimits, ConsumeError, Consumer, Delivery, DurableState, Outgoing, Publisher, Topology};
use tokio::time::Instant;

use crate::support::{LIMIT, NatsServer};

const LIMITS: BatchLimits = BatchLimits { messages: 100, bytes: 1 << 20, wait: Duration::from_millis(200) };

/// A server with one stream whose durable delivers again after a second.
async fn server() -> NatsServer {
    let server = NatsServer::start().await;
    let context = server.context("archiver").await;
    let topology = Topology::from_json(
        r#"{"defaults": {"max_age_hours": 1, "replicas": 1, "duplicate_window_seconds": 120, "durables": ["archiver"]},
            "streams": [{"name": "STATUS", "description": "", "subjects": ["status.>"], "max_bytes": 1000000}],
            "durables": [{"name": "archiver", "description": "", "ack_wait_seconds": 1, "max_ack_pending": 1000}]}"#,
    );
    bus::topology::apply(&context, &topology.expect("topology")).await.expect("streams");
    server
}

async fn publish(server: &NatsServer, numbers: std::ops::Range<u64>) {
    let mut publisher = Publisher::new(&server.settings(), "kis-service").expect("publisher");
    for number in numbers {
        let message = Outgoing::new("status.kr.kis.link_up", format!("id-{number}"), number.to_string());
        publisher.publish(message.header("Sise-Reason", "none"), number).await.expect("taken");
    }
    publisher.drain(Instant::now() + LIMIT).await.expect("drained");
}

/// Batches until so many messages are there.
async fn collect(consumer: &mut Consumer, count: usize) -> Vec<Delivery> {
    let deadline = Instant::now() + LIMIT;
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        assert!(Instant::now() < deadline, "only {} of {count} messages came", deliveries.len());
        deliveries.extend(consumer.batch(LIMITS).await.expect("batch"));
    }
    deliveries
}

async fn durable(server: &NatsServer) -> DurableState {
    bus::durable_state(&server.context("archiver").await, "STATUS", "archiver").await.expect("state")
}

/// Waits until so many messages are acknowledged, and none beyond them.
async fn acknowledged(server: &NatsServer, count: u64) {
    crate::support::until("all is acknowledged", || async {
        let state = durable(server).await;
        (state.pending, state.ack_pending, state.ack_floor) == (0, 0, count)
    })
    .await;
}

fn numbers(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries
        .iter()
        .map(|d| std::str::from_utf8(d.payload()).expect("text").parse().expect("number"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_tells_where_it_comes_from() {
    let server = server().await;
    publish(&server, 0..3).await;
    let mut consumer =
        Consumer::open(&server.settings(), "archiver", "STATUS", "archiver").await.expect("consumer");
    let deliveries = collect(&mut consumer, 3).await;
    let last = &deliveries[2];
    assert_eq!((last.stream_sequence, last.delivered), (3, 1));
    assert_eq!((last.subject(), last.payload()), ("status.kr.kis.link_up", &b"2"[..]));
    assert_eq!((last.message_id(), last.header("Sise-Reason")), (Some("id-2"), Some("none")));
    assert_eq!(last.headers().len(), 2);
    let state = bus::stream_state(&server.context("archiver").await, "STATUS").await.expect("state");
    assert_eq!((state.first_sequence, state.last_sequence, state.messages), (1, 3, 3));
    assert!(state.created_ns < last.published_ns);
    assert_eq!(durable(&server).await.ack_pending, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_acknowledged_comes_again_and_nothing_else() {
    let server = server().await;
    publish(&server, 0..4).await;
    let mut consumer =
        Consumer::open(&server.settings(), "archiver", "STATUS", "archiver").await.expect("consumer");
    let first = collect(&mut consumer, 4).await;
    first[0].ack().await.expect("acknowledged");
    first[2].term().await.expect("terminated");
    let again = collect(&mut consumer, 2).await;
    let mut sequences: Vec<_> = again.iter().map(|d| (d.stream_sequence, d.delivered)).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, [(2, 2), (4, 2)]);
    bus::acknowledge(&again).await.expect("acknowledged");
    // Whoever leaves at once takes nothing along.
    drop((again, first, consumer));
    acknowledged(&server, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_full_by_messages_by_bytes_or_by_age() {
    let server = server().await;
    publish(&server, 0..10).await;
    let mut consumer =
        Consumer::open(&server.settings(), "archiver", "STATUS", "archiver").await.expect("consumer");
    let long = Duration::from_secs(20);
    let by_messages = BatchLimits { messages: 4, bytes: 1 << 20, wait: long };
    assert_eq!(numbers(&consumer.batch(by_messages).await.expect("batch")), [0, 1, 2, 3]);
    // Each message counts about 280 bytes.
    let by_bytes = BatchLimits { messages: 100, bytes: 500, wait: long };
    assert_eq!(numbers(&consumer.batch(by_bytes).await.expect("batch")), [4, 5]);
    assert_eq!(numbers(&consumer.batch(LIMITS).await.expect("batch")), [6, 7, 8, 9]);
    let nothing = BatchLimits { wait: Duration::from_millis(10), ..LIMITS };
    assert!(consumer.batch(nothing).await.expect("batch").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_dropped_loses_nothing() {
    let server = server().await;
    publish(&server, 0..3).await;
    let mut consumer =
        Consumer::open(&server.settings(), "archiver", "STATUS", "archiver").await.expect("consumer");
    let never_full = BatchLimits { wait: Duration::from_secs(20), ..LIMITS };
    let dropped = tokio::time::timeout(Duration::from_millis(300), consumer.batch(never_full)).await;
    assert!(dropped.is_err());
    let deliveries = collect(&mut consumer, 3).await;
    assert_eq!(numbers(&deliveries), [0, 1, 2]);
    assert_eq!(deliveries[0].delivered, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_read_on() {
    let mut server = server().await;
    publish(&server, 0..10).await;
    let mut consumer =
        Consumer::open(&server.settings(), "archiver", "STATUS", "archiver").await.expect("consumer");
    bus::acknowledge(&collect(&mut consumer, 10).await).await.expect("acknowledged");
    acknowledged(&server, 10).await;
    server.kill();
    assert!(consumer.batch(LIMITS).await.expect("a server that is away is no error").is_empty());
    server.start_again().await;
    publish(&server, 10..20).await;
    let mut seen = numbers(&collect(&mut consumer, 10).await);
    seen.sort_unstable();
    assert!(seen.ends_with(&[17, 18, 19]), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_subscription_is_rebuilt() {
    let server = server().await;
    let quick = PullSettings {
        heartbeat: Duration::from_millis(200),
        expires: Duration::from_secs(1),
        silence: Duration::from_millis(500),
        ..PullSettings::default()
    };
    let mut consumer = Consumer::open_with(&server.settings(), "archiver", "STATUS", "archiver", quick)
        .await
        .expect("consumer");
    server.stall().await;
    let deadline = Instant::now() + LIMIT;
    while consumer.rebuilds() == 0 {
        assert!(Instant::now() < deadline, "the silence was not noticed");
        assert!(consumer.batch(LIMITS).await.expect("a stalled server is no error").is_empty());
    }
    server.go_on();
    publish(&server, 0..5).await;
    assert_eq!(numbers(&collect(&mut consumer, 5).await), [0, 1, 2, 3, 4]);
    assert_eq!(consumer.rebuilds(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_durable_is_named() {
    let server = server().await;
    let missing =
        |stream: &str| ConsumeError::NoDurable { stream: stream.into(), durable: "archiver".into() };
    let mut consumer =
        Consumer::open(&server.settings(), "archiver", "STATUS", "archiver").await.expect("consumer");
    for stream in ["NOWHERE", "status"] {
        let error = Consumer::open(&server.settings(), "archiver", stream, "archiver")
            .await
            .err()
            .expect("no such stream");
        assert_eq!(error, missing(stream));
        assert!(!error.is_retryable());
    }
    let stream = server.context("archiver").await.get_stream("STATUS").await.expect("stream");
    stream.delete_consumer("archiver").await.expect("deleted");
    let deadline = Instant::now() + LIMIT;
    let error = loop {
        assert!(Instant::now() < deadline, "never noticed");
        if let Err(error) = consumer.batch(LIMITS).await {
            break error;
        }
    };
    assert_eq!(error, missing("STATUS"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_gone_takes_no_acknowledgement_of_another_along() {
    let mut server = server().await;
    publish(&server, 0..4).await;
    let mut consumer =
        Consumer::open(&server.settings(), "archiver", "STATUS", "archiver").await.expect("consumer");
    let mut deliveries = collect(&mut consumer, 4).await;
    server.kill();
    server.start_again().await;
    deliveries.extend(collect(&mut consumer, 4).await);
    let error = bus::acknowledge(&deliveries).await.expect_err("the first four cannot be sent");
    assert_eq!(error.stream_sequence, 1);
    acknowledged(&server, 4).await;
}

/// A store that was put back has other messages at the sequences that were delivered from the newer one.
#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_is_not_taken_for_that_of_another_message() {
    let mut server = server().await;
    publish(&server, 0..2).await;
    server.stop().await;
    server.keep_store();
    server.start_again().await;
    publish(&server, 2..7).await;
    let mut consumer =
        Consumer::open(&server.settings(), "archiver", "STATUS", "archiver").await.expect("consumer");
    let before = collect(&mut consumer, 7).await;
    server.kill();
    server.put_store_back();
    // Some leave while nothing is there to take them.
    for delivery in &before[..4] {
        let _sent_or_not = delivery.ack().await;
    }
    server.start_again().await;
    publish(&server, 10..15).await;
    crate::support::until("the old connection is known to be gone", || async {
        before[6].ack().await.is_err()
    })
    .await;
    let mut numbers = numbers(&collect(&mut consumer, 7).await);
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 10, 11, 12, 13, 14]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tap_sees_what_passes() {
    let server = server().await;
    let context = server.context("archiver").await;
    let mut tap = bus::Tap::open(&context.client(), "status.kr.>").await.expect("tap");
    context.client().flush().await.expect("subscribed");
    publish(&server, 7..8).await;
    let passing = tokio::time::timeout(LIMIT, tap.next()).await.expect("in time").expect("message");
    assert_eq!(
        (passing.subject.as_str(), passing.message_id.as_deref()),
        ("status.kr.kis.link_up", Some("id-7"))
    );
    assert_eq!(&passing.payload[..], b"7");
}
