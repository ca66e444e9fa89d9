//! What a client says → what it wants, or what is wrong, where, and what to do.

use std::collections::BTreeSet;

use market::{Market, Symbol, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::view::{Kinds, Selection, Symbols, View};

/// Symbols in one subscription; who wants more wants all.
pub const MOST_SYMBOLS: usize = 2_000;
/// The longest `id`, in characters.
const MOST_ID: usize = 64;

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A subscription.
    Subscribe {
        /// The client's own name for it.
        id: Option<String>,
        /// What it wants.
        selection: Selection,
    },
    /// An end of one.
    Unsubscribe {
        /// The client's own name for the request.
        id: Option<String>,
        /// Its number.
        subscription: u32,
    },
    /// A sign of life.
    Ping {
        /// The client's own name for it.
        id: Option<String>,
    },
}

/// Why a request cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{field}: {problem}: {hint}")]
pub struct Problem {
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub hint: String,
}

impl Problem {
    /// A problem of a field.
    pub fn new(field: &str, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { field: field.to_owned(), problem: problem.into(), hint: hint.into() }
    }
}

/// A problem, with what is known of the request that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The client's own name for the request.
    pub id: Option<String>,
    /// What was asked.
    pub op: Option<String>,
    /// What is wrong.
    pub problem: Problem,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    op: String,
    id: Option<String>,
    market: Option<String>,
    symbols: Option<Vec<String>>,
    source: Option<String>,
    kinds: Option<Vec<String>>,
    tape: Option<String>,
    subscription: Option<u32>,
}

/// Reads a request.
///
/// # Errors
/// [`Refusal`] with the field, the problem and a hint.
pub fn read(text: &str) -> Result<Request, Refusal> {
    let raw: Raw = serde_json::from_str(text).map_err(|error| unreadable(text, &error))?;
    let (id, op) = (raw.id.clone(), raw.op.clone());
    understand(raw).map_err(|problem| Refusal { id, op: Some(op), problem })
}

fn understand(raw: Raw) -> Result<Request, Problem> {
    if raw.id.as_ref().is_some_and(|id| id.chars().count() > MOST_ID) {
        return Err(Problem::new("id", "too long", format!("at most {MOST_ID} characters")));
    }
    match raw.op.as_str() {
        "subscribe" => {
            let selection = selection(&raw)?;
            Ok(Request::Subscribe { id: raw.id, selection })
        }
        "unsubscribe" => match raw.subscription {
            Some(subscription) => Ok(Request::Unsubscribe { id: raw.id, subscription }),
            None => Err(Problem::new("subscription", "missing", "the number of the answer `subscribed`")),
        },
        "ping" => Ok(Request::Ping { id: raw.id }),
        other => Err(Problem::new("op", format!("unknown word {other:?}"), "subscribe, unsubscribe or ping")),
    }
}

/// What can be told of a text that is no request.
fn unreadable(text: &str, error: &serde_json::Error) -> Refusal {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let word =
        |name: &str| value.get(name).and_then(Value::as_str).map(|text| text.chars().take(MOST_ID).collect());
    let hint = r#"one JSON object such as {"op":"subscribe","symbols":["005930"]}"#;
    Refusal { id: word("id"), op: word("op"), problem: Problem::new("message", error.to_string(), hint) }
}

