//! Acknowledgements to checkpoints: a few messages of each stream, by which a server that forgot is found out. Pure: no
//! clock, no I/O.
//!
//! The newest message is always there, older ones the sparser the further back they are: the part that must be published
//! again after a roll-back is longer than what was lost by a fraction of it, whether that is a second or a day.

use std::sync::Arc;

/// Checkpoints of a stream at most. With [`STEP`] the distance between two is about a fifth of their age over a hundred
/// million messages, which is hours of the busiest market; and they are saved several times a second. Distance and age are
/// counted in messages of all streams: that is what is published again, for a stream of few messages too.
const MOST: usize = 64;
/// Messages between two checkpoints of a stream at least, the newest aside: less than a window, which is sent again anyhow.
const STEP: u64 = 250;
/// Streams at most: a service publishes to four.
const MOST_STREAMS: usize = 16;

/// A message that the server said it has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint<T> {
    /// The stream.
    pub stream: Arc<str>,
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Its id.
    pub message_id: String,
    /// How many messages had been stored before it, in all streams.
    pub ordinal: u64,
    /// Its tag: what comes behind it in the stream has this tag or a later one.
    pub tag: T,
}

/// The checkpoints of one stream, rising in sequence, ordinal and tag; never empty.
pub(super) type Track<T> = Vec<Checkpoint<T>>;

/// The checkpoints of a publisher.
pub(super) struct Checkpoints<T> {
    tracks: Vec<Track<T>>,
    /// Messages stored so far.
    ordinal: u64,
}

impl<T: Copy + Ord> Checkpoints<T> {
    /// From those that were saved, in any order of the streams.
    pub(super) fn new(saved: impl IntoIterator<Item = Checkpoint<T>>) -> Self {
        let mut checkpoints = Self { tracks: Vec::new(), ordinal: 0 };
        for checkpoint in saved {
            checkpoints.ordinal = checkpoints.ordinal.max(checkpoint.ordinal + 1);
            checkpoints.add(checkpoint, 0);
        }
        checkpoints
    }

    /// All of them, stream by stream, rising.
    pub(super) fn all(&self) -> impl Iterator<Item = &Checkpoint<T>> {
        self.tracks.iter().flatten()
    }

    pub(super) fn tracks(&self) -> &[Track<T>] {
        &self.tracks
    }

    /// The newest sequence of a stream; 0 without one.
    pub(super) fn highest(&self, stream: &str) -> u64 {
        self.track(stream).and_then(|track| track.last()).map_or(0, |newest| newest.sequence)
    }

    /// Takes in a message, in the order of publishing. One that stands before an earlier one in the stream (a copy, or
    /// sent again) says nothing of that: it is left out.
    pub(super) fn note(&mut self, stream: Arc<str>, sequence: u64, message_id: String, tag: T) {
        let ordinal = self.ordinal;
        self.ordinal += 1;
        self.add(Checkpoint { stream, sequence, message_id, ordinal, tag }, STEP);
    }

    /// The first `standing` checkpoints of a stream are left.
    pub(super) fn keep(&mut self, stream: &str, standing: usize) {
        if let Some(track) = self.tracks.iter_mut().find(|track| is_of(track, stream)) {
            track.truncate(standing);
        }
        self.tracks.retain(|track| !track.is_empty());
    }

    fn track(&self, stream: &str) -> Option<&Track<T>> {
        self.tracks.iter().find(|track| is_of(track, stream))
    }

    fn add(&mut self, checkpoint: Checkpoint<T>, step: u64) {
        let Some(track) = self.tracks.iter_mut().find(|track| is_of(track, &checkpoint.stream)) else {
            if self.tracks.len() < MOST_STREAMS {
                self.tracks.push(vec![checkpoint]);
            }
            return;
        };
        let behind = |newest: &Checkpoint<T>| {
            newest.sequence < checkpoint.sequence
                && newest.ordinal < checkpoint.ordinal
                && newest.tag <= checkpoint.tag
        };
        if !track.last().is_some_and(behind) {
            return;
        }
        if let [.., before, newest] = track.as_mut_slice()
            && newest.ordinal - before.ordinal < step
        {
            *newest = checkpoint;
            return;
        }
        track.push(checkpoint);
        if track.len() > MOST {
            thin(track);
        }
    }
}

