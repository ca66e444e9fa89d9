//! `sise journal cat`: records to lines of JSON, or to the frames as they came.

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use journal::{Position, Record, RecordKind};
use serde_json::{Value, json};

use super::place::{Range, seoul};
use super::walk::{Seen, Walk};

/// Which records, and how.
#[derive(Debug, Default, clap::Args)]
pub struct Cat {
    #[command(flatten)]
    pub folder: super::Folder,
    #[command(flatten)]
    pub range: Range,
    /// Print the payloads of frames as they are, one a line: what `sise parse` reads.
    #[arg(long)]
    pub raw: bool,
    /// Only records of this connection: its `connection_id`.
    #[arg(long, value_name = "ID")]
    pub connection: Option<i64>,
}

/// Prints records; damage goes to standard error and what is behind it is printed. True when there was some.
///
/// # Errors
/// When the journal cannot be read, or the output cannot be written.
pub fn run(cat: &Cat, folder: &Path, output: &mut impl Write) -> anyhow::Result<bool> {
    let mut walk = Walk::open(folder, cat.range.begin(folder)?)?;
    let mut damaged = false;
    while !cat.range.is_over(walk.position()) {
        let Some(seen) = walk.next()? else { break };
        match seen {
            Seen::Damage(error, skipped) => {
                damaged = true;
                eprintln!("sise: {error}; left out: {} to {}", skipped.from, skipped.to);
            }
            Seen::Record(record, at) => {
                let wanted = cat.connection.is_none_or(|connection| connection == record.connection_id);
                if wanted && cat.range.holds(&record, at) {
                    print(output, &record, at, cat.raw).context("standard output")?;
                }
            }
        }
    }
    output.flush().context("standard output")?;
    Ok(damaged)
}

fn print(output: &mut impl Write, record: &Record, at: Position, raw: bool) -> std::io::Result<()> {
    if raw {
        if record.kind != RecordKind::FRAME {
            return Ok(());
        }
        output.write_all(&record.payload)?;
    } else {
        serde_json::to_writer(&mut *output, &line(record, at))?;
    }
    output.write_all(b"\n")
}

fn line(record: &Record, at: Position) -> Value {
    let text = String::from_utf8_lossy(&record.payload);
    let (kind, payload) = match record.kind {
        RecordKind::FRAME => ("frame", Value::from(text)),
        // A note is JSON; one that is not is shown as it is.
        RecordKind::NOTE => {
            ("note", serde_json::from_slice(&record.payload).unwrap_or_else(|_| Value::from(text)))
        }
        _ => ("unknown", Value::from(text)),
    };
    json!({
        "position": at.to_string(),
        "kind": kind,
        "connection_id": record.connection_id,
        "sequence": record.sequence,
        "received": seoul(record.received_ns),
        "received_ns": record.received_ns,
        "payload": payload,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::place::Place;
    use crate::journal::testing::{filled, flip, received};

    fn printed(cat: &Cat, folder: &Path) -> (Vec<Value>, bool) {
        let mut output = Vec::new();
        let damaged = run(cat, folder, &mut output).expect("printed");
        let text = String::from_utf8(output).expect("text");
        (text.lines().map(|line| serde_json::from_str(line).expect("json")).collect(), damaged)
    }

    fn sequences(lines: &[Value]) -> Vec<u64> {
        lines.iter().map(|line| line["sequence"].as_u64().expect("sequence")).collect()
    }

    #[test]
    fn a_record_is_a_line_that_says_where_it_stands() {
        let folder = filled(&[("note", 1), ("frame", 1)]);
        let (lines, damaged) = printed(&Cat::default(), folder.path());
        assert!(!damaged);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["payload"]["what"], "started");
        assert_eq!(
            lines[1],
            json!({
                "position": "1:148", "kind": "frame", "connection_id": 7, "sequence": 2,
                "received": "2026-11-24 09:00:30.002", "received_ns": received(2),
                "payload": format!("frame 2 {}", "x".repeat(48)),
            })
        );
    }

    #[test]
    fn a_range_is_by_time_or_by_position() {
        let folder = filled(&[("frame", 100)]);
        let range = |from, to| Cat { range: Range { from: Some(from), to: Some(to) }, ..Cat::default() };
        let times = range(Place::Time(received(39)), Place::Time(received(43)));
        assert_eq!(sequences(&printed(&times, folder.path()).0), [39, 40, 41, 42]);
        let at = |segment, offset| Place::Position(Position { segment, offset });
        let positions = range(at(1, 3_948), at(2, 148));
        assert_eq!(sequences(&printed(&positions, folder.path()).0), [40, 41]);
        let other = Cat { connection: Some(8), ..Cat::default() };
        assert!(printed(&other, folder.path()).0.is_empty());
    }

    #[test]
    fn raw_frames_are_what_the_broker_sent() {
        let folder = filled(&[("note", 1), ("frame", 2)]);
        let mut output = Vec::new();
        run(&Cat { raw: true, ..Cat::default() }, folder.path(), &mut output).expect("printed");
        let rest = "x".repeat(48);
        assert_eq!(String::from_utf8(output).expect("text"), format!("frame 2 {rest}\nframe 3 {rest}\n"));
    }

    #[test]
    fn damage_takes_nothing_else_along() {
        let folder = filled(&[("frame", 50)]);
        flip(folder.path(), 1, 348 + 60);
        let (lines, damaged) = printed(&Cat::default(), folder.path());
        assert!(damaged);
        assert_eq!(sequences(&lines), (1..=3).chain(5..=50).collect::<Vec<_>>());
    }
}
