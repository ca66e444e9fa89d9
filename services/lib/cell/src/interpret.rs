//! A journal record to the messages it stands for: events, dead letters, status. No I/O and no clock: the same record
//! gives the same messages with the same ids, today and after a restart.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use broker::feed::{FrameParser, Item, Refusal, SideVolumes};
use bus::publisher::Outgoing;
use bus::subject::{REASON_HEADER, deadletter_subject};
use journal::{Record, RecordKind};
use market::{
    Body, Change, Event, Gap, GapReason, Market, Origin, Source, Stamp, Status, Symbol, Tape, Trade,
};
use tracing::{error, info, warn};

use crate::chain::Chains;
use crate::gaps::{Gaps, Of};
use crate::note::{Noted, What};

/// Status messages of a frame are numbered from here, so that none shares its name with a record of the frame.
const STATUS_INDEX: u32 = 1 << 31;
/// Statuses about damage beside a record, so that none shares its name with a status of the record itself.
const DAMAGE_INDEX: u32 = 1 << 28;
/// Statuses about the cumulative volume, beside all others: what is known of it after a restart may be less, and must not
/// change the names of the others.
const CHAIN_INDEX: u32 = 1 << 29;
/// So many refusals in a row, with nothing accepted in between, are no bad luck: the broker has changed its wire.
const ALARM_AFTER: u32 = 50;
/// Instruments whose last side volumes are remembered: more than any universe has.
const MOST_SIDES: usize = 20_000;

/// Connections whose names are remembered: each lives for hours, and its end is told.
const MOST_CONNECTIONS: usize = 1_000;

/// A start of the process.
struct Started {
    /// The last record before it, UTC ns.
    from_ns: i64,
    /// Connections that were told.
    told: HashSet<String>,
}

/// Reads records of one feed's journal in order.
pub struct Interpreter<P> {
    parser: P,
    market: Market,
    source: Source,
    items: Vec<Item>,
    sides: HashMap<(Tape, Symbol), SideVolumes>,
    gaps: Gaps,
    chains: Chains,
    /// Names of the connections by their ids.
    connections: HashMap<i64, String>,
    /// The process was started and may have missed something since: until each connection has been told so.
    started: Option<Started>,
    refused_in_row: u32,
    /// When the last record was received.
    last_ns: Option<i64>,
    told_widths: HashSet<(&'static str, usize)>,
    statuses: u32,
    chain_statuses: u32,
}

impl<P: FrameParser> Interpreter<P> {
    /// An interpreter of a feed.
    pub fn new(parser: P, market: Market, source: Source) -> Self {
        Self {
            parser,
            market,
            source,
            items: Vec::new(),
            sides: HashMap::new(),
            gaps: Gaps::default(),
            chains: Chains::default(),
            connections: HashMap::new(),
            started: None,
            refused_in_row: 0,
            last_ns: None,
            told_widths: HashSet::new(),
            statuses: 0,
            chain_statuses: 0,
        }
    }

    /// How many gaps are open.
    pub(crate) fn gaps_open(&self) -> usize {
        self.gaps.count()
    }

    /// Appends the messages of a record.
    pub fn read(&mut self, record: &Record, out: &mut Vec<Outgoing>) {
        (self.statuses, self.chain_statuses) = (0, 0);
        self.last_ns = Some(record.received_ns);
        let due = self.chains.due(record.received_ns);
        self.of_chain(record, due, out);
        match record.kind {
            RecordKind::FRAME => self.frame(record, out),
            RecordKind::NOTE => match serde_json::from_slice(&record.payload) {
                Ok(noted) => self.note(record, noted, out),
                Err(problem) => warn!(%problem, "journal note cannot be read"),
            },
            other => warn!(kind = other.0, "journal record of a kind that this version does not know"),
        }
    }

    fn stamp(&self, record: &Record, record_index: u32) -> Stamp {
        Stamp {
            market: self.market,
            source: self.source,
            received_ns: record.received_ns,
            connection_id: record.connection_id,
            frame_sequence: record.sequence,
            record_index,
            origin: Origin::Live,
        }
    }

