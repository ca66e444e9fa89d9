//! The universe's file → what each connection carries, now and whenever the file changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use broker::connection::{LinkNote, Received};
use broker::feed::{Feed, Note, Protocol};
use broker::lines::Subscription as _;
use market::Source;
use process::clock::now_ns;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::symbols::UniverseFiles;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// The broker's code of a registration that no key has room for; ours.
const UNCOVERED: &str = "UNCOVERED";

/// What a cell follows.
#[derive(Debug, Clone)]
pub struct Following {
    /// The universe and its files.
    pub files: UniverseFiles,
    /// The brokers that run.
    pub carriers: Vec<Source>,
}

type Registration<F> = <<F as Feed>::Protocol as Protocol>::Registration;

/// Gives the connections their registrations, and says which have no room.
pub struct Follower<F: Feed> {
    feed: Arc<F>,
    following: Following,
    uncovered: HashSet<Registration<F>>,
    out: mpsc::Sender<Received>,
}

impl<F: Feed> Follower<F> {
    /// A follower that has given nothing yet.
    pub fn new(feed: Arc<F>, following: Following, out: mpsc::Sender<Received>) -> Self {
        Self { feed, following, uncovered: HashSet::new(), out }
    }

    /// Gives the connections what the universe wants at this moment.
    pub async fn apply(&mut self) {
        let Following { files, carriers } = &self.following;
        let wanted = files.universe.carried(self.feed.market(), self.feed.source(), carriers);
        let registrations = self.feed.registrations(&wanted);
        let orphans: Vec<_> =
            files.universe.orphans(self.feed.market(), carriers).map(|e| e.symbol).collect();
        if !orphans.is_empty() {
            error!(symbols = ?orphans, "no broker that runs may carry these symbols: they are not covered");
        }
        metrics::gauge!("cell_orphans").set(u32::try_from(orphans.len()).unwrap_or(u32::MAX));
        let count = registrations.len();
        let uncovered = self.feed.lines().follow(registrations);
        info!(registrations = count, uncovered = uncovered.len(), "following the universe");
        metrics::gauge!("cell_uncovered").set(u32::try_from(uncovered.len()).unwrap_or(u32::MAX));
        let lines = self.feed.lines();
        let text =
            format!("no room on {} key(s) of {} registrations each", lines.names().len(), lines.limit());
        for registration in uncovered.iter().filter(|one| !self.uncovered.contains(*one)) {
            let refused = Note::Refused {
                registration: registration.name(),
                code: UNCOVERED.to_owned(),
                text: text.clone(),
            };
            let at_ns = now_ns();
            let note = LinkNote::Protocol(refused);
            // The keeper is gone only when the cell stops.
            let connection = String::new();
            let note = Received::Note { connection, connection_id: at_ns, at_ns, note };
            let _stopping = self.out.send(note).await;
        }
        self.uncovered = uncovered.into_iter().collect();
    }

    /// Follows the file until the stop. A file with a mistake changes nothing, and the mistake is told.
    pub async fn follow(mut self, stop: CancellationToken) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = self.following.files.state();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => {}
            }
            let now = self.following.files.state();
            if now != seen {
                self.read().await;
                // The files may be other ones now.
                seen = self.following.files.state();
            }
        }
    }

    async fn read(&mut self) {
        let Some(file) = self.following.files.files.first() else { return };
        match UniverseFiles::read(file) {
            Ok(files) => {
                let changed = files.universe != self.following.files.universe;
                self.following.files = files;
                if changed {
                    self.apply().await;
                }
            }
            Err(problem) => error!(problem, "the universe is not changed: correct the file"),
        }
    }
}
