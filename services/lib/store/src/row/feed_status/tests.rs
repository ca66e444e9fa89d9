//! Rows of statuses with every value pinned.

use market::{GapReason, Market, Method, MissingVolume, Origin, Proof, Source, Tape};

use super::*;
use crate::row::tests::position;

fn stamp() -> Stamp {
    Stamp {
        market: Market::Kr,
        source: Source::Kis,
        received_ns: 1_795_478_430_123_456_789,
        connection_id: 1_795_478_000_000_000_001,
        frame_sequence: 42,
        record_index: 1,
        origin: Origin::Live,
    }
}

fn json(row: &FeedStatusRow) -> Value {
    serde_json::to_value(row).expect("json")
}

#[test]
fn every_value_of_a_gap_stands_in_its_column() {
    let gap = Gap {
        reason: GapReason::Disconnected,
        connection: Some("main".to_owned()),
        instrument: Some((Tape::Krx, Symbol::parse("005930").expect("symbol"))),
        from_ns: 1_795_478_400_000_000_000,
        until_ns: Some(1_795_478_430_000_000_000),
        detail: "cut".to_owned(),
        volume: None,
    };
    let row = FeedStatusRow::new(&stamp(), &Status::GapClosed(gap), b"\x01", position(9, 77));
    let expected = serde_json::json!({
        "market": "kr", "source": "kis", "what": "gap_closed", "trade_date": 20_781,
        "received_ns": 1_795_478_430_123_456_789_i64, "connection_id": 1_795_478_000_000_000_001_i64,
        "frame_sequence": 42, "record_index": 1, "origin": "live", "connection": "main", "tape": "krx",
        "symbol": "005930", "reason": "disconnected", "registration": "", "code": "", "text": "",
        "detail": "cut", "registered": null, "refused": null, "symbols": [], "since_ns": null,
        "from_ns": 1_795_478_400_000_000_000_i64, "until_ns": 1_795_478_430_000_000_000_i64,
        "after": null, "until": null, "residue": null, "method": "", "asked": null, "returned": null,
        "added": null, "added_volume": null, "proof": "", "started_ns": null, "volume": null,
        "is_final": null, "off_hours": null,
        "event": "{\"connection\":\"main\",\"detail\":\"cut\",\"from_ns\":1795478400000000000,\
                   \"reason\":\"disconnected\",\"symbol\":\"005930\",\"tape\":\"krx\",\
                   \"until_ns\":1795478430000000000}",
        "stream": "TICKER_KR_KIS", "epoch": 2, "stream_sequence": 9, "event_id": 77,
    });
    assert_eq!(json(&row), expected);
}

#[test]
fn the_other_kinds_fill_their_columns() {
    let row = |status: Status| json(&FeedStatusRow::new(&stamp(), &status, b"", position(1, 2)));
    let up = row(Status::LinkUp { connection: "a".to_owned(), registered: 40, refused: 1 });
    assert_eq!((&up["what"], &up["connection"]), (&Value::from("link_up"), &Value::from("a")));
    assert_eq!((&up["registered"], &up["refused"]), (&Value::from(40), &Value::from(1)));
    let refused = Status::Refused {
        registration: "H0STCNT0 1".to_owned(),
        code: "OPSP8993".to_owned(),
        text: "no".to_owned(),
    };
    let refused = row(refused);
    assert_eq!(
        [&refused["registration"], &refused["code"], &refused["text"]],
        ["H0STCNT0 1", "OPSP8993", "no"].map(Value::from).each_ref()
    );
    let symbols = vec![Symbol::parse("005930").expect("symbol")];
    let silent = row(Status::Silent { symbols, since_ns: 5 });
    assert_eq!((&silent["symbols"][0], &silent["since_ns"]), (&Value::from("005930"), &Value::from(5)));
    let down = row(Status::LinkDown { connection: "a".to_owned(), reason: "reset".to_owned() });
    assert_eq!((&down["connection"], &down["reason"]), (&Value::from("a"), &Value::from("reset")));
}

