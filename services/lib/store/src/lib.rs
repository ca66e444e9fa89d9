//! From events to ClickHouse rows and back: rows, inserts that can be repeated, look-ups, migrations.
//!
//! Knows the vocabulary of `market` and nothing of brokers or the bus. No ClickHouse type leaves this crate.

pub mod bisect;
pub mod columns;
pub mod connect;
pub mod error;
pub mod history;
pub mod holes;
pub mod insert;
pub mod ledger;
pub mod migrate;
pub mod names;
pub mod played;
pub mod query;
pub mod report;
pub mod row;
pub mod views;

pub use bisect::Bisection;
pub use connect::{ClickhouseSettings, Password, Store};
pub use error::{Cause, StoreError};
pub use holes::Hole;
pub use insert::Insert;
pub use ledger::{Archived, Highest, LedgerEpoch, LedgerTail, Stored};
pub use row::{FeedStatusRow, OrderBookRow, Position, Table, TableRow, TradeRow};
