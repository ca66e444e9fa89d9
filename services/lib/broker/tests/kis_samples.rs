//! Every published KIS frame parses or is refused for the documented reason, and the arithmetic that ties the
//! fields together holds on all of them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

use broker::feed::{FrameParser, Item, Refusal};
use broker::kis::parse::KisParser;
use market::calendar::Calendar;
use market::{AggressorSide, OrderBook, Price, Session, Tape, Trade};

/// 2026-09-22T05:06:12Z, a minute after the newest book.
const RECEIVED: i64 = 1_790_053_572_000_000_000;

fn parse(text: &str) -> Result<Vec<Item>, Refusal> {
    let mut items = Vec::new();
    KisParser::new(Calendar::built_in().clone()).parse(text, RECEIVED, &mut items).map(|_| items)
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty())
}

fn trades(text: &'static str) -> Vec<(Trade, Vec<&'static str>)> {
    let mut all = Vec::new();
    for line in lines(text) {
        let items = parse(line).expect("frame");
        let fields: Vec<_> = line.splitn(4, '|').last().expect("payload").split('^').collect();
        for (item, record) in items.iter().zip(fields.chunks(fields.len() / items.len())) {
            match item {
                Item::Trade(trade, _) => all.push((*trade, record.to_vec())),
                other => panic!("{other:?}"),
            }
        }
    }
    all
}

fn books(text: &'static str) -> Vec<OrderBook> {
    let read = |item: &Item| match item {
        Item::OrderBook(book) => *book,
        other => panic!("{other:?}"),
    };
    lines(text).flat_map(|line| parse(line).expect("frame").iter().map(read).collect::<Vec<_>>()).collect()
}

fn whole(text: &str) -> i64 {
    text.parse().expect("whole number")
}

const KR_46: &str = include_str!("../fixtures/kis/h0stcnt0_46.txt");
const KR_47: &str = include_str!("../fixtures/kis/h0stcnt0_47.txt");
const US: &str = include_str!("../fixtures/kis/hdfscnt0_26.txt");

#[test]
fn korean_trades_hold_the_relations_of_their_fields() {
    let mut trades_46 = trades(KR_46);
    let trades_47 = trades(KR_47);
    assert_eq!((trades_46.len(), trades_47.len()), (29, 3));
    trades_46.extend(trades_47);
    for (trade, fields) in &trades_46 {
        assert_eq!(whole(fields[17]), whole(fields[16]) - whole(fields[15]));
        for (difference, other) in [(26, 7), (29, 8), (32, 9)] {
            assert_eq!(whole(fields[difference]), whole(fields[2]) - whole(fields[other]));
        }
        assert!(whole(fields[19]) + whole(fields[20]) <= trade.cumulative_volume.units());
        assert_eq!(trade.price.units(), whole(fields[2]) * 10_000);
        assert_eq!(trade.quantity.units(), whole(fields[12]));
        assert_eq!(trade.cumulative_volume.units(), whole(fields[13]));
        assert_eq!(trade.at.tape, Tape::Krx);
    }
}

#[test]
fn records_of_one_frame_chain_by_cumulative_volume() {
    let mut chained = 0;
    for line in lines(KR_46).chain(lines(US)) {
        let items = parse(line).expect("frame");
        for pair in items.windows(2) {
            let (Item::Trade(before, _), Item::Trade(after, _)) = (&pair[0], &pair[1]) else {
                panic!("{pair:?}")
            };
            let grown = after.cumulative_volume.units() - before.cumulative_volume.units();
            assert_eq!(grown, after.quantity.units());
            if after.at.tape == Tape::Krx {
                let value = after.cumulative_value.units() - before.cumulative_value.units();
                assert_eq!(value, after.price.units() * after.quantity.units());
            }
            chained += 1;
        }
    }
    assert_eq!(chained, 12);
}

