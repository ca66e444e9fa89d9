//! Appending: rotation, the lock, limits and what they may delete, a full disk.

use std::fs;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::testing::{append, file, record, sequences, set_disk_space, settings, writer};
use crate::{
    Acknowledged, FullCause, JournalError, JournalSettings, Position, Reader, Sync, Writer, segment,
};

fn at(segment: u64, offset: u64) -> Position {
    Position { segment, offset }
}

fn read_all(folder: &tempfile::TempDir) -> Vec<u64> {
    sequences(&mut Reader::open(folder.path(), Position::START).unwrap())
}

fn numbers(folder: &tempfile::TempDir) -> Vec<u64> {
    segment::list(folder.path()).unwrap()
}

/// Room for two segments of 40 records of 100 bytes.
fn small(folder: &tempfile::TempDir) -> JournalSettings {
    JournalSettings { max_bytes: 8192, ..settings(folder.path()) }
}

#[test]
fn positions_are_those_of_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    assert_eq!(writer.end(), at(1, 48));
    assert_eq!(writer.append(&record(1, 56)).unwrap(), at(1, 148));
    assert_eq!(writer.append(&record(2, 0)).unwrap(), at(1, 192));
    assert_eq!(fs::metadata(file(folder.path(), 1)).unwrap().len(), 48);
    assert_eq!(writer.flush().unwrap(), at(1, 192));
    assert_eq!(fs::metadata(file(folder.path(), 1)).unwrap().len(), 192);
    assert_eq!((writer.end(), writer.used_bytes()), (at(1, 192), 192));
}

#[test]
fn a_full_segment_is_followed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    let after = append(&mut writer, 1..=41);
    assert_eq!(after[39..], [at(1, 4048), at(2, 148)]);
    // 48 bytes are left in a segment of 4096: an empty record of 44 still fits.
    append(&mut writer, 42..=80);
    assert_eq!(writer.append(&record(81, 0)).unwrap(), at(2, 4092));
    assert_eq!(writer.append(&record(82, 0)).unwrap(), at(3, 92));
    writer.flush().unwrap();
    assert_eq!(read_all(&folder), (1..=82).collect::<Vec<_>>());
    assert_eq!(writer.used_bytes(), 4048 + 4092 + 92);
}

#[test]
fn appending_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for sequence in 1..=100 {
        let (mut writer, recovered) = Writer::open(settings(folder.path())).unwrap();
        assert_eq!(recovered.torn, None);
        append(&mut writer, [sequence]);
    }
    assert_eq!(read_all(&folder), (1..=100).collect::<Vec<_>>());
    assert_eq!(numbers(&folder), [1, 2, 3]);
}

#[test]
fn a_dropped_writer_writes_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    writer(folder.path()).append(&record(1, 56)).unwrap();
    assert_eq!(read_all(&folder), [1]);
}

#[test]
fn a_second_writer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = writer(folder.path());
    let refused = Writer::open(settings(folder.path())).unwrap_err();
    assert!(matches!(refused, JournalError::Locked { .. }));
    assert!(
        refused
            .to_string()
            .ends_with("is in use by another writer; stop it, or give this one a folder of its own")
    );
    drop(first);
    Writer::open(settings(folder.path())).unwrap();
}

#[test]
fn a_record_that_no_segment_holds_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    assert_eq!(writer.append(&record(1, 4004)).unwrap(), at(1, 4096));
    let refused = writer.append(&record(2, 4005)).unwrap_err();
    assert!(matches!(refused, JournalError::TooLarge { bytes: 4049, limit: 4048 }));
    drop(writer);
    let large = JournalSettings { segment_bytes: 64 << 20, ..settings(folder.path()) };
    let refused = Writer::open(large).unwrap().0.append(&record(3, 16_777_217)).unwrap_err();
    assert!(matches!(refused, JournalError::TooLarge { bytes: 16_777_261, limit: 16_777_260 }));
    assert_eq!(read_all(&folder), [1]);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = JournalSettings { segment_bytes: 4095, ..settings(folder.path()) };
    let found = Writer::open(tiny).unwrap_err();
    assert!(matches!(found, JournalError::Settings { setting: "segment_bytes", found: 4095, least: 4096 }));
    let tight = JournalSettings { max_bytes: 8191, ..settings(folder.path()) };
    let found = Writer::open(tight).unwrap_err();
    assert!(matches!(found, JournalError::Settings { setting: "max_bytes", found: 8191, least: 8192 }));
}

