//! The one cursor over the journal: what it reads is interpreted and published, and how far is saved.
//!
//! Live is the cursor at the tail, fed from memory. When it falls behind (the bus is away or slow) it reads on from
//! disk, until it meets what comes from memory again. A server that has lost what it acknowledged sends the cursor back:
//! from there on everything is read and published again, under the same message ids.

use std::path::{Path, PathBuf};
use std::time::Duration;

use broker::feed::FrameParser;
use bus::publisher::{Outgoing, Publisher, Rewind};
use journal::{Acknowledged, JournalError, Position, Reader, Record};
use market::{Body, Event, Gap, GapReason, Market, Origin, Source, Stamp, Status};
use process::ready::Part;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tracing::{error, info, warn};

use crate::checkpoints;
use crate::interpret::Interpreter;
use crate::tail::{Kept, TailOut};

/// How often the acknowledged position is saved: after a kill so much is published again, with the same ids.
const SAVE_EVERY: Duration = Duration::from_millis(200);

/// Segments before the one of a position that are read, without publishing, before work begins at the position: what the
/// interpreter knows of gaps, connections and cumulative volumes is then what it knew there. With segments of 64 MB that
/// is at least 100,000 frames, read in a second or two.
const WARM_UP_SEGMENTS: u64 = 1;

/// The cursor of a cell.
pub struct Cursor<P> {
    /// Folder of the journal.
    pub folder: PathBuf,
    /// Everything before it is handed to the publisher.
    pub position: Position,
    /// Records from memory.
    pub tail: TailOut,
    /// End of what can be read from disk.
    pub end: watch::Receiver<Position>,
    /// Tells the keeper what may be deleted.
    pub acknowledged: watch::Sender<Position>,
    /// The feed's market and broker.
    pub feed: (Market, Source),
    /// Makes an interpreter that knows nothing yet.
    pub fresh: Box<dyn Fn() -> Interpreter<P> + Send>,
    /// Frames to messages.
    pub interpreter: Interpreter<P>,
    /// Messages to the bus.
    pub publisher: Publisher<Position>,
    /// How long the last messages may take when the keeper is gone.
    pub stop_limit: Duration,
    /// The disk was full when the position was last to be saved.
    pub unsaved: bool,
    /// Ready while what is published goes out.
    pub ready: Part,
}

