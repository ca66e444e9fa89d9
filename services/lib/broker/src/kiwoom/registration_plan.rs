//! What is wanted and what the server holds → the next REG or REMOVE, and what to make of its answer.
//!
//! Everything follows from the difference: a type of an item that is wanted and not held is asked for, one that is
//! held and not wanted is given back, so a changed wish costs nothing that it does not touch. The server checks no
//! codes, so a refusal of many items is a refusal of one among them: they are asked for again in halves until the
//! one is alone, and its neighbours are covered.

use std::collections::HashMap;
use std::time::Duration;

use market::Symbol;

use super::registration::{Item, Types};
use crate::feed::Note;

/// Group numbers have at most four characters.
const MOST_GROUP: u32 = 9_999;

/// A request under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// To be registered; else given back.
    pub register: bool,
    /// The group of it.
    pub group: u32,
    /// Which items.
    pub codes: Vec<String>,
    /// Which types of each.
    pub types: Types,
    /// When it was made.
    pub at: Duration,
}

/// Limits and waits of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanRules {
    /// Items that one connection may hold.
    pub limit: usize,
    /// Items in one request. 100 are commonly stated, 50 were used without trouble.
    pub batch: usize,
    /// Before items that failed for the moment are asked for once more.
    pub retry_after: Duration,
    /// Before items that failed again are asked for again.
    pub retry_refused_after: Duration,
}

/// Why items were not had, for people.
#[derive(Debug, Clone, Copy)]
pub struct Why<'a> {
    /// The broker's most precise code, or our word.
    pub code: &'a str,
    /// The broker's text, or ours.
    pub text: &'a str,
}

/// One item and how far it has got.
#[derive(Debug)]
struct Slot {
    code: String,
    symbol: Symbol,
    /// Empty: to be given back.
    wanted: Types,
    /// The group that each type was registered with, in the order of [`Types::EACH`]; none: not held.
    groups: [Option<u32>; 2],
    not_before: Duration,
    tries: u32,
    /// Not asked for again before the wish changes.
    refused: bool,
    batch: usize,
    /// When something of it was first confirmed.
    since: Option<Duration>,
    heard: bool,
    told: bool,
}

impl Slot {
    fn held(&self) -> Types {
        let held = Types::EACH.into_iter().zip(self.groups).filter(|(_, group)| group.is_some());
        held.fold(Types::NONE, |types, (one, _)| types.and(one))
    }

    fn missing(&self) -> Types {
        self.wanted.without(self.held())
    }

    /// What is held of `group` and not wanted.
    fn surplus(&self, group: u32) -> Types {
        let of_group = Types::EACH.into_iter().zip(self.groups).filter(|(_, of)| *of == Some(group));
        of_group.fold(Types::NONE, |types, (one, _)| types.and(one)).without(self.wanted)
    }

    fn surplus_group(&self) -> Option<u32> {
        self.groups.into_iter().flatten().find(|group| !self.surplus(*group).is_empty())
    }

    fn covered(&self) -> bool {
        !self.wanted.is_empty() && self.missing().is_empty()
    }
}

/// All items of a connection, most important first.
#[derive(Debug)]
pub struct Plan {
    rules: PlanRules,
    slots: Vec<Slot>,
    under_way: Option<Request>,
}

impl Plan {
    /// Nothing wanted, nothing held.
    #[must_use]
    pub const fn new(rules: PlanRules) -> Self {
        Self { rules, slots: Vec::new(), under_way: None }
    }

    /// Replaces what is wanted, most important first.
    pub fn want(&mut self, wanted: &[Item]) {
        let mut before: HashMap<String, Slot> =
            self.slots.drain(..).map(|slot| (slot.code.clone(), slot)).collect();
        for item in wanted {
            if let Some(named_twice) = self.slots.iter_mut().find(|slot| slot.code == item.code) {
                named_twice.wanted = named_twice.wanted.and(item.types);
                continue;
            }
            let mut slot = before.remove(&item.code).unwrap_or_else(|| Slot {
                code: item.code.clone(),
                symbol: item.symbol,
                wanted: Types::NONE,
                groups: [None; 2],
                not_before: Duration::ZERO,
                tries: 0,
                refused: false,
                batch: self.rules.batch,
                since: None,
                heard: false,
                told: false,
            });
            // The room has changed, so whatever was refused has a new chance.
            (slot.wanted, slot.refused) = (item.types, false);
            self.slots.push(slot);
        }
        let mut leaving: Vec<_> = before.into_values().collect();
        leaving.sort_unstable_by(|a, b| a.code.cmp(&b.code));
        for slot in &mut leaving {
            slot.wanted = Types::NONE;
            slot.not_before = Duration::ZERO;
        }
        self.slots.extend(leaving);
        self.forget_gone();
    }

