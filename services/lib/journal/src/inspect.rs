//! A folder into a list of its segments, for people and programs that look. Locks nothing, so that a service may start
//! meanwhile.

use std::path::{Path, PathBuf};

use crate::segment::{self, Segment};
use crate::{JournalError, Position};

/// One segment of a journal, as it stood when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its number, from 1.
    pub number: u64,
    /// Its file.
    pub path: PathBuf,
    /// Where it ends: bytes of its records and header, uncompressed.
    pub end: Position,
    /// Bytes of its file.
    pub disk_bytes: u64,
    /// Whether the file is compressed.
    pub compressed: bool,
    /// When it was begun, UTC ns; none when its header is damaged.
    pub created_ns: Option<i64>,
    /// Whether the index of the compressed file is damaged; its blocks are read without it.
    pub index_damaged: bool,
}

/// All segments of the journal in `folder`, oldest first. The last one may be growing.
///
/// # Errors
/// [`JournalError::Io`] when the folder or a file cannot be read.
pub fn segments(folder: impl AsRef<Path>) -> Result<Vec<SegmentInfo>, JournalError> {
    let folder = folder.as_ref();
    let numbers = segment::list(folder).map_err(|error| JournalError::io("list", folder, error))?;
    let mut found = Vec::with_capacity(numbers.len());
    let mut after = numbers.first().copied().unwrap_or_default();
    for listed in numbers {
        // A list made while a segment is being compressed may have it under neither name.
        for number in after.max(listed.saturating_sub(LOOKED_FOR))..=listed {
            let info = info(folder, number);
            let path = segment::present_path(folder, number);
            found.extend(info.map_err(|error| JournalError::io("read", &path, error))?);
        }
        after = listed.saturating_add(1);
    }
    Ok(found)
}

/// So many numbers before a listed one are looked for beside the list: one segment is compressed at a time.
const LOOKED_FOR: u64 = 2;

fn info(folder: &Path, number: u64) -> std::io::Result<Option<SegmentInfo>> {
    let Some(segment) = Segment::open(folder, number)? else { return Ok(None) };
    let compressed = segment.is_compressed();
    Ok(Some(SegmentInfo {
        number,
        path: if compressed {
            segment::compressed_path(folder, number)
        } else {
            segment::path(folder, number)
        },
        end: Position { segment: number, offset: segment.len()? },
        disk_bytes: segment.metadata()?.len(),
        compressed,
        created_ns: segment.header()?.ok().map(|header| header.created_ns),
        index_damaged: segment.is_index_damaged(),
    }))
}
