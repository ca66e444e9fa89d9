//! Status events into rows of `feed_status`: common values in columns of their own, all values as JSON. A kind that has no
//! columns here is a row too, with its payload in hexadecimal digits. Cannot fail.

use std::fmt::Write as _;
use std::sync::Arc;

use clickhouse::Row;
use market::{Gap, Stamp, Status, Symbol};
use serde_json::{Value, json};

use super::{Position, Table, TableRow, text};

/// A row of `feed_status`. The fields are the columns.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Row)]
pub struct FeedStatusRow {
    market: &'static str,
    source: &'static str,
    what: String,
    trade_date: u16,
    received_ns: i64,
    connection_id: i64,
    frame_sequence: u64,
    record_index: u32,
    origin: &'static str,
    connection: String,
    tape: &'static str,
    symbol: String,
    reason: String,
    registration: String,
    code: String,
    text: String,
    detail: String,
    registered: Option<u32>,
    refused: Option<u32>,
    symbols: Vec<String>,
    since_ns: Option<i64>,
    from_ns: Option<i64>,
    until_ns: Option<i64>,
    event: String,
    #[serde(serialize_with = "text")]
    stream: Arc<str>,
    epoch: u32,
    stream_sequence: u64,
    event_id: u64,
}

impl FeedStatusRow {
    /// The row of a status. `payload` is what was published: it is kept for a kind that has no columns here.
    #[must_use]
    pub fn new(stamp: &Stamp, status: &Status, payload: &[u8], position: Position) -> Self {
        let mut row = Self::unknown(stamp, status.what(), payload, position);
        if let Some(values) = row.fill(status) {
            row.event = values.to_string();
        }
        row
    }

    /// The row of a status of a kind that this version does not know; `what` is the last token of its subject.
    #[must_use]
    pub fn unknown(stamp: &Stamp, what: &str, payload: &[u8], position: Position) -> Self {
        let days = market::calendar::trade_date(stamp.market, stamp.received_ns).days_since_epoch();
        Self {
            market: stamp.market.as_str(),
            source: stamp.source.as_str(),
            what: what.to_owned(),
            // A trade date is 0 to 65,535 days from 1970 by construction.
            trade_date: u16::try_from(days).unwrap_or(u16::MAX),
            received_ns: stamp.received_ns,
            connection_id: stamp.connection_id,
            frame_sequence: stamp.frame_sequence,
            record_index: stamp.record_index,
            origin: stamp.origin.as_str(),
            connection: String::new(),
            tape: "",
            symbol: String::new(),
            reason: String::new(),
            registration: String::new(),
            code: String::new(),
            text: String::new(),
            detail: String::new(),
            registered: None,
            refused: None,
            symbols: Vec::new(),
            since_ns: None,
            from_ns: None,
            until_ns: None,
            event: json!({ "payload": hex(payload) }).to_string(),
            stream: position.stream,
            epoch: position.epoch,
            stream_sequence: position.stream_sequence,
            event_id: position.event_id,
        }
    }

    /// Fills the columns of a kind and returns its values; none for a kind without columns.
    fn fill(&mut self, status: &Status) -> Option<Value> {
        Some(match status {
            Status::LinkUp { connection, registered, refused } => {
                self.connection.clone_from(connection);
                (self.registered, self.refused) = (Some(*registered), Some(*refused));
                json!({ "connection": connection, "registered": registered, "refused": refused })
            }
            Status::LinkDown { connection, reason } => {
                self.connection.clone_from(connection);
                self.reason.clone_from(reason);
                json!({ "connection": connection, "reason": reason })
            }
            Status::Refused { registration, code, text } => {
                self.registration.clone_from(registration);
                self.code.clone_from(code);
                self.text.clone_from(text);
                json!({ "registration": registration, "code": code, "text": text })
            }
            Status::Silent { symbols, since_ns } => {
                self.symbols = symbols.iter().map(Symbol::to_string).collect();
                self.since_ns = Some(*since_ns);
                json!({ "symbols": self.symbols, "since_ns": since_ns })
            }
            Status::GapOpened(gap) | Status::GapClosed(gap) => self.fill_gap(gap),
            Status::Ownership { change, uncovered } => {
                change.by.as_str().clone_into(&mut self.reason);
                self.detail.clone_from(&change.why);
                self.symbols = uncovered.iter().map(Symbol::to_string).collect();
                json!({ "change": change, "uncovered": self.symbols })
            }
            #[allow(unreachable_patterns, reason = "a kind that is new to the vocabulary is archived whole")]
            _ => return None,
        })
    }

