//! Records into segment files: buffered, one write a flush, a new segment when one is full, limits, no space.
//!
//! An append that fails has appended nothing, and what was appended before stays in the buffer or the file, so the same
//! record may be appended again. A write that fails half way is cut back to whole records; positions given out stay
//! those of the same records, because what could not be written is written at the same place later.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Instant, SystemTime};

use crate::closed::{Closed, ClosedSegments};
use crate::error::is_no_space;
use crate::header::HEADER_BYTES;
use crate::record::{self, MAX_PAYLOAD_BYTES};
use crate::recover::{Recovered, Tail, recover};
use crate::segment;
use crate::{Acknowledged, FullCause, JournalError, JournalSettings, Position, Record, Sync};

/// Bytes kept back between two flushes before they are written anyway: bounds the memory, and one write of this size
/// costs hardly more a byte than a larger one.
const BUFFER_BYTES: usize = 256 << 10;

/// The one that appends.
pub struct Writer {
    settings: JournalSettings,
    /// Held, never read: the lock ends with it.
    _lock: File,
    file: File,
    number: u64,
    /// Bytes of the segment in the file, whole records.
    written: u64,
    /// Encoded records that follow them.
    buffer: Vec<u8>,
    /// All other segments.
    closed: ClosedSegments,
    unsynced: bool,
    synced_at: Instant,
}

impl Writer {
    /// Opens the journal for appending: locks the folder, makes what is missing, cuts a torn tail off. Appending goes on
    /// in the last segment. In a new one when the saved acknowledged position lies behind the end that was found (after a
    /// power loss): a position never means two records; and when the last one is larger than the settings now say.
    ///
    /// # Errors
    /// [`JournalError::Locked`], [`JournalError::Settings`], [`JournalError::Version`], [`JournalError::Full`],
    /// [`JournalError::Io`].
    pub fn open(settings: JournalSettings) -> Result<(Writer, Recovered), JournalError> {
        settings.check()?;
        let folder = settings.folder.as_path();
        let list_error = |error| JournalError::io("list", folder, error);
        fs::create_dir_all(folder).map_err(|error| JournalError::io("make", folder, error))?;
        let lock = lock(folder)?;
        segment::remove_unfinished(folder).map_err(list_error)?;
        let (acknowledged, _) = Acknowledged::load_or_start(folder)?;
        let mut closed = ClosedSegments::find(folder, acknowledged, &settings)?;

        let mut torn = None;
        let mut appendable = None;
        if let Some(last) = closed.pop_last_plain() {
            let before = closed.end();
            let tail: Tail = recover(folder, last.end.segment, before, settings.syncs())?;
            torn = tail.torn;
            let end = Position { segment: last.end.segment, offset: tail.end };
            if tail.appendable && acknowledged <= end && tail.end <= settings.segment_bytes {
                appendable = Some(end);
            } else {
                closed.push(Closed { end, disk_bytes: tail.end, ..last });
            }
        }
        let previous = closed.end();
        let (end, file) = match appendable {
            Some(end) => (end, open_to_append(folder, end.segment)?),
            None => {
                let number = previous.segment.max(acknowledged.segment).saturating_add(1);
                let file = segment::create(folder, number, previous, settings.syncs());
                let file = file.map_err(|error| JournalError::io("make a segment in", folder, error))?;
                (Position { segment: number, offset: HEADER_BYTES }, file)
            }
        };
        closed.start_compressing(settings.compress)?;
        let writer = Writer {
            _lock: lock,
            file,
            number: end.segment,
            written: end.offset,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            closed,
            unsynced: false,
            synced_at: Instant::now(),
            settings,
        };
        Ok((writer, Recovered { end, torn }))
    }

    /// Appends a record and gives the position after it. Readers see it after [`Writer::flush`], or earlier.
    ///
    /// # Errors
    /// The record is not appended then; append it again or let it go.
    /// [`JournalError::Full`]: later, after a release, or when the disk has space again;
    /// [`JournalError::TooLarge`]; [`JournalError::Io`].
    pub fn append(&mut self, record: &Record) -> Result<Position, JournalError> {
        let bytes = record::encoded_bytes(record);
        let largest = (self.settings.segment_bytes - HEADER_BYTES)
            .min((MAX_PAYLOAD_BYTES + record::HEADER_BYTES) as u64);
        let length = u32::try_from(record.payload.len()).ok().filter(|_| bytes <= largest);
        let Some(length) = length else { return Err(JournalError::TooLarge { bytes, limit: largest }) };

        let rotate = self.end().offset + bytes > self.settings.segment_bytes;
        self.make_room(bytes + if rotate { HEADER_BYTES } else { 0 })?;
        if rotate {
            self.rotate()?;
        } else if self.buffer.len() as u64 + bytes > BUFFER_BYTES as u64 {
            self.write_out()?;
        }
        record::encode(record, length, self.end(), &mut self.buffer);
        Ok(self.end())
    }

