//! What keeping frames costs: appended and flushed as a cell does it, beside plain buffered writes of as many bytes with the
//! same flushes and the same forcing to disk; read back; and on the way from a frame to the messages of its events.
//!
//! What the journal costs on the whole path, socket to row, is measured by `path`; here is its stage alone.

mod append;
mod plain;
mod reading;
mod way;

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use journal::{JournalSettings, Record, RecordKind, Sync};

use crate::folder::Fresh;
use crate::measure::Measure;
use crate::options::Options;

/// Frames to one flush, as many as a cell takes at most.
const FRAMES_A_FLUSH: u64 = 256;
/// Bytes of a record before its frame, in the journal and in what is set beside it.
const ENVELOPE: usize = 44;
/// A segment, as large as a service has it by default.
const SEGMENT_BYTES: u64 = 64 << 20;
/// The level of zstd that a service has by default.
const LEVEL: i32 = 3;

/// How much is done.
#[derive(Debug, Clone, Copy)]
struct Amount {
    rounds: usize,
    /// Frames appended in a round.
    frames: u64,
    /// Where every flush waits for the disk.
    synced: u64,
    /// Frames parsed in a round, beside being kept.
    parsed: u64,
}

/// One way of keeping a journal.
#[derive(Debug, Clone, Copy)]
struct Way {
    name: &'static str,
    sync: Sync,
    compress: Option<i32>,
    /// What is set beside it.
    beside: &'static str,
}

const SECOND: Sync = Sync::Interval(Duration::from_secs(1));
const WAYS: [Way; 4] = [
    Way { name: "sync_never", sync: Sync::Never, compress: None, beside: "plain writes" },
    Way { name: "sync_1s", sync: SECOND, compress: None, beside: "plain writes, synced each second" },
    Way {
        name: "sync_1s_compressed",
        sync: SECOND,
        compress: Some(LEVEL),
        beside: "plain writes, synced each second and not compressed",
    },
    Way {
        name: "sync_each_batch",
        sync: Sync::EveryBatch,
        compress: None,
        beside: "plain writes, synced each batch",
    },
];

/// Appending, reading, and the stage of a cell.
///
/// # Errors
/// When the disk refuses, or what is read is not what was appended.
pub fn run(options: &Options) -> anyhow::Result<Vec<Measure>> {
    let amount = if options.smoke {
        Amount { rounds: 1, frames: 2_000, synced: 512, parsed: 1_000 }
    } else {
        Amount { rounds: 5, frames: 300_000, synced: 51_200, parsed: 100_000 }
    };
    let folder = Fresh::of(options, "journal")?;
    let frames = frames();
    let mut measures = append::run(&folder, &frames, amount)?;
    measures.extend(reading::run(&folder, &frames, amount)?);
    measures.extend(way::run(&folder, amount)?);
    Ok(measures)
}

fn settings(folder: &Fresh, sync: Sync, compress: Option<i32>) -> JournalSettings {
    JournalSettings {
        folder: folder.path().join("frames"),
        segment_bytes: SEGMENT_BYTES,
        max_bytes: 8 << 30,
        max_age: None,
        compress,
        sync,
    }
}

/// Frames of 400 bytes that differ as those of a broker do: time, price and volumes change, the rest stays.
fn frames() -> Vec<Bytes> {
    let frame = |n: u64| {
        let mut text =
            format!("0|H0STCNT0|001|{:06}^{:06}^{}", n % 40 * 10, 90_000 + n, 70_000 + n * 7 % 300);
        let mut number = n;
        while text.len() < 400 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Writing to a String cannot fail.
            let _infallible = write!(text, "^{}", number >> 44);
        }
        text.truncate(400);
        Bytes::from(text)
    };
    (0..1_000).map(frame).collect()
}

/// Record `sequence`, from 1; the frames come in turns.
fn record(sequence: u64, frames: &[Bytes]) -> Record {
    let count = u64::try_from(frames.len()).unwrap_or(1).max(1);
    let index = usize::try_from(sequence % count).unwrap_or_default();
    Record {
        kind: RecordKind::FRAME,
        connection_id: 1,
        sequence,
        received_ns: 1,
        payload: frames.get(index).cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frames_differ_and_come_in_turns() {
        let frames = frames();
        assert!(frames.iter().all(|frame| frame.len() == 400));
        assert_ne!(frames[1], frames[2]);
        assert_eq!(record(1, &frames).payload, record(1_001, &frames).payload);
        assert_eq!(record(1_001, &frames).sequence, 1_001);
    }
}
