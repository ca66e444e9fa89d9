//! Kiwoom Securities: `frame` splits, `trade` and `book` parse, `page` reads REST answers, `answer` says what a code
//! asks of us; `control`, `registration`, `registration_plan` and `session` speak, `auth` gets tokens, `rest` gets
//! pages, `feed` puts them together.

pub mod answer;
pub mod auth;
pub mod book;
pub mod control;
pub mod feed;
pub mod field;
pub mod frame;
pub mod kind;
pub mod number;
pub mod page;
pub mod parse;
pub mod registration;
pub mod registration_plan;
pub mod rest;
pub mod session;
pub mod trade;
