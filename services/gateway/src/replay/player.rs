//! The one who plays: events of the day into the hub, a tick of the hub a batch, commands of clients in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use market::health::Health;
use market::{Event, Verdict};
use process::Shutdown;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Day, Progress, Score, Tempo};
use crate::clock::Clock;
use crate::hub::feeds::{FEEDS, Look};
use crate::hub::{Command, Hub};

/// What may wait for a client at speed 0 before the day's clock stops for it, bytes.
const MOST_WAITING: usize = 256 << 10;
/// Between two looks whether a client has read.
const LOOK: Duration = Duration::from_millis(2);
/// Between two lines of the log.
const SAY: Duration = Duration::from_secs(5);

/// Plays a day.
pub struct Player {
    /// What is played.
    pub day: Arc<Day>,
    /// How fast.
    pub tempo: Tempo,
    /// How far it is.
    pub progress: Arc<Progress>,
    /// The day's clock.
    pub clock: Clock,
    /// After the last event merging may wait so long, ns of the day.
    pub wait_ns: i64,
    /// For a client that reads nothing for so long nobody waits.
    pub slow: Duration,
}

impl Player {
    /// Plays until the day is over and told, or the stop is asked for.
    pub async fn play(
        self,
        hub: &mut Hub,
        asked: &mut mpsc::Receiver<Command>,
        mut stretches: mpsc::Receiver<Vec<Event>>,
        shutdown: &Shutdown,
    ) {
        let mut stage = Stage { player: self, hub, asked, said: Instant::now(), due: Vec::new() };
        tokio::select! {
            () = shutdown.requested() => {}
            () = stage.perform(&mut stretches) => {}
        }
    }

    /// How the feeds are: those that have events of the day are alive.
    fn look(&self, now_ns: i64) -> Look {
        let health = || Health {
            verdict: Verdict::Alive,
            since_ns: self.day.begin_ns(),
            why: format!("a replay of {}", self.day.date),
            data_expected: true,
            keys: 0,
            connected: 0,
            settled: 0,
            registered: 0,
            last_message_ns: Some(now_ns),
            last_frame_ns: Some(now_ns),
            free: BTreeMap::new(),
            carries: Vec::new(),
            dead_links: Vec::new(),
            instance: 0,
            beat_ns: now_ns,
        };
        let plays = |market, source| market == self.day.market && self.day.sources.contains(&source);
        Some(FEEDS.map(|(market, source)| (market, source, plays(market, source).then(health))).into())
    }
}

struct Stage<'a> {
    player: Player,
    hub: &'a mut Hub,
    asked: &'a mut mpsc::Receiver<Command>,
    said: Instant,
    /// What belongs to the next batch: at the highest speed ten seconds of the day.
    due: Vec<Event>,
}

impl Stage<'_> {
    async fn perform(&mut self, stretches: &mut mpsc::Receiver<Vec<Event>>) {
        let from_ns = self.player.day.begin_ns();
        self.wait_for_a_client(from_ns).await;
        self.player.progress.begin();
        tracing::info!("replay begins");
        let begin = Instant::now();
        let mut score = Score::new(from_ns, self.player.tempo);
        let mut last_ns = from_ns;
        while let Some(events) = self.next(stretches).await {
            for event in events {
                last_ns = event.stamp.received_ns;
                while score.next_ns() <= last_ns {
                    self.batch(&score, begin).await;
                    score.played();
                    // Without a pause nobody would be told anything until then.
                    if self.player.tempo.speed == 0 && !self.hub.has_waiting() {
                        score.skip_to(last_ns);
                    }
                }
                self.due.push(event);
            }
        }
        // What still waits for a predecessor waits no longer than it would have.
        let end_ns = last_ns.saturating_add(self.player.wait_ns).saturating_add(self.player.tempo.step_ns());
        while score.next_ns() <= end_ns {
            self.batch(&score, begin).await;
            score.played();
        }
        self.player.progress.end();
        self.read_by_all(0).await;
        tracing::info!(events = self.player.progress.events(), "replay is over");
    }

    /// The next stretch; clients are answered while it is read.
    async fn next(&mut self, stretches: &mut mpsc::Receiver<Vec<Event>>) -> Option<Vec<Event>> {
        loop {
            tokio::select! {
                biased;
                Some(command) = self.asked.recv() => self.command(command),
                events = stretches.recv() => return events,
            }
        }
    }

    fn command(&mut self, command: Command) {
        self.hub.command(command, self.player.clock.now_ns());
    }

    /// The day begins when somebody looks.
    async fn wait_for_a_client(&mut self, now_ns: i64) {
        self.player.clock.set(now_ns);
        self.hub.looked(self.player.look(now_ns), now_ns);
        self.hub.seeded();
        tracing::info!("waiting for a client that subscribes");
        while !self.hub.has_subscribers() {
            let Some(command) = self.asked.recv().await else { return std::future::pending().await };
            self.command(command);
            self.hub.tick(now_ns);
        }
    }

    /// Waits until a batch is due, gives its events to the hub, and has them sent.
    async fn batch(&mut self, score: &Score, begin: Instant) {
        let now_ns = score.next_ns();
        let due = begin + self.player.tempo.due(now_ns.saturating_sub(self.player.day.begin_ns()));
        loop {
            tokio::select! {
                biased;
                Some(command) = self.asked.recv() => self.command(command),
                () = sleep_until(due) => break,
            }
        }
        let count = u64::try_from(self.due.len()).unwrap_or(u64::MAX);
        for event in self.due.drain(..) {
            // Merging waits by this clock.
            let received_ns = event.stamp.received_ns;
            self.player.clock.set(received_ns);
            self.hub.event(event, true, received_ns);
        }
        self.player.clock.set(now_ns);
        self.player.progress.played(count, now_ns);
        self.hub.looked(self.player.look(now_ns), now_ns);
        self.hub.tick(now_ns);
        if self.player.tempo.speed == 0 {
            self.read_by_all(MOST_WAITING).await;
        }
        if self.said.elapsed() >= SAY {
            self.said = Instant::now();
            let progress = &self.player.progress;
            let (percent, events) = (progress.percent(), progress.events());
            tracing::info!(percent, events, at_ns = now_ns, "replaying");
        }
    }

    /// Waits until at most so much waits for any client, but for none longer than it may be slow.
    async fn read_by_all(&mut self, most: usize) {
        let patience = Instant::now() + self.player.slow;
        while self.hub.waits(most) && Instant::now() < patience {
            tokio::select! {
                biased;
                Some(command) = self.asked.recv() => self.command(command),
                () = sleep(LOOK) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
