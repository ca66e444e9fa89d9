//! Numbers into segment files: their names, reading one at an offset, writing its end.
//!
//! `00000000000000000001.journal`: the number in 20 digits, from 1, one more for each. A header of 48 bytes (`header`),
//! then records ([`crate::record`]) one after the other to the end of the file. A closed segment may stand compressed in
//! `00000000000000000001.journal.zst` instead (`compressed`); it reads the same, and no other file knows.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::Position;
use crate::compressed::{Compressed, read_up_to};
use crate::header::{HeaderFault, SegmentHeader};

const SUFFIX: &str = ".journal";
const COMPRESSED_SUFFIX: &str = ".journal.zst";
const UNFINISHED_SUFFIX: &str = ".journal.new";
const UNFINISHED_COMPRESSED_SUFFIX: &str = ".journal.zst.new";

/// The file of a segment as it is written.
pub(crate) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}{SUFFIX}"))
}

/// The file of a compressed segment.
pub(crate) fn compressed_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}{COMPRESSED_SUFFIX}"))
}

/// The file of a segment that is being compressed.
pub(crate) fn unfinished_compressed_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}{UNFINISHED_COMPRESSED_SUFFIX}"))
}

/// The file that a segment is read from at present; the plain one when there is none.
pub(crate) fn present_path(folder: &Path, number: u64) -> PathBuf {
    let (plain, compressed) = (path(folder, number), compressed_path(folder, number));
    if !plain.exists() && compressed.exists() { compressed } else { plain }
}

/// The numbers of all segments in the folder, plain or compressed, ascending. Files with other names are none of ours.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let digits = name
            .to_str()
            .and_then(|name| name.strip_suffix(SUFFIX).or_else(|| name.strip_suffix(COMPRESSED_SUFFIX)));
        if let Some(number) =
            digits.filter(|digits| digits.len() == 20).and_then(|digits| digits.parse().ok())
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// One segment to read from.
pub(crate) struct Segment {
    pub(crate) number: u64,
    folder: PathBuf,
    content: Content,
}

enum Content {
    Plain(File),
    Compressed(Compressed),
}

impl Segment {
    /// None when there is no such segment.
    pub(crate) fn open(folder: &Path, number: u64) -> io::Result<Option<Segment>> {
        // In this order: the plain file goes only when the compressed one is there.
        let content = match open_if_there(&path(folder, number))? {
            Some(file) => Content::Plain(file),
            None => match open_if_there(&compressed_path(folder, number))? {
                Some(file) => Content::Compressed(Compressed::open(file)?),
                None => return Ok(None),
            },
        };
        Ok(Some(Segment { number, folder: folder.to_path_buf(), content }))
    }

    /// Bytes of content at present.
    pub(crate) fn len(&self) -> io::Result<u64> {
        match &self.content {
            Content::Plain(file) => Ok(file.metadata()?.len()),
            Content::Compressed(compressed) => Ok(compressed.len()),
        }
    }

    /// Whether it is read from a compressed file.
    pub(crate) fn is_compressed(&self) -> bool {
        matches!(self.content, Content::Compressed(_))
    }

    /// Size and time of the file it is read from.
    pub(crate) fn metadata(&self) -> io::Result<fs::Metadata> {
        match &self.content {
            Content::Plain(file) => file.metadata(),
            Content::Compressed(compressed) => compressed.file().metadata(),
        }
    }

    /// Whether the index of the compressed file is damaged: the blocks are found without it.
    pub(crate) fn is_index_damaged(&self) -> bool {
        matches!(&self.content, Content::Compressed(compressed) if compressed.is_index_damaged())
    }

    /// Whether `at` lies in a compressed block that cannot be decompressed; it reads as zeros.
    pub(crate) fn is_broken(&self, at: u64) -> io::Result<bool> {
        match &self.content {
            Content::Plain(_) => Ok(false),
            Content::Compressed(compressed) => compressed.is_broken(at),
        }
    }

    /// Whether it was taken out of the folder after it was opened, in whatever form.
    pub(crate) fn is_deleted(&self) -> io::Result<bool> {
        let gone = self.metadata()?.nlink() == 0;
        Ok(gone && !present_path(&self.folder, self.number).exists())
    }

