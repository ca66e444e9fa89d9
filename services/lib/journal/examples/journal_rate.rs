//! Measures appending and reading: `cargo run --release -p journal --example journal_rate [FOLDER]`.
//!
//! Appends and reads a million records of 400 bytes, flushing every 50 records (a flush a millisecond at 50,000 records a
//! second). Tells the cost of each setting as a ratio to the same work without a journal (the record is made and its
//! checksum taken), in the same run; the rounds of all settings take turns, so that what else the machine does meets all
//! alike.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use journal::{JournalSettings, Position, Reader, Record, RecordKind, Sync, Writer};

const RECORDS: u64 = 1_000_000;
const RECORDS_A_FLUSH: u64 = 50;
/// Syncing each batch is measured on fewer records: every flush waits for the disk.
const SYNCED_RECORDS: u64 = 50_000;
const ROUNDS: usize = 3;
const TARGET_A_SECOND: u128 = 50_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// One way of keeping a journal.
struct Way {
    name: &'static str,
    sync: Sync,
    compress: Option<i32>,
    records: u64,
    took: Duration,
}

fn main() -> Outcome<()> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, Into::into).join("journal_rate");
    let payloads = payloads();
    let second = Sync::Interval(Duration::from_secs(1));
    let way = |name, sync, compress, records| Way { name, sync, compress, records, took: Duration::ZERO };
    let mut ways = [
        way("sync never", Sync::Never, None, RECORDS),
        way("sync never, compressed at level 3", Sync::Never, Some(3), RECORDS),
        way("sync every 1,000 ms", second, None, RECORDS),
        way("sync every 1,000 ms, compressed at level 3", second, Some(3), RECORDS),
        way("sync each batch", Sync::EveryBatch, None, SYNCED_RECORDS),
    ];
    let mut without = Duration::ZERO;
    for _ in 0..ROUNDS {
        without += without_journal(&payloads)?;
        for way in &mut ways {
            let place = fresh(&folder)?;
            way.took += append(&place, way, &payloads)?;
        }
    }
    let base = report("without a journal", without, RECORDS, None);
    for way in &ways {
        report(way.name, way.took, way.records, Some(base));
    }
    reading(&folder, &payloads)?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Frames that differ as those of a broker do: time, price and volumes change, the rest stays.
fn payloads() -> Vec<Bytes> {
    let mut payloads = Vec::new();
    for n in 0..1_000_u64 {
        let mut text =
            format!("0|H0STCNT0|001|{:06}^{:06}^{}", n % 40 * 10, 90_000 + n, 70_000 + n * 7 % 300);
        let mut number = n;
        while text.len() < 390 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Writing to a String cannot fail.
            let _infallible = write!(text, "^{}", number >> 44);
        }
        text.truncate(400);
        payloads.push(Bytes::from(text));
    }
    payloads
}

fn settings(folder: &Path, sync: Sync, compress: Option<i32>) -> JournalSettings {
    JournalSettings {
        folder: folder.to_path_buf(),
        segment_bytes: 64 << 20,
        max_bytes: 8 << 30,
        max_age: None,
        compress,
        sync,
    }
}

fn fresh(folder: &Path) -> std::io::Result<PathBuf> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(folder.to_path_buf()),
    }
}

/// The same records, made and looked at, and kept nowhere.
fn without_journal(payloads: &[Bytes]) -> Outcome<Duration> {
    let begin = Instant::now();
    let mut sum = 0_u64;
    for sequence in 1..=RECORDS {
        let record = record(sequence, payloads);
        sum = sum.wrapping_add(u64::from(crc32fast::hash(&record.payload))).wrapping_add(record.sequence);
    }
    if std::hint::black_box(sum) == 0 {
        return Err("nothing was done".into());
    }
    Ok(begin.elapsed())
}

fn append(folder: &Path, way: &Way, payloads: &[Bytes]) -> Outcome<Duration> {
    let (mut writer, _) = Writer::open(settings(folder, way.sync, way.compress))?;
    let begin = Instant::now();
    for sequence in 1..=way.records {
        writer.append(&record(sequence, payloads))?;
        if sequence % RECORDS_A_FLUSH == 0 {
            writer.flush()?;
        }
    }
    Ok(begin.elapsed())
}

/// Reading from the start, plain and compressed, and along with the writer.
fn reading(folder: &Path, payloads: &[Bytes]) -> Outcome<()> {
    let place = fresh(folder)?;
    let (mut writer, _) = Writer::open(settings(&place, Sync::Never, None))?;
    let mut reader = Reader::open(&place, Position::START)?;
    let (mut read, begin) = (0, Instant::now());
    for sequence in 1..=RECORDS {
        writer.append(&record(sequence, payloads))?;
        if sequence % RECORDS_A_FLUSH == 0 {
            writer.flush()?;
            while reader.next()?.is_some() {
                read += 1;
            }
        }
    }
    report("append and follow at the tail", begin.elapsed(), read, None);
    let plain_bytes = writer.used_bytes();
    drop(writer);
    read_all("read, plain", &place)?;
    let (mut writer, _) = Writer::open(settings(&place, Sync::Never, Some(3)))?;
    let begin = Instant::now();
    let segments = writer.end().segment - 1;
    while journal::segments(&place)?.iter().filter(|segment| segment.compressed).count() as u64 != segments {
        if let Some(trouble) = writer.compression_trouble() {
            return Err(trouble.into());
        }
        std::thread::yield_now();
    }
    let took = begin.elapsed();
    writer.flush()?;
    let per_second = u128::from(plain_bytes) * 1_000 / took.as_nanos();
    println!(
        "compress: {per_second} MB/s on a thread of its own, {plain_bytes} to {} bytes",
        writer.used_bytes()
    );
    read_all("read, compressed", &place)
}

fn read_all(what: &str, folder: &Path) -> Outcome<()> {
    let begin = Instant::now();
    let mut reader = Reader::open(folder, Position::START)?;
    let mut read = 0;
    while reader.next()?.is_some() {
        read += 1;
    }
    report(what, begin.elapsed(), read, None);
    if read == RECORDS { Ok(()) } else { Err(format!("read {read} of {RECORDS} records").into()) }
}

fn record(sequence: u64, payloads: &[Bytes]) -> Record {
    let index = usize::try_from(sequence).unwrap_or_default() % payloads.len();
    Record {
        kind: RecordKind::FRAME,
        connection_id: 1,
        sequence,
        received_ns: 1,
        payload: payloads[index].clone(),
    }
}

/// Prints nanoseconds a record and the share of one core at the target rate; gives the nanoseconds.
fn report(what: &str, took: Duration, records: u64, base: Option<u128>) -> u128 {
    let rounds = if base.is_some() || what == "without a journal" { ROUNDS as u128 } else { 1 };
    let each = took.as_nanos() / (u128::from(records) * rounds);
    let per_mille = each * TARGET_A_SECOND / 1_000_000;
    let ratio = base.map(|base| {
        let tenths = each * 10 / base.max(1);
        format!(", ratio {}.{}", tenths / 10, tenths % 10)
    });
    println!(
        "{what}: {each} ns a record, {TARGET_A_SECOND}/s take {per_mille} per mille of a core{}",
        ratio.unwrap_or_default()
    );
    each
}
