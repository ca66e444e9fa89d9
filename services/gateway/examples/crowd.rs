//! A crowd of clients of one gateway, and events for them: prints how far the slowest is behind, latencies from the broker's
//! socket (`received_ns`) to the client, and the memory of the gateway.
//!
//! `cargo run --release -p gateway --example crowd -- NATS_URL GATEWAY_ADDRESS GATEWAY_PID [one=1000] [all=200] [idle=50]
//! [rate=5000] [seconds=20] [symbols=300]`. The server must let everybody publish; the events are made here.

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement for a person")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bus::NatsSettings;
use futures_util::{SinkExt as _, StreamExt as _};
use market::{
    AggressorSide, At, Body, Codes, Event, Level, Levels, Market, OrderBook, Origin, Price, Quantity,
    Session, Source, Stamp, Symbol, Tape, Trade, TradeDate, Value,
};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// Before each time of receipt in a message.
const MARK: &[u8] = b"\"received_ns\":\"";

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_nanos()).expect("before 2262")
}

#[derive(Clone)]
struct Plan {
    nats: String,
    gateway: String,
    pid: String,
    one: u64,
    all: u64,
    idle: u64,
    rate: u64,
    seconds: u64,
    symbols: u64,
}

fn plan() -> Plan {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().unwrap_or_else(|| panic!("missing: {what}"));
    let (nats, gateway, pid) = (next("NATS_URL"), next("GATEWAY_ADDRESS"), next("GATEWAY_PID"));
    let mut plan =
        Plan { nats, gateway, pid, one: 1_000, all: 200, idle: 50, rate: 5_000, seconds: 20, symbols: 300 };
    for argument in arguments {
        let (name, value) = argument.split_once('=').expect("name=number");
        let value = value.parse().expect("number");
        match name {
            "one" => plan.one = value,
            "all" => plan.all = value,
            "idle" => plan.idle = value,
            "rate" => plan.rate = value,
            "seconds" => plan.seconds = value,
            "symbols" => plan.symbols = value,
            other => panic!("unknown: {other}"),
        }
    }
    plan
}

/// What the readers have seen.
#[derive(Default)]
struct Seen {
    messages: AtomicU64,
    bytes: AtomicU64,
    skipped: AtomicU64,
    worst_ns: AtomicI64,
    measuring: AtomicBool,
}

