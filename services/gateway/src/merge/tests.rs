//! The merged line by hand; by chance: `properties.rs`.

use market::time::SECOND;
use market::{
    AggressorSide, At, Codes, Levels, Market, OrderBook, Origin, Price, Quantity, Session, Source, Stamp,
    Symbol, Tape, Trade, TradeDate, Value,
};

use super::Alive;
use super::books::{Book, Books};
use super::trades::{Dropped, Print, Told, Trades};

const WAIT: u64 = 300;

fn stamp(source: Source, received: i64) -> Stamp {
    Stamp {
        market: Market::Kr,
        source,
        received_ns: received,
        connection_id: 1,
        frame_sequence: received.unsigned_abs(),
        record_index: 0,
        origin: Origin::Live,
    }
}

fn at(day: &str, exchange_ns: i64) -> At {
    let symbol = Symbol::parse("005930").expect("symbol");
    At { tape: Tape::Krx, symbol, trade_date: TradeDate::parse(day).expect("date"), exchange_ns }
}

/// The print of shares `(after, until]`.
fn print(source: Source, after: i64, until: i64) -> Print {
    let trade = Trade {
        at: at("20261124", until * SECOND / 100),
        price: Price::from_units(700_000_000),
        quantity: Quantity::from_units(until - after),
        aggressor_side: AggressorSide::Buy,
        cumulative_volume: Quantity::from_units(until),
        cumulative_value: Value::ZERO,
        cumulative_value_step: Value::ONE,
        best_ask: None,
        best_bid: None,
        session: Session::Continuous,
        session_codes: Codes::default(),
        halted: false,
    };
    Print { stamp: stamp(source, until), trade }
}

/// What is told: `10` a print up to 10, `10 late`, `gap 5-10`.
fn words(told: &[Told]) -> Vec<String> {
    let word = |told: &Told| match told {
        Told::Print { print, late } => {
            let late = if *late { " late" } else { "" };
            format!("{}{late}", print.trade.cumulative_volume)
        }
        Told::Gap { after, until, .. } => format!("gap {after}-{until}"),
    };
    told.iter().map(word).collect()
}

/// A line to which prints come at a time.
#[derive(Default)]
struct Bench {
    trades: Trades,
    out: Vec<Told>,
}

impl Bench {
    fn push(&mut self, now: u64, print: Print) -> Result<(), Dropped> {
        self.trades.push(print, Alive::ALL, now, WAIT, &mut self.out)
    }

    fn told(&mut self) -> Vec<String> {
        let told = words(&self.out);
        self.out.clear();
        told
    }
}

use Source::{Kis, Kiwoom};

#[test]
fn whoever_is_first_tells_and_the_second_is_a_copy() {
    let mut bench = Bench::default();
    assert_eq!(bench.push(0, print(Kis, 90, 100)), Ok(()));
    assert_eq!(bench.push(1, print(Kiwoom, 90, 100)), Err(Dropped::Duplicate));
    assert_eq!(bench.push(2, print(Kiwoom, 100, 110)), Ok(()));
    assert_eq!(bench.push(3, print(Kis, 100, 110)), Err(Dropped::Duplicate));
    assert_eq!(bench.told(), ["100", "110"]);
}

#[test]
fn a_missing_predecessor_is_waited_for_until_it_comes() {
    let mut bench = Bench::default();
    for one in [print(Kis, 90, 100), print(Kiwoom, 90, 100)] {
        let _copy = bench.push(0, one);
    }
    assert_eq!(bench.push(10, print(Kiwoom, 110, 120)), Ok(()));
    assert_eq!(bench.told(), ["100"]);
    assert!(bench.trades.is_waiting());
    assert_eq!(bench.push(20, print(Kis, 100, 110)), Ok(()));
    assert_eq!(bench.told(), ["110", "120"]);
    assert!(!bench.trades.is_waiting());
}

#[test]
fn nobody_waits_for_what_every_broker_has_passed_or_longer_than_the_limit() {
    let mut bench = Bench::default();
    for one in [print(Kis, 90, 100), print(Kiwoom, 90, 100), print(Kiwoom, 110, 120)] {
        let _copy = bench.push(0, one);
    }
    bench.told();
    // KIS has passed it too.
    assert_eq!(bench.push(10, print(Kis, 120, 130)), Ok(()));
    assert_eq!(bench.told(), ["gap 100-110", "120", "130"]);
    // Only Kiwoom has passed the next.
    assert_eq!(bench.push(20, print(Kiwoom, 140, 150)), Ok(()));
    bench.trades.due(Alive::ALL, 319, &mut bench.out);
    assert_eq!(bench.told(), Vec::<String>::new());
    bench.trades.due(Alive::ALL, 320, &mut bench.out);
    assert_eq!(bench.told(), ["gap 130-140", "150"]);
    // And of a broker that is dead nothing is expected.
    assert_eq!(bench.push(400, print(Kiwoom, 160, 170)), Ok(()));
    bench.trades.due(Alive::ALL.with(Kis, false), 401, &mut bench.out);
    assert_eq!(bench.told(), ["gap 150-160", "170"]);
    // One broker alone waits for nobody.
    let mut alone = Bench::default();
    assert_eq!(alone.push(0, print(Kis, 0, 10)), Ok(()));
    assert_eq!(alone.push(0, print(Kis, 20, 30)), Ok(()));
    assert_eq!(alone.told(), ["10", "gap 10-20", "30"]);
}

