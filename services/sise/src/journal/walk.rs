//! A journal into its records in order, with each damage where it is met: what is behind it is read.

use std::path::Path;

use anyhow::Context as _;
use journal::{JournalError, Position, Reader, Record, Skipped, segments};

/// What comes next.
#[derive(Debug)]
pub enum Seen {
    /// A record that begins at the position.
    Record(Record, Position),
    /// What is wrong, and what was left out.
    Damage(JournalError, Skipped),
}

/// A walk along a journal.
#[derive(Debug)]
pub struct Walk {
    reader: Reader,
    /// Damage met at the beginning.
    first: Option<(JournalError, Skipped)>,
}

impl Walk {
    /// Begins at a position. When it was deleted, with what is left, and that is the first damage.
    ///
    /// # Errors
    /// When there is no journal, or it ends before the position.
    pub fn open(folder: &Path, from: Position) -> anyhow::Result<Self> {
        let (reader, first) = match Reader::open(folder, from) {
            Err(gone @ JournalError::Deleted { first, .. }) => {
                (Reader::open(folder, first), Some((gone, Skipped { from, to: first })))
            }
            other => (other, None),
        };
        Ok(Self { reader: reader.with_context(|| folder.display().to_string())?, first })
    }

    /// The next record or damage; none at the present end.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn next(&mut self) -> anyhow::Result<Option<Seen>> {
        if let Some((error, skipped)) = self.first.take() {
            return Ok(Some(Seen::Damage(error, skipped)));
        }
        match self.reader.next() {
            Ok(None) => Ok(None),
            Ok(Some((record, after))) => {
                let begins = Position { offset: after.offset - record.stored_bytes(), ..after };
                Ok(Some(Seen::Record(record, begins)))
            }
            Err(damage @ (JournalError::Damaged { .. } | JournalError::Deleted { .. })) => {
                let skipped = self.reader.skip_damaged()?;
                Ok(Some(Seen::Damage(damage, skipped)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The position after the last record.
    pub fn position(&self) -> Position {
        self.reader.position()
    }

    /// Bytes behind the last whole record of the last segment: a record that is being written, or a torn tail.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn left_over(&self, folder: &Path) -> anyhow::Result<u64> {
        let at = self.position();
        let last = segments(folder)?.pop().filter(|last| last.number == at.segment);
        Ok(last.map_or(0, |last| last.end.offset.saturating_sub(at.offset)))
    }
}
