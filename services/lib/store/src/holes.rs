//! View `never_archived` into a list: the sequences of streams that the ledger lacks.

use crate::connect::Store;
use crate::error::StoreError;

/// A stretch of a stream that was never archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// JetStream stream.
    pub stream: String,
    /// The epoch that the sequences belong to.
    pub epoch: u32,
    /// First sequence.
    pub first: u64,
    /// Last sequence.
    pub last: u64,
    /// Creation time of the stream that had them, ns since 1970 UTC: made again, it has others.
    pub created_ns: i64,
}

impl Store {
    /// What was never archived, by stream and sequence, at most `limit` stretches.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn never_archived(&self, limit: u32) -> Result<Vec<Hole>, StoreError> {
        let sql = "SELECT toString(stream), epoch, first, last, created_ns FROM never_archived \
                   ORDER BY stream, created_ns, first LIMIT ?";
        let query = self.client.query(sql).bind(limit).fetch_all::<(String, u32, u64, u64, i64)>();
        let rows = self.limited(query).await?.into_iter();
        let hole = |(stream, epoch, first, last, created_ns)| Hole { stream, epoch, first, last, created_ns };
        Ok(rows.map(hole).collect())
    }
}