    fn forget_gone(&mut self) {
        let under_way = self.under_way.as_ref();
        self.slots.retain(|slot| {
            let asked = under_way.is_some_and(|request| request.codes.contains(&slot.code));
            asked || !slot.wanted.is_empty() || !slot.held().is_empty()
        });
    }

    /// The request under way.
    #[must_use]
    pub const fn under_way(&self) -> Option<&Request> {
        self.under_way.as_ref()
    }

    /// The next request, from now on under way; none when nothing is due or one is under way already.
    pub fn next(&mut self, now: Duration) -> Option<&Request> {
        if self.under_way.is_some() {
            return None;
        }
        // Giving back first makes room.
        self.under_way = self.next_removal(now).or_else(|| self.next_registration(now));
        self.under_way.as_ref()
    }

    fn next_removal(&self, now: Duration) -> Option<Request> {
        let due = || self.slots.iter().filter(|slot| slot.not_before <= now);
        let (group, first) = due().find_map(|slot| Some((slot.surplus_group()?, slot)))?;
        let types = first.surplus(group);
        let alike = due().filter(|slot| slot.surplus(group) == types);
        let codes = alike.take(self.rules.batch).map(|slot| slot.code.clone()).collect();
        Some(Request { register: false, group, codes, types, at: now })
    }

    fn next_registration(&self, now: Duration) -> Option<Request> {
        let mut room = self.rules.limit.saturating_sub(self.held());
        let mut most = self.rules.batch;
        let (mut codes, mut types) = (Vec::new(), Types::NONE);
        for slot in self.slots.iter().filter(|slot| !slot.refused && slot.not_before <= now) {
            let missing = slot.missing();
            let new = slot.held().is_empty();
            if missing.is_empty() || (new && room == 0) || (!types.is_empty() && types != missing) {
                continue;
            }
            most = most.min(slot.batch);
            if codes.len() >= most {
                break;
            }
            types = missing;
            room -= usize::from(new);
            codes.push(slot.code.clone());
        }
        let free = |group: &u32| !self.slots.iter().any(|slot| slot.groups.contains(&Some(*group)));
        let group = (1..=MOST_GROUP).find(free)?;
        (!codes.is_empty()).then_some(Request { register: true, group, codes, types, at: now })
    }

    fn of<'a>(slots: &'a mut [Slot], request: &'a Request) -> impl Iterator<Item = &'a mut Slot> {
        slots.iter_mut().filter(|slot| request.codes.contains(&slot.code))
    }

    /// The request under way was granted.
    pub fn granted(&mut self, now: Duration) {
        let Some(request) = self.under_way.take() else { return };
        for slot in Self::of(&mut self.slots, &request) {
            for (one, group) in Types::EACH.into_iter().zip(&mut slot.groups) {
                if request.types.has(one) {
                    *group = request.register.then_some(request.group);
                }
            }
            (slot.tries, slot.not_before, slot.batch) = (0, Duration::ZERO, self.rules.batch);
            slot.since = if slot.held().is_empty() { None } else { slot.since.or(Some(now)) };
        }
        self.forget_gone();
    }

    /// The request under way was not granted this time: once more soon, then reported and tried again rarely.
    pub fn failed(&mut self, now: Duration, why: Why<'_>, notes: &mut Vec<Note>) {
        let Some(request) = self.under_way.take() else { return };
        for slot in Self::of(&mut self.slots, &request) {
            slot.tries += 1;
            let again = slot.tries > 1;
            let wait = if again { self.rules.retry_refused_after } else { self.rules.retry_after };
            slot.not_before = now + wait;
            if again && request.register && !slot.wanted.is_empty() {
                notes.push(refused(slot, why));
            }
        }
        self.forget_gone();
    }

    /// The request under way came too fast: again after `wait`. No failure of its items.
    pub fn too_fast(&mut self, now: Duration, wait: Duration) {
        let Some(request) = self.under_way.take() else { return };
        for slot in Self::of(&mut self.slots, &request) {
            slot.not_before = now + wait;
        }
        self.forget_gone();
    }

    /// The request under way was refused: in halves again, until what is to blame stands alone and is reported.
    pub fn refused(&mut self, now: Duration, why: Why<'_>, notes: &mut Vec<Note>) {
        let Some(half) = self.half_of_many() else { return self.refused_one(now, why, notes) };
        let Some(request) = self.under_way.take() else { return };
        for slot in Self::of(&mut self.slots, &request) {
            slot.batch = half;
        }
        self.forget_gone();
    }

    /// The server has no room for the items under way: in halves again, until one alone has no room; then that one and
    /// all that are not held yet are reported.
    pub fn no_room(&mut self, now: Duration, why: Why<'_>, notes: &mut Vec<Note>) {
        let many = self.half_of_many().is_some();
        self.refused(now, why, notes);
        if many {
            return;
        }
        for slot in self.slots.iter_mut().filter(|slot| !slot.refused && slot.held().is_empty()) {
            slot.refused = true;
            notes.push(refused(slot, why));
        }
    }

