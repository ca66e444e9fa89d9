//! The plan without a session: what is asked for next, and what refusals make of it.

use super::*;

const BOTH: Types = Types::TRADES.and(Types::BOOKS);
const WHY: Why<'_> = Why { code: "1902", text: "no such symbol" };

fn rules(limit: usize, batch: usize) -> PlanRules {
    let (retry_after, retry_refused_after) = (Duration::from_secs(5), Duration::from_secs(300));
    PlanRules { limit, batch, retry_after, retry_refused_after }
}

fn item(number: usize, types: Types) -> Item {
    let code = format!("{number:06}");
    Item { symbol: Symbol::parse(&code).expect("symbol"), code, types }
}

fn items(count: usize) -> Vec<Item> {
    (1..=count).map(|number| item(number, BOTH)).collect()
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Register or not, group, codes without leading zeros, types.
fn shown(request: Option<&Request>) -> Option<(bool, u32, String, String)> {
    let request = request?;
    let codes: Vec<_> = request.codes.iter().map(|code| code.trim_start_matches('0')).collect();
    let types: Vec<_> = request.types.codes().collect();
    Some((request.register, request.group, codes.join(" "), types.join(" ")))
}

fn request(register: bool, group: u32, codes: &str, types: &str) -> Option<(bool, u32, String, String)> {
    Some((register, group, codes.to_owned(), types.to_owned()))
}

fn refused_codes(notes: &[Note]) -> Vec<&str> {
    let each = notes.iter().filter_map(|note| match note {
        Note::Refused { registration, .. } => Some(registration.as_str()),
        _ => None,
    });
    each.collect()
}

#[test]
fn items_go_in_batches_each_in_a_group_of_its_own() {
    let mut plan = Plan::new(rules(200, 2));
    plan.want(&items(3));
    assert_eq!(shown(plan.next(at(0))), request(true, 1, "1 2", "0B 0D"));
    assert_eq!(shown(plan.next(at(0))), None, "one request at a time");
    plan.granted(at(0));
    assert_eq!(shown(plan.next(at(1))), request(true, 2, "3", "0B 0D"));
    assert!(!plan.settled());
    plan.granted(at(1));
    assert_eq!(shown(plan.next(at(2))), None);
    assert!(plan.settled());
    assert_eq!((plan.counts(), plan.held()), ((3, 0), 3));
}

#[test]
fn items_with_the_same_types_share_a_request() {
    let mut plan = Plan::new(rules(200, 50));
    // Number 3 is named twice.
    let (books, trades) = (Types::BOOKS, Types::TRADES);
    plan.want(&[item(1, BOTH), item(2, books), item(3, trades), item(4, books), item(3, books)]);
    assert_eq!(shown(plan.next(at(0))), request(true, 1, "1 3", "0B 0D"));
    plan.granted(at(0));
    assert_eq!(shown(plan.next(at(1))), request(true, 2, "2 4", "0D"));
}

#[test]
fn a_removal_names_the_group_and_its_number_is_used_again() {
    let mut plan = Plan::new(rules(200, 2));
    plan.want(&items(4));
    for _ in 0..2 {
        plan.next(at(0));
        plan.granted(at(0));
    }
    plan.want(&[item(4, BOTH), item(5, BOTH)]);
    assert_eq!(shown(plan.next(at(1))), request(false, 1, "1 2", "0B 0D"));
    plan.granted(at(1));
    assert_eq!(shown(plan.next(at(2))), request(false, 2, "3", "0B 0D"));
    plan.granted(at(2));
    assert_eq!(shown(plan.next(at(3))), request(true, 1, "5", "0B 0D"));
    plan.granted(at(3));
    assert_eq!((shown(plan.next(at(4))), plan.counts(), plan.held()), (None, (2, 0), 2));
}

#[test]
fn a_change_of_types_touches_nothing_else() {
    let mut plan = Plan::new(rules(200, 50));
    plan.want(&[item(1, Types::BOOKS)]);
    plan.next(at(0));
    plan.granted(at(0));
    plan.want(&[item(1, BOTH)]);
    assert_eq!(shown(plan.next(at(1))), request(true, 2, "1", "0B"));
    plan.granted(at(1));
    plan.want(&[item(1, Types::TRADES)]);
    assert_eq!(shown(plan.next(at(2))), request(false, 1, "1", "0D"));
    plan.granted(at(2));
    assert_eq!((shown(plan.next(at(3))), plan.counts()), (None, (1, 0)));
}

#[test]
fn a_wish_taken_back_while_under_way_is_given_back_after() {
    let mut plan = Plan::new(rules(200, 50));
    plan.want(&items(1));
    plan.next(at(0));
    plan.want(&[]);
    assert_eq!(plan.under_way().map(|request| request.register), Some(true));
    plan.granted(at(1));
    assert_eq!(shown(plan.next(at(1))), request(false, 1, "1", "0B 0D"));
    plan.granted(at(2));
    assert_eq!((plan.held(), plan.counts()), (0, (0, 0)));
}

#[test]
fn one_wrong_code_takes_no_neighbour_along() {
    let mut plan = Plan::new(rules(200, 50));
    plan.want(&items(8));
    let (mut asked, mut notes) = (0, Vec::new());
    while let Some(request) = plan.next(at(0)) {
        let wrong = request.codes.contains(&"000006".to_owned());
        asked += 1;
        if wrong { plan.refused(at(0), WHY, &mut notes) } else { plan.granted(at(0)) }
    }
    assert_eq!((refused_codes(&notes), plan.counts(), plan.settled()), (vec!["000006"], (7, 1), true));
    assert_eq!(asked, 7, "8; 4, 4; 2, 2; 1, 1");
}

#[test]
fn the_servers_own_limit_leaves_only_those_uncovered_that_have_no_room() {
    let mut plan = Plan::new(rules(200, 50));
    plan.want(&items(10));
    let mut notes = Vec::new();
    while let Some(request) = plan.next(at(0)) {
        let more = request.codes.len();
        if plan.held() + more > 7 { plan.no_room(at(0), WHY, &mut notes) } else { plan.granted(at(0)) }
    }
    assert_eq!((refused_codes(&notes), plan.counts()), (vec!["000008", "000009", "000010"], (7, 3)));
}

#[test]
fn our_own_limit_is_told_at_once_and_room_is_used_again() {
    let mut plan = Plan::new(rules(2, 50));
    plan.want(&items(3));
    let mut notes = Vec::new();
    plan.refuse_beyond_limit(&mut notes);
    assert_eq!(refused_codes(&notes), ["000003"]);
    assert_eq!(shown(plan.next(at(0))), request(true, 1, "1 2", "0B 0D"));
    plan.granted(at(0));
    notes.clear();
    plan.want(&items(3)[1..]);
    plan.refuse_beyond_limit(&mut notes);
    assert_eq!(notes, []);
    // The third is not asked for before the first has left.
    assert_eq!(shown(plan.next(at(1))), request(false, 1, "1", "0B 0D"));
    plan.granted(at(1));
    assert_eq!(shown(plan.next(at(2))), request(true, 2, "3", "0B 0D"));
}

#[test]
fn a_failure_is_tried_once_more_then_told_then_rare() {
    let mut plan = Plan::new(rules(200, 50));
    plan.want(&items(1));
    let mut notes = Vec::new();
    plan.next(at(0));
    plan.failed(at(0), WHY, &mut notes);
    assert_eq!((shown(plan.next(at(4))), notes.len()), (None, 0));
    assert!(plan.next(at(5)).is_some());
    plan.failed(at(5), WHY, &mut notes);
    assert_eq!(
        (shown(plan.next(at(304))), refused_codes(&notes), plan.settled()),
        (None, vec!["000001"], true)
    );
    assert!(plan.next(at(305)).is_some());
    plan.granted(at(305));
    assert_eq!(plan.counts(), (1, 0));
}

#[test]
fn a_book_that_never_came_is_named_once_and_trades_alone_are_not() {
    let mut plan = Plan::new(rules(200, 50));
    plan.want(&[item(1, BOTH), item(2, BOTH), item(3, Types::TRADES)]);
    for _ in 0..2 {
        plan.next(at(10));
        plan.granted(at(10));
    }
    plan.heard("A000001");
    assert!(plan.any_unheard());
    assert_eq!(plan.unheard(at(609), at(0), at(600)), (0, vec![]));
    assert_eq!(plan.unheard(at(700), at(200), at(600)), (0, vec![]), "data was not expected before");
    let two = Symbol::parse("000002").expect("symbol");
    assert_eq!(plan.unheard(at(610), at(0), at(600)), (1, vec![two]));
    assert_eq!(plan.unheard(at(611), at(0), at(600)), (1, vec![]));
    plan.heard("000002");
    assert_eq!((plan.unheard(at(612), at(0), at(600)), plan.any_unheard()), ((0, vec![]), false));
}
