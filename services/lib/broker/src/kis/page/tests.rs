//! Pages as published, and as a broker in trouble sends them. No whole page of either call is public: names and first
//! values are those of published rows, the rows below follow from them.

use market::{Price, Quantity, Tape, TradeDate};

use super::*;

const KOREAN: &str = include_str!("../../../fixtures/kis/fhpst01060000.json");
const AMERICAN: &str = include_str!("../../../fixtures/kis/hhdfs76200300.json");

fn date(text: &str) -> TradeDate {
    TradeDate::parse(text).expect("date")
}

#[test]
fn a_body_is_checked_before_its_rows() {
    let day = date("20261124");
    let blocked = "\n<html><head><title>502</title></head></html>";
    assert!(matches!(trades_of_day(blocked, day), Err(BodyError::Html(text)) if text.starts_with("<html>")));
    for text in ["", "null", "[]", "Bad Gateway", r#"{"rt_cd":"0""#] {
        assert!(matches!(trades_of_day(text, day), Err(BodyError::Json(_))), "{text}");
    }
    // An error with an empty list is no end of the history.
    let limited =
        r#"{"rt_cd":"1","msg_cd":"EGW00201","msg1":"초당 거래건수를 초과하였습니다. ","output2":[]}"#;
    let expected = BodyError::Refused {
        code: "EGW00201".to_owned(),
        text: "초당 거래건수를 초과하였습니다.".to_owned(),
    };
    assert_eq!(trades_of_day(limited, day), Err(expected.clone()));
    assert_eq!(us_trades(limited, Tape::Us, day), Err(expected));
    assert!(matches!(trades_of_day("{}", day), Err(BodyError::Refused { code, .. }) if code.is_empty()));
    assert_eq!(trades_of_day(r#"{"rt_cd":"0","output":[]}"#, day), Err(BodyError::NoList));
    let none = Rows { rows: Vec::new(), refused: Vec::new(), ended: false };
    assert_eq!(trades_of_day(r#"{"rt_cd":"0","output1":{},"output2":[]}"#, day), Ok(none.clone()));
    let blank = r#"{"rt_cd":"0","output1":{},"output2":[{"stck_cntg_hour":"","acml_vol":"","cnqn":""}]}"#;
    assert_eq!(trades_of_day(blank, day), Ok(Rows { ended: true, ..none }));
}

#[test]
fn a_korean_trade_is_read_to_the_last_field() {
    let page = trades_of_day(KOREAN, date("20261124")).expect("page");
    assert_eq!((page.rows.len(), page.refused.len(), page.ended), (3, 0, false));
    assert_eq!(
        page.rows[0],
        TradeRow {
            // 14:11:59 in Seoul on 2026-11-24.
            exchange_ns: 1_795_497_119_000_000_000,
            price: Price::from_units(1_045_000_000),
            quantity: Quantity::from_units(20),
            cumulative_volume: Quantity::from_units(1_979_727),
            best_ask: Some(Price::from_units(1_050_000_000)),
            best_bid: Some(Price::from_units(1_045_000_000)),
        }
    );
    for pair in page.rows.windows(2) {
        assert_eq!(pair[0].cumulative_volume.checked_sub(pair[0].quantity), Some(pair[1].cumulative_volume));
    }
    // The name that the reference's tables have.
    let named = KOREAN.replace("\"stck_prpr\": \"104500\", \"askp\"", "\"stck_pbpr\": \"104500\", \"askp\"");
    assert_ne!(named, KOREAN);
    assert_eq!(trades_of_day(&named, date("20261124")).expect("page").rows, page.rows);
}

#[test]
fn a_us_trade_lies_in_the_evening_of_its_date_or_the_morning_after() {
    let page = us_trades(AMERICAN, Tape::Us, date("20261123")).expect("page");
    assert_eq!((page.rows.len(), page.refused.len()), (3, 0));
    assert_eq!(
        page.rows[0],
        TradeRow {
            // 00:15:02 in Seoul on 2026-11-24: 10:15:02 in New York on 2026-11-23.
            exchange_ns: 1_795_446_902_000_000_000,
            price: Price::from_units(1_697_850),
            quantity: Quantity::from_units(5),
            cumulative_volume: Quantity::from_units(108_464),
            best_ask: Some(Price::from_units(1_697_900)),
            best_bid: Some(Price::from_units(1_697_700)),
        }
    );
    // 23:59:58 in Seoul on 2026-11-23.
    assert_eq!(page.rows[2].exchange_ns, 1_795_445_998_000_000_000);
    // The day market's morning is that of the date itself.
    let day = us_trades(AMERICAN, Tape::Day, date("20261124")).expect("page");
    assert_eq!(day.rows[0].exchange_ns, 1_795_446_902_000_000_000);
}

#[test]
fn a_bad_row_aborts_nothing() {
    for (from, to, name) in [
        (r#""stck_cntg_hour": "141159""#, r#""stck_cntg_hour": "146159""#, "stck_cntg_hour"),
        (r#""stck_prpr": "104500", "askp""#, r#""stck_prpr": "", "askp""#, "stck_prpr"),
        (r#""stck_prpr": "104500", "askp""#, r#""stck_prpr": "0", "askp""#, "stck_prpr"),
        (r#""cnqn": "20""#, r#""cnqn": "0""#, "cnqn"),
        (r#""cnqn": "20""#, r#""cnqn": "1979728""#, "acml_vol"),
        (r#""cnqn": "20""#, r#""other": "20""#, "row"),
        (r#""askp": "105000""#, r#""askp": "x""#, "askp"),
    ] {
        let body = KOREAN.replacen(from, to, 1);
        assert_ne!(body, KOREAN, "{from}");
        let page = trades_of_day(&body, date("20261124")).expect("page");
        assert_eq!((page.rows.len(), page.refused.len()), (2, 1), "{to}");
        assert_eq!((page.refused[0].index, page.refused[0].name), (0, name), "{to}");
    }
    let body = AMERICAN.replacen(r#""evol": "5""#, r#""evol": "-5""#, 1);
    let page = us_trades(&body, Tape::Us, date("20261123")).expect("page");
    assert_eq!((page.rows.len(), page.refused[0].name), (2, "evol"));
}

#[test]
fn a_page_is_known_by_its_first_row_and_may_tell_a_key() {
    assert_eq!(Call::of(KOREAN), Some(Call::TradesOfDay));
    assert_eq!(Call::of(AMERICAN), Some(Call::UsTrades));
    for body in ["", "<html>", "{}", r#"{"output2":[]}"#, r#"{"output2":[{"evol":"1","eamt":"2"}]}"#] {
        assert_eq!(Call::of(body), None, "{body}");
    }
    let key = |text: &str| NextKey::Key(text.to_owned());
    for (body, told) in [
        (AMERICAN, NextKey::Untold),
        ("<html>", NextKey::Untold),
        (r#"{"rt_cd":"0","keyb":" 20261124001502 ","output2":[]}"#, key("20261124001502")),
        (r#"{"output1":{"rsym":"DNASAAPL","KEYB":"k"}}"#, key("k")),
        (r#"{"output1":[],"keyb":""}"#, NextKey::Last),
    ] {
        assert_eq!(next_key(body), told, "{body}");
    }
}