    fn fill_gap(&mut self, gap: &Gap) -> Value {
        if let Some((tape, symbol)) = &gap.instrument {
            self.tape = tape.as_str();
            self.symbol = symbol.to_string();
        }
        self.connection = gap.connection.clone().unwrap_or_default();
        gap.reason.as_str().clone_into(&mut self.reason);
        self.detail.clone_from(&gap.detail);
        (self.from_ns, self.until_ns) = (Some(gap.from_ns), gap.until_ns);
        json!({
            "reason": self.reason,
            "connection": gap.connection,
            "tape": gap.instrument.as_ref().map(|(tape, _)| tape.as_str()),
            "symbol": gap.instrument.as_ref().map(|(_, symbol)| symbol.as_str()),
            "from_ns": gap.from_ns,
            "until_ns": gap.until_ns,
            "detail": gap.detail,
        })
    }
}

impl TableRow for FeedStatusRow {
    const TABLE: Table = Table::FeedStatus;

    fn event_id(&self) -> u64 {
        self.event_id
    }

    fn stream(&self) -> &str {
        &self.stream
    }

    fn stream_sequence(&self) -> u64 {
        self.stream_sequence
    }

    fn set_epoch(&mut self, epoch: u32) {
        self.epoch = epoch;
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _infallible = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use market::{GapReason, Market, Origin, Source, Tape};

    use super::*;
    use crate::row::tests::position;

    fn stamp() -> Stamp {
        Stamp {
            market: Market::Kr,
            source: Source::Kis,
            received_ns: 1_795_478_430_123_456_789,
            connection_id: 1_795_478_000_000_000_001,
            frame_sequence: 42,
            record_index: 1,
            origin: Origin::Live,
        }
    }

    fn json(row: &FeedStatusRow) -> Value {
        serde_json::to_value(row).expect("json")
    }

    #[test]
    fn every_value_of_a_gap_stands_in_its_column() {
        let gap = Gap {
            reason: GapReason::Disconnected,
            connection: Some("main".to_owned()),
            instrument: Some((Tape::Krx, Symbol::parse("005930").expect("symbol"))),
            from_ns: 1_795_478_400_000_000_000,
            until_ns: Some(1_795_478_430_000_000_000),
            detail: "cut".to_owned(),
        };
        let row = FeedStatusRow::new(&stamp(), &Status::GapClosed(gap), b"\x01", position(9, 77));
        let expected = serde_json::json!({
            "market": "kr", "source": "kis", "what": "gap_closed", "trade_date": 20_781,
            "received_ns": 1_795_478_430_123_456_789_i64, "connection_id": 1_795_478_000_000_000_001_i64,
            "frame_sequence": 42, "record_index": 1, "origin": "live", "connection": "main", "tape": "krx",
            "symbol": "005930", "reason": "disconnected", "registration": "", "code": "", "text": "",
            "detail": "cut", "registered": null, "refused": null, "symbols": [], "since_ns": null,
            "from_ns": 1_795_478_400_000_000_000_i64, "until_ns": 1_795_478_430_000_000_000_i64,
            "event": "{\"connection\":\"main\",\"detail\":\"cut\",\"from_ns\":1795478400000000000,\
                       \"reason\":\"disconnected\",\"symbol\":\"005930\",\"tape\":\"krx\",\
                       \"until_ns\":1795478430000000000}",
            "stream": "TICKER_KR_KIS", "epoch": 2, "stream_sequence": 9, "event_id": 77,
        });
        assert_eq!(json(&row), expected);
    }

    #[test]
    fn the_other_kinds_fill_their_columns() {
        let row = |status: Status| json(&FeedStatusRow::new(&stamp(), &status, b"", position(1, 2)));
        let up = row(Status::LinkUp { connection: "a".to_owned(), registered: 40, refused: 1 });
        assert_eq!((&up["what"], &up["connection"]), (&Value::from("link_up"), &Value::from("a")));
        assert_eq!((&up["registered"], &up["refused"]), (&Value::from(40), &Value::from(1)));
        let refused = Status::Refused {
            registration: "H0STCNT0 1".to_owned(),
            code: "OPSP8993".to_owned(),
            text: "no".to_owned(),
        };
        let refused = row(refused);
        assert_eq!(
            [&refused["registration"], &refused["code"], &refused["text"]],
            ["H0STCNT0 1", "OPSP8993", "no"].map(Value::from).each_ref()
        );
        let symbols = vec![Symbol::parse("005930").expect("symbol")];
        let silent = row(Status::Silent { symbols, since_ns: 5 });
        assert_eq!((&silent["symbols"][0], &silent["since_ns"]), (&Value::from("005930"), &Value::from(5)));
        let down = row(Status::LinkDown { connection: "a".to_owned(), reason: "reset".to_owned() });
        assert_eq!((&down["connection"], &down["reason"]), (&Value::from("a"), &Value::from("reset")));
    }

    #[test]
    fn an_unknown_kind_is_kept_whole() {
        let row = json(&FeedStatusRow::unknown(&stamp(), "owner", b"\x00\xa5\xff", position(1, 2)));
        assert_eq!(row["what"], "owner");
        assert_eq!(row["event"], r#"{"payload":"00a5ff"}"#);
        assert_eq!(row["received_ns"], 1_795_478_430_123_456_789_i64);
    }
}
