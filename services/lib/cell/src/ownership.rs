//! Own health, and what is seen of the others → which groups this broker carries, and which it takes for itself.
//!
//! [`Owners`] decides, without I/O: what it is shown is an argument, what is to be done comes out. `board` shows and
//! does. When nothing can be seen, nobody changes anything and everybody goes on as before.

mod board;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use bus::Versioned;
use market::health::Feed;
use market::ownership::{Ownership, Rules, View, candidates, members, owner};
use market::universe::Universe;
use market::{Change, Group, Health, Market, Source, Symbol};
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
    /// Take a group, or symbols of it on loan, or give these back: replace its entry, and look again.
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
    /// What was told last of the symbols on loan.
    lent: BTreeMap<Group, BTreeSet<Symbol>>,
    blind: bool,
}

/// A look at one group.
#[derive(Clone, Copy)]
struct Look<'a> {
    group: Group,
    candidates: &'a [Source],
    members: &'a [Symbol],
    /// The entry as it was seen before; none when this is the first look.
    known: Option<Option<&'a Versioned<Ownership>>>,
    data_expected: bool,
    now_ns: i64,
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
            lent: BTreeMap::new(),
            blind: false,
        }
    }

    /// The groups that this broker was told to carry.
    pub const fn carried(&self) -> &BTreeSet<Group> {
        &self.groups
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
            // Only of dead connections is it asked whose symbols they are.
            let dead = self.feeds.iter().any(|feed| !feed.dead_links_ns.is_empty());
            let members = if dead { members(universe, self.market, group) } else { Vec::new() };
            let look =
                Look { group, candidates: &candidates, members: &members, known, data_expected, now_ns };
            self.look_at(look, &mut acts);
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

    fn look_at(&mut self, look: Look<'_>, acts: &mut Vec<Act>) {
        let Look { group, candidates, members, known, data_expected, now_ns } = look;
        let versioned = self.entries.as_ref().and_then(|entries| entries.get(&group));
        let revision = versioned.map_or(0, |versioned| versioned.revision);
        let entry = versioned.map(|versioned| &versioned.value);
        let moved = known.is_some_and(|known| moved(known.map(|known| &known.value), entry));
        let view = View { group, candidates, entry, members, feeds: &self.feeds, data_expected, now_ns };
        let carried = view.owner_carries(&self.rules);
        // Who has just started holds nothing that it would have to let go of last.
        if known.is_none() || carried {
            self.released.insert(group);
        } else if moved {
            self.released.remove(&group);
        }
        // With one candidate there is nothing to be shared out: it carries what it may.
        let alone = candidates.len() < 2;
        let carry = if alone {
            group.home() == self.source
        } else {
            view.has_to_carry(self.source, self.released.contains(&group))
        };
        let took = entry.filter(|entry| moved && !alone && entry.owner == self.source);
        let had = self.groups.contains(&group);
        let had_lent = self.lent.remove(&group).unwrap_or_default();
        let lent = lent(entry.filter(|_| !alone && !carry), self.source, &had_lent, carry || carried);
        if carry != had || took.is_some() || lent != had_lent {
            if carry {
                self.groups.insert(group)
            } else {
                self.groups.remove(&group)
            };
            // Given up: told too, so that gaps which no data has ended yet end here.
            let gave = entry.filter(|_| had && !carry);
            let of_group = took.or(gave).map(|entry| Change::of(group, entry));
            let owner = owner(candidates, entry).filter(|owner| known.is_some() && *owner != self.source);
            let of_loan = owner.and_then(|owner| {
                let (from, to) =
                    if lent.is_subset(&had_lent) { (self.source, owner) } else { (owner, self.source) };
                Some(Change::of_loan(group, from, to, entry?.loan.as_ref()?))
            });
            let change = of_group.or_else(|| of_loan.filter(|_| lent != had_lent));
            self.lent.insert(group, lent);
            let lent = self.lent.values().flatten().copied().collect();
            acts.push(Act::Tell(Told { groups: self.groups.iter().copied().collect(), lent, change }));
        } else {
            self.lent.insert(group, lent);
            if moved {
                let owner = entry.map_or_else(|| "home".to_owned(), |entry| entry.owner.to_string());
                info!(%group, owner, "another broker owns the group");
            }
        }
        if alone {
            return;
        }
        let whole = view.wanted(&self.rules).map(|entry| (entry.owner, entry));
        let wanted = whole.or_else(|| view.loan(&self.rules));
        if let Some((_, entry)) = wanted.filter(|(by, _)| *by == self.source) {
            let why = entry.loan.as_ref().map_or(entry.why.as_str(), |loan| loan.why.as_str());
            let what = if entry.loan.is_some() { "loan" } else { "group" };
            warn!(%group, from = %entry.from, what, why, "changing who carries what of the group");
            acts.push(Act::Take { group, entry, revision });
        }
    }
}

/// Whether the group as a whole was given to somebody, or held or released: a loan leaves it where it is.
fn moved(before: Option<&Ownership>, now: Option<&Ownership>) -> bool {
    match (before, now) {
        (None, None) => false,
        (None, Some(now)) => now.loan.is_none(),
        (Some(_), None) => true,
        (Some(before), Some(now)) => (before.owner, before.since_ns) != (now.owner, now.since_ns),
    }
}

/// What `source` has on loan of a group, by its entry. What it `had` it keeps until the owner carries the group.
fn lent(
    entry: Option<&Ownership>,
    source: Source,
    had: &BTreeSet<Symbol>,
    carried: bool,
) -> BTreeSet<Symbol> {
    let loan = entry.and_then(|entry| entry.loan.as_ref()).filter(|loan| loan.to == source);
    let mut lent: BTreeSet<Symbol> = loan.iter().flat_map(|loan| loan.symbols.iter().copied()).collect();
    if !carried {
        lent.extend(had);
    }
    lent
}

#[cfg(test)]
mod tests;
