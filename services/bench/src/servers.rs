//! The servers and services that a benchmark starts for itself, on free ports and in folders of its own, and ends again.

pub mod clickhouse;
pub mod house;
pub mod nats;
pub mod sender;
pub mod services;
