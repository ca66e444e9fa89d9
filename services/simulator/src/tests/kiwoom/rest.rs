//! REST: keys, tokens, the filter, limits, and the pages of the prints that were streamed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::support::Simulator;
use super::support::{Client, call, int, post, text, token};

#[tokio::test]
async fn wrong_keys_and_dead_tokens_are_refused_with_their_codes() {
    let simulator = Simulator::start("rate = 1").await;
    let keys = |grant: &str, key: &str, secret: &str| json!({ "grant_type": grant, "appkey": key, "secretkey": secret });
    for (body, code) in [
        (keys("", "demo-app-key", "demo-app-secret"), "8012"),
        (keys("client_credentials", "x", "demo-app-secret"), "8001"),
        (keys("client_credentials", "demo-app-key", ""), "8002"),
    ] {
        let answer = post(&simulator, "/oauth2/token", &[], &body).await;
        assert_eq!((answer.status, answer.codes()), (200, (3, code.to_owned())), "{body}");
    }
    let good = keys("client_credentials", "demo-app-key", "demo-app-secret");
    let body = post(&simulator, "/oauth2/token", &[], &good).await.json();
    assert_eq!((body["return_code"].as_i64(), body["token_type"].as_str()), (Some(0), Some("Bearer")));
    assert_eq!(body["expires_dt"].as_str().map(str::len), Some(14));
    let old = body["token"].as_str().expect("token").to_owned();
    let new = token(&simulator, "demo").await;
    let stocks = json!({ "mrkt_tp": "0" });
    let dead = call(&simulator, &old, "ka10099", &stocks, "").await;
    assert_eq!((dead.status, dead.codes()), (200, (3, "8005".to_owned())));
    assert_eq!(call(&simulator, &new, "ka10099", &stocks, "").await.codes().0, 0);
    let mut revoke = good.clone();
    revoke["token"] = new.as_str().into();
    assert_eq!(post(&simulator, "/oauth2/revoke", &[], &revoke).await.codes().0, 0);
    assert_eq!(call(&simulator, &new, "ka10099", &stocks, "").await.codes().1, "8005");
    simulator.end().await;
}

#[tokio::test]
async fn the_filter_answers_html_to_agents_of_libraries() {
    let simulator = Simulator::start("rate = 1").await;
    for agent in ["", "python-requests/2.32.3", "Python/3.11 aiohttp/3.9.1"] {
        let answer = post(&simulator, "/oauth2/token", &[("user-agent", agent)], &json!({})).await;
        assert_eq!((answer.status, answer.text.contains("Request Blocked")), (400, true), "{agent}");
    }
    simulator.end().await;
}

/// Starts, streams trades of 005930 on two tapes and stops.
async fn streamed(lines: &str, count: usize) -> (Simulator, Vec<Value>, String) {
    let simulator = Simulator::start(lines).await;
    let mut client = Client::login(&simulator, "demo").await;
    assert_eq!(client.change("REG", &["005930", "005930_NX"], &["0B"]).await, 0);
    client.receive(count).await;
    // This client alone is sent anything: it has everything when it has as much as was written.
    let written = simulator.stop_events().await["events"].as_u64().expect("events");
    client.receive(usize::try_from(written).expect("small")).await;
    assert_eq!(client.rows.len() as u64, written);
    (simulator, client.rows, client.token)
}

/// All rows of all pages, newest first, with the number of rows of each page.
async fn all(
    simulator: &Simulator,
    token: &str,
    tr: &str,
    body: &Value,
    list: &str,
) -> (Vec<Value>, Vec<usize>) {
    let (mut rows, mut sizes, mut next_key) = (Vec::new(), Vec::new(), String::new());
    loop {
        let answer = call(simulator, token, tr, body, &next_key).await;
        let page = answer.json()[list].as_array().expect("rows").clone();
        sizes.push(page.len());
        rows.extend(page);
        if answer.more == "N" {
            assert_eq!(answer.next_key, "");
            return (rows, sizes);
        }
        assert!(answer.next_key.starts_with("A005930"), "{}", answer.next_key);
        next_key = answer.next_key;
    }
}

