//! Wire in: brokers' bytes to the words of `market`. Knows no journal, no bus, no store.
//!
//! `feed` is what a cell needs of any broker; a broker's folder implements it. No tungstenite type leaves
//! `connection`.

pub mod backoff;
pub mod connection;
pub mod feed;
pub mod kis;
pub mod tls;
