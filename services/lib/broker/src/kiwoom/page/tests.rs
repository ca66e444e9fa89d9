//! Pages as published and as a broker in trouble sends them.

use market::{AggressorSide, Price, Quantity, Tape, TradeDate, Value};

use super::*;

const TICKS: &str = include_str!("../../../fixtures/kiwoom/ka10079_official.json");
const DAY: &str = include_str!("../../../fixtures/kiwoom/ka10084_006360_20260819_rows_001_050.json");

fn date() -> TradeDate {
    TradeDate::parse("20260819").expect("date")
}

#[test]
fn a_body_is_checked_before_its_rows() {
    let blocked = "\n<html><head><title>Request Blocked</title></head></html>";
    assert!(matches!(tick_chart(blocked), Err(BodyError::Html(text)) if text.starts_with("<html>")));
    for text in ["", "null", "[]", "Bad Gateway", r#"{"return_code":0"#] {
        assert!(matches!(tick_chart(text), Err(BodyError::Json(_))), "{text}");
    }
    let refused = |body: &str| match tick_chart(body) {
        Err(BodyError::Refused { verdict, .. }) => verdict,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(include_str!("../../../fixtures/kiwoom/rest_error_http200_8005.json")),
        Verdict::TokenDead
    );
    // An empty list and an error is no end of the history.
    assert_eq!(
        refused(r#"{"stk_tic_chart_qry":[],"return_code":1,"return_msg":"[1999:x]"}"#),
        Verdict::ServerTrouble
    );
    for none in [r#"{"stk_tic_chart_qry":[]}"#, r#"{"return_code":"x"}"#, r#"{"return_code":0.0}"#] {
        assert_eq!(refused(none), Verdict::Unknown, "{none}");
    }
    assert_eq!(tick_chart(r#"{"return_code":0,"cntr_infr":[]}"#), Err(BodyError::NoList("ka10079")));
}

#[test]
fn a_row_of_empty_texts_is_the_end_and_no_error() {
    let blank = r#"{"cur_prc":"","trde_qty":"","cntr_tm":"","open_pric":""}"#;
    let body = |rows: &str| format!(r#"{{"stk_tic_chart_qry":[{rows}],"return_code":0,"return_msg":""}}"#);
    let ended = Rows { rows: Vec::new(), refused: Vec::new(), ended: true };
    assert_eq!(tick_chart(&body(blank)), Ok(ended.clone()));
    assert_eq!(tick_chart(&body("")), Ok(Rows { ended: false, ..ended.clone() }));
    assert_eq!(tick_chart(r#"{"return_code":20,"return_msg":"RC9000"}"#), Ok(ended));
    let row = r#"{"cur_prc":"78900","trde_qty":"143","cntr_tm":"20250917131939"}"#;
    let both = tick_chart(&body(&format!("{row},{blank}"))).expect("page");
    assert_eq!((both.rows.len(), both.refused.len(), both.ended), (1, 0, true));
    // `{}` is no row of empty texts.
    assert_eq!(tick_chart(&body("{}")).expect("page").refused.len(), 1);
}

#[test]
fn a_bad_row_aborts_nothing() {
    for (from, to, name) in [
        (r#""cntr_tm": "20250917131939""#, r#""cntr_tm": "20250917888888""#, "cntr_tm"),
        (r#""cntr_tm": "20250917131939""#, r#""cntr_tm": "20250917999999""#, "cntr_tm"),
        (r#""cntr_tm": "20250917131939""#, r#""cntr_tm": "131939""#, "cntr_tm"),
        (r#""cur_prc": "78900""#, r#""cur_prc": "-0""#, "cur_prc"),
        (r#""trde_qty": "143""#, r#""trde_qty": "0""#, "trde_qty"),
        (r#""trde_qty": "143""#, r#""trde_qty": "x""#, "trde_qty"),
        (r#""trde_qty": "143","#, "", "row"),
    ] {
        let page = tick_chart(&TICKS.replacen(from, to, 1)).expect("page");
        assert_eq!((page.rows.len(), page.refused.len()), (1, 1), "{to}");
        assert_eq!((page.refused[0].index, page.refused[0].name), (0, name), "{to}");
        assert_eq!(page.rows[0].quantity.units(), 200);
    }
    for (from, to, name) in [
        (r#""stex_tp": "KRX""#, r#""stex_tp": "SOR""#, "stex_tp"),
        (r#""tm": "155950""#, r#""tm": "888888""#, "tm"),
        (r#""cntr_trde_qty": "-129""#, r#""cntr_trde_qty": "+-129""#, "cntr_trde_qty"),
        (r#""cntr_trde_qty": "-129""#, r#""cntr_trde_qty": "-2837599""#, "acc_trde_qty"),
        (r#""cur_prc": "+34950""#, r#""cur_prc": "0""#, "cur_prc"),
    ] {
        let page = trades_of_day(&DAY.replacen(from, to, 1), date()).expect("page");
        assert_eq!((page.rows.len(), page.refused[0].index, page.refused[0].name), (49, 0, name), "{to}");
    }
}

#[test]
fn a_page_is_known_by_its_list() {
    for call in Call::ALL {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/kiwoom");
        let body = std::fs::read_to_string(format!("{folder}/{}_official.json", call.id())).expect("fixture");
        assert_eq!(Call::of(&body), Some(call));
    }
    assert_eq!(Call::of("{}"), None);
    assert_eq!(Call::of("<html>"), None);
}

#[test]
fn a_trade_of_a_day_is_read_to_the_last_field() {
    let page = trades_of_day(DAY, date()).expect("page");
    assert_eq!((page.rows.len(), page.refused.len(), page.ended), (50, 0, false));
    assert_eq!(
        page.rows[0],
        TradeRow {
            // 15:59:50 in Seoul on 2026-08-19.
            exchange_ns: 1_787_122_790_000_000_000,
            price: Price::from_units(349_500_000),
            quantity: Quantity::from_units(129),
            aggressor_side: AggressorSide::Sell,
            cumulative_volume: Quantity::from_units(2_837_598),
            cumulative_value: Some(Value::from_units(980_360_000_000_000)),
            cumulative_value_step: Value::from_units(10_000_000_000),
            best_ask: Some(Price::from_units(350_000_000)),
            best_bid: Some(Price::from_units(349_500_000)),
            tape: Some(Tape::Krx),
        }
    );
    let combined = trades_of_day(&DAY.replace("KRX", "통합"), date()).expect("page");
    assert_eq!(combined.rows[49].tape, Some(Tape::All));
}

#[test]
fn charts_need_three_fields_only() {
    let early = tick_chart(include_str!("../../../fixtures/kiwoom/ka10079_early_2025.json")).expect("page");
    assert_eq!(early.rows.iter().map(|row| row.quantity.units()).collect::<Vec<_>>(), [1, 10, 10]);
    let official = tick_chart(TICKS).expect("page").rows;
    // 13:19:39 in Seoul on 2025-09-17.
    assert_eq!(
        (official[0].exchange_ns, official[0].trade_date.yyyymmdd()),
        (1_758_082_779_000_000_000, 20_250_917)
    );
    let row = include_str!("../../../fixtures/kiwoom/ka10080_row_20250507.json");
    let body = format!(r#"{{"stk_min_pole_chart_qry":[{row}],"return_code":0}}"#);
    let bar = minute_chart(&body).expect("page").rows[0];
    assert_eq!((bar.close.to_string().as_str(), bar.quantity.units()), ("54600", 2_587_959));
    assert_eq!((bar.open, bar.cumulative_volume), (None, None));
}

#[test]
fn symbols_tell_where_they_trade() {
    let body = include_str!("../../../fixtures/kiwoom/ka10099_official.json");
    let page = symbols(&body.replacen(r#""nxtEnable": "Y""#, r#""nxtEnable": "N""#, 1)).expect("page");
    assert_eq!((page.rows.len(), page.refused.len()), (5, 0));
    let first = &page.rows[0];
    assert_eq!(
        (first.symbol.as_str(), first.name.as_str(), first.market_code.as_str()),
        ("005930", "삼성전자", "10")
    );
    assert_eq!(first.listed_shares, Some(Quantity::from_units(123_759_593)));
    assert_eq!(first.listed_on.map(TradeDate::yyyymmdd), Some(20_091_204));
    assert_eq!(first.last_price.map(|price| price.to_string()).as_deref(), Some("197"));
    assert_eq!((first.on_nxt, page.rows[1].on_nxt), (false, true));
}
