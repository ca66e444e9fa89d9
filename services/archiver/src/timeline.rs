//! Which epoch a sequence belongs to: roll-backs of a stream, each from the sequence where it was noticed, in; the epoch
//! of what stands at a sequence now, out. Pure.
//!
//! A roll-back changes what stands behind it and nothing before it. The ledger notes each sequence under the epoch it
//! belongs to, so that the views can tell what was never archived: the first sequence that an epoch has in the ledger is
//! where it begins.

use store::LedgerEpoch;

/// The epochs of a stream since it was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// The epoch in which the stream was created: it begins with the first sequence.
    floor: u32,
    /// Later epochs that some sequence belongs to, with their first sequence: both rise. Each was a roll-back, and an
    /// alarm.
    begins: Vec<(u32, u64)>,
}

impl Timeline {
    /// A stream that was created in epoch `floor`.
    pub const fn new(floor: u32) -> Self {
        Self { floor, begins: Vec::new() }
    }

    /// As the ledger has it.
    pub fn of(floor: u32, epochs: &[LedgerEpoch]) -> Self {
        let mut timeline = Self::new(floor);
        for epoch in epochs {
            timeline.begin(epoch.epoch, epoch.first);
        }
        timeline
    }

    /// Epoch `epoch` begins with `first`, or earlier if that is known.
    pub fn begin(&mut self, epoch: u32, first: u64) {
        if epoch <= self.floor {
            return;
        }
        if let Some((_, begin)) = self.begins.iter_mut().find(|(known, _)| *known == epoch) {
            *begin = first.min(*begin);
        } else {
            self.begins.push((epoch, first));
        }
        self.begins.sort_unstable();
        // A later epoch that begins no later leaves nothing of an earlier one.
        let mut lowest = u64::MAX;
        for index in (0..self.begins.len()).rev() {
            match self.begins.get(index) {
                Some((_, begin)) if *begin < lowest => lowest = *begin,
                _ => drop(self.begins.remove(index)),
            }
        }
    }

    /// The epoch that a sequence belongs to.
    pub fn epoch_of(&self, sequence: u64) -> u32 {
        let begun = self.begins.iter().rev().find(|(_, first)| *first <= sequence);
        begun.map_or(self.floor, |(epoch, _)| *epoch)
    }

    /// Whether `sequence` lies before the beginning of `epoch`.
    pub fn is_before(&self, sequence: u64, epoch: u32) -> bool {
        self.begins.iter().any(|(known, first)| *known == epoch && sequence < *first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(begins: &[(u32, u64)]) -> Timeline {
        let mut timeline = Timeline::new(1);
        for (epoch, first) in begins {
            timeline.begin(*epoch, *first);
        }
        timeline
    }

    fn epochs(timeline: &Timeline, sequences: &[u64]) -> Vec<u32> {
        sequences.iter().map(|sequence| timeline.epoch_of(*sequence)).collect()
    }

    #[test]
    fn what_lies_before_a_roll_back_stays_in_its_epoch() {
        assert_eq!(epochs(&timeline(&[]), &[1, 9_999]), [1, 1]);
        assert_eq!(epochs(&timeline(&[(2, 1_001)]), &[1_000, 1_001]), [1, 2]);
        assert_eq!(epochs(&timeline(&[(2, 1_001), (3, 1_500)]), &[1_000, 1_001, 1_499, 1_500]), [1, 2, 2, 3]);
    }

    #[test]
    fn a_deeper_roll_back_takes_an_epoch_away() {
        let deep = timeline(&[(2, 1_001), (3, 800)]);
        assert_eq!(epochs(&deep, &[799, 800, 1_001, 5_000]), [1, 3, 3, 3]);
        assert_eq!(deep, timeline(&[(3, 800), (2, 1_001)]));
        // The same roll-back, noticed further down.
        assert_eq!(epochs(&timeline(&[(2, 1_001), (2, 900), (2, 950)]), &[899, 900]), [1, 2]);
    }

    #[test]
    fn before_its_beginning_means_known_to_begin_later() {
        let rolled = timeline(&[(2, 1_001)]);
        assert!(rolled.is_before(1_000, 2) && !rolled.is_before(1_001, 2));
        assert!(!rolled.is_before(1, 1) && !rolled.is_before(1, 3));
    }
}
