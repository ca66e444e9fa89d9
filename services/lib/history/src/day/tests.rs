//! A day of one instrument, looked at, asked for and told.

use market::{Method, Price, Symbol, Tape, TradeDate};
use store::history::{ToldGap, ToldTotal};

use super::*;

fn of() -> InstrumentDay {
    InstrumentDay {
        tape: Tape::Krx,
        symbol: Symbol::parse("005930").expect("symbol"),
        trade_date: TradeDate::parse("20261124").expect("date"),
    }
}

fn shares(count: i64) -> Quantity {
    Quantity::from_units(count)
}

/// A day of one print over the shares 40 to 100, with a total.
fn seen(total: i64, off_hours: &[OffHours]) -> Seen {
    let prints = [Print {
        cumulative_volume: shares(100),
        quantity: shares(60),
        exchange_ns: 1,
        price: Price::from_units(700_000_000),
    }];
    let told = Told {
        total: Some(ToldTotal {
            of: of(),
            source: Source::Kiwoom,
            volume: shares(total),
            method: Method::Ka10003,
            is_final: true,
            off_hours: Quantity::ZERO,
            received_ns: 1,
        }),
        ..Told::default()
    };
    let line = line(&prints, Some(shares(total)), off_hours);
    Seen { of: of(), prints: Vec::new(), told, line }
}

fn head() -> OffHours {
    OffHours { after: Quantity::ZERO, until: shares(40), from_ns: None, until_ns: None }
}

#[test]
fn a_day_is_proven_when_prints_and_proven_stretches_make_up_the_final_total() {
    assert!(seen(100, &[head()]).is_proven());
    assert!(!seen(100, &[]).is_proven(), "what the counter held before the first print may have been lost");
    assert!(!seen(101, &[head()]).is_proven(), "a share is missing at the end");
    assert!(!seen(99, &[head()]).is_proven(), "a total below a print was told too early");
    let mut early = seen(100, &[head()]);
    early.told.total.as_mut().expect("total").is_final = false;
    assert!(!early.is_proven());
    let mut open = seen(100, &[head()]);
    open.told.gaps.push(ToldGap {
        of: of(),
        after: shares(40),
        until: shares(50),
        is_open: true,
        residue: None,
        from_ns: 0,
        until_ns: None,
        detail: String::new(),
    });
    assert!(!open.is_proven(), "a gap that was told stands open until somebody closes it");
}

#[test]
fn a_sum_is_proven_only_if_each_is_and_keeps_the_first_texts() {
    let one = Outcome {
        pages: 2,
        added: 3,
        proven: true,
        troubles: vec!["a".to_owned(); 15],
        ..Outcome::default()
    };
    let two = Outcome {
        pages: 1,
        open: 1,
        proven: false,
        troubles: vec!["b".to_owned(); 15],
        ..Outcome::default()
    };
    let mut sum = Outcome { proven: true, ..Outcome::default() };
    sum.add(&one);
    assert!(sum.proven);
    sum.add(&two);
    assert_eq!((sum.pages, sum.added, sum.open, sum.proven, sum.troubles.len()), (3, 3, 1, false, 20));
}

#[test]
fn an_absent_broker_is_remembered() {
    let absent = Absent::default();
    assert!(!absent.has(Source::Kiwoom));
    absent.add(Source::Kiwoom);
    assert!(absent.has(Source::Kiwoom) && !absent.has(Source::Kis));
}
