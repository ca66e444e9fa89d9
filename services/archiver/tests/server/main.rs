//! The archiver against real servers: nats-server (`SISE_NATS_SERVER`) and clickhouse-embedded (`SISE_BIN_DIR`, or beside
//! the archiver, as `sise` is; its library in `SISE__CLICKHOUSE_EMBEDDED__LIBRARY`). Each test has servers, ports and a folder of its own.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod crash;
mod epochs;
mod field;
mod forgot;
mod migrations;
mod orders;
mod recovered;
mod road;
mod statuses;
mod support;
mod trouble;
