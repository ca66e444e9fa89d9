//! The broker's REST side: approval key, access token, and today's prints by pages (kis.md 1.3, 1.4, 7).

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, Request, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::credentials::{LIFETIME, Refusal};
use crate::day::{Day, kis_pages};
use crate::format::{push_decimal, push_padded, sign};
use crate::market::instrument::{Instrument, Row};
use crate::market::tally::percent;
use crate::script::RestFailure;
use crate::state::State;
use crate::tr::{Broker, Tape};

/// Rows of a page (clients assume 30, kis.md 10 no. 6).
const PAGE: usize = 30;
/// The TR of [`prints`].
const PRINTS: &str = "FHPST01060000";
/// The TR of [`us_prints`].
const US_PRINTS: &str = "HHDFS76200300";

/// The broker's routes.
pub fn routes(state: Arc<State>) -> Router<Arc<State>> {
    Router::new()
        .route("/oauth2/Approval", post(approval))
        .route("/oauth2/tokenP", post(token))
        .route("/oauth2/revokeP", post(revoke))
        .route("/uapi/domestic-stock/v1/quotations/inquire-time-itemconclusion", get(prints))
        .route("/uapi/overseas-price/v1/quotations/inquire-ccnl", get(us_prints))
        .layer(middleware::from_fn_with_state(state, gate))
}

/// The faults of the script.
async fn gate(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    let tr = request.headers().get("tr_id").and_then(|tr| tr.to_str().ok()).unwrap_or("").to_owned();
    let fault = state.script().rest(Broker::Kis, &tr, Instant::now());
    tokio::time::sleep(fault.delay).await;
    match fault.failure {
        // Wrong pages are Kiwoom's.
        None | Some(RestFailure::Page(_)) => next.run(request).await,
        Some(RestFailure::TooMany) => Refusal::Rate.of_gateway(),
        Some(RestFailure::Html | RestFailure::BadGateway) => StatusCode::BAD_GATEWAY.into_response(),
        Some(RestFailure::Code(code)) => gateway_error(&code, "오류"),
    }
}

impl Refusal {
    /// HTTP status, code and text. The key server has another body form than the gateway.
    fn answer(self) -> (StatusCode, &'static str, &'static str) {
        let server = StatusCode::INTERNAL_SERVER_ERROR;
        match self {
            Self::AppKey => (StatusCode::FORBIDDEN, "EGW00103", "유효하지 않은 AppKey입니다."),
            Self::AppSecret => (StatusCode::FORBIDDEN, "EGW00105", "유효하지 않은 AppSecret입니다."),
            Self::Token => (server, "EGW00121", "유효하지 않은 token 입니다."),
            Self::TokenExpired => (server, "EGW00123", "기간이 만료된 token 입니다."),
            Self::TokenTooOften => {
                (StatusCode::FORBIDDEN, "EGW00133", "접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)")
            }
            Self::Rate => (server, "EGW00201", "초당 거래건수를 초과하였습니다."),
        }
    }

    /// As `/oauth2` answers.
    fn of_keys(self) -> Response {
        let (status, code, text) = self.answer();
        if self == Self::Rate {
            return self.of_gateway();
        }
        (status, Json(json!({ "error_code": code, "error_description": text }))).into_response()
    }

    /// As `/uapi` answers.
    fn of_gateway(self) -> Response {
        let (_, code, text) = self.answer();
        gateway_error(code, text)
    }
}

