//! ClickHouse's own block compression (`decompress=1` for bodies, `compress=1` for answers).
//!
//! A stream of frames: checksum (16 bytes, CityHash128 1.0.2 of what follows), method (1 byte: `0x82` LZ4, `0x02`
//! none), size of method, sizes and data (u32, little endian), size when unpacked (u32), data.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};

use crate::error::Exception;

const CHECKSUM: usize = 16;
const HEADER: usize = 9;
const LZ4: u8 = 0x82;
const NONE: u8 = 0x02;
/// Largest frame taken, packed or not: ClickHouse refuses more than 1 GiB (`DBMS_MAX_COMPRESSED_SIZE`), clients send
/// about 256 KiB; a header alone must not make this process reserve more than this.
const MAX_FRAME: usize = 256 << 20;
/// Unpacked bytes in one frame of an answer, as ClickHouse's own buffer.
const FRAME_DATA: usize = 1 << 20;

fn checksum(frame: &[u8]) -> u128 {
    cityhash_rs::cityhash_102_128(frame).rotate_right(64)
}

/// Packs `data` into LZ4 frames.
#[must_use]
pub fn encode(data: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    for part in data.chunks(FRAME_DATA) {
        let packed = lz4_flex::block::compress(part);
        let sizes = (u32::try_from(HEADER + packed.len()), u32::try_from(part.len()));
        let (Ok(packed_size), Ok(size)) = sizes else { continue };
        let start = out.len() + CHECKSUM;
        out.reserve(CHECKSUM + HEADER + packed.len());
        out.put_bytes(0, CHECKSUM);
        out.put_u8(LZ4);
        out.put_u32_le(packed_size);
        out.put_u32_le(size);
        out.put_slice(&packed);
        let sum = checksum(out.get(start..).unwrap_or_default()).to_le_bytes();
        if let Some(place) = out.get_mut(start - CHECKSUM..start) {
            place.copy_from_slice(&sum);
        }
    }
    out.freeze()
}

/// Unpacks the first frame of `input`, if it is whole.
fn decode(input: &mut BytesMut) -> Result<Option<Bytes>, Exception> {
    let mut header = input.get(CHECKSUM..CHECKSUM + HEADER).unwrap_or_default();
    if header.len() < HEADER {
        return Ok(None);
    }
    let method = header.get_u8();
    let (packed, size) = (header.get_u32_le() as usize, header.get_u32_le() as usize);
    if method != LZ4 && method != NONE {
        return Err(Exception::unknown_compression(format!(
            "Unknown compression method of a block: 0x{method:02x} (known: LZ4 0x82, none 0x02)"
        )));
    }
    if !(HEADER..=MAX_FRAME).contains(&packed) || size > MAX_FRAME {
        return Err(Exception::cannot_decompress(format!(
            "A compressed block says {packed} bytes packed, {size} unpacked; at most {MAX_FRAME} are taken"
        )));
    }
    if input.len() < CHECKSUM + packed {
        input.reserve(CHECKSUM + packed - input.len());
        return Ok(None);
    }
    let mut frame = input.split_to(CHECKSUM + packed).freeze();
    let expected = frame.get_u128_le();
    if checksum(&frame) != expected {
        return Err(Exception::checksum(
            "Checksum doesn't match: corrupted data in a compressed block of the body",
        ));
    }
    let data = frame.slice(HEADER..);
    if method == NONE {
        return Ok(Some(data));
    }
    lz4_flex::block::decompress(&data, size).map(|unpacked| Some(Bytes::from(unpacked))).map_err(|error| {
        Exception::cannot_decompress(format!("Cannot decompress a block of the body: {error}"))
    })
}

/// Unpacks a stream of frames cut anywhere.
pub fn decoded<S>(stream: S) -> impl Stream<Item = Result<Bytes, Exception>> + Send + 'static
where
    S: Stream<Item = Result<Bytes, Exception>> + Send + Unpin + 'static,
{
    let state = (stream, BytesMut::new());
    futures_util::stream::try_unfold(state, |(mut stream, mut input)| async move {
        loop {
            if let Some(data) = decode(&mut input)? {
                return Ok(Some((data, (stream, input))));
            }
            match stream.next().await.transpose()? {
                Some(more) => input.extend_from_slice(&more),
                None if input.is_empty() => return Ok(None),
                None => {
                    let left = input.len();
                    return Err(Exception::cannot_decompress(format!(
                        "The body ends inside a compressed block ({left} bytes of it have come)"
                    )));
                }
            }
        }
    })
    .into_stream()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(bytes: &[u8], step: usize) -> Result<Vec<u8>, Exception> {
        let pieces: Vec<_> = bytes.chunks(step).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let stream = Box::pin(decoded(futures_util::stream::iter(pieces)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(stream.try_fold(Vec::new(), async |mut all, piece| {
            all.extend_from_slice(&piece);
            Ok(all)
        }))
    }

    #[test]
    fn frames_come_back_however_they_are_cut() {
        let data: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 7).to_le_bytes()[0]).collect();
        let packed = encode(&data);
        assert!(packed.len() < data.len());
        assert_eq!(unpack(&packed, 1 << 16).unwrap(), data);
        let small = encode(b"hello hello hello hello");
        for step in 1..small.len() {
            assert_eq!(unpack(&small, step).unwrap(), b"hello hello hello hello");
        }
    }

    /// The frame that ClickHouse's documentation of the client shows for the 22 bytes of a RowBinary block.
    #[test]
    fn reads_a_frame_of_the_official_client() {
        let frame = [
            245_u8, 5, 222, 235, 225, 158, 59, 108, 225, 31, 65, 215, 66, 66, 36, 92, 0x82, 34, 0, 0, 0, 23,
            0, 0, 0, 240, 8, 1, 0, 2, 255, 255, 255, 255, 0, 1, 1, 1, 115, 6, 83, 116, 114, 105, 110, 103, 3,
            97, 98, 99,
        ];
        let data =
            [1_u8, 0, 2, 255, 255, 255, 255, 0, 1, 1, 1, 115, 6, 83, 116, 114, 105, 110, 103, 3, 97, 98, 99];
        assert_eq!(unpack(&frame, 7).unwrap(), data);
    }

    #[test]
    fn damage_is_told_apart() {
        let mut packed = encode(b"hello hello").to_vec();
        assert_eq!(unpack(&packed[..packed.len() - 1], 9).unwrap_err().code, 271);
        *packed.last_mut().unwrap() ^= 1;
        assert_eq!(unpack(&packed, 9).unwrap_err().code, 40);
        let mut unknown = encode(b"hello hello").to_vec();
        unknown[16] = 0x90;
        assert_eq!(unpack(&unknown, 9).unwrap_err().code, 89);
        let mut huge = encode(b"hello hello").to_vec();
        huge[20] = 0xff;
        assert_eq!(unpack(&huge, 9).unwrap_err().code, 271);
    }
}
