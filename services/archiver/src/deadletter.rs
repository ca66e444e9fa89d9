//! Messages that cannot be archived into dead letters: kept with subject, headers, sequence and reason, for a person.

use std::time::Duration;

use bus::subject::{ORIGINAL_ID_HEADER, REASON_HEADER, SEQUENCE_HEADER, STREAM_HEADER, SUBJECT_HEADER};
use bus::{ConnectError, NatsSettings, Outgoing, PublishError, Publisher, StreamMessage};

/// Header of a dead letter: headers of the message that are not its message id, as JSON.
const HEADERS_HEADER: &str = "Sise-Headers";
/// Header of a dead letter: the epoch of its stream, as the archive counts it.
pub const EPOCH_HEADER: &str = "Sise-Epoch";
/// Header of a dead letter whose payload was cut: the bytes it had.
pub const CUT_HEADER: &str = "Sise-Cut-From";
/// Bytes of a payload that are kept when the whole would be more than a server takes.
const CUT: usize = 512 << 10;
/// How long one try to publish may take before it is told of.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to the dead letters of one stream. Connects when it is first used.
pub struct DeadLetters {
    stream: String,
    settings: NatsSettings,
    publisher: Option<Publisher<()>>,
}

impl DeadLetters {
    /// The dead letters of `stream`.
    pub fn new(stream: &str, settings: &NatsSettings) -> Self {
        Self { stream: stream.to_owned(), settings: settings.clone(), publisher: None }
    }

    /// Publishes messages with their reasons and waits until the server has stored them, however long it takes: only
    /// then may they be acknowledged. `epoch_of` tells the epoch of a sequence.
    ///
    /// # Errors
    /// [`ConnectError`] when the settings cannot be meant.
    pub async fn keep(
        &mut self,
        letters: &[(&StreamMessage, String)],
        epoch_of: impl Fn(u64) -> u32,
    ) -> Result<(), ConnectError> {
        if letters.is_empty() {
            return Ok(());
        }
        let mut publisher = match self.publisher.take() {
            Some(publisher) => publisher,
            None => Publisher::new(&self.settings, "archiver")?,
        };
        for (message, reason) in letters {
            tracing::error!(
                stream = self.stream,
                sequence = message.stream_sequence,
                subject = message.subject(),
                reason,
                "message set aside"
            );
            let original = original(message, epoch_of(message.stream_sequence));
            let letter = letter(&self.stream, &original, reason, message.payload_bytes());
            if let Err(PublishError::TooLarge { outgoing }) = publisher.publish(letter, ()).await {
                let length = outgoing.payload.len();
                let reason = format!("{reason} (payload cut from {length} bytes)");
                let payload = message.payload_bytes().slice(..CUT.min(length));
                let cut = self::letter(&self.stream, &original, &reason, payload);
                // Half of what a server takes: nothing is left to refuse.
                let _fits = publisher.publish(cut.header(CUT_HEADER, length.to_string()), ()).await;
            }
        }
        while let Err(error) = publisher.drain(tokio::time::Instant::now() + PATIENCE).await {
            tracing::warn!(stream = self.stream, left = error.left, %error, "dead letters are not stored yet");
        }
        self.publisher = Some(publisher);
        Ok(())
    }
}

/// What a message was.
struct Original<'a> {
    subject: &'a str,
    message_id: Option<&'a str>,
    headers: Vec<(String, String)>,
    sequence: u64,
    epoch: u32,
    published_ns: i64,
}

fn original(message: &StreamMessage, epoch: u32) -> Original<'_> {
    Original {
        subject: message.subject(),
        message_id: message.message_id(),
        headers: message.headers(),
        sequence: message.stream_sequence,
        epoch,
        published_ns: message.published_ns,
    }
}

fn letter(stream: &str, original: &Original<'_>, reason: &str, payload: bytes::Bytes) -> Outgoing {
    // The time tells apart two messages that a stream had at one sequence before and after it was rolled back.
    let id = format!("d:{stream}:{}:{}", original.sequence, original.published_ns);
    let mut letter = Outgoing::new(bus::deadletter_of(original.subject), id, payload)
        .header(REASON_HEADER, reason)
        .header(SUBJECT_HEADER, original.subject)
        .header(STREAM_HEADER, stream)
        .header(SEQUENCE_HEADER, original.sequence.to_string())
        .header(EPOCH_HEADER, original.epoch.to_string());
    if let Some(id) = original.message_id {
        letter = letter.header(ORIGINAL_ID_HEADER, id);
    }
    let others: Vec<_> =
        original.headers.iter().filter(|(name, _)| name != bus::subject::MESSAGE_ID_HEADER).collect();
    if others.is_empty() {
        return letter;
    }
    letter.header(HEADERS_HEADER, serde_json::json!(others).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_tells_where_its_message_was_and_why_it_is_here() {
        let original = Original {
            subject: "ticker.kr.kis.005930.krx",
            message_id: Some("t:1"),
            headers: vec![("Nats-Msg-Id".into(), "t:1".into()), ("Trace".into(), "x".into())],
            sequence: 42,
            epoch: 3,
            published_ns: 7,
        };
        let letter = letter("TICKER_KR_KIS", &original, "not protobuf", bytes::Bytes::from_static(b"\xff"));
        assert_eq!(letter.subject.as_str(), "deadletter.kr.kis.event");
        assert_eq!((letter.message_id.as_str(), &letter.payload[..]), ("d:TICKER_KR_KIS:42:7", &b"\xff"[..]));
        let headers: Vec<_> = letter.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(
            headers,
            [
                ("Sise-Reason", "not protobuf"),
                ("Sise-Subject", "ticker.kr.kis.005930.krx"),
                ("Sise-Stream", "TICKER_KR_KIS"),
                ("Sise-Sequence", "42"),
                ("Sise-Epoch", "3"),
                ("Sise-Message-Id", "t:1"),
                ("Sise-Headers", r#"[["Trace","x"]]"#),
            ]
        );
    }
}