impl<P: FrameParser + 'static> Cursor<P> {
    /// Follows the journal until the keeper is gone, then waits for the last acknowledgements.
    ///
    /// # Errors
    /// When the journal cannot be read, or messages are left after the limit.
    pub async fn run(mut self) -> anyhow::Result<()> {
        self.interpreter = self.warmed(self.position).await;
        let mut save = interval(SAVE_EVERY);
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut out = Vec::new();
        loop {
            tokio::select! {
                kept = self.tail.recv() => match kept {
                    Some(kept) => self.take(kept, &mut out).await?,
                    None => break,
                },
                // Records were left out of the tail: they are on disk.
                changed = self.end.changed(), if self.tail.is_empty() => {
                    if changed.is_ok() && self.tail.is_empty() {
                        self.catch_up(&mut out).await?;
                    }
                }
                () = self.publisher.progress() => {}
                _ = save.tick() => {
                    self.show();
                    self.save()?;
                }
            }
            if self.publisher.must_rewind() {
                self.catch_up(&mut out).await?;
            }
        }
        let deadline = Instant::now() + self.stop_limit;
        let drained = loop {
            // What is not handed over in time is published by the next process.
            if let Ok(caught_up) = timeout_at(deadline, self.catch_up(&mut out)).await {
                caught_up?;
            }
            let drained = self.publisher.drain(deadline).await;
            if !self.publisher.must_rewind() || Instant::now() >= deadline {
                break drained;
            }
        };
        self.save()?;
        info!(position = %self.position, "journal published");
        Ok(drained?)
    }

    async fn take(&mut self, kept: Kept, out: &mut Vec<Outgoing>) -> anyhow::Result<()> {
        if kept.before > self.position {
            self.catch_up(out).await?;
        }
        // What was read from disk meanwhile comes from memory as well.
        if kept.before == self.position {
            self.publish(&kept.record, kept.before, kept.after, out).await?;
        }
        Ok(())
    }

    /// Reads from the cursor to the present end, from further back when the server has forgotten.
    async fn catch_up(&mut self, out: &mut Vec<Outgoing>) -> anyhow::Result<()> {
        loop {
            if let Some(rewind) = self.publisher.take_rewind() {
                self.rewind(rewind, out).await?;
            }
            self.read_on(out).await?;
            if !self.publisher.must_rewind() {
                return Ok(());
            }
        }
    }

    /// Reads to the present end, or until the server turns out to have forgotten.
    async fn read_on(&mut self, out: &mut Vec<Outgoing>) -> anyhow::Result<()> {
        let end = *self.end.borrow_and_update();
        if self.position >= end {
            return Ok(());
        }
        // What is gone before any record was read is told with the first one after it.
        let mut untold: Option<String> = None;
        let mut reader = match Reader::open(&self.folder, self.position) {
            Err(gone @ JournalError::Deleted { first, .. }) => {
                error!(%gone, "journal segments are gone before they were published");
                untold = Some(gone.to_string());
                Reader::open(&self.folder, first)?
            }
            other => other?,
        };
        let mut last: Option<Record> = None;
        while self.position < end && !self.publisher.must_rewind() {
            let before = reader.position();
            match reader.next() {
                Ok(Some((record, after))) => {
                    if let Some(detail) = untold.take() {
                        self.interpreter.damaged(&record, &detail, out);
                    }
                    self.publish(&record, before, after, out).await?;
                    last = Some(record);
                }
                Ok(None) => break,
                Err(damage @ (JournalError::Damaged { .. } | JournalError::Deleted { .. })) => {
                    let skipped = reader.skip_damaged()?;
                    error!(%damage, from = %skipped.from, to = %skipped.to, "journal is damaged: the rest is used");
                    metrics::counter!("sise_cell_journal_damaged_total").increment(1);
                    match &last {
                        Some(near) => {
                            self.interpreter.damaged(near, &damage.to_string(), out);
                            self.hand_over(before, skipped.to, out).await;
                        }
                        None => untold = untold.or_else(|| Some(damage.to_string())),
                    }
                    self.position = skipped.to;
                }
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Ok(())
    }

    /// Goes back to where the server's memory ends. That is saved at once: a process that is killed now goes on there.
    async fn rewind(&mut self, rewind: Rewind<Position>, out: &mut Vec<Outgoing>) -> anyhow::Result<()> {
        let from = rewind.from.unwrap_or(Position::START).min(self.position);
        error!(%from, position = %self.position, "publishing again from the journal what the server has lost");
        self.position = from;
        self.interpreter = self.warmed(from).await;
        self.store(from)?;
        if let Some((oldest, missing_to)) = self.missing(from)? {
            let standing_ns = rewind.streams.iter().filter_map(|stream| stream.standing_ns).min();
            let streams: Vec<_> = rewind.streams.iter().map(|stream| &*stream.stream).collect();
            let detail = format!(
                "the server lost acknowledged messages of {}, and the journal no longer has {from} to {missing_to}",
                streams.join(", ")
            );
            error!(%from, to = %missing_to, ?streams, "acknowledged messages are lost: they are no longer in the journal");
            metrics::counter!("sise_cell_lost_acknowledged_total").increment(1);
            out.push(self.gap(&oldest, standing_ns.unwrap_or(oldest.received_ns), detail));
            self.hand_over(from, from, out).await;
        }
        Ok(())
    }

    /// The first record after `from` and the position after it, when records in between were deleted.
    fn missing(&self, from: Position) -> anyhow::Result<Option<(Record, Position)>> {
        let (mut reader, deleted) = match Reader::open(&self.folder, from) {
            Err(JournalError::Deleted { first, .. }) => (Reader::open(&self.folder, first)?, true),
            other => (other?, false),
        };
        // Damage is found and told when it is read to be published.
        let Ok(Some((oldest, after))) = reader.next() else { return Ok(None) };
        let missing = deleted || (from == Position::START && after.segment > 1);
        Ok(missing.then_some((oldest, Position { segment: after.segment, offset: 0 })))
    }

    /// Something is missing before `oldest`.
    fn gap(&self, oldest: &Record, from_ns: i64, detail: String) -> Outgoing {
        let (market, source) = self.feed;
        let stamp = Stamp {
            market,
            source,
            received_ns: oldest.received_ns,
            connection_id: oldest.connection_id,
            frame_sequence: oldest.sequence,
            // No status of the record itself has it.
            record_index: u32::MAX,
            origin: Origin::Live,
        };
        let gap = Gap {
            reason: GapReason::JournalDamaged,
            connection: None,
            instrument: None,
            from_ns: from_ns.min(oldest.received_ns),
            until_ns: Some(oldest.received_ns),
            detail,
            volume: None,
        };
        Outgoing::event(&Event { stamp, body: Body::Status(Status::GapClosed(gap)) })
    }

    /// An interpreter that knows what was known at `position`, as far as the segments before it say.
    async fn warmed(&mut self, position: Position) -> Interpreter<P> {
        let (interpreter, folder) = ((self.fresh)(), self.folder.clone());
        // Reads and parses for a second or two.
        let warmed = tokio::task::spawn_blocking(move || warm(interpreter, &folder, position)).await;
        warmed.unwrap_or_else(|_| (self.fresh)())
    }

    async fn publish(
        &mut self,
        record: &Record,
        before: Position,
        after: Position,
        out: &mut Vec<Outgoing>,
    ) -> anyhow::Result<()> {
        self.interpreter.read(record, out);
        self.hand_over(before, after, out).await;
        self.position = after;
        Ok(())
    }

    /// Hands the messages of one record over. Only the last carries the position after it: a record counts as
    /// published when all of it is.
    async fn hand_over(&mut self, before: Position, after: Position, out: &mut Vec<Outgoing>) {
        let last = out.len().saturating_sub(1);
        for (index, outgoing) in out.drain(..).enumerate() {
            let tag = if index == last { after } else { before };
            if let Err(refused) = self.publisher.publish(outgoing, tag).await {
                // No server would ever take it; the journal keeps the frame.
                error!(problem = %refused, "message cannot be published");
                metrics::counter!("sise_cell_unpublishable_total").increment(1);
            }
        }
    }

    fn show(&self) {
        self.ready.set(self.publisher.goes_on());
        let open = u32::try_from(self.interpreter.gaps_open()).unwrap_or(u32::MAX);
        metrics::gauge!("sise_cell_gaps_open").set(open);
    }

    fn save(&mut self) -> anyhow::Result<()> {
        // What was in flight before a rewind is not acknowledged.
        if self.publisher.must_rewind() {
            return Ok(());
        }
        let nothing_in_flight = self.publisher.in_flight() == 0;
        let position = if nothing_in_flight { Some(self.position) } else { self.publisher.acknowledged() };
        match position.filter(|position| *position > *self.acknowledged.borrow()) {
            Some(position) => self.store(position),
            None => Ok(()),
        }
    }

    /// Saves the position and by what the publisher will know that the server still has everything before it.
    fn store(&mut self, position: Position) -> anyhow::Result<()> {
        let beside = checkpoints::to_bytes(self.publisher.checkpoints());
        match Acknowledged::save_with(&self.folder, position, &beside) {
            Ok(()) => self.unsaved = false,
            // What is acknowledged makes room, so it is told all the same. More than needed is published again if the
            // process ends before that.
            Err(problem) if problem.is_full() => {
                if !std::mem::replace(&mut self.unsaved, true) {
                    warn!(%problem, %position, "acknowledged position cannot be saved: the disk is full");
                }
            }
            Err(problem) => return Err(problem.into()),
        }
        self.acknowledged.send_replace(position);
        Ok(())
    }
}

/// Reads what stands before `position`. What was counted and logged when it was read first is not counted and logged
/// again.
fn warm<P: FrameParser>(
    mut interpreter: Interpreter<P>,
    folder: &Path,
    position: Position,
) -> Interpreter<P> {
    let from = match position.segment.checked_sub(WARM_UP_SEGMENTS) {
        Some(segment @ 1..) => Position { segment, offset: 0 },
        _ => Position::START,
    };
    let reader = match Reader::open(folder, from) {
        Err(JournalError::Deleted { first, .. }) => Reader::open(folder, first),
        other => other,
    };
    let Ok(mut reader) = reader else { return interpreter };
    let mut read = || {
        let mut unpublished = Vec::new();
        while reader.position() < position {
            match reader.next() {
                Ok(Some((record, after))) if after <= position => {
                    interpreter.read(&record, &mut unpublished);
                    unpublished.clear();
                }
                Err(JournalError::Damaged { .. } | JournalError::Deleted { .. })
                    if reader.skip_damaged().is_ok() => {}
                _ => break,
            }
        }
    };
    let silent = tracing::subscriber::NoSubscriber::default();
    tracing::subscriber::with_default(silent, || {
        metrics::with_local_recorder(&metrics::NoopRecorder, &mut read);
    });
    interpreter
}

#[cfg(test)]
mod tests;
