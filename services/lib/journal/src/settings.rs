//! How a journal is kept: where, how large, how safe from power loss.

use std::path::PathBuf;
use std::time::Duration;

use crate::JournalError;

/// How a journal is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalSettings {
    /// Its folder; made when missing. One journal, one writer.
    pub folder: PathBuf,
    /// The most bytes of a segment, and so of a record; at least 4096. A few hundred segments to a journal are good.
    pub segment_bytes: u64,
    /// The most bytes of all segments on disk, compressed ones as they are; at least twice `segment_bytes`. While a
    /// segment is compressed it is there twice for a moment, which is not counted.
    pub max_bytes: u64,
    /// Acknowledged segments whose last record was written that long ago are deleted; none = only `max_bytes` counts.
    pub max_age: Option<Duration>,
    /// Level of zstd for closed segments, 1 (quick) to 19 (small); none = they stay as they are.
    pub compress: Option<i32>,
    /// When written bytes are forced to disk.
    pub sync: Sync,
}

/// When written bytes are forced to disk. A killed process loses nothing that was flushed under any of them; this is
/// about power loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// When the operating system likes.
    Never,
    /// With every flush that wrote something.
    EveryBatch,
    /// With a flush, when the last time is that long ago.
    Interval(Duration),
}

impl JournalSettings {
    /// Whether anything is forced to disk at all.
    pub(crate) fn syncs(&self) -> bool {
        self.sync != Sync::Never
    }

    /// Refuses settings under which a journal would stop for ever.
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        let least = [
            ("segment_bytes", self.segment_bytes, 4096),
            // With less, the segment being written could fill the journal, and nothing could ever be deleted.
            ("max_bytes", self.max_bytes, self.segment_bytes.saturating_mul(2)),
        ];
        for (setting, found, least) in least {
            if found < least {
                return Err(JournalError::Settings { setting, found, least });
            }
        }
        Ok(())
    }
}
