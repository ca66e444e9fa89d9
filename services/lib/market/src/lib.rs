//! The words of sise: what a trade, an order book and a status are, in exact integers and UTC nanoseconds.
//!
//! Pure: no async, no I/O, no clock. Wire, bus and store know this vocabulary and not each other.

pub mod at;
pub mod book;
pub mod calendar;
pub mod carriers;
pub mod chain;
pub mod decimal;
pub mod event;
pub mod health;
pub mod instrument;
pub mod ownership;
pub mod price;
pub mod quantity;
pub mod recovery;
pub mod session;
pub mod status;
pub mod symbol;
pub mod time;
pub mod trade;
pub mod trade_date;
pub mod universe;

pub use at::At;
pub use book::{Level, Levels, OrderBook};
pub use event::{Body, Event, Origin, Stamp};
pub use health::{Health, Verdict};
pub use instrument::{Market, Source, Tape};
pub use ownership::{Change, ChangedBy, Ownership};
pub use price::Price;
pub use quantity::{Quantity, Value};
pub use recovery::{DayTotal, Method, MissingVolume, Proof, Recovery};
pub use session::Session;
pub use status::{Gap, GapReason, Status};
pub use symbol::Symbol;
pub use trade::{AggressorSide, Codes, Trade};
pub use trade_date::TradeDate;
pub use universe::Group;
