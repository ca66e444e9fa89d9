//! The keeper on a journal that has room for a few frames only.

use std::path::Path;

use broker::connection::Frame;
use journal::{JournalSettings, Reader, Sync};

use super::*;
use crate::tail::{TailOut, tail};

const LIMIT: Duration = Duration::from_secs(30);
/// More than a journal of 8 KiB holds, and few enough that one acknowledgement makes room for the rest.
const FRAMES: u64 = 9;

fn frame(sequence: u64) -> Received {
    Received::Frame(Frame {
        connection_id: 7,
        frame_sequence: sequence,
        received_ns: 1_000 + i64::try_from(sequence).expect("small"),
        text: Bytes::from(vec![b'x'; 1_000]),
    })
}

fn noted(folder: &Path) -> Vec<Noted> {
    let mut reader = Reader::open(folder, Position::START).expect("journal");
    let mut notes = Vec::new();
    while let Some((record, _)) = reader.next().expect("record") {
        if record.kind == RecordKind::NOTE {
            notes.push(serde_json::from_slice(&record.payload).expect("note"));
        }
    }
    notes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_journal_drops_nothing_and_tells_how_long_it_was() {
    let folder = tempfile::tempdir().expect("folder");
    let settings = JournalSettings {
        folder: folder.path().to_owned(),
        segment_bytes: 4_096,
        max_bytes: 8_192,
        max_age: None,
        compress: None,
        sync: Sync::Never,
    };
    let (writer, recovered) = Writer::open(settings).expect("journal");
    let (received_in, received) = mpsc::channel(1);
    let (tail, mut kept) = tail(64, 1 << 20);
    let (end, _) = watch::channel(recovered.end);
    let (acknowledge, acknowledged) = watch::channel(recovered.end);
    let runtime = Handle::current();
    let first = Record {
        kind: RecordKind::FRAME,
        connection_id: 7,
        sequence: 0,
        received_ns: 1_000,
        payload: Bytes::from(vec![b'x'; 1_000]),
    };
    let keeper = Keeper {
        writer,
        received,
        tail,
        end,
        acknowledged,
        runtime,
        notes: 0,
        kept: Vec::new(),
        ready: process::ready::part("journal"),
    };
    let keeping = tokio::task::spawn_blocking(move || keeper.run(first));

    let sending = tokio::spawn(async move {
        for sequence in 1..=FRAMES {
            received_in.send(frame(sequence)).await.expect("the keeper lives");
        }
    });
    let deadline = tokio::time::Instant::now() + LIMIT;
    let (mut sequences, mut last, mut was_full) = (Vec::new(), recovered.end, false);
    while sequences.len() < usize::try_from(FRAMES + 1).expect("small") {
        match until_full(&mut kept).await {
            Some(item) => {
                sequences.push(item.record.sequence);
                last = item.after;
            }
            None => {
                assert!(tokio::time::Instant::now() < deadline, "no room after an acknowledgement");
                was_full = true;
                acknowledge.send_replace(last);
            }
        }
    }
    assert!(was_full, "{} frames fit into 8 KiB", FRAMES + 1);
    assert_eq!(sequences, (0..=FRAMES).collect::<Vec<_>>());
    tokio::time::timeout(LIMIT, sending).await.expect("in time").expect("sent");
    tokio::time::timeout(LIMIT, keeping).await.expect("in time").expect("no panic").expect("no error");
    let told = noted(folder.path());
    let [Noted { what: What::JournalFull { from_ns, until_ns }, .. }] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(*from_ns > 1_000 && *from_ns <= 1_010 && until_ns > from_ns, "{told:?}");
}

/// The next record, or nothing when none has come for so long that the keeper must be waiting for room. On a slow
/// machine it may not have been: then it is acknowledged once more.
async fn until_full(kept: &mut TailOut) -> Option<Kept> {
    let next = tokio::time::timeout(5 * FULL_PAUSE, kept.recv()).await.ok()?;
    Some(next.expect("a record"))
}
