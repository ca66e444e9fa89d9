//! `sise migrate`: the tables of ClickHouse as the numbered files say.

use std::path::PathBuf;
use std::process::ExitCode;

use process::config::Sources;
use serde::Deserialize;
use store::{ClickhouseSettings, Store};

/// Creates or updates the tables.
#[derive(clap::Args)]
pub struct Migrate {
    /// Only say what would be done; exit code 1 when something would.
    #[arg(long)]
    check: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    clickhouse: ClickhouseSettings,
}

/// Runs the command.
///
/// # Errors
/// When ClickHouse cannot be reached or refuses, or an applied file was changed afterwards.
pub async fn run(command: &Migrate, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let raw: Raw = Sources::new("sise", config).load()?;
    let store = Store::new(&raw.clickhouse)?;
    if command.check {
        let pending = store.migrations_pending().await?;
        for migration in &pending {
            println!("pending {:03}_{}", migration.number, migration.name);
        }
        return Ok(if pending.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    for migration in store.migrate().await? {
        println!("applied {:03}_{}", migration.number, migration.name);
    }
    println!("database {} is up to date", store.database());
    Ok(ExitCode::SUCCESS)
}
