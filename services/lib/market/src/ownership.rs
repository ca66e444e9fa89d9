//! Which broker carries a group: the universe, the health of all feeds and the present owner → the owner that is wanted.
//!
//! Every cell of a market decides alone by the same functions, and a cell takes a group for itself only, by
//! compare-and-set: two that take at once cost duplicates, never a hole. A group's home is the broker that has it when
//! all is well: group A is KIS's, group B Kiwoom's, unless a person holds it elsewhere. The home asks for its groups at
//! all times; so when it is healthy again it has their data before the other lets go.
//!
//! Where only some of the home's connections are dead, the group stays and the other broker takes their symbols on loan
//! (`loan`).

mod loan;

use serde::{Deserialize, Serialize};

use crate::health::{Feed, Verdict, serde_by_word};
use crate::instrument::{Market, Source, words};
use crate::symbol::Symbol;
use crate::time::SECOND;
use crate::universe::{Group, Universe};

words! {
    /// Who changed an owner.
    ChangedBy {
        /// A cell, because of the feeds' health.
        Auto = "auto",
        /// A person.
        Manual = "manual",
    }
}

serde_by_word!(ChangedBy);

/// The owner of a group: the value at `<market>.<group>` in the bucket `ownership`. Without an entry the home owns it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// The broker that carries the group.
    pub owner: Source,
    /// The one before it.
    pub from: Source,
    /// Since when, UTC ns.
    pub since_ns: i64,
    /// Who changed it.
    pub by: ChangedBy,
    /// The broker at which a person holds the group: its home until it is released.
    pub hold: Option<Source>,
    /// Why, for people.
    pub why: String,
    /// The last frame of the owner before where it was dead, or its death when there was none: from here on data is
    /// missing, UTC ns.
    pub missed_since_ns: Option<i64>,
    /// Takeovers in a row, each within [`CALM_NS`] of the change before: the more, the later it is handed back.
    pub failovers: u32,
    /// What another broker carries of it besides, because connections of the owner are dead or were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loan: Option<Loan>,
}

/// Symbols of a group that a broker carries beside the group's owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loan {
    /// The broker that has them on loan.
    pub to: Source,
    /// The symbols, sorted; none = all were given back.
    #[serde(with = "crate::health::symbols")]
    pub symbols: Vec<Symbol>,
    /// Since when it has been so, UTC ns.
    pub since_ns: i64,
    /// Why, for people.
    pub why: String,
    /// The last frame of the dead connections, or their death when there was none, UTC ns.
    pub missed_since_ns: Option<i64>,
    /// Loans in a row, each within [`CALM_NS`] of the one before: the more, the later they are given back.
    pub failovers: u32,
}

/// A change of owner, as people are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The group.
    pub group: Group,
    /// Who carried it.
    pub from: Source,
    /// Who carries it now.
    pub to: Source,
    /// Who changed it.
    pub by: ChangedBy,
    /// Whether a person holds it there.
    pub hold: bool,
    /// Why.
    pub why: String,
    /// From when on data is missing, UTC ns; none when nothing is.
    pub missed_since_ns: Option<i64>,
}

impl Change {
    /// What an entry says.
    #[must_use]
    pub fn of(group: Group, entry: &Ownership) -> Self {
        Self {
            group,
            from: entry.from,
            to: entry.owner,
            by: entry.by,
            hold: entry.hold.is_some(),
            why: entry.why.clone(),
            missed_since_ns: entry.missed_since_ns,
        }
    }

    /// What a loan says: the group is still its owner's, and `why` names what is on loan. `from` and `to` are the two
    /// ways of it.
    #[must_use]
    pub fn of_loan(group: Group, from: Source, to: Source, loan: &Loan) -> Self {
        let Loan { why, missed_since_ns, .. } = loan;
        let (by, why) = (ChangedBy::Auto, why.clone());
        Self { group, from, to, by, hold: false, why, missed_since_ns: *missed_since_ns }
    }
}

