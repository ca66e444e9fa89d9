//! Batches that went to a socket, or did not, and sockets that opened or ended turn into figures and lines of the tape.

use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{End, Link};
use crate::hub::{Batch, Frame};
use crate::tr::Broker;

impl<S> Link<S> {
    /// Counts the first `written` frames of a batch as sent, the others as unwritten.
    pub(super) async fn account(&mut self, mut batch: Batch, written: usize) {
        let (sent, left) = batch.frames.split_at(written);
        let rest = batch.lines.split_off(sent.last().map_or(0, |frame| frame.lines_end));
        let ends = sent.iter().map(|frame| frame.lines_end);
        let (before, lines) = (self.frames, numbered(&batch.lines, ends, &mut self.frames));
        let spoilt = spoilt(self.id, self.broker, before, sent);
        for frame in sent {
            self.state.count(frame.tr, frame.events);
            frame.others.iter().for_each(|tr| self.state.count(Some(*tr), 1));
        }
        let (sent, left) = (records(sent), records(left));
        self.state.tape.lines(lines).await;
        self.state.tape.faults(unwritten(&rest)).await;
        self.state.tape.connections(spoilt).await;
        // Last: whoever sees the figures agree finds the lines on their way to the file.
        self.figures.written.fetch_add(sent, Ordering::AcqRel);
        self.figures.unwritten.fetch_add(left, Ordering::AcqRel);
    }
}

/// The line of a socket that was accepted at `opened_ns`.
#[must_use]
pub fn opened(id: u64, broker: Broker, opened_ns: u128) -> String {
    format!("{{\"connection\":{id},\"source\":\"{}\",\"opened_ns\":{opened_ns}}}\n", broker.word())
}

/// The line of a socket that has ended.
#[must_use]
pub fn closed(id: u64, broker: Broker, frames: u64, end: End) -> String {
    let (source, closed_ns, end) = (broker.word(), now_ns(), end.word());
    format!(
        "{{\"connection\":{id},\"source\":\"{source}\",\"closed_ns\":{closed_ns},\"frames\":{frames},\"end\":\"{end}\"}}\n"
    )
}

/// The lines of those frames that the script has spoilt; `frames` is the number of the last one before them.
fn spoilt(id: u64, broker: Broker, frames: u64, sent: &[Frame]) -> String {
    let source = broker.word();
    let numbered = (frames + 1..).zip(sent);
    let lines = numbered.filter_map(|(frame, it)| {
        let how = it.spoilt?;
        Some(format!(
            "{{\"connection\":{id},\"source\":\"{source}\",\"frame\":{frame},\"spoilt\":\"{how}\"}}\n"
        ))
    });
    lines.collect()
}

/// The clock of this machine, UTC.
#[must_use]
pub fn now_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos())
}

/// The lines of a batch with the number of their frame; `ends` says where the lines of each frame end, `frames` is the
/// number of the last frame before them.
fn numbered(lines: &str, ends: impl Iterator<Item = usize>, frames: &mut u64) -> String {
    let mut out = String::with_capacity(lines.len() + lines.len() / 16);
    let mut start = 0;
    for end in ends {
        *frames += 1;
        for line in lines[start..end].lines() {
            out.push_str(line.strip_suffix('}').unwrap_or(line));
            out.push_str(",\"frame\":");
            out.push_str(&frames.to_string());
            out.push_str("}\n");
        }
        start = end;
    }
    out
}

fn records(frames: &[Frame]) -> u64 {
    frames.iter().map(|frame| frame.records).sum()
}

/// Tape lines with the reason that nobody got them.
#[must_use]
pub fn unwritten(lines: &str) -> String {
    lines.replace(",\"connections\":", ",\"reason\":\"unwritten\",\"connections\":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_without_a_line_are_counted_and_lines_say_in_which_frame_they_went() {
        let lines = "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n";
        let mut frames = 4;
        let numbered = numbered(lines, [16, 16, 24].into_iter(), &mut frames);
        assert_eq!(numbered, "{\"a\":1,\"frame\":5}\n{\"a\":2,\"frame\":5}\n{\"a\":3,\"frame\":7}\n");
        assert_eq!(frames, 7);
    }
}
