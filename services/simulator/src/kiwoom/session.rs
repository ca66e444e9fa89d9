//! The conversation on one socket: LOGIN, REG, REMOVE and the echo of PING turn into answers and registrations
//! (kiwoom.md 3).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::item;
use super::window::Window;
use crate::request::Reply;
use crate::state::State;
use crate::tr::{Broker, Kind, Tr};

/// What the server sends and wants back unchanged.
pub const PING: &str = r#"{"trnm":"PING"}"#;
/// What the older of two sessions is told.
pub const KICKED: &str = r#"{"trnm":"SYSTEM","code":"R10001","message":"동일한 App key로 접속이 되었습니다. 기존 세션은 종료가 됩니다"}"#;
/// The whole market has no code of its own: its rows ride on an instrument that is always there.
const CARRIER: &str = "005930";

/// What a socket has said so far.
#[derive(Debug, Default)]
pub struct Session {
    logged_in: bool,
    /// Group, item, type.
    wanted: BTreeSet<(String, String, String)>,
    requests: Window,
}

impl Session {
    /// Answers a text of connection `id`.
    pub fn answer(&mut self, state: &State, id: u64, text: &str, now: Instant) -> Reply {
        let message = serde_json::from_str::<Value>(text).unwrap_or_default();
        let name = message.get("trnm").and_then(Value::as_str).unwrap_or("");
        let answer = match name {
            // Clients in the field send it back through their own JSON writer, with other white space, and live.
            "PING" => return if message == json!({ "trnm": "PING" }) { Reply::Pong } else { Reply::Nothing },
            "LOGIN" => self.login(state, id, &message, now),
            _ if !self.logged_in => early(),
            "REG" | "REMOVE" => match self.change(state, id, &message, name == "REG", now) {
                Ok(()) => json!({ "trnm": name, "return_code": 0, "return_msg": "" }),
                Err(code) => refusal(name, &code),
            },
            _ => refusal(name, "105108"),
        };
        Reply::Answer(answer.to_string())
    }

    fn login(&mut self, state: &State, id: u64, message: &Value, now: Instant) -> Value {
        let Some(token) = message.get("token").and_then(Value::as_str).filter(|token| !token.is_empty())
        else {
            return refusal("LOGIN", "805002");
        };
        let Some(app_key) = state.tokens().holder(token, now).map(str::to_owned) else {
            return refusal("LOGIN", "805004");
        };
        state.hub().take_over(id, &app_key);
        self.logged_in = true;
        json!({ "trnm": "LOGIN", "return_code": 0, "return_msg": "", "sor_yn": "Y" })
    }

    fn change(
        &mut self,
        state: &State,
        id: u64,
        message: &Value,
        add: bool,
        now: Instant,
    ) -> Result<(), String> {
        let settings = &state.settings.kiwoom;
        if add {
            if !self.requests.admit(settings.registrations_per_second, now) {
                return Err("105110".to_owned());
            }
            if let Some(code) = state.hub().refusal(Broker::Kiwoom) {
                return Err(code);
            }
        }
        let text = |name: &str| message.get(name).and_then(Value::as_str);
        let group = text("grp_no").filter(|group| group.len() <= 4).ok_or("100002")?;
        let data = message.get("data").and_then(Value::as_array).ok_or("100002")?;
        let mut wanted = self.wanted.clone();
        if add && text("refresh") == Some("0") {
            // Not documented whether it means the group or the connection: here the group.
            wanted.retain(|(named, _, _)| named != group);
        }
        for element in data {
            let (items, types) = (texts(element, "item")?, texts(element, "type")?);
            for (item, name) in items.iter().flat_map(|item| types.iter().map(move |name| (item, name))) {
                let registration = (group.to_owned(), (*item).to_owned(), (*name).to_owned());
                if add {
                    wanted.insert(registration);
                } else {
                    wanted.remove(&registration);
                }
            }
        }
        let items: BTreeSet<&str> = wanted.iter().map(|(_, item, _)| item.as_str()).collect();
        if add && items.len() > settings.items {
            return Err("105115".to_owned());
        }
        self.wanted = wanted;
        let registrations = self.registrations(state);
        state.hub().replace(id, registrations);
        Ok(())
    }

    /// What can have data: nonsense and unknown types are acknowledged like all else, and stay silent.
    fn registrations(&self, state: &State) -> BTreeMap<(Tr, String), usize> {
        let mut market = state.market();
        let mut found = BTreeMap::new();
        for (_, item, name) in &self.wanted {
            let (code, tape) = item::split(item);
            let Some(tr) = Tr::of_type(name, tape) else { continue };
            let code = if tr.kind() == Kind::Status { CARRIER } else { code };
            if let Some(instrument) = item::resolve(&mut market, code) {
                found.insert((tr, item.clone()), instrument);
            }
        }
        found
    }
}

/// The texts of a list.
fn texts<'a>(element: &'a Value, name: &str) -> Result<Vec<&'a str>, &'static str> {
    let list = element.get(name).and_then(Value::as_array).ok_or("100002")?;
    list.iter().map(|value| value.as_str().ok_or("100002")).collect()
}

/// Whatever comes before the LOGIN is thrown away. The server really prints `%s`.
fn early() -> Value {
    json!({
        "return_code": 100_013,
        "return_msg": "로그인 인증이 들어오기 전에 다른 전문이 들어왔습니다. 해당 전문은 무시됩니다. (TRNM=%s)",
    })
}

/// A refusal with its texts; a code by script has none.
fn refusal(name: &str, code: &str) -> Value {
    let text = match code {
        "100002" => "필수 입력값이 누락되었습니다[CODE=100002, MESSAGE=입력값을 확인해 주세요]",
        "105108" => "지원하지 않는 전문입니다[CODE=105108, MESSAGE=trnm을 확인해 주세요]",
        "105110" => "실시간 등록 요청 개수를 초과하였습니다[CODE=105110, MESSAGE=초당 등록 요청 개수 초과]",
        "105115" => "실시간 등록 종목 개수를 초과하였습니다[CODE=105115, MESSAGE=등록 가능 종목 개수 초과]",
        "805002" => "인증에 실패했습니다[CODE=8005, MESSAGE=Token이 없습니다]",
        "805004" => "인증에 실패했습니다[CODE=8005, MESSAGE=Token이 유효하지 않습니다]",
        _ => "요청이 거부되었습니다",
    };
    json!({ "trnm": name, "return_code": code.parse::<i64>().unwrap_or(-1), "return_msg": text })
}
