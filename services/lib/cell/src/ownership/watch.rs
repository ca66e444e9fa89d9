//! The loop around [`Owners`]: reads the pulses, tells and sees on the board, and has done what is to be done.

use std::sync::Arc;
use std::time::Duration;

use broker::feed::Feed;
use broker::pulse::Pulse;
use bus::Client;
use market::calendar::Calendar;
use market::{Group, Health, Source};
use process::clock::now_ns;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::{Act, Owners};
use crate::follow::{Placed, Told};
use crate::health::{Reading, Vitals};

/// How often health is judged and the others' is looked at.
const LOOK: Duration = Duration::from_millis(500);
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
}

impl<F: Feed> Watch<F> {
    /// Watches until the stop, over a connection to the bus of its own.
    pub async fn keep(mut self, client: Client, stop: CancellationToken) {
        let mut board = Board::new(client, self.feed.market(), self.feed.source());
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.look(&mut board) => {}
            }
        }
    }

    async fn look(&mut self, board: &mut Board) {
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

    fn health(&mut self) -> Health {
        let now_ns = now_ns();
        let lines = self.feed.lines();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let reading = |(index, pulse): (usize, &Arc<Pulse>)| Reading {
            key: lines.names().get(index).cloned().unwrap_or_default(),
            limit: count(lines.limit()),
            wanted: count(lines.wanted(index).borrow().len()),
            signs: pulse.signs(),
        };
        let readings: Vec<Reading> = self.pulses.iter().enumerate().map(reading).collect();
        let data_expected =
            self.always_open || Calendar::built_in().data_expected(self.feed.market(), now_ns);
        let asked = asked(&self.placed.borrow(), now_ns);
        self.vitals.judge(&readings, &asked, data_expected, now_ns)
    }
}

/// The groups that the connections were asked to carry wholly, long enough ago to have heard of it.
fn asked(placed: &Placed, now_ns: i64) -> Vec<Group> {
    if now_ns.saturating_sub(placed.at_ns) < ASKED_NS {
        return Vec::new();
    }
    placed.groups.iter().copied().filter(|group| !placed.incomplete.contains(group)).collect()
}
