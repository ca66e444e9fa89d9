//! A US order book: `HDFSASP0`, a head of 11 fields and 6 a level, one record to one [`OrderBook`].
//!
//! ```text
//! DAMSSPY^SPY^4^20260710^105334^20260710^235334^1621^1950^-1200^-735^752.1400^752.1700^60^145^35^60^…
//! ```
//! Captured 2026-07-10: 10 levels, 71 fields. Old documents show one level (17). Level k starts at `11 + 6(k-1)` with
//! bid price, ask price, bid size, ask size, and the changes of both sizes. No trading day, no cumulative volume.

use market::calendar::SessionClock;
use market::{At, Codes, Level, Levels, OrderBook};

use super::field::Fields;
use super::us;
use crate::field::FieldError;

const HEAD: usize = 11;
const LEVEL: usize = 6;

/// Reads one record; the trade date is the calendar's.
///
/// # Errors
/// [`FieldError`] with the field that is not what belongs there.
pub fn parse(fields: &Fields<'_>, clock: &mut SessionClock) -> Result<OrderBook, FieldError> {
    let (tape, symbol) = us::instrument(fields)?;
    let exchange_ns = us::exchange_ns(fields, 5, 6)?;
    let stamp = clock.stamp(tape, exchange_ns);
    let count = (fields.record.width() - HEAD) / LEVEL;
    let (mut asks, mut bids) = ([Level::default(); Levels::MAX], [Level::default(); Levels::MAX]);
    for (index, (ask, bid)) in asks.iter_mut().zip(&mut bids).take(count).enumerate() {
        let first = HEAD + LEVEL * index;
        *bid = Level { price: fields.price(first, "PBID")?, quantity: fields.quantity(first + 2, "VBID")? };
        *ask =
            Level { price: fields.price(first + 1, "PASK")?, quantity: fields.quantity(first + 3, "VASK")? };
    }
    let side =
        |levels| Levels::collect(levels).ok_or_else(|| fields.wrong(HEAD, "PBID", "more than ten levels"));
    Ok(OrderBook {
        at: At { tape, symbol, trade_date: stamp.trade_date, exchange_ns },
        asks: side(asks)?,
        bids: side(bids)?,
        total_ask_quantity: fields.quantity(8, "AVOL")?,
        total_bid_quantity: fields.quantity(7, "BVOL")?,
        expected_price: None,
        expected_quantity: market::Quantity::ZERO,
        cumulative_volume: None,
        session: stamp.session,
        session_codes: Codes::default(),
    })
}
