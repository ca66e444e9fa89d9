//! Frames into the journal, before anything else happens to them. Runs on a thread of its own: it writes files.

use std::time::Duration;

use broker::connection::Received;
use bytes::Bytes;
use journal::{JournalError, Position, Record, RecordKind, Writer};
use process::clock::now_ns;
use process::ready::Part;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use crate::note::{Noted, What};
use crate::tail::{Kept, TailIn};

/// Frames written before one flush: enough to make the flush cheap, few enough that the cursor is not kept waiting.
const BATCH: usize = 256;
/// Pause before a full journal is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(200);

/// Where the keeper gets and puts things.
pub struct Keeper {
    /// The journal.
    pub writer: Writer,
    /// What the connections hand on.
    pub received: mpsc::Receiver<Received>,
    /// Records for the cursor. When it is full they are left out: the cursor reads them from disk.
    pub tail: TailIn,
    /// End of what can be read.
    pub end: watch::Sender<Position>,
    /// What is acknowledged and may be deleted.
    pub acknowledged: watch::Receiver<Position>,
    /// The runtime, for pauses.
    pub runtime: Handle,
    /// Notes written by this process so far.
    pub notes: u64,
    /// Appended and not yet handed on, [`BATCH`] and the first at most.
    pub kept: Vec<Kept>,
    /// Ready while there is room.
    pub ready: Part,
}

impl Keeper {
    /// Keeps `first`, then what comes until all connections are gone. A journal that is full at the start is waited for
    /// as at any other time: the cursor makes room.
    ///
    /// # Errors
    /// [`JournalError`] that no waiting can heal.
    pub fn run(mut self, first: Record) -> Result<(), JournalError> {
        self.append(first)?;
        self.flush()?;
        self.show_full(false);
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(first) = self.received.blocking_recv() {
            batch.push(first);
            while batch.len() < BATCH {
                match self.received.try_recv() {
                    Ok(next) => batch.push(next),
                    Err(_) => break,
                }
            }
            for received in batch.drain(..) {
                let record = self.record(received);
                self.append(record)?;
            }
            self.flush()?;
            self.writer.release(*self.acknowledged.borrow_and_update());
        }
        self.flush()
    }

    fn record(&mut self, received: Received) -> Record {
        match received {
            Received::Frame(frame) => Record {
                kind: RecordKind::FRAME,
                connection_id: frame.connection_id,
                sequence: frame.frame_sequence,
                received_ns: frame.received_ns,
                payload: frame.text,
            },
            Received::Note { connection, connection_id, at_ns, note } => {
                self.note(connection_id, at_ns, &Noted { connection, what: note.into() })
            }
        }
    }

    /// The journal record of a note.
    pub fn note(&mut self, connection_id: i64, at_ns: i64, noted: &Noted) -> Record {
        self.notes += 1;
        Record {
            kind: RecordKind::NOTE,
            connection_id,
            sequence: self.notes,
            received_ns: at_ns,
            payload: Bytes::from(noted.to_bytes()),
        }
    }

    /// Appends a record; waits while the journal is full, and then says how long it was.
    ///
    /// # Errors
    /// [`JournalError`] that no waiting can heal.
    fn append(&mut self, record: Record) -> Result<(), JournalError> {
        let ((before, after), was_full) = self.when_there_is_room(|writer| {
            let before = writer.end();
            writer.append(&record).map(|after| (before, after))
        })?;
        if was_full {
            self.tell_full(record.connection_id, record.received_ns)?;
        }
        self.kept.push(Kept { record, before, after });
        Ok(())
    }

    /// Makes everything readable and hands it on.
    ///
    /// # Errors
    /// [`JournalError`] that no waiting can heal.
    fn flush(&mut self) -> Result<(), JournalError> {
        let (end, _) = self.when_there_is_room(Writer::flush)?;
        if let Some(problem) = self.writer.compression_trouble() {
            warn!(%problem, "closed journal segment stays as it is");
            metrics::counter!("sise_cell_journal_compression_trouble_total").increment(1);
        }
        self.hand_on(end);
        Ok(())
    }

    /// Everything before `end` can be read.
    fn hand_on(&mut self, end: Position) {
        for item in self.kept.drain(..) {
            // Full: the cursor is behind the tail and reads from disk.
            let _behind = !self.tail.offer(item);
        }
        // After the tail: a cursor that is woken by the end finds nothing left but what was left out.
        self.end.send_replace(end);
    }

    /// Does `work` until a full journal or disk has room for it, and says whether it had to wait. Nothing is read
    /// meanwhile, so nothing is dropped here. Other trouble is passed on.
    fn when_there_is_room<T>(
        &mut self,
        mut work: impl FnMut(&mut Writer) -> Result<T, JournalError>,
    ) -> Result<(T, bool), JournalError> {
        let mut was_full = false;
        loop {
            let trouble = match work(&mut self.writer) {
                Ok(done) => {
                    if was_full {
                        self.show_full(false);
                    }
                    return Ok((done, was_full));
                }
                Err(trouble) if trouble.is_full() => trouble,
                Err(trouble) => return Err(trouble),
            };
            if !was_full {
                error!(problem = %trouble, "journal is full: the sockets are not read until there is room");
                metrics::counter!("sise_cell_journal_full_total").increment(1);
                self.show_full(true);
                was_full = true;
            }
            // What was appended before must go out: only what is acknowledged makes room.
            if let Ok(end) = self.writer.flush() {
                self.hand_on(end);
            }
            self.runtime.block_on(tokio::time::sleep(FULL_PAUSE));
            self.writer.release(*self.acknowledged.borrow_and_update());
        }
    }

    fn show_full(&self, full: bool) {
        metrics::gauge!("sise_cell_journal_full").set(u32::from(full));
        self.ready.set(if full { Err("full") } else { Ok(()) });
    }

    /// The stretch from the frame that had to wait until now, as a note of its own.
    fn tell_full(&mut self, connection_id: i64, from_ns: i64) -> Result<(), JournalError> {
        let until_ns = now_ns();
        info!(from_ns, until_ns, "journal has room again");
        let note =
            self.note(connection_id, until_ns, &Noted::of_all(What::JournalFull { from_ns, until_ns }));
        self.when_there_is_room(|writer| writer.append(&note)).map(|_| ())
    }
}

#[cfg(test)]
mod tests;
