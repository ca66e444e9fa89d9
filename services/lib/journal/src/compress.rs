//! Closed segments into compressed files, on a thread of its own, oldest first, while others append and read.
//!
//! A crash at any instant leaves the plain file or the whole compressed one: the compressed one is written under another
//! name, forced to disk, read back and compared, and renamed; the plain one goes only when the folder is on disk too.
//! Where both are there, the plain one is read and the other is made again.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use zstd::bulk::Compressor as Zstd;

use crate::compressed::{BLOCK_BYTES, Compressed, encode_index, read_up_to};
use crate::segment;

/// How far the thread stands back for others that want the processor: as far as it goes, since nobody waits for it. On
/// Linux a thread has a niceness of its own.
const NICENESS: i32 = 19;

/// A segment that is compressed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) number: u64,
    /// Bytes of its file.
    pub(crate) disk_bytes: u64,
}

/// The thread that compresses; ends when this is dropped, within a block's time.
pub(crate) struct Compressor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    folder: PathBuf,
    level: i32,
    state: Mutex<State>,
    wake: Condvar,
    stop: AtomicBool,
}

/// All lists hold numbers of closed segments: as many as the limits leave on disk.
#[derive(Default)]
struct State {
    waiting: VecDeque<u64>,
    current: Option<u64>,
    /// The current one was deleted meanwhile.
    deleted: bool,
    done: Vec<Done>,
    /// Could not be compressed; tried again when the next one comes.
    failed: Vec<u64>,
    trouble: Option<(PathBuf, io::Error)>,
}

