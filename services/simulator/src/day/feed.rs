//! What one feed delivered: its prints turn into frames of several connections, and these into records of a journal, with
//! the notes of a cell beside them (a connection was made, is settled, ended).

use std::path::Path;

use journal::{JournalSettings, Record, RecordKind, Sync, Writer};
use serde_json::{Value, json};

use super::losses::{Carrier, Losses};
use crate::clock::Moment;
use crate::config::Layout;
use crate::engine::HEAD;
use crate::format::{kr, start_frame, us};
use crate::kiwoom::{row, trade};
use crate::market::instrument::Instrument;
use crate::market::random::Random;
use crate::market::tally::Print;
use crate::tr::{Tape, Tr};

const NANOS: i64 = 1_000_000_000;
/// A frame comes so long after the second of its prints, at least.
const DELAY_NS: i64 = 50_000_000;
/// And so long after the one before it: ten thousand frames a second.
const APART_NS: i64 = 90_000;
/// Records of a frame, at most.
const MOST_RECORDS: i64 = 4;
const SEGMENT_BYTES: u64 = 64 << 20;

/// One feed and its journal.
pub struct Feed {
    /// Which.
    pub carrier: Carrier,
    writer: Writer,
    links: Vec<Link>,
    random: Random,
    layout: Layout,
    notes: u64,
    last_ns: i64,
}

/// A connection.
struct Link {
    name: String,
    /// Time of the connect, UTC ns; none = it does not stand.
    id: Option<i64>,
    frames: u64,
    /// Received last, UTC ns.
    last_ns: i64,
    tr: Tr,
    records: u32,
    limit: u32,
    second: i64,
    body: String,
}

/// A print on its way into a frame.
pub struct Delivery<'a> {
    /// The instrument after the print.
    pub it: &'a Instrument,
    /// Its tape.
    pub tape: Tape,
    /// The print.
    pub print: &'a Print,
    /// When.
    pub now: &'a Moment,
}

