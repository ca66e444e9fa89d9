//! Two cells and a board without a bus: who takes what when, and who lets go when.

use std::collections::BTreeMap;

use market::health::DeadLink;
use market::time::SECOND;
use market::{ChangedBy, Verdict};

use super::*;

const KIS: Source = Source::Kis;
const KIWOOM: Source = Source::Kiwoom;
const BOTH: [Source; 2] = [KIS, KIWOOM];

fn health(verdict: Verdict, carries: &[Group], instance: i64, now_ns: i64) -> Health {
    Health {
        verdict,
        since_ns: 0,
        why: "no message for 60 s".to_owned(),
        data_expected: true,
        keys: 1,
        connected: 1,
        settled: 1,
        registered: 1,
        last_message_ns: Some(now_ns),
        last_frame_ns: Some(now_ns),
        free: BTreeMap::new(),
        carries: carries.to_vec(),
        dead_links: Vec::new(),
        instance,
        beat_ns: now_ns,
    }
}

/// One cell: what it says of itself, and what it was told.
struct Cell {
    owners: Owners,
    verdict: Verdict,
    carries: Vec<Group>,
    dead_links: Vec<DeadLink>,
    runs: bool,
    told: Vec<Told>,
}

/// Both cells and what both see.
struct World {
    universe: Universe,
    cells: BTreeMap<Source, Cell>,
    health: BTreeMap<Source, Health>,
    entries: BTreeMap<Group, Versioned<Ownership>>,
    now_ns: i64,
}

impl World {
    fn new() -> Self {
        let universe =
            Universe::from_yaml("symbols:\n- {symbol: 005930, group: A}\n- {symbol: 000660, group: B}\n");
        let cell = |source| Cell {
            owners: Owners::new(Market::Kr, source, &BOTH, Rules::default(), 0),
            verdict: Verdict::Alive,
            carries: Group::ALL.iter().copied().filter(|group| group.home() == source).collect(),
            dead_links: Vec::new(),
            runs: true,
            told: Vec::new(),
        };
        Self {
            universe: universe.expect("universe"),
            cells: BOTH.into_iter().map(|source| (source, cell(source))).collect(),
            health: BTreeMap::new(),
            entries: BTreeMap::new(),
            now_ns: 0,
        }
    }

    fn cell(&mut self, source: Source) -> &mut Cell {
        self.cells.get_mut(&source).expect("cell")
    }

    /// Each cell that runs looks once a second.
    fn seconds(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now_ns += SECOND;
            for source in BOTH {
                self.look(source);
            }
        }
    }

    fn look(&mut self, source: Source) {
        let now_ns = self.now_ns;
        let cell = self.cells.get_mut(&source).expect("cell");
        if !cell.runs {
            return;
        }
        let dead_links = cell.dead_links.clone();
        let own = Health { dead_links, ..health(cell.verdict, &cell.carries, 1, now_ns) };
        self.health.insert(source, own.clone());
        let others = self.health.iter().filter(|(other, _)| **other != source);
        let seen = Seen {
            health: others.map(|(other, health)| (*other, health.clone())).collect(),
            entries: self.entries.clone(),
        };
        let acts = cell.owners.look(&self.universe, own, seen, now_ns);
        let mut again = false;
        for act in acts {
            match act {
                Act::Tell(told) => cell.told.push(told),
                Act::Take { group, entry, revision } => {
                    let known = self.entries.get(&group).map_or(0, |entry| entry.revision);
                    assert_eq!(known, revision, "a stale take");
                    self.entries.insert(group, Versioned { value: entry, revision: revision + 1 });
                    again = true;
                }
            }
        }
        if again {
            self.look(source);
        }
    }

    fn owner(&self, group: Group) -> Option<Source> {
        self.entries.get(&group).map(|entry| entry.value.owner)
    }

    /// What a cell was told since the last question: its groups, and to whom one went.
    fn told(&mut self, source: Source) -> Vec<(String, Option<Source>)> {
        let text = |told: Told| {
            let groups = told.groups.iter().map(|group| group.as_str());
            let carried: Vec<&str> = groups.chain(told.lent.iter().map(Symbol::as_str)).collect();
            (carried.join("+"), told.change.map(|change| change.to))
        };
        std::mem::take(&mut self.cell(source).told).into_iter().map(text).collect()
    }
}

