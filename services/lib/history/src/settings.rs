//! Section `[gap_finder]` → how a run works, and when the service runs. The command line reads the same section.

use std::time::Duration;

use market::Market;
use serde::Deserialize;

/// The most instruments at once: each holds its prints and rows in memory.
const MOST_PARALLEL: usize = 64;
/// Kiwoom's ka10079 reaches so many trading days back; nothing reaches further.
const MOST_REACH: u32 = 20;

/// Section `[gap_finder]` as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawGapFinder {
    /// Instruments worked on at once. A broker's cell answers two pages a key at once, so a few hide the waiting.
    pub parallel: usize,
    /// How long the archive may take to have what it is known to get.
    pub archive_timeout_ms: u64,
    /// How long nothing may be stored by the bus.
    pub stall_timeout_ms: u64,
    /// Markets that the service looks after, `kr,us`.
    pub markets: String,
    /// How long after the last phase of a day it is looked at: late prints and the brokers' books need a while.
    pub margin_ms: u64,
    /// Trading days back that are looked at again when they were missed.
    pub reach_days: u32,
    /// Pause before a day that was not finished is looked at again.
    pub retry_ms: u64,
}

impl Default for RawGapFinder {
    fn default() -> Self {
        Self {
            parallel: 8,
            archive_timeout_ms: 120_000,
            stall_timeout_ms: 30_000,
            markets: "kr,us".to_owned(),
            margin_ms: 600_000,
            reach_days: MOST_REACH,
            retry_ms: 900_000,
        }
    }
}

/// How a run works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunSettings {
    /// Instruments worked on at once.
    pub parallel: usize,
    /// How long the archive may take to have what it is known to get, while it makes no progress.
    pub archive_limit: Duration,
    /// How long nothing may be stored by the bus.
    pub stall_limit: Duration,
}

/// When the service runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Markets that are looked after.
    pub markets: Vec<Market>,
    /// How long after the last phase of a day it is looked at.
    pub margin: Duration,
    /// Trading days back.
    pub reach_days: u32,
    /// Pause before a day is looked at again.
    pub retry: Duration,
}

/// A value that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SettingsError {
    /// The key in dotted form.
    pub key: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl RawGapFinder {
    /// The settings as understood.
    ///
    /// # Errors
    /// [`SettingsError`] with the key.
    pub fn understood(&self) -> Result<(RunSettings, Schedule), SettingsError> {
        let fail = |key, problem: &str| Err(SettingsError { key, problem: problem.to_owned() });
        if !(1..=MOST_PARALLEL).contains(&self.parallel) {
            return fail("gap_finder.parallel", "must be 1 to 64");
        }
        for (key, value) in [
            ("gap_finder.archive_timeout_ms", self.archive_timeout_ms),
            ("gap_finder.stall_timeout_ms", self.stall_timeout_ms),
            ("gap_finder.retry_ms", self.retry_ms),
        ] {
            if value == 0 {
                return fail(key, "must be at least 1");
            }
        }
        if !(1..=MOST_REACH).contains(&self.reach_days) {
            return fail("gap_finder.reach_days", "must be 1 to 20");
        }
        let markets: Option<Vec<Market>> =
            self.markets.split(',').map(|word| Market::from_word(word.trim())).collect();
        let Some(mut markets) = markets else {
            return fail("gap_finder.markets", "must be markets with commas: kr,us");
        };
        markets.sort_unstable();
        markets.dedup();
        let run = RunSettings {
            parallel: self.parallel,
            archive_limit: Duration::from_millis(self.archive_timeout_ms),
            stall_limit: Duration::from_millis(self.stall_timeout_ms),
        };
        let schedule = Schedule {
            markets,
            margin: Duration::from_millis(self.margin_ms),
            reach_days: self.reach_days,
            retry: Duration::from_millis(self.retry_ms),
        };
        Ok((run, schedule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_default() {
        let (run, schedule) = RawGapFinder::default().understood().expect("settings");
        assert_eq!((run.parallel, run.archive_limit.as_secs()), (8, 120));
        assert_eq!(
            (schedule.markets.as_slice(), schedule.margin.as_secs()),
            (&[Market::Kr, Market::Us][..], 600)
        );
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let key = |change: fn(&mut RawGapFinder)| {
            let mut raw = RawGapFinder::default();
            change(&mut raw);
            raw.understood().err().map(|error| error.key)
        };
        assert_eq!(key(|raw| raw.markets = "kr, us,kr".to_owned()), None);
        assert_eq!(key(|raw| raw.parallel = 0), Some("gap_finder.parallel"));
        assert_eq!(key(|raw| raw.reach_days = 21), Some("gap_finder.reach_days"));
        assert_eq!(key(|raw| raw.markets = "jp".to_owned()), Some("gap_finder.markets"));
        assert_eq!(key(|raw| raw.retry_ms = 0), Some("gap_finder.retry_ms"));
    }
}
