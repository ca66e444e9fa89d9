//! Pages against a broker on this machine that follows a script.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;

use super::*;
use crate::kiwoom::auth::tests::{credentials, serve, token_answer};
use crate::tls;

const OK: &str = r#"{"stk_tic_chart_qry":[],"return_code":0,"return_msg":"정상적으로 처리되었습니다"}"#;
const DEAD: &str = r#"{"return_code":3,"return_msg":"인증에 실패했습니다[8005:Token이 유효하지 않습니다]"}"#;
const LIMITED: &str = r#"{"return_code":5,"return_msg":"허용된 요청 개수를 초과하였습니다[1700:허용된 API 요청 개수를 초과하였습니다. 유량=5, API ID=ka10080]"}"#;
const LIMITED_ALL: &str = r#"{"return_code":5,"return_msg":"[1701:x]"}"#;
const TOO_MANY: &str = r#"{"return_code":5,"return_msg":"허용된 요청 개수를 초과하였습니다[1634:x]"}"#;
const HTML: &str = "<html><title>Request Blocked</title></html>";

/// Status, value of next-key (empty: no more), body.
type Answers = VecDeque<(u16, &'static str, &'static str)>;

/// Answers in order, then with 500; keeps what it was asked.
#[derive(Clone, Default)]
struct Broker {
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Vec<Seen>>>,
    tokens: Arc<Mutex<u32>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    group: String,
    call: String,
    bearer: String,
    paging: Option<(String, String)>,
    body: String,
}

async fn token(State(broker): State<Broker>) -> String {
    let mut tokens = broker.tokens.lock().expect("tokens");
    *tokens += 1;
    token_answer(*tokens)
}

async fn page(
    State(broker): State<Broker>,
    Path(group): Path<String>,
    request: Request,
) -> impl IntoResponse {
    let headers = request.headers().clone();
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(ToOwned::to_owned);
    assert_eq!(header("user-agent").as_deref(), Some(crate::USER_AGENT));
    assert_eq!(header("content-type").as_deref(), Some("application/json;charset=UTF-8"));
    let (call, bearer) = (header("api-id").unwrap_or_default(), header("authorization").unwrap_or_default());
    let paging = header("cont-yn").zip(header("next-key"));
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.expect("body");
    let body = String::from_utf8(body.to_vec()).expect("text");
    broker.asked.lock().expect("asked").push(Seen { group, call, bearer, paging, body });
    let next = broker.answers.lock().expect("answers").pop_front();
    let (status, next, body) = next.unwrap_or((500, "", "no more answers"));
    let mut headers = HeaderMap::new();
    headers.insert("cont-yn", HeaderValue::from_static(if next.is_empty() { "N" } else { "Y" }));
    headers.insert("next-key", HeaderValue::from_static(next));
    (StatusCode::from_u16(status).expect("status"), headers, body)
}

async fn rest(answers: &[(u16, &'static str, &'static str)], keys: &[&str]) -> (Broker, KiwoomRest) {
    let broker =
        Broker { answers: Arc::new(Mutex::new(answers.iter().copied().collect())), ..Broker::default() };
    let routes = Router::new().route("/oauth2/token", post(token)).route("/api/dostk/{group}", post(page));
    let address = serve(routes.with_state(broker.clone())).await;
    let tls = tls::client(None).expect("tls");
    let keys: Vec<_> = keys.iter().map(|name| credentials(name)).collect();
    let auth = Arc::new(KiwoomAuth::new(&address, &tls, &keys, None).expect("auth"));
    let quick = Duration::from_millis(1);
    let rules = RestRules { interval: quick, ceiling: quick, first_wait: quick, ..RestRules::default() };
    (broker, KiwoomRest::new(&address, &tls, auth, rules).expect("client"))
}

fn ask(next: Option<&str>) -> PageRequest {
    let parameters = [("stk_cd", "005930_AL"), ("tic_scope", "1")];
    PageRequest {
        parameters: parameters.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        next: next.map(ToOwned::to_owned),
    }
}

fn asked(broker: &Broker) -> Vec<Seen> {
    broker.asked.lock().expect("asked").clone()
}

#[tokio::test]
async fn paging_is_in_the_headers_both_ways_and_the_body_is_untouched() {
    let (broker, rest) = rest(&[(200, "A0059302025042810480000010000", OK), (200, "", OK)], &["main"]).await;
    let first = rest.page("ka10079", &ask(None)).await.expect("page");
    assert_eq!((first.body.get(), first.next.as_deref()), (OK, Some("A0059302025042810480000010000")));
    let second = rest.page("ka10079", &ask(first.next.as_deref())).await.expect("page");
    assert_eq!(second.next, None);
    let seen = |paging: Option<(&str, &str)>| Seen {
        group: "chart".to_owned(),
        call: "ka10079".to_owned(),
        bearer: "Bearer token-1".to_owned(),
        paging: paging.map(|(more, next)| (more.to_owned(), next.to_owned())),
        body: r#"{"stk_cd":"005930_AL","tic_scope":"1"}"#.to_owned(),
    };
    assert_eq!(asked(&broker), [seen(None), seen(Some(("Y", "A0059302025042810480000010000")))]);
}