#[test]
fn a_killed_cells_group_is_taken_and_comes_home_with_its_data_first() {
    let mut world = World::new();
    world.seconds(10);
    assert_eq!((world.told(KIS), world.told(KIWOOM)), (vec![], vec![]), "all is as it should be");
    world.cell(KIS).runs = false;
    world.seconds(7);
    assert_eq!(world.owner(Group::A), None);
    world.seconds(1);
    assert_eq!(world.owner(Group::A), Some(KIWOOM), "8 s after the last beat");
    assert_eq!(world.told(KIWOOM), [("A+B".to_owned(), Some(KIWOOM))]);
    assert_eq!(world.entries[&Group::A].value.missed_since_ns, Some(10 * SECOND));
    // It runs again and asks for its group, but has no data of it yet.
    world.cell(KIS).runs = true;
    world.cell(KIS).carries.clear();
    world.seconds(100);
    assert_eq!(world.owner(Group::A), Some(KIWOOM));
    world.cell(KIS).carries = vec![Group::A];
    world.seconds(60);
    assert_eq!((world.owner(Group::A), world.told(KIWOOM)), (Some(KIWOOM), vec![]));
    world.seconds(1);
    assert_eq!(world.owner(Group::A), Some(KIS), "after a healthy minute");
    assert_eq!(world.told(KIS), [("A".to_owned(), Some(KIS))]);
    assert_eq!(world.told(KIWOOM), [("B".to_owned(), Some(KIS))]);
    world.seconds(600);
    assert_eq!((world.told(KIS), world.told(KIWOOM)), (vec![], vec![]), "and that is all");
}

#[test]
fn the_last_owner_goes_on_until_the_new_one_has_the_data() {
    let mut world = World::new();
    world.seconds(10);
    let held = Ownership {
        owner: KIWOOM,
        from: KIS,
        since_ns: world.now_ns,
        by: ChangedBy::Manual,
        hold: Some(KIWOOM),
        why: "by hand".to_owned(),
        missed_since_ns: None,
        failovers: 0,
        loan: None,
    };
    world.entries.insert(Group::A, Versioned { value: held.clone(), revision: 5 });
    world.seconds(30);
    assert_eq!(world.told(KIWOOM), [("A+B".to_owned(), Some(KIWOOM))]);
    assert_eq!(world.told(KIS), [], "Kiwoom has no data of it yet");
    world.cell(KIWOOM).carries = vec![Group::A, Group::B];
    world.seconds(2);
    assert_eq!(world.told(KIS), [(String::new(), Some(KIWOOM))]);
    world.cell(KIS).carries.clear();
    // Once let go, a hiccup of the owner does not bring it back; its death does.
    world.cell(KIWOOM).carries.clear();
    world.seconds(30);
    assert_eq!(world.told(KIS), []);
    world.cell(KIWOOM).verdict = Verdict::Dead;
    // One second until KIS sees it, three of patience.
    world.seconds(5);
    assert_eq!((world.owner(Group::A), world.owner(Group::B)), (Some(KIS), Some(KIS)));
    // Released by the person, and healthy: where it belongs anyway.
    world.told(KIS);
    let auto = Ownership { owner: KIS, from: KIWOOM, hold: None, ..held };
    world.entries.insert(Group::A, Versioned { value: auto, revision: 9 });
    world.seconds(100);
    assert_eq!(world.told(KIS), [("A+B".to_owned(), Some(KIS))]);
}

#[test]
fn who_cannot_see_changes_nothing_and_counts_nobodys_silence() {
    let mut world = World::new();
    world.seconds(10);
    world.cell(KIWOOM).owners.look_failed();
    world.cell(KIS).runs = false;
    world.cell(KIWOOM).runs = false;
    world.now_ns += 600 * SECOND;
    world.cell(KIWOOM).runs = true;
    // The bus is back, and KIS has not had the time to say something.
    world.look(KIWOOM);
    assert_eq!(world.owner(Group::A), None);
    world.seconds(7);
    assert_eq!(world.owner(Group::A), None);
    world.seconds(1);
    assert_eq!(world.owner(Group::A), Some(KIWOOM));
}

#[test]
fn a_start_finds_the_owners_as_they_are_and_tells_nobody_of_an_old_change() {
    let mut world = World::new();
    let away = Ownership {
        owner: KIWOOM,
        from: KIS,
        since_ns: 0,
        by: ChangedBy::Auto,
        hold: None,
        why: "kis is dead: cut".to_owned(),
        missed_since_ns: None,
        failovers: 1,
        loan: None,
    };
    world.entries.insert(Group::A, Versioned { value: away, revision: 3 });
    world.cell(KIS).verdict = Verdict::Dead;
    world.seconds(5);
    assert_eq!(world.told(KIWOOM), [("A+B".to_owned(), None)]);
    assert_eq!(world.told(KIS), [], "the home asks for its group at all times");
}

