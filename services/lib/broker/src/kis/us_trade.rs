//! A US trade print: `HDFSCNT0`, 26 fields, one record to one [`Trade`] and the broker's volumes by side.
//!
//! ```text
//! DNASAAPL^AAPL^4^20230502^20230502^091912^20230502^221912^169.9200^170.1000^169.4200^169.7850^2^0.1950^+0.11^169.7700^169.7900^201^5^1^108464^18414163^24757^20513^82.86^1
//! ```
//! Captured 2023-05-02. The official example names 25 fields and forgets the first. Field 3 is the business date of
//! the market, 6 and 7 the Korean date and time, 11 the price, 19 and 20 volume and cumulative volume.

use market::calendar::SessionClock;
use market::{AggressorSide, At, Codes, Trade, Value};

use super::field::Fields;
use super::us;
use crate::feed::SideVolumes;
use crate::field::FieldError;

/// Reads one record. The side is unspecified: it shows only against the record before
/// ([`SideVolumes::aggressor_side`]).
///
/// # Errors
/// [`FieldError`] with the field that is not what belongs there.
pub fn parse(fields: &Fields<'_>, clock: &mut SessionClock) -> Result<(Trade, SideVolumes), FieldError> {
    let (tape, symbol) = us::instrument(fields)?;
    let trade_date = fields.date(3, "TYMD")?;
    // The local pair is not used; that it can be read tells a record whose fields are not shifted.
    fields.date(4, "XYMD")?;
    fields.time(5, "XHMS")?;
    let exchange_ns = us::exchange_ns(fields, 6, 7)?;
    unshifted(fields)?;
    let quantity = fields.quantity(19, "EVOL")?;
    let cumulative_volume = fields.quantity(20, "TVOL")?;
    let trade = Trade {
        at: At { tape, symbol, trade_date, exchange_ns },
        price: fields.price(11, "LAST")?,
        quantity,
        aggressor_side: AggressorSide::Unspecified,
        cumulative_volume,
        cumulative_value: fields.value(21, "TAMT")?,
        cumulative_value_step: Value::ONE,
        best_ask: fields.price_if_any(16, "PASK")?,
        best_bid: fields.price_if_any(15, "PBID")?,
        session: clock.stamp(tape, exchange_ns).session,
        session_codes: Codes::join(&[fields.text(25)]),
        halted: false,
    };
    let trade = trade.checked().map_err(|impossible| fields.wrong(19, "EVOL", impossible))?;
    let sides = SideVolumes {
        cumulative_volume,
        sold: fields.quantity(22, "BIVL")?,
        bought: fields.quantity(23, "ASVL")?,
    };
    Ok((trade, sides))
}

/// A field added behind the times would make the day's low the price. Field 24, the trade strength, is a percentage
/// with decimals in all captures.
fn unshifted(fields: &Fields<'_>) -> Result<(), FieldError> {
    let strength = fields.text(24);
    if strength.is_empty() || strength.contains('.') {
        return Ok(());
    }
    Err(fields.wrong(24, "STRN", format!("{strength:?} is no percentage: fields are shifted")))
}
