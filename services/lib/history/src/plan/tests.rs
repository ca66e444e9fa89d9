//! Which calls a day costs, by reach and by pages.

use market::Price;
use market::time::SECOND;

use super::*;

const ALL: Reach = Reach {
    ka10084: true,
    ka10079: true,
    ka10003: true,
    ka10080: true,
    fhpst01060000: true,
    hhdfs76200300: false,
};
/// Three trading days ago.
const OLDER: Reach = Reach { ka10084: false, ka10003: false, fhpst01060000: false, ..ALL };

/// `count` prints of ten shares, one a second.
fn prints(count: i64) -> Vec<Print> {
    let print = |index| Print {
        cumulative_volume: Quantity::from_units(10 * index),
        quantity: Quantity::from_units(10),
        exchange_ns: index * SECOND,
        price: Price::from_units(700_000_000),
    };
    (1..=count).map(print).collect()
}

fn missing(after: i64, until: i64) -> Missing {
    Missing {
        after: Quantity::from_units(after),
        until: Quantity::from_units(until),
        from_ns: Some(after / 10 * SECOND),
        until_ns: Some(until / 10 * SECOND),
    }
}

fn state<'a>(missing: &'a [Missing], prints: &'a [Print], reach: Reach) -> DayState<'a> {
    DayState {
        tape: Tape::Krx,
        missing,
        prints,
        is_one_counter: true,
        known_volume: Some(Quantity::from_units(1)),
        start_ns: 0,
        newer_rows: 0,
        reach,
    }
}

fn first(plan: &Plan) -> (Vec<Request>, u64) {
    match plan {
        Plan::Fill { routes } => (routes[0].requests.clone(), routes[0].pages),
        Plan::Total(route) => (route.requests.clone(), route.pages),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_complete_day_asks_nothing() {
    let known = prints(10);
    assert_eq!(plan(&state(&[], &known, ALL)), Plan::Nothing);
}

#[test]
fn a_total_that_is_not_known_costs_one_page() {
    let known = prints(10);
    let ask = |reach| first(&plan(&DayState { known_volume: None, ..state(&[], &known, reach) }));
    // The page that tells the total also holds what would be missing at the tail.
    assert_eq!(ask(ALL), (vec![Request::DayTrades { down_to: Quantity::from_units(100) }], 1));
    assert_eq!(ask(OLDER), (vec![Request::Minutes], 1));
    let none = plan(&DayState { known_volume: None, ..state(&[], &known, Reach::default()) });
    assert_eq!(none, Plan::Nothing);
    // Of a symbol without a print nobody pages through a whole day to learn whether it traded.
    let ask = |reach| first(&plan(&DayState { known_volume: None, ..state(&[], &[], reach) }));
    assert_eq!(ask(ALL), (vec![Request::LastTrades], 1));
    assert_eq!(ask(OLDER), (vec![Request::Minutes], 1));
}

#[test]
fn a_short_way_back_goes_by_ka10084_and_a_long_one_by_ka10079() {
    let known = prints(10_000);
    // 50 known prints above the gap, and 10 missing ones.
    let gap = [missing(99_400, 99_500)];
    let ask = |gap: &[Missing]| first(&plan(&state(gap, &known, ALL)));
    assert_eq!(ask(&gap), (vec![Request::DayTrades { down_to: Quantity::from_units(99_400) }], 1));
    // 10,000 rows: 101 pages of 100, or 12 of 900.
    let gap = [missing(100, 200), missing(99_400, 99_500)];
    assert_eq!(ask(&gap), (vec![Request::Ticks { older_than_ns: 10 * SECOND }], 12));
}

#[test]
fn newer_days_make_ka10079_dearer() {
    let known = prints(1_000);
    let gap = [missing(100, 200)];
    let cheap = first(&plan(&state(&gap, &known, ALL)));
    assert_eq!(cheap, (vec![Request::Ticks { older_than_ns: 10 * SECOND }], 2));
    let day = DayState { newer_rows: 20_000, ..state(&gap, &known, ALL) };
    assert_eq!(first(&plan(&day)), (vec![Request::DayTrades { down_to: Quantity::from_units(100) }], 10));
    // Only one reaches: its price does not matter.
    let day = DayState { newer_rows: 20_000, ..state(&gap, &known, OLDER) };
    assert_eq!(first(&plan(&day)).1, 24);
}

#[test]
fn ticks_bring_their_anchor_where_no_print_is() {
    let tail = Missing { until_ns: None, ..missing(100_000, 200_000) };
    let head = Missing { from_ns: None, after: Quantity::ZERO, ..missing(0, 100_000) };
    let whole = Missing { until_ns: None, ..head };
    let known = prints(10_000);
    let ask = |gap: Missing, known: &[Print], reach| first(&plan(&state(&[gap], known, reach))).0;
    let reach = Reach { ka10084: false, fhpst01060000: false, ..ALL };
    assert_eq!(ask(tail, &known, reach)[1..], [Request::LastTrades]);
    assert_eq!(ask(tail, &known, OLDER)[1..], [Request::Minutes]);
    assert_eq!(ask(head, &known, reach), [Request::Ticks { older_than_ns: 0 }, Request::Minutes]);
    assert_eq!(ask(whole, &[], OLDER), [Request::Ticks { older_than_ns: 0 }, Request::Minutes]);
    // Nothing to anchor at: it would be fetched for nothing.
    let alone = Reach { ka10080: false, ..OLDER };
    assert_eq!(plan(&state(&[whole], &[], alone)), Plan::NoSource);
}

#[test]
fn kis_is_the_second_source_of_today_and_the_only_one_for_the_us() {
    let known = prints(100);
    let gap = [missing(900, 950)];
    let down_to = Quantity::from_units(900);
    let Plan::Fill { routes } = plan(&state(&gap, &known, ALL)) else { panic!("no plan") };
    let requests: Vec<Request> = routes.iter().map(|route| route.requests[0]).collect();
    assert_eq!(requests.len(), 3);
    assert!(requests.contains(&Request::KisDayTrades { down_to }));
    let us = Reach { hhdfs76200300: true, ..Reach::default() };
    let day = DayState { tape: Tape::Us, ..state(&gap, &known, us) };
    assert_eq!(first(&plan(&day)), (vec![Request::KisUsTrades { down_to }], 1));
    assert_eq!(Request::KisUsTrades { down_to }.method(), Method::Hhdfs76200300);
}

#[test]
fn what_nobody_reaches_is_said_to_be_so() {
    let known = prints(100);
    let gap = [missing(900, 950)];
    assert_eq!(plan(&state(&gap, &known, Reach::default())), Plan::NoSource);
    // Minutes hold no trades.
    assert_eq!(plan(&state(&gap, &known, Reach { ka10080: true, ..Reach::default() })), Plan::NoSource);
    let day = DayState { is_one_counter: false, ..state(&gap, &known, ALL) };
    assert_eq!(plan(&day), Plan::CounterRestarted);
}
