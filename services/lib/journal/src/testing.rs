//! What the tests of several files need: records, settings, a disk that is full when told so.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::{JournalError, JournalSettings, Position, Reader, Record, RecordKind, Sync, Writer, segment};

thread_local! {
    static DISK_SPACE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// From now on this thread can write that many bytes before the disk is full.
pub(crate) fn set_disk_space(bytes: usize) {
    DISK_SPACE.set(bytes);
}

/// How many of `wanted` bytes can still be written; they count as written.
pub(crate) fn take_disk_space(wanted: usize) -> usize {
    let space = DISK_SPACE.get();
    let taken = wanted.min(space);
    if space != usize::MAX {
        DISK_SPACE.set(space - taken);
    }
    taken
}

pub(crate) fn settings(folder: &Path) -> JournalSettings {
    JournalSettings {
        folder: folder.to_path_buf(),
        segment_bytes: 4096,
        max_bytes: 1 << 30,
        max_age: None,
        compress: None,
        sync: Sync::Never,
    }
}

pub(crate) fn writer(folder: &Path) -> Writer {
    Writer::open(settings(folder)).unwrap().0
}

/// A record of 44 + `bytes` bytes, told from others by its sequence.
pub(crate) fn record(sequence: u64, bytes: usize) -> Record {
    Record {
        kind: RecordKind::FRAME,
        connection_id: 1_765_432_100_000_000_000,
        sequence,
        received_ns: 1_765_432_101_000_000_000,
        payload: Bytes::from(vec![b'x'; bytes]),
    }
}

/// Appends records of 100 bytes with these sequences and makes them visible; gives the position after each.
pub(crate) fn append(writer: &mut Writer, sequences: impl IntoIterator<Item = u64>) -> Vec<Position> {
    let after = sequences.into_iter().map(|sequence| writer.append(&record(sequence, 56)).unwrap()).collect();
    writer.flush().unwrap();
    after
}

/// The sequences from where the reader stands to the present end.
pub(crate) fn sequences(reader: &mut Reader) -> Vec<u64> {
    std::iter::from_fn(|| reader.next().unwrap()).map(|(record, _)| record.sequence).collect()
}

/// All that can be read from the start, and the damage met on the way.
pub(crate) fn read_around_damage(folder: &Path) -> (Vec<Record>, Vec<JournalError>) {
    let mut reader = Reader::open(folder, Position::START).unwrap();
    let (mut records, mut damage) = (Vec::new(), Vec::new());
    loop {
        match reader.next() {
            Ok(Some((record, _))) => records.push(record),
            Ok(None) => return (records, damage),
            Err(error) => {
                let skipped = reader.skip_damaged().unwrap();
                assert!(skipped.to > skipped.from, "no progress at {error}");
                damage.push(error);
            }
        }
    }
}

pub(crate) fn file(folder: &Path, number: u64) -> PathBuf {
    segment::path(folder, number)
}

/// The compressed file of a segment.
pub(crate) fn compressed_file(folder: &Path, number: u64) -> PathBuf {
    segment::compressed_path(folder, number)
}

/// Compresses a segment on this thread.
pub(crate) fn compress(folder: &Path, number: u64) {
    crate::compress::now(folder, number).unwrap();
    assert!(!file(folder, number).exists() && compressed_file(folder, number).exists());
}

/// Compresses a segment as far as its unfinished file.
pub(crate) fn compress_unfinished(folder: &Path, number: u64) -> PathBuf {
    crate::compress::unfinished(folder, number).unwrap();
    segment::unfinished_compressed_path(folder, number)
}
