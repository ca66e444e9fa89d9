//! Finds and refills what a day's record lacks, when the market's day has ended: [`schedule`] says which days are due,
//! [`run`] does them. The work itself is the library `history`, which `sise gaps` runs by hand.

mod config;
mod figures;
mod run;
mod schedule;

fn main() -> std::process::ExitCode {
    process::run::<config::Raw, config::Settings, _, _>("gap-finder", run::run)
}
