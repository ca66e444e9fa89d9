//! One connection of two is dead: what goes on loan when, and what comes back when.

use super::*;
use crate::health::Health;
use crate::health::tests::health;
use crate::universe::Group;

const KIS: Source = Source::Kis;
const KIWOOM: Source = Source::Kiwoom;
const BOTH: [Source; 2] = [KIS, KIWOOM];
const RULES: Rules = Rules { stale_ns: 5 * SECOND, takeover_ns: 3 * SECOND, hand_back_ns: 60 * SECOND };
/// Noon, say.
const T: i64 = 1_000_000 * SECOND;

fn symbols(texts: &[&str]) -> Vec<Symbol> {
    texts.iter().map(|text| Symbol::parse(text).expect("symbol")).collect()
}

fn link(key: &str, texts: &[&str]) -> DeadLink {
    DeadLink { key: key.to_owned(), symbols: symbols(texts), last_frame_ns: Some(T - 70 * SECOND) }
}

/// A living feed whose `links` have been dead for `seconds`, or that has been whole for so long.
fn feed(source: Source, links: &[DeadLink], seconds: i64) -> Feed {
    let carries = if links.is_empty() { vec![Group::A] } else { Vec::new() };
    let mut feed = Feed::unheard(source, T - seconds * SECOND);
    let health = Health { carries, dead_links: links.to_vec(), ..health(Verdict::Alive, 1) };
    feed.heard(health, T - seconds * SECOND);
    feed.heard_ns = T;
    feed
}

fn kiwoom() -> Feed {
    feed(KIWOOM, &[], 500)
}

fn wanted(entry: Option<&Ownership>, feeds: &[Feed]) -> Option<(Source, Ownership)> {
    let members = symbols(&["005380", "005930", "035720"]);
    view(entry, feeds, &members).loan(&RULES)
}

fn view<'a>(entry: Option<&'a Ownership>, feeds: &'a [Feed], members: &'a [Symbol]) -> View<'a> {
    View { group: Group::A, candidates: &BOTH, entry, feeds, members, data_expected: true, now_ns: T }
}

/// An entry with this on loan at Kiwoom since `seconds`.
fn entry(texts: &[&str], seconds: i64, failovers: u32) -> Ownership {
    let loan = Loan {
        to: KIWOOM,
        symbols: symbols(texts),
        since_ns: T - seconds * SECOND,
        why: "on loan".to_owned(),
        missed_since_ns: Some(5),
        failovers,
    };
    let since_ns = T - 900 * SECOND;
    Ownership {
        owner: KIS,
        from: KIS,
        since_ns,
        by: ChangedBy::Auto,
        hold: None,
        why: String::new(),
        missed_since_ns: None,
        failovers: 0,
        loan: Some(loan),
    }
}

#[test]
fn the_groups_symbols_of_a_dead_connection_go_on_loan_and_no_others() {
    // 068270 is group B's: a book of the core universe, say.
    let spare = link("spare", &["035720", "068270", "005380"]);
    assert_eq!(wanted(None, &[feed(KIS, std::slice::from_ref(&spare), 2), kiwoom()]), None, "too early");
    let feeds = [feed(KIS, std::slice::from_ref(&spare), 3), kiwoom()];
    let (by, taken) = wanted(None, &feeds).expect("taken");
    assert_eq!((by, taken.owner, taken.from, taken.since_ns), (KIWOOM, KIS, KIS, T));
    let expected = Loan {
        to: KIWOOM,
        symbols: symbols(&["005380", "035720"]),
        since_ns: T,
        why: "on loan: 005380, 035720: kis is dead: spare".to_owned(),
        missed_since_ns: Some(T - 70 * SECOND),
        failovers: 1,
    };
    assert_eq!(taken.loan.as_ref(), Some(&expected));
    assert_eq!(wanted(Some(&taken), &feeds), None, "that is all");
    // The whole group stays.
    assert_eq!(view(None, &feeds, &expected.symbols).wanted(&RULES), None);
    assert_eq!(wanted(None, &[feed(KIS, &[link("spare", &["068270"])], 99), kiwoom()]), None);
    let core = link("spare", &["005930"]);
    let (_, more) = wanted(Some(&taken), &[feed(KIS, &[core, spare], 9), kiwoom()]).expect("more");
    let more = more.loan.expect("loan");
    assert_eq!(more.symbols, symbols(&["005380", "005930", "035720"]));
    assert_eq!((more.why.as_str(), more.failovers), ("on loan: 005930: kis is dead: spare", 2));
}

