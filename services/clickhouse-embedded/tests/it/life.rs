//! Start, restart, stop, and the second process.

use std::process::Stdio;
use std::time::Instant;

use crate::support::{Server, command, curl};

#[test]
fn data_are_kept_over_a_restart() {
    let mut server = Server::start(&[]);
    server.sql("CREATE DATABASE sise");
    server.sql("CREATE TABLE sise.t (a Int64) ENGINE = ReplacingMergeTree ORDER BY a PARTITION BY a % 2");
    server.sql("CREATE VIEW sise.v AS SELECT sum(a) AS s FROM sise.t");
    server.sql("INSERT INTO sise.t SELECT number FROM numbers(1000)");
    assert!(server.stop().success());
    std::fs::write(server.folder().join("data/spool/left"), "unconfirmed").unwrap();
    server.run();
    assert_eq!(server.sql("SELECT s FROM sise.v"), "499500\n");
    assert_eq!(server.spooled(), 0, "an earlier process's files are removed");
}

#[test]
fn a_second_process_on_the_folder_is_refused() {
    let server = Server::start(&[]);
    let second = command(server.folder(), "127.0.0.1:0", &[]).stderr(Stdio::piped()).output().unwrap();
    let log = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{log}");
    assert!(log.contains("another clickhouse-embedded uses"), "{log}");
    assert_eq!(server.sql("SELECT 1"), "1\n");
}

#[test]
fn a_taken_address_and_a_missing_library_are_said() {
    let server = Server::start(&[]);
    let other = tempfile::tempdir().unwrap();
    let taken = command(other.path(), &server.address, &[]).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(taken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("clickhouse_embedded.listen"));
    let settings = [("LIBRARY".to_owned(), "/nonexistent/libchdb.so".to_owned())];
    let missing = command(other.path(), "127.0.0.1:0", &settings).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nonexistent/libchdb.so"));
}

#[tokio::test]
async fn a_stop_waits_for_running_statements() {
    let mut server = Server::start(&[]);
    let url = server
        .url(&[("query", "SELECT sleepEachRow(0.1), 'done' FROM numbers(15) SETTINGS max_block_size = 1")]);
    let running = std::thread::spawn(move || curl(&[&url], b""));
    let processes = "SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow%' AND query NOT LIKE '%processes%'";
    crate::support::eventually("the query runs", || server.sql(processes) == "1\n").await;
    server.ask_to_stop();
    let answer = running.join().unwrap();
    assert_eq!(answer.text().lines().filter(|line| line.ends_with("done")).count(), 15, "{}", answer.text());
    assert!(server.wait().success());
}

#[test]
fn a_stop_does_not_wait_for_idle_connections_or_sessions() {
    let mut server = Server::start(&[]);
    let idle = std::net::TcpStream::connect(&server.address).unwrap();
    assert_eq!(server.post(&[("session_id", "s")], b"SELECT 1").text(), "1\n");
    let asked = Instant::now();
    assert!(server.stop().success());
    assert!(asked.elapsed().as_secs() < 10);
    drop(idle);
}
