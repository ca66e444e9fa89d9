//! Every service of a whole sise, read by a real Prometheus: it has what the page says, no alert fires while all is well,
//! and those fire whose causes can be made in seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::json;

use super::page::{Row, dashboard, metric, page, rules};
use super::prometheus::{Prometheus, SHORT, program};
use super::services::{Addresses, SYMBOLS, ask, fires, ready, says, write_symbols};
use crate::support::{Stack, root, until};

const SERVICES: [&str; 7] = [
    "kis-service",
    "us-service",
    "kiwoom-service",
    "archiver",
    "gap-finder",
    "gateway",
    "clickhouse-embedded",
];

/// All services, ready.
async fn running() -> (Stack, Addresses) {
    let mut stack = Stack::new(300, false);
    let symbols = write_symbols(&stack, SYMBOLS);
    for (name, value) in [
        ("SISE__LOG__JSON", "true"),
        ("SISE__SYMBOLS__FILE", symbols.as_str()),
        ("SISE__SYMBOLS__FAILOVER__TAKEOVER_MS", "1000"),
        ("SISE__KIS__LIVENESS_LIMIT_MS", "10000"),
        ("SISE__GATEWAY__LISTEN", "127.0.0.1:0"),
        // The day that has ended last is yesterday's at any hour, and was before the archive.
        ("SISE__GAP_FINDER__MARGIN_MS", "86400000"),
        ("SISE__ARCHIVER__WATCH_MS", "1000"),
        // One spoilt record spoils the frame.
        ("SISE__SIMULATOR__RECORDS_PER_FRAME", "1"),
    ] {
        stack.set(name, value);
    }
    stack.start_servers().await;
    stack.start_simulator().await;
    for service in ["archiver", "kis-service", "us-service", "kiwoom-service", "gateway"] {
        stack.start(service);
    }
    let feeds = "SELECT uniqExact(market, source) FROM trades";
    until("rows of every feed", async || stack.number(feeds).await == 3).await;
    stack.start("gap-finder");
    let addresses = ready(&mut stack, &SERVICES).await;
    (stack, addresses)
}

/// What one service says of each metric: its type, its labels, whether it has a help line.
#[derive(Debug, Default)]
struct Said {
    kind: String,
    labels: BTreeSet<String>,
    helped: bool,
    series: usize,
}

fn read(text: &str, page: &BTreeMap<String, Row>) -> BTreeMap<String, Said> {
    let mut said: BTreeMap<String, Said> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').expect("help");
            said.entry(name.to_owned()).or_default().helped = !text.is_empty();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("type");
            said.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else {
            let end = line.find(['{', ' ']).expect("a value");
            let of = said.entry(metric(&line[..end], page)).or_default();
            of.series += 1;
            let labels = line[end..]
                .strip_prefix('{')
                .and_then(|rest| rest.split_once("} "))
                .map(|(labels, _)| labels);
            // A value holds no `",`: none of them is a person's text.
            let names = labels.unwrap_or_default().split("\",").filter_map(|label| label.split_once('='));
            of.labels.extend(names.map(|(name, _)| name.to_owned()).filter(|name| name != "le"));
        }
    }
    said
}

/// Scrapes every service: what the page says, and nothing else.
async fn as_the_page_says(stack: &Stack, addresses: &Addresses) {
    let page = page();
    let mut seen = BTreeSet::new();
    for (service, address) in addresses {
        let (status, text) = ask(stack, *address, "metrics").await;
        assert_eq!(status, 200, "{service}");
        for (name, said) in read(&text, &page) {
            let row = page.get(&name).unwrap_or_else(|| panic!("{service} has {name}, which the page lacks"));
            assert_eq!((said.kind.as_str(), said.helped), (row.kind.as_str(), true), "{service}: {name}");
            assert!(said.labels.is_subset(&row.labels), "{service}: {name} has labels {:?}", said.labels);
            // Streams times reasons, buckets: never as many as there are symbols.
            assert!(said.series < 250, "{service}: {name} has {} series", said.series);
            assert!(!text.contains("005930"), "{service}: a symbol is in a label");
            seen.insert(name);
        }
    }
    let wanted = page.iter().filter(|(_, row)| row.from_start).map(|(name, _)| name.clone());
    let nobody: Vec<String> = wanted.filter(|name| !seen.contains(name)).collect();
    assert!(
        nobody.is_empty(),
        "the page says these are there from the start, and nobody has them: {nobody:?}"
    );
    println!("{} metrics seen of {} on the page", seen.len(), page.len());
}

