//! Many registrations over several connections, one a key: who carries what, and what no key has room for.
//!
//! The same input is always placed alike, what is placed stays where it is while the list changes, and all of one
//! symbol stands on one connection as long as it fits, so that a connection's trouble touches its own symbols only.

use std::collections::HashMap;
use std::hash::Hash;

use market::Symbol;
use tokio::sync::watch;
use twox_hash::XxHash3_64;

/// One thing that a broker counts against a connection's limit.
pub trait Subscription: Clone + Eq + Hash + std::fmt::Debug + Send + Sync + 'static {
    /// Its symbol.
    fn symbol(&self) -> Symbol;
    /// For people, in the broker's words: `H0STCNT0 005930`, `005930_NX`.
    fn name(&self) -> String;
}

/// Where everything is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread<S> {
    /// Of each connection, most important first; none longer than the limit.
    pub lines: Vec<Vec<S>>,
    /// What no connection has room for: the least important.
    pub uncovered: Vec<S>,
}

/// Places `wanted`, most important first, on connections of these names with `limit` each. `before` is where things
/// stand now (empty at the start): what is still wanted is not moved.
#[must_use]
pub fn spread<S: Subscription>(
    mut wanted: Vec<S>,
    names: &[String],
    limit: usize,
    before: &[Vec<S>],
) -> Spread<S> {
    let uncovered = wanted.split_off(wanted.len().min(limit.saturating_mul(names.len())));
    let mut placing = Placing { names, limit, used: vec![0; names.len()], at: HashMap::new() };
    let stands: HashMap<&S, usize> =
        before.iter().enumerate().flat_map(|(line, own)| own.iter().map(move |one| (one, line))).collect();
    for one in &wanted {
        if let Some(&line) = stands.get(one) {
            placing.put(one, line);
        }
    }
    let mut symbols: Vec<(Symbol, Vec<&S>)> = Vec::new();
    let mut index: HashMap<Symbol, usize> = HashMap::new();
    for one in &wanted {
        let at = *index.entry(one.symbol()).or_insert_with(|| {
            symbols.push((one.symbol(), Vec::new()));
            symbols.len() - 1
        });
        symbols[at].1.push(one);
    }
    for (symbol, own) in &symbols {
        placing.place(*symbol, own);
    }
    let mut lines = vec![Vec::new(); names.len()];
    for one in &wanted {
        if let Some(line) = placing.at.get(one).and_then(|&line| lines.get_mut(line)) {
            line.push(one.clone());
        }
    }
    Spread { lines, uncovered }
}

struct Placing<'a, S> {
    names: &'a [String],
    limit: usize,
    used: Vec<usize>,
    at: HashMap<&'a S, usize>,
}

impl<'a, S: Subscription> Placing<'a, S> {
    fn put(&mut self, one: &'a S, line: usize) -> bool {
        let free = self.used.get(line).is_some_and(|&used| used < self.limit);
        if free && !self.at.contains_key(one) {
            self.at.insert(one, line);
            self.used[line] += 1;
        }
        free
    }

    /// All of one symbol: beside what of it stands already, else on the connection that its hash prefers and that has
    /// room for all, else piece by piece.
    fn place(&mut self, symbol: Symbol, own: &[&'a S]) {
        let beside = own.iter().find_map(|one| self.at.get(*one).copied());
        let left: Vec<&'a S> = own.iter().copied().filter(|one| !self.at.contains_key(*one)).collect();
        let mut preferred: Vec<usize> = (0..self.names.len()).collect();
        preferred.sort_by_key(|&line| std::cmp::Reverse(score(&self.names[line], symbol)));
        let fits = |line: &usize| self.limit - self.used[*line] >= left.len();
        let whole = beside.into_iter().chain(preferred.iter().copied()).find(fits);
        for one in left {
            let order = whole.into_iter().chain(beside).chain(preferred.iter().copied());
            for line in order {
                if self.put(one, line) {
                    break;
                }
            }
        }
    }
}

/// Rendezvous hashing: a connection that comes or goes moves only what it gains or held.
fn score(name: &str, symbol: Symbol) -> u64 {
    XxHash3_64::oneshot(format!("{name}\0{symbol}").as_bytes())
}

/// The connections of a feed and what each is to carry at this moment.
#[derive(Debug)]
pub struct Lines<S> {
    names: Vec<String>,
    limit: usize,
    wanted: Vec<watch::Sender<Vec<S>>>,
}

impl<S: Subscription> Lines<S> {
    /// One connection a name, with room for `limit` each, nothing wanted yet.
    #[must_use]
    pub fn new(names: Vec<String>, limit: usize) -> Self {
        let wanted = names.iter().map(|_| watch::Sender::new(Vec::new())).collect();
        Self { names, limit, wanted }
    }

    /// The names of the connections: their keys'.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Registrations that one connection may hold.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// What connection number `index` is to carry, now and later; nothing for a number that does not exist.
    #[must_use]
    pub fn wanted(&self, index: usize) -> watch::Receiver<Vec<S>> {
        self.wanted
            .get(index)
            .map_or_else(|| watch::Sender::new(Vec::new()).subscribe(), watch::Sender::subscribe)
    }

    /// Carries these from now on, most important first; says what no connection has room for.
    pub fn follow(&self, wanted: Vec<S>) -> Vec<S> {
        let before: Vec<Vec<S>> = self.wanted.iter().map(|line| line.borrow().clone()).collect();
        let spread = spread(wanted, &self.names, self.limit, &before);
        for (line, own) in self.wanted.iter().zip(spread.lines) {
            line.send_if_modified(|now| {
                let changed = *now != own;
                *now = own;
                changed
            });
        }
        spread.uncovered
    }
}

#[cfg(test)]
mod tests;
