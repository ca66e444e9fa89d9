//! Kiwoom: WebSocket messages one a line, single rows of a REAL frame, and REST bodies over one or many lines.
//!
//! Tokens and keys that a message may carry are not printed.

use broker::kiwoom::control::{self, Asked, Control};
use broker::kiwoom::page::{self, BodyError, Call, MinuteRow, Rows, SymbolRow, TickRow, TradeRow};
use broker::kiwoom::parse::KiwoomParser;
use market::calendar::Calendar;
use market::{Price, Quantity, Source, TradeDate};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Reader;
use super::messages::Messages;
use crate::json::clock;

/// Reads messages and pages.
pub struct Kiwoom {
    parser: KiwoomParser,
    received_ns: i64,
    date: TradeDate,
    messages: Messages,
}

/// An element of a frame's data, as dead letters hold it.
#[derive(Deserialize)]
struct Row {
    #[serde(rename = "type")]
    _kind: String,
}

impl Kiwoom {
    pub fn new(received_ns: i64, date: TradeDate) -> Self {
        let parser = KiwoomParser::new(Calendar::built_in().clone());
        Self { parser, received_ns, date, messages: Messages::default() }
    }

    fn message(&mut self, text: &str, line: usize) -> Vec<Value> {
        if text.trim().is_empty() {
            return Vec::new();
        }
        match control::read(text) {
            Some(Control::Real) => self.frame(text, line),
            Some(Control::Answer(Asked::Unnamed, _)) if Call::of(text).is_some() => self.page(text, line),
            Some(Control::Unknown) if serde_json::from_str::<Row>(text).is_ok() => {
                self.frame(&format!(r#"{{"trnm":"REAL","data":[{}]}}"#, text.trim()), line)
            }
            Some(message) => vec![told(message, line)],
            None if text.trim_start().starts_with('<') => self.page(text, line),
            None => self.frame(text, line),
        }
    }

    fn frame(&mut self, text: &str, line: usize) -> Vec<Value> {
        super::frame(&mut self.parser, Source::Kiwoom, text, line, self.received_ns)
    }

    fn page(&self, text: &str, line: usize) -> Vec<Value> {
        let call = Call::of(text).unwrap_or(Call::TickChart);
        match call {
            Call::LastTrades => rows(line, call, page::last_trades(text, self.date), trade),
            Call::TradesOfDay => rows(line, call, page::trades_of_day(text, self.date), trade),
            Call::TickChart => rows(line, call, page::tick_chart(text), tick),
            Call::MinuteChart => rows(line, call, page::minute_chart(text), minute),
            Call::Symbols => rows(line, call, page::symbols(text), symbol),
        }
    }

    fn all(&mut self, messages: Vec<(String, usize)>) -> Vec<Value> {
        messages.into_iter().flat_map(|(text, line)| self.message(&text, line)).collect()
    }
}

impl Reader for Kiwoom {
    fn line(&mut self, text: &str, line: usize) -> Vec<Value> {
        let whole = self.messages.line(text, line);
        self.all(whole)
    }

    fn end(&mut self) -> Vec<Value> {
        let whole = self.messages.end();
        self.all(whole)
    }
}

/// A control message, without what may be secret in it.
fn told(message: Control, line: usize) -> Value {
    let what = |what: &str| json!({"line": line, "kind": "control", "what": what});
    match message {
        Control::Ping => what("ping"),
        Control::System { code, message } => {
            json!({"line": line, "kind": "control", "what": "system", "code": code, "text": message})
        }
        Control::Answer(asked, answer) => json!({
            "line": line, "kind": "control", "what": "answer", "asked": format!("{asked:?}"),
            "verdict": format!("{:?}", answer.verdict()), "code": answer.precise_code(), "text": answer.text,
        }),
        Control::Real | Control::Unknown => what("unknown"),
    }
}

fn rows<T>(
    line: usize,
    call: Call,
    page: Result<Rows<T>, BodyError>,
    show: impl Fn(&T) -> Value,
) -> Vec<Value> {
    super::rows(line, call.id(), page, show)
}

fn price(price: Option<Price>) -> Option<String> {
    price.map(|price| price.to_string())
}

fn trade(row: &TradeRow) -> Value {
    json!({
        "exchange_time": clock(row.exchange_ns),
        "exchange_ns": row.exchange_ns,
        "price": row.price.to_string(),
        "quantity": row.quantity.units(),
        "aggressor_side": row.aggressor_side.as_str(),
        "cumulative_volume": row.cumulative_volume.units(),
        "cumulative_value": row.cumulative_value.map(|value| value.to_string()),
        "cumulative_value_step": row.cumulative_value_step.to_string(),
        "best_ask": price(row.best_ask),
        "best_bid": price(row.best_bid),
        "tape": row.tape.map(market::Tape::as_str),
    })
}

fn tick(row: &TickRow) -> Value {
    json!({
        "trade_date": row.trade_date.to_string(),
        "exchange_time": clock(row.exchange_ns),
        "exchange_ns": row.exchange_ns,
        "price": row.price.to_string(),
        "quantity": row.quantity.units(),
    })
}

fn minute(row: &MinuteRow) -> Value {
    json!({
        "trade_date": row.trade_date.to_string(),
        "start_time": clock(row.start_ns),
        "start_ns": row.start_ns,
        "open": price(row.open),
        "high": price(row.high),
        "low": price(row.low),
        "close": row.close.to_string(),
        "quantity": row.quantity.units(),
        "cumulative_volume": row.cumulative_volume.map(Quantity::units),
    })
}

fn symbol(row: &SymbolRow) -> Value {
    json!({
        "symbol": row.symbol.as_str(),
        "name": row.name,
        "listed_shares": row.listed_shares.map(Quantity::units),
        "listed_on": row.listed_on.map(|date| date.to_string()),
        "last_price": price(row.last_price),
        "market_code": row.market_code,
        "state": row.state,
        "order_warning": row.order_warning,
        "on_nxt": row.on_nxt,
    })
}

#[cfg(test)]
mod tests;