#[test]
fn a_trade_of_the_first_day_with_47_fields_is_read_to_the_last_one() {
    let (trade, _) = trades(KR_47)[0];
    assert_eq!(trade.at.symbol.as_str(), "005930");
    assert_eq!(trade.at.trade_date.to_string(), "2026-09-14");
    // 15:07:46 in Seoul.
    assert_eq!(trade.at.exchange_ns, 1_789_366_066_000_000_000);
    assert_eq!(trade.price, Price::parse("249250").expect("price"));
    assert_eq!((trade.quantity.units(), trade.cumulative_volume.units()), (1, 14_871_538));
    assert_eq!(trade.cumulative_value.to_string(), "3728926343750");
    assert_eq!(trade.aggressor_side, AggressorSide::Sell);
    assert_eq!((trade.best_ask, trade.best_bid), (Price::parse("249500").ok(), Price::parse("249000").ok()));
    assert_eq!((trade.session, trade.session_codes.as_str()), (Session::Continuous, "20|0||2"));
    assert!(!trade.halted);
}

#[test]
fn korean_books_sum_to_their_totals() {
    let all: Vec<_> = [
        include_str!("../fixtures/kis/h0stasp0_59.txt"),
        include_str!("../fixtures/kis/h0stasp0_62.txt"),
        include_str!("../fixtures/kis/h0stasp0_63.txt"),
    ]
    .into_iter()
    .flat_map(books)
    .collect();
    assert_eq!(all.len(), 9);
    for book in &all {
        let sum = |levels: &market::Levels| {
            levels.as_slice().iter().map(|level| level.quantity.units()).sum::<i64>()
        };
        assert_eq!(sum(&book.asks), book.total_ask_quantity.units());
        assert_eq!(sum(&book.bids), book.total_bid_quantity.units());
        assert!(book.asks.as_slice().windows(2).all(|pair| pair[0].price < pair[1].price));
        assert!(book.bids.as_slice().windows(2).all(|pair| pair[0].price > pair[1].price));
        assert!(book.cumulative_volume.is_some_and(|volume| !volume.is_zero()));
        assert_eq!(book.expected_price, None);
    }
    let newest = all[8];
    // 14:06:10 on the day it was received, which is the day it was captured.
    assert_eq!(newest.at.exchange_ns, 1_790_053_570_000_000_000);
    assert_eq!(newest.at.trade_date.to_string(), "2026-09-22");
    assert_eq!(
        (newest.asks.best().expect("ask").quantity.units(), newest.session_codes.as_str()),
        (47_584, "0|2")
    );
}

#[test]
fn us_trades_name_tape_time_and_side() {
    let all = trades(US);
    assert_eq!(all.len(), 11);
    for (trade, fields) in &all {
        assert_eq!(fields.len(), 26);
        assert_eq!(format!("{}", trade.at.symbol), fields[1]);
        assert_eq!((trade.at.tape, trade.aggressor_side), (Tape::Us, AggressorSide::Unspecified));
        assert!(whole(fields[22]) + whole(fields[23]) <= trade.cumulative_volume.units());
    }
    let first = all[0].0;
    // 22:19:12 in Seoul, 09:19:12 in New York.
    assert_eq!(first.at.exchange_ns, 1_683_033_552_000_000_000);
    assert_eq!((first.price.to_string().as_str(), first.quantity.units()), ("169.785", 1));
    let Item::Trade(second, Some(after)) = parse(US.lines().next().expect("line")).expect("frame")[1].clone()
    else {
        panic!("no side volumes");
    };
    let Item::Trade(_, Some(before)) = parse(US.lines().next().expect("line")).expect("frame")[0].clone()
    else {
        panic!("no side volumes");
    };
    assert_eq!(after.aggressor_side(&before, second.quantity), AggressorSide::Buy);
}

#[test]
fn us_books_sum_to_their_totals() {
    let all = books(include_str!("../fixtures/kis/hdfsasp0_71.txt"));
    assert_eq!(all.iter().map(|book| book.at.tape).collect::<Vec<_>>(), [Tape::Us, Tape::Day]);
    for book in &all {
        let sum = |levels: &market::Levels| {
            levels.as_slice().iter().map(|level| level.quantity.units()).sum::<i64>()
        };
        assert_eq!(sum(&book.asks), book.total_ask_quantity.units());
        assert_eq!(sum(&book.bids), book.total_bid_quantity.units());
        assert_eq!((book.asks.as_slice().len(), book.bids.as_slice().len()), (10, 10));
        assert_eq!(book.cumulative_volume, None);
    }
    assert_eq!(all[0].bids.best().expect("bid").price.to_string(), "752.14");
    assert_eq!(all[0].at.trade_date.to_string(), "2026-07-10");
    // 20:22 in New York on the 6th belongs to the session of the 7th.
    assert_eq!(all[1].at.trade_date.to_string(), "2024-05-07");
}

