//! The prepared frames are read by the parser that reads the broker's.

use std::collections::HashMap;

use broker::feed::{FrameParser as _, Item};
use broker::kis::parse::KisParser;
use market::calendar::Calendar;
use market::{OrderBook, Trade};

use super::*;

// 2026-11-24 09:00:30 in Seoul.
const OPEN: i64 = 1_795_478_430_000_000_000;

fn registered(symbols: &[&str]) -> Vec<Registered> {
    let one = |tr_id: &str, symbol: &str| Registered { tr_id: tr_id.to_owned(), tr_key: symbol.to_owned() };
    symbols.iter().flat_map(|symbol| [one("H0STCNT0", symbol), one("H0STASP0", symbol)]).collect()
}

/// So many frames, as a parser of the wire understands them.
fn read(prepared: &mut Prepared, frames: u64) -> (Vec<Trade>, Vec<OrderBook>) {
    let mut parser = KisParser::new(Calendar::built_in().clone());
    let (mut trades, mut books, mut left) = (Vec::new(), Vec::new(), frames);
    while left > 0 {
        let batch = prepared.batch(left.min(100), &Clock::at(OPEN));
        left -= batch.trades + batch.books;
        for text in batch.texts().map(|text| text.expect("text")) {
            let mut items = Vec::new();
            let summary = parser.parse(text, OPEN, &mut items).unwrap_or_else(|_| panic!("{text}"));
            assert!(!summary.count_was_wrong && summary.extra_fields == 0, "{text}");
            match items.pop() {
                Some(Item::Trade(trade, None)) => trades.push(trade),
                Some(Item::OrderBook(book)) => books.push(book),
                other => panic!("{other:?}: {text}"),
            }
        }
    }
    (trades, books)
}

#[test]
fn every_frame_is_read_and_volumes_go_on_over_the_end_of_the_circle() {
    let mut prepared = Prepared::new(&registered(&["005930", "000660"]));
    let circle = u64::try_from(prepared.frames.len()).expect("small");
    assert!(circle % 6 == 0 && circle > 8_000, "{circle}");
    let (trades, books) = read(&mut prepared, 2 * circle + 60);
    assert_eq!((trades.len() as u64, books.len() as u64), ((2 * circle + 60) / 3, (2 * circle + 60) / 3 * 2));
    let mut last: HashMap<_, &Trade> = HashMap::new();
    for trade in &trades {
        if let Some(before) = last.insert(trade.at.symbol, trade) {
            let (volume, quantity) = (trade.cumulative_volume.units(), trade.quantity.units());
            assert_eq!(before.cumulative_volume.units() + quantity, volume);
            // Prices and values have four decimals.
            assert_eq!(
                trade.cumulative_value.units() - before.cumulative_value.units(),
                trade.price.units() * quantity
            );
        }
        assert_eq!(trade.at.exchange_ns, OPEN);
        assert_eq!(trade.price.units() % 500_000, 0, "not on the grid: {trade:?}");
    }
    assert_eq!(last.len(), 2);
    for book in &books {
        assert_eq!((book.asks.as_slice().len(), book.bids.as_slice().len()), (10, 10));
        let sum: i64 = book.asks.as_slice().iter().map(|level| level.quantity.units()).sum();
        assert_eq!(sum, book.total_ask_quantity.units());
    }
}

#[test]
fn a_book_tells_the_volume_of_the_last_print() {
    let mut prepared = Prepared::new(&registered(&["005930"]));
    let (trades, books) = read(&mut prepared, 30);
    for (index, book) in books.iter().enumerate() {
        assert_eq!(book.cumulative_volume, Some(trades[index / 2].cumulative_volume));
    }
}

#[test]
fn two_runs_send_the_same() {
    let once = || {
        let mut prepared = Prepared::new(&registered(&["005930", "0155E0"]));
        prepared.batch(1_000, &Clock::at(OPEN)).bytes.to_vec()
    };
    assert!(once() == once());
}

#[test]
fn the_clock_is_that_of_seoul() {
    let clock = Clock::at(OPEN + 9 * 3_600_000_000_000);
    assert_eq!((clock.date.as_str(), clock.time.as_str()), ("20261124", "180030"));
    assert_eq!(yyyymmdd(OPEN + 15 * 3_600_000_000_000), "20261125");
}

#[test]
fn nothing_registered_is_nothing_to_send() {
    let mut prepared = Prepared::new(&[]);
    assert!(prepared.batch(10, &Clock::at(OPEN)).bytes.is_empty());
}
