//! Kiwoom's number texts, in frames and pages alike: signs are marks, not arithmetic.
//!
//! ```text
//! "-20800"   a price below the previous close     "+82"   82 shares, bought by the taker
//! "-0"       an empty level                       " 0"    with a space, as captured
//! ```
//! Up to two signs stand before the digits. Of a price they only tell on which side of the previous close it is.

use market::decimal::{self, NumberError, NumberProblem};
use market::{AggressorSide, Price, Quantity, Value};

/// Won, in steps of a million: how frames and ka10084 truncate money.
pub const MILLION_WON: Value = Value::from_units(10_000_000_000);

/// The signs before the digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signs {
    None,
    Plus,
    Minus,
    /// Two that contradict each other.
    Mixed,
}

fn split(text: &str) -> (Signs, &str) {
    let text = text.trim_matches(' ');
    let (mut signs, mut rest) = (Signs::None, text);
    for _ in 0..2 {
        let (sign, after) = match rest.as_bytes().first() {
            Some(b'+') => (Signs::Plus, &rest[1..]),
            Some(b'-') => (Signs::Minus, &rest[1..]),
            _ => break,
        };
        signs = if signs == Signs::None || signs == sign { sign } else { Signs::Mixed };
        rest = after;
    }
    (signs, rest)
}

/// Digits without any sign, scaled.
fn digits(text: &str, rest: &str, scale: u32) -> Result<i64, NumberError> {
    if rest.starts_with(['+', '-']) {
        return Err(error(text, NumberProblem::NotANumber));
    }
    decimal::parse(rest, scale)
}

fn error(text: &str, problem: NumberProblem) -> NumberError {
    NumberError { text: text.chars().take(40).collect(), problem }
}

/// A price: its absolute value; 0 is no price.
///
/// # Errors
/// [`NumberError`] with the text.
pub fn price(text: &str) -> Result<Price, NumberError> {
    digits(text, split(text).1, Price::SCALE).map(Price::from_units)
}

/// Whole shares that cannot be below zero. `-0` is zero.
///
/// # Errors
/// [`NumberError`] with the text; also for a minus before anything but zero: nothing marks a side here.
pub fn quantity(text: &str) -> Result<Quantity, NumberError> {
    let (signs, rest) = split(text);
    let quantity = Quantity::from_units(digits(text, rest, 0)?);
    if matches!(signs, Signs::Minus | Signs::Mixed) && !quantity.is_zero() {
        return Err(error(text, NumberProblem::Negative));
    }
    Ok(quantity)
}

/// Shares of a print with the taker's side: `+` bought, `-` sold, without a sign an auction or not classified.
///
/// # Errors
/// [`NumberError`] with the text; also for two signs that contradict each other.
pub fn sided_quantity(text: &str) -> Result<(AggressorSide, Quantity), NumberError> {
    let (signs, rest) = split(text);
    let side = match signs {
        Signs::None => AggressorSide::None,
        Signs::Plus => AggressorSide::Buy,
        Signs::Minus => AggressorSide::Sell,
        Signs::Mixed => return Err(error(text, NumberProblem::NotANumber)),
    };
    Ok((side, Quantity::from_units(digits(text, rest, 0)?)))
}

/// Money in whole steps, such as [`MILLION_WON`].
///
/// # Errors
/// [`NumberError`] with the text.
pub fn value(text: &str, step: Value) -> Result<Value, NumberError> {
    let steps = quantity(text)?.units();
    let units = steps.checked_mul(step.units()).ok_or_else(|| error(text, NumberProblem::Overflow))?;
    Ok(Value::from_units(units))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_of_a_price_is_a_mark() {
        for (text, units) in [
            ("-20800", 208_000_000),
            ("+1851000", 18_510_000_000),
            ("20850", 208_500_000),
            (" 67300", 673_000_000),
            ("--5", 50_000),
            ("-+5", 50_000),
            ("-0", 0),
            ("00000197", 1_970_000),
            ("+12.5", 125_000),
        ] {
            assert_eq!(price(text).map(Price::units), Ok(units), "{text}");
        }
        for text in ["", "-", "+-", "---5", "+-+5", "- 5", ". 950", "x", "5-", "(null)", "1e5", "2,000"] {
            assert!(price(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_sign_of_a_quantity_is_the_taker() {
        use AggressorSide::{Buy, None, Sell};
        for (text, side, units) in [
            ("+82", Buy, 82),
            ("-7805", Sell, 7805),
            ("1010", None, 1010),
            ("--3", Sell, 3),
            (" 0", None, 0),
            ("-0", Sell, 0),
        ] {
            assert_eq!(sided_quantity(text), Ok((side, Quantity::from_units(units))), "{text}");
        }
        for text in ["", "+-3", "-+3", "1.5", "+", "+ 3", "---3"] {
            assert!(sided_quantity(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_have_no_side_elsewhere() {
        assert_eq!(quantity("30379732").map(Quantity::units), Ok(30_379_732));
        assert_eq!(quantity("-0").map(Quantity::units), Ok(0));
        assert_eq!(quantity("0000000123759593").map(Quantity::units), Ok(123_759_593));
        assert_eq!(quantity("-1").map_err(|error| error.problem), Err(NumberProblem::Negative));
        assert!(quantity("").is_err() && quantity("1.0").is_err());
    }

    #[test]
    fn money_comes_in_steps() {
        assert_eq!(value("632640", MILLION_WON).map(|value| value.to_string()), Ok("632640000000".into()));
        assert_eq!(value("98035806450", Value::ONE).map(|value| value.to_string()), Ok("98035806450".into()));
        assert_eq!(
            value("922337204", MILLION_WON).map_err(|error| error.problem),
            Err(NumberProblem::Overflow)
        );
        assert!(value("922337203", MILLION_WON).is_ok());
    }
}
