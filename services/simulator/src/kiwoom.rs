//! The Kiwoom side: settings and the shared market turn into Kiwoom's tokens, pages and WebSocket messages
//! (kiwoom.md).
//!
//! `tokens`, `window`, `rest`, `answer`, `pages`, `minutes` and `stocks` are REST; `session` is the conversation on a
//! socket; `row`, `trade`, `book` and `other` write the data; `item` knows codes and their suffixes.

pub mod answer;
pub mod book;
pub mod item;
pub mod minutes;
pub mod other;
pub mod pages;
pub mod rest;
pub mod row;
pub mod session;
pub mod stocks;
pub mod tokens;
pub mod trade;
pub mod window;
