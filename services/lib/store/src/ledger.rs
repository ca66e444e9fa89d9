//! The ledger `archived`: which stretches of which stream are dealt with, written before they are acknowledged.

use std::sync::Arc;

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::connect::Store;
use crate::error::StoreError;

/// A stretch of a stream that is dealt with: each sequence stands in a table or was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// JetStream stream.
    pub stream: Arc<str>,
    /// Epoch of the stream, from 1.
    pub epoch: u32,
    /// First sequence of the stretch.
    pub first: u64,
    /// Last sequence of the stretch; nothing is missing in between.
    pub last: u64,
    /// Sequences that stand in a table.
    pub rows: u64,
    /// Sequences that went to the dead letters.
    pub set_aside: u64,
    /// Creation time of the stream, ns since 1970 UTC.
    pub created_ns: i64,
}

/// The end of a stream's ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct LedgerTail {
    /// The latest epoch.
    pub epoch: u32,
    /// The highest sequence of that epoch.
    pub last: u64,
    /// Creation time of the stream, ns since 1970 UTC.
    pub created_ns: i64,
}

/// What the ledger has of one epoch of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerEpoch {
    /// The epoch.
    pub epoch: u32,
    /// The first sequence that belongs to it.
    pub first: u64,
    /// The highest sequence dealt with in it.
    pub last: u64,
}

/// How far a table goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct Highest {
    /// The highest epoch.
    pub epoch: u32,
    /// The highest sequence, of whichever epoch.
    pub stream_sequence: u64,
}

/// What stands in a table at a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct Stored {
    /// Epoch of the stream.
    pub epoch: u32,
    /// Sequence in the stream.
    pub stream_sequence: u64,
    /// Name of the event.
    pub event_id: u64,
}

#[derive(Debug, Clone, Row, Serialize)]
pub(crate) struct ArchivedRow {
    stream: String,
    epoch: u32,
    first: u64,
    last: u64,
    rows: u64,
    set_aside: u64,
    created_ns: i64,
}

impl From<&Archived> for ArchivedRow {
    fn from(archived: &Archived) -> Self {
        Self {
            stream: archived.stream.to_string(),
            epoch: archived.epoch,
            first: archived.first,
            last: archived.last,
            rows: archived.rows,
            set_aside: archived.set_aside,
            created_ns: archived.created_ns,
        }
    }
}

impl Store {
    /// The end of the ledger of `stream`; none when nothing of it was ever archived.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn ledger_tail(&self, stream: &str) -> Result<Option<LedgerTail>, StoreError> {
        // In the order of the key: reads the end of the stream's rows and no more.
        let sql = "SELECT epoch, last, created_ns FROM archived WHERE stream = ? \
                   ORDER BY epoch DESC, last DESC LIMIT 1";
        self.limited(self.client.query(sql).bind(stream).fetch_optional()).await
    }

    /// The epochs of `stream` since it was created at `created_ns`, in rising order; none when the ledger has no such row.
    ///
    /// Sequences of older epochs belong to a stream that is gone: nothing of it can be delivered again.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn ledger_epochs(&self, stream: &str, created_ns: i64) -> Result<Vec<LedgerEpoch>, StoreError> {
        let sql = "SELECT epoch, min(archived.first) AS begin, max(archived.last) AS reach FROM archived \
                   WHERE stream = ? AND created_ns = ? GROUP BY epoch ORDER BY epoch";
        let query = self.client.query(sql).bind(stream).bind(created_ns).fetch_all::<(u32, u64, u64)>();
        let epochs = self.limited(query).await?;
        Ok(epochs.into_iter().map(|(epoch, first, last)| LedgerEpoch { epoch, first, last }).collect())
    }
}
