//! Kiwoom's REST side: tokens, and TRs that the header `api-id` names, behind the filter and the limits
//! (kiwoom.md 1, 2, 6).

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Request, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::answer::{Page, field, fine, html, refusal};
use super::tokens::Refusal;
use super::{minutes, pages, stocks};
use crate::clock::Clock;
use crate::day;
use crate::script::{PageFault, RestFailure};
use crate::state::State;
use crate::tr::Broker;

/// What the filter answers.
pub const BLOCKED: &str =
    "<html><head><title>Request Blocked</title></head><body>Request Blocked</body></html>";
const BAD_GATEWAY: &str =
    "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>";

/// The TRs with the last part of their path.
const TRS: [(&str, &str); 5] = [
    ("ka10079", "chart"),
    ("ka10080", "chart"),
    ("ka10003", "stkinfo"),
    ("ka10084", "stkinfo"),
    ("ka10099", "stkinfo"),
];

/// The broker's routes.
pub fn routes(state: Arc<State>) -> Router {
    Router::new()
        .route("/oauth2/token", post(token))
        .route("/oauth2/revoke", post(revoke))
        .route("/api/dostk/{group}", post(call))
        .layer(middleware::from_fn_with_state(state.clone(), gate))
        .with_state(state)
}

/// Whether the filter refuses a User-Agent: one of the list, or none at all.
#[must_use]
pub fn is_blocked(agent: &str, blocked: &[String]) -> bool {
    let agent = agent.to_lowercase();
    (agent.is_empty() && !blocked.is_empty()) || blocked.iter().any(|part| agent.contains(part.as_str()))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// The filter in front of everything, and the faults of the script.
async fn gate(Shared(state): Shared<Arc<State>>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    if is_blocked(header(headers, "user-agent"), &state.settings.kiwoom.blocked_agents) {
        return html(StatusCode::BAD_REQUEST, BLOCKED);
    }
    let tr = match header(headers, "api-id") {
        "" => "au10001".to_owned(),
        tr => tr.to_owned(),
    };
    let fault = state.script().rest(Broker::Kiwoom, &tr, Instant::now());
    tokio::time::sleep(fault.delay).await;
    match fault.failure {
        None => next.run(request).await,
        Some(RestFailure::Html) => html(StatusCode::BAD_REQUEST, BLOCKED),
        Some(RestFailure::BadGateway) => html(StatusCode::BAD_GATEWAY, BAD_GATEWAY),
        Some(RestFailure::TooMany) => refusal("1700", &tr),
        Some(RestFailure::Code(code)) => refusal(&code, &tr),
        Some(RestFailure::Page(fault)) => {
            request.extensions_mut().insert(fault);
            next.run(request).await
        }
    }
}

fn keys_refused(reason: Refusal, tr: &str) -> Response {
    let code = match reason {
        Refusal::AppKey => "8001",
        Refusal::SecretKey => "8002",
        Refusal::Token => "8015",
        Refusal::Rate => "1700",
    };
    refusal(code, tr)
}

async fn token(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let body = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    if field(&body, "grant_type") != "client_credentials" {
        return refusal("8012", "au10001");
    }
    let issued = state.tokens().issue(field(&body, "appkey"), field(&body, "secretkey"), Instant::now());
    match issued {
        Err(reason) => keys_refused(reason, "au10001"),
        Ok((token, left)) => {
            let expires = expiry(left.as_secs()).unwrap_or_default();
            fine(json!({ "expires_dt": expires, "token_type": "Bearer", "token": token.expose() }))
        }
    }
}

/// Korean local time in so many seconds, `20261126090003`.
fn expiry(seconds: u64) -> Option<String> {
    let at = jiff::Timestamp::now().as_second().checked_add_unsigned(seconds)?;
    let local = Clock::new().ok()?.at(jiff::Timestamp::from_second(at).ok()?).korea;
    Some(format!("{:08}{:06}", local.date, local.time))
}

async fn revoke(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let body = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let (app_key, secret) = (field(&body, "appkey"), field(&body, "secretkey"));
    match state.tokens().revoke(app_key, secret, field(&body, "token")) {
        Ok(()) => fine(json!({})),
        Err(reason) => keys_refused(reason, "au10002"),
    }
}

/// A TR at `/api/dostk/<group>`.
async fn call(
    Shared(state): Shared<Arc<State>>,
    Path(group): Path<String>,
    fault: Option<Extension<PageFault>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let tr = header(&headers, "api-id");
    if tr.is_empty() {
        return refusal("1501", tr);
    }
    let Some((tr, home)) = TRS.into_iter().find(|known| known.0 == tr) else { return refusal("1505", tr) };
    if home != group {
        return refusal("1504", tr);
    }
    let bearer = header(&headers, "authorization").strip_prefix("Bearer ").unwrap_or("");
    match state.tokens().call(bearer, tr, Instant::now()) {
        Ok(()) => {}
        Err(Refusal::Rate) => {
            if let Some(day) = &state.day {
                day.called(tr, "", true);
            }
            return refusal("1700", tr);
        }
        Err(_) => return refusal("8005", tr),
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else { return refusal("1517", tr) };
    let next_key = (header(&headers, "cont-yn") == "Y").then(|| header(&headers, "next-key"));
    let answer = match state.day.as_ref().filter(|_| tr != "ka10099") {
        Some(day) => {
            day.called(tr, field(&body, "stk_cd"), false);
            day::pages::page(day, tr, &body, next_key, fault.map(|Extension(fault)| fault))
        }
        None => page(&state, tr, &body, next_key),
    };
    match answer {
        Ok(page) => page.answer(tr),
        Err(code) => refusal(code, tr),
    }
}

fn page(state: &State, tr: &str, body: &Value, next_key: Option<&str>) -> Result<Page, &'static str> {
    let market = state.market();
    match tr {
        "ka10079" => pages::ticks(&market, body, next_key),
        "ka10080" => minutes::bars(&market, body, next_key),
        "ka10003" => pages::last(&market, body),
        "ka10084" => pages::day(&market, body, next_key),
        _ => stocks::list(&market, body, next_key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_of_libraries_are_blocked_and_own_names_are_not() {
        let blocked = ["python-".to_owned(), "aiohttp".to_owned()];
        for agent in ["", "python-requests/2.32", "Python/3.11 aiohttp/3.9"] {
            assert!(is_blocked(agent, &blocked), "{agent}");
        }
        assert!(!is_blocked("sise/0.1", &blocked));
        assert!(!is_blocked("", &[]) && !is_blocked("python-requests/2.32", &[]));
    }
}
