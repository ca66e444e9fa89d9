//! Codes and pages turn into Kiwoom's HTTP answers: bodies with `return_code`, paging in headers only
//! (kiwoom.md 1, 1.1).

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Map, Value, json};

/// The text of success.
const FINE: &str = "정상적으로 처리되었습니다";

/// A text field of a JSON object; empty when it is missing.
pub fn field<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or("")
}

/// Rows of a TR and where it goes on.
#[derive(Debug, Default)]
pub struct Page {
    /// Fields beside the rows.
    pub head: Map<String, Value>,
    /// Name of the list.
    pub list: &'static str,
    /// The rows, newest first.
    pub rows: Vec<Value>,
    /// The cursor of the next page; none = this is the last.
    pub next_key: Option<String>,
}

impl Page {
    /// One row of empty strings: an unknown code, or the end of the history.
    #[must_use]
    pub fn blank(list: &'static str, fields: &[&str]) -> Self {
        let row: Map<String, Value> =
            fields.iter().map(|name| ((*name).to_owned(), Value::from(""))).collect();
        Self { list, rows: vec![Value::Object(row)], ..Self::default() }
    }

    /// The answer of `tr`.
    #[must_use]
    pub fn answer(self, tr: &str) -> Response {
        let mut headers = HeaderMap::new();
        let more = if self.next_key.is_some() { "Y" } else { "N" };
        let count = self.rows.len().to_string();
        let next_key = self.next_key.unwrap_or_default();
        for (name, value) in [
            ("api-id", tr),
            ("cont-yn", more),
            ("next-key", &next_key),
            ("resp-cnt", &count),
            ("user-data", ""),
        ] {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
        let mut body = self.head;
        body.insert(self.list.to_owned(), Value::Array(self.rows));
        // One TR is documented with another spelling.
        let names = if tr == "ka10084" { ["returnCode", "returnMsg"] } else { ["return_code", "return_msg"] };
        body.insert(names[0].to_owned(), 0.into());
        body.insert(names[1].to_owned(), FINE.into());
        (headers, Json(Value::Object(body))).into_response()
    }
}

/// Success without data, and `more` beside it.
#[must_use]
pub fn fine(mut more: Value) -> Response {
    more["return_code"] = 0.into();
    more["return_msg"] = FINE.into();
    Json(more).into_response()
}

/// The refusal with a detail code, for a call of `tr`.
#[must_use]
pub fn refusal(detail: &str, tr: &str) -> Response {
    let (status, code, text) = match detail {
        "1501" => (200, 2, "입력 값 오류입니다[1501:API ID가 존재하지 않습니다]".to_owned()),
        "1504" => (200, 2, "입력 값 오류입니다[1504:해당 URI에서는 지원하는 API ID가 아닙니다]".to_owned()),
        "1505" => (200, 2, "입력 값 오류입니다[1505:해당 API ID는 존재하지 않습니다]".to_owned()),
        "1511" => (200, 2, "입력 값 오류입니다[1511:필수 입력 값에 값이 존재하지 않습니다]".to_owned()),
        "1517" => (200, 2, "입력 값 오류입니다[1517:입력 값의 형식이 올바르지 않습니다]".to_owned()),
        "1634" => (
            200,
            5,
            "허용된 요청 개수를 초과하였습니다[1634:종목코드는 100개까지 입력 가능합니다]".to_owned(),
        ),
        "1700" => (
            429,
            5,
            format!(
                "허용된 요청 개수를 초과하였습니다[1700:허용된 API 요청 개수를 초과하였습니다. 유량=5, API ID={tr}]"
            ),
        ),
        "1902" => (200, 2, "입력 값 오류입니다[1902:종목 정보가 없습니다]".to_owned()),
        "1903" => (200, 2, "입력 값 오류입니다[1903:거래소에 없는 종목입니다]".to_owned()),
        "1999" => (200, 1, "예기치 못한 에러가 발생하였습니다[1999:서버 오류]".to_owned()),
        "8001" => (200, 3, "인증에 실패했습니다[8001:App Key와 Secret Key 검증에 실패했습니다]".to_owned()),
        "8002" => (200, 3, "인증에 실패했습니다[8002:App Key와 Secret Key 검증에 실패했습니다]".to_owned()),
        "8005" => (200, 3, "인증에 실패했습니다[8005:Token이 유효하지 않습니다]".to_owned()),
        "8012" => (200, 3, "인증에 실패했습니다[8012:grant_type의 값이 맞지 않습니다]".to_owned()),
        "8015" => (200, 3, "인증에 실패했습니다[8015:접근토큰 폐기에 실패하였습니다]".to_owned()),
        other => (200, 3, format!("요청이 거부되었습니다[{other}:오류]")),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    (status, Json(json!({ "return_code": code, "return_msg": text }))).into_response()
}

/// A page of HTML in place of the API.
#[must_use]
pub fn html(status: StatusCode, text: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html")], text.to_owned()).into_response()
}
