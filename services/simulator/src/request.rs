//! One message of a client turns into the broker's answer (kis.md 2.1 to 2.4).

use serde_json::Value;
use tokio::time::Instant;

use crate::hub::Outcome;
use crate::market::random::Random;
use crate::state::State;
use crate::tr::{Broker, Tr};

/// What a client's message asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is the answer to a PINGPONG.
    Pong,
    /// Send this.
    Answer(String),
    /// Say nothing.
    Nothing,
}

/// A well-formed request.
struct Request<'a> {
    approval_key: &'a str,
    subscribe: bool,
    tr: Tr,
    tr_key: &'a str,
}

/// Answers the text message of connection `id`; registers and deregisters.
pub fn answer(state: &State, id: u64, text: &str) -> Reply {
    let Ok(message) = serde_json::from_str::<Value>(text) else { return Reply::Answer(refusal("OPSP9999")) };
    if message.pointer("/header/tr_id").and_then(Value::as_str) == Some("PINGPONG") {
        return Reply::Pong;
    }
    Reply::Answer(match parse(&message) {
        Ok(request) => decide(state, id, &request),
        Err(code) => refusal(code),
    })
}

fn parse(message: &Value) -> Result<Request<'_>, &'static str> {
    let header = message.get("header").ok_or("OPSP9998")?;
    let field = |name: &str| header.get(name).and_then(Value::as_str);
    match field("custtype") {
        Some("P" | "B") => {}
        Some(_) => return Err("OPSP8998"),
        None => return Err("OPSP9997"),
    }
    let subscribe = match field("tr_type") {
        Some("1") => true,
        Some("2") => false,
        _ => return Err("OPSP8997"),
    };
    let body = message.get("body").ok_or("OPSP9992")?;
    let input = body.get("input").ok_or("OPSP9991")?;
    let tr_id = input.get("tr_id").and_then(Value::as_str).ok_or("OPSP8991")?;
    let tr_key = input.get("tr_key").and_then(Value::as_str).ok_or("OPSP9990")?;
    // A TR that does not exist is answered with the text of a wrong key: so it was seen.
    let tr = Tr::of(tr_id).ok_or("OPSP8993")?;
    Ok(Request { approval_key: field("approval_key").unwrap_or(""), subscribe, tr, tr_key })
}

fn decide(state: &State, id: u64, request: &Request<'_>) -> String {
    let (tr, key, now) = (request.tr, request.tr_key, Instant::now());
    let Some(app_key) = state.credentials().holder(request.approval_key, now).map(str::to_owned) else {
        return refusal("OPSP0011");
    };
    let mut hub = state.hub();
    if !hub.claim(id, &app_key, now) {
        return refusal("OPSP8996");
    }
    if !request.subscribe {
        return match hub.unsubscribe(id, tr, key) {
            Outcome::Done => success(tr, key, "OPSP0001"),
            _ => logical(tr, key, "OPSP0003"),
        };
    }
    if let Some(code) = hub.refusal(Broker::Kis) {
        return if code.starts_with("OPSP00") { logical(tr, key, &code) } else { refusal(&code) };
    }
    let Ok(instrument) = state.market().resolve(key, tr.is_us()) else { return refusal("OPSP8992") };
    match hub.subscribe(id, tr, key, instrument) {
        Outcome::Done => success(tr, key, "OPSP0000"),
        Outcome::Already => logical(tr, key, "OPSP0002"),
        Outcome::Full | Outcome::NotFound => logical(tr, key, "OPSP0008"),
    }
}

/// The English text of a code.
fn text(code: &str) -> &'static str {
    match code {
        "OPSP0000" => "SUBSCRIBE SUCCESS",
        "OPSP0001" => "UNSUBSCRIBE SUCCESS",
        "OPSP0002" => "ALREADY IN SUBSCRIBE",
        "OPSP0003" => "UNSUBSCRIBE ERROR (not found!)",
        "OPSP0007" => "SUBSCRIBE INTERNAL ERROR",
        "OPSP0008" => "MAX SUBSCRIBE OVER",
        "OPSP0009" => "SUBSCRIBE ERROR : mci send failed",
        "OPSP0010" => "SUBSCRIBE WARNING : invalid appkey",
        "OPSP0011" => "invalid approval : NOT FOUND",
        "OPSP8991" => "invalid tr_id",
        "OPSP8992" => "invalid tr_key",
        "OPSP8993" => "JSON PARSING ERROR : invalid tr_key",
        "OPSP8996" => "ALREADY IN USE appkey",
        "OPSP8997" => "invalid tr_type",
        "OPSP8998" => "invalid custtype",
        "OPSP8999" => "resource not available (ALLOC_CALL_PARAM)",
        "OPSP9990" => "tr_key not found",
        "OPSP9991" => "input not found",
        "OPSP9992" => "body not found",
        "OPSP9993" => "internal error",
        "OPSP9994" => "INVALID appkey",
        "OPSP9995" => "resource not available",
        "OPSP9997" => "custtype not found",
        "OPSP9998" => "header not found",
        "OPSP9999" => "invalid json format",
        _ => "error",
    }
}

/// A parse or session error: it echoes nothing.
fn refusal(code: &str) -> String {
    form("(null)", "", "9", code, "")
}

/// A refusal of this very registration.
fn logical(tr: Tr, key: &str, code: &str) -> String {
    form(tr.code(), key, "1", code, "")
}

/// Success, with the iv and key that quote TRs never use.
fn success(tr: Tr, key: &str, code: &str) -> String {
    let mut random = Random::new(0, key);
    let (iv, low, high) = (random.next(), random.next(), random.next());
    let output = format!(r#","output":{{"iv":"{iv:016x}","key":"{low:016x}{high:016x}"}}"#);
    form(tr.code(), key, "0", code, &output)
}

fn form(tr: &str, key: &str, rt_cd: &str, code: &str, output: &str) -> String {
    let (key, code_text) = (Value::from(key), Value::from(code));
    format!(
        r#"{{"header":{{"tr_id":"{tr}","tr_key":{key},"encrypt":"N"}},"body":{{"rt_cd":"{rt_cd}","msg_cd":{code_text},"msg1":"{}"{output}}}}}"#,
        text(code)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_captured_form() {
        assert_eq!(
            refusal("OPSP8996"),
            r#"{"header":{"tr_id":"(null)","tr_key":"","encrypt":"N"},"body":{"rt_cd":"9","msg_cd":"OPSP8996","msg1":"ALREADY IN USE appkey"}}"#
        );
        let answer: Value = serde_json::from_str(&success(Tr::KrxBook, "000660", "OPSP0000")).expect("JSON");
        assert_eq!(answer["header"]["tr_key"], "000660");
        assert_eq!(answer["body"]["output"]["iv"].as_str().map(str::len), Some(16));
        assert_eq!(answer["body"]["output"]["key"].as_str().map(str::len), Some(32));
    }
}
