//! Batches that went to a socket, or did not, turn into figures and lines of the tape.

use std::sync::atomic::Ordering;

use super::Link;
use crate::hub::{Batch, Frame};

impl<S> Link<S> {
    /// Counts the first `written` frames of a batch as sent, the others as unwritten.
    pub(super) async fn account(&self, mut batch: Batch, written: usize) {
        let (sent, left) = batch.frames.split_at(written);
        let rest = batch.lines.split_off(sent.last().map_or(0, |frame| frame.lines_end));
        for frame in sent {
            self.state.count(frame.tr, frame.events);
            frame.others.iter().for_each(|tr| self.state.count(Some(*tr), 1));
        }
        let (sent, left) = (records(sent), records(left));
        self.state.tape.lines(batch.lines).await;
        self.state.tape.faults(unwritten(&rest)).await;
        // Last: whoever sees the figures agree finds the lines on their way to the file.
        self.figures.written.fetch_add(sent, Ordering::AcqRel);
        self.figures.unwritten.fetch_add(left, Ordering::AcqRel);
    }
}

fn records(frames: &[Frame]) -> u64 {
    frames.iter().map(|frame| frame.records).sum()
}

/// Tape lines with the reason that nobody got them.
#[must_use]
pub fn unwritten(lines: &str) -> String {
    lines.replace(",\"connections\":", ",\"reason\":\"unwritten\",\"connections\":")
}
