//! `sise journal ls`: a journal to a table of its segments.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use journal::{Acknowledged, Position, RecordKind, SegmentInfo, segments};

use super::place::seoul;
use super::walk::{Seen, Walk};

/// What a segment holds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Content {
    received: Option<(i64, i64)>,
    records: u64,
    frames: u64,
    notes: u64,
    damaged: u64,
}

/// Prints the table. True when something is damaged.
///
/// # Errors
/// When the journal cannot be read, or the output cannot be written.
pub fn run(folder: &Path, output: &mut dyn Write) -> anyhow::Result<bool> {
    let segments = segments(folder).with_context(|| folder.display().to_string())?;
    let contents = contents(folder)?;
    let (acknowledged, problem) = Acknowledged::load_or_start(folder)?;
    writeln!(output, "{}: acknowledged up to {acknowledged}", folder.display())?;
    if let Some(problem) = problem {
        writeln!(output, "{problem}")?;
    }
    writeln!(
        output,
        "{:>8}  {:<23}  {:<23}  {:>9}  {:>9}  {:>6}  {:>12}  {:<10}  acknowledged",
        "segment",
        "first received (Seoul)",
        "last received (Seoul)",
        "records",
        "frames",
        "notes",
        "bytes",
        "form"
    )?;
    let nothing = Content::default();
    let (mut records, mut bytes, mut damaged) = (0, 0, 0);
    for segment in &segments {
        let content = contents.get(&segment.number).unwrap_or(&nothing);
        line(output, segment, content, acknowledged)?;
        records += content.records;
        bytes += segment.disk_bytes;
        damaged += content.damaged;
    }
    let named = if damaged == 0 { "" } else { ", damaged: see sise journal verify" };
    writeln!(output, "{} segments, {records} records, {bytes} bytes on disk{named}", segments.len())?;
    Ok(damaged > 0)
}

fn line(
    output: &mut dyn Write,
    segment: &SegmentInfo,
    content: &Content,
    acknowledged: Position,
) -> std::io::Result<()> {
    let (first, last) = content
        .received
        .map_or_else(|| ("-".to_owned(), "-".to_owned()), |(first, last)| (seoul(first), seoul(last)));
    let form = match (content.damaged > 0, segment.compressed) {
        (true, _) => "DAMAGED",
        (false, true) => "compressed",
        (false, false) => "plain",
    };
    let part = match acknowledged {
        position if position >= segment.end => "yes",
        position if position.segment == segment.number => "in part",
        _ => "no",
    };
    let Content { records, frames, notes, .. } = content;
    let (number, bytes) = (segment.number, segment.disk_bytes);
    writeln!(
        output,
        "{number:>8}  {first:<23}  {last:<23}  {records:>9}  {frames:>9}  {notes:>6}  {bytes:>12}  {form:<10}  {part}"
    )
}

/// Reads the whole journal.
fn contents(folder: &Path) -> anyhow::Result<BTreeMap<u64, Content>> {
    let mut contents: BTreeMap<u64, Content> = BTreeMap::new();
    let mut walk = Walk::open(folder, Position::START)?;
    while let Some(seen) = walk.next()? {
        match seen {
            Seen::Record(record, at) => {
                let content = contents.entry(at.segment).or_default();
                let (first, last) = content.received.unwrap_or((record.received_ns, record.received_ns));
                content.received = Some((first.min(record.received_ns), last.max(record.received_ns)));
                content.records += 1;
                content.frames += u64::from(record.kind == RecordKind::FRAME);
                content.notes += u64::from(record.kind == RecordKind::NOTE);
            }
            Seen::Damage(_, skipped) => contents.entry(skipped.from.segment).or_default().damaged += 1,
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::testing::{filled, flip, received};

    #[test]
    fn segments_are_told_with_what_they_hold() {
        let folder = filled(&[("note", 1), ("frame", 85), ("note", 1)]);
        Acknowledged::save(folder.path(), Position { segment: 2, offset: 148 }).expect("saved");
        let mut output = Vec::new();
        assert!(!run(folder.path(), &mut output).expect("listed"));
        let text = String::from_utf8(output).expect("text");
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0].last(), Some(&"2:148"));
        let first = seoul(received(1));
        let (date, time) = first.split_once(' ').expect("two words");
        let last = seoul(received(40));
        let last_time = last.split_once(' ').expect("two words").1;
        assert_eq!(lines[2], ["1", date, time, date, last_time, "40", "39", "1", "4048", "plain", "yes"]);
        assert_eq!(lines[3][5..], ["40", "40", "0", "4048", "plain", "in", "part"]);
        assert_eq!(lines[4][5..], ["7", "6", "1", "748", "plain", "no"]);
        assert_eq!(text.lines().last(), Some("3 segments, 87 records, 8844 bytes on disk"));
    }

    #[test]
    fn a_damaged_segment_is_marked() {
        let folder = filled(&[("frame", 50)]);
        flip(folder.path(), 1, 300);
        let mut output = Vec::new();
        assert!(run(folder.path(), &mut output).expect("listed"));
        let text = String::from_utf8(output).expect("text");
        assert!(text.lines().nth(2).expect("line").contains("DAMAGED"), "{text}");
        assert!(text.lines().nth(3).expect("line").contains("plain"), "{text}");
    }
}