/// After so long without a change the takeovers before it are forgotten, in ns.
pub const CALM_NS: i64 = 3_600 * SECOND;
/// The wait before a hand-back doubles so often at most: a minute becomes half an hour.
const MOST_DOUBLINGS: u32 = 5;

/// Times, in ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A cell that has said nothing new for so long is gone.
    pub stale_ns: i64,
    /// A feed has to be dead for so long: a connection that comes back at once moves nothing.
    pub takeover_ns: i64,
    /// The home has to be healthy for so long before it takes its group back.
    pub hand_back_ns: i64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { stale_ns: 5 * SECOND, takeover_ns: 3 * SECOND, hand_back_ns: 60 * SECOND }
    }
}

impl Rules {
    /// How long the home has to be healthy after so many takeovers in a row.
    #[must_use]
    pub fn hand_back_after(&self, failovers: u32) -> i64 {
        self.hand_back_ns.saturating_mul(1 << failovers.saturating_sub(1).min(MOST_DOUBLINGS))
    }
}

impl Group {
    /// The broker that carries the group when all brokers run and nobody holds it elsewhere.
    #[must_use]
    pub const fn home(self) -> Source {
        match self {
            Self::A => Source::Kis,
            Self::B => Source::Kiwoom,
        }
    }
}

/// The brokers that can carry something of a group, its own first; `carriers` are those that run.
#[must_use]
pub fn candidates(universe: &Universe, market: Market, group: Group, carriers: &[Source]) -> Vec<Source> {
    let entries = || universe.entries.iter().filter(|entry| entry.market == market && entry.group == group);
    let can = |source: &Source| {
        let runs = carriers.contains(source) && source.serves(market);
        runs && entries().any(|entry| entry.sources.contains(source))
    };
    let mut candidates: Vec<Source> = Source::ALL.iter().copied().filter(can).collect();
    candidates.sort_by_key(|source| *source != group.home());
    candidates
}

/// The symbols of a group, sorted.
#[must_use]
pub fn members(universe: &Universe, market: Market, group: Group) -> Vec<Symbol> {
    let entries = universe.entries.iter().filter(|entry| entry.market == market && entry.group == group);
    let mut members: Vec<Symbol> = entries.map(|entry| entry.symbol).collect();
    members.sort_unstable();
    members
}

/// The broker that has the group when all is well: where a person holds it, else the first candidate.
#[must_use]
pub fn home(candidates: &[Source], entry: Option<&Ownership>) -> Option<Source> {
    let held = entry.and_then(|entry| entry.hold).filter(|held| candidates.contains(held));
    held.or_else(|| candidates.first().copied())
}

/// The broker that owns the group now.
#[must_use]
pub fn owner(candidates: &[Source], entry: Option<&Ownership>) -> Option<Source> {
    let owner = entry.map(|entry| entry.owner).filter(|owner| candidates.contains(owner));
    owner.or_else(|| home(candidates, entry))
}

/// What is known when a group's owner is thought about.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The group.
    pub group: Group,
    /// Who can carry it, see [`candidates`].
    pub candidates: &'a [Source],
    /// The present entry; none = never changed.
    pub entry: Option<&'a Ownership>,
    /// The symbols of the group, sorted, see [`members`].
    pub members: &'a [Symbol],
    /// The candidates' feeds.
    pub feeds: &'a [Feed],
    /// Whether the market is open: in a closed one nothing is changed.
    pub data_expected: bool,
    /// Now, UTC ns.
    pub now_ns: i64,
}

