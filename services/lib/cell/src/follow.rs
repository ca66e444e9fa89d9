//! The universe's file, and the groups that this broker has to carry → what each connection carries, now and whenever
//! either changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use broker::connection::{LinkNote, Received};
use broker::feed::{Feed, Note, Protocol};
use broker::lines::Subscription as _;
use market::carriers::{Carried, Wanted};
use market::ownership::Rules;
use market::universe::Universe;
use market::{Change, Group, Source, Symbol, Tape};
use process::clock::now_ns;
use tokio::sync::{mpsc, watch};
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
    /// When a group changes its owner.
    pub rules: Rules,
}

/// What this broker has to carry from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// All groups that it has to carry.
    pub groups: Vec<Group>,
    /// Symbols of other groups that it has on loan, because connections of their owner are dead.
    pub lent: Vec<Symbol>,
    /// The change that led to it, where people are to be told.
    pub change: Option<Change>,
}

/// What the connections were asked to carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The universe.
    pub universe: Arc<Universe>,
    /// The groups.
    pub groups: Vec<Group>,
    /// Those of them that are another broker's and have not found room as a whole.
    pub incomplete: Vec<Group>,
    /// When the connections were asked, UTC ns.
    pub at_ns: i64,
}

type Registration<F> = <<F as Feed>::Protocol as Protocol>::Registration;

/// What guests have room for beside one's own.
struct Guests<R> {
    registrations: Vec<R>,
    instruments: Vec<(Tape, Symbol)>,
    left_out: Vec<R>,
    without_room: Vec<Symbol>,
}

/// Gives the connections their registrations, and says which have no room.
pub struct Follower<F: Feed> {
    feed: Arc<F>,
    following: Following,
    groups: Vec<Group>,
    lent: Vec<Symbol>,
    /// What was on loan before the last change: it is carried already.
    lent_before: Vec<Symbol>,
    uncovered: HashSet<Registration<F>>,
    out: mpsc::Sender<Received>,
    placed: watch::Sender<Placed>,
}

impl<F: Feed> Follower<F> {
    /// A follower that has given nothing yet: it begins with the groups that are the broker's own.
    pub fn new(feed: Arc<F>, following: Following, out: mpsc::Sender<Received>) -> Self {
        let groups: Vec<Group> =
            Group::ALL.iter().copied().filter(|group| group.home() == feed.source()).collect();
        let placed = Placed {
            universe: Arc::new(following.files.universe.clone()),
            groups: groups.clone(),
            incomplete: Vec::new(),
            at_ns: now_ns(),
        };
        let placed = watch::Sender::new(placed);
        let (lent, lent_before) = (Vec::new(), Vec::new());
        Self { feed, following, groups, lent, lent_before, uncovered: HashSet::new(), out, placed }
    }

    /// What the connections were asked to carry, now and later.
    pub fn placed(&self) -> watch::Receiver<Placed> {
        self.placed.subscribe()
    }

    /// Gives the connections what the universe wants at this moment; tells people of `change` before its data comes.
    pub async fn apply(&mut self, change: Option<Change>) {
        let Following { files, carriers, .. } = &self.following;
        let universe = Arc::new(files.universe.clone());
        let (market, source) = (self.feed.market(), self.feed.source());
        let orphans: Vec<_> = universe.orphans(market, carriers).map(|e| e.symbol).collect();
        if !orphans.is_empty() {
            error!(symbols = ?orphans, "no broker that runs may carry these symbols: they are not covered");
        }
        metrics::gauge!("sise_cell_orphan_symbols").set(u32::try_from(orphans.len()).unwrap_or(u32::MAX));
        let Carried { own, guests, forbidden } =
            universe.carried_groups(market, source, carriers, &self.groups, &self.lent);
        let mut registrations = self.feed.registrations(&own);
        let guests = self.place(&guests, registrations.len());
        let incomplete = self.incomplete(&universe, &guests);
        if let Some(change) = change {
            self.tell(&universe, change, &guests, forbidden).await;
        }
        registrations.extend(guests.registrations);
        let count = registrations.len();
        let mut uncovered = self.feed.lines().follow(registrations);
        uncovered.extend(guests.left_out);
        let at_ns = now_ns();
        self.placed.send_replace(Placed { universe, groups: self.groups.clone(), incomplete, at_ns });
        info!(groups = ?self.groups, lent = self.lent.len(), registrations = count, uncovered = uncovered.len(), "following the universe");
        metrics::gauge!("sise_cell_uncovered_registrations")
            .set(u32::try_from(uncovered.len()).unwrap_or(u32::MAX));
        self.name(uncovered).await;
    }

