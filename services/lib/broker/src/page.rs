//! One page of a broker's REST interface, as somebody else asks for it: the cell that owns the broker adds token and
//! patience, and never shows either.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

mod rows;

pub use rows::{RowError, Rows};
pub(crate) use rows::{Wrong, if_any, is_blank, wrong};

/// What is asked for. The call itself (`ka10079`, `FHPST01060000`) is named beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageRequest {
    /// Parameters of the call: the JSON body (Kiwoom) or the query (KIS), values as text.
    pub parameters: std::collections::BTreeMap<String, String>,
    /// Where to go on: `next` of the page before; none for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page {
    /// The broker's body, untouched.
    pub body: Box<RawValue>,
    /// What to pass for the page after it; none when this was the last.
    pub next: Option<String>,
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// The request itself is wrong: asking again would not help.
    #[error("{0}")]
    Request(String),
    /// The broker understood and refused: asking again unchanged would not help.
    #[error("{code}: {text}")]
    Refused {
        /// The broker's most precise code.
        code: String,
        /// The broker's text.
        text: String,
    },
    /// The broker's rate limit was met, again and again.
    #[error("rate limit: {0}")]
    Limited(String),
    /// Network, server, maintenance: ask again later.
    #[error("{0}")]
    Temporary(String),
    /// The broker refuses the credentials: only a person can help.
    #[error("{0}")]
    Credentials(String),
}

impl PageError {
    /// One word for the wire and for counters.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Request(_) => "request",
            Self::Refused { .. } => "refused",
            Self::Limited(_) => "limited",
            Self::Temporary(_) => "temporary",
            Self::Credentials(_) => "credentials",
        }
    }
}
