//! Own health, and what is seen of the others → which groups this broker carries, and which it takes for itself.
//!
//! [`Owners`] decides, without I/O: what it is shown is an argument, what is to be done comes out. `board` shows and
//! does. When nothing can be seen, nobody changes anything and everybody goes on as before.

mod board;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use bus::Versioned;
use market::health::Feed;
use market::ownership::{Ownership, Rules, View, candidates};
use market::universe::Universe;
use market::{Change, Group, Health, Market, Source};
use tracing::{info, warn};

use crate::follow::Told;

pub use watch::Watch;

/// What was seen of the others at an instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The health of the other feeds that has been told.
    pub health: Vec<(Source, Health)>,
    /// The entries of the groups that have one.
    pub entries: BTreeMap<Group, Versioned<Ownership>>,
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Carry this from now on.
    Tell(Told),
    /// Take a group: replace its entry, and look again.
    Take {
        /// The group.
        group: Group,
        /// The new entry.
        entry: Ownership,
        /// The revision that it replaces.
        revision: u64,
    },
}

/// What a cell knows of the groups of its market.
#[derive(Debug)]
pub struct Owners {
    market: Market,
    source: Source,
    carriers: Vec<Source>,
    rules: Rules,
    feeds: Vec<Feed>,
    /// None until the entries were seen for the first time.
    entries: Option<BTreeMap<Group, Versioned<Ownership>>>,
    /// Groups whose owner has carried them since the last change: who had one before may let go.
    released: BTreeSet<Group>,
    /// What was told last.
    groups: BTreeSet<Group>,
    blind: bool,
}

impl Owners {
    /// The owners as they are without any entry, for a cell of `source`; `carriers` are the brokers that run.
    #[must_use]
    pub fn new(market: Market, source: Source, carriers: &[Source], rules: Rules, now_ns: i64) -> Self {
        let carriers: Vec<Source> =
            carriers.iter().copied().filter(|carrier| carrier.serves(market)).collect();
        Self {
            market,
            source,
            rules,
            feeds: carriers.iter().map(|source| Feed::unheard(*source, now_ns)).collect(),
            carriers,
            entries: None,
            released: BTreeSet::new(),
            groups: Group::ALL.iter().copied().filter(|group| group.home() == source).collect(),
            blind: false,
        }
    }

    /// The other brokers of the market.
    pub fn others(&self) -> impl Iterator<Item = Source> {
        self.carriers.iter().copied().filter(|source| *source != self.source)
    }

    /// Nothing could be seen: what is known stands, and nobody's silence counts.
    pub const fn look_failed(&mut self) {
        self.blind = true;
    }

    /// Looks at what was seen, and says what is to be done.
    pub fn look(&mut self, universe: &Universe, own: Health, seen: Seen, now_ns: i64) -> Vec<Act> {
        let data_expected = own.data_expected;
        self.hear(own, seen.health, now_ns);
        let before = self.entries.replace(seen.entries);
        let mut acts = Vec::new();
        for group in Group::ALL.iter().copied() {
            let candidates = candidates(universe, self.market, group, &self.carriers);
            let known = before.as_ref().map(|before| before.get(&group));
            self.look_at(group, &candidates, known, data_expected, now_ns, &mut acts);
        }
        acts
    }

    fn hear(&mut self, own: Health, others: Vec<(Source, Health)>, now_ns: i64) {
        if std::mem::take(&mut self.blind) {
            self.feeds.iter_mut().for_each(|feed| feed.could_not_look(now_ns));
        }
        for (source, health) in others.into_iter().chain([(self.source, own)]) {
            if let Some(feed) = self.feeds.iter_mut().find(|feed| feed.source == source) {
                feed.heard(health, now_ns);
            }
        }
    }

    /// `known` is the entry as it was seen before; none when this is the first look.
    fn look_at(
        &mut self,
        group: Group,
        candidates: &[Source],
        known: Option<Option<&Versioned<Ownership>>>,
        data_expected: bool,
        now_ns: i64,
        acts: &mut Vec<Act>,
    ) {
        let versioned = self.entries.as_ref().and_then(|entries| entries.get(&group));
        let revision = versioned.map_or(0, |versioned| versioned.revision);
        let entry = versioned.map(|versioned| &versioned.value);
        let changed = known.is_some_and(|known| known.map_or(0, |known| known.revision) != revision);
        let view = View { group, candidates, entry, feeds: &self.feeds, data_expected, now_ns };
        // Who has just started holds nothing that it would have to let go of last.
        if known.is_none() || view.owner_carries(&self.rules) {
            self.released.insert(group);
        } else if changed {
            self.released.remove(&group);
        }
        // With one candidate there is nothing to be shared out: it carries what it may.
        let alone = candidates.len() < 2;
        let carry = if alone {
            group.home() == self.source
        } else {
            view.has_to_carry(self.source, self.released.contains(&group))
        };
        let took = entry.filter(|entry| changed && !alone && entry.owner == self.source);
        let had = self.groups.contains(&group);
        if carry != had || took.is_some() {
            if carry {
                self.groups.insert(group)
            } else {
                self.groups.remove(&group)
            };
            // Given up: told too, so that gaps which no data has ended yet end here.
            let gave = entry.filter(|_| had && !carry);
            let change = took.or(gave).map(|entry| Change::of(group, entry));
            acts.push(Act::Tell(Told { groups: self.groups.iter().copied().collect(), change }));
        } else if changed {
            let owner = entry.map_or_else(|| "home".to_owned(), |entry| entry.owner.to_string());
            info!(%group, owner, "another broker owns the group");
        }
        let wanted = if alone { None } else { view.wanted(&self.rules) };
        if let Some(entry) = wanted.filter(|wanted| wanted.owner == self.source) {
            warn!(%group, from = %entry.from, why = entry.why, "taking the group");
            acts.push(Act::Take { group, entry, revision });
        }
    }
}

#[cfg(test)]
mod tests;
