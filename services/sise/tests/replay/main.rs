//! `sise journal replay` between the real servers: a journal whose events the archive lacks, has in part, and has.
//! Beside it `sise archive` and `sise streams`, between the same servers.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod archive;
mod streams;
#[allow(dead_code, reason = "the other tests' servers, used in part")]
mod support;

use bytes::Bytes;
use journal::{Acknowledged, JournalSettings, Position, Record, RecordKind, Sync, Writer};

use support::House;

const TRADES: &str = include_str!("../../../lib/broker/fixtures/kis/h0stcnt0_46.txt");
const BOOKS: &str = include_str!("../../../lib/broker/fixtures/kis/h0stasp0_59.txt");
/// When those frames were captured.
const CAPTURED: i64 = 1_790_053_572_000_000_000;
const CONNECTION: i64 = 1_790_053_000_000_000_000;

fn frame(sequence: u64, text: &str) -> Record {
    Record {
        kind: RecordKind::FRAME,
        connection_id: CONNECTION,
        sequence,
        received_ns: CAPTURED + i64::try_from(sequence).expect("small"),
        payload: Bytes::copy_from_slice(text.as_bytes()),
    }
}

/// The journal of a service that has published everything but its last frame: 22 frames with 33 events and one that is
/// refused. Gives the positions before the first book and before the frame that is the service's own business.
fn journal(house: &House) -> (Writer, Position, Position) {
    let folder = house.folder().join("journal/kis-service");
    let settings = JournalSettings {
        folder: folder.clone(),
        segment_bytes: 4_096,
        max_bytes: 1 << 30,
        max_age: None,
        compress: Some(3),
        sync: Sync::Never,
    };
    let (mut writer, _) = Writer::open(settings).expect("journal");
    let note = Bytes::from_static(b"{\"connection\":\"main\",\"what\":\"up\"}");
    let note = Record { kind: RecordKind::NOTE, payload: note, ..frame(1, "") };
    let before_frames = writer.append(&note).expect("appended");
    assert_eq!(before_frames.segment, 1);
    let mut sequence = 0;
    let mut append = |writer: &mut Writer, text: &str| {
        sequence += 1;
        writer.append(&frame(sequence, text)).expect("appended")
    };
    let mut before_books = before_frames;
    for text in TRADES.lines() {
        before_books = append(&mut writer, text);
    }
    for text in BOOKS.lines() {
        append(&mut writer, text);
    }
    let acknowledged = append(&mut writer, "0|H0STCNT0|001|garbage");
    append(&mut writer, BOOKS.lines().next().expect("book"));
    writer.flush().expect("flushed");
    Acknowledged::save(&folder, acknowledged).expect("saved");
    (writer, before_books, acknowledged)
}

#[tokio::test]
async fn a_replay_publishes_what_the_archive_lacks_and_a_second_one_nothing() {
    let mut house = House::build().await;
    // The writer is held all the time: a service that runs is in nobody's way, and nobody in its.
    let (mut writer, before_books, acknowledged) = journal(&house);
    let replay = |house: &House, arguments: &[&str]| {
        house.sise(&[&["journal", "replay", "--service", "kis-service"], arguments].concat())
    };

    let told = replay(&house, &["--dry-run"]);
    assert_eq!(
        told,
        "frames=23 parsed=33 already_archived=0 repeated=0 to_publish=33 still_refused=1 damaged=0\n"
    );
    house.archived_are(0, 0).await;

    let told = replay(&house, &["--to", &before_books.to_string()]);
    assert_eq!(
        told,
        "frames=18 parsed=29 already_archived=0 repeated=0 published=29 still_refused=0 damaged=0\n"
    );
    house.start_archiver();
    house.archived_are(29, 0).await;

    let told = replay(&house, &[]);
    assert_eq!(
        told,
        "frames=23 parsed=33 already_archived=29 repeated=0 published=4 still_refused=1 damaged=0\n"
    );
    house.archived_are(29, 4).await;

    let told = replay(&house, &[]);
    assert_eq!(
        told,
        "frames=23 parsed=33 already_archived=33 repeated=0 published=0 still_refused=1 damaged=0\n"
    );
    house.archived_are(29, 4).await;
    assert_eq!(house.messages().await, (29, 4));

    // Rows have the names of the frames they were read from.
    let row = house.text("SELECT frame_sequence, record_index, connection_id FROM order_books ORDER BY frame_sequence LIMIT 1").await;
    assert_eq!(row, "19\t0\t1790053000000000000\n");
    // The service goes on where it was.
    assert!(writer.append(&frame(100, "0|")).expect("appended") > acknowledged);
}

#[tokio::test]
async fn what_is_damaged_is_named_and_the_rest_is_published() {
    let mut house = House::build().await;
    let (writer, ..) = journal(&house);
    drop(writer);
    house.start_archiver();
    let folder = house.folder().join("journal/kis-service");
    let second = [".journal", ".journal.zst"].map(|suffix| folder.join(format!("{:020}{suffix}", 2)));
    for path in second {
        if path.exists() {
            std::fs::remove_file(path).expect("removed");
        }
    }
    let output = house.run(&["journal", "replay", "--service", "kis-service"]);
    assert_eq!(output.status.code(), Some(1));
    let problem = String::from_utf8(output.stderr).expect("text");
    assert!(problem.contains("segment 2 at offset 0: the segment is missing, the next is 3"), "{problem}");
    let told = String::from_utf8(output.stdout).expect("text");
    assert!(told.ends_with("still_refused=1 damaged=1\n"), "{told}");
    assert!(house.archived().await < (29, 4));
    let output = house.run(&["journal", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    let output = house.run(&["journal", "ls"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn each_service_has_its_parser_and_its_own_journal() {
    let house = House::build().await;
    let us = include_str!("../../../lib/broker/fixtures/kis/hdfscnt0_26.txt");
    let kiwoom = include_str!("../../../lib/broker/fixtures/kiwoom/0b_captured.txt");
    for (service, frames, told) in [("us-service", us, "parsed=11 "), ("kiwoom-service", kiwoom, "parsed=2 ")]
    {
        let folder = house.folder().join("journal").join(service);
        let settings = JournalSettings {
            folder: folder.clone(),
            segment_bytes: 1 << 20,
            max_bytes: 1 << 30,
            max_age: None,
            compress: None,
            sync: Sync::Never,
        };
        let (mut writer, _) = Writer::open(settings).expect("journal");
        for (sequence, text) in (1..).zip(frames.lines()) {
            writer.append(&frame(sequence, text)).expect("appended");
        }
        Acknowledged::save(&folder, writer.flush().expect("flushed")).expect("saved");
        let printed = house.sise(&["journal", "replay", "--service", service, "--dry-run"]);
        assert!(printed.contains(told) && printed.contains("still_refused=0"), "{service}: {printed}");
    }
}
