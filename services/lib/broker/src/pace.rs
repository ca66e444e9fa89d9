//! Calls to a rate: every call of one kind waits until its turn, at even distances and without bursts.
//!
//! Brokers count calls of each kind (TR) by themselves and answer a burst with refusals, so turns are handed out one
//! by one. A refusal all the same halves the rate for a minute, which no library of token buckets offers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long [`Pace::slow_down`] holds.
const SLOW: Duration = Duration::from_secs(60);

/// A rate for each kind of call. Kinds are the broker's TRs, a handful: they are never forgotten.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    turns: Mutex<Turns>,
}

#[derive(Debug, Default)]
struct Turns {
    /// The earliest next turn of each kind.
    free: HashMap<String, Instant>,
    slow_until: Option<Instant>,
}

impl Pace {
    /// `per_second` calls of each kind, at even distances; 0 counts as 1.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self::every(Duration::from_secs(1) / per_second.max(1))
    }

    /// One call of each kind every `interval`.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self { interval, turns: Mutex::default() }
    }

    /// Waits for the next turn of this kind of call. A turn that is not used (a dropped future) is lost.
    pub async fn wait(&self, call: &str) {
        let turn = self.turn(call, Instant::now());
        tokio::time::sleep_until(turn).await;
    }

    /// Halves the rate of all kinds for a minute: the broker said that it was too much.
    pub fn slow_down(&self) {
        self.slow_down_at(Instant::now());
    }

    fn slow_down_at(&self, now: Instant) {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).slow_until = Some(now + SLOW);
    }

    fn turn(&self, call: &str, now: Instant) -> Instant {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let slow = turns.slow_until.is_some_and(|until| now < until);
        let distance = if slow { self.interval * 2 } else { self.interval };
        let turn = turns.free.get(call).map_or(now, |free| now.max(*free));
        turns.free.insert(call.to_owned(), turn + distance);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn turns_of_one_kind_are_evenly_apart_and_kinds_do_not_wait_for_each_other() {
        let (pace, now) = (Pace::new(4), Instant::now());
        let turns = [(); 3].map(|()| pace.turn("ka10079", now) - now);
        assert_eq!(turns, [Duration::ZERO, 250 * MS, 500 * MS]);
        assert_eq!(pace.turn("ka10084", now), now);
        // A pause is not saved up for a burst.
        let later = now + 10_000 * MS;
        assert_eq!([(); 2].map(|()| pace.turn("ka10079", later) - later), [Duration::ZERO, 250 * MS]);
    }

    #[test]
    fn a_refusal_halves_the_rate_for_a_minute() {
        let (pace, now) = (Pace::every(100 * MS), Instant::now());
        pace.slow_down_at(now);
        assert_eq!([(); 3].map(|()| pace.turn("a", now) - now), [Duration::ZERO, 200 * MS, 400 * MS]);
        let after = now + 60_000 * MS;
        assert_eq!([(); 2].map(|()| pace.turn("a", after) - after), [Duration::ZERO, 100 * MS]);
    }

    #[tokio::test]
    async fn waiting_takes_the_time_of_the_turn() {
        let (pace, begun) = (Pace::every(20 * MS), Instant::now());
        for _ in 0..3 {
            pace.wait("a").await;
        }
        assert!(begun.elapsed() >= 40 * MS);
    }
}
