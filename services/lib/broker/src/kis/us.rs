//! What US trades and books have in common: the key `DNASAAPL`, the symbol, the Korean clock.

use market::{Symbol, Tape};

use super::field::Fields;
use crate::field::FieldError;

/// Tape and symbol of a record. `D` and `R` with a listing market are the US tape; `RBAY`, `RBAQ` and `RBAA` are
/// the day market in Korean daytime.
///
/// # Errors
/// [`FieldError`] when the key is none of a US market.
pub fn instrument(fields: &Fields<'_>) -> Result<(Tape, Symbol), FieldError> {
    let key = fields.text(0);
    let tape = tape_of_key(key).ok_or_else(|| {
        fields.wrong(
            0,
            "RSYM",
            format!("{key:?} does not begin with D or R and a US market (NAS, NYS, AMS, BAQ, BAY, BAA)"),
        )
    })?;
    let symbol = Symbol::parse(fields.text(1)).map_err(|e| fields.wrong(1, "SYMB", e))?;
    Ok((tape, symbol))
}

/// The tape that a `tr_key` or `RSYM` belongs to.
#[must_use]
pub fn tape_of_key(key: &str) -> Option<Tape> {
    match (key.as_bytes().first()?, key.get(1..4)?) {
        (b'D' | b'R', "NAS" | "NYS" | "AMS") => Some(Tape::Us),
        (b'R', "BAQ" | "BAY" | "BAA") => Some(Tape::Day),
        _ => None,
    }
}

/// The key that registers a symbol: `D` and the listing market for the free US feed, the day market's own codes
/// for the day tape.
#[must_use]
pub fn tr_key(tape: Tape, listing: &str, symbol: Symbol) -> String {
    let market = match (tape, listing) {
        (Tape::Day, "NAS") => "RBAQ",
        (Tape::Day, "NYS") => "RBAY",
        (Tape::Day, _) => "RBAA",
        (_, "NAS") => "DNAS",
        (_, "NYS") => "DNYS",
        _ => "DAMS",
    };
    format!("{market}{symbol}")
}

/// UTC ns of the Korean date and time pair, which needs no time-zone rule.
///
/// # Errors
/// [`FieldError`] when either is not one.
pub fn exchange_ns(fields: &Fields<'_>, date: usize, time: usize) -> Result<i64, FieldError> {
    Ok(market::time::kst(fields.date(date, "KYMD")?, fields.time(time, "KHMS")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_market_and_tape() {
        let symbol = Symbol::parse("AAPL").expect("symbol");
        assert_eq!(tr_key(Tape::Us, "NAS", symbol), "DNASAAPL");
        assert_eq!(tr_key(Tape::Day, "NYS", symbol), "RBAYAAPL");
        assert_eq!(tape_of_key("DAMSSPY"), Some(Tape::Us));
        assert_eq!(tape_of_key("RBAQAAPL"), Some(Tape::Day));
        for key in ["", "D", "DTSE7203", "XNASAAPL", "DBAQAAPL", "D삼성"] {
            assert_eq!(tape_of_key(key), None, "{key}");
        }
    }
}
