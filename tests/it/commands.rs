//! The command line on its own: no server is needed.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use market::{
    AggressorSide, At, Body, Codes, Event, Market, Origin, Price, Quantity, Session, Source, Stamp,
};
use market::{Symbol, Tape, Trade, TradeDate, Value};

use crate::support::{program, root};

fn sise(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(program("sise"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("sise");
    child.stdin.take().expect("stdin").write_all(input).expect("input");
    child.wait_with_output().expect("output")
}

fn trade() -> Event {
    let body = Body::Trade(Trade {
        at: At {
            tape: Tape::Krx,
            symbol: Symbol::parse("005930").expect("symbol"),
            trade_date: TradeDate::parse("20261124").expect("date"),
            exchange_ns: 1_795_478_430_000_000_000,
        },
        price: Price::parse("70000.5").expect("price"),
        quantity: Quantity::from_units(3),
        aggressor_side: AggressorSide::Buy,
        cumulative_volume: Quantity::from_units(1_000),
        cumulative_value: Value::parse("70000000").expect("value"),
        cumulative_value_step: Value::ONE,
        best_ask: None,
        best_bid: Price::parse("70000").ok(),
        session: Session::Continuous,
        session_codes: Codes::join(&["20", "0", "", "2"]),
        halted: false,
    });
    let stamp = Stamp {
        market: Market::Kr,
        source: Source::Kis,
        received_ns: 1_795_478_430_123_456_789,
        connection_id: 7,
        frame_sequence: 42,
        record_index: 1,
        origin: Origin::Live,
    };
    Event { stamp, body }
}

#[test]
fn decode_prints_one_event_as_one_line() {
    let output = sise(&["decode"], &bus::encode(&trade()));
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(text.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(&text).expect("json");
    assert_eq!((value["price"].as_str(), value["quantity"].as_i64()), (Some("70000.5"), Some(3)));
    // The exchange's time stands beside ours.
    assert_eq!(value["exchange_time"], "2026-11-24 09:00:30 KST");
    assert_eq!(value["received_ns"], 1_795_478_430_123_456_789_i64);
}

#[test]
fn decode_reads_a_stream_and_refuses_garbage_with_a_reason() {
    let mut stream = bytes::BytesMut::new();
    for _ in 0..3 {
        bus::encode_delimited(&trade(), &mut stream);
    }
    let output = sise(&["decode", "--stream"], &stream);
    assert_eq!(
        (output.status.code(), output.stdout.iter().filter(|byte| **byte == b'\n').count()),
        (Some(0), 3)
    );
    for garbage in [&b"garbage"[..], b"", &[0xff; 64]] {
        let output = sise(&["decode"], garbage);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("not an event"), "{output:?}");
    }
}

#[test]
fn parse_tells_what_each_published_frame_is() {
    let folder = root().join("services/lib/broker/fixtures/kis");
    let (mut frames, mut trades, mut books, mut refused) = (0, 0, 0, 0);
    // Frames of the WebSocket; pages of the REST interface lie beside them.
    let paths = std::fs::read_dir(folder).expect("fixtures").map(|entry| entry.expect("entry").path());
    for path in paths.filter(|path| path.extension().is_some_and(|name| name == "txt")) {
        let text = std::fs::read(path).expect("frames");
        frames += text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        let output = sise(&["parse", "kis", "--received-ns", "1790053572000000000"], &text);
        let printed = String::from_utf8(output.stdout).expect("text");
        trades += printed.matches("\"kind\":\"trade\"").count();
        books += printed.matches("\"kind\":\"order_book\"").count();
        refused += printed.matches("\"refused\":\"unknown_tr\"").count();
    }
    assert_eq!((frames, trades, books, refused), (56, 43, 11, 3));
}

#[test]
fn a_service_without_keys_says_which_variable_is_missing() {
    let output = Command::new(program("kis-service"))
        .current_dir(root())
        .env_remove("SISE__KIS__KEYS__MAIN__APP_KEY")
        .output()
        .expect("kis-service");
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("SISE__KIS__KEYS__MAIN__APP_KEY"), "{output:?}");
}

#[test]
fn symbols_check_names_what_no_key_has_room_for() {
    let ours = root().join("config/symbols.yaml");
    let ours = ours.to_str().expect("path");
    let output = sise(&["symbols", "check", "--file", ours, "--keys", "kis=1,kiwoom=1"], b"");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("symbols.yaml");
    let path = file.to_str().expect("path");
    let lines: String = (1..=21).map(|n| format!("- symbol: {n:06}\n")).collect();
    std::fs::write(&file, format!("symbols:\n{lines}")).expect("file");
    let output = sise(&["symbols", "check", "--file", path, "--keys", "kis=1"], b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let uncovered: Vec<_> = text.lines().filter(|line| line.starts_with("UNCOVERED")).collect();
    assert_eq!(uncovered, ["UNCOVERED kis kr H0STASP0 000021 (000021 krx orderbook)"]);
    std::fs::write(&file, "symbols:\n- symbol: 5930\n").expect("file");
    let output = sise(&["symbols", "check", "--file", path, "--keys", "kis=1"], b"");
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 2: symbol \"5930\""), "{output:?}");
}

#[test]
fn a_filter_that_cannot_be_meant_names_the_words_that_can() {
    for (arguments, words) in [
        (["tap", "--kind", "ticker"], "kinds are trade, order_book and status"),
        (["tap", "--source", "nh"], "brokers are kis and kiwoom"),
        (["tap", "--market", "jp"], "markets are kr and us"),
        (["tap", "--origin", "replayed"], "origins are live and recovered"),
        (["tap", "--symbol", "삼성"], "the symbols file has no such name"),
        (["replay", "--date", "24.11.2026"], "must be a date, 2026-11-25"),
    ] {
        let output = sise(&arguments, b"");
        assert!(!output.status.success(), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    let output = sise(&["replay", "--date", "2026-11-24", "--from", "10:00", "--to", "09:59:59"], b"");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("--to does not lie behind --from"), "{said}");
}
