//! The first 48 bytes of a segment: which it is, when it was begun, where the one before it ended. Plain functions, no
//! file. All numbers are little-endian.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `SISEJRNL` |
//! | 8 | 4 | format version, u32: 1 |
//! | 12 | 4 | CRC-32 (IEEE) of bytes 0 to 11 and 16 to 47 |
//! | 16 | 8 | number of the segment, u64, as in the name |
//! | 24 | 8 | time of creation, i64, UTC ns |
//! | 32 | 16 | where the journal ended when this segment was begun: segment (u64), offset (u64); zeros for the first |
//!
//! The last field makes a missing segment and a shortened one visible, and lets a reader whose position is the end of a
//! deleted segment go on without a hole.

use crate::Position;

/// Bytes before the first record.
pub(crate) const HEADER_BYTES: u64 = 48;
/// The format written and read here.
pub(crate) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"SISEJRNL";

/// What the header of a segment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u64,
    pub(crate) created_ns: i64,
    pub(crate) previous: Position,
}

/// Why a header cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    Damaged(&'static str),
    Version(u32),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; 48] {
        let mut out = [0; 48];
        out[0..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[16..24].copy_from_slice(&self.number.to_le_bytes());
        out[24..32].copy_from_slice(&self.created_ns.to_le_bytes());
        out[32..40].copy_from_slice(&self.previous.segment.to_le_bytes());
        out[40..48].copy_from_slice(&self.previous.offset.to_le_bytes());
        let checksum = checksum(&out);
        out[12..16].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// The header of segment `number`, from the beginning of its content.
    pub(crate) fn decode(bytes: &[u8], number: u64) -> Result<SegmentHeader, HeaderFault> {
        let Some(header) = bytes.first_chunk::<48>() else {
            return Err(HeaderFault::Damaged("shorter than a header"));
        };
        if header[0..8] != MAGIC {
            return Err(HeaderFault::Damaged("does not begin with SISEJRNL"));
        }
        if u32::from_le_bytes(array(header, 12)) != checksum(header) {
            return Err(HeaderFault::Damaged("checksum does not match"));
        }
        let version = u32::from_le_bytes(array(header, 8));
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        if u64::from_le_bytes(array(header, 16)) != number {
            return Err(HeaderFault::Damaged("names another segment than the file's name"));
        }
        Ok(SegmentHeader {
            number,
            created_ns: i64::from_le_bytes(array(header, 24)),
            previous: Position {
                segment: u64::from_le_bytes(array(header, 32)),
                offset: u64::from_le_bytes(array(header, 40)),
            },
        })
    }
}

fn checksum(header: &[u8; 48]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[0..12]);
    hasher.update(&header[16..48]);
    hasher.finalize()
}

fn array<const N: usize>(header: &[u8; 48], from: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&header[from..from + N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader = SegmentHeader {
        number: 3,
        created_ns: 1_765_432_100_000_000_000,
        previous: Position { segment: 2, offset: 4096 },
    };

    // The checksum comes from another implementation (Python's zlib.crc32).
    #[rustfmt::skip]
    const PINNED: [u8; 48] = [
        b'S', b'I', b'S', b'E', b'J', b'R', b'N', b'L',  1, 0, 0, 0,  0x5B, 0x34, 0x1E, 0xCB,
        3, 0, 0, 0, 0, 0, 0, 0,
        0x00, 0x68, 0x92, 0x2B, 0x24, 0x13, 0x80, 0x18,
        2, 0, 0, 0, 0, 0, 0, 0,  0, 0x10, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn bytes_never_change() {
        assert_eq!(HEADER.encode(), PINNED);
        assert_eq!(SegmentHeader::decode(&PINNED, 3), Ok(HEADER));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        for bit in 0..48 * 8 {
            let mut bytes = PINNED;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(SegmentHeader::decode(&bytes, 3), Err(HeaderFault::Damaged(_))), "bit {bit}");
        }
    }

    #[test]
    fn a_renamed_file_and_a_newer_format_are_told_apart() {
        let renamed = HeaderFault::Damaged("names another segment than the file's name");
        assert_eq!(SegmentHeader::decode(&PINNED, 4), Err(renamed));
        let mut newer = PINNED;
        newer[8] = 2;
        let sum = checksum(&newer);
        newer[12..16].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&newer, 3), Err(HeaderFault::Version(2)));
    }
}
