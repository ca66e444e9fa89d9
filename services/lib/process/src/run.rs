//! The life of a process: read settings (nothing is open yet), start logs and metrics, work, stop, exit code.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::config::{ConfigError, Sources};
use crate::log::LogSettings;
use crate::metrics::MetricsSettings;
use crate::shutdown::Shutdown;

/// Exit code for settings that cannot be used (EX_USAGE of sysexits.h).
pub const EXIT_CONFIG: u8 = 64;

#[derive(Debug, Parser)]
struct Arguments {
    /// Settings file in place of config/sise.toml and the service's own; may be given again, the last wins.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Read the settings, print them with secrets blank, and exit.
    #[arg(long)]
    check: bool,
}

/// The sections that every service reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Common {
    log: LogSettings,
    metrics: MetricsSettings,
}

/// Runs `service` from its command line to its exit code: 0 done, 1 failed, 64 unusable settings.
///
/// `Raw` is what the files and the environment say, `S` what the service understood; the conversion is pure.
pub fn run<Raw, S, F, Fut>(service: &str, work: F) -> ExitCode
where
    Raw: DeserializeOwned,
    S: TryFrom<Raw, Error = ConfigError> + std::fmt::Debug,
    F: FnOnce(S, Shutdown) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let arguments = Arguments::parse();
    let sources = Sources::new(service, &arguments.config);
    let (common, address, settings) = match read::<Raw, S>(service, &sources) {
        Ok(read) => read,
        Err(error) => {
            eprintln!("{service}: {error}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    if arguments.check {
        println!("{settings:#?}");
        return ExitCode::SUCCESS;
    }
    match start(service, &common.log, address, settings, work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(service, error = format!("{error:#}"), "service failed");
            ExitCode::FAILURE
        }
    }
}

fn read<Raw, S>(service: &str, sources: &Sources) -> Result<(Common, Option<SocketAddr>, S), ConfigError>
where
    Raw: DeserializeOwned,
    S: TryFrom<Raw, Error = ConfigError>,
{
    let common = sources.load::<Common>()?;
    let address = common.metrics.address(service)?;
    Ok((common, address, S::try_from(sources.load::<Raw>()?)?))
}

fn start<S, F, Fut>(
    service: &str,
    log: &LogSettings,
    address: Option<SocketAddr>,
    settings: S,
    work: F,
) -> anyhow::Result<()>
where
    S: std::fmt::Debug,
    F: FnOnce(S, Shutdown) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    crate::log::start(log)?;
    crate::tls::install();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let shutdown = Shutdown::on_signal()?;
        if let Some(address) = address {
            crate::metrics::start(service, address, shutdown.clone())?;
        }
        tracing::info!(service, version = env!("CARGO_PKG_VERSION"), ?settings, "service started");
        work(settings, shutdown).await?;
        tracing::info!(service, "service stopped");
        Ok(())
    })
}
