//! The store against the real engine: clickhouse-embedded (`SISE_BIN_DIR`; its library in
//! `SISE__CLICKHOUSE_EMBEDDED__LIBRARY`). Each test has an engine, a port and a folder of its own.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod book_crosscheck;
mod completeness;
mod feed_status;
mod history;
mod holes;
mod queries;
mod support;
mod trades_a_day;
mod trades_merged;
