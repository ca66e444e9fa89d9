//! Archives the bus: JetStream to ClickHouse, effectively once, acknowledged only when it is stored.
//!
//! [`worker`] pulls, [`pulled`] has [`batch`] turn deliveries into rows, [`archive`] stores them ([`settled`]),
//! [`closing`] writes the ledger and acknowledges, [`alive`] tells the server meanwhile; [`refill`] does what [`orders`]
//! from outside ask for. The decisions are pure: [`epoch`] (new, known, rolled back), [`recent`] (published twice),
//! [`stretch`] (ledger rows), [`lag`] (how near the unarchived is to being discarded). [`storing`] repeats and bisects,
//! [`deadletter`] keeps what cannot be archived.

mod alive;
mod archive;
mod batch;
mod closing;
mod config;
mod deadletter;
mod epoch;
mod figures;
mod lag;
mod orders;
mod pulled;
mod recent;
mod refill;
mod run;
mod settled;
mod storing;
mod stretch;
mod timeline;
mod worker;

fn main() -> std::process::ExitCode {
    process::run::<config::Raw, config::Settings, _, _>("archiver", run::run)
}
