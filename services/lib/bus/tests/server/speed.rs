//! How fast the bus is beside the bare client, on the same server and in the same run:
//! `cargo test --release -p bus --test server -- --ignored --nocapture speed`.

use std::time::Duration;

use bus::{BatchLimits, Consumer, NatsSettings, Outgoing, Publisher};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::support::{LIMIT, NatsServer};

const MESSAGES: u32 = 200_000;
const SUBJECT: &str = "orderbook.kr.kis.005930.krx";
/// A book of ten levels.
const PAYLOAD: [u8; 250] = [7; 250];

/// Messages a second, for people.
#[allow(clippy::float_arithmetic, reason = "a figure for people")]
fn rate(what: &str, count: u32, since: Instant) -> f64 {
    let rate = f64::from(count) / since.elapsed().as_secs_f64();
    println!("{what}: {rate:.0} messages/s");
    rate
}

/// The library's own way: a request each, as many in flight as the window has, each acknowledgement awaited in order.
async fn bare_publish(server: &NatsServer, window: usize) -> f64 {
    let context = server.context("bare").await;
    let started = Instant::now();
    let acks = futures_util::stream::iter(0..MESSAGES).map(|number| {
        let context = &context;
        async move {
            let mut headers = async_nats::HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("bare-{window}-{number}"));
            let payload = Bytes::from_static(&PAYLOAD);
            context
                .publish_with_headers(SUBJECT, headers, payload)
                .await
                .expect("sent")
                .await
                .expect("stored");
        }
    });
    acks.buffered(window).for_each(|()| std::future::ready(())).await;
    rate(&format!("bare publish, {window} in flight"), MESSAGES, started)
}

async fn publish(server: &NatsServer, window: usize) -> f64 {
    publish_some(server, window, MESSAGES).await
}

async fn publish_some(server: &NatsServer, window: usize, messages: u32) -> f64 {
    let settings = NatsSettings { window_messages: window, ..server.settings() };
    let mut publisher = Publisher::new(&settings, "speed").expect("publisher");
    let started = Instant::now();
    for number in 0..messages {
        let message = Outgoing::new(SUBJECT, format!("ours-{window}-{number}"), Bytes::from_static(&PAYLOAD));
        publisher.publish(message, number).await.expect("taken");
    }
    publisher.drain(Instant::now() + LIMIT).await.expect("drained");
    rate(&format!("publish, window {window}"), messages, started)
}

async fn bare_fetch(server: &NatsServer) -> f64 {
    let context = server.context("bare").await;
    let stream = context.get_stream("ORDERBOOK_KR_KIS").await.expect("stream");
    let durable = async_nats::jetstream::consumer::pull::Config {
        durable_name: Some("bare".into()),
        max_ack_pending: 200_000,
        ..Default::default()
    };
    let consumer = stream.create_consumer(durable).await.expect("durable");
    let started = Instant::now();
    let messages = consumer.stream().max_messages_per_batch(4_000).messages().await.expect("messages");
    let taken = messages.take(MESSAGES as usize).for_each(|message| async move {
        message.expect("message").ack().await.expect("acknowledged");
    });
    taken.await;
    rate("bare fetch and acknowledge", MESSAGES, started)
}

async fn fetch(server: &NatsServer) -> f64 {
    let context = server.context("archiver").await;
    let mut consumer = Consumer::open(&context, "ORDERBOOK_KR_KIS", "archiver").await.expect("consumer");
    let limits = BatchLimits { messages: 20_000, bytes: 32 << 20, wait: Duration::from_secs(1) };
    let started = Instant::now();
    let mut count = 0;
    while count < MESSAGES {
        let batch = consumer.batch(limits).await.expect("batch");
        for delivery in &batch {
            delivery.ack().await.expect("acknowledged");
        }
        count += u32::try_from(batch.len()).expect("small");
    }
    rate("fetch and acknowledge", count, started)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: takes a release build and a quiet machine"]
async fn publishing_and_fetching_beside_the_bare_client() {
    let server = NatsServer::start().await;
    let settings = NatsSettings { max_bytes: Some(2 << 30), ..server.settings() };
    let topology = bus::Topology::load(&settings).expect("topology");
    bus::topology::apply(&server.context("sise").await, &topology).await.expect("streams");
    for window in [100, 250, 500, 1_000, 2_000, 4_000] {
        let (bare, ours) = (bare_publish(&server, window).await, publish(&server, window).await);
        println!("  ratio {:.2}", ours / bare);
    }
    let (bare, ours) = (bare_fetch(&server).await, fetch(&server).await);
    println!("  ratio {:.2}", ours / bare);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: takes a release build and a quiet machine"]
async fn syncing_costs_speed() {
    // Twice each, so that a disturbance shows.
    for interval in ["\"2m\"", "\"1s\"", "\"100ms\"", "\"2m\"", "\"1s\"", "\"100ms\""] {
        println!("sync_interval {interval}");
        let server = NatsServer::start_syncing(interval).await.with_streams().await;
        publish(&server, 1_000).await;
    }
    println!("sync_interval always");
    let server = NatsServer::start_syncing("always").await.with_streams().await;
    publish_some(&server, 1_000, 5_000).await;
}
