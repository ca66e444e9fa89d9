//! Rows into a table, so that the same rows can be sent again without standing there twice.

use std::future::Future;
use std::hash::Hasher as _;

use clickhouse::{RowOwned, RowWrite};
use twox_hash::XxHash3_64;

use crate::connect::Store;
use crate::error::StoreError;
use crate::ledger::{Archived, ArchivedRow};
use crate::row::TableRow;

/// Something that stores rows: ClickHouse, or a test's idea of it.
pub trait Insert<R>: Sync {
    /// Stores `rows` in one insert and waits for the confirmation.
    ///
    /// The same rows in the same order with the same `salt` are stored once, however often they are sent. `salt` is 0
    /// but for rows that are known to be missing although their insert was confirmed: ClickHouse notes a token before
    /// it commits the rows, and a crash in between leaves a token without rows that would swallow them for ever.
    ///
    /// # Errors
    /// [`StoreError`]; whether the rows are stored is then not known, unless the error is about a row. The caller
    /// keeps the rows and sends the same rows in the same order again.
    fn insert(&self, rows: &[R], salt: u32) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl<R: TableRow + RowOwned + RowWrite + Sync> Insert<R> for Store {
    fn insert(&self, rows: &[R], salt: u32) -> impl Future<Output = Result<(), StoreError>> + Send {
        let token = token_of(rows, salt);
        self.insert_into(R::TABLE.as_str(), rows, Some(token))
    }
}

impl Store {
    /// Writes stretches into the ledger. Without a token: the ledger may say a thing twice, since it is only asked
    /// for what it covers.
    ///
    /// # Errors
    /// [`StoreError`]: write them again.
    pub async fn write_ledger(&self, stretches: &[Archived]) -> Result<(), StoreError> {
        let rows: Vec<ArchivedRow> = stretches.iter().map(ArchivedRow::from).collect();
        self.insert_into("archived", &rows, None).await
    }

    async fn insert_into<R>(&self, table: &str, rows: &[R], token: Option<String>) -> Result<(), StoreError>
    where
        R: RowOwned + RowWrite + Sync,
    {
        if rows.is_empty() {
            return Ok(());
        }
        let limit = self.insert_timeout;
        let send = async {
            let insert = self.client.insert::<R>(table).await?.with_timeouts(Some(limit), Some(limit));
            // Asynchronous inserts, on by default since 26.3, are confirmed before they are stored.
            let insert = insert.with_setting("async_insert", "0");
            let mut insert = match token {
                Some(token) => insert
                    .with_setting("insert_deduplicate", "1")
                    .with_setting("insert_deduplication_token", token)
                    .with_setting("deduplicate_blocks_in_dependent_materialized_views", "1"),
                None => insert.with_setting("insert_deduplicate", "0"),
            };
            for row in rows {
                insert.write(row).await?;
            }
            insert.end().await
        };
        let error = match tokio::time::timeout(limit, send).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => StoreError::from(error),
            Err(_) => StoreError::TimedOut { limit },
        };
        // The client remembers the columns of a table; after an error they may be others.
        self.client.clear_cached_metadata().await;
        Err(error)
    }
}

/// The token of rows of one stream.
fn token_of<R: TableRow>(rows: &[R], salt: u32) -> String {
    token(rows.first().map_or("", TableRow::stream), rows.iter().map(TableRow::event_id), salt)
}

/// The insert token: the stream and a hash of the rows' event ids in their order, so that a token can never meet other
/// rows (ClickHouse drops an insert with a known token in silence). Without the stream it could: two brokers give the same
/// trades the same ids, and one day two batches of theirs hold the same ones.
fn token(stream: &str, event_ids: impl Iterator<Item = u64>, salt: u32) -> String {
    let mut hash = XxHash3_64::new();
    for event_id in event_ids {
        hash.write(&event_id.to_le_bytes());
    }
    match salt {
        0 => format!("{stream}:{:016x}", hash.finish()),
        salt => format!("{stream}:{:016x}-{salt}", hash.finish()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_never_changes() {
        // A restart with another token would store the rows of an interrupted insert twice.
        // The values are those of the reference implementation (python-xxhash).
        assert_eq!(token("S", [].into_iter(), 0), "S:2d06800538d394c2");
        assert_eq!(token("S", [1, 2, 3].into_iter(), 0), "S:7c68b4906e7ea780");
        assert_eq!(token("S", [1, 2, 3].into_iter(), 2), "S:7c68b4906e7ea780-2");
        assert_eq!(token("S", [11_343_449_299_502_766_430].into_iter(), 0), "S:cde9d89bde390a13");
    }

    #[test]
    fn other_rows_or_another_order_are_another_token() {
        let tokens =
            [vec![1, 2], vec![2, 1], vec![1], vec![1, 2, 3]].map(|ids| token("S", ids.into_iter(), 0));
        for (index, token) in tokens.iter().enumerate() {
            assert!(!tokens[..index].contains(token), "{token}");
        }
        // The same trades from two brokers: the same names, and rows of their own.
        assert_ne!(token("TICKER_KR_KIS", [1].into_iter(), 0), token("TICKER_KR_KIWOOM", [1].into_iter(), 0));
    }
}
