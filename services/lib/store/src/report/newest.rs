//! How far the archive is: the newest live rows of a day by broker, and what each connection told last.

use clickhouse::Row;
use market::{Market, TradeDate};
use serde::Deserialize;

use crate::connect::Store;
use crate::error::StoreError;

/// The live rows of one broker on a day.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Newest {
    /// kis, kiwoom.
    pub source: String,
    /// Rows of trades.
    pub trades: u64,
    /// Rows of order books.
    pub order_books: u64,
    /// When the newest of them was read from the socket, UTC ns.
    pub received_ns: i64,
}

/// What a connection told last of itself.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct LastLink {
    /// kis, kiwoom.
    pub source: String,
    /// The connection, by the name of its key.
    pub connection: String,
    /// Whether it came up then, and did not go down.
    pub is_up: bool,
    /// When it said so, UTC ns.
    pub at_ns: i64,
    /// Registrations confirmed; 0 when it went down.
    pub registered: u32,
    /// Registrations refused; 0 when it went down.
    pub refused: u32,
    /// Why it went down; empty when it came up.
    pub reason: String,
}

impl Store {
    /// The newest live rows of a market's day, by broker.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn newest(&self, market: Market, date: TradeDate) -> Result<Vec<Newest>, StoreError> {
        let of = |table: &str, trades: &str, books: &str| {
            format!(
                "SELECT toString(rows.source) AS of, {trades} AS t, {books} AS b, \
                 toUnixTimestamp64Nano(max(rows.received_ns)) AS at FROM {table} AS rows \
                 WHERE rows.market = '{market}' AND rows.trade_date = '{date}' AND rows.origin = 'live' GROUP BY rows.source"
            )
        };
        let (zero, count) = ("toUInt64(0)", "count()");
        let sql = format!(
            "SELECT of AS source, sum(t) AS trades, sum(b) AS order_books, max(at) AS received_ns \
             FROM ({} UNION ALL {}) GROUP BY of ORDER BY source",
            of("trades", count, zero),
            of("order_books", zero, count)
        );
        self.report_rows(&sql).await
    }

    /// What each connection of a market told last of itself, from `from` on.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn last_links(&self, market: Market, from: TradeDate) -> Result<Vec<LastLink>, StoreError> {
        let sql = format!(
            "SELECT toString(link.source) AS source, toString(link.connection) AS connection, \
             CAST(last.1 = 'link_up', 'Bool') AS is_up, toUnixTimestamp64Nano(last.2) AS at_ns, \
             last.3 AS registered, last.4 AS refused, last.5 AS reason FROM \
             (SELECT source, connection, argMax((toString(what), received_ns, ifNull(registered, toUInt32(0)), \
             ifNull(refused, toUInt32(0)), reason), (received_ns, event_id)) AS last FROM feed_status \
             WHERE market = '{market}' AND trade_date >= '{from}' AND what IN ('link_up', 'link_down') \
             GROUP BY source, connection) AS link ORDER BY source, connection"
        );
        self.report_rows(&sql).await
    }
}
