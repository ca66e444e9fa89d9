//! Measures appending and reading: `cargo run --release -p journal --example journal_rate [FOLDER]`.
//!
//! Appends and reads two million records of 400 bytes, flushing every 50 records (a flush a millisecond at 50,000
//! records a second), and tells records a second and the share of one core that 50,000 records a second take.

use std::time::{Duration, Instant};

use bytes::Bytes;
use journal::{JournalSettings, Position, Reader, Record, RecordKind, Sync, Writer};

const RECORDS: u64 = 2_000_000;
const RECORDS_A_FLUSH: u64 = 50;
const TARGET_A_SECOND: u128 = 50_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, Into::into).join("journal_rate");
    let settings = JournalSettings {
        folder: folder.clone(),
        segment_bytes: 64 << 20,
        max_bytes: 8 << 30,
        sync: Sync::Never,
    };
    let (mut writer, _) = Writer::open(settings)?;
    let from = writer.end();
    let payload = Bytes::from(vec![b'^'; 400]);
    let begin = Instant::now();
    for sequence in 1..=RECORDS {
        writer.append(&record(sequence, &payload))?;
        if sequence % RECORDS_A_FLUSH == 0 {
            writer.flush()?;
        }
    }
    report("append", begin.elapsed());

    let begin = Instant::now();
    let mut reader = Reader::open(&folder, from)?;
    let mut read = 0;
    while reader.next()?.is_some() {
        read += 1;
    }
    report("read", begin.elapsed());
    if read != RECORDS {
        return Err(format!("read {read} of {RECORDS} records").into());
    }

    let begin = Instant::now();
    for sequence in 1..=RECORDS {
        writer.append(&record(sequence, &payload))?;
        if sequence % RECORDS_A_FLUSH == 0 {
            writer.flush()?;
            while reader.next()?.is_some() {
                read += 1;
            }
        }
    }
    report("append and follow at the tail", begin.elapsed());
    if read != 2 * RECORDS {
        return Err(format!("read {read} of {} records", 2 * RECORDS).into());
    }

    drop(writer);
    let begin = Instant::now();
    let mut reader = Reader::open(&folder, Position::START)?;
    reader.next()?;
    println!("open and first record: {:?}", begin.elapsed());
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn record(sequence: u64, payload: &Bytes) -> Record {
    Record { kind: RecordKind::FRAME, connection_id: 1, sequence, received_ns: 1, payload: payload.clone() }
}

fn report(what: &str, took: Duration) {
    let each = took.as_nanos() / u128::from(RECORDS);
    let a_second = u128::from(RECORDS) * 1_000_000_000 / took.as_nanos();
    let per_mille = each * TARGET_A_SECOND / 1_000_000;
    println!(
        "{what}: {each} ns a record, {a_second} records/s, {TARGET_A_SECOND}/s take {per_mille} per mille of a core"
    );
}