impl Feed {
    /// Opens the journal of a feed below `folder`; `started` is when its process began.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn open(
        folder: &Path,
        carrier: Carrier,
        connections: usize,
        layout: Layout,
        started: i64,
    ) -> anyhow::Result<Self> {
        let settings = JournalSettings {
            folder: folder.join(carrier.service()),
            segment_bytes: SEGMENT_BYTES,
            max_bytes: u64::MAX,
            max_age: None,
            compress: None,
            sync: Sync::Never,
        };
        let (writer, _) = Writer::open(settings)?;
        let link = |number: usize| Link {
            name: format!("{}-{}", carrier.source(), number + 1),
            id: None,
            frames: 0,
            last_ns: 0,
            tr: Tr::KrxTrade,
            records: 0,
            limit: 1,
            second: 0,
            body: String::new(),
        };
        let links = (0..connections).map(link).collect();
        let random = Random::new(1, carrier.service());
        let mut feed = Self { carrier, writer, links, random, layout, notes: 0, last_ns: started * NANOS };
        feed.note(started * NANOS, started, &json!({ "what": "started", "last_received_ns": null }))?;
        Ok(feed)
    }

    /// The TR of a tape at this feed.
    #[must_use]
    pub fn tr(carrier: Carrier, tape: Tape) -> Tr {
        match (carrier, tape) {
            (Carrier::Us, _) => Tr::UsTrade,
            (Carrier::Kis, Tape::Nxt) => Tr::NxtTrade,
            (Carrier::Kis, _) => Tr::KrxTrade,
            (Carrier::Kiwoom, Tape::Nxt) => Tr::KiwoomNxtTrade,
            (Carrier::Kiwoom, _) => Tr::KiwoomTrade,
        }
    }

    /// Makes or ends connections as they stand at `second` of the local day, which is `unix`; `carried` is how many
    /// symbols each has.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn stand(
        &mut self,
        losses: &Losses,
        second: u32,
        unix: i64,
        carried: &[usize],
    ) -> anyhow::Result<()> {
        for at in 0..self.links.len() {
            let cut = |cut: &&super::losses::Cut| {
                (cut.carrier, cut.connection) == (self.carrier, at) && (cut.from..cut.until).contains(&second)
            };
            let stands = second >= losses.up(self.carrier, at) && !losses.cuts.iter().any(|c| cut(&c));
            let Some(link) = self.links.get(at) else { continue };
            match (link.id, stands) {
                (None, true) => self.connect(at, unix, carried.get(at).copied().unwrap_or(0))?,
                (Some(_), false) => self.end(at, unix, Some("connection reset by peer"))?,
                _ => {}
            }
        }
        Ok(())
    }

    fn connect(&mut self, at: usize, unix: i64, registered: usize) -> anyhow::Result<()> {
        let Some(link) = self.links.get_mut(at) else { return Ok(()) };
        // Connections of one second have names of their own.
        let id = unix * NANOS + i64::try_from(at).unwrap_or(0);
        link.id = Some(id);
        link.frames = 0;
        link.last_ns = id;
        let name = link.name.clone();
        self.note(id, unix, &json!({ "connection": name, "what": "up" }))?;
        let settled =
            json!({ "connection": name, "what": "settled", "registered": registered, "refused": 0 });
        self.note(id, unix, &settled)
    }

    fn end(&mut self, at: usize, unix: i64, reason: Option<&str>) -> anyhow::Result<()> {
        self.flush(at)?;
        let Some(link) = self.links.get_mut(at) else { return Ok(()) };
        let Some(id) = link.id.take() else { return Ok(()) };
        let (name, last) = (link.name.clone(), link.last_ns);
        let note = match reason {
            Some(reason) => {
                json!({ "connection": name, "what": "down", "reason": reason, "last_received_ns": last })
            }
            None => json!({ "connection": name, "what": "idle" }),
        };
        self.note(id, unix, &note)
    }

    fn note(&mut self, connection_id: i64, unix: i64, note: &Value) -> anyhow::Result<()> {
        self.notes += 1;
        self.last_ns = (self.last_ns + 1).max(unix * NANOS);
        let payload = note.to_string().into_bytes().into();
        let (sequence, received_ns) = (self.notes, self.last_ns);
        self.writer.append(&Record {
            kind: RecordKind::NOTE,
            connection_id,
            sequence,
            received_ns,
            payload,
        })?;
        Ok(())
    }

    /// Puts a print into the next frame of a connection, and tells the frame's number.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn deliver(&mut self, at: usize, delivery: &Delivery<'_>) -> anyhow::Result<u64> {
        let tr = Self::tr(self.carrier, delivery.tape);
        let second = delivery.now.unix;
        let full = self.links.get(at).is_some_and(|link| {
            let other = self.carrier != Carrier::Kiwoom && link.tr != tr;
            link.records > 0 && (link.records >= link.limit || other || link.second != second)
        });
        if full {
            self.flush(at)?;
        }
        let Some(link) = self.links.get_mut(at) else { return Ok(0) };
        if link.records == 0 {
            link.limit = u32::try_from(self.random.between(1, MOST_RECORDS)).unwrap_or(1);
            (link.tr, link.second) = (tr, second);
        }
        let (first, it, print, now) = (link.records == 0, delivery.it, delivery.print, delivery.now);
        match self.carrier {
            Carrier::Kis => kr::trade(&mut link.body, first, it, delivery.tape, print, now, self.layout),
            Carrier::Us => us::trade(&mut link.body, first, it, print, now),
            Carrier::Kiwoom => {
                row::open(&mut link.body, first);
                trade::values(&mut link.body, it, delivery.tape, delivery.tape == Tape::Nxt, print, now);
                row::close(&mut link.body, tr, it);
            }
        }
        link.records += 1;
        Ok(link.frames + 1)
    }

    fn flush(&mut self, at: usize) -> anyhow::Result<()> {
        let Some(link) = self.links.get_mut(at) else { return Ok(()) };
        let Some(connection_id) = link.id.filter(|_| link.records > 0) else { return Ok(()) };
        let mut text = String::with_capacity(link.body.len() + 32);
        if self.carrier == Carrier::Kiwoom {
            text.push_str(HEAD);
            text.push_str(&link.body);
            text.push_str("]}");
        } else {
            start_frame(&mut text, link.tr, link.records);
            text.push_str(&link.body);
        }
        link.body.clear();
        link.records = 0;
        link.frames += 1;
        self.last_ns = (self.last_ns + APART_NS).max(link.second * NANOS + DELAY_NS);
        link.last_ns = self.last_ns;
        let record = Record {
            kind: RecordKind::FRAME,
            connection_id,
            sequence: link.frames,
            received_ns: self.last_ns,
            payload: text.into_bytes().into(),
        };
        self.writer.append(&record)?;
        Ok(())
    }

    /// Writes what is left of the second that is over.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn flush_all(&mut self) -> anyhow::Result<()> {
        (0..self.links.len()).try_for_each(|at| self.flush(at))
    }

    /// Ends all connections in order: the market has closed.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn close(mut self, unix: i64) -> anyhow::Result<()> {
        for at in 0..self.links.len() {
            self.end(at, unix, None)?;
        }
        self.writer.flush()?;
        Ok(())
    }
}
