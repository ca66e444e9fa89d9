//! The gateway against real servers: nats-server with the repository's users (`SISE_NATS_SERVER`) and clickhouse-embedded
//! (`SISE_BIN_DIR`; its library in `SISE__CLICKHOUSE_EMBEDDED__LIBRARY`). Each test has servers, ports and a folder of its own.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod archive;
mod http;
mod nats;
mod slow;
mod stream;
mod support;
