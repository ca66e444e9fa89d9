//! The columns that this version writes, checked against the database before the first insert.

use clickhouse::Row;
use serde::Deserialize;

use crate::connect::Store;
use crate::error::StoreError;

/// A table and its columns: name and type as ClickHouse spells them.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// The table.
    pub table: &'static str,
    /// Columns in the order of the table.
    pub columns: &'static [(&'static str, &'static str)],
}

/// Every table that is written.
pub const EXPECTED: &[Expected] = &[
    Expected {
        table: "trades",
        columns: &[
            ("market", "LowCardinality(String)"),
            ("source", "LowCardinality(String)"),
            ("tape", "LowCardinality(String)"),
            ("symbol", "LowCardinality(String)"),
            ("trade_date", "Date"),
            ("exchange_ns", "DateTime64(9, 'UTC')"),
            ("received_ns", "DateTime64(9, 'UTC')"),
            ("connection_id", "Int64"),
            ("frame_sequence", "UInt64"),
            ("record_index", "UInt32"),
            ("origin", "LowCardinality(String)"),
            ("price", "Decimal(18, 4)"),
            ("quantity", "Int64"),
            ("aggressor_side", "LowCardinality(String)"),
            ("cumulative_volume", "Int64"),
            ("cumulative_value", "Decimal(18, 4)"),
            ("cumulative_value_step", "Decimal(18, 4)"),
            ("best_ask", "Nullable(Decimal(18, 4))"),
            ("best_bid", "Nullable(Decimal(18, 4))"),
            ("session", "LowCardinality(String)"),
            ("session_codes", "LowCardinality(String)"),
            ("halted", "Bool"),
            ("stream", "LowCardinality(String)"),
            ("epoch", "UInt32"),
            ("stream_sequence", "UInt64"),
            ("event_id", "UInt64"),
        ],
    },
    Expected {
        table: "order_books",
        columns: &[
            ("market", "LowCardinality(String)"),
            ("source", "LowCardinality(String)"),
            ("tape", "LowCardinality(String)"),
            ("symbol", "LowCardinality(String)"),
            ("trade_date", "Date"),
            ("exchange_ns", "DateTime64(9, 'UTC')"),
            ("received_ns", "DateTime64(9, 'UTC')"),
            ("connection_id", "Int64"),
            ("frame_sequence", "UInt64"),
            ("record_index", "UInt32"),
            ("origin", "LowCardinality(String)"),
            ("ask_prices", "Array(Decimal(18, 4))"),
            ("ask_quantities", "Array(Int64)"),
            ("bid_prices", "Array(Decimal(18, 4))"),
            ("bid_quantities", "Array(Int64)"),
            ("total_ask_quantity", "Int64"),
            ("total_bid_quantity", "Int64"),
            ("expected_price", "Nullable(Decimal(18, 4))"),
            ("expected_quantity", "Int64"),
            ("cumulative_volume", "Nullable(Int64)"),
            ("session", "LowCardinality(String)"),
            ("session_codes", "LowCardinality(String)"),
            ("stream", "LowCardinality(String)"),
            ("epoch", "UInt32"),
            ("stream_sequence", "UInt64"),
            ("event_id", "UInt64"),
        ],
    },
    Expected {
        table: "feed_status",
        columns: &[
            ("market", "LowCardinality(String)"),
            ("source", "LowCardinality(String)"),
            ("what", "LowCardinality(String)"),
            ("trade_date", "Date"),
            ("received_ns", "DateTime64(9, 'UTC')"),
            ("connection_id", "Int64"),
            ("frame_sequence", "UInt64"),
            ("record_index", "UInt32"),
            ("origin", "LowCardinality(String)"),
            ("connection", "LowCardinality(String)"),
            ("tape", "LowCardinality(String)"),
            ("symbol", "LowCardinality(String)"),
            ("reason", "String"),
            ("registration", "String"),
            ("code", "LowCardinality(String)"),
            ("text", "String"),
            ("detail", "String"),
            ("registered", "Nullable(UInt32)"),
            ("refused", "Nullable(UInt32)"),
            ("symbols", "Array(String)"),
            ("since_ns", "Nullable(DateTime64(9, 'UTC'))"),
            ("from_ns", "Nullable(DateTime64(9, 'UTC'))"),
            ("until_ns", "Nullable(DateTime64(9, 'UTC'))"),
            ("after", "Nullable(Int64)"),
            ("until", "Nullable(Int64)"),
            ("residue", "Nullable(Int64)"),
            ("method", "LowCardinality(String)"),
            ("asked", "Nullable(UInt32)"),
            ("returned", "Nullable(UInt64)"),
            ("added", "Nullable(UInt64)"),
            ("added_volume", "Nullable(Int64)"),
            ("proof", "LowCardinality(String)"),
            ("started_ns", "Nullable(DateTime64(9, 'UTC'))"),
            ("volume", "Nullable(Int64)"),
            ("is_final", "Nullable(Bool)"),
            ("off_hours", "Nullable(Int64)"),
            ("event", "String"),
            ("stream", "LowCardinality(String)"),
            ("epoch", "UInt32"),
            ("stream_sequence", "UInt64"),
            ("event_id", "UInt64"),
        ],
    },
    Expected {
        table: "archived",
        columns: &[
            ("stream", "LowCardinality(String)"),
            ("epoch", "UInt32"),
            ("first", "UInt64"),
            ("last", "UInt64"),
            ("rows", "UInt64"),
            ("set_aside", "UInt64"),
            ("created_ns", "Int64"),
            ("archived_at", "DateTime64(3, 'UTC')"),
        ],
    },
];

