//! Charts: `ka10079` (one row a trade) to [`TickRow`]s, `ka10080` (one row a bar) to [`MinuteRow`]s.
//!
//! ```text
//! {"cur_prc":"78900","trde_qty":"143","cntr_tm":"20250917131939","open_pric":"78900",…}
//! {"cur_prc":"-78800","trde_qty":"7913","cntr_tm":"20250917132000",…,"acc_trde_qty":"14947571",…}
//! ```
//! From the official reference; only the first three fields stand in every edition. A tick has neither side nor
//! cumulative volume; rows of one second stand in reverse order of trading.

use std::borrow::Cow;

use market::{Price, Quantity, TradeDate, time};
use serde::Deserialize;

use super::{BodyError, Call, Rows, Wrong, if_any, rows, wrong};
use crate::kiwoom::number;

/// A past trade without side and cumulative volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickRow {
    /// The trading day.
    pub trade_date: TradeDate,
    /// Exchange time, UTC ns; whole seconds.
    pub exchange_ns: i64,
    /// Price of the print.
    pub price: Price,
    /// Shares of the print, at least 1.
    pub quantity: Quantity,
}

/// A bar of one or more minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinuteRow {
    /// The trading day.
    pub trade_date: TradeDate,
    /// Start of the bar, UTC ns.
    pub start_ns: i64,
    /// First price; none when the row has none.
    pub open: Option<Price>,
    /// Highest price; none when the row has none.
    pub high: Option<Price>,
    /// Lowest price; none when the row has none.
    pub low: Option<Price>,
    /// Last price.
    pub close: Price,
    /// Shares of the bar, perhaps 0.
    pub quantity: Quantity,
    /// Cumulative volume of the tape at the end of the bar; none when the row has none.
    pub cumulative_volume: Option<Quantity>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    cur_prc: Cow<'a, str>,
    #[serde(borrow)]
    trde_qty: Cow<'a, str>,
    #[serde(borrow)]
    cntr_tm: Cow<'a, str>,
    #[serde(borrow, default)]
    open_pric: Cow<'a, str>,
    #[serde(borrow, default)]
    high_pric: Cow<'a, str>,
    #[serde(borrow, default)]
    low_pric: Cow<'a, str>,
    #[serde(borrow, default)]
    acc_trde_qty: Cow<'a, str>,
}

/// Reads a body of `ka10079` with one trade a row (`tic_scope` 1).
///
/// # Errors
/// [`BodyError`] when it is no page.
pub fn tick_chart(body: &str) -> Result<Rows<TickRow>, BodyError> {
    rows(body, Call::TickChart, |raw: &Raw<'_>| {
        let (trade_date, exchange_ns) = moment(&raw.cntr_tm)?;
        let price = wrong("cur_prc", number::price(&raw.cur_prc))?;
        let quantity = wrong("trde_qty", number::quantity(&raw.trde_qty))?;
        if price.is_zero() {
            return Err(("cur_prc", "trade without a price".to_owned()));
        }
        if quantity.is_zero() {
            return Err(("trde_qty", "trade of no shares".to_owned()));
        }
        Ok(TickRow { trade_date, exchange_ns, price, quantity })
    })
}

/// Reads a body of `ka10080`.
///
/// # Errors
/// [`BodyError`] when it is no page.
pub fn minute_chart(body: &str) -> Result<Rows<MinuteRow>, BodyError> {
    rows(body, Call::MinuteChart, |raw: &Raw<'_>| {
        let (trade_date, start_ns) = moment(&raw.cntr_tm)?;
        Ok(MinuteRow {
            trade_date,
            start_ns,
            open: if_any("open_pric", &raw.open_pric, number::price)?,
            high: if_any("high_pric", &raw.high_pric, number::price)?,
            low: if_any("low_pric", &raw.low_pric, number::price)?,
            close: wrong("cur_prc", number::price(&raw.cur_prc))?,
            quantity: wrong("trde_qty", number::quantity(&raw.trde_qty))?,
            cumulative_volume: if_any("acc_trde_qty", &raw.acc_trde_qty, number::quantity)?,
        })
    })
}

/// `YYYYMMDDHHMMSS` in Korea. The 888888 and 999999 of index charts are no times: such a row is refused alone.
fn moment(text: &str) -> Result<(TradeDate, i64), Wrong> {
    let text = text.trim();
    let (date, time_of_day) =
        text.split_at_checked(8).ok_or_else(|| ("cntr_tm", format!("not YYYYMMDDHHMMSS: {text:.40?}")))?;
    let date = wrong("cntr_tm", TradeDate::parse(date))?;
    let since_midnight = wrong("cntr_tm", time::parse_hhmmss(time_of_day))?;
    Ok((date, time::kst(date, since_midnight)))
}
