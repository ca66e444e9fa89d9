//! A book turns into the 163 FIDs of a 0D row, in the order of the official sample (kiwoom.md 5.3).

use super::row::Values;
use crate::clock::Moment;
use crate::market::book::{BookRecord, LEVELS};
use crate::market::instrument::Instrument;
use crate::market::tally::percent;
use crate::tr::Tape;

/// FIDs of both venues' books: ask sizes, bid sizes, their totals; KRX, then NXT.
const VENUES: [[i64; 4]; 2] = [[6044, 6054, 6064, 6065], [6066, 6076, 6086, 6087]];
/// First FID of the midpoint books, KRX and NXT.
const MIDDLES: [i64; 2] = [6100, 6105];
/// First FID of the midpoint prices against the previous close, KRX and NXT.
const MIDDLE_CHANGES: [i64; 2] = [6110, 6113];

/// Appends the FIDs of a book.
pub fn values(out: &mut String, it: &Instrument, tape: Tape, record: &BookRecord, now: &Moment) {
    let mut values = Values::new(out, it.profile.base);
    values.time(21, now.korea.time);
    levels(&mut values, record);
    let (asks, bids) = (record.sizes.ask_total(), record.sizes.bid_total());
    values.int(121, asks).signed(122, record.changes.ask_total());
    values.int(125, bids).signed(126, record.changes.bid_total());
    // Outside an auction: what the opening one gave.
    values.price(23, it.tally(tape).open.0).int(24, it.previous_volume / 40);
    values.signed(128, bids - asks).hundredths(129, percent(bids, asks));
    values.signed(138, asks - bids).hundredths(139, percent(asks, bids));
    values.text(200, "0").text(201, "0.00").text(238, "3");
    values.text(291, "0").text(292, "0").text(293, "3").text(294, "0").text(295, "0.00");
    for level in 0..10 {
        values.text(621 + level, "0").text(631 + level, "0");
    }
    values.int(13, it.tally(tape).volume).text(299, "-1.06").text(215, "").text(216, "");
    for (venue, fids) in VENUES.into_iter().enumerate() {
        venue_sizes(&mut values, it, venue, fids, tape == Tape::All);
    }
    let mut changes = [0; 2];
    for (venue, fid) in MIDDLES.into_iter().enumerate() {
        let shown = tape == Tape::All || tape.index() == venue;
        let (price, rests) = if shown { it.middle(venue) } else { Default::default() };
        let size = |side: i64| if rests.side == side { rests.size } else { 0 };
        values
            .text(fid, "0")
            .int(fid + 1, size(1))
            .price(fid + 2, price)
            .int(fid + 3, size(2))
            .text(fid + 4, "0");
        changes[venue] = if price == 0 { 0 } else { price - it.profile.base };
    }
    for (fid, change) in MIDDLE_CHANGES.into_iter().zip(changes) {
        values.signed(fid, change).text(fid + 1, crate::format::sign(change));
        values.signed_hundredths(fid + 2, percent(change, it.profile.base));
    }
}

/// Prices, sizes and changes, a level of each side in turn.
fn levels(values: &mut Values<'_>, record: &BookRecord) {
    for (level, fid) in (0..LEVELS).zip(0..) {
        let sides = [
            (record.ask_prices[level], record.sizes.asks[level], record.changes.asks[level]),
            (record.bid_prices[level], record.sizes.bids[level], record.changes.bids[level]),
        ];
        for ((price, size, change), side) in sides.into_iter().zip([0, 10]) {
            if price == 0 {
                // Both spellings occur.
                values.text(41 + side + fid, if level % 2 == 0 { "0" } else { "-0" });
            } else {
                values.price(41 + side + fid, price);
            }
            values.int(61 + side + fid, size).signed(81 + side + fid, change);
        }
    }
}

/// The sizes of one venue; zero unless both are shown together.
fn venue_sizes(values: &mut Values<'_>, it: &Instrument, venue: usize, fids: [i64; 4], shown: bool) {
    let tape = if venue == 0 { Tape::First } else { Tape::Nxt };
    let sizes = if shown { it.sizes(tape) } else { Default::default() };
    for (side, first) in [(sizes.asks, fids[0]), (sizes.bids, fids[1])] {
        for (size, fid) in side.into_iter().zip(first..) {
            values.int(fid, size);
        }
    }
    values.int(fids[2], sizes.ask_total()).int(fids[3], sizes.bid_total());
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::Value;

    use super::*;
    use crate::clock::Local;
    use crate::kiwoom::row;
    use crate::market::Market;
    use crate::tr::{Broker, Tr};

    fn made(code: &str, tr: Tr) -> (Value, String) {
        let mut market = Market::new(3, HashMap::new());
        let position = market.resolve(code, false).expect("instrument");
        let it = &mut market.instruments[position];
        let local = Local { date: 20_261_125, time: 90_003 };
        let now = Moment { unix: 1, korea: local, new_york: local };
        it.trade(false, &now);
        it.change_book(false, &now);
        let record = it.book_record(tr.tape(), Broker::Kiwoom);
        let mut out = String::new();
        row::open(&mut out, true);
        values(&mut out, it, tr.tape(), &record, &now);
        row::close(&mut out, tr, it);
        (serde_json::from_str(&out).expect("JSON"), out)
    }

    fn int(row: &Value, fid: i64) -> i64 {
        row["values"][fid.to_string()].as_str().expect("text").trim().parse().expect("a number")
    }

    fn sum(row: &Value, first: i64) -> i64 {
        (first..first + 10).map(|fid| int(row, fid)).sum()
    }

    #[test]
    fn a_book_has_the_163_fids_and_the_relations_of_the_official_sample() {
        let (row, out) = made("005930", Tr::KiwoomBook);
        assert_eq!(row["values"].as_object().map(serde_json::Map::len), Some(163));
        assert!(out.starts_with(r#"{"values":{"21":"090003","41":"#), "{out}");
        assert_eq!((int(&row, 121), int(&row, 125)), (sum(&row, 61), sum(&row, 71)));
        assert_eq!(int(&row, 128), int(&row, 125) - int(&row, 121));
        assert!(int(&row, 41).abs() > int(&row, 51).abs() && int(&row, 42).abs() > int(&row, 41).abs());
        assert_eq!((sum(&row, 6044), sum(&row, 6066)), (0, 0));
    }

    #[test]
    fn both_venues_stand_in_the_book_of_both() {
        let (row, _) = made("005930", Tr::KiwoomAllBook);
        assert_eq!(row["item"], "005930_AL");
        assert_eq!(int(&row, 61), int(&row, 6044) + int(&row, 6066));
        assert_eq!(int(&row, 121), int(&row, 6064) + int(&row, 6086));
    }

    #[test]
    fn levels_without_orders_have_no_price() {
        let (row, _) = made("396300", Tr::KiwoomBook);
        let texts =
            [47, 48, 49, 50].map(|fid| row["values"][fid.to_string()].as_str().expect("text").to_owned());
        assert_ne!(texts[0], "0");
        assert_eq!(texts[1..], ["-0", "0", "-0"]);
        assert_eq!(int(&row, 68), 0);
    }
}
