//! The compressed file: any offset, every flipped bit, every cut, an index that is gone.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::testing::{append, compress, compressed_file, file, record, settings, writer};
use crate::{Damage, JournalError, JournalSettings, Position, Reader, Record, RecordKind, Writer};

/// Segment 1 with records of 1,000 bytes that do not compress to nothing: three blocks and a bit; segment 2 follows.
fn blocks() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let settings = JournalSettings { segment_bytes: 400_000, ..settings(folder.path()) };
    let mut writer = Writer::open(settings).unwrap().0;
    for sequence in 1..=400 {
        writer.append(&varied(sequence)).unwrap();
    }
    writer.flush().unwrap();
    let plain = fs::read(file(folder.path(), 1)).unwrap();
    compress(folder.path(), 1);
    (folder, plain)
}

fn varied(sequence: u64) -> Record {
    let payload: Vec<u8> = (0..956_u64).map(|i| (i * sequence * 2_654_435_761).to_le_bytes()[2]).collect();
    Record { payload: payload.into(), ..record(sequence, 0) }
}

/// All sequences, and the damage with the sequences left out by it.
fn read(folder: &std::path::Path) -> (Vec<u64>, Vec<JournalError>) {
    let (records, damage) = crate::testing::read_around_damage(folder);
    for read in &records {
        assert!(read.kind == RecordKind::FRAME && *read == varied(read.sequence), "{read:?}");
    }
    (records.iter().map(|record| record.sequence).collect(), damage)
}

#[test]
fn other_programs_get_the_very_bytes() {
    let (folder, plain) = blocks();
    let compressed = fs::read(compressed_file(folder.path(), 1)).unwrap();
    // A decoder that knows nothing of the index.
    assert!(zstd::decode_all(&compressed[..]).unwrap() == plain);
    assert_eq!(plain.len().div_ceil(BLOCK_BYTES), 4);
}

#[test]
fn the_index_never_changes() {
    // The checksum comes from another implementation (Python's zlib.crc32).
    #[rustfmt::skip]
    let pinned = [
        0x5B, 0x2A, 0x4D, 0x18,  36, 0, 0, 0,  1, 0, 0, 0,
        0x01, 0x00, 0x02, 0, 0, 0, 0, 0,
        0x10, 0x27, 0, 0,  14, 0, 0, 0,
        2, 0, 0, 0,  0xA0, 0x37, 0xC3, 0x3E,
        b'S', b'I', b'S', b'E', b'J', b'I', b'D', b'X',
    ];
    assert_eq!(encode_index(&[10_000, 14], 131_073).unwrap(), pinned);
}

#[test]
fn reading_begins_at_any_offset() {
    let (folder, plain) = blocks();
    let compressed = Compressed::open(File::open(compressed_file(folder.path(), 1)).unwrap()).unwrap();
    assert_eq!((compressed.len(), compressed.is_index_damaged()), (plain.len() as u64, false));
    for at in [0, 1, 131_071, 131_072, 131_073, 262_143, 393_215, 393_216, plain.len() - 1, plain.len()] {
        for most in [1, 48, 131_072, 300_000] {
            let want = &plain[at..plain.len().min(at + most)];
            assert!(compressed.read(at as u64, most).unwrap() == want, "{most} at {at}");
        }
    }
    assert!(compressed.read(1 << 40, 10).unwrap().is_empty());
    for sequence in 1..=400 {
        let at = Position { segment: 1, offset: 48 + (sequence - 1) * 1_000 };
        let at = if sequence > 399 { Position { segment: 2, offset: 48 } } else { at };
        let first = Reader::open(folder.path(), at).unwrap().next().unwrap().unwrap().0;
        assert_eq!(first.sequence, sequence);
    }
}

#[test]
fn a_damaged_block_is_named_and_costs_its_own_records() {
    let (folder, _) = blocks();
    let path = compressed_file(folder.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    let second = Compressed::open(File::open(&path).unwrap()).unwrap().starts[1];
    // The frame's magic: nothing of the block can be decompressed.
    bytes[usize::try_from(second).unwrap()] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (sequences, damage) = read(folder.path());
    // Records 132 to 263 touch bytes 131,072 to 262,143.
    assert_eq!(sequences, (1..=131).chain(264..=400).collect::<Vec<_>>());
    let places: Vec<_> = damage.iter().map(ToString::to_string).collect();
    assert_eq!(
        places,
        ["journal is damaged in segment 1 at offset 131048: checksum of the record header does not match"]
    );
}

#[test]
fn a_first_block_that_is_gone_costs_no_other() {
    let (folder, _) = blocks();
    let path = compressed_file(folder.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (sequences, damage) = read(folder.path());
    assert_eq!(sequences, (133..=400).collect::<Vec<_>>());
    let places: Vec<_> = damage.iter().map(ToString::to_string).collect();
    assert_eq!(
        places,
        [
            "journal is damaged in segment 1 at offset 0: segment header: does not begin with SISEJRNL",
            "journal is damaged in segment 1 at offset 48: compressed block cannot be decompressed",
        ]
    );
}

#[test]
fn a_file_without_its_end_is_read_as_far_as_it_goes() {
    let (folder, plain) = blocks();
    let path = compressed_file(folder.path(), 1);
    let bytes = fs::read(&path).unwrap();
    let starts = Compressed::open(File::open(&path).unwrap()).unwrap().starts;
    let ends: Vec<usize> = starts.iter().map(|start| usize::try_from(*start).unwrap()).collect();
    for cut in ends.iter().flat_map(|end| [end.saturating_sub(1), *end, end + 1]).chain([bytes.len() - 1]) {
        fs::write(&path, &bytes[..cut]).unwrap();
        let blocks = ends.iter().filter(|end| **end <= cut).count() - 1;
        let end = plain.len().min(blocks * BLOCK_BYTES);
        let whole = end.saturating_sub(48) as u64 / 1_000;
        let (sequences, damage) = read(folder.path());
        assert_eq!(sequences, (1..=whole).chain([400]).collect::<Vec<_>>(), "cut at {cut}");
        // Whole blocks without an index are all there is to read.
        assert_eq!(damage.is_empty(), end == plain.len(), "cut at {cut}: {damage:?}");
        if let Some(JournalError::Damaged { segment, reason, .. }) = damage.last() {
            let known = matches!(reason, Damage::Shortened { end: 399_048 } | Damage::Incomplete { .. });
            assert!((*segment == 1 && known) || blocks == 0, "cut at {cut}: {damage:?}");
        }
    }
}

#[test]
fn a_newer_index_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut writer(folder.path()), 1..=41);
    compress(folder.path(), 1);
    let path = compressed_file(folder.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    let index = bytes.len() - 40;
    bytes[index + 8] = 2;
    let sum = crc32fast::hash(&bytes[index..index + 28]).to_le_bytes();
    bytes[index + 28..index + 32].copy_from_slice(&sum);
    fs::write(&path, bytes).unwrap();
    let refused = Reader::open(folder.path(), Position { segment: 1, offset: 48 }).unwrap_err();
    assert!(matches!(refused, JournalError::Io { .. }), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_flipped_bit_is_read_as_data(place in any::<prop::sample::Index>()) {
        let (folder, _) = blocks();
        let path = compressed_file(folder.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        let bit = place.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes).unwrap();
        // `read` compares every record with what was written.
        let (sequences, damage) = read(folder.path());
        prop_assert!(sequences.is_sorted() && sequences.len() >= 400 - 132, "{} left: {damage:?}", sequences.len());
        prop_assert!(sequences.len() == 400 || !damage.is_empty());
    }
}
