//! Whole roads on real servers, and the rules of the house. One binary: one link.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

mod cells;
mod commands;
mod failover;
mod history;
mod journal;
mod road;
mod support;
mod tidy;
mod universe;
