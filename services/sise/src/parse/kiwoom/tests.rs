//! Messages and pages as a person hands them in, and what is said of each.

use super::*;

/// 16:52:09 in Seoul on 2026-07-20, a second after the documented print.
const RECEIVED: i64 = 1_784_533_929_000_000_000;

fn printed(text: &str) -> Vec<Value> {
    let mut reader = Kiwoom::new(RECEIVED, TradeDate::parse("20260819").expect("date"));
    let lines = text.lines().enumerate();
    let mut values: Vec<_> = lines.flat_map(|(index, text)| reader.line(text, index + 1)).collect();
    values.extend(reader.end());
    values
}

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../../lib/broker/fixtures/kiwoom/", $name))
    };
}

#[test]
fn frames_and_pages_are_read_from_one_stream() {
    let text = [
        fixture!("0b_official.txt"),
        fixture!("ka10079_official.json"),
        "not JSON\n",
        fixture!("0d_official.txt"),
        fixture!("ka10084_official.json"),
    ]
    .concat();
    let values = printed(&text);
    let kinds: Vec<_> = values.iter().map(|value| value["kind"].as_str().unwrap_or("refused")).collect();
    assert_eq!(kinds, ["trade", "ka10079", "ka10079", "refused", "order_book", "ka10084", "ka10084"]);
    assert_eq!(
        (&values[0]["source"], &values[0]["cumulative_volume"]),
        (&json!("kiwoom"), &json!(30_379_732))
    );
    // The page begins in line 2 and has 28 lines.
    assert_eq!((&values[1]["line"], &values[3]["line"]), (&json!(2), &json!(30)));
    assert_eq!(values[3]["refused"], "not_object");
    assert_eq!(values[5]["exchange_time"], "2026-08-19 11:27:11 KST");
}

#[test]
fn control_messages_tell_what_they_ask_and_no_token() {
    let values = printed(fixture!("control.txt"));
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or("-").to_owned();
    let told: Vec<_> = values
        .iter()
        .map(|value| ["what", "asked", "verdict", "code"].map(|name| text(value, name)).join(" "))
        .collect();
    assert_eq!(
        told,
        [
            "answer Login Ok 0",
            "answer Register Ok 0",
            "answer Remove Ok 0",
            "ping - - -",
            "system - - R10001",
            "answer Unnamed NotLoggedIn 100013",
        ]
    );
    let secret = r#"{"token":"WORD","token_type":"bearer","expires_dt":"20261124000000","return_code":0,"return_msg":"x"}
{"trnm":"LOGIN","token":"WORD"}"#;
    let values = printed(secret);
    assert_eq!((&values[0]["what"], &values[1]["what"]), (&json!("answer"), &json!("unknown")));
    assert!(values.iter().all(|value| !value.to_string().contains("WORD")));
}

#[test]
fn what_is_cut_harms_no_other() {
    let trade = fixture!("0b_official.txt");
    let page = fixture!("ka10079_official.json");
    let text = format!("{}\n{}\n{trade}", &trade[..100], &page[..300]);
    let values = printed(&text);
    let refused: Vec<_> = values.iter().map(|value| value["refused"].as_str()).collect();
    assert_eq!(refused, [Some("json"), Some("json"), None]);
    assert_eq!((&values[2]["kind"], &values[2]["line"]), (&json!("trade"), &Value::Null));
}

#[test]
fn rows_errors_and_ends_are_told() {
    let row = printed(r#"{"type":"0B","item":"005930_AL","values":{"10":"+258500"}}"#);
    assert_eq!(
        (&row[0]["refused"], &row[0]["detail"]),
        (&json!("field"), &json!("0B field 20 time: missing"))
    );
    let dead = printed(fixture!("rest_error_http200_8005.json"));
    assert_eq!((dead.len(), &dead[0]["verdict"], &dead[0]["code"]), (1, &json!("TokenDead"), &json!("8005")));
    let ended = printed(r#"{"stk_tic_chart_qry":[{"cur_prc":"","cntr_tm":""}],"return_code":0}"#);
    assert_eq!(ended, [json!({"line": 1, "kind": "ka10079", "ended": true})]);
    let html = printed("<html>Request Blocked</html>");
    assert!(html[0]["detail"].as_str().expect("detail").contains("HTML"));
    let bad = printed(&fixture!("ka10079_official.json").replacen(r#""143""#, r#""x""#, 1));
    assert_eq!((bad.len(), &bad[1]["refused"], &bad[1]["record"]), (2, &json!("row"), &json!(0)));
}
