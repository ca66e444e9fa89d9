//! The day of one tape: prints turn into the cumulative figures that the frames carry.

/// Who started a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A buyer took the ask.
    Buy,
    /// A seller took the bid.
    Sell,
    /// An auction, or a US print between bid and ask.
    None,
}

/// A trade as it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print {
    /// Won, or 1/10000 dollar.
    pub price: i64,
    /// Shares.
    pub quantity: i64,
    /// Who started it.
    pub side: Side,
}

/// Cumulative figures of a day on one tape. Times are HHMMSS.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// First price and its time.
    pub open: (i64, u32),
    /// Highest price and its time.
    pub high: (i64, u32),
    /// Lowest price and its time.
    pub low: (i64, u32),
    /// Shares of the day, off-hours included.
    pub volume: i64,
    /// Price units times shares of the day, off-hours included.
    pub value: i64,
    /// Sell-initiated prints.
    pub sells: i64,
    /// Buy-initiated prints.
    pub buys: i64,
    /// Sell-initiated shares.
    pub sell_volume: i64,
    /// Buy-initiated shares.
    pub buy_volume: i64,
    /// Prints of any kind.
    pub prints: i64,
}

impl Tally {
    /// Volume that enters the counters without a print.
    pub fn add_off_hours(&mut self, shares: i64, price: i64) {
        self.volume += shares;
        self.value += shares * price;
    }

    /// Counts a print.
    pub fn record(&mut self, print: &Print, time: u32) {
        if self.prints == 0 {
            self.open = (print.price, time);
            self.high = self.open;
            self.low = self.open;
        }
        if print.price > self.high.0 {
            self.high = (print.price, time);
        }
        if print.price < self.low.0 {
            self.low = (print.price, time);
        }
        self.prints += 1;
        self.volume += print.quantity;
        self.value += print.price * print.quantity;
        match print.side {
            Side::Buy => {
                self.buys += 1;
                self.buy_volume += print.quantity;
            }
            Side::Sell => {
                self.sells += 1;
                self.sell_volume += print.quantity;
            }
            Side::None => {}
        }
    }
}

/// `numerator / denominator * 100` in hundredths, rounded half away from zero; 0 when the denominator is 0.
#[must_use]
pub fn percent(numerator: i64, denominator: i64) -> i64 {
    if denominator == 0 {
        return 0;
    }
    let (n, d) = (i128::from(numerator) * 10_000, i128::from(denominator).abs());
    let n = if denominator < 0 { -n } else { n };
    let rounded = if n >= 0 { (2 * n + d) / (2 * d) } else { (2 * n - d) / (2 * d) };
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_of_captured_frames() {
        assert_eq!(percent(900, 58_800), 153);
        assert_eq!(percent(-1_600, 62_600), -256);
        assert_eq!(percent(6_086_067, 3_922_631), 15_515);
        assert_eq!(percent(20_513, 24_757), 8_286);
        assert_eq!((percent(1, 0), percent(0, 5)), (0, 0));
    }
}
