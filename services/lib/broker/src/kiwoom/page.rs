//! Bodies of Kiwoom's REST pages to typed rows: plain functions on text. Rows keep the broker's order, newest first.
//!
//! ```text
//! {"stk_cd":"005930","last_tic_cnt":"","stk_tic_chart_qry":[{"cur_prc":"78900",…}],"return_code":0,"return_msg":"…"}
//! ```
//! Whether another page follows stands in the headers only. The code is checked before the rows: an error with an empty
//! list looks like the end of the history, and was taken for it elsewhere. The real end is code 0 and one row of empty
//! texts. A row that cannot be read aborts nothing; it is told beside the others.

use market::{Symbol, Tape};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::Verdict;
use super::{control, registration};
use crate::page::is_blank;
pub use crate::page::{RowError, Rows};
use crate::page::{Wrong, if_any, wrong};

mod charts;
mod symbols;
mod trades;

pub use charts::{MinuteRow, TickRow, minute_chart, tick_chart};
pub use symbols::{SymbolRow, symbols};
pub use trades::{TradeRow, last_trades, trades_of_day};

/// Which call a body answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// ka10003, last trades.
    LastTrades,
    /// ka10079, tick chart.
    TickChart,
    /// ka10080, minute chart.
    MinuteChart,
    /// ka10084, trades of today or yesterday.
    TradesOfDay,
    /// ka10099, symbol list.
    Symbols,
}

impl Call {
    /// Every call whose pages are read here.
    pub const ALL: [Self; 5] =
        [Self::LastTrades, Self::TickChart, Self::MinuteChart, Self::TradesOfDay, Self::Symbols];

    /// The broker's id, as in the header `api-id`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::LastTrades => "ka10003",
            Self::TickChart => "ka10079",
            Self::MinuteChart => "ka10080",
            Self::TradesOfDay => "ka10084",
            Self::Symbols => "ka10099",
        }
    }

    /// The call that a body answers, by the name of its list; none for other bodies.
    #[must_use]
    pub fn of(body: &str) -> Option<Self> {
        let lists: Lists<'_> = serde_json::from_str(body).ok()?;
        Self::ALL.into_iter().find(|call| lists.get(*call).is_some())
    }
}

/// A body that is no page. None of these means "no more data".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// A web page: the filter in front of the interface did not let the call through, whatever the status.
    #[error("an HTML page in place of JSON: {0:?}")]
    Html(String),
    /// Neither HTML nor a JSON object.
    #[error("no JSON object: {0}")]
    Json(String),
    /// The broker refused.
    #[error("return_code {return_code:?}: {text}")]
    Refused {
        /// What to do about it.
        verdict: Verdict,
        /// The generic code; none when the body has none.
        return_code: Option<i64>,
        /// The broker's text.
        text: String,
    },
    /// Success without the list that the call answers with.
    #[error("no list {0}")]
    NoList(&'static str),
}

#[derive(Deserialize)]
struct Lists<'a> {
    #[serde(borrow, default)]
    cntr_infr: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    stk_tic_chart_qry: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    stk_min_pole_chart_qry: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    tdy_pred_cntr: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    list: Option<Vec<&'a RawValue>>,
}

impl<'a> Lists<'a> {
    fn get(&self, call: Call) -> Option<&[&'a RawValue]> {
        match call {
            Call::LastTrades => self.cntr_infr.as_deref(),
            Call::TickChart => self.stk_tic_chart_qry.as_deref(),
            Call::MinuteChart => self.stk_min_pole_chart_qry.as_deref(),
            Call::TradesOfDay => self.tdy_pred_cntr.as_deref(),
            Call::Symbols => self.list.as_deref(),
        }
    }
}

/// Reads the rows of `call`, each with `read`.
fn rows<'a, R: Deserialize<'a>, T>(
    body: &'a str,
    call: Call,
    read: impl Fn(&R) -> Result<T, Wrong>,
) -> Result<Rows<T>, BodyError> {
    let lists = accepted(body)?;
    let mut page = Rows { rows: Vec::new(), refused: Vec::new(), ended: false };
    let Some(lists) = lists else { return Ok(Rows { ended: true, ..page }) };
    for (index, raw) in lists.get(call).ok_or(BodyError::NoList(call.id()))?.iter().enumerate() {
        let row = serde_json::from_str(raw.get()).map_err(|problem| ("row", problem.to_string()));
        match row.and_then(|row| read(&row)) {
            Ok(row) => page.rows.push(row),
            Err(_) if is_blank(raw) => page.ended = true,
            Err((name, problem)) => page.refused.push(RowError { index, name, problem }),
        }
    }
    Ok(page)
}

/// The lists of a body that reports success; none for "no data".
fn accepted(body: &str) -> Result<Option<Lists<'_>>, BodyError> {
    let beginning = || body.trim_start().chars().take(60).collect::<String>();
    match body.trim_start().as_bytes().first() {
        Some(b'{') => {}
        Some(b'<') => return Err(BodyError::Html(beginning())),
        _ => return Err(BodyError::Json(format!("{:?}", beginning()))),
    }
    let lists = serde_json::from_str(body).map_err(|problem| BodyError::Json(problem.to_string()))?;
    let Some(answer) = control::read_answer(body) else {
        let text = "no return_code".to_owned();
        return Err(BodyError::Refused { verdict: Verdict::Unknown, return_code: None, text });
    };
    match answer.verdict() {
        Verdict::Ok => Ok(Some(lists)),
        Verdict::NoData => Ok(None),
        verdict => Err(BodyError::Refused { verdict, return_code: Some(answer.code), text: answer.text }),
    }
}

/// `stk_cd` of a symbol on a tape: `005930`, `005930_NX`, `005930_AL`; none for a tape that Kiwoom does not have.
#[must_use]
pub fn code(symbol: Symbol, tape: Tape) -> Option<String> {
    registration::suffix(tape).map(|suffix| format!("{symbol}{suffix}"))
}

#[cfg(test)]
mod tests;