#[test]
fn an_unknown_kind_is_kept_whole() {
    let row = json(&FeedStatusRow::unknown(&stamp(), "owner", b"\x00\xa5\xff", position(1, 2)));
    assert_eq!(row["what"], "owner");
    assert_eq!(row["event"], r#"{"payload":"00a5ff"}"#);
    assert_eq!(row["received_ns"], 1_795_478_430_123_456_789_i64);
}

fn missing(residue: Option<i64>) -> Gap {
    let shares = Quantity::from_units;
    Gap {
        reason: GapReason::ChainBreak,
        connection: None,
        instrument: Some((Tape::Krx, Symbol::parse("005930").expect("symbol"))),
        from_ns: 5,
        until_ns: Some(9),
        detail: String::new(),
        volume: Some(MissingVolume {
            trade_date: TradeDate::parse("20261120").expect("date"),
            after: shares(100),
            until: shares(250),
            residue: residue.map(shares),
        }),
    }
}

/// The fields of a row that are not empty, without the stamp and the position.
fn filled(status: &Status) -> Value {
    let Value::Object(row) = json(&FeedStatusRow::new(&stamp(), status, b"", position(1, 2))) else {
        panic!("no row")
    };
    let common = [
        "market",
        "source",
        "received_ns",
        "connection_id",
        "frame_sequence",
        "record_index",
        "origin",
        "stream",
        "epoch",
        "stream_sequence",
        "event_id",
    ];
    let empty = [Value::Null, Value::from(""), Value::from(Vec::<Value>::new())];
    row.into_iter().filter(|(key, value)| !common.contains(&key.as_str()) && !empty.contains(value)).collect()
}

#[test]
fn what_is_said_of_volume_fills_its_columns_and_stands_at_its_day() {
    assert_eq!(
        filled(&Status::GapOpened(missing(Some(7)))),
        serde_json::json!({
            "what": "gap_opened", "trade_date": 20_777, "tape": "krx", "symbol": "005930",
            "reason": "chain_break", "from_ns": 5, "until_ns": 9, "after": 100, "until": 250, "residue": 7,
            "event": "{\"connection\":null,\"detail\":\"\",\"from_ns\":5,\"reason\":\"chain_break\",\
                      \"symbol\":\"005930\",\"tape\":\"krx\",\"until_ns\":9,\"volume\":{\"after\":100,\
                      \"residue\":7,\"trade_date\":\"2026-11-20\",\"until\":250}}",
        })
    );
    let volume = missing(None).volume.expect("volume");
    let recovery = Recovery {
        instrument: missing(None).instrument.expect("instrument"),
        trade_date: volume.trade_date,
        after: volume.after,
        until: volume.until,
        method: Method::Ka10079,
        asked: 3,
        returned: 2_700,
        added: 12,
        added_volume: Quantity::from_units(153),
        residue: -3,
        proof: Proof::Unproven,
        started_ns: 11,
        detail: "three too many".to_owned(),
    };
    assert_eq!(
        filled(&Status::Recovery(recovery)),
        serde_json::json!({
            "what": "recovery", "trade_date": 20_777, "tape": "krx", "symbol": "005930",
            "detail": "three too many", "after": 100, "until": 250, "residue": -3, "method": "ka10079",
            "asked": 3, "returned": 2_700, "added": 12, "added_volume": 153, "proof": "unproven",
            "started_ns": 11,
            "event": "{\"added\":12,\"added_volume\":153,\"after\":100,\"asked\":3,\"detail\":\"three too many\",\
                      \"method\":\"ka10079\",\"proof\":\"unproven\",\"residue\":-3,\"returned\":2700,\
                      \"started_ns\":11,\"symbol\":\"005930\",\"tape\":\"krx\",\
                      \"trade_date\":\"2026-11-20\",\"until\":250}",
        })
    );
    let total = DayTotal {
        instrument: (Tape::Nxt, Symbol::parse("0155E0").expect("symbol")),
        trade_date: volume.trade_date,
        volume: Quantity::from_units(9_000),
        method: Method::Ka10084,
        is_final: true,
        off_hours: Quantity::from_units(40),
    };
    assert_eq!(
        filled(&Status::DayTotal(total)),
        serde_json::json!({
            "what": "day_total", "trade_date": 20_777, "tape": "nxt", "symbol": "0155E0", "method": "ka10084",
            "volume": 9_000, "is_final": true, "off_hours": 40,
            "event": "{\"is_final\":true,\"method\":\"ka10084\",\"off_hours\":40,\"symbol\":\"0155E0\",\
                      \"tape\":\"nxt\",\"trade_date\":\"2026-11-20\",\"volume\":9000}",
        })
    );
}