#[test]
fn what_comes_behind_later_ones_is_late_and_told_once() {
    let mut bench = Bench::default();
    for one in [print(Kis, 0, 10), print(Kis, 40, 50)] {
        assert_eq!(bench.push(0, one), Ok(()));
    }
    assert_eq!(bench.told(), ["10", "gap 10-40", "50"]);
    assert_eq!(bench.push(1, print(Kiwoom, 20, 30)), Ok(()));
    assert_eq!(bench.push(2, print(Kis, 20, 30)), Err(Dropped::Duplicate));
    assert_eq!(bench.push(3, print(Kis, 10, 20)), Ok(()));
    assert_eq!(bench.push(4, print(Kis, 30, 40)), Ok(()));
    assert_eq!(bench.told(), ["30 late", "20 late", "40 late"]);
}

#[test]
fn no_share_is_told_twice_when_brokers_cut_otherwise() {
    let mut bench = Bench::default();
    assert_eq!(bench.push(0, print(Kis, 0, 30)), Ok(()));
    assert_eq!(bench.push(1, print(Kiwoom, 0, 10)), Err(Dropped::Duplicate));
    assert_eq!(bench.push(2, print(Kiwoom, 10, 40)), Err(Dropped::Overlap));
    assert_eq!(bench.push(3, print(Kis, 30, 50)), Ok(()));
    assert_eq!(bench.told(), ["30", "50"]);
    // Late shares of which some are told are none.
    assert_eq!(bench.push(4, print(Kis, 80, 90)), Ok(()));
    assert_eq!(bench.push(400, print(Kiwoom, 40, 60)), Err(Dropped::Overlap));
}

#[test]
fn a_new_day_and_a_counter_that_begins_anew_begin_a_line() {
    let mut bench = Bench::default();
    assert_eq!(bench.push(0, print(Kis, 5_000, 6_000)), Ok(()));
    let mut later = |until: i64| {
        let mut one = print(Kis, until - 10, until);
        one.trade.at.exchange_ns = 6_000 * SECOND / 100 + 60 * SECOND + until;
        bench.push(1, one)
    };
    assert_eq!(later(5_020), Ok(()));
    assert_eq!(later(5_040), Ok(()));
    let mut tomorrow = print(Kis, 0, 10);
    tomorrow.trade.at = at("20261125", 90_000 * SECOND);
    assert_eq!(bench.push(2, tomorrow), Ok(()));
    assert_eq!(bench.push(3, print(Kis, 6_000, 6_010)), Err(Dropped::OldDay));
    assert_eq!(bench.told(), ["6000", "5020", "gap 5020-5030", "5040", "10"]);
}

#[test]
fn volume_without_a_print_at_a_change_of_session_is_no_gap() {
    let mut bench = Bench::default();
    assert_eq!(bench.push(0, print(Kis, 0, 10)), Ok(()));
    let mut after = print(Kis, 20, 30);
    after.trade.session = Session::After;
    assert_eq!(bench.push(1, after), Ok(()));
    assert_eq!(bench.told(), ["10", "30"]);
}

fn book(source: Source, received: i64, second: i64) -> Book {
    let book = OrderBook {
        at: at("20261124", second * SECOND),
        asks: Levels::default(),
        bids: Levels::default(),
        total_ask_quantity: Quantity::ZERO,
        total_bid_quantity: Quantity::ZERO,
        expected_price: None,
        expected_quantity: Quantity::ZERO,
        cumulative_volume: None,
        session: Session::Continuous,
        session_codes: Codes::default(),
    };
    Book { stamp: stamp(source, received), book }
}

#[test]
fn the_book_stays_with_its_broker_until_that_is_behind_or_dead() {
    let mut books = Books::default();
    let both = Alive::ALL;
    assert_eq!(books.push(book(Kis, 1, 100), both, 2 * SECOND), Some(None));
    assert_eq!(books.push(book(Kiwoom, 2, 101), both, 2 * SECOND), None);
    assert_eq!(books.push(book(Kis, 3, 100), both, 2 * SECOND), Some(None));
    assert_eq!(books.push(book(Kis, 3, 100), both, 2 * SECOND), None, "a copy");
    let change = books.push(book(Kiwoom, 4, 102), both, 2 * SECOND).flatten().expect("change");
    assert_eq!((change.from, change.to, change.why.as_str()), (Kis, Kiwoom, "kis is 2 s behind"));
    assert_eq!(books.push(book(Kis, 5, 101), both, 2 * SECOND), None, "back in time");
    let change = books.push(book(Kis, 6, 102), both.with(Kiwoom, false), 2 * SECOND).flatten();
    assert_eq!(change.expect("change").why, "kiwoom is dead");
}

#[test]
fn nobody_waits_longer_because_an_earlier_one_comes_later() {
    let mut bench = Bench::default();
    for one in [print(Kis, 90, 100), print(Kiwoom, 90, 100)] {
        let _copy = bench.push(0, one);
    }
    assert_eq!(bench.push(10, print(Kiwoom, 140, 150)), Ok(()));
    assert_eq!(bench.push(250, print(Kiwoom, 120, 130)), Ok(()));
    assert_eq!(bench.told(), ["100"]);
    bench.trades.due(Alive::ALL, 309, &mut bench.out);
    assert_eq!(bench.told(), Vec::<String>::new());
    bench.trades.due(Alive::ALL, 310, &mut bench.out);
    assert_eq!(bench.told(), ["gap 100-120", "130", "gap 130-140", "150"]);
}

#[test]
fn of_very_many_holes_the_earliest_are_given_up() {
    let mut bench = Bench::default();
    for number in 0..=70 {
        assert_eq!(bench.push(0, print(Kis, number * 20, number * 20 + 10)), Ok(()));
    }
    assert_eq!(bench.told().len(), 71 + 70);
    assert!(bench.push(1, print(Kis, 10, 20)).is_err());
    assert_eq!(bench.push(1, print(Kis, 1_390, 1_400)), Ok(()));
    assert_eq!(bench.told(), ["1400 late"]);
}

#[path = "properties.rs"]
mod properties;
