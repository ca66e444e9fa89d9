//! How long to wait before connecting again: 1, 2, 4 … 60 s, with jitter, for ever.

use std::time::Duration;

/// The steps of waiting. Never gives up; starts again at the first step after a healthy connection.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    step: u32,
}

/// A connection that received for this long was healthy: the next loss starts at the first step again.
pub const HEALTHY: Duration = Duration::from_secs(60);

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(60))
    }
}

impl Backoff {
    /// Steps that double from `first` up to `most`.
    #[must_use]
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, step: 0 }
    }

    /// The next wait. `random` spreads clients that lost the same server: the wait is cut by up to a quarter.
    pub fn next(&mut self, random: u64) -> Duration {
        let full = self.first.saturating_mul(1_u32.checked_shl(self.step).unwrap_or(u32::MAX)).min(self.most);
        self.step = self.step.saturating_add(1);
        let thousandths = u32::try_from(random % 250).unwrap_or(0);
        full - full / 1_000 * thousandths
    }

    /// Tells how long the last connection received data or pings.
    pub fn connection_lasted(&mut self, healthy: Duration) {
        if healthy >= HEALTHY {
            self.step = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_a_minute_and_never_ends() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..100).map(|_| backoff.next(0).as_secs()).collect();
        assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(waits[8..].iter().all(|wait| *wait == 60));
    }

    #[test]
    fn a_healthy_minute_resets_it_and_a_short_one_does_not() {
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.next(0);
        }
        backoff.connection_lasted(Duration::from_secs(59));
        assert_eq!(backoff.next(0).as_secs(), 32);
        backoff.connection_lasted(Duration::from_secs(60));
        assert_eq!(backoff.next(0).as_secs(), 1);
    }

    #[test]
    fn jitter_only_shortens() {
        let wait = Backoff::default().next(249);
        assert!(wait < Duration::from_secs(1) && wait >= Duration::from_millis(750));
    }
}
