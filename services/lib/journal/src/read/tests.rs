//! Reading: from any position, along with the writer, around damage, after deletions.

use std::fs;

use bytes::Bytes;
use proptest::prelude::*;

use crate::testing::{append, file, read_around_damage, record, sequences, settings, writer};
use crate::{Damage, JournalError, Position, Reader, Record, RecordKind, Skipped, Writer};

fn at(segment: u64, offset: u64) -> Position {
    Position { segment, offset }
}

/// 120 records of 100 bytes: 40 in each of the segments 1 to 3, which end at 4048.
fn three_segments() -> (tempfile::TempDir, Writer) {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    assert_eq!(append(&mut writer, 1..=120).last(), Some(&at(3, 4048)));
    (folder, writer)
}

#[test]
fn reading_begins_at_any_position() {
    let (folder, writer) = three_segments();
    let mut reader = Reader::open(folder.path(), Position::START).unwrap();
    let mut positions = vec![at(1, 48)];
    while let Some((_, after)) = reader.next().unwrap() {
        assert_eq!(reader.position(), after);
        positions.push(after);
    }
    assert_eq!(positions.last(), Some(&writer.end()));
    for (index, position) in positions.into_iter().enumerate() {
        let want: Vec<u64> = (index as u64 + 1..=120).collect();
        assert_eq!(sequences(&mut Reader::open(folder.path(), position).unwrap()), want, "from {position}");
    }
    assert_eq!(sequences(&mut Reader::open(folder.path(), at(3, 0)).unwrap()).len(), 40);
}

#[test]
fn a_reader_follows_the_tail_across_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = Reader::open(folder.path(), Position::START).unwrap();
    assert!(reader.next().unwrap().is_none());
    assert_eq!(reader.position(), Position::START);
    let mut writer = writer(folder.path());
    assert!(reader.next().unwrap().is_none());
    for sequence in 1..=130 {
        writer.append(&record(sequence, 56)).unwrap();
        assert!(reader.next().unwrap().is_none(), "{sequence} is not flushed");
        let end = writer.flush().unwrap();
        let (read, after) = reader.next().unwrap().unwrap();
        assert_eq!((read.sequence, after), (sequence, end));
    }
    assert_eq!(writer.end().segment, 4);
}

#[test]
fn a_reader_beside_a_writing_thread_gets_every_record_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    let mut reader = Reader::open(folder.path(), Position::START).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for sequence in 1..=20_000 {
                writer.append(&record(sequence, (sequence % 500) as usize)).unwrap();
                if sequence % 7 == 0 {
                    writer.flush().unwrap();
                }
            }
            writer.flush().unwrap();
        });
        let mut want = 1;
        while want <= 20_000 {
            assert!(std::time::Instant::now() < deadline, "only {want} of 20000 after 30 s");
            match reader.next().unwrap() {
                Some((read, _)) => {
                    assert_eq!(read, record(want, (want % 500) as usize));
                    want += 1;
                }
                None => std::thread::yield_now(),
            }
        }
    });
}

#[test]
fn a_half_written_record_is_not_yet_there_and_then_it_is() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut writer(folder.path()), 1..=2);
    let bytes = fs::read(file(folder.path(), 1)).unwrap();
    fs::write(file(folder.path(), 1), &bytes[..148]).unwrap();
    let mut reader = Reader::open(folder.path(), Position::START).unwrap();
    assert_eq!(sequences(&mut reader), [1]);
    for end in 149..248 {
        fs::write(file(folder.path(), 1), &bytes[..end]).unwrap();
        assert!(reader.next().unwrap().is_none(), "{end} bytes");
    }
    fs::write(file(folder.path(), 1), &bytes).unwrap();
    assert_eq!(sequences(&mut reader), [2]);
}

#[test]
fn a_half_record_before_the_last_segment_is_damage() {
    let (folder, _writer) = three_segments();
    let bytes = fs::read(file(folder.path(), 2)).unwrap();
    fs::write(file(folder.path(), 2), &bytes[..4000]).unwrap();
    let (records, damage) = read_around_damage(folder.path());
    let read: Vec<u64> = records.iter().map(|record| record.sequence).collect();
    assert_eq!(read, (1..=79).chain(81..=120).collect::<Vec<_>>());
    let want = Damage::Incomplete { left: 52 };
    assert!(
        matches!(&damage[..], [JournalError::Damaged { segment: 2, offset: 3948, reason }] if *reason == want)
    );
}

