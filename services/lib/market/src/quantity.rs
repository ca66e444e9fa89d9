//! Shares, and money that changed hands.

use std::fmt;

use crate::decimal::{self, NumberError};

/// A number of shares: whole, zero or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(i64);

impl Quantity {
    /// No shares.
    pub const ZERO: Self = Self(0);

    /// A quantity from whole shares, as stored.
    #[must_use]
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// Whole shares.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Reads whole shares, for example `1218`.
    ///
    /// # Errors
    /// [`NumberError`] with the text: not a number, negative, a fraction (a fractional share is a refused
    /// record), too large.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        decimal::parse_unsigned(text, 0).map(Self)
    }

    /// `self - other`, or nothing when that would be below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).filter(|rest| *rest >= 0).map(Self)
    }

    /// `self + other`, or nothing on overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Money that changed hands: `i64` in units of 10^-4 of the market's currency, zero or more.
///
/// Brokers truncate it; the step to which they do stands beside it (`cumulative_value_step`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Value(i64);

impl Value {
    /// Decimals of a value.
    pub const SCALE: u32 = 4;
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One won or one dollar.
    pub const ONE: Self = Self(10_000);

    /// A value from units of 10^-4, as stored.
    #[must_use]
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// Units of 10^-4.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// Reads decimal text, for example `605142384800`.
    ///
    /// # Errors
    /// [`NumberError`] with the text, as for prices.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        decimal::parse_unsigned(text, Self::SCALE).map(Self)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, self.0, Self::SCALE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_whole() {
        assert_eq!(Quantity::parse("10247065").expect("quantity").units(), 10_247_065);
        assert!(Quantity::parse("1.5").is_err());
        assert!(Quantity::parse("-3").is_err());
        assert_eq!(Quantity::from_units(3).checked_sub(Quantity::from_units(4)), None);
    }

    #[test]
    fn a_day_of_turnover_fits() {
        // 3.7 trillion won, seen in a frame of 2026-09-14; a hundred times that still fits.
        assert_eq!(Value::parse("3728926343750").expect("value").units(), 37_289_263_437_500_000);
        assert!(Value::parse("372892634375000").is_ok());
    }
}
