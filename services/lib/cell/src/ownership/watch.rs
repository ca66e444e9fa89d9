//! The loop around [`Owners`]: reads the pulses, tells and sees on the board, and has done what is to be done. It also
//! has the symbols named that are silent on living connections.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use broker::connection::{LinkNote, Received};
use broker::feed::{Feed, Note};
use broker::lines::Subscription;
use broker::pulse::Pulse;
use bus::Client;
use market::calendar::Calendar;
use market::{Group, Health, Source, Symbol};
use process::clock::now_ns;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::{Act, Owners};
use crate::follow::{Placed, Told};
use crate::health::rates::{Instrument, Shared};
use crate::health::{Reading, Vitals};

/// How often health is judged and the others' is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often silent symbols are looked for: the least silence is a minute.
const LOOK_FOR_SILENCE: Duration = Duration::from_secs(5);
/// Connections that were asked for something else have heard of it after so long.
const ASKED_NS: i64 = market::time::SECOND;

/// Watches the health of a feed and of the others, and the owners of the groups.
pub struct Watch<F: Feed> {
    /// The feed.
    pub feed: Arc<F>,
    /// The signs of life of its connections, in their order.
    pub pulses: Vec<Arc<Pulse>>,
    /// Whether data is expected at all times.
    pub always_open: bool,
    /// Judges the feed.
    pub vitals: Vitals,
    /// Decides.
    pub owners: Owners,
    /// What the connections were asked to carry.
    pub placed: watch::Receiver<Placed>,
    /// Tells what is to be carried.
    pub told: mpsc::Sender<Told>,
    /// How often each symbol normally has an event.
    pub rates: Shared,
    /// Where notes go.
    pub out: mpsc::Sender<Received>,
}

impl<F: Feed> Watch<F> {
    /// Watches until the stop, over a connection to the bus of its own.
    pub async fn keep(mut self, client: Client, stop: CancellationToken) {
        let mut board = Board::new(client, self.feed.market(), self.feed.source());
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looked_for_silence = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => {}
            }
            let for_silence = looked_for_silence.elapsed() >= LOOK_FOR_SILENCE;
            if for_silence {
                looked_for_silence = Instant::now();
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.look(&mut board, for_silence) => {}
            }
        }
    }

    async fn look(&mut self, board: &mut Board, for_silence: bool) {
        if for_silence {
            self.name_silent().await;
        }
        for group in Group::ALL {
            let carried = u32::from(self.owners.carried().contains(group));
            metrics::gauge!("sise_cell_group_carried", "group" => group.as_str()).set(carried);
        }
        let others: Vec<Source> = self.owners.others().collect();
        // A group that was taken is carried at once: the second look sees the new entry.
        for _ in 0..2 {
            let health = self.health();
            let universe = Arc::clone(&self.placed.borrow().universe);
            let Some(seen) = board.exchange(&health, &others).await else {
                return self.owners.look_failed();
            };
            let mut taken = false;
            for act in self.owners.look(&universe, health, seen, now_ns()) {
                match act {
                    // The follower is gone only when the cell stops.
                    Act::Tell(told) => drop(self.told.send(told).await),
                    Act::Take { group, entry, revision } => {
                        board.take(group, &entry, revision).await;
                        taken = true;
                    }
                }
            }
            if !taken {
                return;
            }
        }
    }

    /// Names the symbols of living connections that have been silent for improbably long.
    async fn name_silent(&self) {
        let at_ns = now_ns();
        let readings = self.readings();
        let living = readings.iter().filter(|one| self.vitals.hears(one, at_ns));
        let heard: HashSet<Symbol> = living.flat_map(|one| one.symbols.iter().copied()).collect();
        let universe = Arc::clone(&self.placed.borrow().universe);
        let here = universe.entries.iter().filter(|entry| entry.market == self.feed.market());
        let carried = here.filter(|entry| heard.contains(&entry.symbol));
        let watched: HashSet<Instrument> =
            carried.flat_map(|entry| entry.tapes.iter().map(|tape| (*tape, entry.symbol))).collect();
        let silent = self.rates.lock().unwrap_or_else(PoisonError::into_inner).silent(&watched);
        let Some((symbols, silence)) = silent else { return };
        let count = u64::try_from(symbols.len()).unwrap_or(u64::MAX);
        metrics::counter!("sise_cell_symbols_silent_total").increment(count);
        let note = LinkNote::Protocol(Note::Silent { symbols, silence });
        let note = Received::Note { connection: String::new(), connection_id: at_ns, at_ns, note };
        // The keeper is gone only when the cell stops.
        let _stopping = self.out.send(note).await;
    }

    fn readings(&self) -> Vec<Reading> {
        let lines = self.feed.lines();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let reading = |(index, pulse): (usize, &Arc<Pulse>)| Reading {
            key: lines.names().get(index).cloned().unwrap_or_default(),
            limit: count(lines.limit()),
            wanted: count(lines.wanted(index).borrow().len()),
            symbols: symbols(&lines.wanted(index).borrow()),
            signs: pulse.signs(),
        };
        self.pulses.iter().enumerate().map(reading).collect()
    }

    fn health(&mut self) -> Health {
        let now_ns = now_ns();
        let readings = self.readings();
        let data_expected =
            self.always_open || Calendar::built_in().data_expected(self.feed.market(), now_ns);
        let asked = asked(&self.placed.borrow(), now_ns);
        self.vitals.judge(&readings, &asked, data_expected, now_ns)
    }
}

/// Each symbol once.
fn symbols<R: Subscription>(wanted: &[R]) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = wanted.iter().map(Subscription::symbol).collect();
    symbols.sort_unstable();
    symbols.dedup();
    symbols
}

/// The groups that the connections were asked to carry wholly, long enough ago to have heard of it.
fn asked(placed: &Placed, now_ns: i64) -> Vec<Group> {
    if now_ns.saturating_sub(placed.at_ns) < ASKED_NS {
        return Vec::new();
    }
    placed.groups.iter().copied().filter(|group| !placed.incomplete.contains(group)).collect()
}
