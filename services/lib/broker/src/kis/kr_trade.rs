//! A Korean trade print: `H0STCNT0` (KRX), `H0NXCNT0` (NXT), `H0UNCNT0` (both), one record to one [`Trade`].
//!
//! ```text
//! 005930^150746^249250^5^-10250^-3.95^250742.47^249500^254500^248500^249500^249000^1^14871538^3728926343750^…
//! ```
//! Captured 2026-09-14. Field list: KIS workbook of 2026-09-11, 46 fields and a 47th since 2026-09-14. Price is
//! field 2 (7 is the day's open), the print's size field 12, the cumulative volume field 13.

use market::calendar::SessionClock;
use market::{AggressorSide, At, Codes, Symbol, Tape, Trade, Value};

use super::field::Fields;
use crate::field::FieldError;

/// Reads one record.
///
/// # Errors
/// [`FieldError`] with the field that is not what belongs there.
pub fn parse(fields: &Fields<'_>, tape: Tape, clock: &mut SessionClock) -> Result<Trade, FieldError> {
    let symbol = Symbol::parse(fields.text(0)).map_err(|e| fields.wrong(0, "MKSC_SHRN_ISCD", e))?;
    let trade_date = fields.date(33, "BSOP_DATE")?;
    let exchange_ns = market::time::kst(trade_date, fields.time(1, "STCK_CNTG_HOUR")?);
    let trade = Trade {
        at: At { tape, symbol, trade_date, exchange_ns },
        price: fields.price(2, "STCK_PRPR")?,
        quantity: fields.quantity(12, "CNTG_VOL")?,
        aggressor_side: aggressor_side(fields)?,
        cumulative_volume: fields.quantity(13, "ACML_VOL")?,
        cumulative_value: fields.value(14, "ACML_TR_PBMN")?,
        cumulative_value_step: Value::ONE,
        best_ask: fields.price_if_any(10, "ASKP1")?,
        best_bid: fields.price_if_any(11, "BIDP1")?,
        session: clock.stamp(tape, exchange_ns).session,
        // Fields 34, 43 and 44, and 46 since 2026-09-14.
        session_codes: Codes::join(&[fields.text(34), fields.text(43), fields.text(44), fields.text(46)]),
        halted: halted(fields)?,
    };
    trade.checked().map_err(|impossible| fields.wrong(12, "CNTG_VOL", impossible))
}

/// 1 bought, 5 sold, 3 before the open; empty on an auction print. Anything else would change the meaning.
fn aggressor_side(fields: &Fields<'_>) -> Result<AggressorSide, FieldError> {
    match fields.text(21) {
        "1" => Ok(AggressorSide::Buy),
        "5" => Ok(AggressorSide::Sell),
        "" | "3" => Ok(AggressorSide::None),
        other => Err(fields.wrong(21, "CCLD_DVSN", format!("unknown side {other:?}, not 1, 5, 3 or empty"))),
    }
}

/// Also tells a record whose fields are shifted: only here may `Y` or `N` stand.
fn halted(fields: &Fields<'_>) -> Result<bool, FieldError> {
    match fields.text(35) {
        "Y" => Ok(true),
        "N" => Ok(false),
        other => Err(fields.wrong(35, "TRHT_YN", format!("{other:?} is neither Y nor N"))),
    }
}
