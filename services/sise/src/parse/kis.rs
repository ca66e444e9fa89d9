//! KIS: frames one a line; control messages and REST bodies begin with a brace, bodies over one or many lines.

use broker::kis::control::{self, Control};
use broker::kis::page::{self, Call, TradeRow};
use broker::kis::parse::KisParser;
use market::calendar::Calendar;
use market::{Source, Tape, TradeDate};
use serde_json::{Value, json};

use super::Reader;
use super::messages::Messages;
use crate::json::clock;

/// Reads frames of every TR, and pages of trades.
pub struct Kis {
    parser: KisParser,
    received_ns: i64,
    date: TradeDate,
    messages: Messages,
}

impl Kis {
    pub fn new(received_ns: i64, date: TradeDate) -> Self {
        let parser = KisParser::new(Calendar::built_in().clone());
        Self { parser, received_ns, date, messages: Messages::default() }
    }

    fn message(&mut self, text: &str, line: usize) -> Vec<Value> {
        match text.as_bytes().first() {
            None => Vec::new(),
            Some(b'{') => match Call::of(text) {
                Some(call) => self.page(call, text, line),
                None => vec![control(text, line)],
            },
            Some(_) => super::frame(&mut self.parser, Source::Kis, text, line, self.received_ns),
        }
    }

    fn page(&self, call: Call, text: &str, line: usize) -> Vec<Value> {
        let page = match call {
            Call::TradesOfDay => page::trades_of_day(text, self.date),
            Call::UsTrades => page::us_trades(text, Tape::Us, self.date),
        };
        super::rows(line, call.id(), page, trade)
    }

    fn all(&mut self, messages: Vec<(String, usize)>) -> Vec<Value> {
        messages.into_iter().flat_map(|(text, line)| self.message(&text, line)).collect()
    }
}

impl Reader for Kis {
    fn line(&mut self, text: &str, line: usize) -> Vec<Value> {
        // A frame ends a message that was cut off before it.
        let cut = if is_frame(text) { self.messages.end() } else { Vec::new() };
        let mut values = self.all(cut);
        let whole = self.messages.line(text, line);
        values.extend(self.all(whole));
        values
    }

    fn end(&mut self) -> Vec<Value> {
        let whole = self.messages.end();
        self.all(whole)
    }
}

/// `0|H0STCNT0|…`, or `1|…` when encrypted.
fn is_frame(text: &str) -> bool {
    matches!(text.as_bytes(), [b'0' | b'1', b'|', ..])
}

fn trade(row: &TradeRow) -> Value {
    json!({
        "exchange_time": clock(row.exchange_ns),
        "exchange_ns": row.exchange_ns,
        "price": row.price.to_string(),
        "quantity": row.quantity.units(),
        "cumulative_volume": row.cumulative_volume.units(),
        "best_ask": row.best_ask.map(|price| price.to_string()),
        "best_bid": row.best_bid.map(|price| price.to_string()),
    })
}

fn control(text: &str, line: usize) -> Value {
    match control::read(text) {
        Some(Control::PingPong) => json!({"line": line, "kind": "control", "what": "pingpong"}),
        Some(Control::Answer(answer)) => json!({
            "line": line, "kind": "control", "what": "answer", "verdict": format!("{:?}", answer.verdict()),
            "tr_id": answer.tr_id, "tr_key": answer.tr_key, "code": answer.code, "text": answer.text,
        }),
        Some(Control::Unknown) => json!({"line": line, "kind": "control", "what": "unknown"}),
        None => json!({"line": line, "refused": "control", "detail": "begins with { and is no JSON object"}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KOREAN: &str = include_str!("../../../lib/broker/fixtures/kis/fhpst01060000.json");
    const AMERICAN: &str = include_str!("../../../lib/broker/fixtures/kis/hhdfs76200300.json");
    const FRAMES: &str = include_str!("../../../lib/broker/fixtures/kis/h0stcnt0_47.txt");

    fn printed(text: &str) -> Vec<Value> {
        // 16:52:09 in Seoul on 2026-07-20.
        let received_ns = 1_784_533_929_000_000_000;
        let mut reader = Kis::new(received_ns, TradeDate::parse("20261124").expect("date"));
        let lines = text.lines().enumerate();
        let mut values: Vec<_> = lines.flat_map(|(index, text)| reader.line(text, index + 1)).collect();
        values.extend(reader.end());
        values
    }

    #[test]
    fn frames_and_pages_are_read_from_one_stream() {
        let frame = FRAMES.lines().next().expect("frame");
        let values = printed(&format!("{KOREAN}{frame}\n{AMERICAN}{{\"cut\":\n{frame}\n"));
        let kinds: Vec<_> = values.iter().map(|value| value["kind"].as_str().unwrap_or("refused")).collect();
        let (korean, american) = ("FHPST01060000", "HHDFS76200300");
        assert_eq!(
            kinds,
            [korean, korean, korean, "trade", american, american, american, "refused", "trade"]
        );
        assert_eq!((&values[0]["line"], &values[3]["line"]), (&json!(1), &Value::Null));
        assert_eq!(values[0]["exchange_time"], "2026-11-24 14:11:59 KST");
        assert_eq!((&values[0]["best_ask"], &values[0]["quantity"]), (&json!("105000"), &json!(20)));
        // 00:15:02 belongs to the morning after the date.
        assert_eq!(values[4]["exchange_time"], "2026-11-25 00:15:02 KST");
        assert_eq!(values[7]["refused"], "control");
    }

    #[test]
    fn a_page_that_the_broker_refused_or_that_has_a_bad_row_is_told() {
        let values = printed(&KOREAN.replacen("\"cnqn\": \"20\"", "\"cnqn\": \"x\"", 1));
        assert_eq!((values.len(), values[2]["refused"].as_str()), (3, Some("row")));
        let refused = KOREAN.replacen("\"rt_cd\": \"0\"", "\"rt_cd\": \"1\"", 1);
        assert_eq!(printed(&refused)[0]["refused"], "page");
    }
}
