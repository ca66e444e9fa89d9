//! Kept: received frames on disk, before anything is parsed; everything published is read from here by a cursor.
//!
//! The library knows bytes: no broker, no bus, no runtime. All calls block; run them on a blocking thread.
//!
//! | file | what it turns into what |
//! |---|---|
//! | [`record`] | a [`Record`] into bytes and back: the format of one record, byte by byte |
//! | `segment` | numbers into files: their names, and reading one at an offset |
//! | `header` | the first bytes of a segment: which it is, where the one before it ended |
//! | `compressed` | the bytes of a closed segment into a compressed file and back, at any offset: its format |
//! | `compress` | closed segments into compressed files, on a thread of its own |
//! | `closed` | closed segments into room: what they take, which may be deleted |
//! | `scan` | the bytes of one segment into records, torn ends and damage |
//! | [`append`] | records into segment files: [`Writer`], rotation, limits, disk full |
//! | `recover` | a journal as a crash left it into one that can be appended to: the torn tail is cut |
//! | [`read`] | segment files into records again, from any [`Position`], at the tail too: [`Reader`] |
//! | [`inspect`] | a folder into a list of its segments, for people |
//! | [`position`] | how far the work has come, kept over a restart: [`Acknowledged`] |
//! | [`settings`] | where, how large, how safe from power loss |
//! | [`error`] | what can go wrong, with what to do about it |
//!
//! A journal is a folder: `lock` (held by the one writer), `00000000000000000001.journal` and so on, `acknowledged`.
//! Closed segments become `00000000000000000001.journal.zst`; positions stay those of the plain bytes.
//!
//! What holds, and where it is tested:
//! 1. A record that [`Writer::flush`] made visible is read again after the process is killed at any instruction
//!    (`recover/tests.rs`: every prefix of a file gives the whole records before the cut).
//! 2. No flipped bit is read as data; it is named by segment, offset and reason, and the records around it are read
//!    (`read/tests.rs`).
//! 3. Nothing that is not acknowledged is ever deleted; without space `append` says [`JournalError::Full`], keeps the
//!    file valid, and goes on when there is space again (`append/tests.rs`).
//! 4. While a segment is compressed, every instant leaves the plain file or the whole compressed one
//!    (`compress/tests.rs`: every cut).
//! 5. A position is never given to two different records as long as the acknowledged position is kept in the folder
//!    (`recover/tests.rs`: an acknowledged position past the end opens a new segment).

pub mod append;
mod closed;
mod compress;
mod compressed;
pub mod error;
mod header;
pub mod inspect;
pub mod position;
pub mod read;
pub mod record;
mod recover;
mod scan;
mod segment;
pub mod settings;

pub use append::Writer;
pub use error::{Damage, FullCause, JournalError};
pub use inspect::{SegmentInfo, segments};
pub use position::{Acknowledged, Position, Saved};
pub use read::{Reader, Skipped};
pub use record::{MAX_PAYLOAD_BYTES, Record, RecordKind};
pub use recover::{Recovered, Torn};
pub use settings::{JournalSettings, Sync};

#[cfg(test)]
mod testing;
