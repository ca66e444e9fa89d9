//! Pages asked of a small HTTP server that answers from a script.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use tokio::sync::watch;

use super::*;

const OK: &str = r#"{"output":[ {"stck_prpr":"71000" } ],"rt_cd":"0","msg_cd":"MCA00000","msg1":"ok"}"#;
const LIMITED: &str = r#"{"rt_cd":"1","msg_cd":"EGW00201","msg1":"초당 거래건수를 초과하였습니다."}"#;
const EXPIRED: &str = r#"{"rt_cd":"1","msg_cd":"EGW00123","msg1":"기간이 만료된 token 입니다."}"#;

/// What the server was asked: method, path with query, and headers.
type Asked = (String, Vec<(String, String)>);

/// The server: answers, what it was asked, tokens issued, and pages being answered.
#[derive(Clone)]
struct Broker {
    answers: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    issued: Arc<Mutex<u32>>,
    busy: watch::Sender<usize>,
    /// Answers wait for this.
    open: watch::Sender<bool>,
    url: String,
}

impl Broker {
    /// Answers pages from `answers`, then with an empty success.
    async fn start(answers: &[(u16, &'static str)]) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("port");
        let broker = Self {
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
            asked: Arc::default(),
            issued: Arc::default(),
            busy: watch::Sender::new(0),
            open: watch::Sender::new(true),
            url: format!("http://{}", listener.local_addr().expect("address")),
        };
        let router = Router::new().fallback(answer).with_state(broker.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        broker
    }

    fn auth(&self, folder: &Path) -> KisAuth {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let tls = crate::tls::client(None).expect("tls");
        KisAuth::new(&self.url, &tls, Some(folder.to_owned())).expect("auth")
    }

    /// A client whose token comes from `folder`, or is issued.
    fn rest(&self, folder: &Path) -> KisRest {
        let auth = self.auth(folder);
        let tls = crate::tls::client(None).expect("tls");
        let settings =
            BrokerSettings { rest_url: self.url.clone(), keys: vec![key()], ..crate::kis::feed::defaults() };
        KisRest::new(&settings, &tls, auth).expect("client")
    }

    fn pages(&self) -> Vec<Asked> {
        self.asked.lock().expect("lock").clone()
    }

    fn tokens(&self) -> Vec<String> {
        let token = |(_, headers): Asked| headers.into_iter().find(|(name, _)| name == "authorization");
        self.pages().into_iter().filter_map(token).map(|(_, value)| value).collect()
    }

    fn issued(&self) -> u32 {
        *self.issued.lock().expect("lock")
    }
}

async fn answer(State(broker): State<Broker>, request: Request) -> (StatusCode, String) {
    if request.uri().path() == "/oauth2/tokenP" {
        let mut issued = broker.issued.lock().expect("lock");
        *issued += 1;
        let token = format!(
            r#"{{"access_token":"token-{issued}","access_token_token_expired":"2099-01-01 00:00:00"}}"#
        );
        return (StatusCode::OK, token);
    }
    let text = |value: &HeaderValue| value.to_str().expect("text").to_owned();
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    broker.asked.lock().expect("lock").push((format!("{} {}", request.method(), request.uri()), headers));
    broker.busy.send_modify(|busy| *busy += 1);
    let _open = broker.open.subscribe().wait_for(|open| *open).await.map(|_| ());
    broker.busy.send_modify(|busy| *busy -= 1);
    let (status, body) = broker.answers.lock().expect("lock").pop_front().unwrap_or((200, OK));
    (StatusCode::from_u16(status).expect("status"), body.to_owned())
}

fn key() -> Credentials {
    Credentials {
        name: "main".to_owned(),
        app_key: "app-key-text".to_owned(),
        app_secret: "app-secret-text".to_owned(),
    }
}

fn request() -> PageRequest {
    let parameters =
        [("FID_COND_MRKT_DIV_CODE", "J"), ("FID_INPUT_ISCD", "005930"), ("FID_ETC_CLS_CODE", "")];
    PageRequest {
        parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        next: None,
    }
}

/// One page of a broker with this script: what came, and the broker.
async fn page_of(answers: &[(u16, &'static str)]) -> (Result<Page, PageError>, Broker) {
    let broker = Broker::start(answers).await;
    let folder = tempfile::tempdir().expect("folder");
    let page = broker.rest(folder.path()).page("FHKST03010200", &request()).await;
    (page, broker)
}

#[tokio::test]
async fn a_page_is_asked_for_as_kis_wants_it_and_its_body_is_untouched() {
    let (page, broker) = page_of(&[]).await;
    let page = page.expect("page");
    assert_eq!((page.body.get(), page.next), (OK, None));
    let [(asked, headers)] = &broker.pages()[..] else { panic!("one call") };
    assert_eq!(
        asked,
        "GET /uapi/domestic-stock/v1/quotations/inquire-time-itemchartprice\
         ?FID_COND_MRKT_DIV_CODE=J&FID_ETC_CLS_CODE=&FID_INPUT_ISCD=005930"
    );
    for (name, value) in [
        ("authorization", "Bearer token-1"),
        ("appkey", "app-key-text"),
        ("appsecret", "app-secret-text"),
        ("tr_id", "FHKST03010200"),
        ("custtype", "P"),
        ("content-type", "application/json; charset=utf-8"),
    ] {
        assert!(headers.contains(&(name.to_owned(), value.to_owned())), "{name}");
    }
}

#[tokio::test]
async fn one_call_too_many_is_repeated_after_a_pause_and_given_up_after_six() {
    let (page, broker) = page_of(&[(500, LIMITED), (500, LIMITED), (200, OK)]).await;
    assert!(page.is_ok());
    assert_eq!(broker.pages().len(), 3);

    let (page, broker) = page_of(&[(500, LIMITED); 7]).await;
    let error = page.expect_err("limited");
    assert!(matches!(&error, PageError::Limited(text) if text.contains("EGW00201")), "{error:?}");
    assert_eq!((broker.pages().len(), broker.issued()), (6, 1));
}

#[tokio::test]
async fn a_dead_token_is_replaced_once_and_not_twice_a_minute() {
    let broker = Broker::start(&[(500, EXPIRED), (200, OK), (500, EXPIRED)]).await;
    let folder = tempfile::tempdir().expect("folder");
    // Another process has asked for the first, some time ago.
    broker.auth(folder.path()).token(&key(), 0).await.expect("token");
    let rest = broker.rest(folder.path());
    assert!(rest.page("FHKST01010300", &request()).await.is_ok());
    assert_eq!(broker.tokens(), ["Bearer token-1", "Bearer token-2"]);
    // The second dies at once: a third within the minute would be refused, and is not asked for.
    let error = rest.page("FHKST01010300", &request()).await.expect_err("no token");
    assert!(matches!(&error, PageError::Temporary(text) if text.contains("minute")), "{error:?}");
    assert_eq!((broker.pages().len(), broker.issued()), (3, 2));
}

#[tokio::test]
async fn trouble_of_the_server_is_tried_three_times() {
    let html = "<html><body>502 Bad Gateway</body></html>";
    let (page, broker) = page_of(&[(502, html), (502, html), (200, OK)]).await;
    assert!(page.is_ok());
    assert_eq!(broker.pages().len(), 3);
    let (page, broker) = page_of(&[(502, html); 4]).await;
    let error = page.expect_err("trouble");
    assert_eq!(error, PageError::Temporary("FHKST03010200: HTTP 502, a page of HTML".to_owned()));
    assert_eq!(broker.pages().len(), 3);
}

#[tokio::test]
async fn a_refusal_is_handed_on_at_once() {
    let wrong = r#"{"rt_cd":"2","msg_cd":"OPSQ2001","msg1":"ERROR INVALID FID_COND_MRKT_DIV_CODE  "}"#;
    let (page, broker) = page_of(&[(200, wrong)]).await;
    let text = "ERROR INVALID FID_COND_MRKT_DIV_CODE".to_owned();
    assert_eq!(page.expect_err("refused"), PageError::Refused { code: "OPSQ2001".to_owned(), text });
    assert_eq!(broker.pages().len(), 1);

    let key = r#"{"error_code":"EGW00103","error_description":"유효하지 않은 AppKey입니다."}"#;
    let (page, broker) = page_of(&[(403, key)]).await;
    let error = page.expect_err("refused");
    assert!(matches!(&error, PageError::Credentials(text) if text.starts_with("key main: ")), "{error:?}");
    assert!(!error.to_string().contains("app-"), "{error}");
    assert_eq!(broker.pages().len(), 1);
}

#[tokio::test]
async fn what_is_no_page_of_kis_is_not_asked_for() {
    let broker = Broker::start(&[]).await;
    let folder = tempfile::tempdir().expect("folder");
    let rest = broker.rest(folder.path());
    // An order is no page.
    let order = rest.page("TTTC0802U", &request()).await;
    assert!(matches!(order, Err(PageError::Request(_))), "{order:?}");
    let next = PageRequest { next: Some("2".to_owned()), ..request() };
    let next = rest.page("FHKST01010300", &next).await;
    assert!(matches!(next, Err(PageError::Request(_))), "{next:?}");
    assert_eq!((broker.pages().len(), broker.issued()), (0, 0));
    let shown = format!("{rest:?}");
    assert!(!shown.contains("app-key-text") && !shown.contains("app-secret-text"), "{shown}");
}

#[tokio::test]
async fn a_key_has_two_pages_at_once() {
    let broker = Broker::start(&[]).await;
    broker.open.send_replace(false);
    let folder = tempfile::tempdir().expect("folder");
    let rest = Arc::new(broker.rest(folder.path()));
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let rest = Arc::clone(&rest);
            tokio::spawn(async move { rest.page("FHPST01060000", &request()).await.is_ok() })
        })
        .collect();
    let mut busy = broker.busy.subscribe();
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, busy.wait_for(|busy| *busy == 2)).await.expect("in time").expect("two");
    // A third would come a tenth of a second later.
    let third = tokio::time::timeout(Duration::from_millis(500), busy.wait_for(|busy| *busy > 2)).await;
    assert!(third.is_err());
    broker.open.send_replace(true);
    for asking in asking {
        assert!(asking.await.expect("no panic"));
    }
    assert_eq!(broker.pages().len(), 4);
}

#[test]
fn codes_are_told_apart() {
    let answer = |status, code: &str| {
        read("TR", status, format!(r#"{{"rt_cd":"1","msg_cd":"{code}","msg1":"text"}}"#))
            .expect_err("failure")
    };
    assert!(matches!(answer(500, "EGW00201"), Failure::Limited(_)));
    assert!(matches!(answer(500, "EGW00121"), Failure::TokenDead(_)));
    assert!(matches!(answer(500, "EGW00202"), Failure::Temporary(_)));
    assert!(matches!(answer(500, "EGW00213"), Failure::Final(PageError::Refused { .. })));
    assert!(matches!(answer(500, "EGW00105"), Failure::Final(PageError::Credentials(_))));
    assert!(matches!(answer(500, "OPSQ2001"), Failure::Final(PageError::Refused { .. })));
    assert!(matches!(answer(200, ""), Failure::Temporary(_)));
    // A success of the gateway with a failure's status is none.
    assert!(matches!(read("TR", 500, r#"{"rt_cd":"0"}"#.to_owned()), Err(Failure::Temporary(_))));
}
