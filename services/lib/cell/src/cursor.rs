//! The one cursor over the journal: what it reads is interpreted and published, and how far is saved.
//!
//! Live is the cursor at the tail, fed from memory. When it falls behind (the bus is away or slow) it reads on from
//! disk, until it meets what comes from memory again.

use std::path::PathBuf;
use std::time::Duration;

use broker::feed::FrameParser;
use bus::publisher::{Outgoing, Publisher};
use journal::{Acknowledged, JournalError, Position, Reader, Record};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{error, info};

use crate::interpret::Interpreter;
use crate::keep::Kept;

/// How often the acknowledged position is saved: after a kill so much is published again, with the same ids.
const SAVE_EVERY: Duration = Duration::from_millis(200);

/// The cursor of a cell.
pub struct Cursor<P> {
    /// Folder of the journal.
    pub folder: PathBuf,
    /// Everything before it is handed to the publisher.
    pub position: Position,
    /// Records from memory.
    pub tail: mpsc::Receiver<Kept>,
    /// End of what can be read from disk.
    pub end: watch::Receiver<Position>,
    /// Tells the keeper what may be deleted.
    pub acknowledged: watch::Sender<Position>,
    /// Frames to messages.
    pub interpreter: Interpreter<P>,
    /// Messages to the bus.
    pub publisher: Publisher<Position>,
    /// How long the last messages may take when the keeper is gone.
    pub stop_limit: Duration,
}

impl<P: FrameParser> Cursor<P> {
    /// Follows the journal until the keeper is gone, then waits for the last acknowledgements.
    ///
    /// # Errors
    /// When the journal cannot be read, or messages are left after the limit.
    pub async fn run(mut self) -> anyhow::Result<()> {
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
                _ = save.tick() => self.save()?,
            }
        }
        self.catch_up(&mut out).await?;
        let drained = self.publisher.drain(Instant::now() + self.stop_limit).await;
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

    /// Reads from the cursor to the present end.
    async fn catch_up(&mut self, out: &mut Vec<Outgoing>) -> anyhow::Result<()> {
        let end = *self.end.borrow_and_update();
        if self.position >= end {
            return Ok(());
        }
        let mut reader = match Reader::open(&self.folder, self.position) {
            Err(JournalError::Deleted { first, position }) => {
                error!(%position, %first, "journal segments are gone before they were published");
                Reader::open(&self.folder, first)?
            }
            other => other?,
        };
        let mut last: Option<Record> = None;
        while self.position < end {
            let before = reader.position();
            match reader.next() {
                Ok(Some((record, after))) => {
                    self.publish(&record, before, after, out).await?;
                    last = Some(record);
                }
                Ok(None) => break,
                Err(damage @ JournalError::Damaged { .. }) => {
                    let skipped = reader.skip_damaged()?;
                    error!(%damage, from = %skipped.from, to = %skipped.to, "journal is damaged: the rest is used");
                    metrics::counter!("cell_journal_damaged_total").increment(1);
                    if let Some(near) = &last {
                        self.interpreter.damaged(near, &damage.to_string(), out);
                        self.hand_over(before, skipped.to, out).await;
                    }
                    self.position = skipped.to;
                }
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Ok(())
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
                metrics::counter!("cell_unpublishable_total").increment(1);
            }
        }
    }

    fn save(&mut self) -> anyhow::Result<()> {
        let nothing_in_flight = self.publisher.in_flight() == 0;
        let position = if nothing_in_flight { Some(self.position) } else { self.publisher.acknowledged() };
        if let Some(position) = position.filter(|position| *position > *self.acknowledged.borrow()) {
            Acknowledged::save(&self.folder, position)?;
            self.acknowledged.send_replace(position);
        }
        Ok(())
    }
}
