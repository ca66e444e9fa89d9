//! Look-ups in the event tables by stream sequence, and how many trades a day has.

use std::ops::RangeInclusive;

use clickhouse::Row;
use serde::Deserialize;

use crate::connect::Store;
use crate::error::StoreError;
use crate::ledger::{Highest, Stored};
use crate::row::Table;

/// Event ids in one query: about 20 kB of SQL.
const IDS_PER_QUERY: usize = 1_000;

/// Ranges in one query: more would come near the longest query that ClickHouse reads (256 kB).
const RANGES_PER_QUERY: usize = 500;

/// Sequences this far apart are looked up in one range: reading a few rows more is cheaper than a range more.
const NEAR: u64 = 64;

/// Trades of one symbol on one day.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct TradeCount {
    /// kr, us.
    pub market: String,
    /// The bare symbol.
    pub symbol: String,
    /// The trading day, `2026-11-25`.
    pub day: String,
    /// Prints of that day over its tapes, of the broker that has the most.
    pub trades: u64,
}

impl Store {
    /// How many trades each symbol had on `day`, `2026-11-25`; without one on the last day that its market has.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn trades_of(&self, day: Option<&str>) -> Result<Vec<TradeCount>, StoreError> {
        let last =
            "(rows.market, rows.trade_date) IN (SELECT market, max(trade_date) FROM trades GROUP BY market)";
        let condition = if day.is_some() { "rows.trade_date = toDate(?)" } else { last };
        let sql = format!(
            "SELECT market, symbol, day, max(count) AS trades FROM \
             (SELECT toString(rows.market) AS market, toString(rows.symbol) AS symbol, toString(rows.trade_date) AS day, \
             rows.source AS source, count() AS count FROM trades AS rows WHERE {condition} \
             GROUP BY rows.market, rows.symbol, rows.trade_date, rows.source) \
             GROUP BY market, symbol, day ORDER BY market, symbol"
        );
        let query = self.client.query(&sql);
        let query = if let Some(day) = day { query.bind(day) } else { query };
        self.limited(query.fetch_all::<TradeCount>()).await
    }

    /// The highest epoch and sequence of the rows of `stream` in `table` from epoch `floor` on and above `above`.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn highest(
        &self,
        table: Table,
        stream: &str,
        floor: u32,
        above: u64,
    ) -> Result<Option<Highest>, StoreError> {
        let sql = format!(
            "SELECT max(epoch) AS epoch, max(stream_sequence) AS stream_sequence FROM {} AS rows \
             WHERE rows.stream = ? AND rows.epoch >= ? AND rows.stream_sequence > ?",
            table.as_str()
        );
        let query = self.client.query(&sql).bind(stream).bind(floor).bind(above).fetch_one::<Highest>();
        // The maximum of nothing is 0; epochs start at 1.
        Ok(Some(self.limited(query).await?).filter(|highest| highest.epoch > 0))
    }

    /// What stands in `table` at `sequences` (in rising order) of `stream`, from epoch `floor` on. A few more
    /// sequences may be in the answer, and one may be in it several times.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn look_up(
        &self,
        table: Table,
        stream: &str,
        floor: u32,
        sequences: &[u64],
    ) -> Result<Vec<Stored>, StoreError> {
        let mut found = Vec::new();
        for ranges in ranges(sequences).chunks(RANGES_PER_QUERY) {
            let condition: Vec<String> = ranges
                .iter()
                .map(|range| format!("stream_sequence BETWEEN {} AND {}", range.start(), range.end()))
                .collect();
            let sql = format!(
                "SELECT epoch, stream_sequence, event_id FROM {} WHERE stream = ? AND epoch >= ? AND ({})",
                table.as_str(),
                condition.join(" OR ")
            );
            let query = self.client.query(&sql).bind(stream).bind(floor).fetch_all::<Stored>();
            found.extend(self.limited(query).await?);
        }
        Ok(found)
    }

    /// The rows of `stream` in `table` from sequence `from` on, since epoch `floor`, at most `limit`, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn latest(
        &self,
        table: Table,
        stream: &str,
        floor: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let sql = format!(
            "SELECT epoch, stream_sequence, event_id FROM {} WHERE stream = ? AND epoch >= ? AND stream_sequence >= ? \
             ORDER BY epoch DESC, stream_sequence DESC LIMIT {limit}",
            table.as_str()
        );
        let query = self.client.query(&sql).bind(stream).bind(floor).bind(from).fetch_all::<Stored>();
        self.limited(query).await
    }

    /// What stands in `table` with any of `event_ids`, between the sequences `near`, in any epoch.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn look_up_events(
        &self,
        table: Table,
        stream: &str,
        near: RangeInclusive<u64>,
        event_ids: &[u64],
    ) -> Result<Vec<Stored>, StoreError> {
        let mut found = Vec::new();
        for ids in event_ids.chunks(IDS_PER_QUERY) {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let sql = format!(
                "SELECT epoch, stream_sequence, event_id FROM {} WHERE stream = ? AND stream_sequence BETWEEN ? AND ? \
                 AND event_id IN ({})",
                table.as_str(),
                ids.join(", ")
            );
            let query = self.client.query(&sql).bind(stream).bind(*near.start()).bind(*near.end());
            found.extend(self.limited(query.fetch_all::<Stored>()).await?);
        }
        Ok(found)
    }

    /// The stretches of the ledger that touch `first` to `last` and have messages in the dead letters, since epoch `floor`.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn set_aside(
        &self,
        stream: &str,
        floor: u32,
        first: u64,
        last: u64,
    ) -> Result<Vec<RangeInclusive<u64>>, StoreError> {
        let sql = "SELECT archived.first, archived.last FROM archived WHERE stream = ? AND epoch >= ? AND set_aside > 0 \
                   AND archived.last >= ? AND archived.first <= ?";
        let query = self.client.query(sql).bind(stream).bind(floor).bind(first).bind(last);
        let stretches = self.limited(query.fetch_all::<(u64, u64)>()).await?;
        Ok(stretches.into_iter().map(|(first, last)| first..=last).collect())
    }

    /// Rows of `table` of `stream`, repeated ones included.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn count(&self, table: Table, stream: &str) -> Result<u64, StoreError> {
        let sql = format!("SELECT count() FROM {} WHERE stream = ?", table.as_str());
        self.limited(self.client.query(&sql).bind(stream).fetch_one::<u64>()).await
    }
}

/// Rising sequences as ranges; near ones share a range.
fn ranges(sequences: &[u64]) -> Vec<RangeInclusive<u64>> {
    let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
    for &sequence in sequences {
        match ranges.last_mut() {
            Some(last) if sequence <= last.end().saturating_add(NEAR) => *last = *last.start()..=sequence,
            _ => ranges.push(sequence..=sequence),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_sequences_share_a_range_and_far_ones_do_not() {
        assert_eq!(ranges(&[]), []);
        assert_eq!(ranges(&[5, 6, 7]), [5..=7]);
        assert_eq!(ranges(&[5, 5, 69, 70]), [5..=70]);
        assert_eq!(ranges(&[5, 70, 1_000_000]), [5..=5, 70..=70, 1_000_000..=1_000_000]);
        assert_eq!(ranges(&[u64::MAX]), [u64::MAX..=u64::MAX]);
    }
}