fn is_of<T>(track: &Track<T>, stream: &str) -> bool {
    track.first().is_some_and(|first| *first.stream == *stream)
}

/// Leaves out the one whose absence costs least: the smallest distance between its neighbours, measured by its age.
fn thin<T>(track: &mut Track<T>) {
    let newest = track.last().map_or(0, |newest| newest.ordinal);
    let cost = |index: usize| {
        let distance = track[index + 1].ordinal - track[index - 1].ordinal;
        // Parts of a million: the comparison needs no fractions.
        u128::from(distance) * 1_000_000 / u128::from(newest - track[index].ordinal + STEP)
    };
    if let Some(index) = (1..track.len().saturating_sub(1)).min_by_key(|index| cost(*index)) {
        track.remove(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(checkpoints: &mut Checkpoints<u64>, stream: &str, sequence: u64, tag: u64) {
        checkpoints.note(stream.into(), sequence, format!("id-{sequence}"), tag);
    }

    fn sequences(checkpoints: &Checkpoints<u64>, stream: &str) -> Vec<u64> {
        checkpoints.track(stream).into_iter().flatten().map(|checkpoint| checkpoint.sequence).collect()
    }

    #[test]
    fn hours_of_traffic_fit_and_the_newest_is_exact() {
        let mut checkpoints = Checkpoints::new([]);
        for sequence in 1..=3_000_000 {
            note(&mut checkpoints, "A", sequence, sequence);
        }
        let kept = sequences(&checkpoints, "A");
        assert_eq!((kept.len(), kept.first(), kept.last()), (64, Some(&1), Some(&3_000_000)));
        for lost in [1_u64, 100, 10_000, 300_000, 1_000_000, 2_900_000] {
            let found = kept.iter().rev().find(|sequence| **sequence <= 3_000_000 - lost).expect("first");
            let again = 3_000_000 - found;
            assert!(again <= lost + lost / 2 + 600, "{lost} lost, {again} published again");
        }
    }

    #[test]
    fn a_stream_of_few_messages_has_them_all() {
        let mut checkpoints = Checkpoints::new([]);
        for number in 0..40_000 {
            let (stream, sequence) =
                if number % 1_000 == 0 { ("B", number / 1_000 + 1) } else { ("A", number) };
            note(&mut checkpoints, stream, sequence, number);
        }
        assert_eq!(sequences(&checkpoints, "B"), (1..=40).collect::<Vec<_>>());
    }

    #[test]
    fn what_stands_before_an_earlier_message_is_no_checkpoint() {
        let mut checkpoints = Checkpoints::new([]);
        for (stream, sequence, tag) in [("A", 5, 10), ("A", 4, 11), ("A", 5, 12), ("B", 3, 13)] {
            note(&mut checkpoints, stream, sequence, tag);
        }
        assert_eq!((sequences(&checkpoints, "A"), sequences(&checkpoints, "B")), (vec![5], vec![3]));
        assert_eq!((checkpoints.highest("A"), checkpoints.highest("C")), (5, 0));
    }

    #[test]
    fn what_was_saved_comes_back_and_what_is_lost_goes() {
        let mut checkpoints = Checkpoints::new([]);
        for sequence in 1..=100_000 {
            note(&mut checkpoints, "A", sequence, sequence);
        }
        note(&mut checkpoints, "B", 1, 100_001);
        let saved: Vec<_> = checkpoints.all().cloned().collect();
        let mut again = Checkpoints::new(saved);
        assert_eq!(sequences(&again, "A"), sequences(&checkpoints, "A"));
        let second = sequences(&again, "A")[1];
        again.keep("A", 2);
        again.keep("B", 0);
        assert_eq!((sequences(&again, "A"), again.tracks().len()), (vec![1, second], 1));
        // The server gives these sequences out again.
        note(&mut again, "A", second + 1, 900_000);
        let newest = again.all().last().map(|newest| newest.ordinal);
        assert_eq!((again.highest("A"), newest), (second + 1, Some(100_001)));
    }
}
