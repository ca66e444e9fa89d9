//! Segment files into records again, from any position on, in order, to the tail and along with it.
//!
//! The end of the last segment is "not yet": an incomplete record there is being written, and [`Reader::next`] says None
//! until it is whole. The end of an earlier segment is final: an incomplete record there is damage. A segment is an
//! earlier one as soon as the next one is there; the writer completes a segment before it begins the next.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::header::{HEADER_BYTES, HeaderFault, VERSION};
use crate::scan::{Scanner, Step};
use crate::segment::{self, Segment};
use crate::{Damage, JournalError, Position, Record};

/// Reads a journal while it is written, or when nobody writes. Any number of readers may read.
pub struct Reader {
    folder: PathBuf,
    /// Offset 0: the header of the segment is yet to be checked.
    at: Position,
    /// None before the first segment is there.
    current: Option<Scanner>,
    /// The segment after the current one, once it is there: the current one is final then.
    following: Option<Segment>,
    /// Whether the folder was listed for a following segment with a number that is not the next one.
    listed: bool,
    /// Whether the last answer was damage.
    damaged: bool,
    /// The segment to begin with is missing between others, and this is the next.
    missing: Option<Segment>,
}

/// What [`Reader::skip_damaged`] left out: everything from `from` up to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// The end of the last good record before the damage.
    pub from: Position,
    /// Where reading goes on.
    pub to: Position,
}

impl Reader {
    /// A reader whose first record is the one at `from`: [`Position::START`], or a position that a writer or a reader
    /// gave. The end of a deleted segment is as good as the beginning of the next.
    ///
    /// # Errors
    /// [`JournalError::Deleted`] when records after `from` were deleted (`first` can be opened instead),
    /// [`JournalError::PastEnd`], [`JournalError::Version`], [`JournalError::Io`] also when there is no such folder. A
    /// segment that is missing between others is no error here: the first [`Reader::next`] names it as damage.
    pub fn open(folder: impl AsRef<Path>, from: Position) -> Result<Reader, JournalError> {
        let folder = folder.as_ref().to_path_buf();
        let mut reader = Reader {
            folder,
            at: from,
            current: None,
            following: None,
            listed: false,
            damaged: false,
            missing: None,
        };
        if from == Position::START {
            reader.list()?;
        } else if let Some(segment) = reader.open_segment(from.segment)? {
            reader.begin_in(segment, from)?;
        } else {
            reader.begin_after(from)?;
        }
        Ok(reader)
    }

    /// The next record and the position after it; None at the present end: call again later.
    ///
    /// # Errors
    /// [`JournalError::Damaged`]: [`Reader::skip_damaged`] goes on behind it, without that the answer stays the same.
    /// [`JournalError::Deleted`] when this reader was overtaken by the limits; `skip_damaged` goes on with what is left.
    /// [`JournalError::Version`], [`JournalError::Io`].
    #[allow(clippy::should_implement_trait, reason = "an iterator ends at None, this one does not")]
    pub fn next(&mut self) -> Result<Option<(Record, Position)>, JournalError> {
        let result = self.advance();
        self.damaged = matches!(result, Err(JournalError::Damaged { .. } | JournalError::Deleted { .. }));
        result
    }

    /// The position after the last record read.
    #[must_use]
    pub fn position(&self) -> Position {
        self.at
    }

