//! A US order book: `HDFSASP0`, a head of 11 fields and 6 a level, one record to one [`OrderBook`].
//!
//! ```text
//! DAMSSPY^SPY^4^20260710^105334^20260710^235334^1621^1950^-1200^-735^752.1400^752.1700^60^145^35^60^…
//! ```
//! Captured 2026-07-10: 10 levels, 71 fields. Old documents show one level (17). Level k starts at `11 + 6(k-1)` with
//! bid price, ask price, bid size, ask size, and the changes of both sizes. No trading day, no cumulative volume.
//!
//! Any other number of levels, and one to five fields beyond the ten (all records of this broker have only ever grown at
//! their end), is taken only if BVOL and AVOL are the sums of the levels, as in every capture; else the record was cut, or
//! a field stands where it does not belong, and it is refused.

use market::calendar::SessionClock;
use market::{At, Codes, Level, Levels, OrderBook, Quantity};

use super::field::Fields;
use super::tr::{US_BOOK_HEAD as HEAD, US_BOOK_LEVEL as LEVEL};
use super::us;
use crate::field::FieldError;

/// Reads one record; the trade date is the calendar's.
///
/// # Errors
/// [`FieldError`] with the field that is not what belongs there.
pub fn parse(fields: &Fields<'_>, clock: &mut SessionClock) -> Result<OrderBook, FieldError> {
    let (tape, symbol) = us::instrument(fields)?;
    let exchange_ns = us::exchange_ns(fields, 5, 6)?;
    let stamp = clock.stamp(tape, exchange_ns);
    let width = fields.record.width();
    let count = width.saturating_sub(HEAD) / LEVEL;
    let (mut asks, mut bids) = ([Level::default(); Levels::MAX], [Level::default(); Levels::MAX]);
    for (index, (ask, bid)) in asks.iter_mut().zip(&mut bids).take(count).enumerate() {
        let first = HEAD + LEVEL * index;
        *bid = Level { price: fields.price(first, "PBID")?, quantity: fields.quantity(first + 2, "VBID")? };
        *ask =
            Level { price: fields.price(first + 1, "PASK")?, quantity: fields.quantity(first + 3, "VASK")? };
    }
    let (bid_total, ask_total) = (fields.quantity(7, "BVOL")?, fields.quantity(8, "AVOL")?);
    if width != HEAD + LEVEL * Levels::MAX && width != HEAD + LEVEL {
        for (levels, total, index, name) in [(&bids, bid_total, 7, "BVOL"), (&asks, ask_total, 8, "AVOL")] {
            if sum(levels) != Some(total) {
                let problem =
                    format!("{total} is not the sum of the levels, and the record has {width} fields");
                return Err(fields.wrong(index, name, problem));
            }
        }
    }
    let side =
        |levels| Levels::collect(levels).ok_or_else(|| fields.wrong(HEAD, "PBID", "more than ten levels"));
    Ok(OrderBook {
        at: At { tape, symbol, trade_date: stamp.trade_date, exchange_ns },
        asks: side(asks)?,
        bids: side(bids)?,
        total_ask_quantity: ask_total,
        total_bid_quantity: bid_total,
        expected_price: None,
        expected_quantity: Quantity::ZERO,
        cumulative_volume: None,
        session: stamp.session,
        session_codes: Codes::default(),
    })
}

/// Nothing when it is too large to be a quantity.
fn sum(levels: &[Level]) -> Option<Quantity> {
    levels.iter().try_fold(Quantity::ZERO, |sum, level| sum.checked_add(level.quantity))
}

#[cfg(test)]
mod tests {
    use market::calendar::Calendar;

    use crate::feed::{FrameParser as _, Item, Refusal, Summary};
    use crate::kis::parse::KisParser;

    const BOOKS: &str = include_str!("../../fixtures/kis/hdfsasp0_71.txt");
    const NOW: i64 = 1_783_695_234_000_000_000;

    fn parse(text: &str) -> Result<(Summary, Vec<Item>), Refusal> {
        let mut items = Vec::new();
        let summary = KisParser::new(Calendar::built_in().clone()).parse(text, NOW, &mut items)?;
        Ok((summary, items))
    }

    #[test]
    fn fields_added_at_the_end_change_no_level() {
        for line in BOOKS.lines() {
            let (known, book) = parse(line).expect("frame");
            assert_eq!((known.width, known.extra_fields), (71, 0));
            for (more, extra) in [("^0", 1), ("^", 1), ("^a^b^c^d^e", 5)] {
                let (summary, grown) = parse(&format!("{line}{more}")).expect("frame");
                assert_eq!((summary.width, summary.extra_fields), (71 + extra, extra));
                assert_eq!(grown, book, "{more}");
            }
            assert_eq!(parse(&format!("{line}^1^2^3^4^5^6")).expect_err("eleven levels").reason, "width");
        }
        let both: Vec<&str> = BOOKS.lines().filter_map(|line| line.splitn(4, '|').last()).collect();
        let (summary, items) = parse(&format!("0|HDFSASP0|002|{}^7^{}^7", both[0], both[1])).expect("frame");
        assert_eq!((summary.records, summary.extra_fields, items.len()), (2, 1, 2));
        assert!(items.iter().all(|item| matches!(item, Item::OrderBook(_))));
    }

    #[test]
    fn a_record_that_was_cut_is_refused() {
        let line = BOOKS.lines().next().expect("line");
        // One level is a form of its own. Of the last field, which nobody reads, nothing is missed.
        let (one, all) = (line.match_indices('^').nth(15).expect("field").0, line.rfind('^').expect("field"));
        let (one_ends, mut taken) = (line.match_indices('^').nth(16).expect("field").0, Vec::new());
        for cut in 0..line.len() {
            let is_book = |items: &[Item]| items.iter().any(|item| matches!(item, Item::OrderBook(_)));
            if parse(&line[..cut]).is_ok_and(|(_, items)| is_book(&items)) {
                taken.push(cut);
            }
        }
        let expected = |cut: &usize| (one..=one_ends).contains(cut) || *cut > all;
        assert!(
            !taken.is_empty() && taken.iter().all(expected),
            "{taken:?} beside {one}..={one_ends}, {all}.."
        );
    }

    #[test]
    fn a_field_in_between_is_refused() {
        let line = BOOKS.lines().next().expect("line");
        let fields: Vec<&str> = line.split('^').collect();
        // Behind the last size of the last level nothing is read: a field there does no harm.
        for at in 2..69 {
            let text = [&fields[..at], &["1"], &fields[at..]].concat().join("^");
            let refused = match parse(&text) {
                Ok((_, items)) => matches!(items.as_slice(), [Item::Refused(_)]),
                Err(_) => true,
            };
            assert!(refused, "a field before {at}");
        }
    }
}
