//! One message of a stream.
//!
//! The client hands out slices of its read buffer and a map of headers: kept for a whole batch they hold several times
//! what the message needs. So a message is copied once, and what it came in is given back. Messages of a consumer stand in
//! pages, one behind the other: a batch is taken and given back in a few large pieces.

use std::fmt;
use std::ops::Range;

use async_nats::HeaderMap;
use async_nats::jetstream::Message as Pulled;
use async_nats::jetstream::message::StreamMessage as Direct;
use bytes::{Bytes, BytesMut};

use crate::subject::MESSAGE_ID_HEADER;

/// A message of a stream, as it was stored.
#[derive(Clone)]
pub struct StreamMessage {
    /// Its sequence in the stream, from 1.
    pub stream_sequence: u64,
    /// When the server stored it, UTC ns.
    pub published_ns: i64,
    /// Subject, message id, payload and reply subject, one behind the other.
    bytes: Bytes,
    subject_end: usize,
    id_end: usize,
    payload_end: usize,
    has_id: bool,
    /// Headers that are not the message id: rare, and an empty list needs no memory of its own.
    others: Vec<(String, String)>,
}

/// Where the messages of a consumer are copied to. A page lasts as long as one of its messages.
#[derive(Default)]
pub(crate) struct Pages(BytesMut);

impl Pages {
    /// Many messages, and little beside a batch.
    const BYTES: usize = 64 << 10;

    /// A page that is as large as what comes next.
    fn of(bytes: usize) -> Self {
        Self(BytesMut::with_capacity(bytes))
    }

    fn copy(&mut self, parts: [&[u8]; 4]) -> Bytes {
        let bytes = parts.iter().map(|part| part.len()).sum();
        if self.0.capacity() < bytes {
            *self = Self::of(bytes.max(Self::BYTES));
        }
        for part in parts {
            self.0.extend_from_slice(part);
        }
        self.0.split().freeze()
    }
}

impl StreamMessage {
    /// A message of these parts.
    #[must_use]
    pub fn new(
        subject: &str,
        message_id: Option<&str>,
        payload: &[u8],
        stream_sequence: u64,
        published_ns: i64,
    ) -> Self {
        let bytes = subject.len() + message_id.map_or(0, str::len) + payload.len();
        let at = (stream_sequence, published_ns);
        Self::copy(subject, message_id, payload, "", at, &mut Pages::of(bytes))
    }

    /// Copies the parts into one piece.
    fn copy(
        subject: &str,
        message_id: Option<&str>,
        payload: &[u8],
        reply: &str,
        (stream_sequence, published_ns): (u64, i64),
        pages: &mut Pages,
    ) -> Self {
        let id = message_id.unwrap_or_default();
        let subject_end = subject.len();
        let id_end = subject_end + id.len();
        let payload_end = id_end + payload.len();
        let bytes = pages.copy([subject.as_bytes(), id.as_bytes(), payload, reply.as_bytes()]);
        let has_id = message_id.is_some();
        Self {
            stream_sequence,
            published_ns,
            bytes,
            subject_end,
            id_end,
            payload_end,
            has_id,
            others: Vec::new(),
        }
    }

    /// A message that was read by its sequence; none when its time cannot be one.
    pub(crate) fn read(message: &Direct) -> Option<Self> {
        let published_ns = i64::try_from(message.time.unix_timestamp_nanos()).ok()?;
        let id = message.headers.get(MESSAGE_ID_HEADER).map(async_nats::HeaderValue::as_str);
        let mut copy = Self::new(&message.subject, id, &message.payload, message.sequence, published_ns);
        // The server tells where the message was in headers of its own.
        copy.others =
            others(&message.headers, &["Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"]);
        Some(copy)
    }

    /// A message that a durable delivered; none when it has no reply subject.
    pub(crate) fn delivered(message: &Pulled, at: (u64, i64), pages: &mut Pages) -> Option<Self> {
        let headers = message.headers.as_ref();
        let id = headers.and_then(|headers| headers.get(MESSAGE_ID_HEADER));
        let id = id.map(async_nats::HeaderValue::as_str);
        let reply = message.reply.as_ref()?;
        let mut copy = Self::copy(&message.subject, id, &message.payload, reply, at, pages);
        copy.others = headers.map_or_else(Vec::new, |headers| others(headers, &[]));
        Some(copy)
    }