fn selection(raw: &Raw) -> Result<Selection, Problem> {
    let market = market(raw.market.as_deref())?;
    let view = view(raw.source.as_deref())?;
    let tape = tape(raw.tape.as_deref(), market)?;
    let kinds = match &raw.kinds {
        None => Kinds::ALL,
        Some(words) => kinds(words)?,
    };
    let missing =
        || Problem::new("symbols", "missing", r#"a list such as ["005930"], or ["*"] for all of the market"#);
    let symbols = symbols(raw.symbols.as_deref().filter(|list| !list.is_empty()).ok_or_else(missing)?)?;
    Ok(Selection { market, view, tape, kinds, symbols })
}

/// Reads a market; Korea when none is given.
///
/// # Errors
/// [`Problem`].
pub fn market(word: Option<&str>) -> Result<Market, Problem> {
    let Some(word) = word else { return Ok(Market::Kr) };
    Market::from_word(word)
        .ok_or_else(|| Problem::new("market", format!("unknown word {word:?}"), "kr or us"))
}

/// Reads whose view; the merged one when none is given.
///
/// # Errors
/// [`Problem`].
pub fn view(word: Option<&str>) -> Result<View, Problem> {
    let Some(word) = word else { return Ok(View::Merged) };
    let hint = "kis, kiwoom or merged";
    View::from_word(word).ok_or_else(|| Problem::new("source", format!("unknown word {word:?}"), hint))
}

/// Reads a tape of a market; none when none is given.
///
/// # Errors
/// [`Problem`].
pub fn tape(word: Option<&str>, market: Market) -> Result<Option<Tape>, Problem> {
    let Some(word) = word else { return Ok(None) };
    let of_market = Tape::ALL.iter().filter(|tape| tape.market() == market);
    let known = of_market.map(|tape| tape.as_str()).collect::<Vec<_>>().join(", ");
    match Tape::from_word(word).filter(|tape| tape.market() == market) {
        Some(tape) => Ok(Some(tape)),
        None => Err(Problem::new("tape", format!("{word:?} is no tape of {market}"), known)),
    }
}

/// Reads one symbol.
///
/// # Errors
/// [`Problem`].
pub fn symbol(field: &str, text: &str) -> Result<Symbol, Problem> {
    Symbol::parse(text)
        .map_err(|error| Problem::new(field, error.to_string(), "the bare symbol, such as 005930 or BRK/B"))
}

fn symbols(list: &[String]) -> Result<Symbols, Problem> {
    if list.iter().any(|text| text == "*") {
        return Ok(Symbols::All);
    }
    if list.len() > MOST_SYMBOLS {
        let problem = format!("{} symbols are too many", list.len());
        return Err(Problem::new("symbols", problem, format!(r#"at most {MOST_SYMBOLS}, or ["*"] for all"#)));
    }
    let these = list.iter().map(|text| symbol("symbols", text)).collect::<Result<BTreeSet<_>, _>>()?;
    Ok(Symbols::These(these))
}

fn kinds(words: &[String]) -> Result<Kinds, Problem> {
    let mut kinds = Kinds { trade: false, order_book: false, status: false };
    let hint = "trade, order_book, status";
    for word in words {
        match word.as_str() {
            "trade" => kinds.trade = true,
            "order_book" => kinds.order_book = true,
            "status" => kinds.status = true,
            other => return Err(Problem::new("kinds", format!("unknown word {other:?}"), hint)),
        }
    }
    if words.is_empty() { Err(Problem::new("kinds", "empty", hint)) } else { Ok(kinds) }
}

#[cfg(test)]
mod tests {
    use market::Source;

    use super::*;

    #[test]
    fn a_subscription_has_defaults() {
        let symbols = Symbols::These(BTreeSet::from([Symbol::parse("005930").expect("symbol")]));
        let expected =
            Selection { market: Market::Kr, view: View::Merged, tape: None, kinds: Kinds::ALL, symbols };
        let read = super::read(r#"{"op":"subscribe","symbols":["005930"]}"#);
        assert_eq!(read, Ok(Request::Subscribe { id: None, selection: expected }));
        let full = r#"{"op":"subscribe","id":"a","market":"us","symbols":["*"],"source":"kis","kinds":["trade"],"tape":"day"}"#;
        let kinds = Kinds { trade: true, order_book: false, status: false };
        let expected = Selection {
            market: Market::Us,
            view: View::Of(Source::Kis),
            tape: Some(Tape::Day),
            kinds,
            symbols: Symbols::All,
        };
        assert_eq!(super::read(full), Ok(Request::Subscribe { id: Some("a".into()), selection: expected }));
        assert_eq!(super::read(r#"{"op":"ping"}"#), Ok(Request::Ping { id: None }));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_what_to_do() {
        for (text, field, op) in [
            ("nonsense", "message", None),
            (r#"{"op":"subscribe","symbols":["005930"],"sauce":"kis"}"#, "message", Some("subscribe")),
            (r#"{"op":"jump"}"#, "op", Some("jump")),
            (r#"{"op":"subscribe"}"#, "symbols", Some("subscribe")),
            (r#"{"op":"subscribe","symbols":[]}"#, "symbols", Some("subscribe")),
            (r#"{"op":"subscribe","symbols":["a b"]}"#, "symbols", Some("subscribe")),
            (r#"{"op":"subscribe","symbols":["*"],"market":"jp"}"#, "market", Some("subscribe")),
            (r#"{"op":"subscribe","symbols":["*"],"source":"both"}"#, "source", Some("subscribe")),
            (r#"{"op":"subscribe","symbols":["*"],"tape":"us"}"#, "tape", Some("subscribe")),
            (r#"{"op":"subscribe","symbols":["*"],"kinds":["bars"]}"#, "kinds", Some("subscribe")),
            (r#"{"op":"unsubscribe"}"#, "subscription", Some("unsubscribe")),
        ] {
            let refusal = super::read(text).expect_err(text);
            assert_eq!((refusal.problem.field.as_str(), refusal.op.as_deref()), (field, op), "{text}");
            assert!(!refusal.problem.hint.is_empty(), "{text}");
        }
        let many: Vec<String> = (0..=MOST_SYMBOLS).map(|n| format!("{n:06}")).collect();
        assert!(super::symbols(&many).is_err());
    }
}
