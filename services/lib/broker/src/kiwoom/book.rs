//! An order book: a row of type `0D` (주식호가잔량) to one [`OrderBook`].
//!
//! ```text
//! "21":"165207","41":"-20800","61":"82","51":"-20700","71":"23847",…,"121":"12622527","125":"14453430","13":"30379650"
//! ```
//! From the official reference. Ask prices 41 to 50 and quantities 61 to 70, bids 51 to 60 and 71 to 80, totals 121 and
//! 125, cumulative volume 13. A full snapshot each time. The change FIDs (81 to 100, 122, 126) do not fit the books
//! that are received, since the server leaves books out: they are not read.

use market::calendar::SessionClock;
use market::{At, Codes, Level, Levels, OrderBook, Price, Quantity, Session};

use super::field::tolerated;
use super::frame::Row;
use super::number;
use crate::field::FieldError;

/// Reads a row. `received_ns` gives the date that the row lacks.
///
/// # Errors
/// [`FieldError`] with the FID that is not what belongs there.
pub fn parse(row: &Row<'_>, received_ns: i64, clock: &mut SessionClock) -> Result<OrderBook, FieldError> {
    let (tape, symbol) = row.instrument()?;
    let exchange_ns = row.exchange_ns(21, received_ns)?;
    let stamp = clock.stamp(tape, exchange_ns);
    let asks = levels(row, 41, 61)?;
    let bids = levels(row, 51, 71)?;
    let total_ask_quantity = row.required(121, "total ask quantity", number::quantity)?;
    let total_bid_quantity = row.required(125, "total bid quantity", number::quantity)?;
    // Absent levels are an empty side only when the total says so too.
    for (total, prices) in [(total_ask_quantity, 41), (total_bid_quantity, 51)] {
        if row.code(prices).is_empty() && !total.is_zero() {
            return Err(row.wrong(prices, "level price", format!("missing, and the total is {total}")));
        }
    }
    // Whether the totals always end with the tenth level is not documented: a difference refuses nothing.
    if sum(&asks) != Some(total_ask_quantity) || sum(&bids) != Some(total_bid_quantity) {
        tolerated("totals_beyond_levels");
    }
    let (expected_price, expected_quantity) = expected(row, stamp.session);
    Ok(OrderBook {
        at: At { tape, symbol, trade_date: stamp.trade_date, exchange_ns },
        asks,
        bids,
        total_ask_quantity,
        total_bid_quantity,
        expected_price,
        expected_quantity,
        cumulative_volume: row.optional(13, "cumulative volume", number::quantity),
        session: stamp.session,
        session_codes: Codes::join(&[row.code(215)]),
    })
}

/// Ten levels. One that is absent altogether is empty, but only behind the last: a price without its quantity, or a
/// hole, is a damaged row and not a thin book.
fn levels(row: &Row<'_>, prices: u16, quantities: u16) -> Result<Levels, FieldError> {
    let mut side = [Level::default(); Levels::MAX];
    let mut ended = None;
    for ((level, price_fid), quantity_fid) in side.iter_mut().zip(prices..).zip(quantities..) {
        let price = row.if_any(price_fid, "level price", number::price)?;
        let quantity = row.if_any(quantity_fid, "level quantity", number::quantity)?;
        match (price, quantity, ended) {
            (Some(price), Some(quantity), None) => *level = Level { price, quantity },
            (None, None, _) => ended = ended.or(Some(price_fid)),
            (Some(_), None, _) => return Err(row.wrong(quantity_fid, "level quantity", "missing")),
            (None, Some(_), _) => return Err(row.wrong(price_fid, "level price", "missing")),
            (Some(_), Some(_), Some(missing)) => return Err(row.wrong(missing, "level price", "missing")),
        }
    }
    Ok(Levels::collect(side).unwrap_or_default())
}

fn sum(levels: &Levels) -> Option<Quantity> {
    levels.as_slice().iter().try_fold(Quantity::ZERO, |sum, level| sum.checked_add(level.quantity))
}

/// Expected price and quantity of a running auction: FIDs 291 and 292, filled only in expected-price time; else 23 and
/// 24, which stand there all day and mean something in an auction alone.
fn expected(row: &Row<'_>, session: Session) -> (Option<Price>, Quantity) {
    let auction = matches!(
        session,
        Session::OpenAuction | Session::CloseAuction | Session::SinglePrice | Session::AfterAuction
    );
    for (price, quantity) in [(291, 292), (23, 24)].into_iter().take(if auction { 2 } else { 1 }) {
        let price = row.optional(price, "expected price", number::price).and_then(Price::non_zero);
        let quantity = row.optional(quantity, "expected quantity", number::quantity);
        if let (Some(price), Some(quantity)) = (price, quantity) {
            return (Some(price), quantity);
        }
    }
    (None, Quantity::ZERO)
}