#[test]
fn a_shortened_segment_is_named() {
    let (folder, _writer) = three_segments();
    let bytes = fs::read(file(folder.path(), 2)).unwrap();
    fs::write(file(folder.path(), 2), &bytes[..2048]).unwrap();
    let (records, damage) = read_around_damage(folder.path());
    assert_eq!(records.len(), 100);
    let want = Damage::Shortened { end: 4048 };
    assert!(
        matches!(&damage[..], [JournalError::Damaged { segment: 2, offset: 2048, reason }] if *reason == want)
    );
}

#[test]
fn a_missing_segment_is_named() {
    let (folder, _writer) = three_segments();
    fs::remove_file(file(folder.path(), 2)).unwrap();
    let (records, damage) = read_around_damage(folder.path());
    assert_eq!(records.len(), 80);
    let want = Damage::Missing { next: 3 };
    assert!(
        matches!(&damage[..], [JournalError::Damaged { segment: 2, offset: 0, reason }] if *reason == want)
    );
    let mut reader = Reader::open(folder.path(), at(2, 148)).unwrap();
    for _ in 0..2 {
        let found = reader.next().unwrap_err();
        assert_eq!(
            found.to_string(),
            "journal is damaged in segment 2 at offset 148: the segment is missing, the next is 3"
        );
    }
    assert_eq!(reader.skip_damaged().unwrap(), Skipped { from: at(2, 148), to: at(3, 0) });
    assert_eq!(sequences(&mut reader), (81..=120).collect::<Vec<_>>());
    // Its end is as good as the beginning of the next.
    assert_eq!(sequences(&mut Reader::open(folder.path(), at(2, 4048)).unwrap()).len(), 40);
}

#[test]
fn a_position_in_a_deleted_segment_names_the_first_that_is_left() {
    let (folder, _writer) = three_segments();
    fs::remove_file(file(folder.path(), 1)).unwrap();
    let found = Reader::open(folder.path(), at(1, 148)).unwrap_err();
    let JournalError::Deleted { first, .. } = found else { panic!("{found}") };
    assert_eq!(found.to_string(), "position 1:148 was deleted; the first that is left is 2:48");
    assert_eq!(sequences(&mut Reader::open(folder.path(), first).unwrap()).len(), 80);
    assert_eq!(sequences(&mut Reader::open(folder.path(), at(1, 4048)).unwrap()).len(), 80);
    assert_eq!(sequences(&mut Reader::open(folder.path(), Position::START).unwrap()).len(), 80);
}

#[test]
fn a_reader_overtaken_by_deletion_says_so_and_goes_on() {
    let (folder, _writer) = three_segments();
    let mut reader = Reader::open(folder.path(), at(1, 3948)).unwrap();
    fs::remove_file(file(folder.path(), 1)).unwrap();
    fs::remove_file(file(folder.path(), 2)).unwrap();
    assert_eq!(reader.next().unwrap().map(|(record, _)| record.sequence), Some(40));
    let found = reader.next().unwrap_err();
    assert!(
        matches!(found, JournalError::Deleted { position, first } if position == at(1, 4048) && first == at(3, 48))
    );
    assert_eq!(reader.skip_damaged().unwrap(), Skipped { from: at(1, 4048), to: at(3, 0) });
    assert_eq!(sequences(&mut reader).len(), 40);
}

#[test]
fn a_position_past_the_end_or_inside_a_record_is_refused() {
    let (folder, _writer) = three_segments();
    for position in [at(3, 4049), at(4, 48)] {
        let found = Reader::open(folder.path(), position).unwrap_err();
        assert!(
            matches!(found, JournalError::PastEnd { end, .. } if end == at(3, 4048)),
            "{position}: {found}"
        );
    }
    let mut inside = Reader::open(folder.path(), at(2, 150)).unwrap();
    assert!(matches!(
        inside.next(),
        Err(JournalError::Damaged { segment: 2, offset: 150, reason: Damage::Marker })
    ));
    assert!(matches!(
        Reader::open(folder.path().join("none"), Position::START),
        Err(JournalError::Io { .. })
    ));
}

#[test]
fn damage_is_told_until_it_is_skipped_and_nothing_else_is_skipped() {
    let (folder, _writer) = three_segments();
    let mut bytes = fs::read(file(folder.path(), 1)).unwrap();
    bytes[148 + 60] ^= 8;
    fs::write(file(folder.path(), 1), &bytes).unwrap();
    let mut reader = Reader::open(folder.path(), Position::START).unwrap();
    assert_eq!(reader.skip_damaged().unwrap(), Skipped { from: Position::START, to: Position::START });
    assert!(reader.next().unwrap().is_some());
    for _ in 0..2 {
        let found = reader.next().unwrap_err();
        let want = "journal is damaged in segment 1 at offset 148: checksum of the payload does not match";
        assert_eq!(found.to_string(), want);
    }
    assert_eq!(reader.skip_damaged().unwrap(), Skipped { from: at(1, 148), to: at(1, 248) });
    assert_eq!(reader.skip_damaged().unwrap(), Skipped { from: at(1, 248), to: at(1, 248) });
    assert_eq!(reader.next().unwrap().map(|(record, _)| record.sequence), Some(3));
}

