//! KIS control messages: JSON text frames beside the data.
//!
//! ```text
//! {"header":{"tr_id":"H0STCNT0","tr_key":"000660","encrypt":"N"},"body":{"rt_cd":"0","msg_cd":"OPSP0000","msg1":"SUBSCRIBE SUCCESS",…}}
//! {"header":{"tr_id":"PINGPONG","datetime":"20230502221924"}}
//! ```
//! Both captured. Every part is optional: a PINGPONG has no body, an error no output, and on session errors the id
//! is the text `(null)`. The `output` (an AES key) is never read: it matters to execution notices only.

use serde::{Deserialize, Serialize};

/// A control message, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Wants to be sent back byte for byte.
    PingPong,
    /// The answer to a request.
    Answer(Answer),
    /// JSON that is neither.
    Unknown,
}

/// The answer to a subscribe or unsubscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The TR asked for; none on errors that cannot be matched (`(null)`).
    pub tr_id: Option<String>,
    /// The key asked for, perhaps empty.
    pub tr_key: String,
    /// The broker's code, for example `OPSP0000`.
    pub code: String,
    /// The broker's text.
    pub text: String,
}

/// What an answer asks of us. Table: `msg_cd` of the KIS help and two public code lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Registered, or was before (`ALREADY IN SUBSCRIBE` is no error, and is never sent again in a loop).
    Registered,
    /// No longer registered, or never was.
    Deregistered,
    /// Try this registration once more in a while.
    TryAgain,
    /// No room for more registrations in this session.
    LimitReached,
    /// This registration cannot be had.
    Refused,
    /// The server cannot serve now: connect again later.
    ServerTrouble,
    /// The approval key is dead: get a new one and connect again.
    KeyExpired,
    /// Another session holds the app key: wait, do not hammer.
    KeyInUse,
    /// The credentials are refused for good.
    BadCredentials,
}

impl Answer {
    /// What to do about the answer.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.code.as_str() {
            "OPSP0000" | "OPSP0002" => Verdict::Registered,
            "OPSP0001" | "OPSP0003" => Verdict::Deregistered,
            "OPSP0007" | "OPSP0009" => Verdict::TryAgain,
            "OPSP0008" => Verdict::LimitReached,
            "OPSP0010" | "OPSP8994" | "OPSP8995" | "OPSP9994" | "OPSP9996" => Verdict::BadCredentials,
            "OPSP0011" => Verdict::KeyExpired,
            "OPSP8996" => Verdict::KeyInUse,
            "OPSP8999" | "OPSP9993" | "OPSP9995" => Verdict::ServerTrouble,
            _ => Verdict::Refused,
        }
    }
}

#[derive(Deserialize)]
struct RawMessage {
    header: Option<RawHeader>,
    body: Option<RawBody>,
}

#[derive(Deserialize)]
struct RawHeader {
    tr_id: Option<String>,
    tr_key: Option<String>,
}

#[derive(Deserialize)]
struct RawBody {
    msg_cd: Option<String>,
    msg1: Option<String>,
}

/// Reads a control message; `None` when the text is no JSON object.
#[must_use]
pub fn read(text: &str) -> Option<Control> {
    let raw: RawMessage = serde_json::from_str(text).ok()?;
    let header = raw.header.unwrap_or(RawHeader { tr_id: None, tr_key: None });
    if header.tr_id.as_deref() == Some("PINGPONG") {
        return Some(Control::PingPong);
    }
    let Some(RawBody { msg_cd: Some(code), msg1 }) = raw.body else { return Some(Control::Unknown) };
    Some(Control::Answer(Answer {
        tr_id: header.tr_id.filter(|id| !id.is_empty() && id != "(null)"),
        tr_key: header.tr_key.unwrap_or_default(),
        code,
        text: msg1.unwrap_or_default(),
    }))
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// `tr_type` 1.
    Subscribe,
    /// `tr_type` 2; the docstrings that say 0 are wrong.
    Unsubscribe,
}

