//! Frames appended a second under each way of keeping them, beside plain writes.

use std::time::Instant;

use anyhow::ensure;
use bytes::Bytes;
use journal::{Position, Reader, Writer};

use super::{Amount, ENVELOPE, FRAMES_A_FLUSH, Sync, WAYS, Way, plain, record, settings};
use crate::folder::Fresh;
use crate::measure::{Measure, in_turns, rate};

/// Each way, in frames and in megabytes.
pub(super) fn run(folder: &Fresh, frames: &[Bytes], amount: Amount) -> anyhow::Result<Vec<Measure>> {
    let mut measures = Vec::new();
    for way in WAYS {
        let count = if way.sync == Sync::EveryBatch { amount.synced } else { amount.frames };
        let ours = || append(folder, way, frames, count);
        let bare = || plain::write(folder, way.sync, frames, count);
        let (ours, bare) = in_turns(amount.rounds, ours, bare)?;
        measures.push(Measure::alone("journal", way.name, ours, "frames/s").beside(way.beside, bare));
        let bytes = frames.first().map_or(0, Bytes::len) + ENVELOPE;
        let megabytes = ours * f64::from(u32::try_from(bytes)?) / 1e6;
        measures.push(Measure::alone("journal", format!("{}_bytes", way.name), megabytes, "MB/s"));
    }
    Ok(measures)
}

/// Appended as a cell does it; then, beside the clock, read back.
fn append(folder: &Fresh, way: Way, frames: &[Bytes], count: u64) -> anyhow::Result<f64> {
    folder.empty()?;
    let settings = settings(folder, way.sync, way.compress);
    let (mut writer, _) = Writer::open(settings.clone())?;
    let begin = Instant::now();
    for sequence in 1..=count {
        writer.append(&record(sequence, frames))?;
        if sequence % FRAMES_A_FLUSH == 0 {
            writer.flush()?;
        }
    }
    writer.flush()?;
    let rate = rate(count, begin);
    if let Some(trouble) = writer.compression_trouble() {
        return Err(trouble.into());
    }
    let mut reader = Reader::open(&settings.folder, Position::START)?;
    for sequence in 1..=count {
        let read = reader.next()?.map(|(record, _)| record);
        ensure!(read == Some(record(sequence, frames)), "{}: record {sequence} is not as appended", way.name);
    }
    ensure!(reader.next()?.is_none(), "{}: more records than were appended", way.name);
    Ok(rate)
}
