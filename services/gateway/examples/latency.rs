//! How old what a client gets is: from the broker's socket (`received_ns`, stamped where the frame is read) to the client, of
//! a gateway that runs, whoever feeds it; all on one machine, so that there is one clock.
//!
//! `cargo run --release -p gateway --example latency -- GATEWAY_ADDRESS [market=kr] [seconds=20] [clients=4]`

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement for a person")]

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

mod common;

/// What is not measured: the snapshot, and what waited for it.
const BEGIN: Duration = Duration::from_secs(2);

/// Reads everything of a market; the delays of every trade and book.
async fn read(gateway: String, market: String, end: Instant) -> Vec<i64> {
    let request =
        format!(r#"{{"op":"subscribe","market":"{market}","symbols":["*"],"kinds":["trade","order_book"]}}"#);
    let mut reader = common::Reader::open(&gateway, &request).await;
    let begin = Instant::now() + BEGIN;
    let mut delays = Vec::new();
    while let Ok(Some(message)) = timeout_at(end, reader.next()).await {
        let now = common::now_ns();
        if Instant::now() > begin && message.starts_with(br#"{"type":"update""#) {
            delays.extend(common::received(message).map(|received| now - received));
        }
    }
    delays
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let gateway = arguments.next().expect("GATEWAY_ADDRESS");
    let (mut market, mut seconds, mut clients) = ("kr".to_owned(), 20, 4);
    for argument in arguments {
        let (name, value) = argument.split_once('=').expect("name=value");
        match name {
            "market" => value.clone_into(&mut market),
            "seconds" => seconds = value.parse().expect("number"),
            "clients" => clients = value.parse().expect("number"),
            other => panic!("unknown: {other}"),
        }
    }
    let end = Instant::now() + BEGIN + Duration::from_secs(seconds);
    let readers: Vec<_> =
        (0..clients).map(|_| tokio::spawn(read(gateway.clone(), market.clone(), end))).collect();
    let mut delays = Vec::new();
    for reader in readers {
        delays.extend(reader.await.expect("read"));
    }
    let each = delays.len() as u64 / clients.max(1) / seconds.max(1);
    println!("{clients} clients, {each} trades and books a second to each, load {}", common::load());
    println!("socket to client: {}", common::figures(&mut delays));
}