#[test]
fn damage_at_the_tail_is_skipped_without_losing_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    append(&mut writer, 1..=2);
    let mut bytes = fs::read(file(folder.path(), 1)).unwrap();
    bytes[247] ^= 1;
    fs::write(file(folder.path(), 1), &bytes).unwrap();
    let mut reader = Reader::open(folder.path(), Position::START).unwrap();
    assert!(reader.next().unwrap().is_some());
    assert!(matches!(reader.next(), Err(JournalError::Damaged { offset: 148, .. })));
    assert_eq!(reader.skip_damaged().unwrap(), Skipped { from: at(1, 148), to: at(1, 248) });
    assert!(reader.next().unwrap().is_none());
    append(&mut writer, [3]);
    assert_eq!(sequences(&mut reader), [3]);
}

#[test]
fn large_records_are_read_across_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    (settings.segment_bytes, settings.max_bytes) = (64 << 20, 128 << 20);
    let mut writer = Writer::open(settings).unwrap().0;
    let sizes = [16 << 20, 0, 300_000, 262_100, 262_144, 1, 16 << 20];
    for (sequence, bytes) in (1..).zip(sizes) {
        writer.append(&record(sequence, bytes)).unwrap();
    }
    writer.flush().unwrap();
    let mut reader = Reader::open(folder.path(), Position::START).unwrap();
    let read: Vec<usize> =
        std::iter::from_fn(|| reader.next().unwrap()).map(|(record, _)| record.payload.len()).collect();
    assert_eq!(read, sizes);
}

fn written(payloads: &[Vec<u8>]) -> (tempfile::TempDir, Vec<Record>, Vec<Position>) {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    let records: Vec<Record> = (1..)
        .zip(payloads)
        .map(|(sequence, payload)| Record {
            payload: Bytes::from(payload.clone()),
            kind: RecordKind::NOTE,
            ..record(sequence, 0)
        })
        .collect();
    let after = records.iter().map(|record| writer.append(record).unwrap()).collect();
    drop(writer);
    (folder, records, after)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_flipped_bit_is_named_and_costs_one_record(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..900), 1..40),
        place in any::<prop::sample::Index>(),
    ) {
        let (folder, records, after) = written(&payloads);
        let files: Vec<Vec<u8>> = (1..=after[after.len() - 1].segment)
            .map(|number| fs::read(file(folder.path(), number)).unwrap())
            .collect();
        let mut bit = place.index(files.iter().map(|bytes| bytes.len() * 8).sum());
        let mut number = 0;
        while bit >= files[number].len() * 8 {
            bit -= files[number].len() * 8;
            number += 1;
        }
        let mut bytes = files[number].clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let number = number as u64 + 1;
        fs::write(file(folder.path(), number), bytes).unwrap();

        let (read, damage) = read_around_damage(folder.path());
        let hit = at(number, bit as u64 / 8);
        let (want_offset, lost) = if hit.offset < 48 {
            (0, None)
        } else {
            let lost = after.iter().position(|after| *after > hit).unwrap();
            (after[lost].offset - 44 - payloads[lost].len() as u64, Some(lost))
        };
        let want: Vec<Record> =
            records.into_iter().enumerate().filter(|(index, _)| Some(*index) != lost).map(|(_, record)| record).collect();
        prop_assert_eq!(read, want);
        prop_assert!(
            matches!(damage[..], [JournalError::Damaged { segment, offset, .. }] if segment == number && offset == want_offset),
            "{:?}", damage
        );
    }

    #[test]
    fn any_bytes_in_a_segment_are_survived(
        bytes in proptest::collection::vec(prop_oneof![Just(0xF5), Just(b's'), Just(b'j'), Just(b'r'), any::<u8>()], 0..3000),
        with_header in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        drop(writer(folder.path()));
        let mut content = if with_header { fs::read(file(folder.path(), 1)).unwrap() } else { Vec::new() };
        content.extend(bytes);
        fs::write(file(folder.path(), 1), content).unwrap();
        let (records, _) = read_around_damage(folder.path());
        prop_assert!(records.is_empty());
        let mut writer = writer(folder.path());
        append(&mut writer, [1]);
        prop_assert_eq!(sequences(&mut Reader::open(folder.path(), Position::START).unwrap()), [1]);
    }
}
