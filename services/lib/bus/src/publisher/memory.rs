//! What a publisher remembers of the server, what the server still has of it, and what must be published again.

use std::sync::Arc;

use super::checkpoints::{Checkpoint, Checkpoints, Track};
use super::verify::Lost;
use super::window::Place;
use crate::subject::stream_name;

/// A stream that lacks messages which the server had said it has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack<T> {
    /// The stream.
    pub stream: Arc<str>,
    /// The newest message that is known to be there; 0 when none is known.
    pub standing: u64,
    /// The newest message that was acknowledged.
    pub acknowledged: u64,
    /// The last sequence of the stream as it is now.
    pub last_sequence: u64,
    /// The tag of the message at `standing`.
    pub from: Option<T>,
    /// When the server stored the message at `standing`, UTC ns.
    pub standing_ns: Option<i64>,
}

/// The server forgot: everything behind `from` must be handed over again, in order, under the same message ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewind<T> {
    /// The tag from which on to begin; none = from as far back as there is anything.
    pub from: Option<T>,
    /// What was found.
    pub streams: Vec<RolledBack<T>>,
}

/// The memory of a publisher that can publish again.
pub(super) struct Memory<T> {
    pub(super) checkpoints: Checkpoints<T>,
    /// To be taken by whoever hands the messages over.
    pub(super) rewind: Option<Rewind<T>>,
    /// Up to which tag each stream was found to be complete when another was not.
    complete: Vec<(Arc<str>, T)>,
}

impl<T: Copy + Ord> Memory<T> {
    pub(super) fn new(saved: Vec<Checkpoint<T>>) -> Self {
        Self { checkpoints: Checkpoints::new(saved), rewind: None, complete: Vec::new() }
    }

    /// A message is stored, and so are all before it.
    pub(super) fn stored(&mut self, place: Place, message_id: String, tag: T) {
        self.checkpoints.note(place.stream, place.sequence, message_id, tag);
    }

    /// Whether the server gives a sequence to a new message that an acknowledged one had.
    pub(super) fn is_given_again(&self, place: &Place) -> bool {
        place.sequence <= self.checkpoints.highest(&place.stream)
    }

    /// Whether a message is known to stand in its stream. Only while what another stream lost is published again.
    pub(super) fn stands(&self, subject: &str, tag: T) -> bool {
        // One of the same tag may be before or behind the checkpoint.
        let behind = |stream: &str| self.complete.iter().any(|(name, upto)| **name == *stream && tag < *upto);
        !self.complete.is_empty() && stream_name(subject).is_some_and(|stream| behind(&stream))
    }

    /// Forgets what is lost and says from where to publish again.
    pub(super) fn roll_back(&mut self, lost: &[Lost]) {
        let streams: Vec<_> = lost.iter().filter_map(|lost| self.rolled_back(lost)).collect();
        for lost in lost {
            self.checkpoints.keep(&lost.stream, lost.standing);
        }
        let newest = |track: &Track<T>| track.last().map(|newest| (Arc::clone(&newest.stream), newest.tag));
        self.complete = self.checkpoints.tracks().iter().filter_map(newest).collect();
        // A rewind that nobody took is still to be done.
        let earlier = self.rewind.take().map(|rewind| rewind.from);
        let from = streams.iter().map(|stream| stream.from).chain(earlier).min().flatten();
        self.rewind = Some(Rewind { from, streams });
    }

    fn rolled_back(&self, lost: &Lost) -> Option<RolledBack<T>> {
        let track = self
            .checkpoints
            .tracks()
            .iter()
            .find(|track| track.first().is_some_and(|checkpoint| checkpoint.stream == lost.stream))?;
        let standing = lost.standing.checked_sub(1).and_then(|index| track.get(index));
        Some(RolledBack {
            stream: Arc::clone(&lost.stream),
            standing: standing.map_or(0, |checkpoint| checkpoint.sequence),
            acknowledged: track.last()?.sequence,
            last_sequence: lost.last_sequence,
            from: standing.map(|checkpoint| checkpoint.tag),
            standing_ns: lost.standing_ns,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(stream: &str, standing: usize) -> Lost {
        Lost { stream: stream.into(), standing, last_sequence: 0, standing_ns: None }
    }

    fn memory() -> Memory<u64> {
        let mut memory = Memory::new(Vec::new());
        for (stream, sequence, tag) in [
            ("TICKER_KR_KIS", 10, 100),
            ("STATUS", 3, 150),
            ("TICKER_KR_KIS", 500, 300),
            ("STATUS", 900, 400),
        ] {
            memory.stored(Place { stream: stream.into(), sequence }, format!("{stream}-{sequence}"), tag);
        }
        memory
    }

    #[test]
    fn the_oldest_loss_says_from_where_and_complete_streams_are_spared() {
        let mut memory = memory();
        assert!(!memory.stands("ticker.kr.kis.005930.krx", 299), "nothing is published again");
        memory.roll_back(&[lost("STATUS", 1)]);
        let rewind = memory.rewind.take().expect("rewind");
        assert_eq!(rewind.from, Some(150));
        assert_eq!((rewind.streams[0].standing, rewind.streams[0].acknowledged), (3, 900));
        assert!(memory.stands("ticker.kr.kis.005930.krx", 299));
        assert!(!memory.stands("ticker.kr.kis.005930.krx", 300), "may be behind the checkpoint");
        assert!(memory.stands("status.kr.kis.link_up", 149));
        assert!(!memory.stands("status.kr.kis.link_up", 150));
        assert!(!memory.stands("orderbook.kr.kis.005930.krx", 1), "of that stream nothing is known");
        assert!(memory.is_given_again(&Place { stream: "STATUS".into(), sequence: 3 }));
        assert!(!memory.is_given_again(&Place { stream: "STATUS".into(), sequence: 4 }));
    }

    #[test]
    fn without_a_checkpoint_everything_goes_again() {
        let mut memory = memory();
        memory.roll_back(&[lost("TICKER_KR_KIS", 1), lost("STATUS", 0)]);
        assert_eq!(memory.rewind.as_ref().expect("rewind").from, None);
        // Found again before the first was taken: the older of both holds.
        memory.roll_back(&[lost("TICKER_KR_KIS", 1)]);
        assert_eq!(memory.rewind.expect("rewind").from, None);
    }
}
