//! Pages of trades with cumulative volume: `FHPST01060000` (Korea, today) and `HHDFS76200300` (US, today or the day
//! before) to [`TradeRow`]s.
//!
//! ```text
//! {"stck_cntg_hour":"141159","stck_prpr":"104500",…,"askp":"105000","bidp":"104500",…,"acml_vol":"1979727","cnqn":"20"}
//! {"khms":"001502","last":"169.7850",…,"evol":"5","tvol":"108464","mtyp":"0","pbid":"169.7700","pask":"169.7900",…}
//! ```
//! The tables of the reference call the price `stck_pbpr`; the servers send `stck_prpr` (measured 2026-09-27), so both
//! are read. No row has a date or a side.

use std::borrow::Cow;

use market::decimal::NumberError;
use market::{Price, Quantity, Tape, TradeDate, time};
use serde::Deserialize;

use super::{BodyError, Rows, rows};
use crate::page::{Wrong, if_any, wrong};

/// A past trade. The source tells no side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeRow {
    /// Exchange time, UTC ns; whole seconds.
    pub exchange_ns: i64,
    /// Price of the print.
    pub price: Price,
    /// Shares of the print, at least 1.
    pub quantity: Quantity,
    /// Shares traded on this tape and day, this print included: the trade's name, as item 13 of a live Korean record
    /// and item 20 of a live US one.
    pub cumulative_volume: Quantity,
    /// Best ask; none when the broker sent 0 or nothing.
    pub best_ask: Option<Price>,
    /// Best bid; none when the broker sent 0 or nothing.
    pub best_bid: Option<Price>,
}

#[derive(Deserialize)]
struct Korean<'a> {
    #[serde(borrow)]
    stck_cntg_hour: Cow<'a, str>,
    #[serde(borrow, default)]
    stck_prpr: Cow<'a, str>,
    #[serde(borrow, default)]
    stck_pbpr: Cow<'a, str>,
    #[serde(borrow)]
    acml_vol: Cow<'a, str>,
    #[serde(borrow)]
    cnqn: Cow<'a, str>,
    #[serde(borrow, default)]
    askp: Cow<'a, str>,
    #[serde(borrow, default)]
    bidp: Cow<'a, str>,
}

#[derive(Deserialize)]
struct American<'a> {
    #[serde(borrow)]
    khms: Cow<'a, str>,
    #[serde(borrow)]
    last: Cow<'a, str>,
    #[serde(borrow)]
    evol: Cow<'a, str>,
    #[serde(borrow)]
    tvol: Cow<'a, str>,
    #[serde(borrow, default)]
    pask: Cow<'a, str>,
    #[serde(borrow, default)]
    pbid: Cow<'a, str>,
}

/// Reads a body of `FHPST01060000`: trades of `date`, which was asked for as today.
///
/// # Errors
/// [`BodyError`] when it is no page.
pub fn trades_of_day(body: &str, date: TradeDate) -> Result<Rows<TradeRow>, BodyError> {
    rows(body, |raw: &Korean<'_>| {
        let price = if raw.stck_prpr.trim().is_empty() { &raw.stck_pbpr } else { &raw.stck_prpr };
        let since_midnight = wrong("stck_cntg_hour", time::parse_hhmmss(raw.stck_cntg_hour.trim()))?;
        let fields = Fields {
            price: ("stck_prpr", price),
            quantity: ("cnqn", &raw.cnqn),
            cumulative_volume: ("acml_vol", &raw.acml_vol),
            best_ask: ("askp", &raw.askp),
            best_bid: ("bidp", &raw.bidp),
        };
        fields.row(time::kst(date, since_midnight))
    })
}

/// Reads a body of `HHDFS76200300`: trades of the trade date `date` on the tape `us` or `day`.
///
/// # Errors
/// [`BodyError`] when it is no page.
pub fn us_trades(body: &str, tape: Tape, date: TradeDate) -> Result<Rows<TradeRow>, BodyError> {
    rows(body, |raw: &American<'_>| {
        let since_midnight = wrong("khms", time::parse_hhmmss(raw.khms.trim()))?;
        let fields = Fields {
            price: ("last", &raw.last),
            quantity: ("evol", &raw.evol),
            cumulative_volume: ("tvol", &raw.tvol),
            best_ask: ("pask", &raw.pask),
            best_bid: ("pbid", &raw.pbid),
        };
        fields.row(korean_clock(tape, date, since_midnight))
    })
}

/// UTC ns of a Korean time of day in a US trade date, which has no date beside it.
///
/// The US day begins at 17:00 or 18:00 in Korea and ends at 09:00 or 10:00 of the next morning; the day market lies
/// in the Korean daytime before it. So 13:30 divides the two mornings with hours to spare on both sides, whatever the
/// daylight saving.
fn korean_clock(tape: Tape, date: TradeDate, since_midnight: i64) -> i64 {
    const DIVIDE: i64 = (13 * 60 + 30) * 60 * time::SECOND;
    let at = time::kst(date, since_midnight);
    if tape != Tape::Day && since_midnight < DIVIDE { at + time::DAY } else { at }
}

/// The texts of a row, each with the broker's name.
struct Fields<'a> {
    price: (&'static str, &'a str),
    quantity: (&'static str, &'a str),
    cumulative_volume: (&'static str, &'a str),
    best_ask: (&'static str, &'a str),
    best_bid: (&'static str, &'a str),
}

impl Fields<'_> {
    fn row(&self, exchange_ns: i64) -> Result<TradeRow, Wrong> {
        let price = wrong(self.price.0, Price::parse(self.price.1.trim()))?;
        let quantity = wrong(self.quantity.0, Quantity::parse(self.quantity.1.trim()))?;
        let volume = self.cumulative_volume;
        let cumulative_volume = wrong(volume.0, Quantity::parse(volume.1.trim()))?;
        if price.is_zero() {
            return Err((self.price.0, "trade without a price".to_owned()));
        }
        if quantity.is_zero() {
            return Err((self.quantity.0, "trade of no shares".to_owned()));
        }
        if cumulative_volume < quantity {
            return Err((volume.0, "below the quantity of the print".to_owned()));
        }
        Ok(TradeRow {
            exchange_ns,
            price,
            quantity,
            cumulative_volume,
            best_ask: best(self.best_ask)?,
            best_bid: best(self.best_bid)?,
        })
    }
}

fn best((name, text): (&'static str, &str)) -> Result<Option<Price>, Wrong> {
    let read =
        |text: &str| -> Result<Option<Price>, NumberError> { Ok(Price::parse(text.trim())?.non_zero()) };
    Ok(if_any(name, text, read)?.flatten())
}
