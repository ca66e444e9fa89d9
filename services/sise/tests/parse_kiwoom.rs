//! `sise parse kiwoom` as a person runs it: every published message and page, from a file and from standard input.

#![allow(clippy::expect_used, reason = "a test may fail")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// 16:52:09 in Seoul on 2026-07-20, a second after the documented print.
const RECEIVED: &str = "1784533929000000000";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../lib/broker/fixtures/kiwoom")
}

fn sise(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sise"))
        .args(["parse", "kiwoom", "--received-ns", RECEIVED, "--date", "20260819"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sise");
    child.stdin.take().expect("input").write_all(input).expect("input");
    child.wait_with_output().expect("output")
}

#[test]
fn each_published_message_and_page_is_told() {
    let mut counts = [0; 8];
    for entry in std::fs::read_dir(fixtures()).expect("fixtures") {
        let path = entry.expect("entry").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            continue;
        }
        let input = std::fs::read(&path).expect("messages");
        let output = sise(&[], &input);
        let printed = String::from_utf8(output.stdout).expect("text");
        assert_eq!(
            sise(&[path.to_str().expect("path")], b"").stdout,
            printed.as_bytes(),
            "{}",
            path.display()
        );
        assert_eq!(output.status.success(), !printed.contains("\"refused\":"), "{printed}");
        let words = ["trade", "order_book", "control", "ka10003", "ka10079", "ka10080", "ka10084", "ka10099"];
        for (count, word) in counts.iter_mut().zip(words) {
            *count += printed.matches(&format!("\"kind\":\"{word}\"")).count();
        }
    }
    // Controls: six messages, two errors of REST, and the single row of ka10080, which is no page.
    assert_eq!(counts, [3, 1, 9, 36, 5, 2, 52, 5]);
}

#[test]
fn a_trade_is_printed_as_the_archive_will_hold_it() {
    let input = std::fs::read(fixtures().join("0b_official.txt")).expect("message");
    let output = sise(&[], &input);
    assert!(output.status.success());
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    for (name, text) in [
        ("kind", "trade"),
        ("source", "kiwoom"),
        ("symbol", "005930"),
        ("tape", "krx"),
        ("exchange_time", "2026-07-20 16:52:08 KST"),
        ("price", "20800"),
        ("aggressor_side", "buy"),
        ("cumulative_value", "632640000000"),
        ("cumulative_value_step", "1000000"),
        ("session_codes", "2|1"),
    ] {
        assert_eq!(value[name], text, "{name}");
    }
}

#[test]
fn a_missing_file_and_a_wrong_date_are_named() {
    let missing = sise(&["/nowhere/frames.txt"], b"");
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nowhere/frames.txt"));
    let output = Command::new(env!("CARGO_BIN_EXE_sise"))
        .args(["parse", "kiwoom", "--date", "20260230"])
        .output()
        .expect("sise");
    assert!(String::from_utf8_lossy(&output.stderr).contains("20260230"));
}
