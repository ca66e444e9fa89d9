//! Compressing beside a writer and readers, and every instant at which it can be interrupted.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::testing::{
    append, compress, compress_unfinished, compressed_file, file, sequences, settings, writer,
};
use crate::{JournalSettings, Position, Reader, Writer};

fn compressing(folder: &Path) -> JournalSettings {
    JournalSettings { compress: Some(3), ..settings(folder) }
}

fn read_all(folder: &Path) -> Vec<u64> {
    sequences(&mut Reader::open(folder, Position::START).unwrap())
}

/// Flushes until a condition holds.
fn flush_until(writer: &mut Writer, what: &str, condition: impl Fn(&Writer) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition(writer) {
        assert!(Instant::now() < deadline, "never: {what}");
        writer.flush().unwrap();
        std::thread::yield_now();
    }
}

fn disk_bytes(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let journals = files.filter(|entry| entry.file_name().to_str().unwrap().contains(".journal"));
    journals.map(|entry| entry.metadata().unwrap().len()).sum()
}

#[test]
fn closed_segments_are_compressed_and_counted_as_they_are_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(compressing(folder.path())).unwrap().0;
    append(&mut writer, 1..=1_000);
    let plain = |number| file(folder.path(), number).exists();
    flush_until(&mut writer, "compressed", |writer| {
        (1..writer.end().segment).all(|number| !plain(number))
            && writer.used_bytes() == disk_bytes(folder.path())
    });
    assert_eq!(writer.end().segment, 25);
    assert!(plain(25) && !compressed_file(folder.path(), 25).exists());
    assert!(writer.used_bytes() < 40_000, "{}", writer.used_bytes());
    assert_eq!(read_all(folder.path()), (1..=1_000).collect::<Vec<_>>());
    // A restart counts the same.
    drop(writer);
    let writer = Writer::open(compressing(folder.path())).unwrap().0;
    assert_eq!(writer.used_bytes(), disk_bytes(folder.path()));
}

#[test]
fn what_is_left_over_is_compressed_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut writer(folder.path()), 1..=100);
    let mut writer = Writer::open(compressing(folder.path())).unwrap().0;
    flush_until(&mut writer, "compressed", |_| !file(folder.path(), 2).exists());
    assert!(compressed_file(folder.path(), 1).exists() && !file(folder.path(), 1).exists());
    append(&mut writer, [101]);
    assert_eq!(read_all(folder.path()), (1..=101).collect::<Vec<_>>());
}

#[test]
fn a_reader_beside_it_gets_every_record_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(compressing(folder.path())).unwrap().0;
    let mut follower = Reader::open(folder.path(), Position::START).unwrap();
    let mut seen = Vec::new();
    for round in 0..40 {
        append(&mut writer, round * 50 + 1..=round * 50 + 50);
        seen.extend(sequences(&mut follower));
        let all = read_all(folder.path());
        assert_eq!(all, (1..=round * 50 + 50).collect::<Vec<_>>());
    }
    assert_eq!(seen, (1..=2_000).collect::<Vec<_>>());
}

#[test]
fn an_open_segment_goes_on_when_it_is_compressed_beneath_the_reader() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut writer(folder.path()), 1..=100);
    let mut reader = Reader::open(folder.path(), Position::START).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().0.sequence, 1);
    compress(folder.path(), 1);
    compress(folder.path(), 2);
    assert_eq!(sequences(&mut reader), (2..=100).collect::<Vec<_>>());
    // Compressed or not, deleted is deleted.
    let mut reader = Reader::open(folder.path(), Position::START).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().0.sequence, 1);
    fs::remove_file(compressed_file(folder.path(), 1)).unwrap();
    fs::remove_file(compressed_file(folder.path(), 2)).unwrap();
    assert_eq!(std::iter::from_fn(|| reader.next().ok().flatten()).count(), 39);
    assert!(matches!(reader.next(), Err(crate::JournalError::Deleted { .. })));
}

#[test]
fn every_instant_leaves_the_plain_or_the_whole_compressed_file() {
    let whole = {
        let folder = tempfile::tempdir().unwrap();
        append(&mut writer(folder.path()), 1..=100);
        fs::read(compress_unfinished(folder.path(), 1)).unwrap()
    };
    let all: Vec<u64> = (1..=100).collect();
    let folder = tempfile::tempdir().unwrap();
    append(&mut writer(folder.path()), 1..=100);
    let plain = fs::read(file(folder.path(), 1)).unwrap();
    for cut in 0..=whole.len() {
        // Killed while it was written; and, as a power loss may have it, renamed before all of it was on disk.
        for path in [segment::unfinished_compressed_path(folder.path(), 1), compressed_file(folder.path(), 1)]
        {
            fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(read_all(folder.path()), all, "beside it, cut at {cut}");
            let (writer, recovered) = Writer::open(settings(folder.path())).unwrap();
            assert_eq!(recovered.torn, None);
            drop(writer);
            assert!(!path.exists(), "{} cut at {cut}", path.display());
            assert_eq!(read_all(folder.path()), all, "after a start, cut at {cut}");
            assert!(fs::read(file(folder.path(), 1)).unwrap() == plain);
        }
    }
    // Killed after the plain file went.
    fs::write(compressed_file(folder.path(), 1), &whole).unwrap();
    fs::remove_file(file(folder.path(), 1)).unwrap();
    drop(Writer::open(compressing(folder.path())).unwrap());
    assert_eq!(read_all(folder.path()), all);
}

