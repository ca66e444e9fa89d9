//! The real process over a real libchdb, spoken to by the clients that people use.
//!
//! `SISE__CLICKHOUSE_EMBEDDED__LIBRARY` names `libchdb.so`, `SISE_TEST_PYTHON` a Python with `clickhouse-connect`;
//! `scripts/lib/clickhouse_lib.sh` installs both and sets both. `curl` and `gzip` must be there.
// Helpers of tests are tests, too, but clippy knows that only of functions with `#[test]`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod crash;
mod curl;
mod life;
mod load;
mod python;
mod rights;
mod rust_client;
mod support;
