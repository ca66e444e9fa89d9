//! A broker running: frames are kept in the journal, then parsed, then published. What every broker's service does
//! alike, over the `broker::feed::Feed` that the service names.
//!
//! A service names its broker and market ([`Service`]) and hands its feed to [`run()`]; all else is here.
//!
//! The road: `links` (sockets) → `keep` (journal) → `cursor` (one cursor over the journal, fed from memory at its
//! tail) → `interpret` (frames to events) → the bus. The socket reader never waits for the bus.

mod chain;
mod checkpoints;
mod cursor;
mod disk;
mod figures;
mod follow;
mod gaps;
mod health;
pub mod interpret;
mod keep;
mod links;
mod note;
mod ownership;
mod rest;
pub mod run;
pub mod section;
pub mod settings;
pub mod symbols;
mod tail;

pub use run::run;
pub use section::RawBroker;
pub use settings::{CellSettings, RawCell, Service, ServiceSettings};
