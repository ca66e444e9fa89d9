//! The publisher's checkpoints to the bytes beside the saved position, and back: JSON, a list a checkpoint.

use bus::publisher::Checkpoint;
use journal::Position;

/// Stream, sequence, message id, ordinal, segment, offset.
type Saved<T> = (T, u64, T, u64, u64, u64);

/// The bytes to save.
pub fn to_bytes<'a>(checkpoints: impl Iterator<Item = &'a Checkpoint<Position>>) -> Vec<u8> {
    let saved: Vec<Saved<&str>> = checkpoints
        .map(|checkpoint| {
            let Position { segment, offset } = checkpoint.tag;
            let (id, ordinal) = (checkpoint.message_id.as_str(), checkpoint.ordinal);
            (&*checkpoint.stream, checkpoint.sequence, id, ordinal, segment, offset)
        })
        .collect();
    // A list of texts and numbers can always be written.
    serde_json::to_vec(&saved).unwrap_or_default()
}

/// The checkpoints that were saved; none when there were none.
///
/// # Errors
/// When the bytes are something else.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<Checkpoint<Position>>, serde_json::Error> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let saved: Vec<Saved<String>> = serde_json::from_slice(bytes)?;
    let checkpoint = |(stream, sequence, message_id, ordinal, segment, offset): Saved<String>| Checkpoint {
        stream: stream.into(),
        sequence,
        message_id,
        ordinal,
        tag: Position { segment, offset },
    };
    Ok(saved.into_iter().map(checkpoint).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_never_change() {
        let checkpoint = Checkpoint {
            stream: "STATUS".into(),
            sequence: 7,
            message_id: "s:1:2:3:link_up".to_owned(),
            ordinal: 900,
            tag: Position { segment: 4, offset: 48 },
        };
        let bytes = to_bytes([&checkpoint].into_iter());
        assert_eq!(bytes, br#"[["STATUS",7,"s:1:2:3:link_up",900,4,48]]"#);
        assert_eq!(from_bytes(&bytes).expect("read"), [checkpoint]);
        assert!(from_bytes(b"").expect("nothing").is_empty());
        assert!(from_bytes(b"[[7]]").is_err());
    }
}