fn gateway_error(code: &str, text: &str) -> Response {
    let body = json!({ "rt_cd": "1", "msg_cd": code, "msg1": text });
    (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
}

/// A field of a JSON body; empty when it is missing or the body is none.
fn field(body: &[u8], name: &str) -> String {
    let value = serde_json::from_slice::<Value>(body).unwrap_or_default();
    value.get(name).and_then(Value::as_str).unwrap_or("").to_owned()
}

/// The secret is called `secretkey` here and `appsecret` for the token: the wrong name is an empty secret.
async fn approval(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let keys = (field(&body, "appkey"), field(&body, "secretkey"));
    match state.credentials().approve(&keys.0, &keys.1, Instant::now()) {
        Ok(key) => Json(json!({ "approval_key": key })).into_response(),
        Err(refusal) => refusal.of_keys(),
    }
}

async fn token(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let keys = (field(&body, "appkey"), field(&body, "appsecret"));
    let now = Instant::now();
    let token = match state.credentials().token(&keys.0, &keys.1, now) {
        Ok(token) => token,
        Err(refusal) => return refusal.of_keys(),
    };
    let left = LIFETIME.saturating_sub(now.duration_since(token.issued)).as_secs();
    let Some(expiry) = expiry(left) else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    Json(json!({
        "access_token": token.text.expose(),
        "token_type": "Bearer",
        "expires_in": left,
        "access_token_token_expired": expiry,
    }))
    .into_response()
}

/// Korean local time in so many seconds, `2026-11-25 09:00:03`.
fn expiry(seconds: u64) -> Option<String> {
    let at = jiff::Timestamp::now().as_second().checked_add_unsigned(seconds)?;
    let local = Clock::new().ok()?.at(jiff::Timestamp::from_second(at).ok()?).korea;
    let (date, time) = (local.date, local.time);
    let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
    let (hour, minute, second) = (time / 10_000, time / 100 % 100, time % 100);
    Some(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"))
}

async fn revoke(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let keys = (field(&body, "appkey"), field(&body, "appsecret"));
    match state.credentials().revoke(&keys.0, &keys.1, &field(&body, "token")) {
        Ok(()) => Json(json!({ "code": 200, "message": "접근토큰 폐기에 성공하였습니다" })).into_response(),
        Err(refusal) => refusal.of_keys(),
    }
}

/// Prints at and before a time, newest first, 30 a page.
async fn prints(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Query(parameters): Query<HashMap<String, String>>,
) -> Response {
    if let Some(refusal) = refused(&state, &headers, PRINTS) {
        return refusal;
    }
    let parameter = |name: &str| parameters.get(name).map_or("", String::as_str);
    let tape = match parameter("FID_COND_MRKT_DIV_CODE") {
        "J" => Tape::First,
        "NX" => Tape::Nxt,
        "UN" => Tape::All,
        _ => return gateway_error("OPSQ2001", "ERROR INVALID FID_COND_MRKT_DIV_CODE"),
    };
    let hour = parameter("FID_INPUT_HOUR_1");
    let Some(hour) = hour.parse::<u32>().ok().filter(|_| hour.len() == 6) else {
        return gateway_error("OPSQ2001", "ERROR INVALID FID_INPUT_HOUR_1");
    };
    let key = parameter("FID_INPUT_ISCD");
    if let Some(day) = &state.day {
        day.called(PRINTS, key, false);
        let found = kis_pages::korean(day, key, tape, hour);
        return Json(found.map_or_else(empty, |(it, rows, last)| of_rows(it, &rows, last.as_ref())))
            .into_response();
    }
    let market = state.market();
    let found = market.find(key).and_then(|at| market.instruments.get(at));
    Json(page(found, tape, hour)).into_response()
}

/// What a call of `tr` is answered that is not let through.
fn refused(state: &State, headers: &HeaderMap, tr: &str) -> Option<Response> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let bearer = header("authorization").strip_prefix("Bearer ").unwrap_or("");
    let call = state.credentials().call(header("appkey"), header("appsecret"), bearer, Instant::now());
    if let Err(refusal) = call {
        if let Some(day) = state.day.as_ref().filter(|_| refusal == Refusal::Rate) {
            day.called(tr, "", true);
        }
        return Some(refusal.of_gateway());
    }
    (header("tr_id") != tr).then(|| gateway_error("OPSQ0002", "없는 서비스 코드 입니다"))
}

/// US prints of a day, newest first, 30 a page; a market that runs has none. The key of the next page is KEYB.
async fn us_prints(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Query(parameters): Query<HashMap<String, String>>,
) -> Response {
    if let Some(refusal) = refused(&state, &headers, US_PRINTS) {
        return refusal;
    }
    let parameter = |name: &str| parameters.get(name).map_or("", String::as_str);
    let today = match parameter("TDAY") {
        "1" => true,
        "0" => false,
        _ => return gateway_error("OPSQ2001", "ERROR INVALID TDAY"),
    };
    let Some(day) = &state.day else { return Json(empty()).into_response() };
    let key = format!("D{}{}", parameter("EXCD"), parameter("SYMB"));
    day.called(US_PRINTS, &key, false);
    let found = kis_pages::american(day, &key, today, parameter("KEYB"));
    let Some((it, rows, next_key)) = found else { return Json(empty()).into_response() };
    let mut body = empty();
    body["output1"] = json!({ "rsym": it.key, "zdiv": "4", "nrec": rows.len().to_string() });
    body["output2"] = rows.iter().map(|row| us_row(day, it, row)).collect();
    body["keyb"] = next_key.unwrap_or_default().into();
    Json(body).into_response()
}

fn us_row(day: &Day, it: &Instrument, row: &Row) -> Value {
    let dollars = |units: i64| {
        let mut text = String::new();
        push_decimal(&mut text, units, 4);
        text
    };
    let two = |hundredths: i64| {
        let mut text = String::new();
        push_decimal(&mut text, hundredths, 2);
        text
    };
    let change = row.print.price - it.profile.base;
    json!({
        "khms": format!("{:06}", day.korean_time(row.time)),
        "last": dollars(row.print.price),
        "sign": sign(change),
        "diff": dollars(change.abs()),
        "rate": two(percent(change, it.profile.base)),
        "evol": row.print.quantity.to_string(),
        "tvol": row.volume.to_string(),
        "mtyp": "2",
        "pbid": dollars(row.bid),
        "pask": dollars(row.ask),
        "vpow": two(percent(row.sides.1, row.sides.0)),
    })
}

/// Success without a row.
fn empty() -> Value {
    json!({ "rt_cd": "0", "msg_cd": "MCA00000", "msg1": "정상처리 되었습니다.", "output1": {}, "output2": [] })
}

fn page(it: Option<&Instrument>, tape: Tape, hour: u32) -> Value {
    let Some(it) = it else { return empty() };
    let rows = it.rows(tape);
    let end = rows.partition_point(|row| row.time <= hour);
    let newest: Vec<Row> = rows.range(..end).rev().take(PAGE).copied().collect();
    of_rows(it, &newest, rows.back())
}

/// Rows, newest first, and beside them the newest of all.
fn of_rows(it: &Instrument, rows: &[Row], last: Option<&Row>) -> Value {
    let mut body = empty();
    if let Some(last) = last {
        let mut output = change(it, last.print.price);
        output["stck_prpr"] = last.print.price.to_string().into();
        output["acml_vol"] = last.volume.to_string().into();
        output["prdy_vol"] = it.previous_volume.to_string().into();
        output["rprs_mrkt_kor_name"] = "KOSPI200".into();
        body["output1"] = output;
    }
    body["output2"] = rows.iter().map(|row| row_of(it, row)).collect();
    body
}

fn row_of(it: &Instrument, row: &Row) -> Value {
    let mut time = String::new();
    push_padded(&mut time, row.time, 6);
    let mut strength = String::new();
    push_decimal(&mut strength, percent(row.sides.1, row.sides.0), 2);
    let mut output = change(it, row.print.price);
    output["stck_cntg_hour"] = time.into();
    output["stck_pbpr"] = row.print.price.to_string().into();
    output["askp"] = row.ask.to_string().into();
    output["bidp"] = row.bid.to_string().into();
    output["tday_rltv"] = strength.into();
    output["acml_vol"] = row.volume.to_string().into();
    output["cnqn"] = row.print.quantity.to_string().into();
    output
}

/// The change against the previous close.
fn change(it: &Instrument, price: i64) -> Value {
    let change = price - it.profile.base;
    let mut rate = String::new();
    push_decimal(&mut rate, percent(change, it.profile.base), 2);
    json!({ "prdy_vrss": change.to_string(), "prdy_vrss_sign": sign(change), "prdy_ctrt": rate })
}
