//! Cells side by side: what happens to one broker's is not felt by the other's.

use std::time::{Duration, Instant};

use bus::Tap;
use process::clock::now_ns;

use crate::support::{Stack, until};

/// How long the other cell is away.
const AWAY: Duration = Duration::from_secs(20);

async fn running(rate: u32) -> Stack {
    let mut stack = Stack::new(rate, false);
    stack.start_servers().await;
    stack.start_simulator().await;
    for service in ["archiver", "kis-service", "kiwoom-service"] {
        stack.start(service);
    }
    let sources = "SELECT uniqExact(source) FROM order_books WHERE market = 'kr'";
    until("books of both brokers", async || stack.number(sources).await == 2).await;
    stack
}

/// Delays of books from the socket to a subscriber of the bus, in ns, until `end`.
async fn delays(tap: &mut Tap, end: Instant) -> Vec<i64> {
    let mut delays = Vec::new();
    while Instant::now() < end {
        let passing = tokio::time::timeout_at(end.into(), tap.next()).await;
        let Ok(Some(passing)) = passing else { break };
        let now = now_ns();
        delays.push(now - bus::decode(&passing.payload).expect("event").stamp.received_ns);
    }
    delays.sort_unstable();
    delays
}

/// The delay, in microseconds, that so many per cent stay below.
fn percentile(delays: &[i64], percent: usize) -> i64 {
    delays[(delays.len() - 1) * percent / 100] / 1_000
}

async fn untouched(dead: &'static str, alive: &str) {
    let mut stack = running(1_000).await;
    let client = stack.bus().await;
    let mut tap = Tap::open(&client, &format!("orderbook.kr.{alive}.>")).await.expect("tap");
    let before = delays(&mut tap, Instant::now() + AWAY / 4).await;
    stack.kill(dead);
    let meanwhile = delays(&mut tap, Instant::now() + AWAY).await;
    stack.start(dead);
    stack.control("stop", None).await;
    let sent = stack.sent_by(alive);
    let rows = format!(
        "SELECT (SELECT count() FROM trades WHERE source = '{alive}') + (SELECT count() FROM order_books WHERE source = '{alive}')"
    );
    until("everything is archived", async || stack.number(&rows).await >= sent).await;
    let said = stack.compare_with(&["--source", alive]);
    for (name, delays) in [("before", &before), ("meanwhile", &meanwhile)] {
        let (count, half, most) = (delays.len(), percentile(delays, 50), percentile(delays, 99));
        println!("{alive} {name} {dead} was killed: {count} books, delay p50 {half} us, p99 {most} us");
    }
    assert!(said.contains("lost=0 duplicated=0"), "{said}");
    println!("{said}");
    assert!(meanwhile.len() > before.len(), "the cell that lives fell silent");
    // Ten times would be felt; a busy machine makes up for less.
    assert!(percentile(&meanwhile, 50) < percentile(&before, 50) * 10, "the cell that lives became slow");
}

#[tokio::test(flavor = "multi_thread")]
async fn kiwoom_does_not_notice_that_kis_is_dead() {
    untouched("kis-service", "kiwoom").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kis_does_not_notice_that_kiwoom_is_dead() {
    untouched("kiwoom-service", "kis").await;
}
