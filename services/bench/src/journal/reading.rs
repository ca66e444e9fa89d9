//! Reading: right behind the writer, from the start, and from compressed segments; and how fast they are compressed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use journal::{JournalSettings, Position, Reader, Sync, Writer};

use super::{Amount, FRAMES_A_FLUSH, LEVEL, record, settings};
use crate::folder::Fresh;
use crate::measure::{Measure, median, nanoseconds_each};

/// Segments of a size of which there are some, however few frames there are.
const SEGMENTS: u64 = 8;
/// How long compressing may take before something is wrong.
const LIMIT: Duration = Duration::from_secs(300);

/// Nanoseconds a record, and megabytes a second for the compression, which has a thread of its own.
pub(super) fn run(folder: &Fresh, frames: &[Bytes], amount: Amount) -> anyhow::Result<Vec<Measure>> {
    let (mut follow, mut plain, mut compressed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut speed, mut share) = (Vec::new(), Vec::new());
    for _ in 0..amount.rounds {
        let settings = settings_for(folder, amount.frames);
        folder.empty()?;
        follow.push(append_and_follow(&settings, frames, amount.frames)?);
        plain.push(read_all(&settings, amount.frames)?);
        let (megabytes, of_before) = compress(&settings)?;
        speed.push(megabytes);
        share.push(of_before);
        compressed.push(read_all(&settings, amount.frames)?);
    }
    let measure =
        |name: &str, figures, unit: &'static str| Measure::alone("journal", name, median(figures), unit);
    let plain = median(plain);
    Ok(vec![
        measure("append_and_follow", follow, "ns/record"),
        Measure::alone("journal", "read", plain, "ns/record"),
        measure("read_compressed", compressed, "ns/record").beside("read, not compressed", plain),
        measure("compress", speed, "MB/s"),
        measure("compressed_to", share, "share"),
    ])
}

fn settings_for(folder: &Fresh, frames: u64) -> JournalSettings {
    let segment_bytes = (frames * 444 / SEGMENTS).max(4_096);
    JournalSettings { segment_bytes, ..settings(folder, Sync::Never, None) }
}

/// A reader takes each batch as soon as it is flushed, as a cursor does whose tail was full.
fn append_and_follow(settings: &JournalSettings, frames: &[Bytes], count: u64) -> anyhow::Result<f64> {
    let (mut writer, _) = Writer::open(settings.clone())?;
    let mut reader = Reader::open(&settings.folder, Position::START)?;
    let (mut read, begin) = (0, Instant::now());
    for sequence in 1..=count {
        writer.append(&record(sequence, frames))?;
        if sequence % FRAMES_A_FLUSH == 0 || sequence == count {
            writer.flush()?;
            while reader.next()?.is_some() {
                read += 1;
            }
        }
    }
    ensure!(read == count, "{read} of {count} records were read behind the writer");
    Ok(nanoseconds_each(count, begin))
}

fn read_all(settings: &JournalSettings, count: u64) -> anyhow::Result<f64> {
    let mut reader = Reader::open(&settings.folder, Position::START)?;
    let (mut read, begin) = (0, Instant::now());
    while let Some((record, _)) = reader.next()? {
        read += 1;
        ensure!(record.sequence == read, "record {} stands where {read} should", record.sequence);
    }
    ensure!(read == count, "{read} of {count} records were read");
    Ok(nanoseconds_each(count, begin))
}

/// Opens the journal with compression on, and waits until the closed segments are compressed.
#[expect(clippy::cast_precision_loss, reason = "sizes far below 2⁵³")]
fn compress(settings: &JournalSettings) -> anyhow::Result<(f64, f64)> {
    let closed = |compressed: bool| -> anyhow::Result<(usize, u64)> {
        let segments = journal::segments(&settings.folder)?;
        let of: Vec<_> = segments.iter().filter(|segment| segment.compressed == compressed).collect();
        Ok((of.len(), of.iter().map(|segment| segment.disk_bytes).sum()))
    };
    let (count, plain) = closed(false)?;
    // The last one stays open.
    let closed_count = count.checked_sub(1).context("no segment")?;
    let begin = Instant::now();
    let (mut writer, _) = Writer::open(JournalSettings { compress: Some(LEVEL), ..settings.clone() })?;
    while closed(true)?.0 < closed_count {
        if let Some(trouble) = writer.compression_trouble() {
            return Err(trouble.into());
        }
        ensure!(begin.elapsed() < LIMIT, "segments are not compressed");
        std::thread::yield_now();
    }
    let took = begin.elapsed().as_secs_f64();
    let before = plain.checked_sub(closed(false)?.1).context("more bytes than before")?;
    ensure!(before > 0, "nothing was closed");
    Ok((before as f64 / took / 1e6, closed(true)?.1 as f64 / before as f64))
}
