//! The files of `clickhouse/` into a database: what is applied, what is not, and the applying.
//!
//! A statement of a file, nearly always its only one, can be repeated (`IF NOT EXISTS`, `OR REPLACE`): a crash between
//! a statement and its record in `migrations` is healed by the next run.

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::connect::Store;
use crate::error::StoreError;

/// A file of `clickhouse/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// The number in front of the name.
    pub number: u32,
    /// The name without number and ending.
    pub name: &'static str,
    /// The text.
    pub sql: &'static str,
}

macro_rules! migration {
    ($number:literal, $digits:literal, $name:literal) => {
        Migration {
            number: $number,
            name: $name,
            sql: include_str!(concat!("../../../../clickhouse/", $digits, "_", $name, ".sql")),
        }
    };
}

/// Where the applied migrations are recorded; itself applied first, always.
const RECORD: Migration = Migration {
    number: 0,
    name: "migrations",
    sql: include_str!("../../../../clickhouse/000_migrations.sql"),
};

/// Every migration, in the order of application.
pub const MIGRATIONS: &[Migration] = &[
    migration!(1, "001", "trades"),
    migration!(2, "002", "order_books"),
    migration!(3, "003", "archived"),
    migration!(4, "004", "trades_kst"),
    migration!(5, "005", "order_books_kst"),
    migration!(6, "006", "archive_holes"),
    migration!(7, "007", "book_crosscheck"),
    migration!(8, "008", "feed_status"),
    migration!(9, "009", "gaps"),
    migration!(10, "010", "feed_status_kst"),
    migration!(11, "011", "gaps_kst"),
    migration!(12, "012", "trades_merged"),
    migration!(13, "013", "never_archived"),
    migration!(14, "014", "feed_status_volume"),
    migration!(15, "015", "gaps"),
    migration!(16, "016", "gaps_kst"),
    migration!(17, "017", "recoveries"),
    migration!(18, "018", "day_totals"),
    migration!(19, "019", "completeness"),
    migration!(20, "020", "bars_1s"),
    migration!(21, "021", "bars_1m"),
    migration!(22, "022", "bars_1d"),
    migration!(23, "023", "latency"),
];

impl Migration {
    /// xxh3 of the text.
    #[must_use]
    pub fn checksum(&self) -> u64 {
        XxHash3_64::oneshot(self.sql.as_bytes())
    }
}

/// A database that cannot be brought to this version.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database could not be asked or changed.
    #[error("migration {number} ({name}): {source}")]
    Store {
        /// The number; 0 is the table `migrations` itself.
        number: u32,
        /// The name.
        name: String,
        /// What happened.
        source: StoreError,
    },
    /// An applied file was changed afterwards.
    #[error(
        "migration {number} ({name}) was changed after it was applied: undo the change and add a file with the next \
         number"
    )]
    Changed {
        /// The number.
        number: u32,
        /// The name.
        name: String,
    },
    /// The database is newer than this version.
    #[error(
        "database has migration {number} ({name}), which this version does not know: use a newer version"
    )]
    Unknown {
        /// The number.
        number: u32,
        /// The name.
        name: String,
    },
}

/// An applied migration, as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
struct Applied {
    number: u32,
    name: String,
    checksum: u64,
}

impl Store {
    /// The migrations that `apply` would apply. Changes nothing; a database that does not exist lacks all.
    ///
    /// # Errors
    /// [`MigrateError`].
    pub async fn migrations_pending(&self) -> Result<Vec<Migration>, MigrateError> {
        let sql = "SELECT count() FROM system.tables WHERE database = ? AND name = ?";
        let query = self.server.query(sql).bind(&self.database).bind(RECORD.name).fetch_one::<u64>();
        let recorded = self.limited(query).await.map_err(|source| failed(&RECORD, source))?;
        let applied = if recorded == 0 { Vec::new() } else { self.applied().await? };
        compare(MIGRATIONS, &applied)
    }

    /// Creates the database if it is missing and applies what is pending, in order. Returns what was applied.
    ///
    /// # Errors
    /// [`MigrateError`]; what was applied before stays applied.
    pub async fn migrate(&self) -> Result<Vec<Migration>, MigrateError> {
        // The name was checked to be letters, digits and `_`.
        let create = format!("CREATE DATABASE IF NOT EXISTS {}", self.database);
        let created = self.limited(self.server.query_raw(&create).execute()).await;
        created.map_err(|source| failed(&RECORD, source))?;
        self.execute(&RECORD).await?;
        let pending = compare(MIGRATIONS, &self.applied().await?)?;
        for migration in &pending {
            self.execute(migration).await?;
            self.record(migration).await.map_err(|source| failed(migration, source))?;
            tracing::info!(number = migration.number, name = migration.name, "migration applied");
        }
        Ok(pending)
    }

    async fn applied(&self) -> Result<Vec<Applied>, MigrateError> {
        let sql = "SELECT number, name, checksum FROM migrations FINAL ORDER BY number";
        let applied = self.limited(self.client.query(sql).fetch_all()).await;
        applied.map_err(|source| failed(&RECORD, source))
    }

    async fn execute(&self, migration: &Migration) -> Result<(), MigrateError> {
        // ClickHouse takes one statement at a time. A line's end, `;` and an empty line part two; each can be repeated.
        for statement in migration.sql.split(";\n\n") {
            let statement = self.client.query_raw(statement).execute();
            self.limited(statement).await.map_err(|source| failed(migration, source))?;
        }
        Ok(())
    }

    async fn record(&self, migration: &Migration) -> Result<(), StoreError> {
        let applied = Applied {
            number: migration.number,
            name: migration.name.to_owned(),
            checksum: migration.checksum(),
        };
        let insert = async {
            let insert = self.client.insert::<Applied>(RECORD.name).await?;
            let mut insert = insert.with_setting("async_insert", "0");
            insert.write(&applied).await?;
            insert.end().await
        };
        self.limited(insert).await
    }
}

fn failed(migration: &Migration, source: StoreError) -> MigrateError {
    MigrateError::Store { number: migration.number, name: migration.name.to_owned(), source }
}

/// The migrations of `ours` that are not among the `applied`.
fn compare(ours: &[Migration], applied: &[Applied]) -> Result<Vec<Migration>, MigrateError> {
    for row in applied {
        let (number, name) = (row.number, row.name.clone());
        match ours.iter().find(|migration| migration.number == row.number) {
            None => return Err(MigrateError::Unknown { number, name }),
            Some(known) if known.checksum() != row.checksum => {
                return Err(MigrateError::Changed { number, name });
            }
            Some(_) => {}
        }
    }
    let is_applied = |migration: &Migration| applied.iter().any(|row| row.number == migration.number);
    Ok(ours.iter().filter(|migration| !is_applied(migration)).copied().collect())
}

#[cfg(test)]
mod tests;
