//! Makes the engine's deduplication logs true again after a process was killed, before the engine reads them.
//!
//! The engine (26.5) writes the block ids of an insert to `deduplication_logs/deduplication_log_N.txt` and *then* gives
//! the new part its name (traced: about 70 µs apart). Killed in between, it knows a token whose rows it does not have,
//! and a retry of that insert would be confirmed and dropped. Both steps happen under the table's lock, so only the
//! last part of a log can be missing. Its records are taken back here with a record of the engine's own form:
//! `2\t<part>\t<block id>\n` (dropped) after `1\t<part>\t<block id>\n` (added).

use std::fs::{DirEntry, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Checks every table under `path`; returns how many records were taken back.
///
/// # Errors
/// When a folder or log cannot be read or written.
pub fn deduplication_logs(path: &Path) -> std::io::Result<usize> {
    let mut taken_back = 0;
    // Tables of Atomic databases, and those of others.
    for root in [path.join("store"), path.join("data")] {
        for folder in
            folders(&root)?.iter().map(|folder| folders(folder)).collect::<Result<Vec<_>, _>>()?.concat()
        {
            taken_back += table(&folder)?;
        }
    }
    Ok(taken_back)
}

fn entries(folder: &Path) -> std::io::Result<Vec<DirEntry>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn folders(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    Ok(entries(folder)?.into_iter().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

/// Number of `deduplication_log_N.txt`.
fn number(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.strip_prefix("deduplication_log_")?.parse().ok()
}

fn table(folder: &Path) -> std::io::Result<usize> {
    let mut logs: Vec<PathBuf> =
        entries(&folder.join("deduplication_logs"))?.iter().map(DirEntry::path).collect();
    logs.retain(|path| number(path).is_some());
    logs.sort_by_key(|path| number(path));
    for log in logs.iter().rev() {
        let text = std::fs::read_to_string(log)?;
        let records = orphans(&text, folder)?;
        if !text.is_empty() {
            if !records.is_empty() {
                let mut file = File::options().append(true).open(log)?;
                file.write_all(records.concat().as_bytes())?;
                tracing::warn!(table = %folder.display(), records = records.len(), "unfinished insert taken back");
            }
            return Ok(records.len());
        }
    }
    Ok(0)
}

/// The records that take the last part of the log back, if it is not there.
fn orphans(text: &str, folder: &Path) -> std::io::Result<Vec<String>> {
    let lines = || text.lines().rev().map(|line| line.split('\t').collect::<Vec<_>>());
    let Some(part) = lines().find_map(|line| match line.as_slice() {
        ["1", part, _] => Some((*part).to_owned()),
        _ => None,
    }) else {
        return Ok(Vec::new());
    };
    if folders(folder)?.iter().filter_map(|path| path.file_name()?.to_str()).any(|name| covers(name, &part)) {
        return Ok(Vec::new());
    }
    let added = lines().take_while(|line| line.get(1) == Some(&part.as_str()));
    let mut dropped = Vec::new();
    let mut records = Vec::new();
    for line in added {
        match line.as_slice() {
            ["2", _, block] => dropped.push((*block).to_owned()),
            ["1", _, block] if !dropped.iter().any(|name| name == block) => {
                records.push(format!("2\t{part}\t{block}\n"));
            }
            _ => {}
        }
    }
    Ok(records)
}

/// `<partition>_<first block>_<last block>_<level>[_<mutation>]` into partition, first and last block.
fn blocks(name: &str) -> Option<(&str, u64, u64)> {
    let (rest, last_number) = name.rsplit_once('_')?;
    last_number.parse::<u64>().ok()?;
    // Partition ids hold no `_`, so the first three fields are the same with and without a mutation.
    let mut fields = rest.splitn(4, '_');
    let (partition, first, last) = (fields.next()?, fields.next()?, fields.next()?);
    Some((partition, first.parse().ok()?, last.parse().ok()?))
}

/// Whether the part `name` is `part` or was merged from it and others.
fn covers(name: &str, part: &str) -> bool {
    match (blocks(name), blocks(part)) {
        (Some((partition, first, last)), Some((of, from, to))) => {
            partition == of && first <= from && last >= to
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with the given parts and log; returns what the log became.
    fn repaired(parts: &[&str], log: &str) -> (usize, String) {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("store/5ad/5ad9410e");
        for name in parts.iter().chain(&["deduplication_logs", "detached"]) {
            std::fs::create_dir_all(table.join(name)).unwrap();
        }
        let file = table.join("deduplication_logs/deduplication_log_9.txt");
        std::fs::write(&file, log).unwrap();
        // A newer log without a record: the engine has just begun it.
        std::fs::write(table.join("deduplication_logs/deduplication_log_10.txt"), "").unwrap();
        let count = deduplication_logs(folder.path()).unwrap();
        (count, std::fs::read_to_string(file).unwrap())
    }

    const LOG: &str = "1\tall_1_1_0\ta\n1\tall_2_2_0\tb\n1\tall_2_2_0\tc\n";

    #[test]
    fn a_part_that_is_there_or_merged_keeps_its_records() {
        assert_eq!(repaired(&["all_1_1_0", "all_2_2_0"], LOG), (0, LOG.to_owned()));
        assert_eq!(repaired(&["all_1_2_1"], LOG), (0, LOG.to_owned()));
        assert_eq!(repaired(&["all_1_2_1_7"], LOG), (0, LOG.to_owned()));
    }

    #[test]
    fn a_part_that_is_missing_loses_them() {
        let expected = format!("{LOG}2\tall_2_2_0\tc\n2\tall_2_2_0\tb\n");
        assert_eq!(repaired(&["all_1_1_0", "tmp_insert_all_2_2_0"], LOG), (2, expected.clone()));
        assert_eq!(repaired(&["202501_1_3_1"], LOG), (2, expected.clone()));
        assert_eq!(
            repaired(&["all_1_1_0"], &expected),
            (0, expected.clone()),
            "nothing is left to take back"
        );
    }

    #[test]
    fn tables_without_logs_are_left_alone() {
        assert_eq!(deduplication_logs(Path::new("/nonexistent")).unwrap(), 0);
        assert_eq!(repaired(&["all_1_1_0"], ""), (0, String::new()));
    }
}
