//! What became of each delivery into rows of the ledger: unbroken stretches of one epoch. Pure.

use std::sync::Arc;

use store::Archived;

use crate::timeline::Timeline;

/// What became of one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The sequence.
    pub sequence: u64,
    /// In the dead letters, not in a table.
    pub set_aside: bool,
}

/// The stretches of `outcomes` (in rising order of sequence; one may be there twice), each under the epoch that its
/// sequences belong to, whichever epoch their rows have: an event that was known before a roll-back and stands at its old
/// sequence again is dealt with in the new epoch too.
pub fn stretches(
    stream: &Arc<str>,
    created_ns: i64,
    timeline: &Timeline,
    outcomes: &[Outcome],
) -> Vec<Archived> {
    let mut stretches: Vec<Archived> = Vec::new();
    let mut before: Option<u64> = None;
    for outcome in outcomes {
        let sequence = outcome.sequence;
        if before.replace(sequence) == Some(sequence) {
            continue;
        }
        let epoch = timeline.epoch_of(sequence);
        let (rows, set_aside) = if outcome.set_aside { (0, 1) } else { (1, 0) };
        match stretches.last_mut() {
            Some(open) if open.epoch == epoch && open.last.checked_add(1) == Some(sequence) => {
                open.last = sequence;
                open.rows += rows;
                open.set_aside += set_aside;
            }
            _ => stretches.push(Archived {
                stream: Arc::clone(stream),
                epoch,
                first: sequence,
                last: sequence,
                rows,
                set_aside,
                created_ns,
            }),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stretches as (epoch, first, last, rows, set aside); epoch 2 begins with `begin`.
    fn run(begin: u64, outcomes: &[(u64, bool)]) -> Vec<(u32, u64, u64, u64, u64)> {
        let mut timeline = Timeline::new(1);
        timeline.begin(2, begin);
        let outcomes: Vec<Outcome> =
            outcomes.iter().map(|&(sequence, set_aside)| Outcome { sequence, set_aside }).collect();
        stretches(&Arc::from("S"), 5, &timeline, &outcomes)
            .iter()
            .inspect(|stretch| assert_eq!((&*stretch.stream, stretch.created_ns), ("S", 5)))
            .map(|stretch| (stretch.epoch, stretch.first, stretch.last, stretch.rows, stretch.set_aside))
            .collect()
    }

    #[test]
    fn an_unbroken_batch_is_one_stretch() {
        assert_eq!(run(100, &[]), []);
        assert_eq!(run(100, &[(7, false), (8, true), (9, false)]), [(1, 7, 9, 2, 1)]);
    }

    #[test]
    fn a_hole_or_another_epoch_begins_another() {
        assert_eq!(run(100, &[(7, false), (9, false)]), [(1, 7, 7, 1, 0), (1, 9, 9, 1, 0)]);
        assert_eq!(run(8, &[(7, false), (8, false)]), [(1, 7, 7, 1, 0), (2, 8, 8, 1, 0)]);
    }

    #[test]
    fn a_sequence_delivered_twice_counts_once() {
        assert_eq!(run(100, &[(7, false), (7, false), (8, false)]), [(1, 7, 8, 2, 0)]);
    }
}
