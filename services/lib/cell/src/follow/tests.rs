//! What a guest group finds room for, what is named, and what is told before its data comes.

use broker::credentials::Credentials;
use broker::kis::feed::{KisFeed, defaults};
use broker::settings::BrokerSettings;
use market::calendar::Calendar;
use market::{ChangedBy, Market};

use super::*;

const SYMBOLS: &str = "symbols:
- {symbol: 005380, group: A, priority: 9}
- {symbol: 068270, group: B, priority: 1}
- {symbol: 035720, group: B, priority: 2}
- {symbol: 000660, group: B, source: [kiwoom]}
";

/// KIS with one key of four registrations.
fn follower(symbols: &str) -> (Follower<KisFeed>, mpsc::Receiver<Received>) {
    process::tls::install();
    let key = Credentials { name: "main".into(), app_key: "k".into(), app_secret: "s".into() };
    let settings = BrokerSettings { keys: vec![key], registration_limit: 4, ..defaults() };
    let feed = KisFeed::new(Market::Kr, settings, Calendar::built_in().clone()).expect("feed");
    let universe = Universe::from_yaml(symbols).expect("universe");
    let following = Following {
        files: UniverseFiles { universe, files: Vec::new() },
        carriers: vec![Source::Kis, Source::Kiwoom],
        rules: Rules::default(),
    };
    let (out, received) = mpsc::channel(16);
    (Follower::new(Arc::new(feed), following, out), received)
}

fn change(to: Source) -> Option<Change> {
    let from = if to == Source::Kis { Source::Kiwoom } else { Source::Kis };
    let (group, by, why) = (Group::B, ChangedBy::Auto, "kiwoom is dead: cut".to_owned());
    Some(Change { group, from, to, by, hold: false, why, missed_since_ns: Some(7) })
}

fn asked(follower: &Follower<KisFeed>) -> Vec<String> {
    follower.feed.lines().wanted(0).borrow().iter().map(broker::lines::Subscription::name).collect()
}

fn notes(received: &mut mpsc::Receiver<Received>) -> Vec<LinkNote> {
    let mut notes = Vec::new();
    while let Ok(Received::Note { note, .. }) = received.try_recv() {
        notes.push(note);
    }
    notes
}

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("symbol")
}

#[tokio::test]
async fn guests_take_what_is_free_by_priority_and_the_rest_is_named() {
    let (mut follower, mut received) = follower(SYMBOLS);
    follower.apply(None).await;
    let own = ["H0STCNT0 005380", "H0STASP0 005380"];
    assert_eq!(
        (asked(&follower).as_slice(), notes(&mut received)),
        (own.map(str::to_owned).as_slice(), vec![])
    );
    follower.groups = vec![Group::A, Group::B];
    follower.apply(change(Source::Kis)).await;
    // One's own has the lowest priority of all, and stays.
    let both = ["H0STCNT0 005380", "H0STASP0 005380", "H0STCNT0 068270", "H0STASP0 068270"];
    assert_eq!(asked(&follower), both);
    assert_eq!(follower.placed().borrow().incomplete, [Group::B]);
    let uncovered = |registration: &str| {
        LinkNote::Protocol(Note::Refused {
            registration: registration.to_owned(),
            code: "UNCOVERED".to_owned(),
            text: "no room on 1 key(s) of 4 registrations each".to_owned(),
        })
    };
    let took = LinkNote::Took {
        change: change(Source::Kis).expect("change"),
        missing: vec![(Tape::Krx, symbol("068270"))],
        uncovered: vec![symbol("000660"), symbol("035720")],
    };
    let expected = vec![took, uncovered("H0STCNT0 035720"), uncovered("H0STASP0 035720")];
    assert_eq!(notes(&mut received), expected);
    follower.groups = vec![Group::A];
    follower.apply(change(Source::Kiwoom)).await;
    assert_eq!(asked(&follower), own);
    assert_eq!(notes(&mut received), [LinkNote::Gave { group: Group::B }]);
    assert!(follower.placed().borrow().incomplete.is_empty());
}

#[tokio::test]
async fn a_core_symbol_misses_nothing() {
    let core = "symbols:\n- {symbol: 068270, group: B, core: true}\n- {symbol: 035720, group: B}\n";
    let (mut follower, mut received) = follower(core);
    follower.apply(None).await;
    assert_eq!(asked(&follower), ["H0STASP0 068270"]);
    follower.groups = vec![Group::A, Group::B];
    follower.apply(change(Source::Kis)).await;
    let mut asked = asked(&follower);
    asked.sort_unstable();
    assert_eq!(asked, ["H0STASP0 035720", "H0STASP0 068270", "H0STCNT0 035720", "H0STCNT0 068270"]);
    let LinkNote::Took { missing, .. } = notes(&mut received).remove(0) else { panic!("not told") };
    assert_eq!(missing, [(Tape::Krx, symbol("035720"))]);
}

#[tokio::test]
async fn a_loan_is_a_guest_and_only_what_is_new_of_it_is_told() {
    let symbols = "symbols:\n- {symbol: 005380, group: A}\n- {symbol: 068270, group: B}\n- {symbol: 035720, group: B}\n- {symbol: 000660, group: B}\n";
    let (mut follower, mut received) = follower(symbols);
    follower.apply(None).await;
    let told = |lent: &[&str]| Told {
        groups: vec![Group::A],
        lent: lent.iter().map(|text| symbol(text)).collect(),
        change: change(Source::Kis),
    };
    follower.told(told(&["068270"])).await;
    let own = ["H0STCNT0 005380", "H0STASP0 005380"].map(str::to_owned).to_vec();
    let lent = ["H0STCNT0 068270", "H0STASP0 068270"].map(str::to_owned).to_vec();
    assert_eq!(asked(&follower), [own.clone(), lent.clone()].concat());
    let took = |missing: Vec<(Tape, Symbol)>, uncovered: Vec<Symbol>| {
        let change = change(Source::Kis).expect("change");
        LinkNote::Took { change, missing, uncovered }
    };
    assert_eq!(notes(&mut received), [took(vec![(Tape::Krx, symbol("068270"))], vec![])]);
    // More than there is room for: what is carried already misses nothing.
    follower.told(told(&["068270", "035720"])).await;
    assert_eq!(notes(&mut received)[0], took(vec![], vec![symbol("035720")]));
    assert_eq!(asked(&follower), [own.clone(), lent].concat());
    follower.told(Told { change: change(Source::Kiwoom), ..told(&[]) }).await;
    assert_eq!(asked(&follower), own);
    assert_eq!(notes(&mut received), [LinkNote::Gave { group: Group::B }]);
}
