//! Rows without cumulative volumes and prints with them: where each row stands on the line of the cumulative volume.
//!
//! Rows in the order of trading are a ruler: what lies below row *n* is the sum of the quantities before it. Where a
//! run of known prints is found in the rows, the ruler is laid against the line: their difference, the *shift*, holds
//! for every older row until the source lacks a row, has one too many, or volume enters the counter without a print.
//! Then the known prints no longer fit, and the ruler is laid anew from the next run below.

mod ruler;
mod segments;
mod settle;

pub use ruler::{LONGEST_RUN, SHORTEST_RUN};

pub(crate) use ruler::{Ruler, comparable};
pub(crate) use settle::{Fault, Stretch, settle};
