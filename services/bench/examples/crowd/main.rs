//! A crowd of clients of one gateway, and events for them: prints how far the slowest is behind, latencies from the broker's
//! socket (`received_ns`) to the client, and the memory of the gateway.
//!
//! `cargo run --release -p bench --example crowd -- NATS_URL GATEWAY_ADDRESS GATEWAY_PID [one=1000] [all=200] [idle=50]
//! [rate=5000] [seconds=20] [symbols=300]`. The server must let everybody publish; the events are made here.

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement for a person")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bus::NatsSettings;
use market::{
    AggressorSide, At, Body, Codes, Event, Level, Levels, Market, OrderBook, Origin, Price, Quantity,
    Session, Source, Stamp, Symbol, Tape, Trade, TradeDate, Value,
};

mod figures;
#[path = "../../src/latency/reader.rs"]
mod reader;

use figures::{figures, load, memory, ticks};
use reader::{Reader, received};

/// Delays that one reader keeps; a crowd has millions.
const MOST_DELAYS: usize = 20_000;
/// Of the long messages one in so many is read whole; of the others the first item.
const WHOLE: u64 = 16;
/// Messages up to so many bytes are always read whole.
const SHORT: usize = 4 << 10;

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
    ended: AtomicBool,
}

fn now_ns() -> i64 {
    reader::now_ns().expect("clock")
}

async fn open(plan: &Plan, symbol: &str) -> Reader {
    let request = format!(r#"{{"op":"subscribe","symbols":["{symbol}"],"kinds":["trade","order_book"]}}"#);
    Reader::open(&plan.gateway, &request).await.expect("subscribed")
}

/// Reads until the end; a sample of its delays.
async fn read(mut reader: Reader, seen: Arc<Seen>) -> Vec<i64> {
    let (mut own, mut count) = (Vec::new(), 0_u64);
    while let Some(message) = reader.next().await {
        let now = now_ns();
        if seen.ended.load(Ordering::Relaxed) {
            break;
        }
        if !seen.measuring.load(Ordering::Relaxed) {
            continue;
        }
        count += 1;
        seen.messages.fetch_add(1, Ordering::Relaxed);
        seen.bytes.fetch_add(message.len() as u64, Ordering::Relaxed);
        if message.starts_with(br#"{"type":"snapshot""#) {
            // Nobody begins anew while it is measured, but who had to skip something.
            seen.skipped.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let whole = message.len() <= SHORT || count.is_multiple_of(WHOLE);
        for received in received(message).take(if whole { usize::MAX } else { 1 }) {
            let delay = now - received;
            seen.worst_ns.fetch_max(delay, Ordering::Relaxed);
            if own.len() < MOST_DELAYS {
                own.push(delay);
            }
        }
    }
    own
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

/// A thread of its own for the events: nobody who reads keeps them from being published.
fn publishing(plan: Plan, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(publish(plan, stop))
    })
}

#[tokio::main]
async fn main() {
    let plan = plan();
    println!("before: {}, load {}", memory(&plan.pid), load());
    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let publishing = publishing(plan.clone(), Arc::clone(&stop));
    let (mut idle, mut readers) = (Vec::new(), [Vec::new(), Vec::new()]);
    for number in 0..plan.idle + plan.all + plan.one {
        if number < plan.idle {
            idle.push(open(&plan, "*").await);
        } else {
            let all = number < plan.idle + plan.all;
            let reader = open(&plan, if all { "*" } else { "000000" }).await;
            readers[usize::from(all)].push(tokio::spawn(read(reader, Arc::clone(&seen))));
        }
    }
    println!("{} on one symbol, {} on all, {} that do not read", plan.one, plan.all, plan.idle);
    // Those who came get their snapshots first.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = ticks(&plan.pid);
    seen.measuring.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(plan.seconds)).await;
    seen.measuring.store(false, Ordering::Relaxed);
    let used = ticks(&plan.pid) - before;
    let resident = memory(&plan.pid);
    seen.ended.store(true, Ordering::Relaxed);
    let mut delays = [Vec::new(), Vec::new()];
    for (readers, delays) in readers.into_iter().zip(&mut delays) {
        for reader in readers {
            delays.extend(reader.await.expect("read"));
        }
    }
    stop.store(true, Ordering::Relaxed);
    let published = publishing.join().expect("published");
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    println!(
        "{published} events at {}/s; {} messages, {} MB to readers in {} s",
        plan.rate,
        count(&seen.messages),
        count(&seen.bytes) >> 20,
        plan.seconds
    );
    let [one, all] = &mut delays;
    println!("one symbol: {}", figures(one));
    println!("all symbols: {}", figures(all));
    println!(
        "worst lag of any reader: {} ms; new starts after a skip: {}",
        seen.worst_ns.load(Ordering::Relaxed) / 1_000_000,
        count(&seen.skipped)
    );
    println!(
        "gateway: {resident}, {used} hundredths of a second of processor in {} s, load {}",
        plan.seconds,
        load()
    );
    println!("idle clients held to the end: {}", idle.len());
}