async fn open(plan: &Plan, symbols: &str) -> Socket {
    let config = WebSocketConfig::default().read_buffer_size(16 << 10).write_buffer_size(0);
    let url = format!("ws://{}/v1/stream", plan.gateway);
    let (mut socket, _) = connect_async_with_config(url, Some(config), true).await.expect("stream");
    let request = format!(r#"{{"op":"subscribe","symbols":["{symbols}"],"kinds":["trade","order_book"]}}"#);
    socket.send(Message::text(request)).await.expect("sent");
    socket
}

/// The times of receipt in a message: all of a short one, of a long one the first hundred.
fn received(text: &[u8]) -> impl Iterator<Item = i64> {
    let found = text.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    found.take(100).map(|(at, _)| {
        let digits = text[at + MARK.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
    })
}

async fn read(mut socket: Socket, seen: Arc<Seen>, delays: mpsc::Sender<Vec<i64>>) {
    let mut own = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let now = now_ns();
        if !seen.measuring.load(Ordering::Relaxed) {
            continue;
        }
        seen.messages.fetch_add(1, Ordering::Relaxed);
        seen.bytes.fetch_add(text.len() as u64, Ordering::Relaxed);
        if text.starts_with(r#"{"type":"snapshot""#) {
            if !text.contains(r#""skipped":0"#) {
                seen.skipped.fetch_add(1, Ordering::Relaxed);
            }
            continue;
        }
        for received in received(text.as_bytes()) {
            let delay = now - received;
            seen.worst_ns.fetch_max(delay, Ordering::Relaxed);
            if own.len() < 100_000 {
                own.push(delay);
            }
        }
        if own.len() >= 1_000 {
            // What has no room is not needed: there are millions.
            let _full = delays.try_send(std::mem::take(&mut own));
        }
    }
}

fn event(number: u64, symbols: &[Symbol], volumes: &mut [i64]) -> Event {
    // One in ten is of the first symbol, three in five are books.
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    let place =
        if number.is_multiple_of(10) { 0 } else { usize::try_from(spread).expect("small") % symbols.len() };
    let now = now_ns();
    let at = At {
        tape: Tape::Krx,
        symbol: symbols[place],
        trade_date: TradeDate::parse("20261125").expect("date"),
        exchange_ns: now / 1_000_000_000 * 1_000_000_000,
    };
    let stamp = Stamp {
        market: Market::Kr,
        source: Source::Kis,
        received_ns: now,
        connection_id: 1,
        frame_sequence: number,
        record_index: 0,
        origin: Origin::Live,
    };
    let price = |level: i64| Price::from_units((70_000 + level * 100) * 10_000);
    let shares = |level: i64| Quantity::from_units(100 + level * 37);
    if (number / 10) % 5 < 2 {
        volumes[place] += 10;
        let trade = Trade {
            at,
            price: price(0),
            quantity: Quantity::from_units(10),
            aggressor_side: AggressorSide::Buy,
            cumulative_volume: Quantity::from_units(volumes[place]),
            cumulative_value: Value::from_units(volumes[place] * 70_000),
            cumulative_value_step: Value::ONE,
            best_ask: Some(price(1)),
            best_bid: Some(price(0)),
            session: Session::Continuous,
            session_codes: Codes::default(),
            halted: false,
        };
        return Event { stamp, body: Body::Trade(trade) };
    }
    let side = |sign: i64| {
        let level = |n: i64| Level { price: price(n * sign), quantity: shares(n) };
        Levels::collect((0..10).map(level)).expect("levels")
    };
    let book = OrderBook {
        at,
        asks: side(1),
        bids: side(-1),
        total_ask_quantity: shares(10),
        total_bid_quantity: shares(10),
        expected_price: None,
        expected_quantity: Quantity::ZERO,
        cumulative_volume: None,
        session: Session::Continuous,
        session_codes: Codes::default(),
    };
    Event { stamp, body: Body::OrderBook(book) }
}

/// Publishes at the rate, in steps of five milliseconds; returns how many.
async fn publish(plan: Plan, stop: Arc<AtomicBool>) -> u64 {
    let settings = NatsSettings { url: plan.nats.clone(), ..NatsSettings::default() };
    let client = bus::connect(&settings, "crowd").await.expect("bus");
    let symbols: Vec<Symbol> =
        (0..plan.symbols).map(|number| Symbol::parse(&format!("{number:06}")).expect("symbol")).collect();
    let (mut volumes, mut number) = (vec![0; symbols.len()], 0);
    let start = tokio::time::Instant::now();
    let mut clock = tokio::time::interval(Duration::from_millis(5));
    while !stop.load(Ordering::Relaxed) {
        clock.tick().await;
        let due = u64::try_from(start.elapsed().as_millis()).expect("short") * plan.rate / 1_000;
        while number < due {
            number += 1;
            let event = event(number, &symbols, &mut volumes);
            client.publish(bus::subject(&event), bus::encode(&event)).await.expect("published");
        }
    }
    client.flush().await.expect("flushed");
    number
}

fn memory(pid: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let lines = status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}

/// Processor time of the gateway, in hundredths of a second.
fn ticks(pid: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [11, 12].iter().filter_map(|place| fields.get(*place)?.parse::<u64>().ok()).sum()
}

#[tokio::main]
async fn main() {
    let plan = plan();
    println!("before: {}", memory(&plan.pid));
    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let publishing = tokio::spawn(publish(plan.clone(), Arc::clone(&stop)));
    let (delays, mut measured) = mpsc::channel(4_096);
    let mut idle = Vec::new();
    for number in 0..plan.idle + plan.all + plan.one {
        if number < plan.idle {
            idle.push(open(&plan, "*").await);
        } else {
            let symbol = if number < plan.idle + plan.all { "*" } else { "000000" };
            let socket = open(&plan, symbol).await;
            tokio::spawn(read(socket, Arc::clone(&seen), delays.clone()));
        }
    }
    drop(delays);
    println!("{} on one symbol, {} on all, {} that do not read", plan.one, plan.all, plan.idle);
    // Those who came get their snapshots first.
    tokio::time::sleep(Duration::from_secs(3)).await;
    seen.measuring.store(true, Ordering::Relaxed);
    let (mut all, before) = (Vec::new(), ticks(&plan.pid));
    let end = tokio::time::sleep(Duration::from_secs(plan.seconds));
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            Some(some) = measured.recv() => if all.len() < 20_000_000 { all.extend(some) },
        }
    }
    seen.measuring.store(false, Ordering::Relaxed);
    let used = ticks(&plan.pid) - before;
    stop.store(true, Ordering::Relaxed);
    let published = publishing.await.expect("published");
    all.sort_unstable();
    let at = |thousandth: usize| {
        all.get(all.len().saturating_sub(1) * thousandth / 1_000).map_or(0, |ns| ns / 1_000)
    };
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    println!(
        "{published} events at {}/s; {} messages, {} MB to readers in {} s",
        plan.rate,
        count(&seen.messages),
        count(&seen.bytes) >> 20,
        plan.seconds
    );
    println!(
        "socket to client in µs, {} samples: p50 {} p90 {} p99 {} p99.9 {}",
        all.len(),
        at(500),
        at(900),
        at(990),
        at(999)
    );
    println!(
        "worst lag of any reader: {} ms; new starts after a skip: {}",
        seen.worst_ns.load(Ordering::Relaxed) / 1_000_000,
        count(&seen.skipped)
    );
    println!(
        "gateway: {}, {} hundredths of a second of processor in {} s",
        memory(&plan.pid),
        used,
        plan.seconds
    );
    println!("idle clients held to the end: {}", idle.len());
}
