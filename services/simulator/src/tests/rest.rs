//! REST: keys, tokens, limits, and today's prints by pages.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::support::{LIMIT, Simulator, records};

const PRINTS: &str = "/uapi/domestic-stock/v1/quotations/inquire-time-itemconclusion";

#[tokio::test]
async fn wrong_keys_are_refused_with_their_codes() {
    let simulator = Simulator::start("rate = 1").await;
    let approval = |key: &str, field: &str, secret: &str| json!({ "grant_type": "client_credentials", "appkey": key, field: secret });
    for (body, code) in [
        (approval("", "secretkey", "demo-app-secret"), "EGW00103"),
        (approval("demo-app-key", "secretkey", ""), "EGW00105"),
        // The classic slip: the token's field name.
        (approval("demo-app-key", "appsecret", "demo-app-secret"), "EGW00105"),
        (Value::Null, "EGW00103"),
    ] {
        let (status, answer) = simulator.post("/oauth2/Approval", &body).await;
        assert_eq!((status, answer["error_code"].as_str()), (403, Some(code)), "{body}");
    }
    simulator.end().await;
}

#[tokio::test]
async fn a_token_comes_once_a_minute_and_can_be_revoked() {
    let simulator = Simulator::start("rate = 1").await;
    let keys = json!({ "grant_type": "client_credentials", "appkey": "demo-app-key", "appsecret": "demo-app-secret" });
    let (status, token) = simulator.post("/oauth2/tokenP", &keys).await;
    assert_eq!(
        (status, token["token_type"].as_str(), token["expires_in"].as_u64()),
        (200, Some("Bearer"), Some(86_400))
    );
    assert_eq!(token["access_token_token_expired"].as_str().map(str::len), Some(19));
    let (status, again) = simulator.post("/oauth2/tokenP", &keys).await;
    assert_eq!((status, again["error_code"].as_str()), (403, Some("EGW00133")));
    let mut revoke = keys.clone();
    revoke["token"] = token["access_token"].clone();
    assert_eq!(simulator.post("/oauth2/revokeP", &revoke).await.0, 200);
    assert_eq!(simulator.post("/oauth2/tokenP", &keys).await.0, 200);
    simulator.end().await;
}

#[tokio::test]
async fn too_many_calls_on_demand() {
    let simulator = Simulator::start("rate = 1\nfaults = '[{\"do\":\"429\",\"broker\":\"kis\"}]'").await;
    let start = Instant::now();
    let body = json!({ "grant_type": "client_credentials", "appkey": "demo-app-key", "secretkey": "demo-app-secret" });
    let mut answer = simulator.post("/oauth2/Approval", &body).await;
    while answer.0 == 200 && start.elapsed() < LIMIT {
        // The engine starts the script some milliseconds after the listeners.
        answer = simulator.post("/oauth2/Approval", &body).await;
    }
    assert_eq!((answer.0, answer.1["msg_cd"].as_str()), (500, Some("EGW00201")));
    simulator.end().await;
}

async fn page(simulator: &Simulator, token: &str, hour: &str) -> (u16, Value) {
    let answer = reqwest::Client::new()
        .get(format!("{}{PRINTS}", simulator.rest))
        .header("authorization", format!("Bearer {token}"))
        .header("appkey", "demo-app-key")
        .header("appsecret", "demo-app-secret")
        .header("tr_id", "FHPST01060000")
        .query(&[("FID_COND_MRKT_DIV_CODE", "J"), ("FID_INPUT_ISCD", "005930"), ("FID_INPUT_HOUR_1", hour)])
        .send()
        .await
        .expect("answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn pages_hold_the_prints_that_were_streamed_and_keep_the_rate() {
    let simulator = Simulator::start("rate = 200\nrequests_per_second = 2").await;
    let mut client = simulator.client("demo").await;
    client.subscribe("H0STCNT0", "005930").await;
    client.receive(40).await;
    // This client alone is sent anything: it has everything when it has as much as was written.
    let written =
        simulator.stop_events().await["events"].as_u64().and_then(|events| usize::try_from(events).ok());
    let missing = written.and_then(|written| written.checked_sub(records(&client.data).len()));
    client.receive(missing.expect("no more than was written")).await;

    assert_eq!(page(&simulator, "nothing", "235959").await.1["msg_cd"], "EGW00121");
    let keys = json!({ "grant_type": "client_credentials", "appkey": "demo-app-key", "appsecret": "demo-app-secret" });
    let token =
        simulator.post("/oauth2/tokenP", &keys).await.1["access_token"].as_str().expect("token").to_owned();
    let (status, answer) = page(&simulator, &token, "235959").await;
    assert_eq!((status, answer["rt_cd"].as_str()), (200, Some("0")));
    let rows = answer["output2"].as_array().expect("rows");
    assert_eq!(rows.len(), 30);
    let streamed = records(&client.data);
    for (row, (_, record)) in rows.iter().zip(streamed.iter().rev()) {
        let shown = ["stck_cntg_hour", "stck_pbpr", "cnqn", "acml_vol", "askp", "bidp"]
            .map(|name| row[name].as_str());
        assert_eq!(shown, [1, 2, 12, 13, 10, 11].map(|field: usize| Some(record[field].as_str())));
    }
    assert_eq!(page(&simulator, &token, "000000").await.1["output2"].as_array().map(Vec::len), Some(0));
    let served = within_a_second(&simulator, &token).await;
    assert!(served <= 2, "{served} calls in a second");
    simulator.end().await;
}

/// How many of three calls at once are served; the others are refused for their rate. Asks until they are answered
/// within the second that the limit is about: a busy machine may need longer, and the limit then allows more.
async fn within_a_second(simulator: &Simulator, token: &str) -> usize {
    let deadline = Instant::now() + LIMIT;
    loop {
        let start = Instant::now();
        let answers = join_all((0..3).map(|_| page(simulator, token, "235959"))).await;
        let took = start.elapsed();
        let (served, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 200);
        for (status, answer) in &refused {
            assert_eq!((*status, answer["msg_cd"].as_str()), (500, Some("EGW00201")));
        }
        if took < Duration::from_secs(1) {
            return served.len();
        }
        assert!(Instant::now() < deadline, "never three answers within a second");
    }
}
