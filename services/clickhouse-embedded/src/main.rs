//! `clickhouse-embedded`: ClickHouse's HTTP interface over libchdb, for machines without a ClickHouse server.
//!
//! The way of a request: `http` (route, admit) · `request`, `auth` (what, who) · `body` with `compression`, `native`
//! and `spool` (statement in memory, data on disk) · `engine` with `statement`, `sql`, `streaming`, `session` (run)
//! over `ffi` (libchdb) · `response` with `error` (answer). `access` writes the rights, `repair` mends what a kill
//! left, `config` reads the settings, `run` starts and stops. Everything on disk is a real ClickHouse folder.

mod access;
mod auth;
mod body;
mod compression;
mod config;
mod engine;
mod error;
mod ffi;
mod figures;
mod http;
mod native;
mod repair;
mod request;
mod response;
mod run;
mod session;
mod spool;
mod sql;
mod statement;
mod streaming;
mod user;
mod users_file;

fn main() -> std::process::ExitCode {
    process::run::<config::Raw, config::Settings, _, _>("clickhouse-embedded", run::run)
}
