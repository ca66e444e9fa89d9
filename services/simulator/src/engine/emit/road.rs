//! A finished draft turns into frames and tape lines of its subscribers, in the way that the script wants.

use std::ops::Range;
use std::sync::atomic::Ordering;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Draft;
use crate::engine::Lines;
use crate::engine::outbox::{HEAD, Outbox, Row};
use crate::engine::plan::{Plan, suffix};
use crate::hub::Frame;
use crate::script::{FrameFault, mangle};
use crate::state::State;
use crate::tr::{Broker, Kind, Tr};

/// Where drafts go.
pub struct Road<'a> {
    /// The subscribers and their batches.
    pub plan: &'a mut Plan,
    /// What all share.
    pub state: &'a State,
    /// The lines of the slice.
    pub lines: &'a mut Lines,
    /// Where Kiwoom's rows wait.
    pub outbox: &'a mut Outbox,
    /// How what is pushed is spoilt.
    pub spoilt: Option<&'static str>,
}

impl Road<'_> {
    /// Sends a draft with a fault; `Reorder` is the caller's.
    pub fn spoilt(&mut self, draft: &Draft, fault: &FrameFault) {
        let Some(tr) = draft.tr else { return };
        let events = draft.ends.len();
        let text = match tr.broker() {
            Broker::Kis => mangle(&draft.frame, fault, price_field(tr)),
            Broker::Kiwoom => spoil(&draft.frame, fault, if tr.kind() == Kind::Book { 41 } else { 10 }),
        };
        match fault {
            FrameFault::Drop => self.reasoned(draft, 0..events, "drop"),
            FrameFault::Duplicate => {
                self.push(draft, &draft.frame, 0..events, false);
                // A trade that comes twice is one trade; a book that comes twice is two books.
                let again = if tr.kind() == Kind::Book { 0..events } else { 0..0 };
                self.push(draft, &draft.frame, again, false);
                self.reasoned(draft, 0..events, "duplicate");
            }
            FrameFault::Truncate => {
                self.push_spoilt(draft, &text, 0..0, "truncate");
                self.reasoned(draft, 0..events, "truncate");
            }
            FrameFault::WrongCount => {
                self.push_spoilt(draft, &text, 0..0, "wrong_count");
                self.reasoned(draft, 0..events, "wrong_count");
            }
            FrameFault::Garbage(..) => {
                self.push_spoilt(draft, &text, 1..events, "garbage");
                self.reasoned(draft, 0..1, "garbage");
            }
            FrameFault::Reorder => {}
        }
    }

    fn push_spoilt(&mut self, draft: &Draft, text: &str, counted: Range<usize>, how: &'static str) {
        self.spoilt = Some(how);
        // A record with a wrong value goes with its neighbours, a frame without an end alone.
        self.push(draft, text, counted, how != "garbage");
        self.spoilt = None;
    }

    /// Gives `text` to all subscribers with room; the tape has the records in `counted`. `alone`: it is a frame of its
    /// own, which Kiwoom's rows usually are not.
    pub fn push(&mut self, draft: &Draft, text: &str, counted: Range<usize>, alone: bool) {
        let Some(tr) = draft.tr else { return };
        match tr.broker() {
            Broker::Kis => self.push_frame(draft, text, counted),
            Broker::Kiwoom => self.push_row(draft, tr, text, &counted, alone),
        }
        let entry = &self.plan.entries[draft.entry];
        if entry.late.is_empty() {
            return;
        }
        for &slot in &entry.late {
            self.plan.slots[slot].figures.missed.fetch_add(count(draft.ends.len()), Ordering::Relaxed);
        }
        let end = suffix(entry.late.iter().map(|slot| self.plan.slots[*slot].id));
        with_reason(draft, 0..draft.ends.len(), "slow_reader", &end, self.lines);
    }

    fn push_frame(&mut self, draft: &Draft, text: &str, counted: Range<usize>) {
        let entry = &self.plan.entries[draft.entry];
        let (records, events) = (count(draft.ends.len()), count(counted.len()));
        let alone = entry.ready.len() == 1;
        let target = match entry.ready.first() {
            Some(&slot) if alone => &mut self.plan.slots[slot].batch.lines,
            _ => &mut self.lines.shared,
        };
        for line in draft_lines(draft, counted).filter(|line| !line.is_empty()) {
            target.push_str(line);
            target.push_str(&entry.suffix);
        }
        if !alone {
            self.state.count(draft.tr, events);
        }
        let (text, tr) = (Utf8Bytes::from(text), draft.tr);
        for &slot in &entry.ready {
            let batch = &mut self.plan.slots[slot].batch;
            let lines_end = batch.lines.len();
            let events = if alone { events } else { 0 };
            let (text, others, spoilt) = (text.clone(), Vec::new(), self.spoilt);
            batch.frames.push(Frame { text, tr, others, records, events, lines_end, spoilt });
        }
    }

    fn push_row(&mut self, draft: &Draft, tr: Tr, text: &str, counted: &Range<usize>, alone: bool) {
        let (now, spoilt) = (Instant::now(), self.spoilt);
        for &slot in &self.plan.entries[draft.entry].ready {
            let slot = &self.plan.slots[slot];
            let end = suffix(std::iter::once(slot.id));
            let mut lines = String::new();
            for line in draft_lines(draft, counted.clone()).filter(|line| !line.is_empty()) {
                lines.push_str(line);
                lines.push_str(&end);
            }
            let (records, events) = (count(draft.ends.len()), count(counted.len()));
            let text = text.to_owned();
            self.outbox.put(slot, Row { text, alone, tr, records, events, lines, spoilt }, now);
        }
    }

    /// Lines for the file of faults.
    fn reasoned(&mut self, draft: &Draft, range: Range<usize>, reason: &str) {
        with_reason(draft, range, reason, &self.plan.entries[draft.entry].suffix, self.lines);
    }
}

