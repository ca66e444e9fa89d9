//! What is taken and free on disk: journals, streams, database.

use std::path::Path;

use cell::settings::RawJournal;
use store::report::Disk as ServerDisk;

use super::picture::{Disk, Part};
use crate::look::{SERVICES, disk};

/// Everything that can be reached from here.
pub fn rows(
    journal: &RawJournal,
    storage: Result<bus::Storage, String>,
    disks: &Result<Vec<ServerDisk>, String>,
) -> Part<Disk> {
    let mut rows = journals(&journal.folder, journal.max_bytes);
    rows.push(match storage {
        Ok(storage) => Disk { used: Some(storage.used), limit: storage.limit, ..nothing("streams", None) },
        Err(why) => nothing("streams", Some(why)),
    });
    match disks {
        Err(why) => rows.push(nothing("clickhouse", Some(why.clone()))),
        Ok(disks) => rows.extend(disks.iter().map(|disk| Disk {
            free: Some(disk.free),
            total: Some(disk.total),
            ..nothing(&format!("clickhouse disk {}", disk.name), None)
        })),
    }
    Part::whole(rows)
}

fn nothing(name: &str, why: Option<String>) -> Disk {
    Disk { name: name.to_owned(), why, used: None, limit: None, free: None, total: None }
}

/// The journals below a folder, and its disk. On another machine than the services' the folder is not there.
fn journals(root: &Path, limit: u64) -> Vec<Disk> {
    if !root.is_dir() {
        let why = format!("{} is not here: the services run elsewhere, or never ran", root.display());
        return vec![nothing("journals", Some(why))];
    }
    let mut rows = vec![match disk::room(root) {
        Some(room) => {
            Disk { free: Some(room.free), total: Some(room.total), ..nothing("journals' disk", None) }
        }
        None => nothing("journals' disk", Some("the system does not tell its room".to_owned())),
    }];
    for service in SERVICES {
        let folder = root.join(service.name);
        if !folder.is_dir() {
            continue;
        }
        let name = format!("journal of {}", service.name);
        rows.push(match journal::segments(&folder) {
            Ok(segments) => {
                let used = segments.iter().map(|segment| segment.disk_bytes).sum();
                Disk { used: Some(used), limit: Some(limit), ..nothing(&name, None) }
            }
            Err(error) => nothing(&name, Some(error.to_string())),
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_here_is_said_to_be_so() {
        let folder = tempfile::tempdir().expect("folder");
        let elsewhere = journals(&folder.path().join("none"), 7);
        assert!(
            elsewhere.len() == 1 && elsewhere[0].why.as_ref().is_some_and(|why| why.contains("is not here"))
        );
        std::fs::create_dir(folder.path().join("us-service")).expect("made");
        let rows = journals(folder.path(), 7);
        assert!(rows[0].free.is_some_and(|free| free > 0), "{rows:?}");
        let told: Vec<_> = rows[1..].iter().map(|row| (row.name.as_str(), row.used, row.limit)).collect();
        assert_eq!(told, [("journal of us-service", Some(0), Some(7))]);
    }
}
