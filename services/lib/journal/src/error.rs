//! What can go wrong with a journal, each with where it is and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::Position;

/// An error of the journal. [`JournalError::Full`] is the one that passes by itself.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused; nothing that was appended is forgotten, the call may be made again.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was tried, as a verb: "read", "sync".
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// Another process, or another writer of this one, appends to this journal.
    #[error(
        "journal {} is in use by another writer; stop it, or give this one a folder of its own",
        folder.display()
    )]
    Locked {
        /// The journal's folder.
        folder: PathBuf,
    },
    /// No space for more, and nothing acknowledged is left to delete. What was appended before stays; the refused
    /// record may be appended again later.
    #[error("journal is full: {cause}")]
    Full {
        /// Which space is used up.
        cause: FullCause,
    },
    /// A record that no segment may hold.
    #[error("record of {bytes} bytes is larger than the largest allowed, {limit}")]
    TooLarge {
        /// Bytes of the record as encoded.
        bytes: u64,
        /// The most a record may have: by [`crate::MAX_PAYLOAD_BYTES`] and by `segment_bytes`.
        limit: u64,
    },
    /// Bytes that are not what was written. [`crate::Reader::skip_damaged`] goes on behind them.
    #[error("journal is damaged in segment {segment} at offset {offset}: {reason}")]
    Damaged {
        /// Number of the segment.
        segment: u64,
        /// Byte offset in the segment.
        offset: u64,
        /// What is wrong there.
        reason: Damage,
    },
    /// The position lies in a segment that was deleted.
    #[error("position {position} was deleted; the first that is left is {first}")]
    Deleted {
        /// The position asked for.
        position: Position,
        /// Where the oldest segment that is left begins.
        first: Position,
    },
    /// The position lies behind the last record.
    #[error("position {position} is past the end of the journal, {end}")]
    PastEnd {
        /// The position asked for.
        position: Position,
        /// The end at present.
        end: Position,
    },
    /// A segment of a newer format.
    #[error("segment {segment} has format version {found}, this program reads {known}; use a newer program")]
    Version {
        /// Number of the segment.
        segment: u64,
        /// Version in the file.
        found: u32,
        /// Version known here.
        known: u32,
    },
    /// The acknowledged position cannot be read. [`crate::Acknowledged::load_or_start`] starts anew.
    #[error("acknowledged position in {} is damaged ({reason}); delete the file to publish the whole journal again", path.display())]
    AcknowledgedDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Settings under which a journal cannot work.
    #[error("journal setting {setting} is {found}, must be at least {least}")]
    Settings {
        /// Name of the setting.
        setting: &'static str,
        /// The value given.
        found: u64,
        /// The smallest that works.
        least: u64,
    },
}

impl JournalError {
    /// Whether appending may go on by itself later: when records are acknowledged, or the disk has space again.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, JournalError::Full { .. })
    }

    /// An answer of the operating system as an error of the journal: no space is `Full`, the rest is `Io`.
    pub(crate) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        if is_no_space(&source) {
            return JournalError::Full { cause: FullCause::Disk { path } };
        }
        JournalError::Io { operation, path, source }
    }
}

/// Whether the disk, or this user's share of it, is used up.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Which space is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FullCause {
    /// The journal's own limit.
    Limit {
        /// Bytes of all segments, appended ones included.
        used: u64,
        /// `max_bytes` of the settings.
        max: u64,
    },
    /// The disk.
    Disk {
        /// What could not be written.
        path: PathBuf,
    },
}

impl fmt::Display for FullCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FullCause::Limit { used, max } => {
                write!(
                    f,
                    "{used} of at most {max} bytes are used and the oldest segment is not acknowledged; see why nothing is published, or raise max_bytes"
                )
            }
            FullCause::Disk { path } => {
                write!(
                    f,
                    "no space left on the disk for {}; make room, appending goes on then",
                    path.display()
                )
            }
        }
    }
}

/// What is wrong at a place of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// A record should begin here and does not.
    Marker,
    /// The checksum of a record's header does not match.
    Header,
    /// The checksum of a record's payload does not match.
    Payload,
    /// A record claims more than [`crate::MAX_PAYLOAD_BYTES`].
    Length {
        /// Bytes of payload it claims.
        bytes: u32,
    },
    /// The segment ends inside a record.
    Incomplete {
        /// Bytes there are of it.
        left: u64,
    },
    /// Only zeros from here to the end of the segment: what a power loss leaves.
    Zeros {
        /// How many.
        left: u64,
    },
    /// The header of the segment cannot be used; its records may be whole.
    SegmentHeader {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A block of a compressed segment cannot be decompressed; the blocks around it can.
    Block,
    /// The segment was longer when the next one was begun.
    Shortened {
        /// Where it ended then.
        end: u64,
    },
    /// The segment is not there, though older ones are.
    Missing {
        /// The next that is there.
        next: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Marker => f.write_str("no record begins here"),
            Damage::Header => f.write_str("checksum of the record header does not match"),
            Damage::Payload => f.write_str("checksum of the payload does not match"),
            Damage::Length { bytes } => write!(f, "payload length {bytes} is not possible"),
            Damage::Incomplete { left } => write!(f, "the segment ends {left} bytes into a record"),
            Damage::Zeros { left } => write!(f, "{left} bytes of zeros up to the end of the segment"),
            Damage::SegmentHeader { reason } => write!(f, "segment header: {reason}"),
            Damage::Block => f.write_str("compressed block cannot be decompressed"),
            Damage::Shortened { end } => write!(f, "the segment ended at {end} when the next was begun"),
            Damage::Missing { next } => write!(f, "the segment is missing, the next is {next}"),
        }
    }
}
