//! A market's day in the archive → the figures of its report: what came, what is missing, what was refilled, how late it
//! was. Reads only, in exact integers; every answer has a bound.

mod disks;
mod newest;
mod open;
mod rows;

use market::{Market, TradeDate};

pub use self::disks::Disk;
pub use self::newest::{LastLink, Newest};
pub use self::open::{ArrivalOrder, BothBrokers, ChainRate, SessionCodes};
pub use self::rows::{
    DayCompleteness, DayDelay, DayEvents, DayGap, DayRecovery, DayRefusal, HourDelay, HourRecovered,
    MinuteEvents,
};
use crate::connect::Store;
use crate::error::StoreError;

/// Rows of one answer: 20,000 instruments on three tapes, or a gap a second. A report with more helps nobody.
const MOST: usize = 60_000;

/// What the archive knows of a market's day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayReport {
    /// Events by source, kind and origin.
    pub events: Vec<DayEvents>,
    /// Live events by minute of receipt, source and kind, the earliest first.
    pub minutes: Vec<MinuteEvents>,
    /// Gaps of time and of volume, open ones first, then by their begin.
    pub gaps: Vec<DayGap>,
    /// Attempts at recovery by source and method.
    pub recoveries: Vec<DayRecovery>,
    /// Recovered trades by hour of the exchange, the earliest first.
    pub recovered: Vec<HourRecovered>,
    /// Each instrument of the day.
    pub instruments: Vec<DayCompleteness>,
    /// Age at receipt by source and kind over the day.
    pub delays: Vec<DayDelay>,
    /// The same by hour of receipt, the earliest first.
    pub delays_by_hour: Vec<HourDelay>,
    /// Refused registrations by source and code.
    pub refusals: Vec<DayRefusal>,
}

impl DayReport {
    /// Whether the archive has nothing at all of the day.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.gaps.is_empty()
            && self.instruments.is_empty()
            && self.refusals.is_empty()
    }
}

impl Store {
    /// The figures of a market's day. Of each list 60,000 rows at most.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn day_report(&self, market: Market, trade_date: TradeDate) -> Result<DayReport, StoreError> {
        let day = format!("market = '{market}' AND trade_date = '{trade_date}'");
        Ok(DayReport {
            events: self.report_rows(&rows::events(&day)).await?,
            minutes: self.report_rows(&rows::minutes(&day)).await?,
            gaps: self.report_rows(&rows::gaps(&day)).await?,
            recoveries: self.report_rows(&rows::recoveries(&day)).await?,
            recovered: self.report_rows(&rows::recovered(&day)).await?,
            instruments: self.report_rows(&rows::instruments(&day)).await?,
            delays: self.report_rows(&rows::delays(&day)).await?,
            delays_by_hour: self.report_rows(&rows::delays_by_hour(&day)).await?,
            refusals: self.report_rows(&rows::refusals(&day)).await?,
        })
    }

    async fn report_rows<T: clickhouse::RowOwned + clickhouse::RowRead>(
        &self,
        sql: &str,
    ) -> Result<Vec<T>, StoreError> {
        let sql = format!("{sql} LIMIT {MOST}");
        self.limited(self.client.query(&sql).fetch_all::<T>()).await
    }
}