    fn frame(&mut self, record: &Record, out: &mut Vec<Outgoing>) {
        // The connection hands on valid text; anything else here is damage that the journal did not find.
        let text = std::str::from_utf8(&record.payload).unwrap_or_default();
        let mut items = std::mem::take(&mut self.items);
        match self.parser.parse(text, record.received_ns, &mut items) {
            Ok(summary) => {
                if summary.extra_fields > 0 && self.told_widths.insert((summary.what, summary.width)) {
                    warn!(what = summary.what, width = summary.width, "records have more fields than known");
                }
                if summary.extra_fields > 0 {
                    metrics::counter!("sise_cell_extra_fields_total", "what" => summary.what).increment(1);
                }
                if summary.count_was_wrong {
                    metrics::counter!("sise_cell_wrong_counts_total", "what" => summary.what).increment(1);
                }
                metrics::counter!("sise_cell_frames_total", "what" => summary.what).increment(1);
                if let Some(first) = items.first() {
                    delay(first, record.received_ns);
                }
                for (index, item) in items.drain(..).enumerate() {
                    self.item(record, u32::try_from(index).unwrap_or(STATUS_INDEX), item, out);
                }
            }
            Err(refusal) => self.refused(record, None, &refusal, out),
        }
        items.clear();
        self.items = items;
    }

    fn item(&mut self, record: &Record, index: u32, item: Item, out: &mut Vec<Outgoing>) {
        let (body, instrument) = match item {
            Item::Trade(trade, sides) => {
                let instrument = (trade.at.tape, trade.at.symbol);
                (Body::Trade(self.with_side(trade, sides)), instrument)
            }
            Item::OrderBook(book) => (Body::OrderBook(book), (book.at.tape, book.at.symbol)),
            Item::Apart(what) => {
                metrics::counter!("sise_cell_apart_total", "what" => what).increment(1);
                return;
            }
            Item::Refused(refusal) => return self.refused(record, Some(index), &refusal, out),
        };
        self.refused_in_row = 0;
        let connection = self.connections.get(&record.connection_id).map_or("", String::as_str);
        let closed: Vec<Gap> = self.gaps.arrived(connection, instrument, record.received_ns).collect();
        for gap in closed {
            self.status(record, Status::GapClosed(gap), out);
        }
        match &body {
            Body::Trade(trade) => {
                metrics::counter!("sise_cell_events_total", "kind" => "trade").increment(1);
                let told = self.chains.trade(trade);
                self.of_chain(record, told, out);
            }
            Body::OrderBook(book) => {
                metrics::counter!("sise_cell_events_total", "kind" => "order_book").increment(1);
                self.chains.book(book, record.received_ns);
            }
            Body::Status(_) => {}
        }
        out.push(Outgoing::event(&Event { stamp: self.stamp(record, index), body }));
    }

    /// The side of a trade whose broker tells it only by cumulative volumes.
    fn with_side(&mut self, trade: Trade, sides: Option<SideVolumes>) -> Trade {
        let Some(now) = sides else { return trade };
        let instrument = (trade.at.tape, trade.at.symbol);
        if self.sides.len() >= MOST_SIDES && !self.sides.contains_key(&instrument) {
            self.sides.clear();
        }
        match self.sides.insert(instrument, now) {
            Some(before) => Trade { aggressor_side: now.aggressor_side(&before, trade.quantity), ..trade },
            None => trade,
        }
    }

