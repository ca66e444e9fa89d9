//! Pages of trades with cumulative volume: `ka10003` (last 30) and `ka10084` (today or yesterday) to [`TradeRow`]s.
//!
//! ```text
//! {"tm":"155950","cur_prc":"+34950",…,"cntr_trde_qty":"-129","sign":"2","acc_trde_qty":"2837598","acc_trde_prica":"98036",…,"stex_tp":"KRX"}
//! ```
//! Captured 2026-08-19. The date is the one that was asked for. Six pairs among 100 rows have the same time, price and
//! quantity: the cumulative volume tells them apart, and nothing else does.

use std::borrow::Cow;

use market::{AggressorSide, Price, Quantity, Tape, TradeDate, Value, time};
use serde::Deserialize;

use super::{BodyError, Call, Rows, Wrong, if_any, rows, wrong};
use crate::kiwoom::number::{self, MILLION_WON};

/// A past trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeRow {
    /// Exchange time, UTC ns; whole seconds.
    pub exchange_ns: i64,
    /// Price of the print.
    pub price: Price,
    /// Shares of the print, at least 1.
    pub quantity: Quantity,
    /// Who crossed the spread; none in auctions.
    pub aggressor_side: AggressorSide,
    /// Shares traded on this tape and day, this print included: the trade's name, as FID 13 of a live one.
    pub cumulative_volume: Quantity,
    /// Money traded on this tape and day, in steps; none when the row has none. `ka10084` rounds to the nearest step:
    /// 98,035,806,450 won of `ka10003` are `98036` there.
    pub cumulative_value: Option<Value>,
    /// Steps of `cumulative_value`: 1 won in ka10003, a million won in ka10084.
    pub cumulative_value_step: Value,
    /// Best ask; none when the broker sent 0.
    pub best_ask: Option<Price>,
    /// Best bid; none when the broker sent 0.
    pub best_bid: Option<Price>,
    /// The exchange that the row names; none when it names none.
    pub tape: Option<Tape>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    tm: Cow<'a, str>,
    #[serde(borrow)]
    cur_prc: Cow<'a, str>,
    #[serde(borrow)]
    cntr_trde_qty: Cow<'a, str>,
    #[serde(borrow)]
    acc_trde_qty: Cow<'a, str>,
    #[serde(borrow, default)]
    acc_trde_prica: Cow<'a, str>,
    #[serde(borrow, default)]
    pri_sel_bid_unit: Cow<'a, str>,
    #[serde(borrow, default)]
    pri_buy_bid_unit: Cow<'a, str>,
    #[serde(borrow, default)]
    stex_tp: Cow<'a, str>,
}

/// Reads a body of `ka10003`: the last 30 trades, of `date`.
///
/// # Errors
/// [`BodyError`] when it is no page.
pub fn last_trades(body: &str, date: TradeDate) -> Result<Rows<TradeRow>, BodyError> {
    rows(body, Call::LastTrades, |raw| read(raw, date, Value::ONE))
}

/// Reads a body of `ka10084`: trades of `date`, which was asked for as today or yesterday.
///
/// # Errors
/// [`BodyError`] when it is no page.
pub fn trades_of_day(body: &str, date: TradeDate) -> Result<Rows<TradeRow>, BodyError> {
    rows(body, Call::TradesOfDay, |raw| read(raw, date, MILLION_WON))
}

fn read(raw: &Raw<'_>, date: TradeDate, step: Value) -> Result<TradeRow, Wrong> {
    let (aggressor_side, quantity) = wrong("cntr_trde_qty", number::sided_quantity(&raw.cntr_trde_qty))?;
    let price = wrong("cur_prc", number::price(&raw.cur_prc))?;
    let cumulative_volume = wrong("acc_trde_qty", number::quantity(&raw.acc_trde_qty))?;
    if price.is_zero() {
        return Err(("cur_prc", "trade without a price".to_owned()));
    }
    if quantity.is_zero() {
        return Err(("cntr_trde_qty", "trade of no shares".to_owned()));
    }
    if cumulative_volume < quantity {
        return Err(("acc_trde_qty", "below the quantity of the print".to_owned()));
    }
    let since_midnight = wrong("tm", time::parse_hhmmss(raw.tm.trim()))?;
    Ok(TradeRow {
        exchange_ns: time::kst(date, since_midnight),
        price,
        quantity,
        aggressor_side,
        cumulative_volume,
        cumulative_value: if_any("acc_trde_prica", &raw.acc_trde_prica, |text| number::value(text, step))?,
        cumulative_value_step: step,
        best_ask: best("pri_sel_bid_unit", &raw.pri_sel_bid_unit)?,
        best_bid: best("pri_buy_bid_unit", &raw.pri_buy_bid_unit)?,
        tape: tape(&raw.stex_tp)?,
    })
}

fn best(name: &'static str, text: &str) -> Result<Option<Price>, Wrong> {
    Ok(if_any(name, text, number::price)?.and_then(Price::non_zero))
}

/// A word that nobody knows would be another tape.
fn tape(text: &str) -> Result<Option<Tape>, Wrong> {
    match text.trim() {
        "" => Ok(None),
        "KRX" => Ok(Some(Tape::Krx)),
        "NXT" => Ok(Some(Tape::Nxt)),
        "통합" => Ok(Some(Tape::All)),
        other => Err(("stex_tp", format!("{other:?} is not KRX, NXT or 통합"))),
    }
}
