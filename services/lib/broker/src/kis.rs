//! KIS (Korea Investment & Securities): `frame` splits, `kr_…` and `us_…` parse, `control` and `session` speak,
//! `auth` gets keys, `rest` asks for pages, `page` reads them, `feed` puts them together.

pub mod auth;
pub mod control;
pub mod feed;
pub mod field;
pub mod frame;
pub mod kr_book;
pub mod kr_trade;
pub mod page;
pub mod parse;
pub mod registration;
pub mod rest;
pub mod session;
pub mod tr;
pub mod us;
pub mod us_book;
pub mod us_trade;
