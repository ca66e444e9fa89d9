//! Records just kept, on their way to the cursor in memory: a queue with a bound of records and one of bytes. What has
//! no room is left out, and the cursor reads it from disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use journal::{Position, Record};
use tokio::sync::mpsc;

/// A record that is in the journal, handed to the cursor from memory.
#[derive(Debug)]
pub struct Kept {
    /// The record.
    pub record: Record,
    /// Position before it.
    pub before: Position,
    /// Position after it.
    pub after: Position,
}

/// The keeper's end.
pub struct TailIn {
    queue: mpsc::Sender<Kept>,
    bytes: Arc<AtomicUsize>,
    most_bytes: usize,
}

/// The cursor's end.
pub struct TailOut {
    queue: mpsc::Receiver<Kept>,
    bytes: Arc<AtomicUsize>,
}

/// An empty queue for so many records at most, and so many bytes of payloads.
#[must_use]
pub fn tail(records: usize, most_bytes: usize) -> (TailIn, TailOut) {
    let (sender, receiver) = mpsc::channel(records);
    let bytes = Arc::new(AtomicUsize::new(0));
    (TailIn { queue: sender, bytes: Arc::clone(&bytes), most_bytes }, TailOut { queue: receiver, bytes })
}

impl TailIn {
    /// Hands a record on if there is room for it; says whether there was.
    pub fn offer(&self, kept: Kept) -> bool {
        let bytes = kept.record.payload.len();
        // Only this end adds, so nothing else can take the room between look and send.
        if self.bytes.load(Ordering::Acquire) + bytes > self.most_bytes {
            return false;
        }
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        let sent = self.queue.try_send(kept).is_ok();
        if !sent {
            self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        }
        sent
    }
}

impl TailOut {
    /// The next record; none when the keeper is gone and the queue is empty. Nothing is lost when it is not awaited to
    /// the end.
    pub async fn recv(&mut self) -> Option<Kept> {
        let kept = self.queue.recv().await?;
        self.bytes.fetch_sub(kept.record.payload.len(), Ordering::AcqRel);
        Some(kept)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use journal::{Position, Record, RecordKind};

    fn kept(sequence: u64, bytes: usize) -> Kept {
        let payload = Bytes::from(vec![b'x'; bytes]);
        let record = Record { kind: RecordKind::FRAME, connection_id: 1, sequence, received_ns: 1, payload };
        Kept { record, before: Position::START, after: Position::START }
    }

    #[tokio::test]
    async fn what_is_taken_out_makes_room_again() {
        let (tail_in, mut tail) = tail(3, 100);
        assert!(tail_in.offer(kept(1, 60)) && tail_in.offer(kept(2, 40)));
        assert!(!tail_in.offer(kept(3, 1)), "no room for a byte");
        assert_eq!(tail.recv().await.map(|kept| kept.record.sequence), Some(1));
        assert!(tail_in.offer(kept(4, 30)) && tail_in.offer(kept(5, 1)));
        assert!(!tail_in.offer(kept(6, 1)), "no room for a fourth record");
        assert_eq!(tail.recv().await.map(|kept| kept.record.sequence), Some(2));
        assert!(tail_in.offer(kept(7, 69)), "what had no room took none");
        drop(tail_in);
        let mut rest = Vec::new();
        while let Some(kept) = tail.recv().await {
            rest.push(kept.record.sequence);
        }
        assert_eq!((rest, tail.is_empty()), (vec![4, 5, 7], true));
    }
}
