//! Room on a disk, and whether it is enough.

use std::path::{Path, PathBuf};

/// What to do where room runs out.
pub const ADVICE: &str = "make room, or lower journal.max_bytes and the streams' limits";

/// The room on a disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What is free for a user.
    pub free: u64,
    /// What there is.
    pub total: u64,
}

/// Whether room is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enough {
    /// It is.
    Plenty,
    /// Less than a tenth: somebody should look.
    Little,
    /// Less than a fiftieth, or less than 1 GiB.
    TooLittle,
}

/// Judges the room of a disk by what is free.
pub fn enough(free: u64, total: u64) -> Enough {
    match u128::from(free) * 100 / u128::from(total.max(1)) {
        _ if free < 1 << 30 => Enough::TooLittle,
        0..2 => Enough::TooLittle,
        2..10 => Enough::Little,
        _ => Enough::Plenty,
    }
}

/// The folder, or the nearest one above it that is there: a service makes what is missing.
pub fn existing(folder: &Path) -> PathBuf {
    let here = folder.ancestors().find(|folder| !folder.as_os_str().is_empty() && folder.is_dir());
    here.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The room on the disk of a folder; none when the system does not tell.
pub fn room(folder: &Path) -> Option<Room> {
    let state = rustix::fs::statvfs(existing(folder)).ok()?;
    Some(Room { free: state.f_bavail * state.f_frsize, total: state.f_blocks * state.f_frsize })
}
