//! One check: how it went, of what, and what a person is to do.

use std::fmt;

use serde_json::{Value, json};

use crate::look::disk::{self, Enough};

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// As it must be.
    Ok,
    /// It works, and somebody should look.
    Warn,
    /// A day would be lost.
    Fail,
}

impl Level {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub level: Level,
    /// Of what.
    pub what: String,
    /// What was found.
    pub detail: String,
    /// What to do; empty when nothing is.
    pub advice: String,
}

impl Check {
    pub(super) fn ok(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { level: Level::Ok, what: what.into(), detail: detail.into(), advice: String::new() }
    }

    pub(super) fn warn(
        what: impl Into<String>,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { level: Level::Warn, what: what.into(), detail: detail.into(), advice: advice.into() }
    }

    pub(super) fn fail(
        what: impl Into<String>,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { level: Level::Fail, ..Self::warn(what, detail, advice) }
    }

    pub(super) fn json(&self) -> Value {
        json!({ "level": self.level.as_str(), "what": self.what, "detail": self.detail, "advice": self.advice })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printable = |text: &str| -> String {
            text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
        };
        write!(f, "{:<4} {}: {}", self.level.as_str(), self.what, printable(&self.detail))?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, " — {}", printable(&self.advice)) }
    }
}

/// Free room on a disk, as [`disk::enough`] judges it.
pub(super) fn disk(what: &str, free: u64, total: u64) -> Check {
    let part = u128::from(free) * 100 / u128::from(total.max(1));
    let detail = format!("{} GiB free of {} ({part} %)", free >> 30, total >> 30);
    match disk::enough(free, total) {
        Enough::TooLittle => Check::fail(what, detail, disk::ADVICE),
        Enough::Little => Check::warn(what, detail, disk::ADVICE),
        Enough::Plenty => Check::ok(what, detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_one_line() {
        let check = Check::fail("nats", "no answer\n", "start it");
        assert_eq!(check.to_string(), "fail nats: no answer\u{fffd} — start it");
        assert_eq!(Check::ok("nats", "there").to_string(), "ok   nats: there");
    }

    #[test]
    fn a_disk_is_judged_by_what_is_free() {
        let level = |free: u64, total: u64| disk("d", free << 30, total << 30).level;
        assert_eq!(
            [level(50, 100), level(9, 100), level(1, 100), level(0, 4)],
            [Level::Ok, Level::Warn, Level::Fail, Level::Fail]
        );
    }
}
