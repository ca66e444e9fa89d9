//! What is neither trade nor book: expected prices (0H), program trading (0w), the state of the session (0s)
//! (kiwoom.md 5.4). None of it enters the tape.

use super::row::Values;
use crate::clock::Moment;
use crate::format::sign;
use crate::market::instrument::Instrument;
use crate::market::random::Random;
use crate::market::tally::percent;
use crate::tr::{Kind, Tape, Tr};

/// Appends the FIDs of a row of `tr`; `again` alternates from one state of the session to the next.
pub fn values(out: &mut String, it: &Instrument, tr: Tr, random: &mut Random, again: bool, now: &Moment) {
    let base = it.profile.base;
    let (price, volume) = (it.bid, it.tally(Tape::First).volume);
    let mut values = Values::new(out, base);
    match tr.kind() {
        Kind::Expected => {
            values.time(20, now.korea.time).price(10, price).signed(11, price - base);
            values.signed_hundredths(12, percent(price - base, base)).signed(15, random.between(-9_999, -1));
            values.int(13, volume).text(25, sign(price - base));
        }
        Kind::Program => {
            let (sold, bought) = (volume / 5, random.between(1, volume / 4 + 1));
            let value = |shares: i64| shares.saturating_mul(price) / 1_000_000;
            values.time(20, now.korea.time).price(10, price).text(25, sign(price - base));
            values
                .signed(11, price - base)
                .signed_hundredths(12, percent(price - base, base))
                .int(13, volume);
            values.int(202, sold).int(204, value(sold)).int(206, bought).int(208, value(bought));
            values.int(210, bought - sold).int(212, value(bought) - value(sold));
            values.int(213, random.between(0, 99)).int(211, random.between(0, 99));
        }
        // The time is a nominal one, and the same state comes again and again.
        Kind::Status if again => _ = values.text(215, "3").text(20, "090000").text(214, "0"),
        Kind::Status => _ = values.text(215, "2").text(20, "152000").text(214, "000000"),
        Kind::Trade | Kind::Book | Kind::Silent => {}
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

    fn made(tr: Tr) -> Value {
        let mut market = Market::new(3, HashMap::new());
        let position = market.resolve("005930", false).expect("instrument");
        let it = &mut market.instruments[position];
        let local = Local { date: 20_261_125, time: 90_003 };
        let now = Moment { unix: 1, korea: local, new_york: local };
        it.trade(false, &now);
        let mut out = String::new();
        row::open(&mut out, true);
        values(&mut out, it, tr, &mut Random::new(1, "other"), true, &now);
        row::close(&mut out, tr, it);
        serde_json::from_str(&out).expect("JSON")
    }

    #[test]
    fn rows_have_the_fids_of_the_captures() {
        let fids = |row: &Value| row["values"].as_object().map(serde_json::Map::len);
        let expected = made(Tr::KiwoomExpected);
        assert_eq!((expected["type"].as_str(), fids(&expected)), (Some("0H"), Some(7)));
        let program = made(Tr::KiwoomProgram);
        assert_eq!((program["name"].as_str(), fids(&program)), (Some("종목별프로그램매매"), Some(14)));
        let int = |fid: &str| {
            program["values"][fid].as_str().and_then(|text| text.parse::<i64>().ok()).expect("number")
        };
        assert_eq!((int("210"), int("212")), (int("206") - int("202"), int("208") - int("204")));
        let session = made(Tr::KiwoomSession).to_string();
        let captured = r#"{"trnm":"REAL","data":[{"type":"0s","name":"장시작시간","item":"","values":{"20":"090000","214":"0","215":"3"}}]}"#;
        let captured: Value = serde_json::from_str(captured).expect("JSON");
        assert_eq!(serde_json::from_str::<Value>(&session).expect("JSON"), captured["data"][0]);
    }
}