#[test]
fn at_the_limit_nothing_unacknowledged_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(small(&folder)).unwrap().0;
    append(&mut writer, 1..=80);
    for _ in 0..2 {
        let full = writer.append(&record(81, 56)).unwrap_err();
        assert!(full.is_full());
        let JournalError::Full { cause } = full else { panic!("{full}") };
        assert_eq!(cause, FullCause::Limit { used: 8096, max: 8192 });
    }
    // One byte less than the whole segment is not the whole segment.
    writer.release(at(1, 4047));
    assert!(writer.append(&record(81, 56)).unwrap_err().is_full());
    // Taken back before anything was deleted: protected again.
    writer.release(at(1, 4048));
    writer.release(at(1, 148));
    assert!(writer.append(&record(81, 56)).unwrap_err().is_full());
    writer.release(at(1, 4048));
    append(&mut writer, 81..=81);
    assert_eq!(numbers(&folder), [2, 3]);
    assert_eq!(read_all(&folder), (41..=81).collect::<Vec<_>>());
    // The end of the deleted segment is where the rest begins.
    assert_eq!(sequences(&mut Reader::open(folder.path(), at(1, 4048)).unwrap()), read_all(&folder));
}

#[test]
fn acknowledged_segments_stay_until_the_limit_asks() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(small(&folder)).unwrap().0;
    append(&mut writer, 1..=80);
    writer.release(writer.end());
    assert_eq!(numbers(&folder), [1, 2]);
    for sequence in 81..=1000 {
        append(&mut writer, [sequence]);
        writer.release(writer.end());
        assert!(writer.used_bytes() <= 8192);
    }
    assert_eq!(read_all(&folder).last(), Some(&1000));
}

#[test]
fn the_saved_acknowledged_position_counts_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut Writer::open(small(&folder)).unwrap().0, 1..=80);
    Acknowledged::save(folder.path(), at(1, 4048)).unwrap();
    append(&mut Writer::open(small(&folder)).unwrap().0, [81]);
    assert_eq!(numbers(&folder), [2, 3]);
}

#[test]
fn smaller_settings_leave_a_journal_usable() {
    let folder = tempfile::tempdir().unwrap();
    let large = JournalSettings { segment_bytes: 1 << 20, ..settings(folder.path()) };
    let end = append(&mut Writer::open(large).unwrap().0, 1..=1000)[999];
    let (mut writer, recovered) = Writer::open(small(&folder)).unwrap();
    assert_eq!((end, recovered.end), (at(1, 100_048), at(2, 48)));
    assert!(writer.append(&record(1001, 56)).unwrap_err().is_full());
    writer.release(end);
    append(&mut writer, [1001]);
    assert_eq!(read_all(&folder), [1001]);
}

#[test]
fn a_full_disk_leaves_whole_records_and_appending_goes_on() {
    // 48 bytes of header, then records of 100: the space ends between, just after and inside records.
    for space in 0..=500 {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(folder.path());
        for sequence in 1..=5 {
            writer.append(&record(sequence, 56)).unwrap();
        }
        set_disk_space(space);
        let flushed = writer.flush();
        if space < 500 {
            let full = flushed.unwrap_err();
            assert!(matches!(&full, JournalError::Full { cause: FullCause::Disk { .. } }), "{full}");
        }
        let whole = space as u64 / 100;
        assert_eq!(fs::metadata(file(folder.path(), 1)).unwrap().len(), 48 + whole * 100, "space {space}");
        assert_eq!(read_all(&folder), (1..=whole).collect::<Vec<_>>());
        assert_eq!(writer.end(), at(1, 548));
        set_disk_space(usize::MAX);
        append(&mut writer, [6]);
        assert_eq!(read_all(&folder), [1, 2, 3, 4, 5, 6], "space {space}");
    }
}

