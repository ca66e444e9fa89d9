//! A day's trades, minutes and totals, asked of a broker's cell page by page. No decision about gaps: what is asked for
//! is what comes back, joined, oldest first, or an error that holds what had come until then.
//!
//! An error is never the end of data: elsewhere an error page taken for "no more rows" marked 79 symbols as done and
//! empty. The end is what the broker says it is, a row of empty texts or an answer without a further page.
//!
//! | function | call | by | reaches |
//! |---|---|---|---|
//! | [`day_trades`] | ka10084 | next-key, 100 rows, with cumulative volume and side | today and the trading day before |
//! | [`ticks`] | ka10079 | next-key, 900 rows, bare | 20 trading days |
//! | [`minutes`] | ka10080 | next-key, 900 bars, cumulative volume at each end | a year |
//! | [`last_trades`] | ka10003 | one page of 30 rows, with cumulative volume | today |
//! | [`kis_day_trades`] | FHPST01060000 | oldest time received, 30 rows, with cumulative volume | today |
//! | [`kis_us_trades`] | HHDFS76200300 | `KEYB`, with cumulative volume | today and the trading day before |

use std::future::Future;
use std::time::Duration;

use market::{Quantity, Source, Symbol, Tape, TradeDate};
use serde_json::Value;

pub mod bus;
mod error;
mod minutes;
mod overlap;
mod reach;
mod read;
mod walk;

pub use error::{FetchError, Paging, Problem};
pub use minutes::{MinuteBar, Minutes, minutes};
pub use reach::{Call, Which, broker_day, reach};

use crate::row::Row;
use walk::{Walk, Wanted};

/// Whoever answers for a broker's REST interface: [`bus::BusAsk`] in production.
pub trait Ask: Sync {
    /// Asks for one page of `call` of `source`. `parameters` is an object whose values are texts; `next_key` is what the
    /// page before told, none for a first page.
    ///
    /// # Errors
    /// [`AskError`], after all patience that makes sense.
    fn ask(
        &self,
        source: Source,
        call: &str,
        parameters: &Value,
        next_key: Option<&str>,
    ) -> impl Future<Output = Result<Answer, AskError>> + Send;
}

/// One page as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The broker's body.
    pub body: String,
    /// The key of the page after it; none when the broker told that this is the last.
    pub next_key: Option<String>,
    /// When it was read, UTC ns.
    pub received_ns: i64,
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Asking again unchanged would not help: an unknown symbol, a bad request, credentials.
    #[error("refused ({word}): {text}")]
    Refused {
        /// The kind, in the cell's word: `refused`, `request`, `credentials`, `too_large`.
        word: String,
        /// The broker's text, its most precise code first.
        text: String,
    },
    /// Too many calls, or the broker is in trouble: it was waited and asked again, in vain.
    #[error("busy, given up after {waited:?}: {text}")]
    Busy {
        /// For how long it was tried.
        waited: Duration,
        /// What the last refusal said.
        text: String,
    },
    /// No answer in time, or the connection to the bus ended, again and again.
    #[error("no answer, given up after {waited:?}: {text}")]
    NoAnswer {
        /// For how long it was tried.
        waited: Duration,
        /// What happened last.
        text: String,
    },
    /// No cell of this broker is connected, also not after the time that a restart takes.
    #[error("no cell answers for {source_word}: is its service running?")]
    CellAbsent {
        /// The broker.
        source_word: Source,
    },
    /// The answer is no page: cell and asker have different versions.
    #[error("the cell's answer is no page: {0}")]
    NoPage(String),
}

impl AskError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        !matches!(self, Self::Refused { .. } | Self::NoPage(_))
    }

    /// Whether the broker said that it does not know the symbol, or not on this exchange (1901, 1902, 1903).
    #[must_use]
    pub fn is_unknown_symbol(&self) -> bool {
        let Self::Refused { text, .. } = self else { return false };
        let leading = text.split_once(':').and_then(|(code, _)| code.trim().parse().ok());
        let code = leading.or_else(|| broker::kiwoom::answer::detail_code(text));
        code.is_some_and(|code| (1901..=1903).contains(&code))
    }
}

