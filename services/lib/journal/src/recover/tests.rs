//! A journal after a crash: every cut, zeros, damage, lost headers, lost files.

use std::fs;

use bytes::Bytes;
use proptest::prelude::*;

use crate::testing::{append, file, read_around_damage, sequences, settings, writer};
use crate::{
    Acknowledged, Damage, JournalError, Position, Reader, Record, RecordKind, Recovered, Torn, Writer,
};

/// Three records of 100 bytes in segment 1: it ends at 348.
fn three_records() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    append(&mut writer(folder.path()), 1..=3);
    let bytes = fs::read(file(folder.path(), 1)).unwrap();
    assert_eq!(bytes.len(), 348);
    (folder, bytes)
}

fn at(segment: u64, offset: u64) -> Position {
    Position { segment, offset }
}

fn torn(offset: u64, bytes: u64, reason: Damage) -> Option<Torn> {
    Some(Torn { segment: 1, offset, bytes, reason })
}

#[test]
fn an_empty_folder_begins_with_segment_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/when/missing");
    let (_, recovered) = Writer::open(settings(&path)).unwrap();
    assert_eq!(recovered, Recovered { end: at(1, 48), torn: None });
}

#[test]
fn every_cut_leaves_the_whole_records_before_it() {
    let (folder, bytes) = three_records();
    for cut in 48..bytes.len() {
        fs::write(file(folder.path(), 1), &bytes[..cut]).unwrap();
        let whole = (cut - 48) / 100;
        let end = 48 + whole as u64 * 100;
        let left = cut as u64 - end;
        let want = if left == 0 { None } else { torn(end, left, Damage::Incomplete { left }) };
        let mut reader = Reader::open(folder.path(), Position::START).unwrap();
        assert_eq!(sequences(&mut reader).len(), whole, "before recovery, cut at {cut}");

        let (mut writer, recovered) = Writer::open(settings(folder.path())).unwrap();
        assert_eq!(recovered, Recovered { end: at(1, end), torn: want }, "cut at {cut}");
        append(&mut writer, [9]);
        let kept = (1..=whole as u64).chain([9]);
        assert_eq!(
            sequences(&mut Reader::open(folder.path(), Position::START).unwrap()),
            Vec::from_iter(kept)
        );
        // The reader that met the torn tail goes on over what replaced it.
        assert_eq!(sequences(&mut reader), [9], "after recovery, cut at {cut}");
    }
}

#[test]
fn zeros_at_the_end_are_cut() {
    let (folder, mut bytes) = three_records();
    for zeros in [1, 44, 300_000] {
        bytes.truncate(348);
        bytes.extend(vec![0; zeros]);
        fs::write(file(folder.path(), 1), &bytes).unwrap();
        assert_eq!(sequences(&mut Reader::open(folder.path(), Position::START).unwrap()), [1, 2, 3]);
        let (_, recovered) = Writer::open(settings(folder.path())).unwrap();
        let left = zeros as u64;
        assert_eq!(recovered, Recovered { end: at(1, 348), torn: torn(348, left, Damage::Zeros { left }) });
    }
}

#[test]
fn a_record_half_of_zeros_is_cut() {
    let (folder, mut bytes) = three_records();
    bytes[300..].fill(0);
    fs::write(file(folder.path(), 1), &bytes).unwrap();
    let (_, recovered) = Writer::open(settings(folder.path())).unwrap();
    assert_eq!(recovered, Recovered { end: at(1, 248), torn: torn(248, 100, Damage::Payload) });
}

#[test]
fn damage_with_good_records_behind_it_stays() {
    let (folder, mut bytes) = three_records();
    bytes[148..248].fill(0);
    bytes.extend(b"\xF5sj");
    fs::write(file(folder.path(), 1), &bytes).unwrap();
    let (_, recovered) = Writer::open(settings(folder.path())).unwrap();
    let want = torn(348, 3, Damage::Incomplete { left: 3 });
    assert_eq!(recovered, Recovered { end: at(1, 348), torn: want });
    let (records, damage) = read_around_damage(folder.path());
    assert_eq!(records.iter().map(|record| record.sequence).collect::<Vec<_>>(), [1, 3]);
    assert!(matches!(
        damage[..],
        [JournalError::Damaged { segment: 1, offset: 148, reason: Damage::Marker }]
    ));
}

#[test]
fn a_segment_without_a_header_begins_anew() {
    for bytes in [&b""[..], b"SISEJ", &[0; 48], &[0; 5000]] {
        let folder = tempfile::tempdir().unwrap();
        append(&mut writer(folder.path()), 1..=3);
        fs::write(file(folder.path(), 2), bytes).unwrap();
        let (mut writer, recovered) = Writer::open(settings(folder.path())).unwrap();
        assert_eq!(recovered.end, at(2, 48));
        let torn = recovered.torn.unwrap();
        assert_eq!((torn.segment, torn.offset, torn.bytes), (2, 0, bytes.len() as u64));
        append(&mut writer, [4]);
        assert_eq!(sequences(&mut Reader::open(folder.path(), Position::START).unwrap()), [1, 2, 3, 4]);
    }
}

