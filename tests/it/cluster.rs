//! Three NATS nodes, one killed under load; and ClickHouse's tables for a cluster, as far as they can be tried without one.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Stack, root, until};

/// How long the load runs before a node is killed, without it, and when it is back: events go on all the time.
const STRETCH: Duration = Duration::from_secs(12);

/// The node that leads a stream, and how many of its replicas are there and up to date.
async fn leader(client: &bus::Client, stream: &str) -> Option<(String, usize)> {
    let context = bus::jetstream(client.clone());
    let stream = context.get_stream(stream).await.ok()?;
    let cluster = stream.cached_info().cluster.clone()?;
    let current = cluster.replicas.iter().filter(|replica| replica.current && !replica.offline).count();
    Some((cluster.leader?, current))
}

async fn a_while() {
    let end = Instant::now() + STRETCH;
    until("a stretch of load", async || Instant::now() >= end).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_of_three_killed_under_load_loses_and_doubles_nothing() {
    let mut stack = Stack::new(5_000, false);
    stack.start_servers_of_a_cluster().await;
    stack.start_simulator().await;
    for service in ["archiver", "kis-service", "us-service", "kiwoom-service"] {
        stack.start(service);
    }
    let feeds = "SELECT uniqExact(market, source) FROM trades";
    until("rows of every feed", async || stack.number(feeds).await == 3).await;
    let client = stack.bus_by_key("sise").await;
    let stream = "ORDERBOOK_KR_KIS";
    until("three replicas", async || leader(&client, stream).await.is_some_and(|(_, others)| others == 2))
        .await;
    a_while().await;

    // The one that hurts most: it leads the busiest stream.
    let (node, _) = leader(&client, stream).await.expect("a leader");
    let node = crate::support::NODES.into_iter().find(|name| *name == node).expect("one of the three");
    stack.kill(node);
    let killed = Instant::now();
    until("another leads", async || leader(&client, stream).await.is_some_and(|(other, _)| other != node))
        .await;
    println!("{node} killed, another leads {stream} after {} ms", killed.elapsed().as_millis());
    let rows = stack.archived().await;
    until("rows without it", async || stack.archived().await > rows + 1_000).await;
    a_while().await;

    stack.start_node_again(node);
    until("it has caught up", async || leader(&client, stream).await.is_some_and(|(_, others)| others == 2))
        .await;
    a_while().await;
    let sent = stack.sent().await;
    assert!(sent > 30_000, "only {sent} events");
    let said = stack.compare().await;
    println!("{said}");
    assert!(said.contains("lost=0 duplicated=0"), "{said}");
}

/// The statements of a file, as `sise migrate` parts them.
fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(";\n\n").map(str::trim).filter(|statement| !statement.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_reads_the_tables_of_a_cluster() {
    let mut stack = Stack::new(1, false);
    let folder = stack.folder.path().join("cluster");
    let written =
        Command::new("python3").current_dir(root()).arg("scripts/lib/cluster_sql.py").arg(&folder).output();
    let written = written.expect("python3");
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));

    stack.start_servers().await;
    let mut replicated = 0;
    let mut read = 0;
    let mut files: Vec<_> = std::fs::read_dir(&folder).expect("folder").collect();
    files.sort_by_key(|file| file.as_ref().expect("file").path());
    for file in files {
        let path = file.expect("file").path();
        let sql = std::fs::read_to_string(&path).expect("sql");
        for statement in statements(&sql) {
            // It has Keeper's paths in it, so the engine alone cannot run it: it reads it and gives it back.
            let formatted = stack.ask(&format!("EXPLAIN AST {statement}")).await;
            let told = formatted.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(
                told.contains("CreateQuery") || told.contains("AlterQuery"),
                "{}: {told}",
                path.display()
            );
            assert!(statement.contains("ON CLUSTER"), "{}: on one server only", path.display());
            replicated += usize::from(statement.contains("ENGINE = Replicated"));
            read += 1;
        }
    }
    println!("{read} statements read, {replicated} replicated tables");
    assert_eq!(replicated, 5, "trades, order_books, archived, feed_status, migrations");
    // What the engine refuses shows that it reads.
    let broken = "EXPLAIN AST CREATE TABLE x ON CLUSTER (a Int8) ENGINE = Replicated";
    assert!(stack.ask(broken).await.is_err());
}
