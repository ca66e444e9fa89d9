//! KIS: each line is a frame, or a control message when it begins with a brace.

use broker::kis::control::{self, Control};
use broker::kis::parse::KisParser;
use market::Source;
use market::calendar::Calendar;
use serde_json::{Value, json};

use super::Reader;

/// Reads frames of every TR.
pub struct Kis {
    parser: KisParser,
    received_ns: i64,
}

impl Kis {
    pub fn new(received_ns: i64) -> Self {
        Self { parser: KisParser::new(Calendar::built_in().clone()), received_ns }
    }
}

impl Reader for Kis {
    fn line(&mut self, text: &str, line: usize) -> Vec<Value> {
        match text.as_bytes().first() {
            None => Vec::new(),
            Some(b'{') => vec![control(text, line)],
            Some(_) => super::frame(&mut self.parser, Source::Kis, text, line, self.received_ns),
        }
    }

    fn end(&mut self) -> Vec<Value> {
        Vec::new()
    }
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
