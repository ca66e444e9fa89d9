//! Every relation of kis.md 5.1 and 5.2, read back from the text by a checker that knows nothing but `^`.

use super::*;
use crate::clock::Local;
use crate::market::Market;
use crate::tr::Broker;

fn now() -> Moment {
    let korea = Local { date: 20_261_125, time: 93_005 };
    Moment { unix: 1_795_566_605, korea, new_york: Local { date: 20_261_124, time: 193_005 } }
}

fn market(key: &str) -> (Market, usize) {
    let mut market = Market::new(7, std::collections::HashMap::new());
    let position = market.resolve(key, false).expect("a plausible key");
    (market, position)
}

fn fields(record: &str) -> Vec<String> {
    record.split('^').map(str::to_owned).collect()
}

fn int(fields: &[String], at: usize) -> i64 {
    fields[at].parse().unwrap_or_else(|_| panic!("field {at} of {fields:?} is no number"))
}

/// Trade records of one tape, checked one by one and against the one before.
struct Checker {
    before: Option<Vec<String>>,
    seen: [usize; 3],
}

impl Checker {
    fn new() -> Self {
        Self { before: None, seen: [0; 3] }
    }

    fn check(&mut self, record: &[String]) {
        let n = |at| int(record, at);
        let price = n(2);
        assert_eq!(n(17), n(16) - n(15));
        assert_eq!((n(26), n(29), n(32)), (price - n(7), price - n(8), price - n(9)));
        assert!(n(9) <= n(7) && n(7) <= n(8) && n(9) <= price && price <= n(8), "{record:?}");
        assert!(n(19) + n(20) <= n(13) && n(11) < n(10), "{record:?}");
        assert_eq!(n(45), n(7));
        let average = n(14) * 100 / n(13);
        assert_eq!(record[6].replace('.', "").parse::<i64>().expect("average"), average);
        for (sign, change) in [(3, 4), (25, 26), (28, 29), (31, 32)] {
            let expected = ["5", "3", "2"][usize::try_from(n(change).signum() + 1).expect("sign")];
            assert_eq!(record[sign], expected, "{record:?}");
        }
        if let Some(before) = &self.before {
            let grown = |at: usize| n(at) - int(before, at);
            assert_eq!(int(before, 2) - int(before, 4), price - n(4), "the base price moved");
            assert_eq!((grown(13), grown(14)), (n(12), price * n(12)));
            let (sell, buy) = if record[21] == "5" { (n(12), 0) } else { (0, n(12)) };
            assert_eq!((grown(19), grown(20)), (sell, buy), "{record:?}");
            assert_eq!((grown(15), grown(16)), (sell.signum(), buy.signum()));
        }
        let side = ["", "1", "5"].iter().position(|side| *side == record[21]).expect("a known side");
        self.seen[side] += 1;
        self.before = Some(record.to_vec());
    }
}

#[test]
fn trades_keep_all_relations_on_all_three_tapes() {
    let (mut market, position) = market("005930");
    let it = &mut market.instruments[position];
    let mut checkers = [Checker::new(), Checker::new(), Checker::new()];
    let mut volumes = [0_i64; 2];
    for step in 0..20_000 {
        let nxt = step % 3 == 1;
        let print = it.trade(nxt, &now());
        let own = if nxt { Tape::Nxt } else { Tape::First };
        for tape in [own, Tape::All] {
            let mut text = String::new();
            trade(&mut text, true, it, tape, &print, &now(), Layout::Y2026);
            let record = fields(&text);
            assert_eq!(record.len(), 47);
            checkers[tape.index()].check(&record);
            let sizes = it.sizes(tape);
            assert_eq!([36, 37].map(|at| int(&record, at)), [sizes.asks[0], sizes.bids[0]]);
            assert_eq!([38, 39].map(|at| int(&record, at)), [sizes.ask_total(), sizes.bid_total()]);
            if tape == Tape::All {
                assert_eq!(int(&record, 13), volumes[0] + volumes[1]);
            } else {
                volumes[usize::from(nxt)] = int(&record, 13);
            }
        }
    }
    // One opening print on KRX and on the unified tape, none on NXT, and both sides everywhere.
    assert_eq!(checkers.each_ref().map(|checker| checker.seen[0]), [1, 0, 1]);
    assert!(checkers.iter().all(|checker| checker.seen[1] > 2_000 && checker.seen[2] > 2_000));
}

#[test]
fn the_opening_print_has_no_side_and_off_hours_volume_before_it() {
    let (mut market, position) = market("0155E0");
    let it = &mut market.instruments[position];
    let print = it.trade(false, &now());
    let mut text = String::new();
    trade(&mut text, true, it, Tape::First, &print, &now(), Layout::Y2026);
    let record = fields(&text);
    assert_eq!(
        (record[0].as_str(), record[21].as_str(), int(&record, 19) + int(&record, 20)),
        ("0155E0", "", 0)
    );
    assert!(int(&record, 13) > int(&record, 12), "{record:?}");
}

