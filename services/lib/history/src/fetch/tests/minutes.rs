//! ka10080.

use super::*;

/// Bars: `YYYYMMDDHHMMSS`, quantity, cumulative volume or none. Newest first.
fn bars(rows: &[(&str, i64, Option<i64>)]) -> String {
    let row = |(moment, quantity, volume): &(&str, i64, Option<i64>)| {
        serde_json::json!({
            "cntr_tm": moment, "cur_prc": "-70000", "trde_qty": quantity.to_string(),
            "acc_trde_qty": volume.map_or(String::new(), |volume| volume.to_string()),
        })
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    serde_json::json!({"stk_min_pole_chart_qry": rows, "return_code": 0, "return_msg": ""}).to_string()
}

fn bar(clock: &str, quantity: i64, volume: Option<i64>) -> MinuteBar {
    MinuteBar { start_ns: at(clock), quantity: shares(quantity), cumulative_volume: volume.map(shares) }
}

#[tokio::test]
async fn a_days_bars_are_told_apart_from_other_days() {
    let first = bars(&[("20261125090000", 9, Some(9)), ("20261124153000", 5, Some(30))]);
    let second = bars(&[
        ("20261124153000", 5, Some(30)),
        ("20261124090100", 20, None),
        ("20261124090000", 5, Some(5)),
        ("20261123195900", 1, Some(77)),
    ]);
    let table = Table::of(&[(&first, Some("k1")), (&second, Some("k2"))]);
    let minutes = minutes(&table, samsung(), Tape::Nxt, day()).await.expect("pages");
    assert_eq!(
        minutes.bars,
        [bar("090000", 5, Some(5)), bar("090100", 20, None), bar("153000", 5, Some(30))]
    );
    assert_eq!((minutes.pages, minutes.returned, minutes.blank), (2, 6, false));
    assert_eq!(minutes.volume(), Some(shares(30)));
    let parameters = serde_json::json!({
        "stk_cd": "005930_NX", "tic_scope": "1", "upd_stkpc_tp": "0", "base_dt": "20261124",
    });
    let asked = |key: Option<&str>| ("ka10080".to_owned(), parameters.clone(), key.map(ToOwned::to_owned));
    assert_eq!(table.asked(), [asked(None), asked(Some("k1"))]);
}

#[tokio::test]
async fn broken_pages_of_minutes_are_errors() {
    let page = bars(&[("20261124090100", 20, Some(25)), ("20261124090000", 5, Some(5))]);
    let other = bars(&[("20261124085900", 2, Some(2))]);
    let changed = bars(&[("20261124090000", 6, Some(5))]);
    let empty = r#"{"stk_min_pole_chart_qry":[],"return_code":0}"#;
    let start = at("090000");
    for (pages, problem) in [
        (vec![(page.as_str(), Some("k1")), (page.as_str(), None)], Paging::SamePage),
        (vec![(page.as_str(), Some("k1")), (other.as_str(), Some("k1"))], Paging::SameKey),
        (vec![(page.as_str(), Some("k1")), (empty, None)], Paging::EmptyPage),
        (
            vec![(page.as_str(), Some("k1")), (changed.as_str(), None)],
            Paging::NotFalling { before: start, after: start },
        ),
    ] {
        let error = minutes(&Table::of(&pages), samsung(), Tape::Krx, day()).await.expect_err("broken");
        assert_eq!(broken(&error), problem);
    }
    let html = Table::of(&[("<html>", None)]);
    let error = minutes(&html, samsung(), Tape::Krx, day()).await.expect_err("html");
    assert!(matches!(error.problem, Problem::Unreadable(_)));
    let error = error.resume(&html).await.expect_err("begins anew elsewhere");
    assert!(matches!(error.problem, Problem::Unreadable(_)));
}

#[tokio::test]
async fn a_day_out_of_range_is_blank() {
    let table = Table::of(&[(&blank("stk_min_pole_chart_qry"), None)]);
    let minutes = minutes(&table, samsung(), Tape::Krx, day()).await.expect("page");
    assert_eq!((minutes.blank, minutes.bars.len(), minutes.volume()), (true, 0, None));
}
