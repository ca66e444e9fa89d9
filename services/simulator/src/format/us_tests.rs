//! Every relation of kis.md 6.2 and 6.3, read back from the text.

use super::*;
use crate::clock::Local;
use crate::market::Market;
use crate::tr::Broker;

fn now() -> Moment {
    let korea = Local { date: 20_260_711, time: 5_334 };
    Moment { unix: 1_783_698_814, korea, new_york: Local { date: 20_260_710, time: 115_334 } }
}

fn market(key: &str) -> (Market, usize) {
    let mut market = Market::new(7, std::collections::HashMap::new());
    let position = market.resolve(key, true).expect("a plausible key");
    (market, position)
}

fn fields(record: &str) -> Vec<String> {
    record.split('^').map(str::to_owned).collect()
}

/// A number without its decimal point: prices in 1/10000.
fn int(fields: &[String], at: usize) -> i64 {
    fields[at].replace(['.', '+'], "").parse().unwrap_or_else(|_| panic!("field {at} of {fields:?}"))
}

#[test]
fn trades_keep_all_relations() {
    let (mut market, position) = market("DNASAAPL");
    let it = &mut market.instruments[position];
    let mut before: Option<Vec<String>> = None;
    let (mut amount, mut middles) = (0, 0);
    for _ in 0..20_000 {
        let print = it.trade(false, &now());
        let mut text = String::new();
        trade(&mut text, true, it, &print, &now());
        let record = fields(&text);
        let n = |at| int(&record, at);
        assert_eq!(record.len(), 26);
        assert_eq!(
            record[..8],
            ["DNASAAPL", "AAPL", "4", "20260710", "20260710", "115334", "20260711", "005334"]
        );
        for at in [8, 9, 10, 11, 13, 15, 16] {
            assert_eq!(record[at].split('.').nth(1).map(str::len), Some(4), "{record:?}");
        }
        let change = n(13)
            * match record[12].as_str() {
                "2" => 1,
                "3" => 0,
                "5" => -1,
                _ => panic!("{record:?}"),
            };
        assert_eq!(n(11) - change, 2_990_100);
        assert_eq!(record[14].starts_with('+'), n(14) > 0, "{record:?}");
        assert_eq!(record[14].starts_with('-'), change < 0 && n(14) != 0, "{record:?}");
        assert!(n(10) <= n(11) && n(11) <= n(9) && n(15) < n(16) && n(22) + n(23) <= n(20), "{record:?}");
        if let Some(before) = &before {
            let grown = |at: usize| n(at) - int(before, at);
            assert_eq!(grown(20), n(19));
            amount += n(11) * n(19);
            let side = (grown(22), grown(23));
            let expected = match print.side {
                crate::market::tally::Side::Sell => (n(19), 0),
                crate::market::tally::Side::Buy => (0, n(19)),
                crate::market::tally::Side::None => (0, 0),
            };
            assert_eq!(side, expected, "{record:?}");
            if side == (0, 0) {
                middles += 1;
                assert!(n(15) < n(11) && n(11) < n(16), "{record:?}");
            }
        } else {
            amount = it.tally(Tape::First).value;
        }
        assert_eq!(n(21), amount / 10_000);
        before = Some(record);
    }
    assert!(middles > 100, "{middles}");
}

#[test]
fn books_keep_all_relations() {
    let (mut market, position) = market("RBAQAAPL");
    let it = &mut market.instruments[position];
    for step in 0..3_000 {
        if step % 5 == 0 {
            it.trade(false, &now());
        }
        it.change_book(false, &now());
        let record = it.book_record(Tape::First, Broker::Kis);
        let mut text = String::new();
        book(&mut text, true, it, &record, &now());
        let record = fields(&text);
        let n = |at| int(&record, at);
        let sum = |first: usize| (0..10).map(|level| n(11 + 6 * level + first)).sum::<i64>();
        assert_eq!((record.len(), record[0].as_str(), record[1].as_str()), (71, "RBAQAAPL", "AAPL"));
        assert_eq!([7, 8, 9, 10].map(n), [2, 3, 4, 5].map(sum), "{record:?}");
        assert!(n(11) < n(12), "{record:?}");
        for level in 1..10 {
            let at = 11 + 6 * level;
            assert_eq!((n(at - 6) - n(at), n(at + 1) - n(at - 5)), (100, 100), "{record:?}");
        }
    }
}

#[test]
fn pinned_records() {
    let (mut market, position) = market("DNYSBRK/B");
    let it = &mut market.instruments[position];
    it.trade(false, &now());
    let print = it.trade(false, &now());
    let mut text = String::new();
    trade(&mut text, true, it, &print, &now());
    assert_eq!(text, PINNED_TRADE);
    text.clear();
    let record = it.book_record(Tape::First, Broker::Kis);
    book(&mut text, true, it, &record, &now());
    assert_eq!(text, PINNED_BOOK);
}

const PINNED_TRADE: &str = "DNYSBRK/B^BRK/B^4^20260710^20260710^115334^20260711^005334^501.2600^501.2600^501.2600^501.2600^3^0.0000^0.00^501.2500^501.2600^52^80^36^861^431584^42^0^0.00^2";
const PINNED_BOOK: &str = "DNYSBRK/B^BRK/B^4^20260710^115334^20260711^005334^548^629^0^0^501.2500^501.2600^52^80^0^0^501.2400^501.2700^74^78^0^0^501.2300^501.2800^27^88^0^0^501.2200^501.2900^8^85^0^0^501.2100^501.3000^94^68^0^0^501.2000^501.3100^92^4^0^0^501.1900^501.3200^32^47^0^0^501.1800^501.3300^98^67^0^0^501.1700^501.3400^44^16^0^0^501.1600^501.3500^27^96^0^0";
