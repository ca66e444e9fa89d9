//! What the journal is set beside: one file, a buffer of the same size, as many bytes, flushed and forced to disk at the same
//! moments. No checksums, no segments, nothing that could be found again.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use bytes::Bytes;

use super::{ENVELOPE, FRAMES_A_FLUSH, Sync, record};
use crate::folder::Fresh;
use crate::measure::rate;

/// Bytes of the buffer, as the journal's.
const BUFFER: usize = 256 << 10;

/// Frames a second.
pub(super) fn write(folder: &Fresh, sync: Sync, frames: &[Bytes], count: u64) -> anyhow::Result<f64> {
    folder.empty()?;
    let path = folder.path().join("plain");
    let file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
    let mut file = BufWriter::with_capacity(BUFFER, file);
    let (begin, mut synced, mut bytes) = (Instant::now(), Instant::now(), 0);
    for sequence in 1..=count {
        let frame = record(sequence, frames).payload;
        file.write_all(&[0; ENVELOPE])?;
        file.write_all(&frame)?;
        bytes += ENVELOPE + frame.len();
        if sequence % FRAMES_A_FLUSH == 0 {
            file.flush()?;
            let due = match sync {
                Sync::Never => false,
                Sync::EveryBatch => true,
                Sync::Interval(interval) => synced.elapsed() >= interval,
            };
            if due {
                file.get_ref().sync_data()?;
                synced = Instant::now();
            }
        }
    }
    file.flush()?;
    let rate = rate(count, begin);
    ensure!(std::fs::metadata(&path)?.len() == u64::try_from(bytes)?, "not as many bytes as were written");
    Ok(rate)
}
