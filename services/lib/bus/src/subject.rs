//! Event to subject, subject to stream.
//!
//! `<kind>.<market>.<source>.<symbol>.<tape>`: `ticker.kr.kis.005930.krx`, `orderbook.us.kis.BRK/B.us`. Recovered
//! trades stand under `recovered.`, where no live view listens; statuses under `status.<market>.<source>.<what>`;
//! what could not be understood or stored under `deadletter.<market>.<source>.<what>`.

use std::fmt::Write as _;

use market::universe::Kind;
use market::{At, Body, Event, Market, Origin, Source};

/// Header of every message: the message id by which the server and the archive tell copies from events.
pub const MESSAGE_ID_HEADER: &str = "Nats-Msg-Id";
/// Header of a dead letter: why it is one.
pub const REASON_HEADER: &str = "Sise-Reason";
/// Header of a dead letter that was a message: the subject it had.
pub const SUBJECT_HEADER: &str = "Sise-Subject";
/// Header of a dead letter that was a message: the stream it was read from.
pub const STREAM_HEADER: &str = "Sise-Stream";
/// Header of a dead letter that was a message: its sequence in that stream.
pub const SEQUENCE_HEADER: &str = "Sise-Sequence";
/// Header of a dead letter that was a message: the message id it had.
pub const ORIGINAL_ID_HEADER: &str = "Sise-Message-Id";

/// The subject of an event.
#[must_use]
pub fn subject(event: &Event) -> String {
    let (market, source) = (event.stamp.market, event.stamp.source);
    let recovered = event.stamp.origin == Origin::Recovered;
    match &event.body {
        Body::Trade(trade) => instrument(recovered, Kind::Ticker, market, source, &trade.at),
        Body::OrderBook(book) => instrument(recovered, Kind::Orderbook, market, source, &book.at),
        Body::Status(status) => format!("status.{market}.{source}.{}", status.what()),
    }
}

fn instrument(recovered: bool, kind: Kind, market: Market, source: Source, at: &At) -> String {
    let mut subject = String::with_capacity(64);
    if recovered {
        subject.push_str("recovered.");
    }
    // Writing to a String cannot fail.
    let _infallible = write!(subject, "{kind}.{market}.{source}.{}.{}", at.symbol, at.tape);
    subject
}

/// Where a frame goes that could not be understood: `deadletter.<market>.<source>.frame`.
#[must_use]
pub fn deadletter_subject(market: Market, source: Source) -> String {
    format!("deadletter.{market}.{source}.frame")
}

/// Where a message goes that could not be decoded or stored: `deadletter.<market>.<source>.event`, or
/// `deadletter.unknown.event` when its subject is none of ours.
#[must_use]
pub fn deadletter_of(subject: &str) -> String {
    match market_and_source(subject) {
        Some((market, source)) => format!("deadletter.{market}.{source}.event"),
        None => "deadletter.unknown.event".to_owned(),
    }
}

/// The market and the source that a subject names.
#[must_use]
pub fn market_and_source(subject: &str) -> Option<(Market, Source)> {
    let subject = subject.strip_prefix("recovered.").unwrap_or(subject);
    let mut tokens = subject.split('.').skip(1);
    Some((Market::from_word(tokens.next()?)?, Source::from_word(tokens.next()?)?))
}

/// The stream that keeps a subject; none when the subject is none of ours.
#[must_use]
pub fn stream_name(subject: &str) -> Option<String> {
    match subject.split_once('.')?.0 {
        "recovered" => Some("RECOVERED".to_owned()),
        "status" => Some("STATUS".to_owned()),
        "deadletter" => Some("DEADLETTER".to_owned()),
        kind => {
            let kind = Kind::from_word(kind)?;
            let (market, source) = market_and_source(subject)?;
            Some(format!("{kind}_{market}_{source}").to_uppercase())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn live_events_stand_by_kind_market_source_symbol_and_tape() {
        assert_eq!(subject(&samples::trade()), "ticker.kr.kis.005930.krx");
        assert_eq!(subject(&samples::order_book()), "orderbook.us.kis.BRK/B.us");
    }

    #[test]
    fn recovered_events_stand_apart() {
        let mut event = samples::trade();
        event.stamp.origin = Origin::Recovered;
        assert_eq!(subject(&event), "recovered.ticker.kr.kis.005930.krx");
        assert_eq!(stream_name(&subject(&event)).as_deref(), Some("RECOVERED"));
    }

    #[test]
    fn statuses_stand_by_what_changed() {
        let subjects: Vec<_> = samples::statuses().iter().map(subject).collect();
        assert_eq!(
            subjects,
            [
                "link_up",
                "link_down",
                "refused",
                "silent",
                "gap_opened",
                "gap_closed",
                "ownership",
                "gap_opened",
                "gap_closed",
                "recovery",
                "day_total",
            ]
            .map(|what| format!("status.kr.kis.{what}"))
        );
    }

    #[test]
    fn each_subject_has_its_stream() {
        for (subject, stream) in [
            ("ticker.kr.kis.005930.krx", Some("TICKER_KR_KIS")),
            ("orderbook.kr.kiwoom.000660.nxt", Some("ORDERBOOK_KR_KIWOOM")),
            ("ticker.us.kis.AAPL.day", Some("TICKER_US_KIS")),
            ("status.kr.kis.link_up", Some("STATUS")),
            ("deadletter.kr.kis.frame", Some("DEADLETTER")),
            ("ticker.jp.kis.7203.tse", None),
            ("rest.kiwoom.ka10084", None),
            ("ticker", None),
        ] {
            assert_eq!(stream_name(subject).as_deref(), stream, "{subject}");
        }
    }

    #[test]
    fn dead_letters_keep_market_and_source() {
        assert_eq!(deadletter_subject(Market::Us, Source::Kis), "deadletter.us.kis.frame");
        assert_eq!(deadletter_of("recovered.ticker.kr.kiwoom.005930.krx"), "deadletter.kr.kiwoom.event");
        assert_eq!(deadletter_of("ticker.kr.kis.005930.krx"), "deadletter.kr.kis.event");
        assert_eq!(deadletter_of("something.else"), "deadletter.unknown.event");
    }
}
