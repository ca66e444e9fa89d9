//! A journal as a crash left it into one that can be appended to: the last segment is read through, and what stands
//! behind its last good record is cut off.
//!
//! Damage with good records behind it is no torn tail: it stays as it is, and readers name it.

use std::fs::OpenOptions;
use std::path::Path;

use crate::header::{HEADER_BYTES, HeaderFault, VERSION};
use crate::scan::{Scanner, Step};
use crate::segment::{self, Segment};
use crate::{Damage, JournalError, Position};

/// What [`crate::Writer::open`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Where appending begins.
    pub end: Position,
    /// What was cut off, when something was.
    pub torn: Option<Torn>,
}

/// A torn tail that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// Number of the segment.
    pub segment: u64,
    /// Byte offset where it was cut: the end of the last good record, or 0 for a segment without a header.
    pub offset: u64,
    /// Bytes cut off.
    pub bytes: u64,
    /// What stood at the cut.
    pub reason: Damage,
}

/// The last segment after recovery.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Its length.
    pub(crate) end: u64,
    /// Whether records may be appended to it; not when its header is damaged and stays so.
    pub(crate) appendable: bool,
    pub(crate) torn: Option<Torn>,
}

/// Makes the last segment end with a good record. `previous` is the end of the segment before it.
pub(crate) fn recover(
    folder: &Path,
    number: u64,
    previous: Position,
    sync: bool,
) -> Result<Tail, JournalError> {
    let path = segment::path(folder, number);
    let read_error = |error| JournalError::io("read", &path, error);
    let segment =
        Segment::open(folder, number).and_then(|found| found.ok_or(std::io::ErrorKind::NotFound.into()));
    let segment = segment.map_err(read_error)?;
    let bytes = segment.len().map_err(read_error)?;
    let header_damage = match segment.header().map_err(read_error)? {
        Ok(_) => None,
        Err(HeaderFault::Damaged(reason)) => Some(Damage::SegmentHeader { reason }),
        Err(HeaderFault::Version(found)) => {
            return Err(JournalError::Version { segment: number, found, known: VERSION });
        }
    };
    let (end, behind) = last_good(segment).map_err(read_error)?;

    if let (Some(reason), HEADER_BYTES) = (&header_damage, end) {
        restart(&path, number, previous, sync).map_err(|error| JournalError::io("repair", &path, error))?;
        let torn = Torn { segment: number, offset: 0, bytes, reason: reason.clone() };
        return Ok(Tail { end, appendable: true, torn: Some(torn) });
    }
    let torn = behind.map(|reason| Torn { segment: number, offset: end, bytes: bytes - end, reason });
    if torn.is_some() {
        cut(&path, end, sync).map_err(|error| JournalError::io("cut the torn tail of", &path, error))?;
    }
    Ok(Tail { end, appendable: header_damage.is_none(), torn })
}

/// The end of the last good record, and what stands behind it when something does.
fn last_good(segment: Segment) -> std::io::Result<(u64, Option<Damage>)> {
    let mut scanner = Scanner::new(segment);
    let (mut at, mut end, mut behind) = (HEADER_BYTES, HEADER_BYTES, None);
    loop {
        match scanner.step(at)? {
            Step::Record(_, after) => (at, end, behind) = (after, after, None),
            Step::End => return Ok((end, behind)),
            Step::Torn(reason) => return Ok((end, behind.or(Some(reason)))),
            Step::Damaged(reason) => {
                behind = behind.or(Some(reason));
                match scanner.next_record(at + 1, false)? {
                    Some(next) => at = next,
                    None => return Ok((end, behind)),
                }
            }
        }
    }
}

fn cut(path: &Path, end: u64, sync: bool) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(end)?;
    if sync { file.sync_all() } else { Ok(()) }
}

/// A segment that holds nothing gets its header anew. In place: a reader that has the file open stays with it.
fn restart(path: &Path, number: u64, previous: Position, sync: bool) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(0)?;
    segment::write_header(&file, number, previous, sync)
}

#[cfg(test)]
mod tests;