#[test]
fn nothing_is_lent_to_the_dead_nor_in_a_closed_market_nor_when_all_is_dead() {
    let kis = || feed(KIS, &[link("spare", &["005380"])], 99);
    let mut dead = kiwoom();
    dead.health = Some(health(Verdict::Dead, 2));
    assert_eq!(wanted(None, &[kis(), dead]), None);
    assert_eq!(wanted(None, &[kis(), Feed::unheard(KIWOOM, T)]), None, "nothing is known of it");
    let feeds = [kis(), kiwoom()];
    let members = symbols(&["005380"]);
    let view = view(None, &feeds, &members);
    assert_eq!(View { data_expected: false, ..view }.loan(&RULES), None);
    assert_eq!(View { candidates: &[KIS], ..view }.loan(&RULES), None);
    let mut all_dead = kis();
    all_dead.heard_ns = T - 99 * SECOND;
    assert_eq!(wanted(None, &[all_dead, kiwoom()]), None, "the group as a whole goes");
    // Away from home the home asks for everything: nothing is to be lent.
    let away = Ownership { owner: KIWOOM, loan: None, ..entry(&[], 400, 0) };
    let guest = feed(KIWOOM, &[link("main", &["005380"])], 99);
    assert_eq!(wanted(Some(&away), &[feed(KIS, &[], 9), guest]), None);
}

#[test]
fn a_loan_comes_back_after_a_minute_without_a_dead_connection() {
    for (kis, expected) in [
        (feed(KIS, &[], 59), None),
        (feed(KIS, &[], 60), Some(KIS)),
        (feed(KIS, &[link("spare", &["005380"])], 99), None),
        (Feed { carries_ns: T - 59 * SECOND, ..feed(KIS, &[], 300) }, None),
    ] {
        let back = wanted(Some(&entry(&["005380"], 400, 1)), &[kis.clone(), kiwoom()]);
        assert_eq!(back.map(|(by, _)| by), expected, "{kis:?}");
    }
    let feeds = [feed(KIS, &[], 300), kiwoom()];
    assert_eq!(wanted(Some(&entry(&["005380"], 59, 1)), &feeds), None, "a minute since the loan");
    assert_eq!(wanted(Some(&entry(&["005380"], 119, 2)), &feeds), None, "the second waits for two");
    assert_eq!(wanted(Some(&entry(&[], 400, 1)), &feeds), None, "nothing is left to come back");
    let (_, back) = wanted(Some(&entry(&["005380"], 120, 2)), &feeds).expect("back");
    let back = back.loan.expect("loan");
    assert_eq!((back.symbols.as_slice(), back.since_ns, back.failovers), ([].as_slice(), T, 2));
    assert_eq!(back.why, "kis has been healthy for 120 s");
    // Within the hour the next one is the third, after it the first.
    for (seconds, failovers) in [(3_599, 3), (3_600, 1)] {
        let feeds = [feed(KIS, &[link("spare", &["005380"])], 9), kiwoom()];
        let (_, again) = wanted(Some(&entry(&[], seconds, 2)), &feeds).expect("again");
        assert_eq!(again.loan.expect("loan").failovers, failovers);
    }
}

#[test]
fn a_held_group_is_lent_from_where_it_is_held() {
    let held = Ownership { owner: KIWOOM, hold: Some(KIWOOM), loan: None, ..entry(&[], 400, 0) };
    let feeds = [feed(KIS, &[], 300), feed(KIWOOM, &[link("main", &["005380"])], 3)];
    let (by, lent) = wanted(Some(&held), &feeds).expect("lent");
    assert_eq!((by, lent.owner, lent.hold, lent.since_ns), (KIS, KIWOOM, Some(KIWOOM), held.since_ns));
}

#[test]
fn an_entry_is_read_with_and_without_a_loan() {
    let with = entry(&["005380"], 1, 1);
    let mut json = serde_json::to_value(&with).expect("json");
    assert_eq!(json["loan"]["symbols"], serde_json::json!(["005380"]));
    assert_eq!(serde_json::from_value::<Ownership>(json.clone()).expect("read"), with);
    json.as_object_mut().expect("object").remove("loan");
    assert_eq!(serde_json::from_value::<Ownership>(json).expect("read"), Ownership { loan: None, ..with });
    assert!(told(&symbols(&["1"; 22])).ends_with("1, 1 and 2 more"));
}
