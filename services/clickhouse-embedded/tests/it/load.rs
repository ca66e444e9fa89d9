//! Several requests at once, and too many.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::support::{Server, curl, eventually};

#[derive(Row, Serialize, Deserialize)]
struct Line {
    writer: u32,
    number: u32,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_clients_write_and_read_at_once() {
    let server = Server::start(&[("CONNECTIONS", "4")]);
    server.sql("CREATE TABLE t (writer UInt32, number UInt32) ENGINE = MergeTree ORDER BY (writer, number)");
    let mut tasks = Vec::new();
    for writer in 0..16_u32 {
        let client = server.client();
        tasks.push(tokio::spawn(async move {
            for block in 0..10_u32 {
                let mut insert = client.insert::<Line>("t").await.unwrap();
                for number in block * 100..(block + 1) * 100 {
                    insert.write(&Line { writer, number }).await.unwrap();
                }
                insert.end().await.unwrap();
                let sql = format!("SELECT count() FROM t WHERE writer = {writer}");
                let count = client.query(&sql).fetch_one::<u64>().await.unwrap();
                assert_eq!(count, u64::from(block + 1) * 100, "what was confirmed is read at once");
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(server.sql("SELECT count(), uniqExact(writer, number) FROM t"), "16000\t16000\n");
    assert_eq!(server.spooled(), 0);
}

#[tokio::test]
async fn too_many_requests_are_refused_and_the_rest_served() {
    let server = Server::start(&[("CONNECTIONS", "1"), ("QUEUE", "1")]);
    let url = server
        .url(&[("query", "SELECT sleepEachRow(0.05), 'done' FROM numbers(20) SETTINGS max_block_size = 1")]);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || curl(&[&url], b""))
        })
        .collect();
    let answers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let (refused, served): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 503);
    assert!(!refused.is_empty() && served.len() >= 2, "{} refused, {} served", refused.len(), served.len());
    for answer in refused {
        assert!(answer.text().contains("Code: 202. DB::Exception"), "{}", answer.text());
    }
    for answer in served {
        assert_eq!(
            answer.text().lines().filter(|line| line.ends_with("done")).count(),
            20,
            "{}",
            answer.text()
        );
    }
    assert_eq!(server.sql("SELECT 1"), "1\n", "served again");
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_query() {
    let server = Server::start(&[("CONNECTIONS", "2")]);
    let url = server.url(&[("query", "SELECT number FROM system.numbers")]);
    let cut = curl(&["--max-time", "1", &url], b"");
    assert_eq!(cut.status, 200);
    let running = "SELECT count() FROM system.processes WHERE query LIKE '%system.numbers%' AND query NOT LIKE '%LIKE%'";
    eventually("the query is gone", || server.sql(running) == "0\n").await;
}
