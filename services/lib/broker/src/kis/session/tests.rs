//! The session against answers as the broker gives them, with time as an argument.

use market::universe::Universe;
use market::{Market, Source};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Now {
    Now { elapsed: Duration::from_secs(seconds), data_expected: true }
}

fn wanted(count: usize) -> Vec<Registration> {
    if count == 0 {
        return Vec::new();
    }
    let lines: String = (0..count).map(|n| format!("- symbol: {:06}\n  kinds: [ticker]\n", n + 1)).collect();
    let universe = Universe::from_yaml(&format!("symbols:\n{lines}")).expect("universe");
    universe.carried(Market::Kr, Source::Kis, &[Source::Kis]).iter().flat_map(Registration::of).collect()
}

fn session(count: usize) -> KisSession {
    let mut session = KisSession::new("secret-approval".to_owned(), SessionRules::default());
    session.want(&wanted(count));
    session
}

fn answer(id: &str, key: &str, code: &str) -> String {
    format!(
        r#"{{"header":{{"tr_id":"{id}","tr_key":"{key}","encrypt":"N"}},"body":{{"rt_cd":"0","msg_cd":"{code}","msg1":"text"}}}}"#
    )
}

fn sends(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Send(_))).count()
}

/// Answers every request with `code`, a second apart, and returns all actions.
fn answer_all(session: &mut KisSession, code: &str, until: u64) -> Vec<Action> {
    let mut actions = Vec::new();
    session.opened(at(0), &mut actions);
    for second in 1..until {
        let asked = session.slots.iter().find(|slot| matches!(slot.progress, Progress::Asked { .. }));
        if let Some(key) = asked.map(|slot| slot.registration.tr_key.clone()) {
            session.received(&answer("H0STCNT0", &key, code), at(second), &mut actions);
        }
        session.passed(at(second), &mut actions);
    }
    actions
}

#[test]
fn one_request_is_in_flight_and_each_waits_for_its_answer() {
    let mut session = session(3);
    let mut actions = Vec::new();
    session.opened(at(0), &mut actions);
    session.passed(at(1), &mut actions);
    session.passed(at(2), &mut actions);
    assert_eq!(sends(&actions), 1);
    session.received(&answer("H0STCNT0", "000001", "OPSP0000"), at(2), &mut actions);
    assert_eq!(sends(&actions), 2);
}

#[test]
fn already_in_subscribe_counts_as_registered_and_is_not_sent_again() {
    let mut session = session(2);
    let actions = answer_all(&mut session, "OPSP0002", 10);
    assert_eq!(sends(&actions), 2);
    assert!(actions.contains(&Action::Note(Note::Settled { registered: 2, refused: 0 })));
}