#[test]
fn a_disk_full_at_rotation_appends_nothing_and_goes_on() {
    for space in [0, 30, 60] {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(folder.path());
        append(&mut writer, 1..=39);
        writer.append(&record(40, 56)).unwrap();
        set_disk_space(space);
        assert!(writer.append(&record(41, 56)).unwrap_err().is_full());
        assert_eq!((writer.end(), numbers(&folder)), (at(1, 4048), vec![1]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "lock and one segment");
        set_disk_space(usize::MAX);
        append(&mut writer, [41]);
        assert_eq!(read_all(&folder), (1..=41).collect::<Vec<_>>());
    }
}

#[test]
fn a_process_that_dies_on_a_full_disk_leaves_a_valid_journal() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = writer(folder.path());
    for sequence in 1..=5 {
        first.append(&record(sequence, 56)).unwrap();
    }
    set_disk_space(250);
    drop(first);
    set_disk_space(usize::MAX);
    let (_, recovered) = Writer::open(settings(folder.path())).unwrap();
    assert_eq!((recovered.end, recovered.torn), (at(1, 248), None));
}

#[test]
fn on_a_full_disk_acknowledged_segments_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    append(&mut writer, 1..=90);
    writer.release(at(2, 148));
    writer.append(&record(91, 56)).unwrap();
    set_disk_space(0);
    assert!(writer.flush().unwrap_err().is_full());
    assert_eq!(numbers(&folder), [2, 3]);
    set_disk_space(usize::MAX);
    writer.flush().unwrap();
    assert_eq!(read_all(&folder), (41..=91).collect::<Vec<_>>());
}

#[test]
fn syncing_follows_the_settings() {
    for sync in [Sync::Never, Sync::EveryBatch, Sync::Interval(Duration::from_secs(3600))] {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(JournalSettings { sync, ..settings(folder.path()) }).unwrap().0;
        let before = writer.synced_at;
        append(&mut writer, [1]);
        assert_eq!(writer.unsynced, sync != Sync::EveryBatch);
        assert_eq!(writer.synced_at > before, sync == Sync::EveryBatch);
        // The closed segment is synced when the next begins.
        append(&mut writer, 2..=60);
        assert_eq!(writer.synced_at > before, sync != Sync::Never);
    }
    let folder = tempfile::tempdir().unwrap();
    let interval = Sync::Interval(Duration::from_millis(1));
    let mut writer = Writer::open(JournalSettings { sync: interval, ..settings(folder.path()) }).unwrap().0;
    append(&mut writer, [1]);
    let deadline = Instant::now() + Duration::from_secs(10);
    while writer.unsynced && Instant::now() < deadline {
        writer.flush().unwrap();
    }
    assert!(!writer.unsynced);
}

#[test]
fn debug_shows_no_payload() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path());
    writer.append(&record(1, 56)).unwrap();
    assert!(!format!("{writer:?}").contains("120, 120"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_disk_does_the_journal_is_what_was_appended(
        steps in proptest::collection::vec((0usize..600, 0u8..4, proptest::option::weighted(0.3, 0usize..3000)), 1..120),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(folder.path());
        let mut appended = Vec::new();
        for (sequence, (bytes, flush, space)) in (1..).zip(steps) {
            set_disk_space(space.unwrap_or(usize::MAX));
            match writer.append(&record(sequence, bytes)) {
                Ok(_) => appended.push(sequence),
                Err(error) => prop_assert!(error.is_full()),
            }
            if flush == 0 {
                let _ = writer.flush();
            }
            let seen = read_all(&folder);
            prop_assert_eq!(&seen[..], &appended[..seen.len()]);
        }
        set_disk_space(usize::MAX);
        writer.flush().unwrap();
        prop_assert_eq!(read_all(&folder), appended);
    }
}
