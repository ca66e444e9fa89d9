//! Rows that wait for their time turn into Kiwoom's frames: the same events as KIS sends, some tens of milliseconds
//! later, several rows in a frame.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::plan::{Plan, Slot};
use crate::hub::Frame;
use crate::market::random::Random;
use crate::tr::{Broker, Tr};

/// Rows that may wait for one connection: 60 ms of the highest rate. Then no events are made for it.
const WAITING: usize = 4_096;
/// Weights of 1, 2, 3 … rows in a frame, in thousandths; more than one is usual in a busy second.
const ROWS: [i64; 5] = [550, 220, 120, 70, 40];

/// What goes to one connection at a time of its own.
#[derive(Debug)]
pub struct Row {
    /// Rows joined by commas, or a whole frame when `alone`.
    pub text: String,
    /// The text is a frame already.
    pub alone: bool,
    /// The stream.
    pub tr: Tr,
    /// Records in the text.
    pub records: u64,
    /// Those that count as written.
    pub events: u64,
    /// Their tape lines.
    pub lines: String,
    /// How the script has spoilt it.
    pub spoilt: Option<&'static str>,
}

/// The rows that wait, by connection.
#[derive(Debug)]
pub struct Outbox {
    queues: HashMap<u64, VecDeque<(Instant, Row)>>,
    delay_ms: RangeInclusive<i64>,
    random: Random,
}

impl Outbox {
    /// An empty outbox; rows wait so many milliseconds.
    #[must_use]
    pub fn new(delay_ms: RangeInclusive<i64>, seed: u64) -> Self {
        Self { queues: HashMap::new(), delay_ms, random: Random::new(seed, "outbox") }
    }

    /// Whether another event may be made for the connection.
    #[must_use]
    pub fn has_room(&self, id: u64) -> bool {
        self.queues.get(&id).is_none_or(|queue| queue.len() < WAITING)
    }

    /// A row begins to wait, behind those of the same connection.
    pub fn put(&mut self, slot: &Slot, row: Row, now: Instant) {
        let delay = self.random.between(*self.delay_ms.start(), *self.delay_ms.end()).unsigned_abs();
        let queue = self.queues.entry(slot.id).or_default();
        let due = (now + Duration::from_millis(delay)).max(queue.back().map_or(now, |(due, _)| *due));
        slot.figures.handed.fetch_add(row.records, Ordering::AcqRel);
        queue.push_back((due, row));
    }

    /// Puts the rows that are due at `now` into the batches of connections with room. What waits for connections that
    /// have ended goes to `faults`.
    pub fn flush(&mut self, plan: &mut Plan, now: Instant, faults: &mut String) {
        self.queues.retain(|id, queue| {
            let open = plan.slots.iter().any(|slot| slot.id == *id);
            if !open {
                queue.iter().for_each(|(_, row)| faults.push_str(&crate::server::unwritten(&row.lines)));
            }
            open
        });
        for slot in plan.slots.iter_mut().filter(|slot| slot.broker == Broker::Kiwoom && slot.writable) {
            let Some(queue) = self.queues.get_mut(&slot.id) else { continue };
            while queue.front().is_some_and(|(due, _)| *due <= now) {
                frame(queue, now, row_count(&mut self.random), slot);
            }
        }
    }

    /// As [`Outbox::flush`], of everything that waits.
    pub fn release(&mut self, plan: &mut Plan, faults: &mut String) {
        let last = self.queues.values().filter_map(|queue| queue.back()).map(|(due, _)| *due).max();
        self.flush(plan, last.unwrap_or_else(Instant::now), faults);
    }
}

fn row_count(random: &mut Random) -> usize {
    let mut at = random.between(0, 999);
    let smaller = ROWS.iter().take_while(|weight| {
        at -= **weight;
        at >= 0
    });
    smaller.count() + 1
}

/// One frame of up to `most` rows that are due.
fn frame(queue: &mut VecDeque<(Instant, Row)>, now: Instant, most: usize, slot: &mut Slot) {
    let (mut text, mut records, mut others, mut spoilt) = (String::new(), 0, Vec::new(), None);
    let batch = &mut slot.batch;
    for _ in 0..most {
        let next = queue.pop_front_if(|(due, row)| *due <= now && (records == 0 || !row.alone));
        let Some((_, row)) = next else { break };
        batch.lines.push_str(&row.lines);
        records += row.records;
        spoilt = spoilt.or(row.spoilt);
        others.extend((0..row.events).map(|_| row.tr));
        if row.alone {
            text = row.text;
            let lines_end = batch.lines.len();
            return batch.frames.push(Frame {
                text: text.into(),
                tr: None,
                others,
                records,
                events: 0,
                lines_end,
                spoilt,
            });
        }
        text.push_str(if text.is_empty() { HEAD } else { "," });
        text.push_str(&row.text);
    }
    text.push_str("]}");
    let lines_end = batch.lines.len();
    let text = Utf8Bytes::from(text);
    batch.frames.push(Frame { text, tr: None, others, records, events: 0, lines_end, spoilt });
}

/// The beginning of a data frame; it ends with `]}`.
pub const HEAD: &str = r#"{"trnm":"REAL","data":["#;
