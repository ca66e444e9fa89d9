//! One fault as it is written: JSON turns into what it asks for and of whom.

use serde::Deserialize;

use crate::tr::{Broker, Tr};

/// One fault of a script.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Happens when so many events have been sent.
    #[serde(default)]
    pub at_event: u64,
    /// What happens.
    #[serde(rename = "do")]
    pub kind: FaultKind,
    /// Only this broker.
    #[serde(default)]
    pub broker: Option<Broker>,
    /// Only frames of this TR (Kiwoom: `0B` or, with a tape, `0B_NX`); for `silent` only registrations of it; faults of
    /// REST: only calls of this TR (`ka10079`, `FHPST01060000`).
    #[serde(default)]
    pub tr: Option<String>,
    /// `silent`: only registrations of this key.
    #[serde(default)]
    pub tr_key: Option<String>,
    /// `drop`, `duplicate`: how many events; `grow`: how many fields; faults of REST: how many calls.
    #[serde(default = "one")]
    pub count: u64,
    /// Faults of REST: so many calls of its kind go well before it.
    #[serde(default)]
    pub skip: u64,
    /// `overlapping_page`: how many rows.
    #[serde(default = "ten_rows")]
    pub rows: usize,
    /// `stall`, `mute`, `slow`, `slow_answers`: how long.
    #[serde(default = "ten")]
    pub seconds: u64,
    /// `slow`: events a second meanwhile.
    #[serde(default = "one")]
    pub rate: u64,
    /// `slow_answers`: how much later, in milliseconds.
    #[serde(default = "two_thousand")]
    pub delay_ms: u64,
    /// `refuse`: the msg_cd of the answer, for Kiwoom the return_code; `rest_error`: Kiwoom's detail code.
    #[serde(default)]
    pub code: Option<String>,
    /// `garbage`, `null`: which field of the first record; the first price if left out.
    #[serde(default)]
    pub field: Option<usize>,
    /// `garbage`: the text that takes the field's place.
    #[serde(default)]
    pub text: Option<String>,
}

impl Fault {
    /// Whether it means the stream.
    #[must_use]
    pub fn is_for(&self, tr: Tr) -> bool {
        self.broker.is_none_or(|broker| broker == tr.broker())
            && self.tr.as_deref().is_none_or(|named| tr.is_named(named))
    }
}

fn one() -> u64 {
    1
}

fn two_thousand() -> u64 {
    2_000
}

fn ten() -> u64 {
    10
}

fn ten_rows() -> usize {
    10
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// All sockets end without a close frame.
    Cut,
    /// All sockets are reset: what the receiver has not read yet is gone.
    Reset,
    /// All sockets stay open and silent for `seconds`, PINGPONG included.
    Stall,
    /// All sockets stay open for `seconds` and are dead: no data, no PING, no answer. What was due is lost.
    Mute,
    /// Kiwoom: every session is told that another one has logged in, and closed.
    Kick,
    /// The next `count` events happen but are not sent.
    Drop,
    /// The next frame with at least one of `count` events is sent twice.
    Duplicate,
    /// The next frame comes after its follower of the same stream.
    Reorder,
    /// The next frame loses the second half of its payload.
    Truncate,
    /// From now on every record has `count` more fields, for Kiwoom unknown FIDs.
    Grow,
    /// The next frame says one record more than it has. Kiwoom has no count: the frame ends in the middle.
    WrongCount,
    /// The next frame has a text where its first record has a number.
    Garbage,
    /// As garbage with the text `(null)`.
    Null,
    /// The next subscription is refused with `code`.
    Refuse,
    /// Registrations are acknowledged and deliver nothing.
    Silent,
    /// All approval keys (KIS) and tokens (Kiwoom) so far are forgotten.
    DeadKey,
    /// `rate` events a second for `seconds`.
    Slow,
    /// The next `count` REST calls are too many.
    #[serde(rename = "429")]
    TooMany,
    /// The next `count` REST calls are answered with the page of the filter (KIS has none: HTTP 502).
    Html,
    /// The next `count` REST calls are answered with HTTP 502.
    #[serde(rename = "502")]
    BadGateway,
    /// The next `count` REST calls are refused with `code`: Kiwoom's detail code, KIS's `msg_cd`.
    RestError,
    /// Of a day, the next `count` further pages of Kiwoom are the ones before them, with the cursor they were asked with.
    SamePage,
    /// Of a day, the next `count` further pages of Kiwoom begin `rows` rows too early.
    OverlappingPage,
    /// Of a day, the next `count` pages of Kiwoom are one row of empty texts.
    BlankPage,
    /// REST answers come `delay_ms` later, for `seconds`.
    SlowAnswers,
    /// Ends grow, silent, slow, slow answers, and whatever has not happened yet.
    Clear,
}