    /// Makes everything appended visible to readers and safe from a kill of the process, and forces it to disk as the
    /// settings say. Gives the end. Acknowledged segments older than the settings allow are deleted here.
    ///
    /// # Errors
    /// Everything stays appended; flush again. [`JournalError::Full`], [`JournalError::Io`]. After an error with the
    /// operation "sync" the operating system may have dropped what it could not write, though readers still see it: end
    /// the process with an error when power loss matters.
    pub fn flush(&mut self) -> Result<Position, JournalError> {
        self.write_out()?;
        let due = match self.settings.sync {
            Sync::Never => false,
            Sync::EveryBatch => true,
            Sync::Interval(interval) => self.synced_at.elapsed() >= interval,
        };
        if due && self.unsynced {
            self.sync()?;
        }
        self.closed.look_after();
        Ok(self.end())
    }

    /// What kept the last segments from being compressed, once; they stay as they are and are tried again with the
    /// next one. Nothing is lost by it but space.
    pub fn compression_trouble(&mut self) -> Option<JournalError> {
        self.closed.trouble()
    }

    /// The position after the last record appended.
    #[must_use]
    pub fn end(&self) -> Position {
        Position { segment: self.number, offset: self.written + self.buffer.len() as u64 }
    }

    /// Bytes of all segments on disk, what is still buffered included.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.closed.disk_bytes() + self.end().offset
    }

    /// Everything before `acknowledged` may be deleted, segment by segment, when a limit or the disk asks for it. At
    /// first that is the position saved by [`Acknowledged`]. The last word counts: one that goes back (a server has lost
    /// what it acknowledged) protects again what is still there.
    pub fn release(&mut self, acknowledged: Position) {
        self.closed.release(acknowledged);
    }

    fn make_room(&mut self, bytes: u64) -> Result<(), JournalError> {
        while self.used_bytes() + bytes > self.settings.max_bytes {
            if !self.closed.delete_oldest()? {
                let cause = FullCause::Limit { used: self.used_bytes(), max: self.settings.max_bytes };
                return Err(JournalError::Full { cause });
            }
        }
        Ok(())
    }

    /// Writes the buffer. On a full disk acknowledged segments make room; without them it is an error.
    fn write_out(&mut self) -> Result<(), JournalError> {
        while let Err(error) = self.write_buffer() {
            if !is_no_space(&error) || !self.closed.delete_oldest()? {
                return Err(JournalError::io(
                    "write",
                    &segment::path(&self.settings.folder, self.number),
                    error,
                ));
            }
        }
        Ok(())
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.unsynced = true;
        let (done, result) = segment::write_all_at(&self.file, &self.buffer, self.written);
        let whole = record::whole_bytes(&self.buffer, done);
        if result.is_err() {
            // When even this fails, the next write overwrites the part, or the next start cuts it.
            let _ = self.file.set_len(self.written + whole as u64);
        }
        self.buffer.drain(..whole);
        self.buffer.shrink_to(BUFFER_BYTES);
        self.written += whole as u64;
        result
    }

    fn rotate(&mut self) -> Result<(), JournalError> {
        self.write_out()?;
        if self.settings.syncs() && self.unsynced {
            self.sync()?;
        }
        let end = self.end();
        let number = self.number + 1;
        let folder = self.settings.folder.clone();
        self.file = loop {
            match segment::create(&folder, number, end, self.settings.syncs()) {
                Ok(file) => break file,
                Err(error) if is_no_space(&error) && self.closed.delete_oldest()? => {}
                Err(error) => return Err(JournalError::io("make a segment in", &folder, error)),
            }
        };
        let end = Position { segment: self.number, offset: self.written };
        self.closed.push(Closed {
            end,
            disk_bytes: self.written,
            closed_at: SystemTime::now(),
            compressed: false,
        });
        self.closed.compress(self.number);
        self.number = number;
        self.written = HEADER_BYTES;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        let synced = self.file.sync_data();
        synced.map_err(|error| {
            JournalError::io("sync", &segment::path(&self.settings.folder, self.number), error)
        })?;
        self.unsynced = false;
        self.synced_at = Instant::now();
        Ok(())
    }
}

impl fmt::Debug for Writer {
    // Without the buffer: a frame may carry a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("folder", &self.settings.folder)
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}

impl Drop for Writer {
    /// A safety net only: whoever wants to know whether the last records are kept calls [`Writer::flush`].
    fn drop(&mut self) {
        let _ = self.write_out();
    }
}

fn lock(folder: &Path) -> Result<File, JournalError> {
    let path = folder.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| JournalError::io("open", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked { folder: folder.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(JournalError::io("lock", &path, error)),
    }
}

fn open_to_append(folder: &Path, number: u64) -> Result<File, JournalError> {
    let path = segment::path(folder, number);
    OpenOptions::new().write(true).open(&path).map_err(|error| JournalError::io("open", &path, error))
}

#[cfg(test)]
mod tests;
