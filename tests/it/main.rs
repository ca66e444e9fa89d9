//! Whole roads on real servers, and the rules of the house. One binary: one link.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

mod cells;
mod cluster;
mod commands;
mod failover;
mod guard;
mod history;
mod journal;
mod metrics;
mod permissions;
mod road;
mod support;
mod tidy;
mod universe;
mod upgrade;
