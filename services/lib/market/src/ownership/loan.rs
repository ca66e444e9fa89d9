//! Some connections of a group's home are dead → which of its symbols another broker takes on loan, and when it gives
//! them back. The same waits as for a whole group, and as pure.

use super::{CALM_NS, ChangedBy, Loan, Ownership, Rules, View, home, owner};
use crate::health::{DeadLink, Feed, Verdict};
use crate::instrument::Source;
use crate::symbol::Symbol;
use crate::time::SECOND;

/// Symbols that are written out where people are told; the entry holds them all.
const MOST_TOLD: usize = 20;

impl View<'_> {
    /// The entry with another loan that is wanted in place of the present one, and the broker that has to write it: who
    /// borrows, or the owner when all is given back. None when it is right as it is, and while the owner is dead as a
    /// whole or is not at home: then the home asks for everything anyway.
    #[must_use]
    pub fn loan(&self, rules: &Rules) -> Option<(Source, Ownership)> {
        let owner = owner(self.candidates, self.entry)?;
        let home = home(self.candidates, self.entry)?;
        let feed = self.feed(owner)?;
        let alive = feed.dead(rules.stale_ns, self.now_ns).is_none();
        if !self.data_expected || owner != home || !alive {
            return None;
        }
        let loan = self.entry.and_then(|entry| entry.loan.as_ref());
        let lent = loan.map_or(&[][..], |loan| loan.symbols.as_slice());
        let dead = self.dead_for_long(feed, rules);
        let is_new = |symbol: &Symbol| self.members.binary_search(symbol).is_ok() && !lent.contains(symbol);
        let is_dark = |link: &&DeadLink| link.symbols.iter().any(is_new);
        let dark: Vec<&DeadLink> = dead.into_iter().filter(is_dark).collect();
        if dark.is_empty() {
            return self.give_back(feed, loan?, rules).map(|loan| (owner, self.with(owner, loan)));
        }
        let mut more: Vec<Symbol> =
            dark.iter().flat_map(|link| link.symbols.iter().copied()).filter(is_new).collect();
        more.sort_unstable();
        more.dedup();
        let to = self.healthy(owner, home, rules)?;
        let borrowed = self.borrow(feed, loan.filter(|loan| loan.to == to), to, &dark, &more);
        Some((to, self.with(owner, borrowed)))
    }

    /// Connections that have been dead for long enough: one that comes back at once moves nothing.
    fn dead_for_long<'a>(&self, feed: &'a Feed, rules: &Rules) -> Vec<&'a DeadLink> {
        let links = feed.health.iter().flat_map(|health| &health.dead_links);
        let since_ns = |link: &DeadLink| feed.dead_links_ns.get(&link.key).copied().unwrap_or(self.now_ns);
        links.filter(|link| self.now_ns.saturating_sub(since_ns(link)) >= rules.takeover_ns).collect()
    }

    fn borrow(
        &self,
        feed: &Feed,
        before: Option<&Loan>,
        to: Source,
        dark: &[&DeadLink],
        more: &[Symbol],
    ) -> Loan {
        let died = |link: &&DeadLink| {
            link.last_frame_ns.or_else(|| feed.dead_links_ns.get(&link.key).copied()).unwrap_or(self.now_ns)
        };
        let calm = |loan: &&Loan| self.now_ns.saturating_sub(loan.since_ns) < CALM_NS;
        let mut symbols: Vec<Symbol> = before.map_or_else(Vec::new, |loan| loan.symbols.clone());
        symbols.extend(more);
        symbols.sort_unstable();
        let keys: Vec<&str> = dark.iter().map(|link| link.key.as_str()).collect();
        Loan {
            to,
            symbols,
            since_ns: self.now_ns,
            why: format!("on loan: {}: {} is dead: {}", told(more), feed.source, keys.join(", ")),
            missed_since_ns: dark.iter().map(died).min(),
            failovers: before.filter(calm).map_or(0, |loan| loan.failovers).saturating_add(1),
        }
    }

    /// Back to the owner that has been healthy on all connections, and has carried the group, for long enough.
    fn give_back(&self, feed: &Feed, loan: &Loan, rules: &Rules) -> Option<Loan> {
        let wait_ns = rules.hand_back_after(loan.failovers);
        let since_ns = feed.verdict_ns.max(feed.carries_ns).max(loan.since_ns);
        let health = feed.health.as_ref()?;
        let healthy = health.verdict == Verdict::Alive
            && health.dead_links.is_empty()
            && feed.carries(self.group, rules.stale_ns, self.now_ns);
        let due = healthy && !loan.symbols.is_empty() && self.now_ns.saturating_sub(since_ns) >= wait_ns;
        due.then(|| Loan {
            symbols: Vec::new(),
            since_ns: self.now_ns,
            why: format!("{} has been healthy for {} s", feed.source, wait_ns / SECOND),
            missed_since_ns: None,
            ..loan.clone()
        })
    }

    /// The present entry with this loan: the group stays where it is.
    fn with(&self, owner: Source, loan: Loan) -> Ownership {
        let fresh = || Ownership {
            owner,
            from: owner,
            since_ns: self.now_ns,
            by: ChangedBy::Auto,
            hold: None,
            why: String::new(),
            missed_since_ns: None,
            failovers: 0,
            loan: None,
        };
        Ownership { loan: Some(loan), ..self.entry.cloned().unwrap_or_else(fresh) }
    }
}

/// `005380, 035720`; of many the first.
fn told(symbols: &[Symbol]) -> String {
    let first: Vec<&str> = symbols.iter().take(MOST_TOLD).map(Symbol::as_str).collect();
    match symbols.len().saturating_sub(first.len()) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