#[tokio::test]
async fn pages_hold_the_prints_that_were_streamed() {
    let (simulator, rows, token) =
        streamed("rate = 5000\nbooks_per_trade = 0\nkiwoom_requests_per_second = 1000", 2_500).await;
    let krx: Vec<&Value> = rows.iter().filter(|row| row["item"] == "005930").collect();
    let ticks = json!({ "stk_cd": "005930", "tic_scope": "1", "upd_stkpc_tp": "0" });
    let (chart, sizes) = all(&simulator, &token, "ka10079", &ticks, "stk_tic_chart_qry").await;
    assert_eq!((chart.len(), sizes[0]), (krx.len(), 900));
    for (tick, row) in chart.iter().zip(krx.iter().rev()) {
        let number = |name: &str| tick[name].as_str().and_then(|text| text.parse::<i64>().ok());
        assert_eq!(number("cur_prc"), Some(int(row, "10").abs()));
        assert_eq!(number("trde_qty"), Some(int(row, "15").abs()));
        assert!(tick["cntr_tm"].as_str().is_some_and(|time| time.ends_with(text(row, "20"))), "{tick}");
    }

    let today = json!({ "stk_cd": "005930_NX", "tdy_pred": "1", "tic_min": "0", "tm": "" });
    let (day, sizes) = all(&simulator, &token, "ka10084", &today, "tdy_pred_cntr").await;
    let nxt: Vec<&Value> = rows.iter().filter(|row| row["item"] == "005930_NX").collect();
    assert_eq!((day.len(), sizes[0]), (nxt.len(), 100));
    for (print, row) in day.iter().zip(nxt.iter().rev()) {
        let shown =
            ["tm", "cur_prc", "pred_pre", "cntr_trde_qty", "acc_trde_qty", "acc_trde_prica", "cntr_str"];
        let texts = shown.map(|name| print[name].as_str());
        assert_eq!(texts, ["20", "10", "11", "15", "13", "14", "228"].map(|fid| Some(text(row, fid))));
        assert_eq!((print["stex_tp"].as_str(), text(row, "9081")), (Some("NXT"), "NXT"));
    }
    let answer = call(&simulator, &token, "ka10084", &today, "").await.json();
    assert_eq!((answer["returnCode"].as_i64(), answer.get("return_code")), (Some(0), None));

    let last = call(&simulator, &token, "ka10003", &json!({ "stk_cd": "005930" }), "").await;
    let prints = last.json()["cntr_infr"].as_array().expect("rows").clone();
    assert_eq!((prints.len(), last.more.as_str()), (30, "N"));
    assert_eq!(prints[0]["acc_trde_qty"].as_str(), krx.last().map(|row| text(row, "13")));
    simulator.end().await;
}

#[tokio::test]
async fn minutes_add_up_to_the_prints() {
    let (simulator, rows, token) = streamed("rate = 1000\nbooks_per_trade = 0", 300).await;
    let body = json!({ "stk_cd": "005930", "tic_scope": "1", "upd_stkpc_tp": "0" });
    let answer = call(&simulator, &token, "ka10080", &body, "").await;
    let bars = answer.json()["stk_min_pole_chart_qry"].as_array().expect("rows").clone();
    let mut minutes: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row["item"] == "005930") {
        let bar = minutes.entry(text(row, "20")[..4].to_owned()).or_default();
        *bar = (bar.0 + int(row, "15").abs(), int(row, "13"));
    }
    assert_eq!(bars.len(), minutes.len());
    for (bar, (minute, (quantity, volume))) in bars.iter().rev().zip(minutes) {
        assert_eq!(&bar["cntr_tm"].as_str().expect("time")[8..], format!("{minute}00"));
        assert_eq!(bar["trde_qty"], quantity.to_string());
        assert_eq!(bar["acc_trde_qty"], volume.to_string());
    }
    simulator.end().await;
}

#[tokio::test]
async fn what_is_wrong_or_too_much_has_its_code() {
    let (simulator, _, token) = streamed("rate = 1000", 20).await;
    let ticks = |code: &str| json!({ "stk_cd": code, "tic_scope": "1", "upd_stkpc_tp": "0" });
    let blank = call(&simulator, &token, "ka10079", &ticks("123456"), "").await;
    let rows = blank.json()["stk_tic_chart_qry"].clone();
    assert_eq!((rows.as_array().map(Vec::len), rows[0]["cntr_tm"].as_str()), (Some(1), Some("")));
    assert_eq!((blank.codes().0, blank.more.as_str()), (0, "N"));
    let many = vec!["005930"; 101].join("|");
    for (code, detail) in [("5930", "1902"), (many.as_str(), "1634"), ("", "1511")] {
        assert_eq!(call(&simulator, &token, "ka10079", &ticks(code), "").await.codes().1, detail, "{code}");
    }
    let mut codes = Vec::new();
    for _ in 0..5 {
        codes.push(call(&simulator, &token, "ka10079", &ticks("005930"), "").await);
    }
    let refused = codes.iter().find(|answer| answer.status == 429).expect("too many");
    assert_eq!(refused.codes(), (5, "1700".to_owned()));
    assert!(refused.text.contains("유량=5, API ID=ka10079"), "{}", refused.text);
    // Each TR has its own second.
    assert_eq!(call(&simulator, &token, "ka10003", &ticks("005930"), "").await.status, 200);
    let bearer = format!("Bearer {token}");
    let headers = [("api-id", "ka10003"), ("authorization", bearer.as_str())];
    assert_eq!(post(&simulator, "/api/dostk/chart", &headers, &ticks("005930")).await.codes().1, "1504");
    let headers = [("api-id", "ka99999"), ("authorization", bearer.as_str())];
    assert_eq!(post(&simulator, "/api/dostk/chart", &headers, &ticks("005930")).await.codes().1, "1505");
    simulator.end().await;
}
