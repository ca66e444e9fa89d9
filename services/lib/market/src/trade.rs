//! A trade print: one execution, as a broker told it.

use std::fmt;

use crate::at::At;
use crate::instrument::words;
use crate::price::Price;
use crate::quantity::{Quantity, Value};
use crate::session::Session;

words! {
    /// Who crossed the spread, as told by the broker's code or its side volumes; never guessed from prices.
    AggressorSide {
        /// Not known: the source has no side, or a first US record without a predecessor.
        Unspecified = "unspecified",
        /// The broker says there is none: an auction print, or a US print between bid and ask.
        None = "none",
        /// The buyer took liquidity.
        Buy = "buy",
        /// The seller took liquidity.
        Sell = "sell",
    }
}

/// The broker's raw session codes, joined by `|`, at most 23 ASCII bytes; what does not fit is cut.
///
/// KIS Korea: `NEW_MKOP_CLS_CODE|HOUR_CLS_CODE|MRKT_TRTM_CLS_CODE|MARKET_CLS_CODE`, for example `20|0||2`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Codes {
    bytes: [u8; Self::MAX],
    length: u8,
}

impl Codes {
    /// The longest text in bytes.
    pub const MAX: usize = 23;

    /// Joins the codes. Bytes other than printable ASCII become `?`.
    #[must_use]
    pub fn join(codes: &[&str]) -> Self {
        let mut joined = Self::default();
        for (index, code) in codes.iter().enumerate() {
            if index > 0 {
                joined.push(b'|');
            }
            for byte in code.bytes() {
                joined.push(if byte.is_ascii_graphic() { byte } else { b'?' });
            }
        }
        joined
    }

    /// The codes of a text that was joined before.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self::join(&[text])
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(usize::from(self.length)) {
            *slot = byte;
            self.length += 1;
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII was let in.
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// One execution (체결).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// Instrument, trading day and exchange time (whole seconds at both brokers).
    pub at: At,
    /// Price of this print.
    pub price: Price,
    /// Shares of this print, at least 1.
    pub quantity: Quantity,
    /// Who crossed the spread.
    pub aggressor_side: AggressorSide,
    /// Shares traded on this tape and trade date, this print included: the trade's name (design, identity).
    pub cumulative_volume: Quantity,
    /// Money traded on this tape and trade date, truncated (KIS) or rounded (Kiwoom) to `cumulative_value_step`.
    pub cumulative_value: Value,
    /// What `cumulative_value` is a multiple of: 1 won or dollar at KIS, 1,000,000 won at Kiwoom; 0 = none was told.
    pub cumulative_value_step: Value,
    /// Best ask after the print; none when the broker sent 0.
    pub best_ask: Option<Price>,
    /// Best bid after the print; none when the broker sent 0.
    pub best_bid: Option<Price>,
    /// Phase of the venue at the exchange time, by the calendar.
    pub session: Session,
    /// The broker's raw session codes.
    pub session_codes: Codes,
    /// The broker's halted flag.
    pub halted: bool,
}

/// A trade that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImpossibleTrade {
    /// A print needs a price.
    #[error("trade without a price")]
    NoPrice,
    /// A print needs at least one share.
    #[error("trade of no shares")]
    NoQuantity,
    /// The cumulative volume includes the print.
    #[error("cumulative volume below the quantity of the print")]
    CumulativeBelowQuantity,
}

impl Trade {
    /// Checks what must hold of every trade.
    ///
    /// # Errors
    /// [`ImpossibleTrade`]: such a record is refused, not repaired.
    pub fn checked(self) -> Result<Self, ImpossibleTrade> {
        if self.price.is_zero() {
            Err(ImpossibleTrade::NoPrice)
        } else if self.quantity.is_zero() {
            Err(ImpossibleTrade::NoQuantity)
        } else if self.cumulative_volume < self.quantity {
            Err(ImpossibleTrade::CumulativeBelowQuantity)
        } else {
            Ok(self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_what_the_broker_said() {
        assert_eq!(Codes::join(&["20", "0", "", "2"]).as_str(), "20|0||2");
        assert_eq!(Codes::from_text("20|0||2"), Codes::join(&["20", "0", "", "2"]));
        assert_eq!(Codes::join(&["장"]).as_str(), "???");
        assert_eq!(Codes::join(&["123456789012345678901234567890"]).as_str().len(), Codes::MAX);
    }
}
