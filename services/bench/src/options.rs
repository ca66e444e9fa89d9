//! What every benchmark is told.

use std::path::PathBuf;

/// How much is measured, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Counts so small that it takes moments: checks that everything runs and that its counts are right.
    #[arg(long, global = true)]
    pub smoke: bool,
    /// Where journals and stores of servers are made, and removed again.
    #[arg(long, global = true, default_value = "var/bench")]
    pub folder: PathBuf,
    /// The folder of the programs that are measured as processes.
    #[arg(long, global = true, default_value = "target/release")]
    pub binaries: PathBuf,
}