#[test]
fn the_42nd_is_told_by_name_and_not_asked_for() {
    let mut session = session(43);
    let actions = answer_all(&mut session, "OPSP0000", 60);
    let refused: Vec<_> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Note(Note::Refused { registration, code, .. }) => {
                Some((registration.as_str(), code.as_str()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(refused, [("H0STCNT0 000042", "LIMIT"), ("H0STCNT0 000043", "LIMIT")]);
    assert_eq!(sends(&actions), 41);
    assert!(actions.contains(&Action::Note(Note::Settled { registered: 41, refused: 2 })));
}

#[test]
fn the_brokers_own_limit_refuses_the_rest_by_name() {
    let mut session = session(3);
    let mut actions = Vec::new();
    session.opened(at(0), &mut actions);
    session.received(&answer("H0STCNT0", "000001", "OPSP0000"), at(1), &mut actions);
    session.received(&answer("H0STCNT0", "000002", "OPSP0008"), at(2), &mut actions);
    let refused = actions.iter().filter(|a| matches!(a, Action::Note(Note::Refused { .. }))).count();
    assert_eq!((sends(&actions), refused), (2, 2));
}

#[test]
fn an_unnamed_refusal_belongs_to_the_request_in_flight() {
    let mut session = session(2);
    let mut actions = Vec::new();
    session.opened(at(0), &mut actions);
    session.received(&answer("(null)", "", "OPSP8993"), at(1), &mut actions);
    assert!(matches!(&actions[1], Action::Note(Note::Refused { registration, code, .. })
        if registration == "H0STCNT0 000001" && code == "OPSP8993"));
    assert_eq!(sends(&actions), 2);
}

#[test]
fn a_session_that_cannot_be_is_closed_with_the_right_wait() {
    for (code, then) in [
        ("OPSP8996", Retry::After(45 * SECOND)),
        ("OPSP0011", Retry::Backoff),
        ("OPSP8999", Retry::Backoff),
        ("OPSP9994", Retry::Never),
    ] {
        let mut session = session(1);
        let mut actions = Vec::new();
        session.opened(at(0), &mut actions);
        session.received(&answer("(null)", "", code), at(1), &mut actions);
        assert!(
            matches!(&actions[1], Action::Close { then: wait, .. } if *wait == then),
            "{code}: {actions:?}"
        );
    }
}

#[test]
fn a_ping_comes_back_byte_for_byte() {
    let mut session = session(0);
    let mut actions = Vec::new();
    let ping = r#"{"header":{"tr_id":"PINGPONG","datetime":"20230502221924"}}"#;
    assert!(!session.received(ping, at(1), &mut actions));
    assert_eq!(actions, [Action::Send(ping.to_owned())]);
}

#[test]
fn no_answer_is_tried_once_more_then_told_then_rare() {
    let mut session = session(1);
    let mut actions = Vec::new();
    session.opened(at(0), &mut actions);
    for second in 1..300 {
        session.passed(at(second), &mut actions);
    }
    let told = actions
        .iter()
        .filter(|a| matches!(a, Action::Note(Note::Refused { code, .. }) if code == "UNANSWERED"));
    assert_eq!((sends(&actions), told.count()), (2, 1));
    for second in 300..320 {
        session.passed(at(second), &mut actions);
    }
    assert_eq!(sends(&actions), 3);
}

#[test]
fn confirmed_but_silent_is_an_error_with_the_symbols() {
    let mut session = session(2);
    let actions = answer_all(&mut session, "OPSP0000", 120);
    let silent: Vec<_> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Note(Note::Silent { symbols, .. }) => {
                Some(symbols.iter().map(ToString::to_string).collect::<Vec<_>>())
            }
            _ => None,
        })
        .collect();
    assert_eq!(silent, [vec!["000001".to_owned(), "000002".to_owned()]]);
}

#[test]
fn a_quiet_symbol_among_live_ones_and_a_closed_market_are_no_errors() {
    let mut live = session(2);
    let mut actions = answer_all(&mut live, "OPSP0000", 10);
    for second in 10..200 {
        if second % 30 == 0 {
            assert!(live.received("0|H0STCNT0|001|000001^x", at(second), &mut actions));
        }
        live.passed(at(second), &mut actions);
    }
    let mut closed = session(2);
    actions.extend(answer_all(&mut closed, "OPSP0000", 10));
    for second in 10..500 {
        closed.passed(Now { data_expected: false, ..at(second) }, &mut actions);
    }
    // The market opens: the silence is counted from here.
    for second in 500..550 {
        closed.passed(at(second), &mut actions);
    }
    assert!(!actions.iter().any(|action| matches!(action, Action::Note(Note::Silent { .. }))));
}

#[test]
fn a_changed_wish_is_asked_for_and_given_back() {
    let mut session = session(2);
    let mut actions = answer_all(&mut session, "OPSP0000", 10);
    let mut wish = wanted(3);
    wish.remove(0);
    session.want(&wish);
    actions.clear();
    session.passed(at(20), &mut actions);
    assert!(
        matches!(&actions[0], Action::Send(text) if text.contains(r#""tr_type":"2""#) && text.contains("000001"))
    );
    session.received(&answer("H0STCNT0", "000001", "OPSP0001"), at(21), &mut actions);
    assert!(
        matches!(&actions[1], Action::Send(text) if text.contains(r#""tr_type":"1""#) && text.contains("000003"))
    );
    session.received(&answer("H0STCNT0", "000003", "OPSP0000"), at(22), &mut actions);
    assert_eq!(actions[2], Action::Note(Note::Settled { registered: 2, refused: 0 }));
}

#[test]
fn the_approval_key_is_not_printed() {
    assert!(!format!("{:?}", session(1)).contains("secret-approval"));
}
