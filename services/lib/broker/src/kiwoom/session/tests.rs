//! The session against answers as the broker gives them, with time as an argument.

use market::universe::Universe;
use market::{Market, Source};

use super::*;

const LOGIN_OK: &str = r#"{"trnm":"LOGIN","return_code":0,"return_msg":"","sor_yn":"Y"}"#;
const REG_OK: &str = r#"{"trnm":"REG","return_code":0,"return_msg":""}"#;
const REMOVE_OK: &str = r#"{"trnm":"REMOVE","return_code":0,"return_msg":""}"#;
const KICK: &str = r#"{"trnm":"SYSTEM","code":"R10001","message":"동일한 App key로 접속이 되었습니다. 기존 세션은 종료가 됩니다"}"#;

fn ms(ms: u64) -> Now {
    Now { elapsed: Duration::from_millis(ms), data_expected: true }
}

fn at(seconds: u64) -> Now {
    ms(seconds * 1_000)
}

fn wanted(count: usize) -> Vec<Item> {
    let lines: String = (1..=count).map(|n| format!("- symbol: {n:06}\n")).collect();
    let universe = Universe::from_yaml(&format!("symbols:\n{lines}")).expect("universe");
    universe.carried(Market::Kr, Source::Kiwoom, &[Source::Kiwoom]).iter().filter_map(Item::of).collect()
}

fn real(code: &str) -> String {
    format!(
        r#"{{"trnm":"REAL","data":[{{"type":"0D","name":"주식호가잔량","item":"{code}","values":{{}}}}]}}"#
    )
}

/// A session under test, with all that it wanted done.
struct Run {
    session: KiwoomSession,
    actions: Vec<Action>,
}

impl Run {
    fn with(count: usize, key: &Arc<KeyState>) -> Self {
        let token = Token::new("secret-token".to_owned(), i64::MAX);
        let mut session = KiwoomSession::new(token, Arc::clone(key), SessionRules::default());
        session.want(&wanted(count));
        Self { session, actions: Vec::new() }
    }

    /// Opened, nothing answered.
    fn opened(count: usize) -> Self {
        let mut run = Self::with(count, &Arc::new(KeyState::new("main")));
        run.session.opened(at(0), &mut run.actions);
        run
    }

    /// Logged in, at second 0.
    fn live(count: usize) -> Self {
        let mut run = Self::opened(count);
        run.hear(LOGIN_OK, at(0));
        run
    }

    /// Every request answered with 0 at once, until `ms`.
    fn settled(count: usize, until: u64) -> Self {
        let mut run = Self::live(count);
        for now in (0..until).step_by(50) {
            if run.session.plan.under_way().is_some() {
                run.hear(REG_OK, ms(now));
            }
            run.pass(ms(now));
        }
        run
    }

    fn hear(&mut self, text: &str, now: Now) -> bool {
        self.session.received(text, now, &mut self.actions)
    }

    fn pass(&mut self, now: Now) {
        self.session.passed(now, &mut self.actions);
    }

    fn sent(&self) -> Vec<&str> {
        let each = self.actions.iter().filter_map(|action| match action {
            Action::Send(text) => Some(text.as_str()),
            _ => None,
        });
        each.collect()
    }

    fn closes(&self) -> Vec<(&str, Retry)> {
        let each = self.actions.iter().filter_map(|action| match action {
            Action::Close { reason, then } => Some((reason.as_str(), *then)),
            _ => None,
        });
        each.collect()
    }

    fn notes(&self) -> Vec<&Note> {
        let each = self.actions.iter().filter_map(|action| match action {
            Action::Note(note) => Some(note),
            _ => None,
        });
        each.collect()
    }
}