#[test]
fn expected_prices_and_market_status_are_no_trades() {
    let expected = include_str!("../fixtures/kis/h0stanc0_45.txt");
    assert_eq!(
        lines(expected).map(|l| parse(l).expect("frame")).collect::<Vec<_>>(),
        [[Item::Apart("expected_price")]]
    );
    for line in lines(include_str!("../fixtures/kis/mko.txt")) {
        assert_eq!(parse(line).expect("frame"), [Item::Apart("market_status")]);
    }
    for line in lines(include_str!("../fixtures/kis/other_domestic.txt")) {
        assert_eq!(parse(line).expect_err("refused").reason, "unknown_tr");
    }
}

#[test]
fn a_bad_record_is_refused_alone_with_its_field() {
    let line = KR_46.lines().nth(5).expect("line of four records");
    let second = line.find("^000100^").expect("second record");
    let (head, tail) = line.split_at(second + 1);
    for (from, to, part) in
        [("^20240507^", "^20241399^", "BSOP_DATE"), ("^N^", "^X^", "TRHT_YN"), ("^N^", "^(null)^", "TRHT_YN")]
    {
        let text = format!("{head}{}", tail.replacen(from, to, 1));
        let items = parse(&text).expect("frame");
        let refused: Vec<_> =
            items.iter().enumerate().filter(|(_, i)| matches!(i, Item::Refused(_))).collect();
        assert_eq!((items.len(), refused.len(), refused[0].0), (4, 1, 1));
        let Item::Refused(refusal) = refused[0].1 else { panic!("not refused") };
        assert!(refusal.detail.contains(part), "{}", refusal.detail);
        assert_eq!(
            refusal.instrument.map(|(tape, symbol)| (tape, symbol.to_string())),
            Some((Tape::Krx, "000100".into()))
        );
        assert!(refusal.raw.as_ref().is_some_and(|raw| raw.starts_with("000100^")));
    }
}

#[test]
fn fields_that_make_a_trade_impossible_are_named() {
    let line = KR_46.lines().next().expect("line");
    let fields: Vec<_> = line.split('^').collect();
    for (index, text, part) in [
        (2, "0", "without a price"),
        (2, "-59700", "negative"),
        (2, "59700.00001", "too many decimals"),
        (12, "", "empty number"),
        (12, "1.5", "too many decimals"),
        (12, "99999999999", "below the quantity"),
        (13, "(null)", "not a number"),
        (14, "9999999999999999999", "too large"),
        (21, "7", "unknown side"),
    ] {
        let mut changed = fields.clone();
        changed[index] = text;
        let items = parse(&changed.join("^")).expect("frame");
        let [Item::Refused(refusal)] = items.as_slice() else { panic!("{items:?}") };
        assert!(refusal.detail.contains(part), "{}", refusal.detail);
    }
    for (index, text) in [(2, "+59700"), (21, "")] {
        let mut changed = fields.clone();
        changed[index] = text;
        assert!(matches!(parse(&changed.join("^")).expect("frame").as_slice(), [Item::Trade(..)]), "{text}");
    }
}

#[test]
fn a_book_that_lost_a_field_in_the_middle_is_refused() {
    let line = include_str!("../fixtures/kis/h0stasp0_63.txt").lines().next().expect("line");
    let fields: Vec<_> = line.split('^').collect();
    for lost in [3, 20, 43, 50] {
        let mut changed = fields.clone();
        changed.remove(lost);
        let items = parse(&changed.join("^")).expect("62 fields are a width of its own");
        assert!(matches!(items.as_slice(), [Item::Refused(_)]), "field {lost}: {items:?}");
    }
}

#[test]
fn a_symbol_of_eight_bytes_is_a_symbol() {
    let line = KR_46.lines().next().expect("line").replacen("005930^", "0059301A^", 1);
    let items = parse(&line).expect("frame");
    let [Item::Trade(trade, None)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!(trade.at.symbol.as_str(), "0059301A");
}