#[tokio::test]
async fn a_call_goes_to_the_group_of_its_path_and_others_are_not_made() {
    let (broker, rest) = rest(&[(200, "", OK); 6], &["main"]).await;
    for (call, group) in CALLS {
        rest.page(call, &ask(None)).await.expect(call);
        assert_eq!(asked(&broker).last().map(|seen| seen.group.clone()).as_deref(), Some(group));
    }
    let error = rest.page("kt10000", &ask(None)).await.expect_err("an order");
    assert!(matches!(&error, PageError::Request(text) if text.contains("ka10079")), "{error}");
    assert!(matches!(rest.page("ka10079", &ask(Some("a\nb"))).await, Err(PageError::Request(_))));
    assert_eq!(asked(&broker).len(), 6);
}

#[tokio::test]
async fn a_dead_token_is_renewed_once() {
    let (broker, rest) =
        rest(&[(200, "", DEAD), (200, "", OK), (200, "", DEAD), (200, "", DEAD)], &["main"]).await;
    rest.page("ka10079", &ask(None)).await.expect("page");
    let error = rest.page("ka10079", &ask(None)).await.expect_err("dead again");
    assert!(matches!(&error, PageError::Temporary(text) if text.contains("8005")), "{error}");
    let bearers: Vec<_> = asked(&broker).into_iter().map(|seen| seen.bearer).collect();
    assert_eq!(bearers, ["Bearer token-1", "Bearer token-2", "Bearer token-2", "Bearer token-3"]);
}

#[tokio::test]
async fn limits_and_trouble_are_waited_for() {
    let (_broker, rest) = rest(
        &[(429, "", LIMITED), (429, "", LIMITED_ALL), (400, "", HTML), (502, "", ""), (200, "", OK)],
        &["main"],
    )
    .await;
    rest.page("ka10080", &ask(None)).await.expect("page");
}

#[tokio::test]
async fn what_does_not_end_is_told_after_five_tries() {
    for (status, body, expected) in
        [(429, LIMITED, "limited"), (429, HTML, "limited"), (400, HTML, "temporary")]
    {
        let (broker, rest) = rest(&[(status, "", body); 9], &["main"]).await;
        let error = rest.page("ka10080", &ask(None)).await.expect_err(expected);
        assert_eq!((error.word(), asked(&broker).len()), (expected, 5), "{error}");
    }
}

#[tokio::test]
async fn what_would_end_the_same_is_asked_once() {
    for (body, expected) in [
        (TOO_MANY, "refused"),
        (r#"{"return_code":2,"return_msg":"[1902:종목 정보가 없습니다]"}"#, "refused"),
        (r#"{"return_code":2,"return_msg":"[1511:필수 입력 값이 없습니다]"}"#, "request"),
        (r#"{"return_code":3,"return_msg":"[8031:x]"}"#, "credentials"),
        (r#"{"return_code":777,"return_msg":"x"}"#, "refused"),
    ] {
        let (broker, rest) = rest(&[(200, "", body); 9], &["main"]).await;
        let error = rest.page("ka10079", &ask(None)).await.expect_err(expected);
        assert_eq!((error.word(), asked(&broker).len()), (expected, 1), "{error}");
    }
}

#[tokio::test]
async fn an_error_is_never_the_end_of_data() {
    let (_broker, rest) =
        rest(&[(200, "K", OK), (200, "", r#"{"returnCode":20,"returnMsg":"x"}"#)], &["main"]).await;
    let same = rest.page("ka10079", &ask(Some("K"))).await.expect_err("the same page for ever");
    assert!(matches!(same, PageError::Refused { code, .. } if code == "NEXT-KEY"));
    assert_eq!(rest.page("ka10079", &ask(None)).await.expect("no data").next, None);
    let mut headers = HeaderMap::new();
    headers.insert("cont-yn", HeaderValue::from_static("Y"));
    let lost = judge("ka10079", StatusCode::OK, &headers, OK.to_owned());
    assert!(matches!(lost, Err(Failure::Temporary(_))), "{lost:?}");
}

#[tokio::test]
async fn keys_share_the_work_and_stand_in_for_each_other() {
    let refused = r#"{"return_code":3,"return_msg":"[8050:x]"}"#;
    let (broker, rest) = rest(&[(200, "", refused), (200, "", OK)], &["a", "b"]).await;
    rest.page("ka10079", &ask(None)).await.expect("with the other key");
    let bearers: Vec<_> = asked(&broker).into_iter().map(|seen| seen.bearer).collect();
    assert_ne!(bearers[0], bearers[1]);
    let firsts: std::collections::BTreeSet<_> = (0..20)
        .map(|number| {
            let parameters = [("stk_cd".to_owned(), format!("{number:06}"))].into();
            let request = PageRequest { parameters, next: None };
            let asked = Asked { call: "ka10079", url: String::new(), request: &request, next: None };
            rest.turns(&asked).next()
        })
        .collect();
    assert_eq!(firsts.len(), 2);
}

#[test]
fn paper_trading_is_asked_once_a_second_and_a_given_pace_holds() {
    assert_eq!(RestRules::of("https://mockapi.kiwoom.com", None).interval, Duration::from_millis(1_100));
    assert_eq!(RestRules::of("https://api.kiwoom.com", None), RestRules::default());
    let given = RestRules::of("https://api.kiwoom.com", Some(Duration::from_millis(10)));
    assert_eq!((given.interval, given.ceiling), (Duration::from_millis(10), Duration::from_millis(5)));
}