/// The first line of a log that belongs to a span of this name.
fn line_of_span(stack: &Stack, service: &str, span: &str) -> Option<serde_json::Value> {
    let said = stack.said(service);
    let mut lines = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.find(|line| line["span"]["name"] == span)
}

/// So many looks of Prometheus, two seconds apart, all has to be well: longer than any rule looks back and waits here.
const WELL: u32 = 20;

async fn silent_while_all_is_well(prometheus: &Prometheus) {
    // By Prometheus' own count, not by this test's clock.
    let scraped = format!("count_over_time(up{{service=\"archiver\"}}[5m]) >= {WELL}");
    until("Prometheus has looked long enough", async || !prometheus.query(&scraped).await.is_empty()).await;
    let fired = prometheus.ever_fired().await;
    assert!(fired.is_empty(), "all is well, and yet: {fired:?}");
    let judged = prometheus.rules().await;
    assert_eq!(judged.len(), rules().len());
    for (rule, health) in judged {
        assert_eq!(health, "ok", "{rule}");
    }
    let mut empty = Vec::new();
    for expression in dashboard() {
        let asked = expression.replace("$__rate_interval", "20s").replace("$service", ".+");
        if prometheus.query(&asked).await.is_empty() {
            empty.push(expression);
        }
    }
    println!("expressions of the dashboard that have nothing to show while all is well: {empty:#?}");
    // A day that was recovered, and nothing else, takes longer than this test.
    assert!(empty.iter().all(|expression| expression.contains("sise_gap_finder_gaps_open")), "{empty:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_have_what_the_page_says_and_alerts_fire_for_their_causes_alone() {
    let (mut stack, addresses) = running().await;
    as_the_page_says(&stack, &addresses).await;
    let line = line_of_span(&stack, "kis-service", "connection").expect("a line of a connection");
    assert_eq!((&line["span"]["source"], &line["span"]["market"]), (&json!("kis"), &json!("kr")), "{line}");
    assert!(line["span"]["key"].is_string() && line["fields"]["message"].is_string(), "{line}");

    let Some(program) = program("SISE_PROMETHEUS", "prometheus") else { return };
    // What takes minutes or gigabytes in earnest.
    let thresholds = [("ArchiveLag", "> 60", "> 5"), ("JournalBacklog", "> 0.1", "> 0.01")];
    let prometheus = Prometheus::start(&mut stack, program, &addresses, &SHORT, &thresholds).await;
    let places =
        std::fs::read_to_string(root().join("config/observe/prometheus.loopback.yml")).expect("config");
    assert_eq!(places.matches("labels: {service: ").count(), SERVICES.len(), "a service that is not here");
    silent_while_all_is_well(&prometheus).await;
    causes_at_the_brokers(&mut stack, &addresses, &prometheus).await;
    causes_at_clickhouse(&mut stack, &prometheus).await;
    causes_at_the_bus(&mut stack, &addresses, &prometheus).await;
    let fired: BTreeSet<String> = prometheus.ever_fired().await.into_iter().map(|(alert, _)| alert).collect();
    println!("{} of {} rules have fired: {fired:?}", fired.len(), rules().len());
}

/// Frames of the US that nobody can use, a key that somebody else uses, a broker that is silent, too many symbols.
async fn causes_at_the_brokers(stack: &mut Stack, addresses: &Addresses, prometheus: &Prometheus) {
    let begun = Instant::now();
    let spoilt = |tr: &str| json!({"do": "garbage", "tr": tr, "count": 1_000_000});
    let faults = [spoilt("HDFSCNT0"), spoilt("HDFSASP0"), json!({"do": "kick", "broker": "kiwoom"})];
    stack.control("faults", Some(json!(faults))).await;
    let many: String = ('A'..='Z')
        .flat_map(|a| ["X", "Y"].map(|b| format!("- {{symbol: Q{a}{b}, market: us, listing: NAS}}\n")))
        .collect();
    write_symbols(stack, &format!("{SYMBOLS}{many}"));
    let causes = [
        ("RecordsRefused", "us-service"),
        ("NothingButRefusals", "us-service"),
        ("KeyUsedElsewhere", "kiwoom-service"),
        ("SymbolsUncovered", "us-service"),
    ];
    fires(prometheus, begun, &causes).await;
    stack.control("faults", Some(json!([{"do": "clear"}]))).await;

    // Kiwoom is back before it has to stand in for the other.
    says(stack, addresses, "kiwoom-service", "is back", |figures| {
        figures.get("sise_cell_connections{state=\"settled\"}") == Some(&1.0)
    })
    .await;
    let begun = Instant::now();
    // Its sockets stay open and say nothing, and there is no way to new ones.
    let faults = [
        json!({"do": "502", "broker": "kis", "count": 1_000_000}),
        json!({"do": "mute", "broker": "kis", "seconds": 600}),
    ];
    stack.control("faults", Some(json!(faults))).await;
    let causes = [
        ("FeedDead", "kis-service"),
        ("ConnectionDead", "kis-service"),
        ("GroupTakenOver", "kiwoom-service"),
    ];
    fires(prometheus, begun, &causes).await;
}

/// A table that is not there, a server that is not there, streams that are too small for it.
async fn causes_at_clickhouse(stack: &mut Stack, prometheus: &Prometheus) {
    let begun = Instant::now();
    stack.ask("RENAME TABLE order_books TO order_books_away").await.expect("renamed");
    fires(prometheus, begun, &[("ClickhouseRefuses", "archiver")]).await;
    let line = line_of_span(stack, "archiver", "batch").expect("a line of a batch");
    assert!(line["span"]["rows"].is_number() && line["span"]["stream"].is_string(), "{line}");
    stack.ask("RENAME TABLE order_books_away TO order_books").await.expect("renamed");

    let begun = Instant::now();
    stack.kill("clickhouse-embedded");
    let causes = [
        ("ServiceAbsent", "clickhouse-embedded"),
        ("ServiceNotReady", "archiver"),
        ("ClickhouseAway", "archiver"),
        ("ArchiveLag", "archiver"),
    ];
    fires(prometheus, begun, &causes).await;
    let begun = Instant::now();
    let apply =
        stack.command("sise").env("SISE__NATS__MAX_BYTES", "65536").args(["streams", "apply"]).output();
    assert!(apply.expect("sise").status.success());
    fires(prometheus, begun, &[("NearEviction", "archiver"), ("DiscardedUnarchived", "archiver")]).await;
}

/// A bus that is not there, and a journal that is too small for it.
async fn causes_at_the_bus(stack: &mut Stack, addresses: &Addresses, prometheus: &Prometheus) {
    stack.set("SISE__JOURNAL__SEGMENT_BYTES", "65536");
    stack.set("SISE__JOURNAL__MAX_BYTES", "1048576");
    stack.kill("kiwoom-service");
    stack.start("kiwoom-service");
    // What it kept before is larger than its journal may be now: until that is acknowledged it is full.
    says(stack, addresses, "kiwoom-service", "has room", |figures| {
        let used = figures.get("sise_cell_journal_used_bytes");
        figures.get("sise_cell_journal_full") == Some(&0.0) && used.is_some_and(|bytes| *bytes < 524_288.0)
    })
    .await;
    let begun = Instant::now();
    stack.kill("nats");
    let causes = [
        ("PublishTrouble", "kiwoom-service"),
        ("PublishingStandsStill", "kiwoom-service"),
        ("JournalBacklog", "kiwoom-service"),
        ("JournalFull", "kiwoom-service"),
    ];
    fires(prometheus, begun, &causes).await;
}
