//! A trade print: a row of type `0B` (주식체결) to one [`Trade`].
//!
//! ```text
//! "20":"102756","10":"-251000","27":"-251000","28":"-250500","15":"+8","13":"10055036","14":"2518271","290":"2","9081":"KRX"
//! ```
//! Captured 2026-07-20. Time 20, price 10, quantity with the taker's sign 15 and cumulative volume 13 must be there;
//! after hours most of the other 39 FIDs are absent. FID 13 includes the print.

use market::calendar::SessionClock;
use market::{At, Codes, Trade, Value};

use super::field::tolerated;
use super::frame::Row;
use super::number::{self, MILLION_WON};
use crate::feed::Item;
use crate::field::FieldError;

/// Reads a row. `received_ns` gives the date that the row lacks. A print of no shares is no trade: it is kept apart.
///
/// # Errors
/// [`FieldError`] with the FID that is not what belongs there.
pub fn parse(row: &Row<'_>, received_ns: i64, clock: &mut SessionClock) -> Result<Item, FieldError> {
    let (tape, symbol) = row.instrument()?;
    let exchange_ns = row.exchange_ns(20, received_ns)?;
    let price = row.required(10, "price", number::price)?;
    let (aggressor_side, quantity) = row.required(15, "quantity", number::sided_quantity)?;
    let cumulative_volume = row.required(13, "cumulative volume", number::quantity)?;
    if quantity.is_zero() {
        return Ok(Item::Apart("print_of_no_shares"));
    }
    let value = row.optional(14, "cumulative value", |text| number::value(text, MILLION_WON));
    // Without a value the step is 0 too: nothing is told.
    let cumulative_value_step = if value.is_some() { MILLION_WON } else { Value::ZERO };
    if value.is_none() {
        tolerated("no_cumulative_value");
    }
    let stamp = clock.stamp(tape, exchange_ns);
    let trade = Trade {
        at: At { tape, symbol, trade_date: stamp.trade_date, exchange_ns },
        price,
        quantity,
        aggressor_side,
        cumulative_volume,
        cumulative_value: value.unwrap_or(Value::ZERO),
        cumulative_value_step,
        best_ask: row.optional(27, "best ask", number::price).and_then(market::Price::non_zero),
        best_bid: row.optional(28, "best bid", number::price).and_then(market::Price::non_zero),
        session: stamp.session,
        // The broker's session, and the exchange: on `_AL` the only mark of a print's venue.
        session_codes: Codes::join(&[row.code(290), row.code(9081)]),
        halted: false,
    };
    let trade = trade.checked().map_err(|impossible| row.wrong(15, "quantity", impossible))?;
    Ok(Item::Trade(trade, None))
}
