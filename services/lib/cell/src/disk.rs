//! The journal's folder → gauges: what it takes, what of it is not acknowledged, what the disk has left.

use std::path::{Path, PathBuf};
use std::time::Duration;

use journal::{JournalError, Position, SegmentInfo, segments};
use process::metrics::whole;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// How often is looked: some hundred files, a few milliseconds.
const EVERY: Duration = Duration::from_secs(5);

/// What is looked at.
pub struct Disk {
    /// Folder of the journal.
    pub folder: PathBuf,
    /// The most bytes it may take.
    pub limit_bytes: u64,
    /// Everything before it is acknowledged.
    pub acknowledged: watch::Receiver<Position>,
}

/// What was seen.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    used_bytes: u64,
    unacknowledged_bytes: u64,
    free_bytes: u64,
}

impl Disk {
    /// Looks now and then, until the stop.
    pub async fn watch(self, stop: CancellationToken) {
        metrics::gauge!("sise_cell_journal_limit_bytes").set(whole(self.limit_bytes));
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let (folder, acknowledged) = (self.folder.clone(), *self.acknowledged.borrow());
            match tokio::task::spawn_blocking(move || look(&folder, acknowledged)).await {
                Ok(Ok(seen)) => show(&seen),
                // The keeper tells of a disk that cannot be used.
                Ok(Err(problem)) => debug!(problem = format!("{problem:#}"), "journal cannot be looked at"),
                Err(_) => return,
            }
        }
    }
}

fn look(folder: &Path, acknowledged: Position) -> anyhow::Result<Seen> {
    let segments: Result<Vec<SegmentInfo>, JournalError> = segments(folder);
    let segments = segments?;
    let disk = rustix::fs::statvfs(folder)?;
    Ok(Seen {
        used_bytes: segments.iter().map(|segment| segment.disk_bytes).sum(),
        unacknowledged_bytes: segments.iter().map(|segment| behind(segment, acknowledged)).sum(),
        free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
    })
}

/// Bytes on disk of a segment that lie behind a position; of a compressed one, at most all it takes.
fn behind(segment: &SegmentInfo, acknowledged: Position) -> u64 {
    let end = segment.end;
    if end.segment < acknowledged.segment {
        0
    } else if end.segment == acknowledged.segment {
        end.offset.saturating_sub(acknowledged.offset).min(segment.disk_bytes)
    } else {
        segment.disk_bytes
    }
}

fn show(seen: &Seen) {
    metrics::gauge!("sise_cell_journal_used_bytes").set(whole(seen.used_bytes));
    metrics::gauge!("sise_cell_journal_unacknowledged_bytes").set(whole(seen.unacknowledged_bytes));
    metrics::gauge!("sise_cell_journal_disk_free_bytes").set(whole(seen.free_bytes));
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use journal::{JournalSettings, Record, RecordKind, Sync, Writer};

    use super::*;

    #[test]
    fn what_is_not_acknowledged_is_told_over_segments() {
        let folder = tempfile::tempdir().expect("folder");
        let settings = JournalSettings {
            folder: folder.path().to_owned(),
            segment_bytes: 4_096,
            max_bytes: 1 << 20,
            max_age: None,
            compress: None,
            sync: Sync::Never,
        };
        let (mut writer, _) = Writer::open(settings).expect("journal");
        let record = |sequence| Record {
            kind: RecordKind::FRAME,
            connection_id: 1,
            sequence,
            received_ns: 1,
            payload: Bytes::from(vec![b'x'; 1_000]),
        };
        // Three records fit into a segment.
        let ends: Vec<Position> =
            (1..=7).map(|sequence| writer.append(&record(sequence)).expect("appended")).collect();
        writer.flush().expect("flushed");
        let one = ends[1].offset - ends[0].offset;
        assert_eq!((ends[2].segment, ends[3].segment, ends[6].segment), (1, 2, 3));
        let seen = look(folder.path(), ends[6]).expect("look");
        assert_eq!((seen.unacknowledged_bytes, seen.used_bytes), (0, writer.used_bytes()));
        assert!(seen.free_bytes > 0);
        let seen = look(folder.path(), ends[1]).expect("look");
        assert_eq!(seen.unacknowledged_bytes, one + ends[5].offset + ends[6].offset);
    }

    #[test]
    fn a_compressed_segment_is_behind_with_what_it_takes() {
        let at = |segment, offset| Position { segment, offset };
        let segment = SegmentInfo {
            number: 2,
            path: PathBuf::from("2.journal.zst"),
            end: at(2, 1_000),
            disk_bytes: 150,
            compressed: true,
            created_ns: None,
            index_damaged: false,
        };
        let behind = |acknowledged| behind(&segment, acknowledged);
        assert_eq!([behind(at(1, 0)), behind(at(2, 0)), behind(at(2, 900))], [150, 150, 100]);
        assert_eq!([behind(at(2, 1_000)), behind(at(3, 0))], [0, 0]);
    }
}