#[test]
fn a_compressed_last_segment_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut writer(folder.path()), 1..=50);
    fs::remove_file(file(folder.path(), 2)).unwrap();
    compress(folder.path(), 1);
    let (mut writer, recovered) = Writer::open(settings(folder.path())).unwrap();
    assert_eq!((recovered.end, recovered.torn), (Position { segment: 2, offset: 48 }, None));
    append(&mut writer, [51]);
    assert_eq!(read_all(folder.path()), (1..=40).chain([51]).collect::<Vec<_>>());
}

#[test]
fn limits_delete_compressed_segments_and_never_what_is_not_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let settings = JournalSettings { max_bytes: 8_192, ..compressing(folder.path()) };
    let mut writer = Writer::open(settings).unwrap().0;
    let mut appended = 0;
    // Compressed they take less than a tenth: far more than two segments' records are kept before it is full.
    let full = loop {
        flush_until(&mut writer, "compressed", |writer| {
            (1..writer.end().segment).all(|number| !file(folder.path(), number).exists())
                && writer.used_bytes() == disk_bytes(folder.path())
        });
        match writer.append(&crate::testing::record(appended + 1, 56)) {
            Ok(_) => appended += 1,
            Err(full) => break full,
        }
        writer.flush().unwrap();
    };
    assert!(full.is_full() && appended > 300, "{full}, {appended}");
    assert_eq!(read_all(folder.path()), (1..=appended).collect::<Vec<_>>());
    writer.release(Position { segment: 2, offset: 4_047 });
    append(&mut writer, [appended + 1]);
    assert!(!compressed_file(folder.path(), 1).exists() && compressed_file(folder.path(), 2).exists());
    assert_eq!(read_all(folder.path()), (41..=appended + 1).collect::<Vec<_>>());
}

#[test]
fn a_segment_deleted_while_it_is_compressed_does_not_come_back() {
    for _ in 0..50 {
        let folder = tempfile::tempdir().unwrap();
        let settings = JournalSettings { max_bytes: 8_192, ..compressing(folder.path()) };
        let mut writer = Writer::open(settings).unwrap().0;
        for sequence in 1..=400 {
            append(&mut writer, [sequence]);
            writer.release(writer.end());
        }
        // The thread ends: what it was doing is done or undone.
        drop(writer);
        let (writer, _) = Writer::open(self::settings(folder.path())).unwrap();
        assert_eq!(writer.used_bytes(), disk_bytes(folder.path()));
        let read = read_all(folder.path());
        assert_eq!(read, (401 - read.len() as u64..=400).collect::<Vec<_>>());
    }
}

#[test]
fn age_deletes_what_is_acknowledged_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut writer(folder.path()), 1..=160);
    compress(folder.path(), 1);
    let hours = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3_600);
    let set = |path: PathBuf, hours_ago| {
        File::options().write(true).open(path).unwrap().set_modified(hours(hours_ago)).unwrap();
    };
    set(compressed_file(folder.path(), 1), 30);
    set(file(folder.path(), 2), 26);
    set(file(folder.path(), 3), 22);
    let max_age = Some(Duration::from_secs(24 * 3_600));
    let mut writer = Writer::open(JournalSettings { max_age, ..settings(folder.path()) }).unwrap().0;
    let first = |folder: &Path| read_all(folder)[0];
    writer.flush().unwrap();
    assert_eq!(first(folder.path()), 1);
    writer.release(Position { segment: 1, offset: 4_047 });
    writer.flush().unwrap();
    assert_eq!(first(folder.path()), 1, "one record is not acknowledged");
    writer.release(Position { segment: 1, offset: 4_048 });
    writer.flush().unwrap();
    assert_eq!(first(folder.path()), 41);
    writer.release(writer.end());
    writer.flush().unwrap();
    assert_eq!(first(folder.path()), 81, "the third is young enough");
    assert_eq!(writer.used_bytes(), disk_bytes(folder.path()));
}

#[test]
fn the_age_is_that_of_the_records() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut writer(folder.path()), 1..=100);
    let then = SystemTime::now() - Duration::from_secs(5_000_000);
    File::options().write(true).open(file(folder.path(), 1)).unwrap().set_modified(then).unwrap();
    compress(folder.path(), 1);
    let compressed = fs::metadata(compressed_file(folder.path(), 1)).unwrap();
    assert_eq!(compressed.modified().unwrap(), then);
}

#[test]
fn what_cannot_be_compressed_stays_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut writer(folder.path()), 1..=100);
    let mut writer = Writer::open(compressing(folder.path())).unwrap().0;
    // A folder in the way of the file.
    fs::create_dir(segment::unfinished_compressed_path(folder.path(), 3)).unwrap();
    append(&mut writer, 101..=121);
    let deadline = Instant::now() + Duration::from_secs(30);
    let trouble = loop {
        if let Some(trouble) = writer.compression_trouble() {
            break trouble;
        }
        assert!(Instant::now() < deadline, "never told");
        std::thread::yield_now();
    };
    assert!(trouble.to_string().starts_with("cannot compress "), "{trouble}");
    fs::remove_dir(segment::unfinished_compressed_path(folder.path(), 3)).unwrap();
    // Tried again with the next one.
    append(&mut writer, 122..=161);
    flush_until(&mut writer, "compressed", |_| compressed_file(folder.path(), 3).exists());
    assert_eq!(read_all(folder.path()), (1..=161).collect::<Vec<_>>());
}
