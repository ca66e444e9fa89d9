//! Measures what the journal costs on the way from a frame to the messages that are published:
//! `cargo run --release -p sise --example journal_cost [FOLDER]`.
//!
//! The same captured frames are parsed and encoded without a journal, and with one under each setting, in turns in the
//! same run. Kept and flushed as a cell does it, 256 frames to a flush; tells the ratio with and without.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use broker::kis::parse::KisParser;
use bytes::Bytes;
use cell::interpret::Interpreter;
use journal::{JournalSettings, Record, RecordKind, Sync, Writer};
use market::calendar::Calendar;
use market::{Market, Source};

const FRAMES: &[&str] = &[
    include_str!("../../lib/broker/fixtures/kis/h0stcnt0_46.txt"),
    include_str!("../../lib/broker/fixtures/kis/h0stasp0_59.txt"),
];
/// When they were captured.
const RECEIVED_NS: i64 = 1_790_053_572_000_000_000;
const RECORDS: u64 = 200_000;
const RECORDS_A_FLUSH: u64 = 256;
const ROUNDS: u32 = 3;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// One way of keeping a journal.
struct Way {
    name: &'static str,
    sync: Sync,
    compress: Option<i32>,
    took: Duration,
}

fn main() -> Outcome<()> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, Into::into).join("journal_cost");
    let frames: Vec<Bytes> =
        FRAMES.iter().flat_map(|text| text.lines()).map(|text| Bytes::from_static(text.as_bytes())).collect();
    let second = Sync::Interval(Duration::from_secs(1));
    let way = |name, sync, compress| Way { name, sync, compress, took: Duration::ZERO };
    let mut ways = [
        way("sync never", Sync::Never, None),
        way("sync every 1,000 ms", second, None),
        way("sync every 1,000 ms, compressed at level 3", second, Some(3)),
        way("sync each batch", Sync::EveryBatch, None),
    ];
    let mut without = Duration::ZERO;
    for _ in 0..ROUNDS {
        without += work(&frames, None)?;
        for way in &mut ways {
            let (mut writer, _) = Writer::open(settings(fresh(&folder)?, way))?;
            way.took += work(&frames, Some(&mut writer))?;
        }
    }
    let all = u128::from(RECORDS) * u128::from(ROUNDS);
    let base = without.as_nanos() / all;
    println!("without a journal: {base} ns a frame");
    for way in &ways {
        let each = way.took.as_nanos() / all;
        let hundredths = each * 100 / base.max(1);
        println!("{}: {each} ns a frame, ratio {}.{:02}", way.name, hundredths / 100, hundredths % 100);
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn fresh(folder: &Path) -> std::io::Result<PathBuf> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(folder.to_path_buf()),
    }
}

fn settings(folder: PathBuf, way: &Way) -> JournalSettings {
    JournalSettings {
        folder,
        segment_bytes: 64 << 20,
        max_bytes: 8 << 30,
        max_age: None,
        compress: way.compress,
        sync: way.sync,
    }
}

/// Frames to messages, kept before that when there is a journal.
fn work(frames: &[Bytes], mut writer: Option<&mut Writer>) -> Outcome<Duration> {
    let parser = KisParser::new(Calendar::built_in().clone());
    let mut interpreter = Interpreter::new(parser, Market::Kr, Source::Kis);
    let (mut out, mut bytes) = (Vec::new(), 0);
    let begin = Instant::now();
    for (sequence, frame) in (1..=RECORDS).zip(frames.iter().cycle()) {
        let record = Record {
            kind: RecordKind::FRAME,
            connection_id: RECEIVED_NS,
            sequence,
            received_ns: RECEIVED_NS,
            payload: frame.clone(),
        };
        if let Some(writer) = &mut writer {
            writer.append(&record)?;
            if sequence % RECORDS_A_FLUSH == 0 {
                writer.flush()?;
            }
        }
        interpreter.read(&record, &mut out);
        bytes += out.drain(..).map(|message| message.payload.len()).sum::<usize>();
    }
    let took = begin.elapsed();
    if bytes == 0 { Err("nothing was parsed".into()) } else { Ok(took) }
}
