//! How far the work has come: a [`Position`], kept in the file `acknowledged` of the journal's folder.
//!
//! Numbers little-endian: magic `SISEACKN`, format version (u32, 2), CRC-32 (IEEE) of all other bytes, segment (u64),
//! offset (u64), then to the end of the file what the caller saves beside it, for example by what it will know that a
//! server still has what it acknowledged. Version 1 is the same with nothing beside it. The file is replaced as a whole (written under another name, renamed), so a process that
//! is killed leaves the old one or the new one. It is not synced to disk: after a power loss it may be older or gone, and
//! then more is published again, under the same message ids, which does no harm; losing would.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use crate::JournalError;

/// A byte position between two records of a journal. Positions order as the records do.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    /// Number of the segment, from 1; 0 only in [`Position::START`].
    pub segment: u64,
    /// Byte offset in the segment's content.
    pub offset: u64,
}

impl Position {
    /// Before everything: reading from here begins with the oldest segment that is left.
    pub const START: Position = Position { segment: 0, offset: 0 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}

/// What was saved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Saved {
    /// Everything before it is acknowledged.
    pub position: Position,
    /// The caller's own bytes, empty when there are none.
    pub beside: Vec<u8>,
}

/// The saved position up to which everything is acknowledged. One process saves it: the one that appends.
pub struct Acknowledged;

const FILE: &str = "acknowledged";
const MAGIC: [u8; 8] = *b"SISEACKN";
const VERSION: u32 = 2;
/// Magic, version, checksum, position.
const HEADER: usize = 32;

impl Acknowledged {
    /// The saved position; [`Position::START`] when none was saved.
    ///
    /// # Errors
    /// [`JournalError::AcknowledgedDamaged`] when the file does not hold what was saved, [`JournalError::Io`] when it
    /// cannot be read.
    pub fn load(folder: impl AsRef<Path>) -> Result<Position, JournalError> {
        read(folder.as_ref()).map(|saved| saved.position)
    }

    /// As [`Acknowledged::load`], but a damaged file gives [`Position::START`] and the error as a warning to be logged:
    /// publishing everything again is harmless, not to start is a loss. The next save replaces the file.
    ///
    /// # Errors
    /// [`JournalError::Io`] when the file cannot be read.
    pub fn load_or_start(folder: impl AsRef<Path>) -> Result<(Position, Option<JournalError>), JournalError> {
        Self::load_all_or_start(folder).map(|(saved, warning)| (saved.position, warning))
    }

    /// As [`Acknowledged::load_or_start`], with what was saved beside the position.
    ///
    /// # Errors
    /// [`JournalError::Io`] when the file cannot be read.
    pub fn load_all_or_start(
        folder: impl AsRef<Path>,
    ) -> Result<(Saved, Option<JournalError>), JournalError> {
        match read(folder.as_ref()) {
            Ok(saved) => Ok((saved, None)),
            Err(warning @ JournalError::AcknowledgedDamaged { .. }) => Ok((NOTHING, Some(warning))),
            Err(error) => Err(error),
        }
    }

    /// Saves the position, for good as far as a killed process goes, with nothing beside it.
    ///
    /// # Errors
    /// [`JournalError::Full`] when the disk is, [`JournalError::Io`]; the position saved before stays.
    pub fn save(folder: impl AsRef<Path>, position: Position) -> Result<(), JournalError> {
        Self::save_with(folder, position, &[])
    }

    /// As [`Acknowledged::save`], with the caller's bytes beside it: both are replaced, or neither.
    ///
    /// # Errors
    /// [`JournalError::Full`] when the disk is, [`JournalError::Io`]; what was saved before stays.
    pub fn save_with(
        folder: impl AsRef<Path>,
        position: Position,
        beside: &[u8],
    ) -> Result<(), JournalError> {
        let path = folder.as_ref().join(FILE);
        let unfinished = path.with_extension("new");
        fs::write(&unfinished, encode(position, beside))
            .map_err(|error| JournalError::io("write", &unfinished, error))?;
        fs::rename(&unfinished, &path).map_err(|error| JournalError::io("replace", &path, error))
    }
}

const NOTHING: Saved = Saved { position: Position::START, beside: Vec::new() };

fn read(folder: &Path) -> Result<Saved, JournalError> {
    let path = folder.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => decode(&bytes).map_err(|reason| JournalError::AcknowledgedDamaged { path, reason }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(NOTHING),
        Err(error) => Err(JournalError::io("read", &path, error)),
    }
}

