//! Korean records: trades (`H0STCNT0`, `H0NXCNT0`, `H0UNCNT0`), books (`…ASP0`), expected prices (`H0STANC0`) and
//! market operation (`…MKO0`). Field lists: kis.md 5.1 to 5.3.

use super::{Fields, sign};
use crate::clock::Moment;
use crate::config::Layout;
use crate::market::book::BookRecord;
use crate::market::instrument::Instrument;
use crate::market::tally::{Print, Side, percent};
use crate::tr::Tape;

/// Share of the previous day's volume that was reached at this time; the same all day for want of a yesterday.
const PREVIOUS_AT_THIS_TIME: i64 = 2;

/// Appends the record of a trade that the instrument has just made.
pub fn trade(
    out: &mut String,
    first: bool,
    it: &Instrument,
    tape: Tape,
    print: &Print,
    now: &Moment,
    layout: Layout,
) {
    let mut fields = Fields::new(out, first);
    let tally = it.tally(tape);
    let sizes = it.sizes(tape);
    let change = print.price - it.profile.base;
    fields.text(&it.code).time(now.korea.time).int(print.price);
    fields.text(limit_sign(it, print.price)).int(change).hundredths(percent(change, it.profile.base));
    fields.hundredths(average(tally.value, tally.volume));
    fields.int(tally.open.0).int(tally.high.0).int(tally.low.0).int(it.ask).int(it.bid);
    fields.int(print.quantity).int(tally.volume).int(tally.value);
    fields.int(tally.sells).int(tally.buys).int(tally.buys - tally.sells);
    fields.hundredths(percent(tally.buy_volume, tally.sell_volume));
    fields.int(tally.sell_volume).int(tally.buy_volume);
    fields.text(match print.side {
        Side::Buy => "1",
        Side::Sell => "5",
        Side::None => "",
    });
    // In all captures the floor of the ratio plus 0.01.
    fields.hundredths(tally.buy_volume * 100 / tally.volume.max(1) + 1);
    fields.hundredths(percent(tally.volume, it.previous_volume));
    for (price, time) in [tally.open, tally.high, tally.low] {
        fields.time(time).text(sign(print.price - price)).int(print.price - price);
    }
    fields.date(now.korea.date).text(it.session.operation).text("N");
    fields.int(sizes.asks[0]).int(sizes.bids[0]).int(sizes.ask_total()).int(sizes.bid_total());
    fields.hundredths(percent(tally.volume, it.listed));
    let previous = it.previous_volume / PREVIOUS_AT_THIS_TIME;
    fields.int(previous).hundredths(percent(tally.volume, previous));
    fields.text("0").text("").int(tally.open.0);
    if layout.has_market_class() {
        fields.text(it.session.class);
    }
}

/// 1 and 4 at the limits of 30 %, else the sign of the change.
fn limit_sign(it: &Instrument, price: i64) -> &'static str {
    let limit = |percent: i64| it.profile.grid.floor(it.profile.base * percent / 100);
    if price == limit(130) {
        "1"
    } else if price == limit(70) {
        "4"
    } else {
        sign(price - it.profile.base)
    }
}

/// Value over volume in hundredths.
fn average(value: i64, volume: i64) -> i64 {
    let hundredths = i128::from(value) * 100 / i128::from(volume.max(1));
    i64::try_from(hundredths).unwrap_or(0)
}

/// Appends a book record.
pub fn book(
    out: &mut String,
    first: bool,
    it: &Instrument,
    tape: Tape,
    record: &BookRecord,
    now: &Moment,
    layout: Layout,
) {
    let mut fields = Fields::new(out, first);
    let sizes = &record.sizes;
    fields.text(&it.code).time(now.korea.time).text("0");
    fields.ints(&record.ask_prices).ints(&record.bid_prices).ints(&sizes.asks).ints(&sizes.bids);
    fields.int(sizes.ask_total()).int(sizes.bid_total()).text("0").text("0");
    // No auction: expected price 0, its change minus the previous close, as captured.
    fields.text("0").text("0").int(it.previous_volume / 40).int(-it.profile.base).text("5").text("-100.00");
    fields.int(it.tally(tape).volume);
    fields.int(record.changes.ask_total()).int(record.changes.bid_total()).text("0").text("0").text("0");
    let mut middle = |venue: usize| {
        let (price, rests) = it.middle(venue);
        fields.int(price).int(rests.size).int(rests.side);
    };
    match (tape, layout) {
        (Tape::First, Layout::Y2023) => {}
        (Tape::First, _) => middle(0),
        (Tape::Nxt, Layout::Y2026) => middle(1),
        (Tape::Nxt | Tape::All, _) => {
            middle(0);
            middle(1);
        }
    }
    if layout.has_market_class() {
        match tape {
            Tape::First => _ = fields.text("2"),
            Tape::All => _ = fields.text("1"),
            Tape::Nxt => {}
        }
    }
}

/// Appends an expected price of the opening auction. It is no trade: nothing of it enters the tape.
pub fn expected(out: &mut String, it: &Instrument, price: i64, quantity: i64, now: &Moment, layout: Layout) {
    let mut fields = Fields::new(out, true);
    let change = price - it.profile.base;
    fields.text(&it.code).time(now.korea.time).int(price).text(sign(change)).int(change);
    fields.hundredths(percent(change, it.profile.base)).text("0.00").text("0").text("0").text("0");
    fields.int(it.ask).int(it.bid).int(quantity).int(quantity).int(quantity * price);
    fields.ints(&[0, 0, 0]).text("0.00").ints(&[0, 0]).text("1").text("0.01").text("0.00");
    for _ in 0..3 {
        fields.text("000000").text("3").text("0");
    }
    let sizes = it.sizes(Tape::First);
    fields.date(now.korea.date).text("00").text("N");
    fields.int(sizes.asks[0]).int(sizes.bids[0]).int(sizes.ask_total()).int(sizes.bid_total());
    fields.text("0.00").text("0").text("0.00").text("B").text("");
    if layout != Layout::Y2023 {
        fields.int(it.profile.base);
    }
}

/// Appends a market operation record: a volatility interruption begins (`on`) or ends.
pub fn status(out: &mut String, it: &Instrument, tape: Tape, on: bool) {
    let mut fields = Fields::new(out, true);
    let (phase, interrupted) = if on { ("311", "Y") } else { ("112", "N") };
    let class = if tape == Tape::All { "AB1" } else { "" };
    fields.text(&it.code).text("N").text("(null)").text(class).text(phase).text("").text("").text("55");
    fields.text(interrupted).text(if tape == Tape::All { "" } else { "N" });
}

#[cfg(test)]
#[path = "kr_tests.rs"]
mod tests;
