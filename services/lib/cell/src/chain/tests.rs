//! Frames of KIS in, breaks of the chain out.

use broker::kis::parse::KisParser;
use bus::publisher::Outgoing;
use bytes::Bytes;
use journal::{Record, RecordKind};
use market::calendar::Calendar;
use market::{Body, Group, Market, Source};

use super::*;
use crate::interpret::Interpreter;
use crate::note::{Noted, What};

const TRADES: &str = include_str!("../../../broker/fixtures/kis/h0stcnt0_46.txt");
const BOOKS: &str = include_str!("../../../broker/fixtures/kis/h0stasp0_63.txt");
const US: &str = include_str!("../../../broker/fixtures/kis/hdfscnt0_26.txt");
/// 2026-09-22, 14:00:00 in Seoul.
const CONNECTED: i64 = 1_790_053_200 * SECOND;

fn interpreter() -> Interpreter<KisParser> {
    Interpreter::new(KisParser::new(Calendar::built_in().clone()), Market::Kr, Source::Kis)
}

/// A captured frame with one record, some of its fields set anew.
fn with(line: &str, fields: &[(usize, &str)]) -> String {
    let (head, record) = line.trim_end().rsplit_once('|').expect("frame");
    let mut record: Vec<&str> = record.split('^').collect();
    for (at, text) in fields {
        record[*at] = text;
    }
    format!("{head}|{}", record.join("^"))
}

fn trade_at(time: &str, quantity: i64, cumulative_volume: i64) -> String {
    let line = TRADES.lines().next().expect("line");
    let (quantity, cumulative_volume) = (quantity.to_string(), cumulative_volume.to_string());
    with(line, &[(1, time), (12, &quantity), (13, &cumulative_volume), (33, "20260922")])
}

fn trade(quantity: i64, cumulative_volume: i64) -> String {
    trade_at("140000", quantity, cumulative_volume)
}

fn book_at(time: &str, cumulative_volume: i64) -> String {
    with(BOOKS.lines().next().expect("line"), &[(1, time), (53, &cumulative_volume.to_string())])
}