    fn half_of_many(&self) -> Option<usize> {
        let many = self.under_way.as_ref().filter(|request| request.register && request.codes.len() > 1)?;
        Some(many.codes.len().div_ceil(2))
    }

    fn refused_one(&mut self, now: Duration, why: Why<'_>, notes: &mut Vec<Note>) {
        let Some(request) = self.under_way.take() else { return };
        for slot in Self::of(&mut self.slots, &request) {
            if request.register {
                slot.refused = true;
                if !slot.wanted.is_empty() {
                    notes.push(refused(slot, why));
                }
            } else {
                // It stays held, at the cost of its room and of data that nobody asked for.
                slot.not_before = now + self.rules.retry_refused_after;
            }
        }
        self.forget_gone();
    }

    /// What does not fit is told at once, before anyone waits for its data.
    pub fn refuse_beyond_limit(&mut self, notes: &mut Vec<Note>) {
        let text = format!("more than the {} items of one connection", self.rules.limit);
        let wanted = |slot: &&Slot| !slot.wanted.is_empty() && !slot.held().is_empty();
        let mut room = self.rules.limit.saturating_sub(self.slots.iter().filter(wanted).count());
        for slot in &mut self.slots {
            if slot.wanted.is_empty() || slot.refused || !slot.held().is_empty() {
                continue;
            }
            match room.checked_sub(1) {
                Some(left) => room = left,
                None => {
                    slot.refused = true;
                    notes.push(refused(slot, Why { code: "LIMIT", text: &text }));
                }
            }
        }
    }

    /// Whether every wish is answered, if only by a refusal.
    #[must_use]
    pub fn settled(&self) -> bool {
        let open = |slot: &Slot| !slot.missing().is_empty() && !slot.refused && slot.tries < 2;
        !self.under_way.as_ref().is_some_and(|request| request.register) && !self.slots.iter().any(open)
    }

    /// Items that are covered, and items that are wanted and are not.
    #[must_use]
    pub fn counts(&self) -> (u32, u32) {
        let count = |covered: bool| {
            let alike = self.slots.iter().filter(|s| !s.wanted.is_empty() && s.covered() == covered);
            u32::try_from(alike.count()).unwrap_or(u32::MAX)
        };
        (count(true), count(false))
    }

    /// Items that take room at the server.
    #[must_use]
    pub fn held(&self) -> usize {
        self.slots.iter().filter(|slot| !slot.held().is_empty()).count()
    }

    /// The symbols of all that is covered.
    #[must_use]
    pub fn covered_symbols(&self) -> Vec<Symbol> {
        distinct(self.slots.iter().filter(|slot| slot.covered()))
    }

    /// Whether some confirmed book has never brought a frame.
    #[must_use]
    pub fn any_unheard(&self) -> bool {
        self.slots.iter().any(|slot| !slot.heard && slot.held().has(Types::BOOKS))
    }

    /// Data of this item came. A leading `A` was seen by others.
    pub fn heard(&mut self, code: &str) {
        let bare = code.strip_prefix('A').unwrap_or(code);
        for slot in self.slots.iter_mut().filter(|slot| slot.code == code || slot.code == bare) {
            slot.heard = true;
        }
    }

    /// Books confirmed for `limit` that never brought a frame, counted from `expected_since` at the earliest: how many
    /// there are, and the symbols of those not named before.
    pub fn unheard(
        &mut self,
        now: Duration,
        expected_since: Duration,
        limit: Duration,
    ) -> (u32, Vec<Symbol>) {
        let long = |slot: &Slot| {
            let since = slot.since.map(|since| since.max(expected_since));
            since.is_some_and(|since| now.saturating_sub(since) >= limit)
        };
        let unheard = |slot: &&mut Slot| !slot.heard && slot.held().has(Types::BOOKS) && long(slot);
        let (mut count, mut new) = (0, Vec::new());
        for slot in self.slots.iter_mut().filter(unheard) {
            count += 1;
            if !slot.told {
                slot.told = true;
                new.push(slot.symbol);
            }
        }
        new.sort_unstable();
        new.dedup();
        (count, new)
    }
}

fn refused(slot: &Slot, why: Why<'_>) -> Note {
    Note::Refused { registration: slot.code.clone(), code: why.code.to_owned(), text: why.text.to_owned() }
}

fn distinct<'a>(slots: impl Iterator<Item = &'a Slot>) -> Vec<Symbol> {
    let mut symbols: Vec<_> = slots.map(|slot| slot.symbol).collect();
    symbols.sort_unstable();
    symbols.dedup();
    symbols
}

#[cfg(test)]
mod tests;
