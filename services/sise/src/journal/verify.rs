//! `sise journal verify`: every checksum of a journal, and each damage by its name.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use journal::{Acknowledged, Position, segments};

use super::walk::{Seen, Walk};

/// A running service completes a record within this time; what is torn stays torn.
const TAIL_LIMIT: Duration = Duration::from_secs(1);

/// Checks a journal and prints each damage. True when there is some.
///
/// # Errors
/// When the journal cannot be read, or the output cannot be written.
pub fn run(folder: &Path, output: &mut dyn Write) -> anyhow::Result<bool> {
    let name = folder.display();
    let segments = segments(folder).with_context(|| name.to_string())?;
    let mut walk = Walk::open(folder, Position::START)?;
    let (mut records, mut damaged) = (0_u64, 0_u64);
    let mut tell = |output: &mut dyn Write, what: String| {
        damaged += 1;
        writeln!(output, "{name}: {what}")
    };
    for segment in segments.iter().filter(|segment| segment.index_damaged) {
        let what = format!(
            "segment {}: index of the compressed file is damaged; its blocks are read without it",
            segment.number
        );
        tell(output, what)?;
    }
    let mut tries = 0;
    loop {
        while let Some(seen) = walk.next()? {
            match seen {
                Seen::Record(..) => records += 1,
                Seen::Damage(error, skipped) => {
                    tell(output, format!("{error}; left out: {} to {}", skipped.from, skipped.to))?;
                }
            }
        }
        let left = walk.left_over(folder)?;
        if left == 0 {
            break;
        }
        if tries == TRIES {
            let what = format!(
                "torn tail: {left} bytes behind the last whole record at {}; the next start cuts them off",
                walk.position()
            );
            tell(output, what)?;
            break;
        }
        tries += 1;
        pause()?;
    }
    if let Err(problem) = Acknowledged::load(folder) {
        tell(output, problem.to_string())?;
    }
    writeln!(output, "{name}: {} segments, {records} records, {damaged} damaged places", segments.len())?;
    Ok(damaged > 0)
}

/// Looks at an incomplete tail before it counts as torn.
const TRIES: u32 = 10;

/// Waits a little for a service that is writing.
fn pause() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async { tokio::time::sleep(TAIL_LIMIT / TRIES).await });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::journal::testing::{compressed, file, filled, flip};

    fn verified(folder: &Path) -> (Vec<String>, bool) {
        let mut output = Vec::new();
        let damaged = run(folder, &mut output).expect("verified");
        let text = String::from_utf8(output).expect("text");
        let prefix = format!("{}: ", folder.display());
        (text.lines().map(|line| line.strip_prefix(&prefix).expect("folder").to_owned()).collect(), damaged)
    }

    #[test]
    fn a_whole_journal_has_nothing_to_tell() {
        for folder in [filled(&[("frame", 100)]), compressed(&[("frame", 100)])] {
            let (lines, damaged) = verified(folder.path());
            assert_eq!(lines, ["3 segments, 100 records, 0 damaged places"]);
            assert!(!damaged);
        }
    }

    #[test]
    fn each_damage_is_named() {
        let folder = filled(&[("frame", 200)]);
        flip(folder.path(), 1, 348 + 60);
        flip(folder.path(), 2, 48 + 8);
        fs::remove_file(file(folder.path(), 3)).expect("removed");
        let torn = fs::read(file(folder.path(), 5)).expect("read");
        fs::write(file(folder.path(), 5), &torn[..torn.len() - 1]).expect("written");
        let (lines, damaged) = verified(folder.path());
        assert!(damaged);
        assert_eq!(
            lines,
            [
                "journal is damaged in segment 1 at offset 348: checksum of the payload does not match; left out: 1:348 to 1:448",
                "journal is damaged in segment 2 at offset 48: checksum of the record header does not match; left out: 2:48 to 2:148",
                "journal is damaged in segment 3 at offset 0: the segment is missing, the next is 4; left out: 2:4048 to 4:0",
                "torn tail: 99 bytes behind the last whole record at 5:3948; the next start cuts them off",
                "4 segments, 157 records, 4 damaged places",
            ]
        );
    }

    #[test]
    fn damage_in_a_compressed_segment_is_named() {
        let folder = compressed(&[("frame", 100)]);
        let path = file(folder.path(), 1).with_extension("journal.zst");
        let whole = fs::read(&path).expect("read");
        // The first byte of the only block.
        let mut bytes = whole.clone();
        bytes[0] ^= 1;
        fs::write(&path, &bytes).expect("written");
        let (lines, damaged) = verified(folder.path());
        assert!(damaged);
        assert_eq!(
            lines[..2],
            [
                "journal is damaged in segment 1 at offset 0: segment header: does not begin with SISEJRNL; left out: 1:0 to 1:48",
                "journal is damaged in segment 1 at offset 48: compressed block cannot be decompressed; left out: 1:48 to 2:0",
            ]
        );
        // The last byte belongs to the index: nothing is lost by it.
        let mut bytes = whole;
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&path, &bytes).expect("written");
        let (lines, damaged) = verified(folder.path());
        assert!(damaged);
        assert_eq!(
            lines,
            [
                "segment 1: index of the compressed file is damaged; its blocks are read without it",
                "3 segments, 100 records, 1 damaged places",
            ]
        );
    }
}