fn encode(position: Position, beside: &[u8]) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    out[0..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&VERSION.to_le_bytes());
    out[16..24].copy_from_slice(&position.segment.to_le_bytes());
    out[24..32].copy_from_slice(&position.offset.to_le_bytes());
    out.extend_from_slice(beside);
    let checksum = checksum(&out);
    out[12..16].copy_from_slice(&checksum.to_le_bytes());
    out
}

fn decode(bytes: &[u8]) -> Result<Saved, &'static str> {
    if bytes.len() < HEADER {
        return Err("less than 32 bytes");
    }
    if bytes[0..8] != MAGIC {
        return Err("does not begin with SISEACKN");
    }
    if u32::from_le_bytes(array(bytes, 12)) != checksum(bytes) {
        return Err("checksum does not match");
    }
    match u32::from_le_bytes(array(bytes, 8)) {
        1 if bytes.len() > HEADER => return Err("more than 32 bytes"),
        1 | VERSION => {}
        _ => return Err("written by a newer program"),
    }
    let position = Position {
        segment: u64::from_le_bytes(array(bytes, 16)),
        offset: u64::from_le_bytes(array(bytes, 24)),
    };
    Ok(Saved { position, beside: bytes[HEADER..].to_vec() })
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[0..12]);
    hasher.update(&bytes[16..]);
    hasher.finalize()
}

fn array<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[from..from + N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITION: Position = Position { segment: 3, offset: 4096 };

    // The checksums come from another implementation (Python's zlib.crc32).
    #[rustfmt::skip]
    const PINNED: [u8; 35] = [
        b'S', b'I', b'S', b'E', b'A', b'C', b'K', b'N',  2, 0, 0, 0,  0x8B, 0x35, 0x23, 0x28,
        3, 0, 0, 0, 0, 0, 0, 0,  0, 0x10, 0, 0, 0, 0, 0, 0,  b'[', b'7', b']',
    ];
    #[rustfmt::skip]
    const VERSION_1: [u8; 32] = [
        b'S', b'I', b'S', b'E', b'A', b'C', b'K', b'N',  1, 0, 0, 0,  0x0C, 0x55, 0x1B, 0x11,
        3, 0, 0, 0, 0, 0, 0, 0,  0, 0x10, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn bytes_never_change() {
        assert_eq!(encode(POSITION, b"[7]"), PINNED);
        assert_eq!(decode(&PINNED), Ok(Saved { position: POSITION, beside: b"[7]".into() }));
        assert_eq!(decode(&VERSION_1), Ok(Saved { position: POSITION, beside: Vec::new() }));
    }

    #[test]
    fn positions_order_as_records_do() {
        let at = |segment, offset| Position { segment, offset };
        assert!(Position::START < at(1, 48) && at(1, 4000) < at(1, 4001) && at(1, 4001) < at(2, 48));
    }

    #[test]
    fn what_was_saved_last_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Acknowledged::load(folder.path()).unwrap(), Position::START);
        for offset in [48, 100, 70] {
            Acknowledged::save(folder.path(), Position { segment: 1, offset }).unwrap();
            assert_eq!(Acknowledged::load(folder.path()).unwrap(), Position { segment: 1, offset });
        }
        Acknowledged::save_with(folder.path(), POSITION, b"beside").unwrap();
        let (saved, warning) = Acknowledged::load_all_or_start(folder.path()).unwrap();
        assert_eq!(saved, Saved { position: POSITION, beside: b"beside".into() });
        assert!(warning.is_none());
    }

    #[test]
    fn a_damaged_file_is_told_and_starts_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("acknowledged");
        for bit in 0..PINNED.len() * 8 {
            let mut bytes = PINNED;
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, bytes).unwrap();
            assert!(matches!(
                Acknowledged::load(folder.path()),
                Err(JournalError::AcknowledgedDamaged { .. })
            ));
        }
        for end in 0..PINNED.len() {
            fs::write(&file, &PINNED[..end]).unwrap();
            let (position, warning) = Acknowledged::load_or_start(folder.path()).unwrap();
            assert_eq!(position, Position::START);
            assert!(matches!(warning, Some(JournalError::AcknowledgedDamaged { .. })));
        }
        Acknowledged::save(folder.path(), POSITION).unwrap();
        assert_eq!(Acknowledged::load(folder.path()).unwrap(), POSITION);
    }
}
