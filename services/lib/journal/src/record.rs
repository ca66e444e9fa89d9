//! One record into bytes and back; specified here. Plain functions, no file.
//!
//! All numbers are little-endian. A record takes 44 bytes and its payload:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | marker `F5 73 6A 72` (F5 occurs in no UTF-8 text, so no text frame holds a marker) |
//! | 4 | 4 | payload length in bytes, u32, at most 16 MiB |
//! | 8 | 1 | kind: 1 frame, 2 note |
//! | 9 | 3 | zeros |
//! | 12 | 8 | `connection_id`, i64: connect time, UTC ns |
//! | 20 | 8 | `sequence`, u64: number of the frame in its connection, from 1 |
//! | 28 | 8 | `received_ns`, i64: UTC ns |
//! | 36 | 4 | CRC-32 (IEEE) of the payload |
//! | 40 | 4 | CRC-32 (IEEE) of: segment number (u64), offset of the record in it (u64), bytes 0 to 39 |
//! | 44 | n | payload |
//!
//! The header has a checksum of its own, so that a reader at the tail knows whether a length that points past the end of
//! the file is one to wait for or a damaged one. Place in the checksum: a stale or displaced block is no record.

use std::fmt;

use bytes::Bytes;

use crate::{Damage, Position};

/// The most bytes a payload may have, 16 MiB: a hundred times the largest frame seen, and a bound for one allocation.
pub const MAX_PAYLOAD_BYTES: usize = 16 << 20;

/// Begins every record.
pub(crate) const MARKER: [u8; 4] = [0xF5, b's', b'j', b'r'];
/// Bytes before the payload.
pub(crate) const HEADER_BYTES: usize = 44;

/// What a record holds. Readers pass kinds that they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKind(pub u8);

impl RecordKind {
    /// A frame as received.
    pub const FRAME: RecordKind = RecordKind(1);
    /// A note of the service itself: connected, disconnected, a hole.
    pub const NOTE: RecordKind = RecordKind(2);
}

/// One thing kept. The Debug form tells the payload's size only: a frame may carry a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// What the payload is.
    pub kind: RecordKind,
    /// Time of the connect, UTC ns: names the connection.
    pub connection_id: i64,
    /// `frame_sequence` of that connection, from 1.
    pub sequence: u64,
    /// Time of receipt, UTC ns.
    pub received_ns: i64,
    /// The bytes as received, at most [`MAX_PAYLOAD_BYTES`]. When read, it shares the memory of the stretch of file it
    /// was read with (up to 256 KiB): copy it to keep it for long.
    pub payload: Bytes,
}

impl Record {
    /// Bytes it takes in a segment: from the position before it to the position after it.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        encoded_bytes(self)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("kind", &self.kind)
            .field("connection_id", &self.connection_id)
            .field("sequence", &self.sequence)
            .field("received_ns", &self.received_ns)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

/// Bytes of a record in a segment.
pub(crate) fn encoded_bytes(record: &Record) -> u64 {
    (HEADER_BYTES as u64).saturating_add(record.payload.len() as u64)
}

/// Appends the record to `out` as it stands at `at`, the place where it begins; `length` is that of the payload.
pub(crate) fn encode(record: &Record, length: u32, at: Position, out: &mut Vec<u8>) {
    let mut header = [0; HEADER_BYTES];
    header[0..4].copy_from_slice(&MARKER);
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8] = record.kind.0;
    header[12..20].copy_from_slice(&record.connection_id.to_le_bytes());
    header[20..28].copy_from_slice(&record.sequence.to_le_bytes());
    header[28..36].copy_from_slice(&record.received_ns.to_le_bytes());
    header[36..40].copy_from_slice(&crc32fast::hash(&record.payload).to_le_bytes());
    let checksum = header_checksum(&header, at);
    header[40..44].copy_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(&record.payload);
}

/// What a header says, once its checksum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: RecordKind,
    pub(crate) connection_id: i64,
    pub(crate) sequence: u64,
    pub(crate) received_ns: i64,
    pub(crate) payload_bytes: usize,
}

/// What stands at the beginning of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// A whole record, both checksums right.
    Whole(Header),
    /// A record as far as it goes; this many bytes are needed in all.
    NeedMore(usize),
    /// No record.
    Bad(Damage),
}

/// Reads the record that begins at `bytes[0]`, which stands at `at`.
pub(crate) fn decode(bytes: &[u8], at: Position) -> Decoded {
    let marker_bytes = bytes.len().min(MARKER.len());
    if bytes[..marker_bytes] != MARKER[..marker_bytes] {
        return Decoded::Bad(Damage::Marker);
    }
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Decoded::NeedMore(HEADER_BYTES);
    };
    if u32::from_le_bytes(array(header, 40)) != header_checksum(header, at) {
        return Decoded::Bad(Damage::Header);
    }
    let length = u32::from_le_bytes(array(header, 4));
    let payload_bytes = match usize::try_from(length) {
        Ok(bytes) if bytes <= MAX_PAYLOAD_BYTES => bytes,
        _ => return Decoded::Bad(Damage::Length { bytes: length }),
    };
    let Some(payload) = rest.get(..payload_bytes) else {
        return Decoded::NeedMore(HEADER_BYTES + payload_bytes);
    };
    if u32::from_le_bytes(array(header, 36)) != crc32fast::hash(payload) {
        return Decoded::Bad(Damage::Payload);
    }
    Decoded::Whole(Header {
        kind: RecordKind(header[8]),
        connection_id: i64::from_le_bytes(array(header, 12)),
        sequence: u64::from_le_bytes(array(header, 20)),
        received_ns: i64::from_le_bytes(array(header, 28)),
        payload_bytes,
    })
}