    /// Guests take what one's own leave free, most important first.
    fn place(&self, guests: &[Wanted], own: usize) -> Guests<Registration<F>> {
        let lines = self.feed.lines();
        let mut room = (lines.names().len() * lines.limit()).saturating_sub(own);
        let mut placed = Guests {
            registrations: Vec::new(),
            instruments: Vec::new(),
            left_out: Vec::new(),
            without_room: Vec::new(),
        };
        for guest in guests {
            let registrations = self.feed.registrations(std::slice::from_ref(guest));
            if registrations.len() <= room {
                room -= registrations.len();
                placed.registrations.extend(registrations);
                placed.instruments.push((guest.tape, guest.symbol));
            } else {
                placed.left_out.extend(registrations);
                placed.without_room.push(guest.symbol);
            }
        }
        placed
    }

    /// The guests' groups that have not found room as a whole.
    fn incomplete(&self, universe: &Universe, guests: &Guests<Registration<F>>) -> Vec<Group> {
        let here = universe.entries.iter().filter(|entry| entry.market == self.feed.market());
        let outside = here.filter(|entry| guests.without_room.contains(&entry.symbol));
        let mut groups: Vec<Group> = outside.map(|entry| entry.group).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Tells people of a change. What is core has the other broker's book at all times, so nothing of it is missing.
    async fn tell(
        &self,
        universe: &Universe,
        change: Change,
        guests: &Guests<Registration<F>>,
        forbidden: Vec<Symbol>,
    ) {
        if change.to != self.feed.source() {
            return self.note(LinkNote::Gave { group: change.group }).await;
        }
        let of_group =
            universe.entries.iter().filter(|e| e.market == self.feed.market() && e.group == change.group);
        let (mut all, mut core) = (HashSet::new(), HashSet::new());
        for entry in of_group {
            all.insert(entry.symbol);
            if entry.core {
                core.insert(entry.symbol);
            }
        }
        self.lent_before.iter().for_each(|symbol| {
            all.remove(symbol);
        });
        let is_missing = |symbol: &Symbol| all.contains(symbol) && !core.contains(symbol);
        let missing = guests.instruments.iter().copied().filter(|(_, symbol)| is_missing(symbol)).collect();
        let mut uncovered = forbidden;
        uncovered.extend(&guests.without_room);
        uncovered.retain(|symbol| all.contains(symbol));
        uncovered.sort_unstable();
        uncovered.dedup();
        self.note(LinkNote::Took { change, missing, uncovered }).await;
    }

    /// Names what has no room, each once.
    async fn name(&mut self, uncovered: Vec<Registration<F>>) {
        let lines = self.feed.lines();
        let text =
            format!("no room on {} key(s) of {} registrations each", lines.names().len(), lines.limit());
        for registration in uncovered.iter().filter(|one| !self.uncovered.contains(*one)) {
            let refused = Note::Refused {
                registration: registration.name(),
                code: UNCOVERED.to_owned(),
                text: text.clone(),
            };
            self.note(LinkNote::Protocol(refused)).await;
        }
        self.uncovered = uncovered.into_iter().collect();
    }

    async fn note(&self, note: LinkNote) {
        let at_ns = now_ns();
        let connection = String::new();
        let note = Received::Note { connection, connection_id: at_ns, at_ns, note };
        // The keeper is gone only when the cell stops.
        let _stopping = self.out.send(note).await;
    }

    /// Follows the file, and what it is told to carry, until the stop. A file with a mistake changes nothing, and the
    /// mistake is told.
    pub async fn follow(mut self, mut told: mpsc::Receiver<Told>, stop: CancellationToken) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = self.following.files.state();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(told) = told.recv() => {
                    self.told(told).await;
                }
                _ = look.tick() => {
                    let now = self.following.files.state();
                    if now != seen {
                        self.read().await;
                        // The files may be other ones now.
                        seen = self.following.files.state();
                    }
                }
            }
        }
    }

    async fn told(&mut self, Told { groups, lent, change }: Told) {
        self.groups = groups;
        self.lent_before = std::mem::replace(&mut self.lent, lent);
        self.apply(change).await;
    }

    async fn read(&mut self) {
        let Some(file) = self.following.files.files.first() else { return };
        match UniverseFiles::read(file) {
            Ok(files) => {
                let changed = files.universe != self.following.files.universe;
                self.following.files = files;
                if changed {
                    self.apply(None).await;
                }
            }
            Err(problem) => error!(problem, "the universe is not changed: correct the file"),
        }
    }
}

#[cfg(test)]
mod tests;
