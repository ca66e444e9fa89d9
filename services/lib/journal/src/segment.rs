//! Numbers into segment files: their names, their header (specified here), reading one at an offset, writing its end.
//!
//! `00000000000000000001.journal`: the number in 20 digits, from 1, one more for each. A header of 48 bytes, then records
//! ([`crate::record`]) one after the other to the end of the file. All numbers are little-endian.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `SISEJRNL` |
//! | 8 | 4 | format version, u32: 1 |
//! | 12 | 4 | CRC-32 (IEEE) of bytes 0 to 11 and 16 to 47 |
//! | 16 | 8 | number of the segment, u64, as in the name |
//! | 24 | 8 | time of creation, i64, UTC ns |
//! | 32 | 16 | where the journal ended when this segment was begun: segment (u64), offset (u64); zeros for the first |
//!
//! The last field makes a missing segment and a shortened one visible, and lets a reader whose position is the end of a
//! deleted segment go on without a hole. No other file knows that segments are plain files: offsets are those of the
//! content, so that a closed segment may be kept in another form.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::Position;

/// Bytes before the first record.
pub(crate) const HEADER_BYTES: u64 = 48;
/// The format written and read here.
pub(crate) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"SISEJRNL";
const SUFFIX: &str = ".journal";
const UNFINISHED_SUFFIX: &str = ".journal.new";

/// What the header of a segment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u64,
    pub(crate) created_ns: i64,
    pub(crate) previous: Position,
}

/// Why a header cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    Damaged(&'static str),
    Version(u32),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; 48] {
        let mut out = [0; 48];
        out[0..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[16..24].copy_from_slice(&self.number.to_le_bytes());
        out[24..32].copy_from_slice(&self.created_ns.to_le_bytes());
        out[32..40].copy_from_slice(&self.previous.segment.to_le_bytes());
        out[40..48].copy_from_slice(&self.previous.offset.to_le_bytes());
        let checksum = checksum(&out);
        out[12..16].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// The header of segment `number`, from the beginning of its content.
    pub(crate) fn decode(bytes: &[u8], number: u64) -> Result<SegmentHeader, HeaderFault> {
        let Some(header) = bytes.first_chunk::<48>() else {
            return Err(HeaderFault::Damaged("shorter than a header"));
        };
        if header[0..8] != MAGIC {
            return Err(HeaderFault::Damaged("does not begin with SISEJRNL"));
        }
        if u32::from_le_bytes(array(header, 12)) != checksum(header) {
            return Err(HeaderFault::Damaged("checksum does not match"));
        }
        let version = u32::from_le_bytes(array(header, 8));
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        if u64::from_le_bytes(array(header, 16)) != number {
            return Err(HeaderFault::Damaged("names another segment than the file's name"));
        }
        Ok(SegmentHeader {
            number,
            created_ns: i64::from_le_bytes(array(header, 24)),
            previous: Position {
                segment: u64::from_le_bytes(array(header, 32)),
                offset: u64::from_le_bytes(array(header, 40)),
            },
        })
    }
}

fn checksum(header: &[u8; 48]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[0..12]);
    hasher.update(&header[16..48]);
    hasher.finalize()
}

fn array<const N: usize>(header: &[u8; 48], from: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&header[from..from + N]);
    out
}

/// The file of a segment.
pub(crate) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}{SUFFIX}"))
}

/// The numbers of all segments in the folder, ascending. Files with other names are none of ours.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        if let Some(number) =
            digits.filter(|digits| digits.len() == 20).and_then(|digits| digits.parse().ok())
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// One segment to read from.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    file: File,
}

impl Segment {
    /// None when there is no such segment.
    pub(crate) fn open(folder: &Path, number: u64) -> io::Result<Option<Segment>> {
        match File::open(path(folder, number)) {
            Ok(file) => Ok(Some(Segment { number, file })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Bytes of content at present.
    pub(crate) fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Whether it was taken out of the folder after it was opened.
    pub(crate) fn is_deleted(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.nlink() == 0)
    }

    /// The content from `at`: as much as there is, at most `most` bytes.
    pub(crate) fn read(&self, at: u64, most: usize) -> io::Result<Bytes> {
        let left = usize::try_from(self.len()?.saturating_sub(at)).unwrap_or(usize::MAX).min(most);
        let mut out = vec![0; left];
        let mut done = 0;
        while done < left {
            match self.file.read_at(&mut out[done..], at + done as u64) {
                Ok(0) => break,
                Ok(bytes) => done += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        out.truncate(done);
        Ok(Bytes::from(out))
    }

    /// What the header says.
    pub(crate) fn header(&self) -> io::Result<Result<SegmentHeader, HeaderFault>> {
        Ok(SegmentHeader::decode(&self.read(0, 48)?, self.number))
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

/// Removes what a crash left of segments being made.
pub(crate) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.ends_with(UNFINISHED_SUFFIX)) {
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

    const HEADER: SegmentHeader = SegmentHeader {
        number: 3,
        created_ns: 1_765_432_100_000_000_000,
        previous: Position { segment: 2, offset: 4096 },
    };

    // The checksum comes from another implementation (Python's zlib.crc32).
    #[rustfmt::skip]
    const PINNED: [u8; 48] = [
        b'S', b'I', b'S', b'E', b'J', b'R', b'N', b'L',  1, 0, 0, 0,  0x5B, 0x34, 0x1E, 0xCB,
        3, 0, 0, 0, 0, 0, 0, 0,
        0x00, 0x68, 0x92, 0x2B, 0x24, 0x13, 0x80, 0x18,
        2, 0, 0, 0, 0, 0, 0, 0,  0, 0x10, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn bytes_never_change() {
        assert_eq!(HEADER.encode(), PINNED);
        assert_eq!(SegmentHeader::decode(&PINNED, 3), Ok(HEADER));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        for bit in 0..48 * 8 {
            let mut bytes = PINNED;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(SegmentHeader::decode(&bytes, 3), Err(HeaderFault::Damaged(_))), "bit {bit}");
        }
    }

    #[test]
    fn a_renamed_file_and_a_newer_format_are_told_apart() {
        let renamed = HeaderFault::Damaged("names another segment than the file's name");
        assert_eq!(SegmentHeader::decode(&PINNED, 4), Err(renamed));
        let mut newer = PINNED;
        newer[8] = 2;
        let sum = checksum(&newer);
        newer[12..16].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&newer, 3), Err(HeaderFault::Version(2)));
    }

    #[test]
    fn list_takes_segments_only() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["00000000000000000010.journal", "00000000000000000009.journal", "9.journal", "lock"] {
            File::create(folder.path().join(name)).unwrap();
        }
        File::create(folder.path().join("00000000000000000011.journal.new")).unwrap();
        assert_eq!(list(folder.path()).unwrap(), [9, 10]);
        remove_unfinished(folder.path()).unwrap();
        assert!(!folder.path().join("00000000000000000011.journal.new").exists());
    }
}
