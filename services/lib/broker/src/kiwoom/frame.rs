//! A REAL frame of Kiwoom to its rows: JSON text to borrowed texts by FID, without an allocation a field.
//!
//! ```text
//! {"trnm":"REAL","data":[{"values":{"20":"165208","10":"-20800",…},"type":"0B","name":"주식체결","item":"005930"}]}
//! ```
//! One frame may hold many rows of several types and items; their order is kept. Each row is read on its own, so that
//! a bad one takes no neighbour along. `values` often stands before `type`, so only the FIDs that some type needs are
//! remembered, whatever the type. Told of and not seen for stocks, hence tolerated and counted: FIDs in the row itself
//! and `values` as a list.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::feed::Refusal;

mod place;
mod row;

pub use row::{NoText, Row};

/// Control messages: they never belong here, and are no broken data either.
const CONTROL: [&str; 8] = ["LOGIN", "REG", "REMOVE", "PING", "SYSTEM", "CNSRLST", "CNSRREQ", "CNSRCLR"];

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    trnm: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<Vec<&'a RawValue>>,
}

/// The rows of a frame, as raw JSON text in the order in which they stand there; none when it is a control message.
///
/// # Errors
/// [`Refusal`] of the whole frame: no JSON object, no REAL frame, no data.
pub fn split(text: &str) -> Result<Option<Vec<&RawValue>>, Refusal> {
    // Serde would also read an array as a struct.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(refusal("not_object", format!("frame is no JSON object: {:?}", beginning(text))));
    }
    let envelope: Envelope<'_> = serde_json::from_str(text)
        .map_err(|problem| refusal("json", format!("frame cannot be read: {problem}")))?;
    match envelope.trnm.as_ref() {
        "REAL" => match envelope.data {
            Some(rows) => Ok(Some(rows)),
            None => Err(refusal("no_data", "REAL frame without data".to_owned())),
        },
        trnm if CONTROL.contains(&trnm) => Ok(None),
        other => Err(refusal("trnm", format!("trnm is {:?}, not REAL", beginning(other)))),
    }
}

fn refusal(reason: &'static str, detail: String) -> Refusal {
    Refusal { reason, detail, instrument: None, raw: None }
}

/// As much of a text as an error shows.
fn beginning(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
