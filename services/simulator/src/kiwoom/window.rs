//! So many in a second: instants turn into a verdict.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A sliding second.
#[derive(Debug, Default)]
pub struct Window(VecDeque<Instant>);

impl Window {
    /// Counts one at `now`, unless `limit` were counted in the second before it.
    pub fn admit(&mut self, limit: usize, now: Instant) -> bool {
        while self.0.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1)) {
            self.0.pop_front();
        }
        let admitted = self.0.len() < limit;
        if admitted {
            self.0.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_sixth_of_a_second_is_refused_and_counts_for_nothing() {
        let (mut window, now) = (Window::default(), Instant::now());
        for n in 0..5 {
            assert!(window.admit(5, now + Duration::from_millis(n * 100)));
        }
        assert!(!window.admit(5, now + Duration::from_millis(999)));
        assert!(window.admit(5, now + Duration::from_millis(1_000)));
        assert!(!window.admit(5, now + Duration::from_millis(1_001)));
    }
}
