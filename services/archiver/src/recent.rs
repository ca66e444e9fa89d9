//! The events inserted lately, so that one that was published twice is stored once.
//!
//! A publisher that got no answer publishes again, and a server that restarted may have forgotten that it has the
//! message: then one event stands in the stream at two sequences. They are near each other, because a publisher has a
//! bounded number of messages unanswered; so a bounded memory finds them. Beyond it the key of the table decides.

use std::collections::{HashMap, VecDeque};

/// Event ids and the sequences at which they were inserted.
#[derive(Debug)]
pub struct Recent {
    sequences: HashMap<u64, u64>,
    order: VecDeque<u64>,
    capacity: usize,
    /// Deliveries for which more than `capacity` is kept: after a roll-back its whole tail is published again.
    extended: usize,
}

impl Recent {
    /// A memory of `capacity` events.
    pub fn new(capacity: usize) -> Self {
        Self { sequences: HashMap::new(), order: VecDeque::new(), capacity, extended: 0 }
    }

    /// Forgets everything and takes in what stands in a table, the oldest first.
    pub fn load(&mut self, stored: impl Iterator<Item = (u64, u64)>) {
        self.sequences.clear();
        self.order.clear();
        for (sequence, event_id) in stored {
            if self.sequences.insert(event_id, sequence).is_none() {
                self.order.push_back(event_id);
            }
        }
        self.extended = 2 * self.order.len();
    }

    /// Whether the event was inserted at another sequence; if not, it counts as inserted at this one from now on.
    pub fn is_repeated(&mut self, event_id: u64, sequence: u64) -> bool {
        self.extended = self.extended.saturating_sub(1);
        if let Some(known) = self.sequences.insert(event_id, sequence) {
            if known == sequence {
                return false;
            }
            self.sequences.insert(event_id, known);
            return true;
        }
        self.order.push_back(event_id);
        while self.order.len() > self.capacity && self.extended == 0 {
            if let Some(oldest) = self.order.pop_front() {
                self.sequences.remove(&oldest);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_at_another_sequence_is_repeated() {
        let mut recent = Recent::new(10);
        assert!(!recent.is_repeated(77, 5));
        assert!(recent.is_repeated(77, 9));
        assert!(recent.is_repeated(77, 10));
    }

    #[test]
    fn an_event_at_its_own_sequence_is_not() {
        // A redelivery that the table does not have: the insert was never confirmed.
        let mut recent = Recent::new(10);
        assert!(!recent.is_repeated(77, 5));
        assert!(!recent.is_repeated(77, 5));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut recent = Recent::new(2);
        for event_id in 1..=3 {
            assert!(!recent.is_repeated(event_id, event_id));
        }
        assert!(recent.is_repeated(2, 90) && recent.is_repeated(3, 90));
        assert!(!recent.is_repeated(1, 90));
    }

    #[test]
    fn a_loaded_tail_is_kept_until_it_was_published_again() {
        let mut recent = Recent::new(2);
        recent.load((1..=5).map(|n| (n, n)));
        for event_id in 1..=5 {
            assert!(recent.is_repeated(event_id, 100 + event_id), "{event_id}");
        }
        for event_id in 6..=20 {
            assert!(!recent.is_repeated(event_id, event_id));
        }
        assert!(!recent.is_repeated(5, 900));
    }
}