impl Compressor {
    /// Starts the thread with the segments that are closed already.
    pub(crate) fn start(folder: &Path, level: i32, closed: VecDeque<u64>) -> io::Result<Compressor> {
        let shared = Arc::new(Shared {
            folder: folder.to_path_buf(),
            level,
            state: Mutex::new(State { waiting: closed, ..State::default() }),
            wake: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("journal-zstd".to_owned()).spawn(move || own.work())?;
        Ok(Compressor { shared, thread: Some(thread) })
    }

    /// Hands a closed segment over; all of it is in its file.
    pub(crate) fn compress(&self, number: u64) {
        let mut state = self.shared.state();
        let failed = std::mem::take(&mut state.failed);
        state.waiting.extend(failed);
        state.waiting.push_back(number);
        self.shared.wake.notify_one();
    }

    /// What was done since the last call. Nothing when the thread holds the lock just now: never waits for it.
    pub(crate) fn take_done(&self) -> Vec<Done> {
        let state = self.shared.state.try_lock();
        state.map(|mut state| std::mem::take(&mut state.done)).unwrap_or_default()
    }

    /// What went wrong last, once.
    pub(crate) fn take_trouble(&self) -> Option<(PathBuf, io::Error)> {
        self.shared.state().trouble.take()
    }

    /// Deletes a segment, in whatever form, also while it is being compressed.
    pub(crate) fn delete(&self, number: u64) -> io::Result<()> {
        let mut state = self.shared.state();
        segment::remove(&self.shared.folder, number)?;
        state.waiting.retain(|waiting| *waiting != number);
        state.failed.retain(|failed| *failed != number);
        state.done.retain(|done| done.number != number);
        state.deleted |= state.current == Some(number);
        Ok(())
    }
}

impl Drop for Compressor {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Under the lock, so that it is not missed between the thread's look and its wait.
        drop(self.shared.state());
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        // Refused, it works as any other thread.
        let _niceness = rustix::process::nice(NICENESS);
        while let Some(number) = self.next() {
            let result = write(&self.folder, number, self.level, &self.stop).and_then(|bytes| match bytes {
                Some(disk_bytes) => self.replace(Done { number, disk_bytes }),
                None => Ok(()),
            });
            let mut state = self.state();
            state.current = None;
            if let Err(error) = result {
                let _gone = fs::remove_file(segment::unfinished_compressed_path(&self.folder, number));
                if !state.deleted {
                    let _gone = fs::remove_file(segment::compressed_path(&self.folder, number));
                    state.failed.push(number);
                    state.trouble = Some((segment::path(&self.folder, number), error));
                }
            }
        }
    }

    /// Waits for a segment; none at the end.
    fn next(&self) -> Option<u64> {
        let mut state = self.state();
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(number) = state.waiting.pop_front() {
                state.current = Some(number);
                state.deleted = false;
                return Some(number);
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Puts the compressed file in the place of the plain one.
    fn replace(&self, done: Done) -> io::Result<()> {
        let state = self.state();
        if state.deleted {
            return fs::remove_file(segment::unfinished_compressed_path(&self.folder, done.number));
        }
        rename(&self.folder, done.number)?;
        drop(state);
        // Without this a power loss could leave neither: the new name not on disk, the old file deleted.
        File::open(&self.folder)?.sync_all()?;
        let mut state = self.state();
        if !state.deleted {
            state.done.push(done);
        }
        // Not under the lock: deleting a large file takes its time, and nobody appending may wait for it.
        drop(state);
        segment::remove_plain(&self.folder, done.number)
    }
}

fn rename(folder: &Path, number: u64) -> io::Result<()> {
    fs::rename(segment::unfinished_compressed_path(folder, number), segment::compressed_path(folder, number))
}

/// Writes the compressed file under its unfinished name, on disk and compared; gives its size, or none when stopped.
fn write(folder: &Path, number: u64, level: i32, stop: &AtomicBool) -> io::Result<Option<u64>> {
    let plain = File::open(segment::path(folder, number))?;
    let path = segment::unfinished_compressed_path(folder, number);
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    let Some((segment_bytes, checksum)) = write_blocks(&plain, &file, level, stop)? else {
        fs::remove_file(&path)?;
        return Ok(None);
    };
    // The age of a segment is that of its last record, not of this file.
    file.set_modified(plain.metadata()?.modified()?)?;
    file.sync_all()?;
    let disk_bytes = file.metadata()?.len();
    let written = Compressed::open(file)?;
    if written.is_index_damaged() || written.len() != segment_bytes || sum(&written)? != checksum {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the compressed file does not read as the plain one",
        ));
    }
    Ok(Some(disk_bytes))
}

/// Compresses everything; gives the bytes read and their CRC-32, or none when stopped.
fn write_blocks(
    plain: &File,
    mut file: &File,
    level: i32,
    stop: &AtomicBool,
) -> io::Result<Option<(u64, u32)>> {
    let mut zstd = Zstd::new(level)?;
    let mut hasher = crc32fast::Hasher::new();
    let (mut sizes, mut at) = (Vec::new(), 0);
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let block = read_up_to(plain, at, BLOCK_BYTES)?;
        if block.is_empty() {
            break;
        }
        hasher.update(&block);
        at += block.len() as u64;
        let compressed = zstd.compress(&block)?;
        file.write_all(&compressed)?;
        sizes.push(u32::try_from(compressed.len()).map_err(io::Error::other)?);
    }
    let index = encode_index(&sizes, at).ok_or_else(|| io::Error::other("too large to compress"))?;
    file.write_all(&index)?;
    Ok(Some((at, hasher.finalize())))
}

fn sum(written: &Compressed) -> io::Result<u32> {
    let mut hasher = crc32fast::Hasher::new();
    let mut at = 0;
    while at < written.len() {
        let bytes = written.read(at, BLOCK_BYTES)?;
        hasher.update(&bytes);
        at += bytes.len() as u64;
    }
    Ok(hasher.finalize())
}

/// Compresses a segment on this thread.
#[cfg(test)]
pub(crate) fn now(folder: &Path, number: u64) -> io::Result<()> {
    unfinished(folder, number)?;
    rename(folder, number)?;
    segment::remove_plain(folder, number)
}

/// Compresses a segment on this thread, without giving the file its name.
#[cfg(test)]
pub(crate) fn unfinished(folder: &Path, number: u64) -> io::Result<()> {
    write(folder, number, 3, &AtomicBool::new(false)).map(|_| ())
}

#[cfg(test)]
mod tests;
