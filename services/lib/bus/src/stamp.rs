//! The stamp of a payload whose body this version does not know: what came from a newer version still has a place and a
//! time.

use market::Stamp;
use prost::Message as _;

use crate::decode_error::DecodeError;
use crate::generated as proto;
use crate::words;

/// Reads the stamp of a payload and nothing else of it.
///
/// # Errors
/// [`DecodeError`] when it is no event, or its market, source or origin is unknown.
pub fn decode_stamp(payload: &[u8]) -> Result<Stamp, DecodeError> {
    let message = proto::Event::decode(payload)
        .map_err(|error| DecodeError::Malformed { problem: error.to_string() })?;
    Ok(Stamp {
        market: words::market_from_proto(message.market)?,
        source: words::source_from_proto(message.source)?,
        received_ns: message.received_ns,
        connection_id: message.connection_id,
        frame_sequence: message.frame_sequence,
        record_index: message.record_index,
        origin: words::origin_from_proto(message.origin)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_is_read_whatever_the_body_is() {
        let event = crate::samples::trade();
        let payload = crate::to_proto::encode(&event);
        assert_eq!(decode_stamp(&payload), Ok(event.stamp));
        // Field 14 (status) with an unknown kind: field 99, a message of two bytes.
        let stamp = proto::Event { body: None, ..proto::Event::decode(&payload[..]).expect("event") };
        let mut newer = stamp.encode_to_vec();
        newer.extend_from_slice(&[0x72, 0x05, 0x9a, 0x06, 0x02, 0x08, 0x01]);
        assert_eq!(crate::from_proto::decode(&newer), Err(DecodeError::NoStatus));
        assert_eq!(decode_stamp(&newer), Ok(event.stamp));
        assert!(decode_stamp(b"\xff\xff").is_err());
    }
}
