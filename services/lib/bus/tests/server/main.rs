//! The bus against a real nats-server, whose path stands in `SISE_NATS_SERVER`: one program for all, since linking is
//! what takes time. Each test has a server, a port and a folder of its own.

#![allow(clippy::expect_used, clippy::panic, missing_docs, reason = "helpers of tests")]

mod buckets;
mod consume;
mod forgot;
mod permissions;
mod publish;
mod requests;
mod streams;
#[path = "../support/mod.rs"]
mod support;
