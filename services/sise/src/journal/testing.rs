//! Journals of a test: records of 100 bytes, 40 to a segment.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use journal::{JournalSettings, Record, RecordKind, Sync, Writer};

/// 2026-11-24 09:00:30 in Seoul.
const BEGIN: i64 = 1_795_478_430_000_000_000;

/// When the record of a sequence was received: a millisecond after the one before.
pub fn received(sequence: u64) -> i64 {
    BEGIN + i64::try_from(sequence).expect("small") * 1_000_000
}

fn record(kind: &str, sequence: u64) -> Record {
    let (kind, text) = match kind {
        "note" => (RecordKind::NOTE, "{\"what\":\"started\",\"last_received_ns\":null}".to_owned()),
        _ => (RecordKind::FRAME, format!("frame {sequence} ")),
    };
    // 44 bytes of header and 56 of payload.
    let filler = if kind == RecordKind::NOTE { " " } else { "x" };
    let payload = format!("{text}{}", filler.repeat(56 - text.len()));
    Record {
        kind,
        connection_id: 7,
        sequence,
        received_ns: received(sequence),
        payload: Bytes::from(payload),
    }
}

fn settings(folder: &Path) -> JournalSettings {
    JournalSettings {
        folder: folder.to_owned(),
        segment_bytes: 4_096,
        max_bytes: 1 << 30,
        max_age: None,
        compress: None,
        sync: Sync::Never,
    }
}

/// A journal with so many records of each kind, numbered from 1.
pub fn filled(kinds: &[(&str, u64)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    let (mut writer, _) = Writer::open(settings(folder.path())).expect("journal");
    let kinds = kinds.iter().flat_map(|(kind, count)| (0..*count).map(move |_| *kind));
    for (sequence, kind) in (1..).zip(kinds) {
        writer.append(&record(kind, sequence)).expect("appended");
    }
    writer.flush().expect("flushed");
    folder
}

/// The same with its closed segments compressed.
pub fn compressed(kinds: &[(&str, u64)]) -> tempfile::TempDir {
    let folder = filled(kinds);
    let settings = JournalSettings { compress: Some(3), ..settings(folder.path()) };
    let (mut writer, _) = Writer::open(settings).expect("journal");
    let deadline = Instant::now() + Duration::from_secs(30);
    while (1..writer.end().segment).any(|number| file(folder.path(), number).exists()) {
        assert!(Instant::now() < deadline, "never compressed");
        writer.flush().expect("flushed");
        std::thread::yield_now();
    }
    drop(writer);
    folder
}

/// The plain file of a segment.
pub fn file(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.journal"))
}

/// Flips a bit of a byte.
pub fn flip(folder: &Path, number: u64, offset: usize) {
    let path = file(folder, number);
    let mut bytes = fs::read(&path).expect("segment");
    bytes[offset] ^= 1;
    fs::write(path, bytes).expect("written");
}
