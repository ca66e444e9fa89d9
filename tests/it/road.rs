//! From the simulated broker's socket to ClickHouse, whatever is killed on the way.

use std::time::{Duration, Instant};

use crate::support::{Stack, until};

/// Servers, simulator, archiver and the three services, with rows of each.
pub async fn running(rate: u32, tls: bool) -> Stack {
    let mut stack = Stack::new(rate, tls);
    stack.start_servers().await;
    stack.start_simulator().await;
    for service in ["archiver", "kis-service", "us-service", "kiwoom-service"] {
        stack.start(service);
    }
    let feeds = "SELECT uniqExact(market, source) FROM trades";
    until("rows of every feed", async || stack.number(feeds).await == 3).await;
    stack
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_of_the_archiver_lose_and_double_nothing() {
    let mut stack = running(5_000, false).await;
    let end = Instant::now() + Duration::from_secs(60);
    for kill in 1..=10_u32 {
        // A moment in the middle of the work: when so much of the minute is over, and rows have come since the last.
        let moment =
            end - Duration::from_secs(60) * (10 - kill) / 10 - Duration::from_millis(u64::from(kill * 37));
        let rows = stack.archived().await;
        until("rows since the last kill", async || stack.archived().await > rows && Instant::now() >= moment)
            .await;
        stack.kill("archiver");
        stack.start("archiver");
    }
    until("a minute", async || Instant::now() >= end).await;
    let sent = stack.sent().await;
    assert!(sent > 200_000, "only {sent} events in a minute");
    let said = stack.compare().await;
    println!("{said}");
    assert!(said.contains("lost=0 duplicated=0"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_cell_publishes_what_it_had_kept() {
    let mut stack = running(1_000, false).await;
    let connections =
        "SELECT uniqExact(connection_id) FROM order_books WHERE market = 'kr' AND source = 'kis'";
    for killed in 1..=3 {
        until("rows of a new connection", async || stack.number(connections).await == killed).await;
        stack.kill("kis-service");
        stack.start("kis-service");
    }
    until("rows after the last start", async || stack.number(connections).await == 4).await;
    stack.control("stop", None).await;
    // Whatever a killed cell had not read is a gap with two edges; what it had kept is archived once.
    let doubled = "SELECT count() - uniqExact(event_id) FROM order_books";
    assert_eq!(stack.number(doubled).await, 0);
    let holes = "SELECT count() FROM (SELECT connection_id, max(frame_sequence) AS last FROM (
        SELECT connection_id, frame_sequence FROM trades WHERE market = 'kr' AND source = 'kis' UNION ALL
        SELECT connection_id, frame_sequence FROM order_books WHERE market = 'kr' AND source = 'kis')
        GROUP BY connection_id HAVING uniqExact(frame_sequence) != last)";
    until("no hole in any connection's frames", async || stack.number(holes).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_road_over_tls() {
    let stack = running(500, true).await;
    until("a thousand rows", async || stack.archived().await > 1_000).await;
    let said = stack.compare().await;
    assert!(said.contains("lost=0 duplicated=0"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_cannot_be_used_are_kept_and_harm_no_other() {
    let stack = running(1_000, false).await;
    let faults = serde_json::json!([
        {"do": "garbage", "tr": "H0STCNT0", "field": 12, "text": "x"},
        {"do": "truncate", "tr": "H0STASP0"},
        {"do": "null", "tr": "H0STCNT0"},
        {"do": "grow", "tr": "H0STCNT0", "count": 1},
    ]);
    stack.control("faults", Some(faults)).await;
    let rows = stack.archived().await;
    until("two thousand rows more", async || stack.archived().await > rows + 2_000).await;
    let said = stack.compare().await;
    assert!(said.contains("lost=0 duplicated=0"), "{said}");
    let faults = std::fs::read_to_string(stack.folder.path().join("tape.jsonl.faults")).expect("faults");
    assert!(faults.lines().count() >= 3, "{faults}");
}

#[tokio::test(flavor = "multi_thread")]
async fn confirmed_registrations_without_data_are_an_error_with_the_symbols() {
    let mut stack = Stack::new(500, false);
    stack.set("SISE__KIS__SILENCE_LIMIT_MS", "1000");
    stack.start_servers().await;
    stack.start_simulator().await;
    stack.control("faults", Some(serde_json::json!([{"do": "silent"}]))).await;
    stack.start("us-service");
    let told = || {
        let said = stack.said("us-service");
        said.contains("connected and confirmed, but no data comes") && said.contains("AAPL")
    };
    until("the silence is told", async || told()).await;
}
