//! Closed segments into room: what they take on disk, which may be deleted, and when.
//!
//! A segment is deleted from the old end only, and only when all of it is acknowledged: when the bytes or the disk are
//! used up, or when it is older than the settings allow.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::compress::Compressor;
use crate::segment::{self, Segment};
use crate::{JournalError, JournalSettings, Position};

/// A segment that is not written any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closed {
    /// Its number, and where it ends.
    pub(crate) end: Position,
    /// Bytes of its file.
    pub(crate) disk_bytes: u64,
    /// When its last record was written.
    pub(crate) closed_at: SystemTime,
    pub(crate) compressed: bool,
}

/// All closed segments of a journal.
pub(crate) struct ClosedSegments {
    folder: PathBuf,
    /// Oldest first.
    list: VecDeque<Closed>,
    disk_bytes: u64,
    /// Everything before it may be deleted.
    released: Position,
    max_age: Option<Duration>,
    compressor: Option<Compressor>,
}

impl ClosedSegments {
    /// All segments of the folder, the one to be written yet among them.
    pub(crate) fn find(
        folder: &Path,
        released: Position,
        settings: &JournalSettings,
    ) -> Result<ClosedSegments, JournalError> {
        let mut found = ClosedSegments {
            folder: folder.to_path_buf(),
            list: VecDeque::new(),
            disk_bytes: 0,
            released,
            max_age: settings.max_age,
            compressor: None,
        };
        for number in segment::list(folder).map_err(|error| JournalError::io("list", folder, error))? {
            let read = found.read(number);
            let path = segment::present_path(folder, number);
            if let Some(closed) = read.map_err(|error| JournalError::io("read", &path, error))? {
                found.push(closed);
            }
        }
        Ok(found)
    }

    fn read(&self, number: u64) -> std::io::Result<Option<Closed>> {
        let Some(segment) = Segment::open(&self.folder, number)? else { return Ok(None) };
        let metadata = segment.metadata()?;
        Ok(Some(Closed {
            end: Position { segment: number, offset: segment.len()? },
            disk_bytes: metadata.len(),
            closed_at: metadata.modified()?,
            compressed: segment.is_compressed(),
        }))
    }

    /// Takes the last one out, unless it is compressed: then it is closed for good.
    pub(crate) fn pop_last_plain(&mut self) -> Option<Closed> {
        let last = self.list.pop_back_if(|last| !last.compressed)?;
        self.disk_bytes -= last.disk_bytes;
        Some(last)
    }

    /// Adds one behind the others.
    pub(crate) fn push(&mut self, closed: Closed) {
        self.disk_bytes += closed.disk_bytes;
        self.list.push_back(closed);
    }

    /// Where the last one ends; [`Position::START`] without one.
    pub(crate) fn end(&self) -> Position {
        self.list.back().map_or(Position::START, |last| last.end)
    }

    /// Bytes of all files.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.disk_bytes
    }

    /// Starts to compress what is there and is not compressed.
    pub(crate) fn start_compressing(&mut self, level: Option<i32>) -> Result<(), JournalError> {
        let Some(level) = level else { return Ok(()) };
        let plain = self.list.iter().filter(|closed| !closed.compressed).map(|closed| closed.end.segment);
        let started = Compressor::start(&self.folder, level, plain.collect());
        let started = started.map_err(|error| JournalError::io("start to compress", &self.folder, error))?;
        self.compressor = Some(started);
        Ok(())
    }

    /// Compresses one that was just pushed, if that is wanted.
    pub(crate) fn compress(&self, number: u64) {
        if let Some(compressor) = &self.compressor {
            compressor.compress(number);
        }
    }

    /// What went wrong with compressing, once.
    pub(crate) fn trouble(&self) -> Option<JournalError> {
        let (path, error) = self.compressor.as_ref()?.take_trouble()?;
        Some(JournalError::io("compress", &path, error))
    }

    /// Everything before `acknowledged` may be deleted, and nothing behind it.
    pub(crate) fn release(&mut self, acknowledged: Position) {
        self.released = acknowledged;
    }

    /// Deletes the oldest segment if all of it is acknowledged.
    pub(crate) fn delete_oldest(&mut self) -> Result<bool, JournalError> {
        let Some(oldest) = self.list.front().copied().filter(|oldest| self.released >= oldest.end) else {
            return Ok(false);
        };
        let number = oldest.end.segment;
        let deleted = match &self.compressor {
            Some(compressor) => compressor.delete(number),
            None => segment::remove(&self.folder, number),
        };
        deleted.map_err(|error| {
            JournalError::io("delete", &segment::present_path(&self.folder, number), error)
        })?;
        self.list.pop_front();
        self.disk_bytes -= oldest.disk_bytes;
        Ok(true)
    }

    /// Books what was compressed meanwhile and deletes what is too old.
    pub(crate) fn look_after(&mut self) {
        for done in self.compressor.as_ref().map(Compressor::take_done).unwrap_or_default() {
            let found = self.list.binary_search_by_key(&done.number, |closed| closed.end.segment);
            if let Some(closed) = found.ok().and_then(|index| self.list.get_mut(index)) {
                self.disk_bytes = self.disk_bytes - closed.disk_bytes + done.disk_bytes;
                (closed.disk_bytes, closed.compressed) = (done.disk_bytes, true);
            }
        }
        // One that cannot be deleted now is tried again, and the limit in bytes will tell; no record depends on it.
        while self.is_oldest_too_old() && self.delete_oldest().unwrap_or(false) {}
    }

    fn is_oldest_too_old(&self) -> bool {
        let (Some(max_age), Some(oldest)) = (self.max_age, self.list.front()) else { return false };
        // A time in the future is that of a clock that was wrong: not old.
        self.released >= oldest.end && oldest.closed_at.elapsed().is_ok_and(|age| age >= max_age)
    }
}
