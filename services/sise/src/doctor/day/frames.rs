//! The frames of a service's journal on one day → in which form they came: records a frame, fields a record, codes, pauses.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use broker::kis::frame::Splitter;
use broker::kiwoom::frame;
use cell::Service;
use journal::{JournalError, Position, Reader, Record, RecordKind, segments};
use market::calendar::trade_date;
use market::time::{DAY, SECOND, kst};
use market::{Market, Source, TradeDate};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Different values of one thing that are counted one by one: codes are few, and a spoilt field must not fill the page.
const MOST_VALUES: usize = 40;
/// A frame may be written so much later than the segment's first.
const SLACK: i64 = 600 * SECOND;
/// FIDs of a Kiwoom row that nobody could explain so far.
const ASKED: [&str; 3] = ["290", "9081", "215"];

/// Counts of the values of one thing.
pub(super) type Values = BTreeMap<String, u64>;

/// What the records of one TR or type looked like.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub frames: u64,
    pub records: u64,
    /// The most records in one frame.
    pub most: u64,
    /// Fields a record, and how many records had so many.
    pub widths: BTreeMap<usize, u64>,
    /// The announced count was wrong.
    pub wrong_counts: u64,
    /// Fields of the newest record known; none where it is not kept.
    pub known: Option<usize>,
}

/// What a journal has of a day.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub frames: u64,
    /// By TR or type.
    pub forms: BTreeMap<String, Form>,
    /// Frames that cannot be split, by reason.
    pub refused: Values,
    /// Values of codes, by their name.
    pub codes: BTreeMap<String, Values>,
    pub damaged: u64,
    pub connections: usize,
    /// The longest life of a connection and the longest pause between two frames of one, ns.
    pub longest_life_ns: i64,
    pub longest_pause_ns: i64,
    lives: BTreeMap<i64, (i64, i64)>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    item: Cow<'a, str>,
    #[serde(borrow, default)]
    values: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

/// Reads the frames of a day.
///
/// # Errors
/// When the journal cannot be read.
pub(super) fn read(folder: &Path, service: Service, date: TradeDate) -> anyhow::Result<Seen> {
    // A US day ends the next morning in Seoul.
    let (start, end) = match service.market {
        Market::Kr => (kst(date, 0), kst(date, DAY)),
        Market::Us => (kst(date, 0), kst(date, 2 * DAY)),
    };
    let infos = segments(folder).with_context(|| folder.display().to_string())?;
    let begun = |by: i64| move |created: i64| created.saturating_add(SLACK) <= by;
    let first = infos.iter().rfind(|info| info.created_ns.is_some_and(begun(start)));
    let first = first.map_or(Position::START, |info| Position { segment: info.number, offset: 0 });
    let mut seen = Seen::default();
    let mut splitter = Splitter::default();
    let mut reader = open(folder, first)?;
    loop {
        match reader.next() {
            Ok(None) => break,
            // Records stand in the order in which they came, but for a clock that was set back.
            Ok(Some((record, _))) if record.received_ns > end + SLACK => break,
            Ok(Some((record, _))) => {
                if record.kind == RecordKind::FRAME && trade_date(service.market, record.received_ns) == date
                {
                    seen.frame(&record, service.source, &mut splitter);
                }
            }
            Err(JournalError::Damaged { .. } | JournalError::Deleted { .. }) => {
                seen.damaged += 1;
                reader.skip_damaged()?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    seen.connections = seen.lives.len();
    seen.longest_life_ns = seen.lives.values().map(|(first, last)| last - first).max().unwrap_or(0);
    Ok(seen)
}

fn open(folder: &Path, from: Position) -> anyhow::Result<Reader> {
    match Reader::open(folder, from) {
        Err(JournalError::Deleted { first, .. }) => Ok(Reader::open(folder, first)?),
        other => other.with_context(|| folder.display().to_string()),
    }
}

impl Seen {
    fn frame(&mut self, record: &Record, source: Source, splitter: &mut Splitter) {
        self.frames += 1;
        let (_, last) =
            self.lives.entry(record.connection_id).or_insert((record.received_ns, record.received_ns));
        self.longest_pause_ns = self.longest_pause_ns.max(record.received_ns - *last);
        *last = record.received_ns.max(*last);
        let Ok(text) = std::str::from_utf8(&record.payload) else {
            return add(&mut self.refused, "not UTF-8");
        };
        match source {
            Source::Kis => self.kis(text, splitter),
            Source::Kiwoom => self.kiwoom(text),
        }
    }

    fn kis(&mut self, text: &str, splitter: &mut Splitter) {
        let frame = match splitter.split(text) {
            Ok(frame) => frame,
            Err(error) => return add(&mut self.refused, error.reason()),
        };
        let form = self.forms.entry(frame.tr.id.to_owned()).or_default();
        let records = u64::try_from(frame.len()).unwrap_or(u64::MAX);
        form.frames += 1;
        form.records += records;
        form.most = form.most.max(records);
        form.known = Some(frame.tr.newest);
        form.wrong_counts += u64::from(frame.count_was_wrong);
        *form.widths.entry(frame.width).or_default() += records;
        if frame.tr.id.ends_with("MKO0") {
            for record in frame.records().filter(|record| record.width() > 10) {
                let name = format!("{} item 10 (EXCH_CLS_CODE)", frame.tr.id);
                add(self.codes.entry(name).or_default(), record.get(10));
            }
        }
    }

    fn kiwoom(&mut self, text: &str) {
        let rows: Vec<&RawValue> = match frame::split(text) {
            Ok(Some(rows)) => rows,
            Ok(None) => return add(&mut self.refused, "control message"),
            Err(refusal) => return add(&mut self.refused, refusal.reason),
        };
        let mut in_frame: BTreeMap<String, u64> = BTreeMap::new();
        for raw in rows {
            let Ok(row) = serde_json::from_str::<Row<'_>>(raw.get()) else {
                add(&mut self.refused, "row");
                continue;
            };
            let tape = match row.item.rsplit_once('_') {
                Some((_, suffix @ ("NX" | "AL"))) => suffix,
                _ => "bare",
            };
            for fid in ASKED {
                if let Some(value) = row.values.get(fid) {
                    add(self.codes.entry(format!("{} {tape} FID {fid}", row.kind)).or_default(), value);
                }
            }
            *in_frame.entry(row.kind.to_string()).or_default() += 1;
            let form = self.forms.entry(row.kind.into_owned()).or_default();
            form.records += 1;
            *form.widths.entry(row.values.len()).or_default() += 1;
        }
        for (kind, records) in in_frame {
            let form = self.forms.entry(kind.clone()).or_default();
            form.frames += 1;
            form.most = form.most.max(records);
            form.known = match kind.as_str() {
                "0B" => Some(43),
                "0D" => Some(163),
                _ => None,
            };
        }
    }
}

/// Counts a value; what comes after the first forty different ones is one.
fn add(values: &mut Values, value: &str) {
    let value: String = value.chars().filter(|c| !c.is_control()).take(20).collect();
    let known = values.contains_key(&value) || values.len() < MOST_VALUES;
    *values.entry(if known { value } else { "others".to_owned() }).or_default() += 1;
}
