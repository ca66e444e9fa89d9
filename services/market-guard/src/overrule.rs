//! Who deployed although it was not quiet, when and why: a line of JSON each, in a file that is only appended to.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;

/// Section `[market_guard]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The file of overrides.
    pub log: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self { log: PathBuf::from("var/market-guard.jsonl") }
    }
}

/// Appends an override: the time now, who, why, and what was overruled. Returns when it is on disk.
///
/// # Errors
/// When the file cannot be written.
pub fn record(settings: &Settings, reason: &str, overruled: &str) -> std::io::Result<()> {
    if let Some(folder) = settings.log.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).create(folder)?;
    }
    // Whoever became root by sudo is named as who they were.
    let who = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let line = serde_json::json!({
        "at": Timestamp::now().to_string(),
        "who": who.unwrap_or_else(|| "unknown".to_owned()),
        "reason": reason,
        "overruled": overruled.lines().next().unwrap_or_default(),
    });
    let mut file = OpenOptions::new().create(true).append(true).open(&settings.log)?;
    // One write, so that two at once do not mix.
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_all()
}
