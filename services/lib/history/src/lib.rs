//! The history of a day: what its record lacks, found, fetched from a broker, and proven.

pub mod anchor;
pub mod by_second;
pub mod day;
pub mod evidence;
pub mod fetch;
pub mod figures;
pub mod find;
pub mod ledger;
pub mod plan;
pub mod progress;
pub mod proof;
pub mod publish;
pub mod rebuild;
pub mod row;
pub mod run;
pub mod settings;

pub use by_second::{BySecond, by_second};
pub use evidence::Evidence;
pub use find::{Found, Lack, Outage, Place, find};
pub use plan::{DayState, Plan, Reach, Request, Route, plan};
pub use proof::{Closed, Open, Refused, Why};
pub use rebuild::{Filled, Reading, rebuild};
pub use row::{Minute, Row};