#[derive(Serialize)]
struct Request<'a> {
    header: RequestHeader<'a>,
    body: RequestBody<'a>,
}

#[derive(Serialize)]
struct RequestHeader<'a> {
    approval_key: &'a str,
    custtype: &'a str,
    tr_type: &'a str,
    #[serde(rename = "content-type")]
    content_type: &'a str,
}

#[derive(Serialize)]
struct RequestBody<'a> {
    input: RequestInput<'a>,
}

#[derive(Serialize)]
struct RequestInput<'a> {
    tr_id: &'a str,
    tr_key: &'a str,
}

/// The text of a request. It holds the approval key: never log it.
#[must_use]
pub fn request(ask: Ask, approval_key: &str, tr_id: &str, tr_key: &str) -> String {
    let tr_type = match ask {
        Ask::Subscribe => "1",
        Ask::Unsubscribe => "2",
    };
    let header = RequestHeader { approval_key, custtype: "P", tr_type, content_type: "utf-8" };
    let request = Request { header, body: RequestBody { input: RequestInput { tr_id, tr_key } } };
    // Plain text fields: this cannot fail, and an empty request would be answered with an error.
    serde_json::to_string(&request).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Answer {
        match read(text) {
            Some(Control::Answer(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn captured_messages_are_understood() {
        let lines: Vec<_> = include_str!("../../fixtures/kis/control.txt").lines().collect();
        assert_eq!(lines.len(), 7);
        for (line, id, key) in [
            (0, "H0STASP0", "000660"),
            (1, "H0STCNT0", "000660"),
            (2, "HDFSASP0", "DAMSSPY"),
            (3, "HDFSCNT0", "DAMSSPY"),
        ] {
            let answer = answer(lines[line]);
            assert_eq!((answer.tr_id.as_deref(), answer.tr_key.as_str()), (Some(id), key));
            assert_eq!(answer.verdict(), Verdict::Registered);
        }
        assert_eq!((read(lines[4]), read(lines[5])), (Some(Control::PingPong), Some(Control::PingPong)));
        let in_use = answer(lines[6]);
        assert_eq!((in_use.tr_id.as_deref(), in_use.verdict()), (None, Verdict::KeyInUse));
    }

    #[test]
    fn refusals_are_told_apart() {
        for (code, verdict) in [
            ("OPSP0002", Verdict::Registered),
            ("OPSP0003", Verdict::Deregistered),
            ("OPSP0008", Verdict::LimitReached),
            ("OPSP0011", Verdict::KeyExpired),
            ("OPSP8996", Verdict::KeyInUse),
            ("OPSP9994", Verdict::BadCredentials),
            ("OPSP8992", Verdict::Refused),
            ("OPSP7777", Verdict::Refused),
        ] {
            let text = format!(
                r#"{{"header":{{"tr_id":"(null)","tr_key":""}},"body":{{"rt_cd":"9","msg_cd":"{code}","msg1":"x"}}}}"#
            );
            let answer = answer(&text);
            assert_eq!((answer.tr_id.clone(), answer.verdict()), (None, verdict), "{code}");
        }
    }

    #[test]
    fn anything_else_is_no_panic() {
        assert_eq!(read("0|H0STCNT0|001|x"), None);
        assert_eq!(read("{"), None);
        assert_eq!(read("{}"), Some(Control::Unknown));
        assert_eq!(read(r#"{"header":{"tr_id":null},"body":{}}"#), Some(Control::Unknown));
    }

    #[test]
    fn a_request_is_what_the_portal_documents() {
        assert_eq!(
            request(Ask::Subscribe, "key", "H0STCNT0", "005930"),
            r#"{"header":{"approval_key":"key","custtype":"P","tr_type":"1","content-type":"utf-8"},"body":{"input":{"tr_id":"H0STCNT0","tr_key":"005930"}}}"#
        );
        assert!(request(Ask::Unsubscribe, "key", "H0STCNT0", "005930").contains(r#""tr_type":"2""#));
    }
}
