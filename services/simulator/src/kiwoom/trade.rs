//! A print turns into the 43 FIDs of a 0B row, in the order of the captures (kiwoom.md 5.2).

use super::row::Values;
use crate::clock::Moment;
use crate::format::{push_int, sign};
use crate::market::instrument::Instrument;
use crate::market::tally::{Print, Side, percent};
use crate::tr::Tape;

const MILLION: i64 = 1_000_000;

/// Appends the FIDs of a trade that the instrument has just made; `nxt`: on NXT.
pub fn values(out: &mut String, it: &Instrument, tape: Tape, nxt: bool, print: &Print, now: &Moment) {
    let (base, price, tally) = (it.profile.base, print.price, it.tally(tape));
    let mut values = Values::new(out, base);
    values.time(20, now.korea.time).price(10, price).signed(11, price - base);
    values.signed_hundredths(12, percent(price - base, base)).price(27, it.ask).price(28, it.bid);
    values.text(15, &signed_quantity(print)).int(13, tally.volume).int(14, tally.value / MILLION);
    values.price(16, tally.open.0).price(17, tally.high.0).price(18, tally.low.0);
    values.text(25, limit_sign(it, price)).signed(26, tally.volume - it.previous_volume);
    values.signed(29, tally.value - it.previous_volume.saturating_mul(base));
    values.against(30, percent(tally.volume, it.previous_volume), 10_000);
    values.hundredths(31, percent(tally.volume, it.listed)).int(32, parts(price, 2_305));
    values.hundredths(228, percent(tally.buy_volume, tally.sell_volume));
    values
        .int(311, it.listed.saturating_mul(price) / (100 * MILLION))
        .text(290, it.session.kiwoom)
        .text(691, "0");
    values.text(567, "000000").text(568, "000000");
    // As captured a number without a point; its unit is not known.
    values.int(851, percent(tally.volume, it.previous_volume / 2));
    // 1891 has no sensible hour in the captures.
    values.time(1890, tally.open.1).time(1891, tally.high.1 % 30_000).time(1892, tally.low.1);
    values.int(1030, tally.sell_volume).int(1031, tally.buy_volume);
    values.against(1032, percent(tally.buy_volume, tally.buy_volume + tally.sell_volume), 5_000);
    values.int(1071, tally.sells).int(1072, tally.buys);
    let (sold, bought) = match print.side {
        Side::Buy => (0, print.quantity),
        Side::Sell => (print.quantity, 0),
        Side::None => (0, 0),
    };
    values.signed(1313, (bought - sold).saturating_mul(price) / 1_000);
    padded_zero(&mut values, 1315, -sold);
    padded_zero(&mut values, 1316, bought);
    values.signed(1314, bought - sold).int(1497, price * 2 / 5).int(1498, price * 8 / 25);
    values
        .int(620, tally.value / tally.volume.max(1))
        .int(732, parts(price, 5_018))
        .int(852, parts(price, 4_013));
    values.text(
        9081,
        match (tape, nxt) {
            (Tape::First, _) => "KRX",
            (Tape::Nxt, _) => "NXT",
            (Tape::All, false) => "1",
            (Tape::All, true) => "2",
        },
    );
}

/// A zero has a space before it in the captures.
fn padded_zero(values: &mut Values<'_>, fid: i64, value: i64) {
    if value == 0 {
        values.text(fid, " 0")
    } else {
        values.signed(fid, value)
    };
}

/// So many millionths of a price, rounded.
fn parts(price: i64, millionths: i64) -> i64 {
    (price * millionths + MILLION / 2) / MILLION
}

/// The quantity with the aggressor's sign; none in an auction.
#[must_use]
pub fn signed_quantity(print: &Print) -> String {
    let mut text = String::with_capacity(20);
    match print.side {
        Side::Buy => text.push('+'),
        Side::Sell => text.push('-'),
        Side::None => {}
    }
    push_int(&mut text, print.quantity);
    text
}

/// 1 and 4 at the limits of 30 %, else the sign of the change.
#[must_use]
pub fn limit_sign(it: &Instrument, price: i64) -> &'static str {
    let limit = |percent: i64| it.profile.grid.floor(it.profile.base * percent / 100);
    if price == limit(130) {
        "1"
    } else if price == limit(70) {
        "4"
    } else {
        sign(price - it.profile.base)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::Value;

    use super::*;
    use crate::clock::Local;
    use crate::kiwoom::row;
    use crate::market::Market;
    use crate::tr::Tr;

    const FIDS: &str = "20 10 11 12 27 28 15 13 14 16 17 18 25 26 29 30 31 32 228 311 290 691 567 568 851 1890 1891 \
                        1892 1030 1031 1032 1071 1072 1313 1315 1316 1314 1497 1498 620 732 852 9081";

    #[test]
    fn every_row_has_the_43_fids_in_order_and_their_relations() {
        let mut market = Market::new(3, HashMap::new());
        let position = market.resolve("005930", false).expect("instrument");
        let it = &mut market.instruments[position];
        let local = Local { date: 20_261_125, time: 90_003 };
        let now = Moment { unix: 1, korea: local, new_york: local };
        let mut before = None;
        for n in 0..500 {
            let print = it.trade(false, &now);
            let mut out = String::new();
            row::open(&mut out, true);
            values(&mut out, it, Tape::First, false, &print, &now);
            row::close(&mut out, Tr::KiwoomTrade, it);
            let fids: Vec<&str> = out.split('"').skip(3).step_by(4).take(43).collect();
            assert_eq!(fids.join(" "), FIDS, "{out}");
            let row: Value = serde_json::from_str(&out).expect("JSON");
            let text = |fid: &str| row["values"][fid].as_str().expect("text");
            let int = |fid: &str| text(fid).trim().parse::<i64>().expect("a number");
            assert_eq!((row["type"].as_str(), row["item"].as_str()), (Some("0B"), Some("005930")));
            assert_eq!((text("20"), text("9081"), int("10").abs() - int("11")), ("090003", "KRX", 277_500));
            let quantity = int("15").abs();
            assert!(before.is_none_or(|before| int("13") - quantity == before), "{out}");
            assert_eq!(text("15").starts_with(['+', '-']), n > 0, "only the auction has no sign");
            assert_eq!(int("13") - int("26"), it.previous_volume);
            assert_eq!(int("14"), it.tally(Tape::First).value / 1_000_000);
            before = Some(int("13"));
        }
    }
}
