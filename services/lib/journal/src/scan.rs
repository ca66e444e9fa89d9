//! The bytes of one segment into records, torn ends and damage.
//!
//! Reads a stretch of the segment at a time and cuts payloads out of it without a copy. Nothing read once is trusted
//! twice: a torn end may since have been cut off and written over, so an end or a damage is only told from fresh bytes.

use std::io;

use bytes::Bytes;

use crate::record::{self, Decoded, Header, MARKER};
use crate::segment::Segment;
use crate::{Damage, Position, Record};

/// Bytes read at once: large enough that reading in order is bound by memory, small enough to be held by a few payloads.
const CHUNK_BYTES: usize = 256 << 10;

/// What stands at an offset of a segment.
#[derive(Debug)]
pub(crate) enum Step {
    /// A record, and the offset after it.
    Record(Record, u64),
    /// The end of the segment.
    End,
    /// The beginning of a record, or zeros, up to the end of the segment: not yet there, or torn.
    Torn(Damage),
    /// Something else.
    Damaged(Damage),
}

/// A place to read records from.
pub(crate) struct Scanner {
    pub(crate) segment: Segment,
    chunk: Bytes,
    chunk_at: u64,
}

impl Scanner {
    pub(crate) fn new(segment: Segment) -> Scanner {
        Scanner { segment, chunk: Bytes::new(), chunk_at: 0 }
    }

    /// What stands at `at`.
    pub(crate) fn step(&mut self, at: u64) -> io::Result<Step> {
        loop {
            let (decoded, fresh) = self.decode(at)?;
            match decoded {
                Decoded::Whole(header) => return Ok(self.record(at, header)),
                Decoded::NeedMore(_) => {
                    let left = self.bytes(at).len() as u64;
                    return Ok(if left == 0 { Step::End } else { Step::Torn(Damage::Incomplete { left }) });
                }
                Decoded::Bad(_) if !fresh => self.chunk = Bytes::new(),
                Decoded::Bad(_) if self.segment.is_broken(at)? => return Ok(Step::Damaged(Damage::Block)),
                Decoded::Bad(damage) => {
                    return Ok(match self.zeros_to_end(at)? {
                        Some(left) => Step::Torn(Damage::Zeros { left }),
                        None => Step::Damaged(damage),
                    });
                }
            }
        }
    }

    /// The first offset from `from` on where a record stands; in an `open` segment also where one begins that may not
    /// be complete yet, or the end.
    pub(crate) fn next_record(&mut self, from: u64, open: bool) -> io::Result<Option<u64>> {
        let mut at = from;
        loop {
            if self.fill(at, 1)? && self.bytes(at).is_empty() {
                return Ok(open.then_some(at));
            }
            let bytes = self.bytes(at);
            let Some(skipped) = bytes.iter().position(|byte| *byte == MARKER[0]) else {
                at += bytes.len() as u64;
                continue;
            };
            at += skipped as u64;
            match self.decode(at)?.0 {
                Decoded::Whole(_) => return Ok(Some(at)),
                Decoded::NeedMore(_) if open => return Ok(Some(at)),
                _ => at += 1,
            }
        }
    }

    /// Decodes with as many bytes as it takes. Asks for more only when there are no more. The flag tells whether the
    /// segment was read for it.
    fn decode(&mut self, at: u64) -> io::Result<(Decoded, bool)> {
        let position = Position { segment: self.segment.number, offset: at };
        let mut fresh = false;
        let mut asked = 0;
        loop {
            match record::decode(self.bytes(at), position) {
                Decoded::NeedMore(need) if need > asked => {
                    asked = need;
                    fresh |= self.fill(at, need)?;
                }
                decoded => return Ok((decoded, fresh)),
            }
        }
    }

    fn record(&self, at: u64, header: Header) -> Step {
        let after = at + (record::HEADER_BYTES + header.payload_bytes) as u64;
        let bytes = self.bytes(at);
        let payload = &bytes[record::HEADER_BYTES..record::HEADER_BYTES + header.payload_bytes];
        let record = Record {
            kind: header.kind,
            connection_id: header.connection_id,
            sequence: header.sequence,
            received_ns: header.received_ns,
            payload: self.chunk.slice_ref(payload),
        };
        Step::Record(record, after)
    }

    /// How many zeros there are from `at` to the end of the segment, when there is nothing else.
    fn zeros_to_end(&mut self, at: u64) -> io::Result<Option<u64>> {
        let mut end = at;
        loop {
            let bytes = self.bytes(end);
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(None);
            }
            end += bytes.len() as u64;
            if self.fill(end, 1)? && self.bytes(end).is_empty() {
                return Ok(Some(end - at));
            }
        }
    }

    /// The bytes at hand from `at` on.
    fn bytes(&self, at: u64) -> &[u8] {
        let from = at.checked_sub(self.chunk_at).and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.chunk.get(from..)).unwrap_or_default()
    }

    /// Reads when fewer than `need` bytes are at hand from `at` on; tells whether it did.
    fn fill(&mut self, at: u64, need: usize) -> io::Result<bool> {
        if self.bytes(at).len() >= need {
            return Ok(false);
        }
        self.chunk = self.segment.read(at, need.max(CHUNK_BYTES))?;
        self.chunk_at = at;
        Ok(true)
    }
}
