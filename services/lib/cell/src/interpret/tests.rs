//! Records in, messages out: what is accepted, refused, opened and closed.

use std::collections::BTreeSet;

use broker::kis::parse::KisParser;
use bytes::Bytes;
use market::AggressorSide;
use market::calendar::Calendar;

use super::*;

const TRADES: &str = include_str!("../../../broker/fixtures/kis/h0stcnt0_46.txt");
const US: &str = include_str!("../../../broker/fixtures/kis/hdfscnt0_26.txt");
const CONNECTED: i64 = 1_790_053_000_000_000_000;

fn interpreter(market: Market) -> Interpreter<KisParser> {
    Interpreter::new(KisParser::new(Calendar::built_in().clone()), market, Source::Kis)
}

fn frame(sequence: u64, text: &str) -> Record {
    Record {
        kind: RecordKind::FRAME,
        connection_id: CONNECTED,
        sequence,
        received_ns: CONNECTED + i64::try_from(sequence).expect("small") * 1_000,
        payload: Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn note(sequence: u64, noted: &Noted) -> Record {
    Record { kind: RecordKind::NOTE, payload: Bytes::from(noted.to_bytes()), ..frame(sequence, "") }
}

/// Edges of the gaps that were opened or closed.
fn gaps(out: &[Outgoing]) -> Vec<(i64, Option<i64>)> {
    let gap = |outgoing: &Outgoing| match bus::decode(&outgoing.payload).expect("event").body {
        Body::Status(Status::GapOpened(gap) | Status::GapClosed(gap)) => Some((gap.from_ns, gap.until_ns)),
        _ => None,
    };
    out.iter().filter_map(gap).collect()
}

fn on(connection: &str, what: What) -> Noted {
    Noted { connection: connection.to_owned(), what }
}

fn read(interpreter: &mut Interpreter<KisParser>, records: &[Record]) -> Vec<Outgoing> {
    let mut out = Vec::new();
    for record in records {
        interpreter.read(record, &mut out);
    }
    out
}

fn subjects(out: &[Outgoing]) -> Vec<&str> {
    out.iter().map(|outgoing| outgoing.subject.as_str()).collect()
}

#[test]
fn a_frame_of_four_records_is_four_messages() {
    let text = TRADES.lines().nth(5).expect("line");
    let out = read(&mut interpreter(Market::Kr), &[frame(1, text)]);
    assert_eq!(subjects(&out), ["ticker.kr.kis.000100.krx"; 4]);
    let ids: BTreeSet<_> = out.iter().map(|outgoing| &outgoing.message_id).collect();
    assert_eq!(ids.len(), 4);
}

#[test]
fn the_same_record_gives_the_same_messages_again() {
    let records = [frame(1, TRADES.lines().nth(5).expect("line")), frame(2, "garbage")];
    assert_eq!(read(&mut interpreter(Market::Kr), &records), read(&mut interpreter(Market::Kr), &records));
}

#[test]
fn a_refused_frame_is_kept_with_its_reason_and_opens_one_gap() {
    let good = TRADES.lines().next().expect("line");
    let records = [frame(1, "0|H0STCNT0|001|short"), frame(2, "0|H0STCNT0|001|short"), frame(3, good)];
    let out = read(&mut interpreter(Market::Kr), &records);
    assert_eq!(
        subjects(&out),
        [
            "deadletter.kr.kis.frame",
            "status.kr.kis.gap_opened",
            "deadletter.kr.kis.frame",
            "status.kr.kis.gap_closed",
            "ticker.kr.kis.005930.krx",
        ]
    );
    assert_eq!(out[0].payload, "0|H0STCNT0|001|short");
    let (name, reason) = &out[0].headers[0];
    assert_eq!(*name, REASON_HEADER);
    assert!(reason.starts_with("width: H0STCNT0"), "{reason}");
}

#[test]
fn a_refused_record_takes_no_neighbour_along() {
    let line = TRADES.lines().nth(5).expect("line");
    let out = read(&mut interpreter(Market::Kr), &[frame(1, &line.replacen("^20240507^", "^x^", 1))]);
    let subjects = subjects(&out);
    assert_eq!(subjects.iter().filter(|subject| **subject == "ticker.kr.kis.000100.krx").count(), 3);
    assert!(out[0].payload.starts_with(b"000100^") && !out[0].payload.contains(&b'|'));
}

#[test]
fn the_side_of_a_us_trade_is_found_against_the_one_before() {
    let out = read(&mut interpreter(Market::Us), &[frame(1, US.lines().next().expect("line"))]);
    let sides: Vec<_> = out
        .iter()
        .filter_map(|outgoing| match bus::decode(&outgoing.payload).expect("event").body {
            Body::Trade(trade) => Some(trade.aggressor_side),
            _ => None,
        })
        .collect();
    assert_eq!(sides, [AggressorSide::Unspecified, AggressorSide::Buy]);
}

#[test]
fn a_lost_connection_is_a_gap_from_the_last_message_to_the_next_frame() {
    let down = What::Down { reason: "read: reset".to_owned(), last_received_ns: 5 };
    let again = What::Down { reason: "connect: refused".to_owned(), last_received_ns: 9 };
    let notes = [on("a", down), on("a", again), on("a", What::Up)];
    let mut records: Vec<_> = (1..).zip(&notes).map(|(sequence, noted)| note(sequence, noted)).collect();
    records.push(frame(1, TRADES.lines().next().expect("line")));
    let out = read(&mut interpreter(Market::Kr), &records);
    let gaps = gaps(&out);
    assert_eq!(gaps, [(5, None), (5, Some(CONNECTED + 1_000))]);
    let ids: BTreeSet<_> = out.iter().map(|outgoing| &outgoing.message_id).collect();
    assert_eq!(ids.len(), out.len());
}

#[test]
fn each_connection_has_a_gap_of_its_own_since_the_start() {
    let started = Noted::of_all(What::Started { last_received_ns: Some(3) });
    let elsewhere = Record { connection_id: CONNECTED + 9, ..note(3, &on("b", What::Up)) };
    let good = frame(1, TRADES.lines().next().expect("line"));
    let records = [note(1, &started), note(2, &on("a", What::Up)), elsewhere, good];
    let out = read(&mut interpreter(Market::Kr), &records);
    assert_eq!(gaps(&out), [(3, None), (3, None), (3, Some(CONNECTED + 1_000))]);
}

#[test]
fn an_idle_connection_is_no_gap() {
    let out =
        read(&mut interpreter(Market::Kr), &[note(1, &on("a", What::Up)), note(2, &on("a", What::Idle))]);
    assert_eq!(subjects(&out), ["status.kr.kis.link_down"]);
}

#[test]
fn a_taken_group_is_told_and_its_hole_has_two_edges() {
    let change = Change {
        group: market::Group::B,
        from: Source::Kiwoom,
        to: Source::Kis,
        by: market::ChangedBy::Auto,
        hold: false,
        why: "kiwoom is dead: no message for 60 s".to_owned(),
        missed_since_ns: Some(7),
    };
    let pair = |symbol: &str| ("krx".to_owned(), symbol.to_owned());
    let took = What::Took {
        change: change.clone(),
        missing: vec![pair("005930"), pair("068270")],
        uncovered: vec!["0155E0".to_owned()],
    };
    let gave = Noted::of_all(What::Gave { group: market::Group::B });
    let good = frame(1, TRADES.lines().next().expect("line"));
    let records = [note(1, &Noted::of_all(took)), good, note(2, &gave)];
    let out = read(&mut interpreter(Market::Kr), &records);
    assert_eq!(
        subjects(&out),
        [
            "status.kr.kis.ownership",
            "status.kr.kis.gap_opened",
            "status.kr.kis.gap_opened",
            "status.kr.kis.gap_closed",
            "ticker.kr.kis.005930.krx",
            "status.kr.kis.gap_closed",
        ]
    );
    let told = bus::decode(&out[0].payload).expect("event").body;
    let uncovered = vec![Symbol::parse("0155E0").expect("symbol")];
    assert_eq!(told, Body::Status(Status::Ownership { change, uncovered }));
    // The first ends with its first frame, the other with the group.
    assert_eq!(gaps(&out)[2..], [(7, Some(CONNECTED + 1_000)), (7, Some(CONNECTED + 2_000))]);
    let ids: BTreeSet<_> = out.iter().map(|outgoing| &outgoing.message_id).collect();
    assert_eq!(ids.len(), out.len());
}
