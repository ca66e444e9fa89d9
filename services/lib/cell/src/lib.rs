//! A broker running: frames are kept in the journal, then parsed, then published. What every broker's service does
//! alike, over the `broker::feed::Feed` that the service names.
//!
//! The road: `links` (sockets) → `keep` (journal) → `cursor` (one cursor over the journal, fed from memory at its
//! tail) → `interpret` (frames to events) → the bus. The socket reader never waits for the bus.

mod cursor;
mod gaps;
mod interpret;
mod keep;
pub mod kis;
mod links;
mod note;
pub mod run;
pub mod settings;

pub use run::run;
pub use settings::{CellSettings, RawCell};
