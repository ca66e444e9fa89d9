//! When what is played: batches of the day's clock, and when each is due on the machine's. Pure.

use std::time::Duration;

/// How fast the day's clock goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tempo {
    /// Seconds of the day in one of the machine; 0 = no pause at all.
    pub speed: u32,
    /// Between two batches on the machine's clock; at speed 0 on the day's.
    pub batch: Duration,
}

impl Tempo {
    /// Between two batches on the day's clock, ns.
    pub fn step_ns(self) -> i64 {
        let batch = i64::try_from(self.batch.as_nanos()).unwrap_or(i64::MAX);
        batch.saturating_mul(i64::from(self.speed.max(1))).max(1)
    }

    /// How long after the begin a moment of the day is due, which is `ns` after its begin; at speed 0 everything is due.
    pub fn due(self, ns: i64) -> Duration {
        let ns = u64::try_from(ns).unwrap_or(0);
        Duration::from_nanos(ns.checked_div(u64::from(self.speed)).unwrap_or(0))
    }
}

/// The batches of a day: moments of its clock, a step apart, from its begin on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score {
    from_ns: i64,
    step_ns: i64,
    next: i64,
}

impl Score {
    /// Batches from `from_ns` on.
    pub fn new(from_ns: i64, tempo: Tempo) -> Self {
        Self { from_ns, step_ns: tempo.step_ns(), next: 1 }
    }

    /// When the next batch is, on the day's clock: everything received before it belongs to it.
    pub const fn next_ns(&self) -> i64 {
        self.from_ns.saturating_add(self.step_ns.saturating_mul(self.next))
    }

    /// The batch is played.
    pub const fn played(&mut self) {
        self.next += 1;
    }

    /// Nothing happens before `ns`, and nothing waits: the batches in between are left out.
    pub fn skip_to(&mut self, ns: i64) {
        let number = ns.saturating_sub(self.from_ns).div_euclid(self.step_ns).saturating_add(1);
        self.next = self.next.max(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn tempo(speed: u32) -> Tempo {
        Tempo { speed, batch: Duration::from_millis(50) }
    }

    #[test]
    fn a_batch_of_the_machine_is_as_many_times_longer_on_the_days_clock() {
        assert_eq!(tempo(1).step_ns(), 50_000_000);
        assert_eq!(tempo(20).step_ns(), SECOND);
        assert_eq!(tempo(0).step_ns(), 50_000_000);
        assert_eq!(tempo(20).due(60 * SECOND), Duration::from_secs(3));
        assert_eq!(tempo(1).due(60 * SECOND), Duration::from_secs(60));
        assert_eq!(tempo(0).due(60 * SECOND), Duration::ZERO);
        assert_eq!(tempo(7).due(-1), Duration::ZERO);
    }

    #[test]
    fn batches_stand_a_step_apart_however_many_are_left_out() {
        let mut score = Score::new(100 * SECOND, tempo(20));
        assert_eq!(score.next_ns(), 101 * SECOND);
        score.played();
        assert_eq!(score.next_ns(), 102 * SECOND);
        score.skip_to(3_700 * SECOND + 5);
        assert_eq!(score.next_ns(), 3_701 * SECOND);
        score.skip_to(200 * SECOND);
        assert_eq!(score.next_ns(), 3_701 * SECOND, "never back");
    }
}