/// A record so many milliseconds after the connection.
fn frame(after_ms: u64, text: &str) -> Record {
    Record {
        kind: RecordKind::FRAME,
        connection_id: CONNECTED,
        sequence: after_ms,
        received_ns: CONNECTED + i64::try_from(after_ms).expect("small") * 1_000_000,
        payload: Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn note(after_ms: u64, what: What) -> Record {
    let payload = Bytes::from(Noted::of_all(what).to_bytes());
    Record { kind: RecordKind::NOTE, payload, ..frame(after_ms, "") }
}

fn read(interpreter: &mut Interpreter<KisParser>, records: &[Record]) -> Vec<Outgoing> {
    let mut out = Vec::new();
    for record in records {
        interpreter.read(record, &mut out);
    }
    out
}

/// `what after until residue` of what is told of missing volume, in order.
fn told(out: &[Outgoing]) -> Vec<String> {
    let one = |outgoing: &Outgoing| {
        let Body::Status(status) = bus::decode(&outgoing.payload).expect("event").body else { return None };
        let (Status::GapOpened(gap) | Status::GapClosed(gap)) = &status else { return None };
        let MissingVolume { after, until, residue, .. } = gap.volume?;
        let residue = residue.map_or_else(|| "-".to_owned(), |shares| shares.to_string());
        Some(format!("{} {after} {until} {residue}", status.what()))
    };
    out.iter().filter_map(one).collect()
}

fn told_of(records: &[Record]) -> Vec<String> {
    told(&read(&mut interpreter(), records))
}

#[test]
fn a_break_is_told_before_its_trade_and_closed_when_a_late_frame_fills_it() {
    let frames =
        [trade(10, 1_000), trade_at("140002", 5, 1_025), trade(8, 1_008), trade(12, 1_020), trade(12, 1_020)];
    let records: Vec<Record> = (1..).zip(&frames).map(|(at, text)| frame(at, text)).collect();
    let out = read(&mut interpreter(), &records);
    let ids: Vec<&str> = out.iter().map(|outgoing| outgoing.message_id.as_str()).collect();
    assert_eq!(
        ids.iter().filter(|id| !id.starts_with("t:")).collect::<Vec<_>>(),
        [&"g:005930:krx:20260922:1000:1020:gap_opened:", &"g:005930:krx:20260922:1000:1020:gap_closed:0",]
    );
    assert_eq!((ids.len(), ids[1]), (7, "g:005930:krx:20260922:1000:1020:gap_opened:"));
    let Body::Status(Status::GapOpened(gap)) = bus::decode(&out[1].payload).expect("event").body else {
        panic!("{:?}", out[1]);
    };
    assert_eq!(gap.reason, GapReason::ChainBreak);
    assert_eq!((gap.from_ns, gap.until_ns), (CONNECTED, Some(CONNECTED + 2 * SECOND)));
    assert_eq!(gap.detail, "20 shares between two prints");
}

#[test]
fn a_loss_while_the_connection_was_down_is_measured_to_the_share() {
    let again = Record { connection_id: CONNECTED + 7, ..frame(9_000, &trade_at("140009", 5, 1_500)) };
    assert_eq!(told_of(&[frame(1, &trade(10, 1_000)), again]), ["gap_opened 1000 1495 -"]);
}

#[test]
fn a_book_that_knows_more_waits_two_seconds_for_the_print() {
    let records = |last_ms| {
        [
            frame(1, &trade(10, 1_000)),
            frame(2, &book_at("140000", 1_030)),
            frame(900, &book_at("140000", 1_050)),
            frame(last_ms, &book_at("140002", 1_050)),
        ]
    };
    assert_eq!(told_of(&records(2_001)), [""; 0]);
    assert_eq!(told_of(&records(2_002)), ["gap_opened 1000 1030 -"]);
    // Books say nothing more until a print tells how far it goes.
    let mut all = records(2_002).to_vec();
    all.extend([frame(9_000, &book_at("140009", 1_060)), frame(9_100, &trade_at("140009", 10, 1_070))]);
    assert_eq!(told_of(&all), ["gap_opened 1000 1030 -", "gap_opened 1030 1060 -"]);
    // In time, in whatever order within the instant.
    let mut all = records(2_002).to_vec();
    all.insert(3, frame(1_900, &trade(50, 1_050)));
    assert_eq!(told_of(&all), [""; 0]);
}

#[test]
fn a_print_that_came_in_time_makes_the_next_book_wait_anew() {
    let records = [
        frame(1, &trade(10, 1_000)),
        frame(2, &book_at("140000", 1_030)),
        frame(100, &trade(30, 1_030)),
        frame(1_500, &book_at("140001", 1_040)),
        note(2_100, What::Up),
        note(3_400, What::Up),
        note(3_500, What::Up),
    ];
    let mut interpreter = interpreter();
    assert_eq!(told(&read(&mut interpreter, &records[..6])), [""; 0]);
    assert_eq!(told(&read(&mut interpreter, &records[6..])), ["gap_opened 1030 1040 -"]);
}

#[test]
fn volume_at_a_change_of_session_is_no_break_on_another_connection_neither() {
    let before = frame(1, &trade_at("151959", 10, 1_000));
    let after = frame(9_000_000, &trade_at("160001", 5, 1_500));
    assert_eq!(told_of(&[before.clone(), after.clone()]), [""; 0]);
    // Nor is what a book says of it.
    let book = frame(8_000_000, &book_at("160000", 1_495));
    assert_eq!(told_of(&[before.clone(), book, after.clone()]), [""; 0]);
    let elsewhere = Record { connection_id: CONNECTED + 7, ..after };
    assert_eq!(told_of(&[before, elsewhere]), [""; 0]);
    // The broker's own code of the session.
    let line = trade(10, 2_000);
    let closing = with(&line, &[(34, "21")]);
    assert_eq!(told_of(&[frame(1, &trade(10, 1_000)), frame(2, &closing)]), [""; 0]);
}

#[test]
fn what_another_broker_carried_is_no_break_here() {
    let gave = note(2, What::Gave { group: Group::A });
    let book = [frame(3, &book_at("140001", 1_400)), frame(4_000, &book_at("140004", 1_400))];
    let [first, second] = book;
    let back = frame(5_000, &trade_at("140005", 5, 1_500));
    let lost = frame(5_001, &trade_at("140005", 5, 1_510));
    assert_eq!(
        told_of(&[frame(1, &trade(10, 1_000)), gave, first, second, back, lost]),
        ["gap_opened 1500 1505 -"]
    );
}

#[test]
fn a_book_after_a_start_says_nothing_before_the_first_trade() {
    let started = note(2, What::Started { last_received_ns: Some(CONNECTED) });
    let books = [frame(3, &book_at("140001", 1_400)), frame(4_000, &book_at("140004", 1_400))];
    let [first, second] = books;
    let after = frame(5_000, &trade_at("140005", 5, 1_500));
    assert_eq!(
        told_of(&[frame(1, &trade(10, 1_000)), started, first, second, after]),
        ["gap_opened 1000 1495 -"]
    );
}

#[test]
fn a_new_day_begins_without_a_break() {
    let line = TRADES.lines().next().expect("line");
    let tomorrow = with(line, &[(1, "090001"), (12, "5"), (13, "905"), (33, "20260923")]);
    assert_eq!(told_of(&[frame(1, &trade(10, 1_000)), frame(2, &tomorrow)]), [""; 0]);
}

#[test]
fn the_tapes_of_a_us_symbol_have_chains_of_their_own() {
    let line = US.lines().next().expect("line");
    let (head, records) = line.rsplit_once('|').expect("frame");
    let first: Vec<&str> = records.split('^').take(26).collect();
    let head = head.replace("|002", "|001");
    let frame_of = |key: &str, cumulative_volume: i64| {
        with(&format!("{head}|{}", first.join("^")), &[(0, key), (20, &cumulative_volume.to_string())])
    };
    let parser = KisParser::new(Calendar::built_in().clone());
    let mut interpreter = Interpreter::new(parser, Market::Us, Source::Kis);
    // Each print is of one share.
    let records = [("DNASAAPL", 100), ("RBAQAAPL", 7), ("DNASAAPL", 101), ("RBAQAAPL", 9), ("DNASAAPL", 102)];
    let records: Vec<Record> =
        (1..).zip(records).map(|(at, (key, volume))| frame(at, &frame_of(key, volume))).collect();
    let out = read(&mut interpreter, &records);
    assert_eq!(told(&out), ["gap_opened 7 8 -"]);
    assert_eq!(out[3].message_id, "g:AAPL:day:20230502:7:8:gap_opened:");
}

#[test]
fn what_is_read_again_after_a_restart_is_told_again_with_the_same_names() {
    let mut records = vec![frame(1, &trade(10, 1_000))];
    for step in 1..60_i64 {
        let at = u64::try_from(step).expect("small") * 700;
        let volume = 1_000 + step * 20;
        // Some prints are lost, half of them come late, and books run ahead.
        if step % 6 == 2 {
            records.push(frame(at, &book_at("140000", volume)));
        }
        let late_ms = [0, 2_500, 2_600, 1_000, 0, 0][usize::try_from(step % 6).expect("small")];
        if step % 12 != 0 {
            records.push(frame(at + late_ms, &trade(20, volume)));
        }
    }
    records.sort_by_key(|record| record.received_ns);
    let mut through = interpreter();
    read(&mut through, &records[..20]);
    let as_it_was = read(&mut through, &records[20..]);
    assert!(told(&as_it_was).iter().any(|told| told.starts_with("gap_closed")));
    // The warm-up of the cursor reads what stands before the position and publishes nothing.
    let mut warmed = interpreter();
    read(&mut warmed, &records[..20]);
    assert_eq!(read(&mut warmed, &records[20..]), as_it_was);
    // With less before it, fewer breaks may be known; nothing else has another name.
    let others = |out: &[Outgoing]| -> Vec<String> {
        let ids = out.iter().map(|outgoing| outgoing.message_id.clone());
        ids.filter(|id| !id.starts_with("g:")).collect()
    };
    assert_eq!(others(&read(&mut interpreter(), &records[20..])), others(&as_it_was));
}

#[test]
fn a_feed_that_loses_every_second_trade_does_not_flood() {
    let mut records = Vec::new();
    for step in 1..=1_000_i64 {
        records.push(frame(u64::try_from(step).expect("small"), &trade(10, step * 20)));
    }
    let told = told_of(&records);
    // 100 one by one, then at 1, 2, 4, … 512 of 899; from the second on what was told before goes into it.
    assert_eq!(told.len(), 100 + 10 + 9);
    assert_eq!(told[99], "gap_opened 2000 2010 -");
    assert_eq!(told[100], "gap_opened 2020 2030 10");
    assert_eq!(told[101..103], ["gap_opened 2020 2050 20", "gap_closed 2020 2030 0"]);
    assert_eq!(told[117..], ["gap_opened 2020 12250 5120", "gap_closed 2020 7130 0"]);
}

#[test]
fn a_late_trade_of_the_session_before_hides_no_break_of_this_one() {
    let records = [
        frame(1, &trade_at("151958", 10, 1_000)),
        frame(8_000_000, &trade_at("160001", 5, 1_030)),
        frame(8_000_001, &trade_at("151959", 10, 1_010)),
        frame(8_000_002, &trade_at("160002", 5, 1_040)),
    ];
    // (1000, 1025] was taken for off-hours volume; the break after it is told.
    assert_eq!(told_of(&records), ["gap_opened 1030 1035 -"]);
}
