//! Events as JSON lines, from the market's own values and never from the frame's text; schema in [`crate::tape`].

use super::{push_int, push_padded, us};
use crate::clock::Moment;
use crate::kiwoom::item;
use crate::market::book::BookRecord;
use crate::market::catalog::Listing;
use crate::market::instrument::Instrument;
use crate::market::tally::{Print, Side};
use crate::tr::{Broker, Tape, Tr};

/// Kiwoom sends cumulative values in million won.
const MILLION: i64 = 1_000_000;

/// Appends a trade that the instrument has just made, without the closing brace.
pub fn trade(out: &mut String, it: &Instrument, tr: Tr, print: &Print, now: &Moment) {
    let korean = matches!(it.listing, Listing::Korea { .. });
    let tally = it.tally(tr.tape());
    head(out, "trade", it, tr, now);
    out.push_str(",\"price\":\"");
    push_price(out, print.price, korean);
    out.push_str("\",\"quantity\":");
    push_int(out, print.quantity);
    out.push_str(match print.side {
        Side::Buy => ",\"aggressor_side\":\"buy\",\"cumulative_volume\":",
        Side::Sell => ",\"aggressor_side\":\"sell\",\"cumulative_volume\":",
        Side::None => ",\"aggressor_side\":\"none\",\"cumulative_volume\":",
    });
    push_int(out, tally.volume);
    out.push_str(",\"cumulative_value\":\"");
    push_int(
        out,
        match tr.broker() {
            Broker::Kiwoom => tally.value / MILLION * MILLION,
            Broker::Kis if korean => tally.value,
            Broker::Kis => tally.value / us::DOLLAR,
        },
    );
    out.push_str("\",\"best_ask\":\"");
    push_price(out, it.ask, korean);
    out.push_str("\",\"best_bid\":\"");
    push_price(out, it.bid, korean);
    out.push('"');
}

/// Appends a book, without the closing brace; levels without a price are left out.
pub fn book(out: &mut String, it: &Instrument, tr: Tr, record: &BookRecord, now: &Moment) {
    let korean = matches!(it.listing, Listing::Korea { .. });
    head(out, "order_book", it, tr, now);
    out.push_str(",\"asks\":");
    push_levels(out, &record.ask_prices, &record.sizes.asks, korean);
    out.push_str(",\"bids\":");
    push_levels(out, &record.bid_prices, &record.sizes.bids, korean);
    out.push_str(",\"total_ask_quantity\":");
    push_int(out, record.sizes.ask_total());
    out.push_str(",\"total_bid_quantity\":");
    push_int(out, record.sizes.bid_total());
    out.push_str(",\"cumulative_volume\":");
    if korean {
        push_int(out, it.tally(tr.tape()).volume);
    } else {
        out.push_str("null");
    }
}

fn head(out: &mut String, kind: &str, it: &Instrument, tr: Tr, now: &Moment) {
    let (source, symbol) = match tr.broker() {
        Broker::Kis => ("kis", it.code.as_str()),
        Broker::Kiwoom => ("kiwoom", item::bare(it)),
    };
    let (market, tape) = match (it.listing, tr.tape()) {
        (Listing::Korea { .. }, Tape::First) => ("kr", "krx"),
        (Listing::Korea { .. }, Tape::Nxt) => ("kr", "nxt"),
        (Listing::Korea { .. }, Tape::All) => ("kr", "all"),
        (Listing::Us, _) => ("us", "us"),
        (Listing::UsDay, _) => ("us", "day"),
    };
    let date = if market == "kr" { now.korea.date } else { us::business_date(it, now) };
    for part in ["{\"kind\":\"", kind, "\",\"source\":\"", source, "\",\"market\":\"", market] {
        out.push_str(part);
    }
    for part in ["\",\"tape\":\"", tape, "\",\"symbol\":\"", symbol, "\",\"trade_date\":\""] {
        out.push_str(part);
    }
    push_padded(out, date, 8);
    out.push_str("\",\"exchange_ns\":");
    push_int(out, now.unix);
    out.push_str("000000000");
}

fn push_levels(out: &mut String, prices: &[i64], sizes: &[i64], korean: bool) {
    out.push('[');
    let mut separator = "[\"";
    for (&price, &size) in prices.iter().zip(sizes).filter(|(price, _)| **price != 0) {
        out.push_str(separator);
        push_price(out, price, korean);
        out.push_str("\",");
        push_int(out, size);
        out.push(']');
        separator = ",[\"";
    }
    out.push(']');
}

/// Won as they are; dollars as decimal text without trailing zeros.
fn push_price(out: &mut String, price: i64, korean: bool) {
    push_int(out, if korean { price } else { price / us::DOLLAR });
    let fraction = price % us::DOLLAR;
    if korean || fraction == 0 {
        return;
    }
    out.push('.');
    let mut digits = u32::try_from(fraction).unwrap_or(0);
    let mut width = 4;
    while digits % 10 == 0 {
        digits /= 10;
        width -= 1;
    }
    push_padded(out, digits, width);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_without_trailing_zeros() {
        let text = |price, korean| {
            let mut out = String::new();
            push_price(&mut out, price, korean);
            out
        };
        assert_eq!(text(1_697_850, false), "169.785");
        assert_eq!(text(1_690_000, false), "169");
        assert_eq!(text(1_690_001, false), "169.0001");
        assert_eq!(text(1_690_500, false), "169.05");
        assert_eq!(text(70_000, true), "70000");
    }
}