#[test]
fn a_damaged_header_before_good_records_stays_and_a_new_segment_begins() {
    let (folder, mut bytes) = three_records();
    bytes[20] ^= 1;
    fs::write(file(folder.path(), 1), &bytes).unwrap();
    let (mut writer, recovered) = Writer::open(settings(folder.path())).unwrap();
    assert_eq!(recovered, Recovered { end: at(2, 48), torn: None });
    append(&mut writer, [4]);
    let (records, damage) = read_around_damage(folder.path());
    assert_eq!(records.iter().map(|record| record.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let want = Damage::SegmentHeader { reason: "checksum does not match" };
    assert!(
        matches!(&damage[..], [JournalError::Damaged { segment: 1, offset: 0, reason }] if *reason == want)
    );
}

#[test]
fn a_newer_format_is_left_alone() {
    let (folder, mut bytes) = three_records();
    bytes[8] = 2;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[0..12]);
    hasher.update(&bytes[16..48]);
    bytes[12..16].copy_from_slice(&hasher.finalize().to_le_bytes());
    fs::write(file(folder.path(), 1), &bytes).unwrap();
    let found = Writer::open(settings(folder.path())).unwrap_err();
    assert!(matches!(found, JournalError::Version { segment: 1, found: 2, known: 1 }));
    let found = Reader::open(folder.path(), at(1, 48)).unwrap_err();
    assert!(matches!(found, JournalError::Version { segment: 1, found: 2, known: 1 }));
    assert_eq!(fs::read(file(folder.path(), 1)).unwrap(), bytes);
}

#[test]
fn an_acknowledged_position_past_the_end_opens_a_new_segment() {
    let (folder, bytes) = three_records();
    Acknowledged::save(folder.path(), at(1, 348)).unwrap();
    fs::write(file(folder.path(), 1), &bytes[..248]).unwrap();
    let (mut writer, recovered) = Writer::open(settings(folder.path())).unwrap();
    assert_eq!(recovered, Recovered { end: at(2, 48), torn: None });
    append(&mut writer, 4..=6);
    let acknowledged = Acknowledged::load(folder.path()).unwrap();
    assert_eq!(sequences(&mut Reader::open(folder.path(), acknowledged).unwrap()), [4, 5, 6]);
    assert_eq!(sequences(&mut Reader::open(folder.path(), Position::START).unwrap()), [1, 2, 4, 5, 6]);
}

#[test]
fn an_acknowledged_position_without_its_segments_reads_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    Acknowledged::save(folder.path(), at(5, 1000)).unwrap();
    let (mut writer, recovered) = Writer::open(settings(folder.path())).unwrap();
    assert_eq!(recovered, Recovered { end: at(6, 48), torn: None });
    append(&mut writer, [1]);
    assert_eq!(sequences(&mut Reader::open(folder.path(), at(5, 1000)).unwrap()), [1]);
}

prop_compose! {
    fn any_record()(
        kind in any::<u8>(), connection_id in any::<i64>(), sequence in any::<u64>(),
        received_ns in any::<i64>(), payload in proptest::collection::vec(any::<u8>(), 0..700),
    ) -> Record {
        Record { kind: RecordKind(kind), connection_id, sequence, received_ns, payload: Bytes::from(payload) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_cut_anywhere_in_the_last_segment_recovers_the_records_before_it(
        records in proptest::collection::vec(any_record(), 1..40), cut in any::<prop::sample::Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(folder.path());
        let after: Vec<_> = records.iter().map(|record| writer.append(record).unwrap()).collect();
        drop(writer);
        let last = after[after.len() - 1].segment;
        let bytes = fs::read(file(folder.path(), last)).unwrap();
        let cut = cut.index(bytes.len() + 1);
        fs::write(file(folder.path(), last), &bytes[..cut]).unwrap();

        let kept = after.iter().take_while(|after| **after <= at(last, cut as u64)).count();
        let end = after[..kept].last().filter(|after| after.segment == last).map_or(at(last, 48), |after| *after);
        let (_, recovered) = Writer::open(settings(folder.path())).unwrap();
        prop_assert_eq!(recovered.end, end);
        let (read, damage) = read_around_damage(folder.path());
        prop_assert_eq!(&read[..], &records[..kept]);
        prop_assert!(damage.is_empty());
    }

    #[test]
    fn any_bytes_at_the_end_are_cut_and_cost_no_record(garbage in proptest::collection::vec(any::<u8>(), 1..600)) {
        let (folder, mut bytes) = three_records();
        bytes.extend(&garbage);
        fs::write(file(folder.path(), 1), &bytes).unwrap();
        let (_, recovered) = Writer::open(settings(folder.path())).unwrap();
        prop_assert_eq!(recovered.end, at(1, 348));
        prop_assert_eq!(recovered.torn.map(|torn| torn.bytes), Some(garbage.len() as u64));
        prop_assert_eq!(sequences(&mut Reader::open(folder.path(), Position::START).unwrap()), [1, 2, 3]);
    }
}