/// A table that this version cannot write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// There is no such table.
    #[error("table `{table}` does not exist in database `{database}`: run `sise migrate`")]
    NoTable {
        /// The database.
        database: String,
        /// The table.
        table: &'static str,
    },
    /// The database is older than this version.
    #[error("table `{table}` has no column `{column}` ({kind}): run `sise migrate`")]
    Missing {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// Its type.
        kind: &'static str,
    },
    /// A column holds something else.
    #[error(
        "column `{column}` of table `{table}` is {found}, this version writes {kind}: run `sise migrate`"
    )]
    Kind {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The type that is written.
        kind: &'static str,
        /// The type in the database.
        found: String,
    },
    /// The database is newer than this version: its rows would lack a value.
    #[error(
        "table `{table}` has a column `{column}` that this version does not write: use the version that made it"
    )]
    Unknown {
        /// The table.
        table: &'static str,
        /// The column.
        column: String,
    },
}

/// Columns that could not be checked or do not fit.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The database could not be asked.
    #[error("columns cannot be checked: {0}")]
    Store(#[from] StoreError),
    /// A table does not fit. The others may not fit either.
    #[error(transparent)]
    Column(#[from] ColumnError),
}

#[derive(Debug, Clone, Deserialize, Row)]
struct Found {
    table: String,
    name: String,
    kind: String,
    computed: bool,
}

impl Store {
    /// Checks that the tables have exactly the columns that this version writes.
    ///
    /// # Errors
    /// [`CheckError::Column`] with table and column; [`CheckError::Store`] when the database cannot be asked.
    pub async fn check_columns(&self) -> Result<(), CheckError> {
        let sql = "SELECT table, name, type AS kind, default_kind IN ('ALIAS', 'MATERIALIZED') AS computed \
                   FROM system.columns WHERE database = ? ORDER BY table, position";
        let query = self.server.query(sql).bind(&self.database).fetch_all::<Found>();
        let found = self.limited(query).await?;
        for expected in EXPECTED {
            compare(&self.database, expected, &found)?;
        }
        Ok(())
    }
}

fn compare(database: &str, expected: &Expected, found: &[Found]) -> Result<(), ColumnError> {
    let table = expected.table;
    let mut columns = found.iter().filter(|column| column.table == table).peekable();
    if columns.peek().is_none() {
        return Err(ColumnError::NoTable { database: database.to_owned(), table });
    }
    for (column, kind) in expected.columns.iter().copied() {
        match columns.clone().find(|found| found.name == column) {
            None => return Err(ColumnError::Missing { table, column, kind }),
            Some(found) if found.kind != kind => {
                return Err(ColumnError::Kind { table, column, kind, found: found.kind.clone() });
            }
            Some(_) => {}
        }
    }
    // Computed columns are somebody's own and take no value from us.
    match columns
        .find(|found| !found.computed && !expected.columns.iter().any(|(name, _)| *name == found.name))
    {
        Some(found) => Err(ColumnError::Unknown { table, column: found.name.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{FeedStatusRow, OrderBookRow, TradeRow};

    fn names(table: &str) -> Vec<&'static str> {
        let expected = EXPECTED.iter().find(|expected| expected.table == table).expect("table");
        expected.columns.iter().map(|(name, _)| *name).collect()
    }

    #[test]
    fn rows_have_the_columns_of_their_tables_in_order() {
        assert_eq!(names("trades"), <TradeRow as Row>::COLUMN_NAMES);
        assert_eq!(names("order_books"), <OrderBookRow as Row>::COLUMN_NAMES);
        assert_eq!(names("feed_status"), <FeedStatusRow as Row>::COLUMN_NAMES);
    }

    fn table(columns: &[(&str, &str)]) -> Vec<Found> {
        let found = |(name, kind): &(&str, &str)| Found {
            table: "t".to_owned(),
            name: (*name).to_owned(),
            kind: (*kind).to_owned(),
            computed: false,
        };
        columns.iter().map(found).collect()
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let expected = Expected { table: "t", columns: &[("a", "Int64"), ("b", "Bool")] };
        let check = |found: &[Found]| compare("sise", &expected, found);
        let fits = table(&[("a", "Int64"), ("b", "Bool")]);
        assert_eq!(check(&fits), Ok(()));
        assert_eq!(check(&[]), Err(ColumnError::NoTable { database: "sise".into(), table: "t" }));
        assert_eq!(
            check(&table(&[("a", "Int64")])),
            Err(ColumnError::Missing { table: "t", column: "b", kind: "Bool" })
        );
        assert_eq!(
            check(&table(&[("a", "Int32"), ("b", "Bool")])),
            Err(ColumnError::Kind { table: "t", column: "a", kind: "Int64", found: "Int32".into() })
        );
        let mut more = table(&[("a", "Int64"), ("b", "Bool"), ("c", "Bool")]);
        assert_eq!(check(&more), Err(ColumnError::Unknown { table: "t", column: "c".into() }));
        more[2].computed = true;
        assert_eq!(check(&more), Ok(()));
    }
}