/// Where a record of KIS has its first price.
fn price_field(tr: Tr) -> usize {
    match (tr.is_us(), tr.kind()) {
        (true, _) => 11,
        (false, Kind::Book) => 3,
        (false, _) => 2,
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// The lines of the draft's records in `range`.
fn draft_lines(draft: &Draft, range: Range<usize>) -> impl Iterator<Item = &str> {
    range.map(|record| {
        let start = if record == 0 { 0 } else { draft.ends[record - 1] };
        &draft.lines[start..draft.ends[record]]
    })
}

fn with_reason(draft: &Draft, range: Range<usize>, reason: &str, end: &str, lines: &mut Lines) {
    for line in draft_lines(draft, range).filter(|line| !line.is_empty()) {
        for part in [line, ",\"reason\":\"", reason, "\"", end] {
            lines.faults.push_str(part);
        }
    }
}

/// Kiwoom's rows after the fault: half a frame, or a text in place of a FID's value in the first row.
fn spoil(rows: &str, fault: &FrameFault, fid: usize) -> String {
    match fault {
        FrameFault::Drop | FrameFault::Duplicate | FrameFault::Reorder => rows.to_owned(),
        FrameFault::Truncate => format!("{HEAD}{}", half(rows)),
        FrameFault::WrongCount => format!("{HEAD}{rows}"),
        FrameFault::Garbage(named, text) => {
            let key = format!("\"{}\":\"", named.unwrap_or(fid));
            let Some(start) = rows.find(&key).map(|at| at + key.len()) else { return rows.to_owned() };
            let Some(length) = rows[start..].find('"') else { return rows.to_owned() };
            format!("{}{text}{}", &rows[..start], &rows[start + length..])
        }
    }
}

/// About the first half; a character is not cut in two.
fn half(text: &str) -> &str {
    let middle = text.len() / 2;
    let end = (0..=middle).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kiwoom_rows_are_spoilt_in_one_place() {
        let rows = r#"{"values":{"10":"+100","15":"+1"},"type":"0B"},{"values":{"10":"+200"}}"#;
        let text = |fault: &FrameFault| spoil(rows, fault, 10);
        let garbage = FrameFault::Garbage(None, "12x4".to_owned());
        assert_eq!(
            text(&garbage),
            r#"{"values":{"10":"12x4","15":"+1"},"type":"0B"},{"values":{"10":"+200"}}"#
        );
        let other = FrameFault::Garbage(Some(15), String::new());
        assert!(text(&other).starts_with(r#"{"values":{"10":"+100","15":""},"#));
        assert!(serde_json::from_str::<serde_json::Value>(&text(&FrameFault::Truncate)).is_err());
        assert!(serde_json::from_str::<serde_json::Value>(&text(&FrameFault::WrongCount)).is_err());
        assert_eq!(half("가나"), "가");
    }
}
