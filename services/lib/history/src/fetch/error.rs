//! Why a fetch ended before its end, with what had come until then.

use market::{Symbol, Tape, TradeDate};

use super::walk::Walk;
use super::{Ask, AskError, Call, Fetched};

/// A fetch that did not come to its end. Nothing that was fetched is lost: [`FetchError::partial`].
#[derive(Debug, thiserror::Error)]
#[error("{} {symbol} {tape} {trade_date}, page {page}: {problem}", call.as_str())]
pub struct FetchError {
    /// The call.
    pub call: Call,
    /// Of which symbol.
    pub symbol: Symbol,
    /// On which tape.
    pub tape: Tape,
    /// Of which trade date.
    pub trade_date: TradeDate,
    /// The page that did not come or cannot be used, from 1.
    pub page: u32,
    /// What is wrong.
    pub problem: Problem,
    pub(super) begun: Option<Box<Walk>>,
}

/// What is wrong. None of these is an end of data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is no page.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The body is no page of this call: HTML, no JSON, another list.
    #[error("unreadable: {0}")]
    Unreadable(String),
    /// The pages do not go on as pages must.
    #[error("paging is broken: {0}")]
    BrokenPaging(#[from] Paging),
}

/// In which way pages do not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Paging {
    /// The page has the rows of the page before.
    #[error("the page equals the one before")]
    SamePage,
    /// The key for the next page has led to a page before.
    #[error("the key of the next page was told before")]
    SameKey,
    /// Every row of the page was there already.
    #[error("the page adds nothing")]
    NothingNew,
    /// More pages were announced and an empty one came.
    #[error("an empty page where more rows were announced")]
    EmptyPage,
    /// Going back, the row is not below the one after it: cumulative volumes, or starts of bars in UTC ns.
    #[error("{after} does not stand below {before}")]
    NotFalling {
        /// The row before it in the pages, which is the newer one.
        before: i64,
        /// The row.
        after: i64,
    },
    /// More pages than any day has.
    #[error("no end after {0} pages")]
    TooMany(u32),
}

impl FetchError {
    /// Whether the same fetch may succeed later: all but a refusal.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match &self.problem {
            Problem::Ask(error) => error.is_retryable(),
            Problem::Unreadable(_) | Problem::BrokenPaging(_) => true,
        }
    }

    /// What had come until then, pages joined; empty when nothing had.
    #[must_use]
    pub fn partial(&self) -> Fetched {
        self.begun.as_ref().map(|walk| walk.fetched()).unwrap_or_default()
    }

    /// Asks again for the page that did not come, and goes on. Minutes begin anew by [`super::minutes`]: there this is
    /// the error itself.
    ///
    /// # Errors
    /// As the fetch that began.
    pub async fn resume(mut self, ask: &impl Ask) -> Result<Fetched, Self> {
        match self.begun.take() {
            Some(walk) => walk.go(ask).await,
            None => Err(self),
        }
    }
}
