//! The Kiwoom side on loopback, spoken to by a client that knows nothing but text.

mod data;
mod faults;
mod protocol;
mod rest;
pub mod support;
