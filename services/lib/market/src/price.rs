//! A price in units of 1/10,000 of the currency.

use std::fmt;

use crate::decimal::{self, NumberError};

/// A price: `i64` in units of 10^-4 of the market's currency (KRW or USD), zero or more.
///
/// 70,000 won is `700_000_000` units; 169.785 dollars is `1_697_850`. The same integer stands in protobuf and
/// is the integer inside ClickHouse's `Decimal(18,4)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Price(i64);

impl Price {
    /// Decimals of a price.
    pub const SCALE: u32 = 4;
    /// No price: an empty level, no expected price.
    pub const ZERO: Self = Self(0);

    /// A price from units of 10^-4, as stored. The bus and the store have checked it on the way in.
    #[must_use]
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// Units of 10^-4.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// Whether there is no price.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The price, or nothing for zero.
    #[must_use]
    pub fn non_zero(self) -> Option<Self> {
        (self.0 != 0).then_some(self)
    }

    /// Reads decimal text, for example `70000`, `169.7850` or `+12.5`.
    ///
    /// # Errors
    /// [`NumberError`] with the text: not a number, negative, more than four decimals, too large.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        decimal::parse_unsigned(text, Self::SCALE).map(Self)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, self.0, Self::SCALE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_four_decimals_exactly() {
        let price = Price::parse("169.7850").expect("price");
        assert_eq!((price.units(), price.to_string().as_str()), (1_697_850, "169.785"));
        assert_eq!(Price::parse("66950").expect("price").units(), 669_500_000);
        assert!(Price::parse("-1").is_err());
        assert!(Price::parse("0.00001").is_err());
    }
}
