//! Wire in: brokers' bytes to the words of `market`. Knows no journal, no bus, no store.
//!
//! `feed` is what a cell needs of any broker; a broker's folder implements it. No tungstenite type leaves
//! `connection`.

pub mod backoff;
pub mod clock;
pub mod connection;
pub mod credentials;
pub mod feed;
pub mod field;
pub mod figures;
pub mod http;
pub mod kis;
pub mod kiwoom;
pub mod lines;
pub mod pace;
pub mod page;
pub mod pulse;
pub mod settings;
pub mod silence;
pub mod tls;
pub mod token_file;

/// What we call ourselves, on REST and WebSocket alike.
pub const USER_AGENT: &str = concat!("sise/", env!("CARGO_PKG_VERSION"));
