//! Status events into rows of `feed_status`: common values in columns of their own, all values as JSON. A kind that has no
//! columns here is a row too, with its payload in hexadecimal digits. Cannot fail.

use std::fmt::Write as _;
use std::sync::Arc;

use clickhouse::Row;
use market::{DayTotal, Gap, Quantity, Recovery, Stamp, Status, Symbol, TradeDate};
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
    after: Option<i64>,
    until: Option<i64>,
    residue: Option<i64>,
    method: &'static str,
    asked: Option<u32>,
    returned: Option<u64>,
    added: Option<u64>,
    added_volume: Option<i64>,
    proof: &'static str,
    started_ns: Option<i64>,
    volume: Option<i64>,
    is_final: Option<bool>,
    off_hours: Option<i64>,
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
        if let Some((tape, symbol)) = status.instrument() {
            row.tape = tape.as_str();
            row.symbol = symbol.to_string();
        }
        // What is said of a day's volume stands at that day, however late it is said.
        row.trade_date = status.trade_date().map_or(row.trade_date, days);
        if let Some(values) = row.fill(status) {
            row.event = values.to_string();
        }
        row
    }

    /// The row of a status of a kind that this version does not know; `what` is the last token of its subject.
    #[must_use]
    pub fn unknown(stamp: &Stamp, what: &str, payload: &[u8], position: Position) -> Self {
        let trade_date = days(market::calendar::trade_date(stamp.market, stamp.received_ns));
        Self {
            market: stamp.market.as_str(),
            source: stamp.source.as_str(),
            what: what.to_owned(),
            trade_date,
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
            after: None,
            until: None,
            residue: None,
            method: "",
            asked: None,
            returned: None,
            added: None,
            added_volume: None,
            proof: "",
            started_ns: None,
            volume: None,
            is_final: None,
            off_hours: None,
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
            Status::Recovery(recovery) => self.fill_recovery(recovery),
            Status::DayTotal(total) => self.fill_day_total(total),
            #[allow(unreachable_patterns, reason = "a kind that is new to the vocabulary is archived whole")]
            _ => return None,
        })
    }

    fn fill_gap(&mut self, gap: &Gap) -> Value {
        self.connection = gap.connection.clone().unwrap_or_default();
        gap.reason.as_str().clone_into(&mut self.reason);
        self.detail.clone_from(&gap.detail);
        (self.from_ns, self.until_ns) = (Some(gap.from_ns), gap.until_ns);
        let mut values = json!({
            "reason": self.reason,
            "connection": gap.connection,
            "tape": gap.instrument.as_ref().map(|(tape, _)| tape.as_str()),
            "symbol": gap.instrument.as_ref().map(|(_, symbol)| symbol.as_str()),
            "from_ns": gap.from_ns,
            "until_ns": gap.until_ns,
            "detail": gap.detail,
        });
        if let Some(missing) = gap.volume {
            (self.after, self.until) = (Some(missing.after.units()), Some(missing.until.units()));
            self.residue = missing.residue.map(Quantity::units);
            values["volume"] = json!({
                "trade_date": missing.trade_date.to_string(),
                "after": self.after,
                "until": self.until,
                "residue": self.residue,
            });
        }
        values
    }

    fn fill_recovery(&mut self, recovery: &Recovery) -> Value {
        (self.after, self.until) = (Some(recovery.after.units()), Some(recovery.until.units()));
        self.method = recovery.method.as_str();
        (self.asked, self.returned, self.added) =
            (Some(recovery.asked), Some(recovery.returned), Some(recovery.added));
        (self.added_volume, self.residue) = (Some(recovery.added_volume.units()), Some(recovery.residue));
        self.proof = recovery.proof.as_str();
        self.started_ns = Some(recovery.started_ns);
        self.detail.clone_from(&recovery.detail);
        json!({
            "tape": self.tape,
            "symbol": self.symbol,
            "trade_date": recovery.trade_date.to_string(),
            "after": self.after,
            "until": self.until,
            "method": self.method,
            "asked": self.asked,
            "returned": self.returned,
            "added": self.added,
            "added_volume": self.added_volume,
            "residue": self.residue,
            "proof": self.proof,
            "started_ns": self.started_ns,
            "detail": self.detail,
        })
    }

    fn fill_day_total(&mut self, total: &DayTotal) -> Value {
        self.method = total.method.as_str();
        (self.volume, self.off_hours) = (Some(total.volume.units()), Some(total.off_hours.units()));
        self.is_final = Some(total.is_final);
        json!({
            "tape": self.tape,
            "symbol": self.symbol,
            "trade_date": total.trade_date.to_string(),
            "volume": self.volume,
            "method": self.method,
            "is_final": self.is_final,
            "off_hours": self.off_hours,
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

fn days(trade_date: TradeDate) -> u16 {
    // A trade date is 0 to 65,535 days from 1970 by construction.
    u16::try_from(trade_date.days_since_epoch()).unwrap_or(u16::MAX)
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
mod tests;