    /// Kept with its reason and counted; opens a gap for the instrument; many in a row are an alarm.
    fn refused(&mut self, record: &Record, index: Option<u32>, refusal: &Refusal, out: &mut Vec<Outgoing>) {
        metrics::counter!("sise_cell_refused_total", "reason" => refusal.reason).increment(1);
        self.refused_in_row = self.refused_in_row.saturating_add(1);
        if self.refused_in_row == ALARM_AFTER {
            error!(
                reason = refusal.reason,
                detail = refusal.detail,
                "nothing but refused frames: has the broker changed its wire?"
            );
        }
        let id = match index {
            Some(index) => format!("f:{}:{}:{index}", record.connection_id, record.sequence),
            None => format!("f:{}:{}", record.connection_id, record.sequence),
        };
        let payload = refusal.raw.clone().map_or_else(|| record.payload.clone(), Into::into);
        let subject = deadletter_subject(self.market, self.source);
        let reason = format!("{}: {}", refusal.reason, refusal.detail);
        out.push(Outgoing::new(subject, id, payload).header(REASON_HEADER, reason));
        let of = refusal.instrument.map_or(Of::Feed, |(tape, symbol)| Of::Instrument(tape, symbol));
        let gap = self.gaps.open(of, GapReason::Refused, record.received_ns, &refusal.detail);
        if let Some(gap) = gap {
            self.status(record, Status::GapOpened(gap), out);
        }
    }

    fn note(&mut self, record: &Record, Noted { connection, what }: Noted, out: &mut Vec<Outgoing>) {
        if !connection.is_empty() {
            self.missed_since_start(record, &connection, out);
            if self.connections.len() >= MOST_CONNECTIONS {
                self.connections.clear();
            }
            self.connections.insert(record.connection_id, connection.clone());
        }
        match what {
            What::Up => {}
            What::Settled { registered, refused } => {
                self.status(record, Status::LinkUp { connection, registered, refused }, out);
            }
            What::Refused { registration, code, text } => {
                error!(registration, code, text, "registration refused: the symbol is not covered");
                self.status(record, Status::Refused { registration, code, text }, out);
            }
            What::Silent { symbols, silence_ms } => {
                error!(?symbols, silence_ms, "connected and confirmed, but no data comes");
                let symbols = symbols.iter().filter_map(|symbol| Symbol::parse(symbol).ok()).collect();
                let since_ns =
                    record.received_ns - i64::try_from(silence_ms).unwrap_or(0).saturating_mul(1_000_000);
                self.status(record, Status::Silent { symbols, since_ns }, out);
            }
            What::Idle => {
                self.connections.remove(&record.connection_id);
                let reason = "idle: nothing is wanted of it now".to_owned();
                self.status(record, Status::LinkDown { connection, reason }, out);
            }
            What::Down { reason, last_received_ns } => {
                warn!(connection, reason, "connection ended");
                self.connections.remove(&record.connection_id);
                let of = Of::Connection(connection.clone());
                let gap = self.gaps.open(of, GapReason::Disconnected, last_received_ns, &reason);
                self.status(record, Status::LinkDown { connection, reason }, out);
                self.opened(record, gap, out);
            }
            What::Started { last_received_ns } => {
                self.chains.started();
                let told = HashSet::new();
                self.started = last_received_ns.map(|from_ns| Started { from_ns, told });
            }
            What::Took { change, missing, uncovered } => self.took(record, change, &missing, &uncovered, out),
            What::Gave { group } => {
                info!(%group, "group given up: its owner carries it");
                self.chains.owners_changed();
                for gap in self.gaps.close(GapReason::Failover, record.received_ns) {
                    self.status(record, Status::GapClosed(gap), out);
                }
            }
            What::JournalFull { from_ns, until_ns } => {
                let detail = "the journal was full and the sockets were not read".to_owned();
                let (reason, until_ns) = (GapReason::JournalFull, Some(until_ns));
                let gap = Gap {
                    reason,
                    connection: None,
                    instrument: None,
                    from_ns,
                    until_ns,
                    detail,
                    volume: None,
                };
                self.status(record, Status::GapClosed(gap), out);
            }
        }
    }

