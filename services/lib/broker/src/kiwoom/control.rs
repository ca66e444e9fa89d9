//! Kiwoom's WebSocket messages: JSON text, `trnm` says of which kind.
//!
//! ```text
//! {"trnm":"LOGIN","return_code":0,"return_msg":"","sor_yn":"Y"}
//! {"trnm":"REG","return_code":0,"return_msg":""}
//! {"trnm":"SYSTEM","code":"R10001","message":"동일한 App key로 접속이 되었습니다. …"}
//! {"trnm":"REAL","data":[{"type":"0B","name":"주식체결","item":"005930","values":{…}}]}
//! ```
//! The order of the keys varies. An answer names neither the group nor the items it is about.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use super::answer::{self, Verdict};
use super::registration::Types;

/// A message, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Data.
    Real,
    /// Wants to be sent back byte for byte.
    Ping,
    /// The answer to a request.
    Answer(Asked, Answer),
    /// The server speaks: `R10001` means that another session took the key.
    System {
        /// The server's code.
        code: String,
        /// The server's text.
        message: String,
    },
    /// A JSON object that is none of these.
    Unknown,
}

/// Which request an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The token was shown.
    Login,
    /// Items were registered.
    Register,
    /// Items were given back.
    Remove,
    /// It does not say: 100013 was published without a `trnm`.
    Unnamed,
}

/// The result of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 0, or the generic code.
    pub code: i64,
    /// The broker's text; the detail code stands in it.
    pub text: String,
}

impl Answer {
    /// What it asks of us.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        answer::verdict(self.code, &self.text)
    }

    /// The most precise code, for people and counters.
    #[must_use]
    pub fn precise_code(&self) -> String {
        answer::detail_code(&self.text).map_or_else(|| self.code.to_string(), |detail| detail.to_string())
    }
}

/// The top level of any JSON answer, WebSocket and REST alike.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    trnm: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "number")]
    return_code: Option<i64>,
    return_msg: Option<String>,
    /// The spelling of one printed page of the reference.
    #[serde(rename = "returnCode", default, deserialize_with = "number")]
    return_code_camel: Option<i64>,
    #[serde(rename = "returnMsg")]
    return_msg_camel: Option<String>,
    code: Option<String>,
    message: Option<String>,
}

impl Head<'_> {
    fn answer(self) -> Option<Answer> {
        let code = self.return_code.or(self.return_code_camel)?;
        Some(Answer { code, text: self.return_msg.or(self.return_msg_camel).unwrap_or_default() })
    }
}

/// A number, or a text of digits.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    match Option::<Either>::deserialize(from)? {
        Some(Either::Number(number)) => Ok(Some(number)),
        Some(Either::Text(text)) => text.trim().parse().map(Some).map_err(serde::de::Error::custom),
        None => Ok(None),
    }
}

/// Reads a message; `None` when the text is no JSON object.
#[must_use]
pub fn read(text: &str) -> Option<Control> {
    // By far the most frequent, and several kB long: not read twice.
    if text.starts_with(r#"{"trnm":"REAL""#) || text.ends_with(r#""trnm":"REAL"}"#) {
        return Some(Control::Real);
    }
    let head: Head<'_> = serde_json::from_str(text).ok()?;
    let asked = match head.trnm.as_deref() {
        Some("REAL") => return Some(Control::Real),
        Some("PING") => return Some(Control::Ping),
        Some("SYSTEM") => {
            let (code, message) = (head.code.unwrap_or_default(), head.message.unwrap_or_default());
            return Some(Control::System { code, message });
        }
        Some("LOGIN") => Asked::Login,
        Some("REG") => Asked::Register,
        Some("REMOVE") => Asked::Remove,
        None => Asked::Unnamed,
        Some(_) => return Some(Control::Unknown),
    };
    Some(head.answer().map_or(Control::Unknown, |answer| Control::Answer(asked, answer)))
}

/// Code and text of a REST body; `None` when it is no JSON object with a code.
#[must_use]
pub fn read_answer(body: &str) -> Option<Answer> {
    serde_json::from_str::<Head<'_>>(body).ok()?.answer()
}

/// The items that a data frame is about, in order, without reading the rest of it.
pub fn items(frame: &str) -> impl Iterator<Item = &str> {
    let key = r#""item""#;
    memchr::memmem::find_iter(frame.as_bytes(), key).filter_map(move |at| {
        let value =
            frame.get(at + key.len()..)?.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
        value.split('"').next()
    })
}

#[derive(Serialize)]
struct Login<'a> {
    trnm: &'static str,
    token: &'a str,
}

#[derive(Serialize)]
struct Request<'a> {
    trnm: &'static str,
    grp_no: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<&'static str>,
    data: [Data<'a>; 1],
}

#[derive(Serialize)]
struct Data<'a> {
    item: &'a [String],
    r#type: Vec<&'static str>,
}