    /// The content from `at`: as much as there is, at most `most` bytes.
    pub(crate) fn read(&self, at: u64, most: usize) -> io::Result<Bytes> {
        match &self.content {
            Content::Plain(file) => {
                let left = self.len()?.saturating_sub(at);
                let left = usize::try_from(left).unwrap_or(usize::MAX).min(most);
                read_up_to(file, at, left).map(Bytes::from)
            }
            Content::Compressed(compressed) => compressed.read(at, most),
        }
    }

    /// What the header says.
    pub(crate) fn header(&self) -> io::Result<Result<SegmentHeader, HeaderFault>> {
        Ok(SegmentHeader::decode(&self.read(0, 48)?, self.number))
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment").field("number", &self.number).finish_non_exhaustive()
    }
}

fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes a segment in both forms.
pub(crate) fn remove(folder: &Path, number: u64) -> io::Result<()> {
    remove_plain(folder, number)?;
    remove_if_there(&compressed_path(folder, number))
}

/// Deletes the plain file of a segment.
pub(crate) fn remove_plain(folder: &Path, number: u64) -> io::Result<()> {
    remove_if_there(&path(folder, number))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes an empty segment, under another name first: no reader sees half a header.
pub(crate) fn create(folder: &Path, number: u64, previous: Position, sync: bool) -> io::Result<File> {
    let unfinished = folder.join(format!("{number:020}{UNFINISHED_SUFFIX}"));
    let finished = path(folder, number);
    let created = create_as(&unfinished, number, previous, sync).and_then(|file| {
        fs::rename(&unfinished, &finished)?;
        if sync {
            File::open(folder)?.sync_all()?;
        }
        Ok(file)
    });
    if created.is_err() {
        // Its bytes count on a full disk, and to readers a segment that is there ends the one before it.
        let _ = fs::remove_file(&unfinished);
        let _ = fs::remove_file(&finished);
    }
    created
}

fn create_as(unfinished: &Path, number: u64, previous: Position, sync: bool) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(unfinished)?;
    write_header(&file, number, previous, sync)?;
    Ok(file)
}

/// Writes the header of an empty segment.
pub(crate) fn write_header(file: &File, number: u64, previous: Position, sync: bool) -> io::Result<()> {
    let header = SegmentHeader { number, created_ns: now_ns(), previous }.encode();
    write_all_at(file, &header, 0).1?;
    if sync { file.sync_all() } else { Ok(()) }
}

/// Removes what a crash left of segments being made or compressed. A compressed file beside its plain one was not
/// finished either: nobody has read it yet.
pub(crate) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let beside_plain = |digits: &str| folder.join(format!("{digits}{SUFFIX}")).exists();
        if name.ends_with(UNFINISHED_SUFFIX)
            || name.ends_with(UNFINISHED_COMPRESSED_SUFFIX)
            || name.strip_suffix(COMPRESSED_SUFFIX).is_some_and(beside_plain)
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Writes all bytes at an offset; tells also how many were written before an error.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], at: u64) -> (usize, io::Result<()>) {
    let mut done = 0;
    while done < bytes.len() {
        match write_at(file, &bytes[done..], at + done as u64) {
            Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
            Ok(written) => done += written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

#[cfg(not(test))]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
    file.write_at(bytes, at)
}

#[cfg(test)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
    let allowed = crate::testing::take_disk_space(bytes.len());
    if allowed == 0 {
        return Err(io::ErrorKind::StorageFull.into());
    }
    file.write_at(&bytes[..allowed], at)
}

fn now_ns() -> i64 {
    // Information for people; before 1970 or after 2262 it says 0.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|now| i64::try_from(now.as_nanos()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_takes_segments_only() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["00000000000000000010.journal", "00000000000000000009.journal", "9.journal", "lock"] {
            File::create(folder.path().join(name)).unwrap();
        }
        File::create(folder.path().join("00000000000000000011.journal.new")).unwrap();
        for name in ["00000000000000000008.journal.zst", "00000000000000000009.journal.zst"] {
            File::create(folder.path().join(name)).unwrap();
        }
        File::create(folder.path().join("00000000000000000012.journal.zst.new")).unwrap();
        assert_eq!(list(folder.path()).unwrap(), [8, 9, 10]);
        remove_unfinished(folder.path()).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        // The compressed file beside its plain one was not finished.
        assert_eq!(
            left,
            [
                "00000000000000000008.journal.zst",
                "00000000000000000009.journal",
                "00000000000000000010.journal",
                "9.journal",
                "lock"
            ]
        );
    }
}