#[test]
fn nothing_is_sent_before_the_answer_to_login() {
    let mut run = Run::opened(1);
    let ping = r#"{"trnm":"PING","extra":"1"}"#;
    assert!(!run.hear(ping, at(1)));
    assert!(!run.hear(r#"{"trnm":"SYSTEM","code":"R00000","message":"hello"}"#, at(2)));
    run.pass(at(3));
    assert_eq!(run.sent(), [r#"{"trnm":"LOGIN","token":"secret-token"}"#, ping]);
    run.hear(LOGIN_OK, at(3));
    let register =
        r#"{"trnm":"REG","grp_no":"1","refresh":"1","data":[{"item":["000001"],"type":["0B","0D"]}]}"#;
    assert_eq!(run.sent()[2..], [register]);
    assert!(run.notes().is_empty() && run.closes().is_empty());
}

#[test]
fn a_login_without_an_answer_is_given_up() {
    let mut run = Run::opened(1);
    run.pass(ms(9_999));
    assert_eq!(run.closes(), []);
    run.pass(at(10));
    assert_eq!(run.closes(), [("no answer to LOGIN within 10 s", Retry::Backoff)]);
}

#[test]
fn a_refused_login_renews_the_token_or_needs_a_person() {
    for (code, text, dead, then) in [
        (805_004, "[CODE=8005, MESSAGE=Token이 유효하지 않습니다]", true, Retry::Backoff),
        (8005, "", true, Retry::Backoff),
        (805_002, "", true, Retry::Backoff),
        (8103, "", true, Retry::Backoff),
        (3, "[8010:x]", true, Retry::Backoff),
        (8031, "", true, Retry::Never),
        (3, "[8050:x]", false, Retry::Never),
        (3, "[8001:x]", false, Retry::Never),
        (1999, "", false, Retry::Backoff),
        (777_777, "", false, Retry::Backoff),
    ] {
        let mut run = Run::opened(1);
        run.hear(&format!(r#"{{"trnm":"LOGIN","return_code":{code},"return_msg":"{text}"}}"#), at(1));
        assert_eq!(run.session.token.is_dead(), dead, "{code} {text}");
        assert!(matches!(run.closes()[..], [(_, wait)] if wait == then), "{code} {text}: {:?}", run.actions);
        run.pass(at(60));
        assert_eq!((run.closes().len(), run.sent().len()), (1, 1), "nothing more after the end");
    }
}

#[test]
fn requests_are_apart_and_each_waits_for_its_answer() {
    let mut run = Run::live(120);
    for now in (0..3_000).step_by(50) {
        run.pass(ms(now));
    }
    assert_eq!(run.sent().len(), 2, "LOGIN and the first 50");
    run.hear(REG_OK, ms(3_000));
    assert_eq!(run.sent().len(), 3);
    run.hear(REG_OK, ms(3_001));
    run.pass(ms(3_349));
    assert_eq!(run.sent().len(), 3);
    run.pass(ms(3_350));
    assert_eq!(run.sent().len(), 4);
    assert!(run.sent()[3].contains(r#""grp_no":"3""#) && run.sent()[3].contains(r#""000120""#));
    run.hear(REG_OK, at(4));
    assert_eq!(run.notes(), [&Note::Settled { registered: 120, refused: 0 }]);
}

#[test]
fn data_before_the_answer_is_data() {
    let mut run = Run::live(1);
    assert!(run.hear(&real("000001"), at(1)));
    // What is no JSON is kept as well: the parser refuses it in the open.
    assert!(run.hear(r#"{"trnm":"REA"#, at(1)));
    assert!(!run.hear(r#"{"trnm":"CNSRREQ"}"#, at(1)));
    assert_eq!((run.notes().len(), run.sent().len()), (0, 2));
}

#[test]
fn the_201st_is_told_by_name_and_not_asked_for() {
    let run = Run::settled(202, 10_000);
    let refused = |code: &str| Note::Refused {
        registration: code.to_owned(),
        code: "LIMIT".to_owned(),
        text: "more than the 200 items of one connection".to_owned(),
    };
    let settled = Note::Settled { registered: 200, refused: 2 };
    assert_eq!(run.notes(), [&refused("000201"), &refused("000202"), &settled]);
    assert_eq!(run.sent().len(), 5);
}

#[test]
fn too_fast_slows_down_and_loses_nothing() {
    let mut run = Run::live(60);
    run.hear(r#"{"trnm":"REG","return_code":105110,"return_msg":"x"}"#, ms(100));
    for now in (150..1_100).step_by(50) {
        run.pass(ms(now));
    }
    // The other ten are due after twice the pace.
    assert_eq!(run.sent().len(), 3);
    run.hear(REG_OK, ms(1_100));
    run.pass(ms(1_400));
    assert_eq!(run.sent().len(), 4);
    run.hear(REG_OK, ms(1_500));
    assert_eq!(run.notes(), [&Note::Settled { registered: 60, refused: 0 }]);
}

#[test]
fn no_room_is_told_by_name() {
    let mut run = Run::live(1);
    run.hear(r#"{"trnm":"REG","return_code":105115,"return_msg":"등록 개수 초과"}"#, at(1));
    let refused = Note::Refused {
        registration: "000001".to_owned(),
        code: "105115".to_owned(),
        text: "등록 개수 초과".to_owned(),
    };
    assert_eq!(run.notes(), [&refused, &Note::Settled { registered: 0, refused: 1 }]);
}

#[test]
fn no_answer_is_tried_once_more_then_told() {
    let mut run = Run::live(1);
    for second in 1..100 {
        run.pass(at(second));
    }
    assert_eq!(run.sent().len(), 3);
    assert!(matches!(run.notes()[..], [Note::Refused { registration, code, .. }, Note::Settled { .. }]
        if registration == "000001" && code == "UNANSWERED"));
    // A late answer belongs to nothing.
    run.hear(REG_OK, at(100));
    assert_eq!(run.session.plan.counts(), (0, 1));
}

#[test]
fn what_the_server_threw_away_ends_the_session() {
    let mut run = Run::live(1);
    run.hear(r#"{"return_code":100013,"return_msg":"로그인 인증이 들어오기 전에 (TRNM=%s)"}"#, at(1));
    assert!(matches!(run.closes()[..], [(_, Retry::Backoff)]));
}

#[test]
fn a_fight_for_the_key_is_left_for_ten_minutes() {
    let key = Arc::new(KeyState::new("main"));
    let mut waits = Vec::new();
    for seconds in [5, 5, 5, 700, 5] {
        let mut run = Run::with(1, &key);
        run.session.opened(at(0), &mut run.actions);
        run.hear(LOGIN_OK, at(0));
        run.pass(at(seconds));
        run.hear(KICK, at(seconds));
        waits.extend(run.closes().iter().map(|(reason, then)| {
            assert!(reason.starts_with("another session uses the app key main, waiting "), "{reason}");
            *then
        }));
    }
    let [short, long] = [30, 600].map(|seconds| Retry::After(Duration::from_secs(seconds)));
    assert_eq!(waits, [short, short, long, short, short]);
}

#[test]
fn bye_is_a_kick_of_a_live_session_only() {
    let mut run = Run::live(1);
    assert_eq!(run.session.closed(Some(1000), "Bye"), Retry::After(Duration::from_secs(30)));
    assert_eq!(run.session.closed(Some(1006), ""), Retry::Backoff);
    assert_eq!(Run::opened(1).session.closed(Some(1000), "Bye"), Retry::Backoff);
}

#[test]
fn confirmed_but_silent_is_an_error_with_the_symbols() {
    let mut run = Run::settled(2, 1_000);
    for second in 1..120 {
        run.pass(at(second));
    }
    let [_, Note::Silent { symbols, silence }] = run.notes()[..] else { panic!("{:?}", run.notes()) };
    assert_eq!(symbols.iter().map(ToString::to_string).collect::<Vec<_>>(), ["000001", "000002"]);
    assert_eq!(*silence, Duration::from_secs(60));
}

#[test]
fn a_book_that_never_came_among_live_ones_is_named_once_after_ten_minutes() {
    let mut run = Run::settled(2, 1_000);
    for second in 1..2_000 {
        if second % 20 == 0 {
            run.hear(&real("000001"), at(second));
        }
        // The market opens at second 300.
        run.pass(Now { data_expected: second >= 300, ..at(second) });
        assert_eq!(run.notes().len(), if second < 900 { 1 } else { 2 }, "{second}");
    }
    assert!(matches!(run.notes()[1], Note::Silent { symbols, .. } if symbols[0].as_str() == "000002"));
}

#[test]
fn a_changed_wish_is_asked_for_and_given_back() {
    let mut run = Run::settled(2, 1_000);
    let mut wish = wanted(3);
    wish.remove(0);
    run.session.want(&wish);
    run.pass(at(20));
    let remove = r#"{"trnm":"REMOVE","grp_no":"1","data":[{"item":["000001"],"type":["0B","0D"]}]}"#;
    assert_eq!(run.sent().last(), Some(&remove));
    run.hear(REMOVE_OK, at(21));
    let register =
        r#"{"trnm":"REG","grp_no":"2","refresh":"1","data":[{"item":["000003"],"type":["0B","0D"]}]}"#;
    assert_eq!(run.sent().last(), Some(&register));
    run.hear(REG_OK, at(22));
    assert_eq!(run.notes().last(), Some(&&Note::Settled { registered: 2, refused: 0 }));
}

#[test]
fn the_token_is_not_printed() {
    assert!(!format!("{:?}", Run::opened(1).session).contains("secret-token"));
}
