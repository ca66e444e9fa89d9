//! A Korean order book: `H0STASP0` (KRX), `H0NXASP0` (NXT), `H0UNASP0` (both), one record to one [`OrderBook`].
//!
//! ```text
//! 005930^140610^0^278000^278500^…^794831^496484^0^0^0^0^457236^-274000^5^-100.00^11955000^13^5^0^0^0^277750^4831^2^2
//! ```
//! Captured 2026-09-22. Ten asks from field 3, ten bids from 13, their sizes from 23 and 33, totals 43 and 44,
//! expected price 47, cumulative volume 53; 59 to 66 fields. There is no date: the nearest day to the receive time.

use market::calendar::SessionClock;
use market::{At, Codes, Level, Levels, OrderBook, Symbol, Tape};

use super::field::Fields;
use crate::field::FieldError;

/// Reads one record. `received_ns` gives the date that the record lacks.
///
/// # Errors
/// [`FieldError`] with the field that is not what belongs there.
pub fn parse(
    fields: &Fields<'_>,
    tape: Tape,
    received_ns: i64,
    clock: &mut SessionClock,
) -> Result<OrderBook, FieldError> {
    let symbol = Symbol::parse(fields.text(0)).map_err(|e| fields.wrong(0, "MKSC_SHRN_ISCD", e))?;
    let exchange_ns = market::time::kst_nearest(received_ns, fields.time(1, "BSOP_HOUR")?);
    let stamp = clock.stamp(tape, exchange_ns);
    unshifted(fields)?;
    Ok(OrderBook {
        at: At { tape, symbol, trade_date: stamp.trade_date, exchange_ns },
        asks: levels(fields, 3, 23, "ASKP")?,
        bids: levels(fields, 13, 33, "BIDP")?,
        total_ask_quantity: fields.quantity(43, "TOTAL_ASKP_RSQN")?,
        total_bid_quantity: fields.quantity(44, "TOTAL_BIDP_RSQN")?,
        expected_price: fields.price_if_any(47, "ANTC_CNPR")?,
        expected_quantity: fields.quantity(48, "ANTC_CNQN")?,
        cumulative_volume: Some(fields.quantity(53, "ACML_VOL")?),
        session: stamp.session,
        // Field 2, and on KRX the class of the market since 2026-09-14.
        session_codes: Codes::join(&[fields.text(2), if tape == Tape::Krx { fields.text(62) } else { "" }]),
    })
}

fn levels(
    fields: &Fields<'_>,
    prices: usize,
    quantities: usize,
    name: &'static str,
) -> Result<Levels, FieldError> {
    let mut side = [Level::default(); Levels::MAX];
    for (index, level) in side.iter_mut().enumerate() {
        level.price = fields.price(prices + index, name)?;
        level.quantity = fields.quantity(quantities + index, name)?;
    }
    Levels::collect(side).ok_or_else(|| fields.wrong(prices, name, "more than ten levels"))
}

/// A lost or added field would shift prices into sizes unnoticed: they are all whole numbers. Field 51 is a sign
/// code of one digit and 52 a percentage with decimals, in all captures, auction or not; field 54 is a whole number.
fn unshifted(fields: &Fields<'_>) -> Result<(), FieldError> {
    let (sign, percent) = (fields.text(51), fields.text(52));
    if !matches!(sign, "" | "0" | "1" | "2" | "3" | "4" | "5") {
        return Err(fields.wrong(
            51,
            "ANTC_CNTG_VRSS_SIGN",
            format!("{sign:?} is no sign code: fields are shifted"),
        ));
    }
    let change = fields.text(54);
    if change.contains('.') {
        let problem = format!("{change:?} is no whole number: fields are shifted");
        return Err(fields.wrong(54, "TOTAL_ASKP_RSQN_ICDC", problem));
    }
    if !percent.is_empty() && !percent.contains('.') {
        return Err(fields.wrong(
            52,
            "ANTC_CNTG_PRDY_CTRT",
            format!("{percent:?} is no percentage: fields are shifted"),
        ));
    }
    Ok(())
}
