//! A whole day behind the sockets: pages by HTTP, faults of pages, the limits, and the count of calls.

use serde_json::{Value, json};

use super::kiwoom::support::{Answer, post, token};
use super::support::Simulator;

const DAY: &str = "day = { date = '20261125', symbols = 10, trades = 5000 }\nkiwoom_requests_per_second = 20";

/// The busiest symbol of ten is the first.
const CODE: &str = "100000";

async fn page(simulator: &Simulator, token: &str, next_key: Option<&str>) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("api-id", "ka10084"), ("authorization", &*bearer)];
    if let Some(key) = next_key {
        headers.extend([("cont-yn", "Y"), ("next-key", key)]);
    }
    let body = json!({ "stk_cd": CODE, "tdy_pred": "1", "tic_min": "0", "tm": "" });
    post(simulator, "/api/dostk/stkinfo", &headers, &body).await
}

fn rows(answer: &Answer) -> Vec<Value> {
    answer.json()["tdy_pred_cntr"].as_array().expect("rows").clone()
}

#[tokio::test]
async fn pages_go_wrong_by_script_and_are_counted() {
    let simulator = Simulator::start(DAY).await;
    let token = token(&simulator, "demo").await;
    let first = page(&simulator, &token, None).await;
    assert_eq!((rows(&first).len(), first.more.as_str()), (100, "Y"));
    let key = Some(first.next_key.as_str());

    let faults = json!([
        { "do": "same_page", "tr": "ka10084", "skip": 1 },
        { "do": "overlapping_page", "tr": "ka10084", "rows": 7 },
        { "do": "blank_page", "tr": "ka10079" },
    ]);
    assert_eq!(simulator.post("/control/faults", &faults).await.0, 200);
    let second = page(&simulator, &token, key).await;
    assert_ne!(rows(&second), rows(&first));
    let again = page(&simulator, &token, key).await;
    assert_eq!((rows(&again), again.next_key.as_str()), (rows(&first), first.next_key.as_str()));
    let overlapping = page(&simulator, &token, key).await;
    assert_eq!(rows(&overlapping)[..7], rows(&first)[93..]);

    for (fault, status, codes) in [
        (json!([{ "do": "rest_error", "code": "1634" }]), 200, (5, "1634".to_owned())),
        (json!([{ "do": "429" }]), 429, (5, "1700".to_owned())),
        (json!([{ "do": "rest_error", "code": "1999" }]), 200, (1, "1999".to_owned())),
        (json!([{ "do": "dead_key" }]), 200, (3, "8005".to_owned())),
    ] {
        assert_eq!(simulator.post("/control/faults", &fault).await.0, 200);
        let answer = page(&simulator, &token, key).await;
        assert_eq!((answer.status, answer.codes()), (status, codes));
    }
    let day = &simulator.stop_events().await["day"];
    assert_eq!(
        (&day["calls"], &day["by_call"]["ka10084"], &day["by_symbol"][CODE]),
        (&json!(4), &json!(4), &json!(4))
    );
    assert_eq!((&day["prints"], &day["lost"]), (&json!(5_000), &json!(0)));
}

#[tokio::test]
async fn what_is_too_quick_is_refused_and_told() {
    let simulator = Simulator::start(&DAY.replace("per_second = 20", "per_second = 2")).await;
    let token = token(&simulator, "demo").await;
    for _ in 0..2 {
        assert_eq!(page(&simulator, &token, None).await.status, 200);
    }
    assert_eq!(page(&simulator, &token, None).await.codes(), (5, "1700".to_owned()));
    let day = &simulator.stop_events().await["day"];
    assert_eq!((&day["calls"], &day["refused"]), (&json!(2), &json!(1)));
}
