//! The symbol list of a market: `ka10099` to [`SymbolRow`]s.
//!
//! ```text
//! {"code":"005930","name":"삼성전자","listCount":"0000000123759593",…,"lastPrice":"00000197","state":"관리종목","marketCode":"10",…,"nxtEnable":"Y"}
//! ```
//! From the official reference, whose numbers do not fit the names. The list of KOSPI also holds funds and notes:
//! `market_code` tells them apart. Listings change daily.

use std::borrow::Cow;

use market::{Price, Quantity, Symbol, TradeDate};
use serde::Deserialize;

use super::{BodyError, Call, Rows, Wrong, if_any, rows, wrong};
use crate::kiwoom::number;

/// A listed instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolRow {
    /// Its symbol.
    pub symbol: Symbol,
    /// Its Korean name.
    pub name: String,
    /// Shares listed; none when the row has none.
    pub listed_shares: Option<Quantity>,
    /// Day of the listing; none when the row has none.
    pub listed_on: Option<TradeDate>,
    /// Price of the last close; none when the broker sent 0.
    pub last_price: Option<Price>,
    /// Kind of instrument in the broker's numbers: 0 KOSPI, 10 KOSDAQ, 8 ETF, 60 ETN, …
    pub market_code: String,
    /// The broker's states, joined by `|`.
    pub state: String,
    /// 0 none, 1 caution, 2 liquidation, 3 overheated, 4 risk, 5 warning.
    pub order_warning: String,
    /// Whether it trades on NXT.
    pub on_nxt: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    list_count: Cow<'a, str>,
    #[serde(borrow, default)]
    reg_day: Cow<'a, str>,
    #[serde(borrow, default)]
    last_price: Cow<'a, str>,
    #[serde(borrow, default)]
    market_code: Cow<'a, str>,
    #[serde(borrow, default)]
    state: Cow<'a, str>,
    #[serde(borrow, default)]
    order_warning: Cow<'a, str>,
    #[serde(borrow, default)]
    nxt_enable: Cow<'a, str>,
}

/// Reads a body of `ka10099`.
///
/// # Errors
/// [`BodyError`] when it is no page.
pub fn symbols(body: &str) -> Result<Rows<SymbolRow>, BodyError> {
    rows(body, Call::Symbols, read)
}

fn read(raw: &Raw<'_>) -> Result<SymbolRow, Wrong> {
    Ok(SymbolRow {
        symbol: wrong("code", Symbol::parse(raw.code.trim()))?,
        name: raw.name.trim().to_owned(),
        listed_shares: if_any("listCount", &raw.list_count, number::quantity)?,
        listed_on: if_any("regDay", &raw.reg_day, |text| TradeDate::parse(text.trim()))?,
        last_price: if_any("lastPrice", &raw.last_price, number::price)?.and_then(Price::non_zero),
        market_code: raw.market_code.trim().to_owned(),
        state: raw.state.trim().to_owned(),
        order_warning: raw.order_warning.trim().to_owned(),
        on_nxt: raw.nxt_enable.trim() == "Y",
    })
}
