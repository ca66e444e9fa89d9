//! Insert bodies on disk between their arrival and the engine's reading them.
//!
//! One file a request under `<path>/spool`; removed when its [`SpoolFile`] is dropped, and all of them at start, since
//! a killed process leaves its files behind. Nothing in this folder was ever confirmed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::AsyncWriteExt as _;

use crate::error::Exception;

/// Bytes that the file handle gathers before it asks the disk: few large writes, little memory a request.
const WRITE_BYTES: usize = 1 << 20;

/// The folder and how much of it is in use.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    /// Largest sum of all files at one time, in bytes.
    limit: u64,
    used: AtomicU64,
    next: AtomicU64,
}

impl Spool {
    /// Makes the folder, and removes what an earlier process left in it. Returns how many files that were, too.
    ///
    /// # Errors
    /// When the folder cannot be made or cleaned.
    pub fn open(folder: &Path, limit: u64) -> std::io::Result<(Arc<Self>, usize)> {
        std::fs::create_dir_all(folder)?;
        let mut removed = 0;
        for entry in std::fs::read_dir(folder)? {
            std::fs::remove_file(entry?.path())?;
            removed += 1;
        }
        let spool =
            Self { folder: folder.to_owned(), limit, used: AtomicU64::new(0), next: AtomicU64::new(1) };
        Ok((Arc::new(spool), removed))
    }

    /// A new empty file.
    ///
    /// # Errors
    /// Code 243 when the disk refuses.
    pub async fn create(self: &Arc<Self>) -> Result<SpoolWriter, Exception> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{number:016x}"));
        let mut file = tokio::fs::File::create_new(&path).await.map_err(|error| refused(&error))?;
        file.set_max_buf_size(WRITE_BYTES);
        Ok(SpoolWriter { file, kept: SpoolFile { path, bytes: 0, spool: Arc::clone(self) } })
    }

    fn reserve(&self, bytes: u64) -> Result<(), Exception> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.limit {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            metrics::counter!("sise_clickhouse_embedded_refused_total", "reason" => "spool_full")
                .increment(1);
            let limit = self.limit;
            return Err(Exception::not_enough_space(format!(
                "The insert bodies on disk would exceed {limit} bytes (clickhouse_embedded.max_spool_bytes): \
                 send smaller inserts, or fewer at once"
            )));
        }
        Ok(())
    }
}

fn refused(error: &std::io::Error) -> Exception {
    Exception::not_enough_space(format!("Cannot keep the insert's body on disk: {error}"))
}

/// A file being written.
#[derive(Debug)]
pub struct SpoolWriter {
    file: tokio::fs::File,
    kept: SpoolFile,
}

impl SpoolWriter {
    /// Appends `data`.
    ///
    /// # Errors
    /// Code 243 when the limit is reached or the disk refuses.
    pub async fn write(&mut self, data: &[u8]) -> Result<(), Exception> {
        let bytes = data.len() as u64;
        self.kept.spool.reserve(bytes)?;
        self.kept.bytes += bytes;
        self.file.write_all(data).await.map_err(|error| refused(&error))
    }

    /// Everything is written.
    ///
    /// # Errors
    /// Code 243 when the disk refuses.
    pub async fn finish(mut self) -> Result<SpoolFile, Exception> {
        self.file.flush().await.map_err(|error| refused(&error))?;
        Ok(self.kept)
    }
}

/// A file until it is dropped.
#[derive(Debug)]
pub struct SpoolFile {
    path: PathBuf,
    bytes: u64,
    spool: Arc<Spool>,
}

impl SpoolFile {
    /// Where it is. Plain ASCII letters at the end; the folder is checked when settings are read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        self.spool.used.fetch_sub(self.bytes, Ordering::Relaxed);
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "spool file not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_go_when_dropped_and_when_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("left"), "x").unwrap();
        let (spool, removed) = Spool::open(folder.path(), 100).unwrap();
        assert_eq!(removed, 1);
        let mut writer = spool.create().await.unwrap();
        writer.write(b"abc").await.unwrap();
        let file = writer.finish().await.unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"abc");
        drop(file);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(spool.used.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn the_limit_counts_all_files_and_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(folder.path(), 5).unwrap();
        let (mut first, mut second) = (spool.create().await.unwrap(), spool.create().await.unwrap());
        first.write(b"abc").await.unwrap();
        assert_eq!(second.write(b"abc").await.unwrap_err().code, 243);
        drop(first);
        second.write(b"abcde").await.unwrap();
    }
}
