//! A sequence of events, each with its length in front: what `sise decode --stream` reads.

use std::io::{self, Read};

use bytes::{BufMut as _, BytesMut};
use market::Event;

use crate::decode_error::DecodeError;
use crate::from_proto::decode;
use crate::to_proto::encode;

/// The longest payload read from a length-delimited stream, in bytes: no event comes near, and a length that was
/// read from garbage must not be allocated.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// Why a length-delimited stream could not be read on.
#[derive(Debug, thiserror::Error)]
pub enum DelimitedError {
    /// The reader failed, or ended inside an event.
    #[error("cannot read the event stream: {0}")]
    Read(#[from] io::Error),
    /// A length that no event has: the stream is something else, or lost its beat.
    #[error("event length {length} is above {MAX_PAYLOAD} bytes")]
    TooLong {
        /// The length read.
        length: u64,
    },
    /// The payload is no event; reading on with the next is possible.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Reads the next event of a length-delimited stream; `None` at its end. Give it a buffered reader.
///
/// # Errors
/// [`DelimitedError`]; after [`DelimitedError::Decode`] the next event can be read.
pub fn decode_delimited(reader: &mut impl Read) -> Result<Option<Event>, DelimitedError> {
    let Some(length) = read_length(reader)? else { return Ok(None) };
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= MAX_PAYLOAD)
        .ok_or(DelimitedError::TooLong { length })?;
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload)?;
    Ok(Some(decode(&payload)?))
}

/// Appends one event to a length-delimited stream.
pub fn encode_delimited(event: &Event, out: &mut BytesMut) {
    let payload = encode(event);
    let mut length = payload.len();
    while length > 0x7f {
        out.put_u8(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    out.put_u8(u8::try_from(length).unwrap_or_default());
    out.put_slice(&payload);
}

fn read_length(reader: &mut impl Read) -> Result<Option<u64>, DelimitedError> {
    let mut length = 0;
    for index in 0..10 {
        let mut byte = [0];
        match reader.read_exact(&mut byte) {
            Err(error) if index == 0 && error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        length |= u64::from(byte[0] & 0x7f) << (7 * index);
        if byte[0] & 0x80 == 0 {
            return Ok(Some(length));
        }
    }
    Err(DelimitedError::TooLong { length })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn events_come_back_one_by_one() {
        let events = [vec![samples::trade(), samples::order_book()], samples::statuses()].concat();
        let mut stream = BytesMut::new();
        for event in &events {
            encode_delimited(event, &mut stream);
        }
        let mut reader = &stream[..];
        let mut read = Vec::new();
        while let Some(event) = decode_delimited(&mut reader).expect("event") {
            read.push(event);
        }
        assert_eq!(read, events);
    }

    #[test]
    fn the_length_is_a_varint() {
        let mut stream = BytesMut::new();
        encode_delimited(&samples::order_book(), &mut stream);
        // 0xbb 0x01 is 187.
        assert_eq!((stream.len(), &stream[..2]), (189, &[0xbb, 0x01][..]));
    }

    #[test]
    fn a_bad_event_does_not_end_the_stream() {
        let mut stream = BytesMut::from(&[2, 0x08, 0x07][..]);
        encode_delimited(&samples::trade(), &mut stream);
        let mut reader = &stream[..];
        assert!(matches!(decode_delimited(&mut reader), Err(DelimitedError::Decode(_))));
        assert_eq!(decode_delimited(&mut reader).expect("event"), Some(samples::trade()));
    }

    #[test]
    fn garbage_is_named_and_not_allocated() {
        let read = |bytes: &[u8]| decode_delimited(&mut &bytes[..]);
        assert!(matches!(read(&[0xff; 10]), Err(DelimitedError::TooLong { .. })));
        assert!(matches!(read(&[0x81, 0x80, 0x40]), Err(DelimitedError::TooLong { length: 1_048_577 })));
        assert!(matches!(read(&[5, 1, 2]), Err(DelimitedError::Read(_))));
        assert!(matches!(read(&[0x80]), Err(DelimitedError::Read(_))));
        assert!(matches!(read(&[]), Ok(None)));
    }
}