/// KIS with two connections: `spare` is to carry these.
fn spare(texts: &[&str]) -> DeadLink {
    let symbols = texts.iter().map(|text| Symbol::parse(text).expect("symbol")).collect();
    DeadLink { key: "spare".to_owned(), symbols, last_frame_ns: Some(7 * SECOND) }
}

#[test]
fn symbols_of_one_dead_connection_go_on_loan_and_come_home_with_their_data_first() {
    let mut world = World::new();
    let two = "symbols:\n- {symbol: 005930, group: A}\n- {symbol: 005380, group: A}\n- {symbol: 000660, group: B}\n";
    world.universe = Universe::from_yaml(two).expect("universe");
    world.seconds(10);
    world.cell(KIS).dead_links = vec![spare(&["005380"])];
    world.cell(KIS).carries.clear();
    world.seconds(3);
    assert_eq!(world.told(KIWOOM), [], "a connection may come back at once");
    world.seconds(1);
    assert_eq!(world.told(KIWOOM), [("B+005380".to_owned(), Some(KIWOOM))]);
    let entry = world.entries[&Group::A].value.clone();
    assert_eq!((entry.owner, world.owner(Group::B)), (KIS, None), "the group stays");
    assert_eq!(entry.loan.map(|loan| loan.missed_since_ns), Some(Some(7 * SECOND)));
    world.seconds(100);
    assert_eq!((world.told(KIS), world.told(KIWOOM)), (vec![], vec![]));
    // Alive again, and not settled yet.
    world.cell(KIS).dead_links.clear();
    world.seconds(100);
    assert_eq!(world.told(KIWOOM), []);
    world.cell(KIS).carries = vec![Group::A];
    world.seconds(60);
    assert_eq!(world.told(KIWOOM), []);
    world.seconds(2);
    assert_eq!(world.told(KIWOOM), [("B".to_owned(), Some(KIS))], "after a healthy minute");
    // Again: it is given back later.
    world.cell(KIS).dead_links = vec![spare(&["005380"])];
    world.cell(KIS).carries.clear();
    world.seconds(5);
    assert_eq!(world.told(KIWOOM), [("B+005380".to_owned(), Some(KIWOOM))]);
    world.cell(KIS).dead_links.clear();
    world.cell(KIS).carries = vec![Group::A];
    world.seconds(119);
    assert_eq!(world.told(KIWOOM), []);
    world.seconds(5);
    assert_eq!((world.told(KIS), world.told(KIWOOM)), (vec![], vec![("B".to_owned(), Some(KIS))]));
}

#[test]
fn when_the_other_connection_dies_too_the_whole_group_goes() {
    let mut world = World::new();
    world.seconds(10);
    world.cell(KIS).dead_links = vec![spare(&["005930"])];
    world.cell(KIS).carries.clear();
    world.seconds(5);
    assert_eq!(world.told(KIWOOM), [("B+005930".to_owned(), Some(KIWOOM))]);
    // The borrower starts anew: it has the loan, and tells nobody of an old change.
    world.cell(KIWOOM).owners = Owners::new(Market::Kr, KIWOOM, &BOTH, Rules::default(), world.now_ns);
    world.seconds(1);
    assert_eq!(world.told(KIWOOM), [("B+005930".to_owned(), None)]);
    world.cell(KIS).verdict = Verdict::Dead;
    world.seconds(5);
    assert_eq!(world.owner(Group::A), Some(KIWOOM));
    assert_eq!(world.told(KIWOOM), [("A+B".to_owned(), Some(KIWOOM))]);
    assert_eq!(world.entries[&Group::A].value.loan, None);
    // One of two connections is back: the group stays away until both are.
    world.cell(KIS).verdict = Verdict::Alive;
    world.seconds(200);
    assert_eq!((world.owner(Group::A), world.told(KIWOOM)), (Some(KIWOOM), vec![]));
    world.cell(KIS).dead_links.clear();
    world.cell(KIS).carries = vec![Group::A];
    world.seconds(62);
    assert_eq!(world.told(KIWOOM), [("B".to_owned(), Some(KIS))]);
}