impl View<'_> {
    fn feed(&self, source: Source) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.source == source)
    }

    /// The entry that is wanted in place of the present one; none when it is right as it is.
    #[must_use]
    pub fn wanted(&self, rules: &Rules) -> Option<Ownership> {
        if !self.data_expected {
            return None;
        }
        let home = home(self.candidates, self.entry)?;
        let owner = owner(self.candidates, self.entry)?;
        match self.feed(owner)?.dead(rules.stale_ns, self.now_ns) {
            Some((since_ns, why)) => {
                let long_enough = self.now_ns.saturating_sub(since_ns) >= rules.takeover_ns;
                let to = if long_enough { self.healthy(owner, home, rules)? } else { return None };
                let last_frame_ns = self.feed(owner)?.health.as_ref().and_then(|health| health.last_frame_ns);
                Some(self.takeover(owner, to, &why, last_frame_ns.unwrap_or(since_ns)))
            }
            None if owner != home => self.hand_back(owner, home, rules),
            None => None,
        }
    }

    /// Who can take over from `owner`: its home if it is one of several.
    fn healthy(&self, owner: Source, home: Source, rules: &Rules) -> Option<Source> {
        let alive = |source: &Source| {
            let feed = self.feed(*source)?;
            let there = feed.health.is_some() && feed.dead(rules.stale_ns, self.now_ns).is_none();
            there.then_some(*source)
        };
        let others = self.candidates.iter().filter(|source| **source != owner);
        let mut healthy: Vec<Source> = others.filter_map(alive).collect();
        healthy.sort_by_key(|source| *source != home);
        healthy.first().copied()
    }

    fn takeover(&self, from: Source, to: Source, why: &str, missed_since_ns: i64) -> Ownership {
        let calm = |entry: &&Ownership| self.now_ns.saturating_sub(entry.since_ns) < CALM_NS;
        let before = self.entry.filter(calm).map_or(0, |entry| entry.failovers);
        Ownership {
            owner: to,
            from,
            since_ns: self.now_ns,
            by: ChangedBy::Auto,
            hold: self.entry.and_then(|entry| entry.hold),
            why: format!("{from} is dead: {why}"),
            missed_since_ns: Some(missed_since_ns),
            failovers: before.saturating_add(1),
            // Who carries the whole group carries what it had on loan.
            loan: None,
        }
    }

    /// Back to the home that has been healthy and has carried the group for long enough.
    fn hand_back(&self, owner: Source, home: Source, rules: &Rules) -> Option<Ownership> {
        let feed = self.feed(home)?;
        let entry = self.entry?;
        let wait_ns = rules.hand_back_after(entry.failovers);
        let since_ns = feed.verdict_ns.max(feed.carries_ns).max(entry.since_ns);
        let alive = feed.health.as_ref().is_some_and(|health| health.verdict == Verdict::Alive);
        let healthy = alive && feed.carries(self.group, rules.stale_ns, self.now_ns);
        if !healthy || self.now_ns.saturating_sub(since_ns) < wait_ns {
            return None;
        }
        Some(Ownership {
            owner: home,
            from: owner,
            since_ns: self.now_ns,
            by: ChangedBy::Auto,
            hold: entry.hold,
            why: format!("{home} has been healthy for {} s", wait_ns / SECOND),
            missed_since_ns: None,
            failovers: entry.failovers,
            loan: None,
        })
    }

    /// Whether `source` has to ask for the group: its owner and its home do; who had it before goes on until the new
    /// owner has its data (`released` = that was so once since the change).
    #[must_use]
    pub fn has_to_carry(&self, source: Source, released: bool) -> bool {
        let is = |one: Option<Source>| one == Some(source);
        let had = self.entry.is_some_and(|entry| entry.from == source && self.candidates.contains(&source));
        is(owner(self.candidates, self.entry)) || is(home(self.candidates, self.entry)) || (had && !released)
    }

    /// Whether the owner carries the group: who had it before may let go.
    #[must_use]
    pub fn owner_carries(&self, rules: &Rules) -> bool {
        let feed = owner(self.candidates, self.entry).and_then(|owner| self.feed(owner));
        feed.is_some_and(|feed| feed.carries(self.group, rules.stale_ns, self.now_ns))
    }
}

#[cfg(test)]
mod tests;