    /// This broker carries a group now: what nobody carried meanwhile is a gap of each instrument, from the last frame of
    /// the owner before to the first of it here.
    fn took(
        &mut self,
        record: &Record,
        change: Change,
        missing: &[(String, String)],
        uncovered: &[String],
        out: &mut Vec<Outgoing>,
    ) {
        self.chains.owners_changed();
        let Change { group, from, to, by, .. } = change;
        info!(%group, %from, %to, %by, why = change.why, "group has another owner");
        if !uncovered.is_empty() {
            error!(%group, ?uncovered, "the new owner has no room for these symbols, or may not carry them");
        }
        let uncovered = uncovered.iter().filter_map(|symbol| Symbol::parse(symbol).ok()).collect();
        let (since_ns, detail) = (change.missed_since_ns, change.why.clone());
        self.status(record, Status::Ownership { change, uncovered }, out);
        let Some(since_ns) = since_ns else { return };
        for (tape, symbol) in missing {
            let (Some(tape), Ok(symbol)) = (Tape::from_word(tape), Symbol::parse(symbol)) else { continue };
            let gap = self.gaps.open(Of::Instrument(tape, symbol), GapReason::Failover, since_ns, &detail);
            self.opened(record, gap, out);
        }
    }

    /// What a connection may have missed while the process did not run, once for each.
    fn missed_since_start(&mut self, record: &Record, connection: &str, out: &mut Vec<Outgoing>) {
        let Some(started) = &mut self.started else { return };
        if started.told.len() < MOST_CONNECTIONS && started.told.insert(connection.to_owned()) {
            let (of, from_ns) = (Of::Connection(connection.to_owned()), started.from_ns);
            let gap = self.gaps.open(of, GapReason::Disconnected, from_ns, "the service was started");
            self.opened(record, gap, out);
        }
    }

    /// Journalled records that are damaged on disk: a gap without an instrument, from the last record that was read.
    /// `near` lends its name.
    pub fn damaged(&mut self, near: &Record, detail: &str, out: &mut Vec<Outgoing>) {
        self.statuses = DAMAGE_INDEX;
        let from_ns = self.last_ns.unwrap_or(near.received_ns);
        let gap = self.gaps.open(Of::Feed, GapReason::JournalDamaged, from_ns, detail);
        self.opened(near, gap, out);
    }

    fn opened(&mut self, record: &Record, gap: Option<Gap>, out: &mut Vec<Outgoing>) {
        if let Some(gap) = gap {
            self.status(record, Status::GapOpened(gap), out);
        }
    }

    fn status(&mut self, record: &Record, status: Status, out: &mut Vec<Outgoing>) {
        let stamp = self.stamp(record, status_base(record) + self.statuses);
        self.statuses += 1;
        count_status();
        out.push(Outgoing::event(&Event { stamp, body: Body::Status(status) }));
    }

    fn of_chain(&mut self, record: &Record, told: Vec<Status>, out: &mut Vec<Outgoing>) {
        for status in told {
            let stamp = self.stamp(record, status_base(record) + CHAIN_INDEX + self.chain_statuses);
            self.chain_statuses += 1;
            count_status();
            out.push(Outgoing::event(&Event { stamp, body: Body::Status(status) }));
        }
    }
}

fn count_status() {
    metrics::counter!("sise_cell_events_total", "kind" => "status").increment(1);
}

/// From the exchange to here. What seems to come from the future is of a clock that is ahead, and no delay.
fn delay(item: &Item, received_ns: i64) {
    let at = match item {
        Item::Trade(trade, _) => &trade.at,
        Item::OrderBook(book) => &book.at,
        Item::Apart(_) | Item::Refused(_) => return,
    };
    let delay = u64::try_from(received_ns.saturating_sub(at.exchange_ns)).unwrap_or(0);
    metrics::histogram!("sise_cell_delay_seconds").record(Duration::from_nanos(delay));
}

/// Notes and frames of one connection are counted apart: so are the names of their messages.
fn status_base(record: &Record) -> u32 {
    if record.kind == RecordKind::NOTE { STATUS_INDEX + (1 << 30) } else { STATUS_INDEX }
}

#[cfg(test)]
mod tests;