    /// The subject.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.text(0..self.subject_end)
    }

    /// The message id it was published with.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.has_id.then(|| self.text(self.subject_end..self.id_end))
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(self.id_end..self.payload_end).unwrap_or_default()
    }

    /// The payload to hand on, not copied.
    #[must_use]
    pub fn payload_bytes(&self) -> Bytes {
        self.bytes.slice(self.id_end..self.payload_end)
    }

    /// Where an acknowledgement goes, not copied; empty of a message that no durable delivered.
    pub(crate) fn reply_bytes(&self) -> Bytes {
        self.bytes.slice(self.payload_end..)
    }

    /// A header, the first of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        if name.eq_ignore_ascii_case(MESSAGE_ID_HEADER) {
            return self.message_id();
        }
        let mut others = self.others.iter();
        others.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All headers, the message id first, the others in no order.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        let id = self.message_id().map(|id| (MESSAGE_ID_HEADER.to_owned(), id.to_owned()));
        id.into_iter().chain(self.others.iter().cloned()).collect()
    }

    /// About what the message needs in memory, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let others: usize = self.others.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
        self.bytes.len() + others + size_of::<Self>()
    }

    /// The bytes were text when they came in.
    fn text(&self, range: Range<usize>) -> &str {
        std::str::from_utf8(self.bytes.get(range).unwrap_or_default()).unwrap_or_default()
    }
}

fn others(headers: &HeaderMap, but: &[&str]) -> Vec<(String, String)> {
    let mut others = Vec::new();
    for (name, values) in headers.iter() {
        let name: &str = name.as_ref();
        if name.eq_ignore_ascii_case(MESSAGE_ID_HEADER)
            || but.iter().any(|but| name.eq_ignore_ascii_case(but))
        {
            continue;
        }
        others.extend(values.iter().map(|value| (name.to_owned(), value.to_string())));
    }
    others
}

impl AsRef<Self> for StreamMessage {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for StreamMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamMessage")
            .field("subject", &self.subject())
            .field("stream_sequence", &self.stream_sequence)
            .field("bytes", &self.payload().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_come_out_as_they_went_in() {
        let message = StreamMessage::new("ticker.kr.kis.005930.krx", Some("t:1"), b"\xff\x00", 7, 9);
        assert_eq!((message.subject(), message.message_id()), ("ticker.kr.kis.005930.krx", Some("t:1")));
        assert_eq!((message.payload(), &message.payload_bytes()[..]), (&b"\xff\x00"[..], &b"\xff\x00"[..]));
        assert_eq!(message.headers(), [("Nats-Msg-Id".to_owned(), "t:1".to_owned())]);
        assert_eq!(message.header("nats-msg-id"), Some("t:1"));
        let bare = StreamMessage::new("a.b", None, b"", 1, 1);
        assert_eq!((bare.subject(), bare.message_id(), bare.payload()), ("a.b", None, &b""[..]));
        assert!(bare.headers().is_empty());
    }

    #[test]
    fn messages_of_a_consumer_share_pages_and_stay_what_they_are() {
        let mut pages = Pages::default();
        let payload = |sequence: u64| vec![u8::try_from(sequence % 251).expect("byte"); 700];
        let read = |sequence, pages: &mut Pages| {
            StreamMessage::copy("a.b", Some("t:1"), &payload(sequence), "$JS.ACK", (sequence, 1), pages)
        };
        let messages: Vec<_> = (0..1_000).map(|sequence| read(sequence, &mut pages)).collect();
        for (sequence, message) in (0..).zip(&messages) {
            assert_eq!(
                (message.stream_sequence, message.subject(), message.message_id()),
                (sequence, "a.b", Some("t:1"))
            );
            assert_eq!(
                (message.payload(), &message.reply_bytes()[..]),
                (&payload(sequence)[..], &b"$JS.ACK"[..])
            );
        }
        let follows =
            |one: &StreamMessage, next: &StreamMessage| one.bytes.as_ptr_range().end == next.bytes.as_ptr();
        let pages_begun = messages.windows(2).filter(|pair| !follows(&pair[0], &pair[1])).count();
        assert!((8..20).contains(&pages_begun), "{pages_begun}");
        // What is longer than a page has one of its own.
        let long = StreamMessage::copy("a.b", None, &[7; 100_000], "", (1, 1), &mut pages);
        assert_eq!(long.payload(), [7; 100_000]);
    }

    #[test]
    fn headers_beside_the_id_are_kept() {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", "t:1");
        headers.append("Trace", "x");
        headers.append("Trace", "y");
        headers.insert("Nats-Stream", "S");
        let others = others(&headers, &["Nats-Stream"]);
        assert_eq!(others, [("Trace".to_owned(), "x".to_owned()), ("Trace".to_owned(), "y".to_owned())]);
    }
}