/// The text of LOGIN. It holds the token: never log it.
#[must_use]
pub fn login(token: &str) -> String {
    // Plain text fields: this cannot fail, and an empty request would be answered with an error.
    serde_json::to_string(&Login { trnm: "LOGIN", token }).unwrap_or_default()
}

/// The text of REG. `refresh` is always `1`, keep what is registered: what `0` drops is documented nowhere.
#[must_use]
pub fn register(group: u32, codes: &[String], types: Types) -> String {
    request("REG", group, Some("1"), codes, types)
}

/// The text of REMOVE; `group` is the one that the items were registered with.
#[must_use]
pub fn remove(group: u32, codes: &[String], types: Types) -> String {
    request("REMOVE", group, None, codes, types)
}

fn request(
    trnm: &'static str,
    group: u32,
    refresh: Option<&'static str>,
    codes: &[String],
    types: Types,
) -> String {
    let data = [Data { item: codes, r#type: types.codes().collect() }];
    let request = Request { trnm, grp_no: group.to_string(), refresh, data };
    serde_json::to_string(&request).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: i64, text: &str) -> Answer {
        Answer { code, text: text.to_owned() }
    }

    #[test]
    fn published_messages_are_understood() {
        let kicked = r#"{"trnm":"SYSTEM","code":"R10001","message":"동일한 App key로 접속이 되었습니다. 기존 세션은 종료가 됩니다"}"#;
        let early = r#"{"return_code":100013,"return_msg":"로그인 인증이 들어오기 전에 다른 전문이 들어왔습니다. (TRNM=%s)"}"#;
        for (text, expected) in [
            (
                r#"{"trnm":"LOGIN","return_code":0,"return_msg":"","sor_yn":"Y"}"#,
                Control::Answer(Asked::Login, answer(0, "")),
            ),
            (
                r#"{"return_msg":"","return_code":"0","trnm":"REG"}"#,
                Control::Answer(Asked::Register, answer(0, "")),
            ),
            (r#"{"trnm":"REMOVE","return_code":0}"#, Control::Answer(Asked::Remove, answer(0, ""))),
            (r#"{"trnm":"PING"}"#, Control::Ping),
            (r#"{"trnm":"REAL","data":[]}"#, Control::Real),
            (r#"{"data":[],"trnm":"REAL"}"#, Control::Real),
            (r#"{ "data": [{"type":"0B"}], "trnm": "REAL" }"#, Control::Real),
            (r#"{"trnm":"CNSRLST","data":null}"#, Control::Unknown),
            (r#"{"trnm":"REG"}"#, Control::Unknown),
            ("{}", Control::Unknown),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        assert!(matches!(read(kicked), Some(Control::System { code, message })
            if code == "R10001" && message.starts_with("동일한")));
        let Some(Control::Answer(Asked::Unnamed, early)) = read(early) else { panic!("{early}") };
        assert_eq!((early.verdict(), early.precise_code().as_str()), (Verdict::NotLoggedIn, "100013"));
    }

    #[test]
    fn anything_else_is_no_panic() {
        for text in ["", "{", "null", "[]", "0|x", r#"{"trnm":5}"#, r#"{"trnm":"REG","return_code":"x"}"#] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_rest_answer_has_its_code_in_either_spelling() {
        let dead = r#"{"return_code":3,"return_msg":"인증에 실패했습니다[8005:Token이 유효하지 않습니다]"}"#;
        let dead = read_answer(dead).expect("answer");
        assert_eq!((dead.verdict(), dead.precise_code().as_str()), (Verdict::TokenDead, "8005"));
        let camel = r#"{"tdy_pred_cntr":[{"code":1}],"returnCode":0,"returnMsg":"정상"}"#;
        assert_eq!(read_answer(camel), Some(answer(0, "정상")));
        for body in ["<html>", "{}", "[]"] {
            assert_eq!(read_answer(body), None, "{body}");
        }
    }

    #[test]
    fn requests_are_what_the_guide_documents() {
        let codes = ["005930".to_owned(), "000660_NX".to_owned()];
        assert_eq!(login("t"), r#"{"trnm":"LOGIN","token":"t"}"#);
        assert_eq!(
            register(1, &codes, Types::TRADES.and(Types::BOOKS)),
            r#"{"trnm":"REG","grp_no":"1","refresh":"1","data":[{"item":["005930","000660_NX"],"type":["0B","0D"]}]}"#
        );
        assert_eq!(
            remove(12, &codes[..1], Types::BOOKS),
            r#"{"trnm":"REMOVE","grp_no":"12","data":[{"item":["005930"],"type":["0D"]}]}"#
        );
    }

    #[test]
    fn the_items_of_a_frame_are_found_in_any_spelling() {
        let frame = r#"{"trnm":"REAL","data":[{"item":"005930","type":"0B"},{"item" : "000660_NX"},{"item":5},{"item"#;
        assert_eq!(items(frame).collect::<Vec<_>>(), ["005930", "000660_NX"]);
    }
}