/// What came, pages joined.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    /// The day's trades, oldest first; inside a second in the broker's order, reversed.
    pub rows: Vec<Row>,
    /// Answers received.
    pub pages: u32,
    /// Rows in them, those of other days, those that were sent twice and those refused included.
    pub returned: u64,
    /// What stands in the pages and not in `rows`: each row that cannot be read, with the reason, and each stretch
    /// that the call's paging cannot reach.
    pub refused: Vec<String>,
    /// The source has nothing older of this day: the first share, an older day's row, a row of empty texts or the
    /// last page was met. False when the fetch ended because it reached what was wanted.
    pub reached_end: bool,
    /// The first answer was empty already: nobody traded, or the broker does not know the code. It does not say which.
    pub blank: bool,
}

impl Fetched {
    /// Whether every row that was sent stands in `rows`. A fetch that is not complete proves no total.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.refused.is_empty()
    }
}

/// ka10084: the trades of today or the trading day before, newest page first, until nothing above `down_to` is missing
/// (0: the whole day).
///
/// # Errors
/// [`FetchError`]; it holds what came before, and can go on from there.
pub async fn day_trades(
    ask: &impl Ask,
    symbol: Symbol,
    tape: Tape,
    which: Which,
    down_to: Quantity,
) -> Result<Fetched, FetchError> {
    let wanted = Wanted::DayTrades { which, down_to };
    Walk::new(Call::Ka10084, symbol, tape, which.trade_date(), wanted).go(ask).await
}

/// ka10079: the trades of a day without cumulative volume, until 30 rows and one more are older than the second of
/// `older_than_ns` (UTC ns), or an older day begins. The call always starts at the newest trade there is: newer days are
/// paged through and left out.
///
/// # Errors
/// [`FetchError`]; it holds what came before, and can go on from there.
pub async fn ticks(
    ask: &impl Ask,
    symbol: Symbol,
    tape: Tape,
    trade_date: TradeDate,
    older_than_ns: i64,
) -> Result<Fetched, FetchError> {
    Walk::new(Call::Ka10079, symbol, tape, trade_date, Wanted::Ticks { older_than_ns }).go(ask).await
}

/// ka10003: the last 30 trades, which must be of `trade_date` ([`reach`]). The newest tells the day's total so far.
///
/// # Errors
/// [`FetchError`].
pub async fn last_trades(
    ask: &impl Ask,
    symbol: Symbol,
    tape: Tape,
    trade_date: TradeDate,
) -> Result<Fetched, FetchError> {
    Walk::new(Call::Ka10003, symbol, tape, trade_date, Wanted::LastTrades).go(ask).await
}

/// FHPST01060000: the trades of today from KIS, until nothing above `down_to` is missing (0: the whole day).
///
/// # Errors
/// [`FetchError`]; it holds what came before, and can go on from there.
pub async fn kis_day_trades(
    ask: &impl Ask,
    symbol: Symbol,
    tape: Tape,
    trade_date: TradeDate,
    down_to: Quantity,
) -> Result<Fetched, FetchError> {
    Walk::new(Call::Fhpst01060000, symbol, tape, trade_date, Wanted::KisDay { down_to }).go(ask).await
}

/// HHDFS76200300: the US trades of today or the trading day before, until nothing above `down_to` is missing (0: the
/// whole day). `listing` is the listing market, `NAS`, `NYS` or `AMS`.
///
/// How `KEYB` goes on is not published. A key that a body tells is followed; without one the oldest time received is
/// given. A broker that ignores it sends the first page again, which is an error and keeps that page.
///
/// # Errors
/// [`FetchError`]; it holds what came before, and can go on from there.
pub async fn kis_us_trades(
    ask: &impl Ask,
    symbol: Symbol,
    tape: Tape,
    listing: &str,
    which: Which,
    down_to: Quantity,
) -> Result<Fetched, FetchError> {
    let wanted = Wanted::KisUs { which, listing: listing.to_owned(), down_to };
    Walk::new(Call::Hhdfs76200300, symbol, tape, which.trade_date(), wanted).go(ask).await
}

#[cfg(test)]
mod tests;
