//! `kill -9` while inserts come: what was confirmed is there, and what is sent again is there once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{Server, curl, eventually};

const TABLE: &str = "CREATE TABLE blocks (block UInt64, row UInt64) ENGINE = MergeTree ORDER BY (block, row) \
    SETTINGS non_replicated_deduplication_window = 10000";
const ROWS: u64 = 200;
const WRITERS: u64 = 3;
const KILLS: u64 = 10;

/// Sends a numbered block until it is confirmed.
fn insert(address: &str, block: u64) {
    let rows: String = (0..ROWS).map(|row| format!("{block},{row}\n")).collect();
    let url = format!(
        "http://{address}/?query=INSERT%20INTO%20blocks%20FORMAT%20CSV&insert_deduplication_token=block-{block}"
    );
    while curl(&["--max-time", "20", "--data-binary", "@-", &url], rows.as_bytes()).status != 200 {
        // The server is being started again; curl takes its time to say so.
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirmed_blocks_survive_kills_exactly_once() {
    let mut server = Server::start(&[]);
    server.sql(TABLE);
    let confirmed = Arc::new(AtomicU64::new(0));
    let stop_at = Arc::new(AtomicU64::new(u64::MAX));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (address, confirmed, stop_at) = (server.address.clone(), confirmed.clone(), stop_at.clone());
            std::thread::spawn(move || {
                let mut block = writer;
                while confirmed.load(Ordering::SeqCst) < stop_at.load(Ordering::SeqCst) {
                    insert(&address, block);
                    confirmed.fetch_add(1, Ordering::SeqCst);
                    block += WRITERS;
                }
                // This writer's blocks below here are confirmed.
                block
            })
        })
        .collect();
    for kill in 0..KILLS {
        // Another number of blocks between two kills each time, so that they meet other moments of an insert.
        let target = confirmed.load(Ordering::SeqCst) + 7 + kill * 3;
        eventually("blocks are confirmed", || confirmed.load(Ordering::SeqCst) >= target).await;
        assert!(!server.kill().success());
        server.run();
    }
    stop_at.store(0, Ordering::SeqCst);
    let ends: Vec<u64> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    for (writer, end) in (0..WRITERS).zip(ends) {
        let sql = format!(
            "SELECT count(), uniqExact(block), uniqExact(block, row), max(block) FROM blocks WHERE block % {WRITERS} = {writer}"
        );
        let blocks = (end - writer) / WRITERS;
        let last = end - WRITERS;
        let expected = format!("{}\t{blocks}\t{}\t{last}\n", blocks * ROWS, blocks * ROWS);
        assert_eq!(server.sql(&sql), expected, "writer {writer}");
    }
    assert_eq!(server.spooled(), 0);
    assert_eq!(server.sql("CHECK TABLE blocks SETTINGS check_query_single_value_result = 1"), "1\n");
}

/// The engine writes an insert's token to its log before the part has its name; a kill between the two would make a
/// retry vanish. That state is made by hand here.
#[test]
fn a_token_without_its_rows_does_not_swallow_the_retry() {
    let mut server = Server::start(&[]);
    server.sql(TABLE);
    for block in 1..=3 {
        insert(&server.address, block);
    }
    let path = server
        .sql("SELECT path FROM system.parts WHERE table = 'blocks' AND active ORDER BY name DESC LIMIT 1");
    server.kill();
    std::fs::remove_dir_all(path.trim()).unwrap();
    server.run();
    assert_eq!(server.sql("SELECT count() FROM blocks"), "400\n");
    for block in 1..=3 {
        insert(&server.address, block);
    }
    assert_eq!(server.sql("SELECT count(), uniqExact(block) FROM blocks"), "600\t3\n");
}