#[test]
fn books_keep_all_relations() {
    for key in ["005930", "396300", "0155E0"] {
        let (mut market, position) = market(key);
        let it = &mut market.instruments[position];
        let mut before: [Option<Vec<String>>; 3] = [None, None, None];
        for step in 0..3_000 {
            let nxt = it.has_nxt() && step % 2 == 1;
            if step % 5 == 0 {
                let open = it.is_open(&now());
                it.trade(nxt && open, &now());
            }
            it.change_book(nxt, &now());
            let tapes: &[Tape] = if nxt { &[Tape::Nxt, Tape::All] } else { &[Tape::First, Tape::All] };
            for &tape in tapes {
                let record = it.book_record(tape, Broker::Kis);
                let mut text = String::new();
                book(&mut text, true, it, tape, &record, &now(), Layout::Y2026);
                let record = fields(&text);
                check_book(it, tape, &record, before[tape.index()].as_deref());
                before[tape.index()] = Some(record);
            }
        }
    }
}

fn check_book(it: &Instrument, tape: Tape, record: &[String], before: Option<&[String]>) {
    let n = |at| int(record, at);
    let sum = |range: std::ops::Range<usize>| range.map(n).sum::<i64>();
    assert_eq!(record.len(), [63, 62, 66][tape.index()]);
    assert_eq!((n(43), n(44)), (sum(23..33), sum(33..43)), "{record:?}");
    let change = |at: usize| before.map_or(0, |before| n(at) - int(before, at));
    assert_eq!((n(54), n(55)), (change(43), change(44)), "{record:?}");
    assert_eq!((n(47), n(50)), (0, -it.profile.base));
    assert_eq!(n(53), it.tally(tape).volume);
    for level in 1..10 {
        let (ask, bid) = (n(3 + level), n(13 + level));
        assert!(ask > n(2 + level) || ask == 0, "{record:?}");
        assert!(bid < n(12 + level) && bid > 0, "{record:?}");
        assert_eq!(ask == 0, n(23 + level) == 0, "{record:?}");
    }
    let middle = (n(3) + n(13)) / 2;
    assert!((n(3) + n(13)) % 2 == 1 || n(59) == middle, "{record:?}");
    assert!(n(60) > 0 || n(61) == 0, "{record:?}");
}

#[test]
fn widths_follow_the_layout() {
    let (mut market, position) = market("005930");
    let it = &mut market.instruments[position];
    let print = it.trade(false, &now());
    let mut widths = |layout| {
        let mut widths = Vec::new();
        let mut text = String::new();
        trade(&mut text, true, it, Tape::First, &print, &now(), layout);
        widths.push(fields(&text).len());
        for tape in [Tape::First, Tape::Nxt, Tape::All] {
            let record = it.book_record(tape, Broker::Kis);
            text.clear();
            book(&mut text, true, it, tape, &record, &now(), layout);
            widths.push(fields(&text).len());
        }
        text.clear();
        expected(&mut text, it, 277_500, 10, &now(), layout);
        widths.push(fields(&text).len());
        widths
    };
    assert_eq!(widths(Layout::Y2026), [47, 63, 62, 66, 46]);
    assert_eq!(widths(Layout::Y2025), [46, 62, 65, 65, 46]);
    assert_eq!(widths(Layout::Y2023), [46, 59, 65, 65, 45]);
}

#[test]
fn pinned_records() {
    let (mut market, position) = market("005930");
    let it = &mut market.instruments[position];
    it.trade(false, &now());
    let print = it.trade(false, &now());
    let mut text = String::new();
    trade(&mut text, true, it, Tape::First, &print, &now(), Layout::Y2026);
    assert_eq!(text, PINNED_TRADE);
    text.clear();
    let record = it.book_record(Tape::First, Broker::Kis);
    book(&mut text, true, it, Tape::First, &record, &now(), Layout::Y2026);
    assert_eq!(text, PINNED_BOOK);
    text.clear();
    status(&mut text, it, Tape::First, true);
    assert_eq!(text, "005930^N^(null)^^311^^^55^Y^N");
    text.clear();
    status(&mut text, it, Tape::All, false);
    assert_eq!(text, "005930^N^(null)^AB1^112^^^55^N^");
}

const PINNED_TRADE: &str = "005930^093005^278000^2^500^0.18^277635.37^278000^278000^278000^278000^277500^5^1385^384525000^0^1^1^0.00^0^5^1^0.01^0.01^093005^3^0^093005^3^0^093005^3^0^20261125^20^N^12^53^421^387^0.00^7636847^0.02^0^^278000^2";
const PINNED_BOOK: &str = "005930^093005^0^278000^278500^279000^279500^280000^280500^281000^281500^282000^282500^277500^277000^276500^276000^275500^275000^274500^274000^273500^273000^12^84^22^87^5^9^69^27^46^60^53^22^12^63^10^59^64^13^20^71^421^387^0^0^0^0^381842^-277500^5^-100.00^1385^0^0^0^0^0^277750^0^0^2";
