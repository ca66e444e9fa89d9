//! US records: trades (`HDFSCNT0`, 26 fields, RSYM first) and books (`HDFSASP0`, 71 fields). Field lists: kis.md
//! 6.2 and 6.3.

use super::{Fields, sign};
use crate::clock::Moment;
use crate::market::book::{BookRecord, LEVELS};
use crate::market::catalog::Listing;
use crate::market::instrument::Instrument;
use crate::market::tally::{Print, percent};
use crate::tr::Tape;

/// Price units of one dollar.
pub const DOLLAR: i64 = 10_000;

/// The business date of a US feed: New York's, for the Korean daytime market Korea's.
#[must_use]
pub fn business_date(it: &Instrument, now: &Moment) -> u32 {
    if it.listing == Listing::UsDay { now.korea.date } else { now.new_york.date }
}

/// Appends the record of a trade that the instrument has just made.
pub fn trade(out: &mut String, first: bool, it: &Instrument, print: &Print, now: &Moment) {
    let mut fields = Fields::new(out, first);
    let tally = it.tally(Tape::First);
    let sizes = it.sizes(Tape::First);
    let change = print.price - it.profile.base;
    fields.text(&it.key).text(&it.code).text("4").date(business_date(it, now));
    local_times(&mut fields, now);
    fields.price4(tally.open.0).price4(tally.high.0).price4(tally.low.0).price4(print.price);
    fields.text(sign(change)).price4(change.abs());
    signed_percent(&mut fields, percent(change, it.profile.base));
    fields.price4(it.bid).price4(it.ask).int(sizes.bids[0]).int(sizes.asks[0]);
    fields.int(print.quantity).int(tally.volume).int(tally.value / DOLLAR);
    fields.int(tally.sell_volume).int(tally.buy_volume);
    fields.hundredths(percent(tally.buy_volume, tally.sell_volume)).text(session(now.new_york.time));
}

fn local_times(fields: &mut Fields<'_>, now: &Moment) {
    fields.date(now.new_york.date).time(now.new_york.time).date(now.korea.date).time(now.korea.time);
}

/// `+0.11`, `0.00`, `-1.25`.
fn signed_percent(fields: &mut Fields<'_>, hundredths: i64) {
    let mut text = String::with_capacity(8);
    if hundredths > 0 {
        text.push('+');
    }
    super::push_decimal(&mut text, hundredths, 2);
    fields.text(&text);
}

/// MTYP as captured: 1 before the open, 2 in the regular session; 3 after it by the documents.
fn session(new_york_time: u32) -> &'static str {
    match new_york_time {
        ..93_000 => "1",
        93_000..160_000 => "2",
        _ => "3",
    }
}

/// Appends a book record.
pub fn book(out: &mut String, first: bool, it: &Instrument, record: &BookRecord, now: &Moment) {
    let mut fields = Fields::new(out, first);
    let (sizes, changes) = (&record.sizes, &record.changes);
    fields.text(&it.key).text(&it.code).text("4");
    local_times(&mut fields, now);
    fields.int(sizes.bid_total()).int(sizes.ask_total());
    fields.int(changes.bid_total()).int(changes.ask_total());
    for level in 0..LEVELS {
        fields.price4(record.bid_prices[level]).price4(record.ask_prices[level]);
        fields.int(sizes.bids[level]).int(sizes.asks[level]);
        fields.int(changes.bids[level]).int(changes.asks[level]);
    }
}

#[cfg(test)]
#[path = "us_tests.rs"]
mod tests;
