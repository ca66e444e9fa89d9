//! Python's `clickhouse-connect`.

use std::process::Command;

use crate::support::{Server, python};

#[test]
fn clickhouse_connect_inserts_and_reads() {
    let python = python();
    let server = Server::start(&[]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/client.py");
    let output = Command::new(&python).arg(script).arg(&server.address).output();
    let output = output.unwrap_or_else(|error| panic!("SISE_TEST_PYTHON={python}: {error}"));
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.ends_with("ok\n"), "{out}\n{error}");
    assert_eq!(server.sql("SELECT count(), uniqExact(quantity) FROM sise.trades"), "20001\t20001\n");
    assert_eq!(server.spooled(), 0);
}
