//! Logs on standard error: text for a person, JSON lines for a machine.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use crate::config::ConfigError;

/// Section `[log]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// Filter in `tracing` form, for example `info,cell=debug`.
    pub level: String,
    /// JSON lines instead of text.
    pub json: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), json: false }
    }
}

/// Starts logging for this process; a second call changes nothing.
///
/// # Errors
/// [`ConfigError::Invalid`] when the filter cannot be read.
pub fn start(settings: &LogSettings) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&settings.level).map_err(|e| ConfigError::invalid("log.level", e))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second subscriber is refused: tests that start two services in one process keep the first.
    let _already_started = if settings.json { builder.json().try_init() } else { builder.try_init() };
    Ok(())
}
