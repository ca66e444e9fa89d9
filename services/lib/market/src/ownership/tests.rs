//! Who owns a group, by tables: a pure function needs no broker and no clock.

use super::*;
use crate::health::tests::health;
use crate::health::{Health, Verdict};

const KIS: Source = Source::Kis;
const KIWOOM: Source = Source::Kiwoom;
const BOTH: [Source; 2] = [KIS, KIWOOM];
const RULES: Rules = Rules { stale_ns: 5 * SECOND, takeover_ns: 3 * SECOND, hand_back_ns: 60 * SECOND };
/// Noon, say.
const T: i64 = 1_000_000 * SECOND;

/// A feed that has been so for `seconds` and was heard just now.
fn feed(source: Source, verdict: Verdict, carries: &[Group], seconds: i64) -> Feed {
    let mut feed = Feed::unheard(source, T - seconds * SECOND);
    feed.heard(Health { carries: carries.to_vec(), ..health(verdict, 1) }, T - seconds * SECOND);
    feed.heard_ns = T;
    feed
}

fn alive(source: Source, seconds: i64) -> Feed {
    feed(source, Verdict::Alive, &[Group::A, Group::B], seconds)
}

fn dead(source: Source, seconds: i64) -> Feed {
    feed(source, Verdict::Dead, &[], seconds)
}

/// Group A away from home since `seconds`.
fn away(seconds: i64, failovers: u32) -> Ownership {
    Ownership {
        owner: KIWOOM,
        from: KIS,
        since_ns: T - seconds * SECOND,
        by: ChangedBy::Auto,
        hold: None,
        why: "kis is dead: cut".to_owned(),
        missed_since_ns: Some(5),
        failovers,
        loan: None,
    }
}

fn view<'a>(entry: Option<&'a Ownership>, feeds: &'a [Feed]) -> View<'a> {
    View { group: Group::A, candidates: &BOTH, entry, members: &[], feeds, data_expected: true, now_ns: T }
}

fn wanted(entry: Option<&Ownership>, feeds: &[Feed]) -> Option<Source> {
    view(entry, feeds).wanted(&RULES).map(|wanted| wanted.owner)
}

#[test]
fn a_dead_owner_loses_its_group_when_it_has_been_dead_for_long_enough() {
    for (kis, expected) in [
        (alive(KIS, 100), None),
        (feed(KIS, Verdict::Quiet, &[], 100), None),
        (dead(KIS, 2), None),
        (dead(KIS, 3), Some(KIWOOM)),
        // Never started; killed.
        (Feed::unheard(KIS, T - 7 * SECOND), None),
        (Feed::unheard(KIS, T - 8 * SECOND), Some(KIWOOM)),
        (Feed { heard_ns: T - 7 * SECOND, ..alive(KIS, 100) }, None),
        (Feed { heard_ns: T - 8 * SECOND, ..alive(KIS, 100) }, Some(KIWOOM)),
    ] {
        assert_eq!(wanted(None, &[kis.clone(), alive(KIWOOM, 100)]), expected, "{kis:?}");
    }
    let feeds = [dead(KIS, 3), feed(KIWOOM, Verdict::Quiet, &[], 100)];
    let taken = view(None, &feeds).wanted(&RULES).expect("taken");
    let expected = Ownership { why: "kis is dead: because".to_owned(), since_ns: T, ..away(0, 1) };
    assert_eq!(taken, expected);
}

#[test]
fn nobody_takes_over_who_is_dead_himself_or_in_a_closed_market() {
    assert_eq!(wanted(None, &[dead(KIS, 99), dead(KIWOOM, 1)]), None);
    assert_eq!(wanted(None, &[dead(KIS, 99), Feed::unheard(KIWOOM, T)]), None, "nothing is known of it");
    let feeds = [dead(KIS, 99), alive(KIWOOM, 99)];
    assert_eq!(View { data_expected: false, ..view(None, &feeds) }.wanted(&RULES), None);
    assert_eq!(View { candidates: &[KIS], ..view(None, &feeds) }.wanted(&RULES), None);
    // Group B is Kiwoom's: KIS's death does not concern it.
    let others = View { group: Group::B, candidates: &[KIWOOM, KIS], ..view(None, &feeds) };
    assert_eq!(others.wanted(&RULES), None);
}

#[test]
fn the_home_takes_back_after_a_healthy_minute_with_the_data_in_hand() {
    let kiwoom = alive(KIWOOM, 500);
    for (kis, expected) in [
        (alive(KIS, 59), None),
        (alive(KIS, 60), Some(KIS)),
        (feed(KIS, Verdict::Alive, &[], 300), None),
        (feed(KIS, Verdict::Quiet, &[Group::A], 300), None),
        (dead(KIS, 300), None),
        (Feed { heard_ns: T - 5 * SECOND, ..alive(KIS, 300) }, None),
    ] {
        assert_eq!(wanted(Some(&away(400, 1)), &[kis.clone(), kiwoom.clone()]), expected, "{kis:?}");
    }
    // The minute begins with the change at the earliest.
    assert_eq!(wanted(Some(&away(59, 1)), &[alive(KIS, 300), kiwoom.clone()]), None);
    // A guest that dies gives back at once, whatever the minute.
    assert_eq!(wanted(Some(&away(20, 1)), &[alive(KIS, 10), dead(KIWOOM, 3)]), Some(KIS));
    let feeds = [alive(KIS, 61), kiwoom];
    let back = view(Some(&away(400, 1)), &feeds).wanted(&RULES).expect("back");
    assert_eq!((back.from, back.by, back.missed_since_ns), (KIWOOM, ChangedBy::Auto, None));
    assert_eq!(back.why, "kis has been healthy for 60 s");
}

