//! "Connected, confirmed, but no data": when a settled session that should hear data hears none.
//!
//! It lost others two days: it is an error, with the symbols' names. One quiet symbol among live ones is not: nothing
//! is said while any data frame comes.

use std::time::Duration;

use crate::feed::Now;

/// Watches one session for silence. Times are of the connection.
#[derive(Debug)]
pub struct Silence {
    limit: Duration,
    settled_at: Option<Duration>,
    last_data: Option<Duration>,
    told: bool,
}

impl Silence {
    /// Speaks up after `limit` without data.
    #[must_use]
    pub const fn new(limit: Duration) -> Self {
        Self { limit, settled_at: None, last_data: None, told: false }
    }

    /// A data frame came.
    pub const fn heard(&mut self, now: Duration) {
        self.last_data = Some(now);
        self.told = false;
    }

    /// Whether data came within the limit.
    #[must_use]
    pub fn hears(&self, now: Duration) -> bool {
        self.last_data.is_some_and(|last| now.saturating_sub(last) < self.limit)
    }

    /// What is wanted changed: requests are on their way again.
    pub const fn unsettle(&mut self) {
        self.settled_at = None;
    }

    /// Every request is answered. True the first time since [`Silence::unsettle`].
    pub fn settle(&mut self, now: Duration) -> bool {
        let first = self.settled_at.is_none();
        self.settled_at.get_or_insert(now);
        first
    }

    /// How long it has been silent, each time that this becomes too long; nothing otherwise. `anything_expected` is
    /// whether something was confirmed at all.
    pub fn check(&mut self, now: Now, anything_expected: bool) -> Option<Duration> {
        let settled_at = self.settled_at?;
        if !now.data_expected {
            // Silence is normal now; it is counted from the moment when it no longer is.
            self.settled_at = Some(now.elapsed);
            return None;
        }
        let since = self.last_data.map_or(settled_at, |last| last.max(settled_at));
        let silence = now.elapsed.saturating_sub(since);
        if self.told || silence < self.limit || !anything_expected {
            return None;
        }
        self.told = true;
        Some(silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u32, data_expected: bool) -> Now {
        Now { elapsed: SECOND * seconds, data_expected }
    }

    #[test]
    fn silence_is_told_once_until_data_comes() {
        let mut silence = Silence::new(60 * SECOND);
        assert_eq!(silence.check(at(100, true), true), None, "not settled");
        assert!(silence.settle(100 * SECOND) && !silence.settle(101 * SECOND));
        assert_eq!(silence.check(at(159, true), true), None);
        assert_eq!(silence.check(at(160, true), false), None, "nothing was confirmed");
        assert_eq!(silence.check(at(160, true), true), Some(60 * SECOND));
        assert_eq!(silence.check(at(500, true), true), None);
        silence.heard(500 * SECOND);
        assert!(silence.hears(559 * SECOND) && !silence.hears(560 * SECOND));
        assert_eq!(silence.check(at(565, true), true), Some(65 * SECOND));
    }

    #[test]
    fn a_closed_market_does_not_count() {
        let mut silence = Silence::new(60 * SECOND);
        silence.settle(SECOND);
        assert_eq!(silence.check(at(1_000, false), true), None);
        assert_eq!(silence.check(at(1_059, true), true), None);
        assert_eq!(silence.check(at(1_060, true), true), Some(60 * SECOND));
    }
}
