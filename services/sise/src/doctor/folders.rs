//! The journals' folders: can they be written, is there room, how do the journals end.

use std::path::{Path, PathBuf};

use cell::settings::RawJournal;
use journal::{JournalError, Position, Reader, segments};
use process::config::Sources;
use serde::Deserialize;

use super::check::{self, Check};
use crate::look::{SERVICES, disk};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    journal: RawJournal,
}

/// Checks the folder of all journals and the end of each.
pub(super) fn checks(config: &[PathBuf], now_ns: i64) -> Vec<Check> {
    let raw: Raw = match Sources::new("sise", config).load() {
        Ok(raw) => raw,
        Err(error) => return vec![Check::fail("journal", error.to_string(), "mend section [journal]")],
    };
    let root = raw.journal.folder;
    let mut checks = vec![writable(&root, now_ns)];
    checks.extend(room(&root));
    checks.extend(SERVICES.iter().filter_map(|service| end(service.name, &root.join(service.name))));
    checks
}

fn writable(root: &Path, now_ns: i64) -> Check {
    let folder = disk::existing(root);
    let trial = folder.join(format!(".sise-doctor-{}-{now_ns}", std::process::id()));
    let written = std::fs::write(&trial, b"x").and_then(|()| std::fs::remove_file(&trial));
    match written {
        Ok(()) => Check::ok("journal folder", format!("{} can be written", root.display())),
        Err(error) => {
            let detail = format!("{}: {error}", folder.display());
            Check::fail(
                "journal folder",
                detail,
                "give the services the right to write there: journal.folder",
            )
        }
    }
}

fn room(root: &Path) -> Option<Check> {
    let room = disk::room(root)?;
    Some(check::disk("journal disk", room.free, room.total))
}

/// How a journal ends; none when there is none.
fn end(service: &str, folder: &Path) -> Option<Check> {
    let what = format!("journal of {service}");
    let found = match segments(folder) {
        Ok(found) => found,
        Err(_) if !folder.exists() => return None,
        Err(error) => return Some(Check::fail(what, error.to_string(), "look at the folder")),
    };
    let last = found.last()?;
    Some(match tail(folder, Position { segment: last.number, offset: 0 }) {
        Err(error) => Check::fail(what, error.to_string(), "`sise journal verify`"),
        Ok((_, damaged)) if damaged > 0 => {
            let detail = format!("segment {} has {damaged} damaged places", last.number);
            Check::warn(
                what,
                detail,
                "`sise journal verify`; what is behind them is read, what they hold is a gap",
            )
        }
        Ok((position, _)) if position.segment == last.number && position.offset < last.end.offset => {
            let left = last.end.offset - position.offset;
            let detail = format!("{left} bytes behind the last whole record of segment {}", last.number);
            Check::warn(
                what,
                detail,
                "a record that is being written, or a torn tail: the service cuts it at its start",
            )
        }
        Ok(_) => Check::ok(what, format!("{} segments, ends with a whole record", found.len())),
    })
}

/// Where the last segment's whole records end, and how many damaged places it has.
fn tail(folder: &Path, from: Position) -> Result<(Position, u64), JournalError> {
    let mut reader = Reader::open(folder, from)?;
    let mut damaged = 0;
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return Ok((reader.position(), damaged)),
            Err(JournalError::Damaged { .. } | JournalError::Deleted { .. }) => {
                damaged += 1;
                reader.skip_damaged()?;
            }
            Err(error) => return Err(error),
        }
    }
}
