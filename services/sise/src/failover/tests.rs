//! What a person may do with a group, and what is refused with its reason.

use std::collections::BTreeMap;

use bus::Versioned;
use market::time::SECOND;
use market::{Health, Verdict};

use super::*;

const NOW: i64 = 1_795_568_400 * SECOND;

fn health(verdict: Verdict, free: u32) -> Health {
    Health {
        verdict,
        since_ns: NOW - 90 * SECOND,
        why: "no connection, and no message for 60 s".to_owned(),
        data_expected: true,
        keys: 1,
        connected: 1,
        settled: 1,
        registered: 40,
        last_message_ns: Some(NOW - 3 * SECOND),
        last_frame_ns: Some(NOW - 4 * SECOND),
        free: BTreeMap::from([("main".to_owned(), free)]),
        carries: Vec::new(),
        dead_links: Vec::new(),
        instance: 1,
        beat_ns: NOW - SECOND,
    }
}

fn state(kis: Option<Health>, kiwoom: Option<Health>, a: Option<Ownership>) -> State {
    let a = a.map(|value| Versioned { value, revision: 7 });
    State {
        market: Market::Kr,
        now_ns: NOW,
        feeds: vec![(Source::Kis, kis), (Source::Kiwoom, kiwoom)],
        groups: vec![(Group::A, a), (Group::B, None)],
    }
}

fn universe() -> Universe {
    let yaml = "symbols:\n- {symbol: 005930, group: A}\n- {symbol: 000660, group: B, source: [kiwoom]}\n";
    Universe::from_yaml(yaml).expect("universe")
}

fn alive() -> Option<Health> {
    Some(health(Verdict::Alive, 5))
}

fn refused(state: &State, group: Group, to: Source, hold: bool) -> String {
    state.given(&universe(), group, to, hold).expect_err("refused").to_string()
}

#[test]
fn a_group_is_given_and_held_and_released() {
    let given = state(alive(), alive(), None).given(&universe(), Group::A, Source::Kiwoom, true);
    let given = given.expect("given");
    let expected = Ownership {
        owner: Source::Kiwoom,
        from: Source::Kis,
        since_ns: NOW,
        by: ChangedBy::Manual,
        hold: Some(Source::Kiwoom),
        why: "given by hand".to_owned(),
        missed_since_ns: None,
        failovers: 0,
        loan: None,
    };
    assert_eq!(given, expected);
    let held = state(alive(), alive(), Some(given));
    assert_eq!(held.revision(Group::A), 7);
    let again = refused(&held, Group::A, Source::Kiwoom, true);
    assert_eq!(again, "kiwoom owns group A already, and is held there");
    let released = held.released(Group::A).expect("released");
    let text = "released by hand".to_owned();
    assert_eq!(released, Ownership { hold: None, from: Source::Kiwoom, why: text, ..expected });
    let error = held.released(Group::B).expect_err("not held").to_string();
    assert!(error.contains("group B is not held"), "{error}");
}

#[test]
fn from_a_dead_owner_the_hole_begins_with_its_last_frame() {
    let dead = state(Some(health(Verdict::Dead, 5)), alive(), None);
    let given = dead.given(&universe(), Group::A, Source::Kiwoom, false).expect("given");
    assert_eq!((given.missed_since_ns, given.hold), (Some(NOW - 4 * SECOND), None));
}

#[test]
fn what_can_have_no_effect_is_refused_with_its_reason() {
    let both = state(alive(), alive(), None);
    assert!(refused(&both, Group::B, Source::Kis, false).contains("may be carried by kis"));
    assert_eq!(refused(&both, Group::A, Source::Kis, false), "kis owns group A already, and is not held");
    let gone = state(alive(), None, None);
    assert!(refused(&gone, Group::A, Source::Kiwoom, false).starts_with("no service of kiwoom runs"));
    let silent = Health { beat_ns: NOW - 90 * SECOND, ..health(Verdict::Alive, 5) };
    let silent = state(alive(), Some(silent), None);
    assert!(refused(&silent, Group::A, Source::Kiwoom, false).contains("has said nothing for 90 s"));
    let dead = state(alive(), Some(health(Verdict::Dead, 5)), None);
    assert!(refused(&dead, Group::A, Source::Kiwoom, false).starts_with("kiwoom is dead: no connection"));
    let full = state(alive(), Some(health(Verdict::Alive, 0)), None);
    assert!(refused(&full, Group::A, Source::Kiwoom, false).contains("no registration free"));
}

#[test]
fn the_table_shows_groups_and_brokers() {
    let dead = state(Some(health(Verdict::Dead, 5)), alive(), None);
    let taken = dead.given(&universe(), Group::A, Source::Kiwoom, true).expect("given");
    let mut output = Vec::new();
    print::text(&mut output, &state(None, alive(), Some(taken))).expect("printed");
    let text = String::from_utf8(output).expect("text");
    assert_eq!(
        text,
        "\
group  owner   home    by       held  since                    why
A      kiwoom  kiwoom  manual   yes   2026-11-25 10:00:00 KST  given by hand
B      kiwoom  kiwoom  default  no    -

broker  verdict  since     connections  registered  free  last frame  carries  why
kis     gone     -         -            -           -     -           -        its service does not run
kiwoom  alive    90 s ago  1 of 1       40          5     4 s ago     -        no connection, and no message for 60 s
"
    );
}
