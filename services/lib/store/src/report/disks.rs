//! The disks of the database, and how many totals a day has.

use clickhouse::Row;
use market::{Market, TradeDate};
use serde::Deserialize;

use crate::connect::Store;
use crate::error::StoreError;

/// A disk of ClickHouse.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Disk {
    /// Its name.
    pub name: String,
    /// Bytes free.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

impl Store {
    /// The disks on which the database has its tables.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn disks(&self) -> Result<Vec<Disk>, StoreError> {
        let sql = "SELECT name, free_space AS free, total_space AS total FROM system.disks ORDER BY name";
        self.limited(self.client.query(sql).fetch_all::<Disk>()).await
    }

    /// How many instruments of a market's day have a final total of a broker: the work of the gap finder.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn final_totals(&self, market: Market, trade_date: TradeDate) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT uniqExact(tape, symbol) FROM day_totals WHERE market = '{market}' AND trade_date = '{trade_date}' AND is_final"
        );
        self.limited(self.client.query(&sql).fetch_one::<u64>()).await
    }
}