    /// After damage: goes to the next good record, or to the next segment, or to the tail, and tells what was left out.
    /// Without damage nothing is skipped.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn skip_damaged(&mut self) -> Result<Skipped, JournalError> {
        let from = self.at;
        if std::mem::take(&mut self.damaged) {
            self.skip()?;
        }
        Ok(Skipped { from, to: self.at })
    }

    fn advance(&mut self) -> Result<Option<(Record, Position)>, JournalError> {
        if let Some(missing) = &self.missing {
            return Err(self.damage(Damage::Missing { next: missing.number }));
        }
        loop {
            let Some(scanner) = &mut self.current else {
                let Some(oldest) = self.first_after(0)? else { return Ok(None) };
                self.enter(oldest);
                continue;
            };
            if self.at.offset < HEADER_BYTES {
                self.check_header()?;
                continue;
            }
            let step = scanner.step(self.at.offset);
            let torn = match step.map_err(|error| self.read_error(self.at.segment, error))? {
                Step::Record(record, after) => {
                    self.at.offset = after;
                    return Ok(Some((record, self.at)));
                }
                Step::Damaged(reason) => return Err(self.damage(reason)),
                Step::Torn(reason) => Some(reason),
                Step::End => None,
            };
            if self.following.is_none() {
                if self.find_following()? {
                    // More may have been written between the look at the end and the next segment: look again.
                    continue;
                }
                return Ok(None);
            }
            if let Some(reason) = torn {
                return Err(self.damage(reason));
            }
            self.enter_following()?;
        }
    }

    fn skip(&mut self) -> Result<(), JournalError> {
        if let Some(next) = self.missing.take() {
            self.enter(next);
            return Ok(());
        }
        if self.at.offset < HEADER_BYTES {
            self.at.offset = HEADER_BYTES;
            return Ok(());
        }
        let open = !self.find_following()?;
        let Some(scanner) = &mut self.current else { return Ok(()) };
        let found = scanner.next_record(self.at.offset.saturating_add(1), open);
        match found.map_err(|error| self.read_error(self.at.segment, error))? {
            Some(offset) => self.at.offset = offset,
            None => {
                if let Some(following) = self.following.take() {
                    self.enter(following);
                }
            }
        }
        Ok(())
    }

    fn begin_in(&mut self, segment: Segment, from: Position) -> Result<(), JournalError> {
        let read_error = |error| self.read_error(from.segment, error);
        let end = segment.len().map_err(read_error)?;
        if let Err(HeaderFault::Version(found)) = segment.header().map_err(read_error)? {
            return Err(version_error(from.segment, found));
        }
        self.enter(segment);
        if from.offset >= HEADER_BYTES {
            self.at = from;
        }
        if from.offset > end && !self.find_following()? {
            let end = Position { segment: from.segment, offset: end };
            return Err(JournalError::PastEnd { position: from, end });
        }
        Ok(())
    }

    fn begin_after(&mut self, from: Position) -> Result<(), JournalError> {
        let Some(segment) = self.first_after(from.segment)? else {
            return Err(JournalError::PastEnd { position: from, end: self.end()? });
        };
        let next = segment.number;
        match segment.header().map_err(|error| self.read_error(next, error))? {
            Ok(header) if header.previous > from => {
                if self.list()?.first().is_some_and(|oldest| *oldest < from.segment) {
                    self.missing = Some(segment);
                    return Ok(());
                }
                return Err(JournalError::Deleted { position: from, first: first_of(next) });
            }
            Err(HeaderFault::Version(found)) => return Err(version_error(next, found)),
            Ok(_) | Err(HeaderFault::Damaged(_)) => {}
        }
        self.enter(segment);
        Ok(())
    }

    fn end(&self) -> Result<Position, JournalError> {
        let Some(last) = self.list()?.last().copied() else { return Ok(Position::START) };
        let bytes = self.open_segment(last)?.map_or(Ok(0), |segment| segment.len());
        Ok(Position { segment: last, offset: bytes.map_err(|error| self.read_error(last, error))? })
    }

    /// The segment with the smallest number above this one.
    fn first_after(&self, number: u64) -> Result<Option<Segment>, JournalError> {
        while let Some(listed) = self.list()?.into_iter().find(|listed| *listed > number) {
            let mut first = self.open_segment(listed)?;
            // A list made while segments are made can have a later one and not an earlier one; they are made in order,
            // so the earlier one is there now.
            let mut before = listed - 1;
            while before > number
                && let Some(segment) = self.open_segment(before)?
            {
                first = Some(segment);
                before -= 1;
            }
            if first.is_some() {
                return Ok(first);
            }
            // Deleted since: then another is the first.
        }
        Ok(None)
    }

    fn enter(&mut self, segment: Segment) {
        self.at = Position { segment: segment.number, offset: 0 };
        self.current = Some(Scanner::new(segment));
        self.following = None;
        self.listed = false;
    }

    fn check_header(&mut self) -> Result<(), JournalError> {
        let Some(scanner) = &self.current else { return Ok(()) };
        match scanner.segment.header().map_err(|error| self.read_error(self.at.segment, error))? {
            Ok(_) => self.at.offset = HEADER_BYTES,
            Err(HeaderFault::Version(found)) => return Err(version_error(self.at.segment, found)),
            Err(HeaderFault::Damaged(reason)) => return Err(self.damage(Damage::SegmentHeader { reason })),
        }
        Ok(())
    }

    /// Goes to the following segment, unless it says that there was more than what was read.
    fn enter_following(&mut self) -> Result<(), JournalError> {
        let Some(following) = &self.following else { return Ok(()) };
        let next = following.number;
        if let Ok(header) = following.header().map_err(|error| self.read_error(next, error))?
            && header.previous > self.at
        {
            if header.previous.segment == self.at.segment {
                return Err(self.damage(Damage::Shortened { end: header.previous.offset }));
            }
            if self.is_current_deleted()? {
                return Err(JournalError::Deleted { position: self.at, first: first_of(next) });
            }
            let reason = Damage::Missing { next };
            return Err(JournalError::Damaged { segment: self.at.segment + 1, offset: 0, reason });
        }
        if let Some(following) = self.following.take() {
            self.enter(following);
        }
        Ok(())
    }

    /// Looks for the segment after the current one. Nearly always its number is the next one; a list of the whole folder,
    /// which costs more, is asked for once a segment and when the current one was deleted.
    fn find_following(&mut self) -> Result<bool, JournalError> {
        if self.following.is_none() {
            self.following = self.open_segment(self.at.segment + 1)?;
        }
        if self.following.is_none() && (!self.listed || self.is_current_deleted()?) {
            self.listed = true;
            self.following = self.first_after(self.at.segment)?;
        }
        Ok(self.following.is_some())
    }

    fn is_current_deleted(&self) -> Result<bool, JournalError> {
        let Some(scanner) = &self.current else { return Ok(false) };
        scanner.segment.is_deleted().map_err(|error| self.read_error(self.at.segment, error))
    }

    fn open_segment(&self, number: u64) -> Result<Option<Segment>, JournalError> {
        Segment::open(&self.folder, number).map_err(|error| self.read_error(number, error))
    }

    fn list(&self) -> Result<Vec<u64>, JournalError> {
        segment::list(&self.folder).map_err(|error| JournalError::io("list", &self.folder, error))
    }

    fn read_error(&self, number: u64, error: std::io::Error) -> JournalError {
        JournalError::io("read", &segment::present_path(&self.folder, number), error)
    }

    fn damage(&self, reason: Damage) -> JournalError {
        JournalError::Damaged { segment: self.at.segment, offset: self.at.offset, reason }
    }
}

impl fmt::Debug for Reader {
    // Without the bytes read: a frame may carry a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("folder", &self.folder).field("at", &self.at).finish_non_exhaustive()
    }
}

fn first_of(segment: u64) -> Position {
    Position { segment, offset: HEADER_BYTES }
}

fn version_error(segment: u64, found: u32) -> JournalError {
    JournalError::Version { segment, found, known: VERSION }
}

#[cfg(test)]
mod tests;