#[test]
fn repeated_failovers_make_the_way_back_longer() {
    let waits: Vec<i64> = (0..8).map(|n| RULES.hand_back_after(n) / SECOND).collect();
    assert_eq!(waits, [60, 60, 120, 240, 480, 960, 1_920, 1_920]);
    let feeds = [alive(KIS, 119), alive(KIWOOM, 500)];
    assert_eq!(wanted(Some(&away(400, 2)), &feeds), None);
    assert_eq!(wanted(Some(&away(400, 2)), &[alive(KIS, 120), alive(KIWOOM, 500)]), Some(KIS));
    // Home again, and dead again: within the hour it is the third, after it the first.
    let feeds = [dead(KIS, 3), alive(KIWOOM, 500)];
    for (seconds, failovers) in [(3_599, 3), (3_600, 1)] {
        let home = Ownership { owner: KIS, from: KIWOOM, ..away(seconds, 2) };
        assert_eq!(view(Some(&home), &feeds).wanted(&RULES).expect("taken").failovers, failovers);
    }
}

#[test]
fn a_held_group_has_its_home_where_it_is_held() {
    let held = Ownership { by: ChangedBy::Manual, hold: Some(KIWOOM), ..away(400, 0) };
    assert_eq!(wanted(Some(&held), &[alive(KIS, 999), alive(KIWOOM, 999)]), None, "stays");
    let taken = view(Some(&held), &[alive(KIS, 999), dead(KIWOOM, 3)]).wanted(&RULES).expect("taken");
    assert_eq!((taken.owner, taken.hold), (KIS, Some(KIWOOM)), "data is better than none");
    let back = view(Some(&taken), &[alive(KIS, 999), alive(KIWOOM, 60)]).wanted(&RULES);
    assert_eq!(back, None, "a minute since the change");
    let taken = Ownership { since_ns: T - 60 * SECOND, ..taken };
    assert_eq!(wanted(Some(&taken), &[alive(KIS, 999), alive(KIWOOM, 60)]), Some(KIWOOM));
    // Held at a broker that does not run: as if nobody held it.
    let gone = View { candidates: &[KIS], ..view(Some(&held), &[]) };
    assert!(gone.has_to_carry(KIS, false));
}

#[test]
fn owner_and_home_carry_and_who_had_it_lets_go_last() {
    let carry = |entry: Option<&Ownership>| {
        BOTH.map(|source| [false, true].map(|released| view(entry, &[]).has_to_carry(source, released)))
    };
    assert_eq!(carry(None), [[true, true], [false, false]]);
    // Taken over: the home goes on asking, so that it can show that it is healthy.
    assert_eq!(carry(Some(&away(1, 1))), [[true, true], [true, true]]);
    let back = Ownership { owner: KIS, from: KIWOOM, ..away(1, 1) };
    assert_eq!(carry(Some(&back)), [[true, true], [true, false]]);
    let held = Ownership { hold: Some(KIWOOM), ..away(1, 0) };
    assert_eq!(carry(Some(&held)), [[true, false], [true, true]]);
    let feeds = [alive(KIS, 9), feed(KIWOOM, Verdict::Alive, &[Group::B], 9)];
    assert!(!view(Some(&held), &feeds).owner_carries(&RULES));
    assert!(view(Some(&held), &[alive(KIWOOM, 9)]).owner_carries(&RULES));
}

#[test]
fn both_cells_want_the_same_owner() {
    // The same knowledge in another order.
    let feeds = [dead(KIS, 3), alive(KIWOOM, 9)];
    let reversed = [feeds[1].clone(), feeds[0].clone()];
    assert_eq!(view(None, &feeds).wanted(&RULES), view(None, &reversed).wanted(&RULES));
}

#[test]
fn candidates_are_those_that_run_and_may_carry_something_of_the_group() {
    let yaml = "symbols:\n- {symbol: 005930, group: A}\n- {symbol: 000660, group: B, source: [kis]}\n- {symbol: AAPL, market: us, listing: NAS}\n";
    let universe = Universe::from_yaml(yaml).expect("universe");
    let of = |market, group, carriers: &[Source]| candidates(&universe, market, group, carriers);
    assert_eq!(of(Market::Kr, Group::A, &BOTH), [KIS, KIWOOM]);
    assert_eq!(of(Market::Kr, Group::A, &[KIWOOM]), [KIWOOM]);
    assert_eq!(of(Market::Kr, Group::B, &BOTH), [KIS], "nothing of it fits Kiwoom");
    assert_eq!(of(Market::Us, Group::A, &BOTH), [KIS], "Kiwoom has no US feed");
    assert_eq!(of(Market::Us, Group::B, &BOTH), []);
}
