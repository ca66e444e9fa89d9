//! Who gets what: the registrations of all connections turn into entries that can be drawn by weight.

use std::collections::{BTreeSet, HashMap};

use tokio::sync::mpsc;

use std::sync::Arc;

use crate::hub::{Batch, Figures, Hub, Item, ROOM};
use crate::market::instrument::Instrument;
use crate::market::random::Random;
use crate::state::State;
use crate::tr::{Broker, Kind, Tr};

/// A connection as the engine sees it.
#[derive(Debug)]
pub struct Slot {
    /// Its number.
    pub id: u64,
    /// Whose client it is.
    pub broker: Broker,
    sender: mpsc::Sender<Item>,
    /// Its figures.
    pub figures: Arc<Figures>,
    /// Whether it has registered anything.
    pub registered: bool,
    /// Whether its queue has room for this slice.
    pub writable: bool,
    /// Whether events are made for it: it is writable, and not too much waits for it.
    pub ready: bool,
    /// What this slice made for it.
    pub batch: Batch,
}

/// One (TR, instrument) with its subscribers.
#[derive(Debug)]
pub struct Entry {
    /// The TR.
    pub tr: Tr,
    /// Position of the instrument.
    pub instrument: usize,
    weight: u64,
    subscribers: Vec<usize>,
    /// Subscribers with room.
    pub ready: Vec<usize>,
    /// Subscribers without.
    pub late: Vec<usize>,
    /// `,"connections":[…]}` of those with room, and a line end.
    pub suffix: String,
}

impl Entry {
    fn new(tr: Tr, instrument: usize, it: &Instrument) -> Self {
        Self {
            tr,
            instrument,
            weight: u64::from(it.profile.weight),
            subscribers: Vec::new(),
            ready: Vec::new(),
            late: Vec::new(),
            suffix: String::new(),
        }
    }
}

/// Entries to draw from, by cumulative weight.
#[derive(Debug, Default)]
pub struct Draw(Vec<(u64, usize)>);

impl Draw {
    /// Whether there is nothing to draw.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, weight: u64, entry: usize) {
        let before = self.0.last().map_or(0, |(sum, _)| *sum);
        self.0.push((before + weight, entry));
    }

    /// A random entry.
    pub fn one(&self, random: &mut Random) -> Option<usize> {
        let total = self.0.last()?.0;
        let at = random.between(0, i64::try_from(total).unwrap_or(i64::MAX) - 1).unsigned_abs();
        self.0.get(self.0.partition_point(|(sum, _)| *sum <= at)).map(|(_, entry)| *entry)
    }
}

/// The registrations, ready for drawing.
#[derive(Debug, Default)]
pub struct Plan {
    versions: Option<(u64, u64)>,
    /// Connections.
    pub slots: Vec<Slot>,
    /// Registrations that can have data.
    pub entries: Vec<Entry>,
    index: HashMap<(Tr, usize), usize>,
    /// Trades that somebody registered once, when they go on without listeners.
    known: BTreeSet<(Tr, usize)>,
    /// Trades to draw.
    pub trades: Draw,
    /// Books to draw.
    pub books: Draw,
}

impl Plan {
    /// Brings the plan up to date and asks every connection whether it has room, and `room` whether not too much
    /// waits for it.
    pub fn refresh(&mut self, hub: &Hub, state: &State, room: impl Fn(u64) -> bool) {
        let versions = Some((hub.version, state.script().version));
        let changed = self.versions != versions;
        if changed {
            self.versions = versions;
            self.rebuild(hub, state);
        }
        let mut moved = changed;
        for slot in &mut self.slots {
            slot.writable = slot.sender.capacity() >= ROOM;
            let ready = slot.writable && room(slot.id);
            moved |= ready != slot.ready;
            slot.ready = ready;
        }
        if moved {
            self.redraw();
        }
    }

    /// The entry of a TR and instrument, if somebody with room registered it.
    #[must_use]
    pub fn ready(&self, tr: Tr, instrument: usize) -> Option<usize> {
        let entry = *self.index.get(&(tr, instrument))?;
        (!self.entries[entry].ready.is_empty()).then_some(entry)
    }

    fn rebuild(&mut self, hub: &Hub, state: &State) {
        self.slots.clear();
        self.entries.clear();
        self.index.clear();
        let (market, script) = (state.market(), state.script());
        for (&id, connection) in &hub.connections {
            let slot = self.slots.len();
            self.slots.push(Slot {
                id,
                broker: connection.broker,
                sender: connection.sender.clone(),
                figures: connection.figures.clone(),
                registered: !connection.registrations.is_empty(),
                writable: false,
                ready: false,
                batch: Batch::default(),
            });
            for ((tr, key), &instrument) in &connection.registrations {
                let it = &market.instruments[instrument];
                // A symbol that NXT does not trade is acknowledged and stays silent on both TRs (kis.md 5.6).
                let deliverable = tr.is_us() || tr.tape() == crate::tr::Tape::First || it.has_nxt();
                if !deliverable || tr.kind() == Kind::Silent || script.is_silent(*tr, key) {
                    continue;
                }
                let entries = &mut self.entries;
                let entry = *self.index.entry((*tr, instrument)).or_insert_with(|| {
                    entries.push(Entry::new(*tr, instrument, it));
                    entries.len() - 1
                });
                self.entries[entry].subscribers.push(slot);
            }
        }
        if state.settings.market_goes_on {
            let trades = self.entries.iter().filter(|entry| entry.tr.kind() == Kind::Trade);
            self.known.extend(trades.map(|entry| (entry.tr, entry.instrument)));
            for &(tr, instrument) in &self.known {
                if let std::collections::hash_map::Entry::Vacant(place) = self.index.entry((tr, instrument)) {
                    place.insert(self.entries.len());
                    self.entries.push(Entry::new(tr, instrument, &market.instruments[instrument]));
                }
            }
        }
    }

    fn redraw(&mut self) {
        (self.trades, self.books) = (Draw::default(), Draw::default());
        for (position, entry) in self.entries.iter_mut().enumerate() {
            let slots = &self.slots;
            (entry.ready, entry.late) = entry.subscribers.iter().partition(|slot| slots[**slot].ready);
            // Without any subscriber it is there because the market goes on.
            if entry.ready.is_empty() && !entry.subscribers.is_empty() {
                continue;
            }
            entry.suffix = suffix(entry.ready.iter().map(|slot| slots[*slot].id));
            match entry.tr.kind() {
                Kind::Trade => self.trades.add(entry.weight, position),
                Kind::Book => self.books.add(entry.weight, position),
                Kind::Expected | Kind::Status | Kind::Program | Kind::Silent => {}
            }
        }
    }
}

/// The end of a tape line.
pub fn suffix(connections: impl Iterator<Item = u64>) -> String {
    let numbers: Vec<String> = connections.map(|id| id.to_string()).collect();
    format!(",\"connections\":[{}]}}\n", numbers.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_follows_the_weights() {
        let mut draw = Draw::default();
        assert_eq!(draw.one(&mut Random::new(1, "x")), None);
        draw.add(1, 7);
        draw.add(9, 8);
        let mut random = Random::new(1, "x");
        let heavy = (0..1_000).filter(|_| draw.one(&mut random) == Some(8)).count();
        assert!((860..940).contains(&heavy), "{heavy}");
    }
}
