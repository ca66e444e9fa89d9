//! What the gap finder has done: it has no other voice than the day totals that it tells.

use std::fmt;

use market::calendar::Calendar;
use market::{Market, TradeDate};
use store::Store;

/// What to do when its work is missing.
pub const ADVICE: &str = "is gap-finder running? by hand: `sise gaps recover`";

/// Its work on a market's last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// The day.
    pub day: TradeDate,
    /// Instruments whose final total a broker told; none = the day has no print, and so no work.
    pub totals: Option<u64>,
}

impl Work {
    /// Whether the day has prints, and nothing was done.
    pub const fn is_missing(&self) -> bool {
        matches!(self.totals, Some(0))
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.day;
        match self.totals {
            None => write!(f, "{day} has no print: nothing to do"),
            Some(0) => write!(f, "{day} has prints, and no day total was told"),
            Some(totals) => write!(f, "{totals} final day totals of {day}"),
        }
    }
}

/// Its work on the last day of a market that had ended at `at_ns`.
///
/// # Errors
/// What calendar or database say.
pub async fn work(store: &Store, market: Market, at_ns: i64) -> Result<Work, String> {
    let day = Calendar::built_in().last_ended(market, at_ns).map_err(|error| error.to_string())?.date();
    let there = store.first_day_with_prints(market, day, day).await.map_err(|error| error.to_string())?;
    if there.is_none() {
        return Ok(Work { day, totals: None });
    }
    let totals = store.final_totals(market, day).await.map_err(|error| error.to_string())?;
    Ok(Work { day, totals: Some(totals) })
}