/// Of `written` bytes of encoded records, how many belong to whole ones.
pub(crate) fn whole_bytes(encoded: &[u8], written: usize) -> usize {
    let mut end = 0;
    while let Some(header) = encoded.get(end..).and_then(|rest| rest.first_chunk::<HEADER_BYTES>()) {
        let Ok(length) = usize::try_from(u32::from_le_bytes(array(header, 4))) else { break };
        let next = end + HEADER_BYTES + length;
        if next > written {
            break;
        }
        end = next;
    }
    end
}

fn header_checksum(header: &[u8; HEADER_BYTES], at: Position) -> u32 {
    // One piece of 56 bytes: hashing three small pieces costs three times the fixed part.
    let mut hashed = [0; 56];
    hashed[0..8].copy_from_slice(&at.segment.to_le_bytes());
    hashed[8..16].copy_from_slice(&at.offset.to_le_bytes());
    hashed[16..56].copy_from_slice(&header[..40]);
    crc32fast::hash(&hashed)
}

fn array<const N: usize>(header: &[u8; HEADER_BYTES], from: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&header[from..from + N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Record {
        Record {
            kind: RecordKind::FRAME,
            connection_id: 1_765_432_100_000_000_000,
            sequence: 7,
            received_ns: 1_765_432_101_123_456_789,
            payload: Bytes::from_static(b"0|H0STCNT0|001|005930"),
        }
    }

    const AT: Position = Position { segment: 3, offset: 48 };

    fn encoded() -> Vec<u8> {
        let mut out = Vec::new();
        encode(&sample(), 21, AT, &mut out);
        out
    }

    // The checksums come from another implementation (Python's zlib.crc32) over the bytes as the table above gives them.
    #[rustfmt::skip]
    const PINNED: [u8; 65] = [
        0xF5, 0x73, 0x6A, 0x72,  21, 0, 0, 0,  1, 0, 0, 0,
        0x00, 0x68, 0x92, 0x2B, 0x24, 0x13, 0x80, 0x18,
        7, 0, 0, 0, 0, 0, 0, 0,
        0x15, 0xFF, 0x88, 0x6E, 0x24, 0x13, 0x80, 0x18,
        0xC8, 0x2D, 0x38, 0x74,
        0xD6, 0xBE, 0x33, 0x03,
        b'0', b'|', b'H', b'0', b'S', b'T', b'C', b'N', b'T', b'0', b'|', b'0', b'0', b'1', b'|',
        b'0', b'0', b'5', b'9', b'3', b'0',
    ];

    #[test]
    fn bytes_never_change() {
        assert_eq!(encoded(), PINNED);
        assert_eq!(
            decode(&PINNED, AT),
            Decoded::Whole(Header {
                kind: RecordKind::FRAME,
                connection_id: 1_765_432_100_000_000_000,
                sequence: 7,
                received_ns: 1_765_432_101_123_456_789,
                payload_bytes: 21,
            })
        );
    }

    #[test]
    fn every_prefix_asks_for_more() {
        for end in 0..PINNED.len() {
            let want = if end < 44 { 44 } else { 65 };
            assert_eq!(decode(&PINNED[..end], AT), Decoded::NeedMore(want), "prefix of {end}");
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        for bit in 0..PINNED.len() * 8 {
            let mut bytes = PINNED;
            bytes[bit / 8] ^= 1 << (bit % 8);
            let want = match bit / 8 {
                0..4 => Damage::Marker,
                4..44 => Damage::Header,
                _ => Damage::Payload,
            };
            assert_eq!(decode(&bytes, AT), Decoded::Bad(want), "bit {bit}");
        }
    }

    #[test]
    fn a_record_at_another_place_is_none() {
        for at in [Position { segment: 4, offset: 48 }, Position { segment: 3, offset: 49 }] {
            assert_eq!(decode(&PINNED, at), Decoded::Bad(Damage::Header));
        }
    }

    #[test]
    fn an_impossible_length_is_refused_before_it_is_waited_for() {
        let mut out = Vec::new();
        encode(&sample(), 16 * 1024 * 1024 + 1, AT, &mut out);
        assert_eq!(decode(&out, AT), Decoded::Bad(Damage::Length { bytes: 16_777_217 }));
    }

    #[test]
    fn whole_bytes_counts_records_and_not_bytes() {
        let two = [encoded(), encoded()].concat();
        for (written, want) in [(0, 0), (64, 0), (65, 65), (129, 65), (130, 130)] {
            assert_eq!(whole_bytes(&two, written), want, "{written} written");
        }
    }

    #[test]
    fn debug_shows_no_payload() {
        assert!(!format!("{:?}", sample()).contains("H0ST"));
    }
}
