//! Bodies of KIS's REST pages to typed rows: plain functions on text. Rows keep the broker's order, newest first.
//!
//! ```text
//! {"rt_cd":"0","msg_cd":"MCA00000","msg1":"…","output1":{…},"output2":[{"stck_cntg_hour":"141159","stck_prpr":"104500",
//!  "askp":"105000","bidp":"104500","tday_rltv":"42.43","acml_vol":"1979727","cnqn":"20"}]}
//! ```
//! The code is checked before the rows: an error is no empty page. Whether more follows stands nowhere: these calls go
//! on by their parameters. A row that cannot be read aborts nothing; it is told beside the others.

use serde::Deserialize;
use serde_json::value::RawValue;

pub use crate::page::{RowError, Rows};
use crate::page::{Wrong, is_blank};

mod trades;

pub use trades::{TradeRow, trades_of_day, us_trades};

/// Which call a body answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// FHPST01060000, inquire-time-itemconclusion: trades of today in Korea.
    TradesOfDay,
    /// HHDFS76200300, overseas inquire-ccnl: trades of today or the day before in the US.
    UsTrades,
}

impl Call {
    /// Every call whose pages are read here.
    pub const ALL: [Self; 2] = [Self::TradesOfDay, Self::UsTrades];

    /// The broker's id, as in the header `tr_id`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::TradesOfDay => "FHPST01060000",
            Self::UsTrades => "HHDFS76200300",
        }
    }

    /// The call that a body answers, by the names in its first row; none for other bodies and for pages without rows.
    #[must_use]
    pub fn of(body: &str) -> Option<Self> {
        let envelope: Envelope<'_> = serde_json::from_str(body).ok()?;
        let first: Names = serde_json::from_str(envelope.output2?.first()?.get()).ok()?;
        match (first.cnqn, first.evol) {
            (Some(_), None) => Some(Self::TradesOfDay),
            (None, Some(_)) if first.khms.is_some() => Some(Self::UsTrades),
            _ => None,
        }
    }
}

/// A body that is no page. None of these means "no more data".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// A web page, whatever the status.
    #[error("an HTML page in place of JSON: {0:?}")]
    Html(String),
    /// Neither HTML nor a JSON object.
    #[error("no JSON object: {0}")]
    Json(String),
    /// The broker refused.
    #[error("{code}: {text}")]
    Refused {
        /// The broker's code, `EGW00201`; empty when the body has none.
        code: String,
        /// The broker's text.
        text: String,
    },
    /// Success without the list that the call answers with.
    #[error("no list output2")]
    NoList,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    rt_cd: String,
    #[serde(default)]
    msg_cd: String,
    #[serde(default)]
    msg1: String,
    #[serde(borrow, default)]
    output1: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output2: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    keyb: Option<String>,
}

/// The names that tell the calls apart.
#[derive(Deserialize)]
struct Names {
    cnqn: Option<String>,
    evol: Option<String>,
    khms: Option<String>,
}

/// Where a key for the next page may stand besides the body's own level.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    #[serde(alias = "KEYB")]
    keyb: Option<String>,
}

/// What a body says of the page after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextKey {
    /// Nothing: the call goes on by its parameters, if at all.
    Untold,
    /// The field is there and empty: this is the last page.
    Last,
    /// What to pass as `KEYB`.
    Key(String),
}

/// The key for the page after this one (`KEYB`). The reference names none in the answer and calls the parameter "next key
/// buffer"; the broker's own samples look for it at the body's top level.
#[must_use]
pub fn next_key(body: &str) -> NextKey {
    let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(body) else { return NextKey::Untold };
    let head: Head =
        envelope.output1.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    match envelope.keyb.or(head.keyb).map(|key| key.trim().to_owned()) {
        None => NextKey::Untold,
        Some(key) if key.is_empty() => NextKey::Last,
        Some(key) => NextKey::Key(key),
    }
}

/// Reads the rows of `output2`, each with `read`.
fn rows<'a, R: Deserialize<'a>, T>(
    body: &'a str,
    read: impl Fn(&R) -> Result<T, Wrong>,
) -> Result<Rows<T>, BodyError> {
    let mut page = Rows { rows: Vec::new(), refused: Vec::new(), ended: false };
    for (index, raw) in accepted(body)?.into_iter().enumerate() {
        let row = serde_json::from_str(raw.get()).map_err(|problem| ("row", problem.to_string()));
        match row.and_then(|row| read(&row)) {
            Ok(row) => page.rows.push(row),
            Err(_) if is_blank(raw) => page.ended = true,
            Err((name, problem)) => page.refused.push(RowError { index, name, problem }),
        }
    }
    Ok(page)
}

/// The list of a body that reports success.
fn accepted(body: &str) -> Result<Vec<&RawValue>, BodyError> {
    let beginning = || body.trim_start().chars().take(60).collect::<String>();
    match body.trim_start().as_bytes().first() {
        Some(b'{') => {}
        Some(b'<') => return Err(BodyError::Html(beginning())),
        _ => return Err(BodyError::Json(format!("{:?}", beginning()))),
    }
    let envelope: Envelope<'_> =
        serde_json::from_str(body).map_err(|problem| BodyError::Json(problem.to_string()))?;
    if envelope.rt_cd != "0" {
        return Err(BodyError::Refused { code: envelope.msg_cd, text: envelope.msg1.trim().to_owned() });
    }
    envelope.output2.ok_or(BodyError::NoList)
}

#[cfg(test)]
mod tests;
