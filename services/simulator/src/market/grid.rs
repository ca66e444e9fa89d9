//! Price grids: KRX stocks by price band, KRX funds (ETF, ETN), US cents.

/// The steps that prices of an instrument may take. KRX prices are whole won, US prices 1/10000 dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    /// KRX stocks, bands of January 2023.
    Stock,
    /// KRX ETFs and ETNs.
    Fund,
    /// US stocks: one cent from one dollar on.
    Cent,
}

impl Grid {
    /// The step at `price`.
    #[must_use]
    pub fn step(self, price: i64) -> i64 {
        match self {
            Self::Stock => match price {
                ..2_000 => 1,
                2_000..5_000 => 5,
                5_000..20_000 => 10,
                20_000..50_000 => 50,
                50_000..200_000 => 100,
                200_000..500_000 => 500,
                _ => 1_000,
            },
            Self::Fund => {
                if price < 2_000 {
                    1
                } else {
                    5
                }
            }
            Self::Cent => {
                if price < 10_000 {
                    1
                } else {
                    100
                }
            }
        }
    }

    /// The next price above `price`, which lies on the grid.
    #[must_use]
    pub fn up(self, price: i64) -> i64 {
        price + self.step(price)
    }

    /// The next price below `price`, which lies on the grid.
    #[must_use]
    pub fn down(self, price: i64) -> i64 {
        price - self.step(price - 1)
    }

    /// The highest price on the grid that is not above `price`.
    #[must_use]
    pub fn floor(self, price: i64) -> i64 {
        price - price.rem_euclid(self.step(price))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_change_at_the_bands() {
        assert_eq!((Grid::Stock.up(199_900), Grid::Stock.up(200_000)), (200_000, 200_500));
        assert_eq!((Grid::Stock.down(200_000), Grid::Stock.down(200_500)), (199_900, 200_000));
        assert_eq!((Grid::Stock.down(2_000), Grid::Stock.up(500_000)), (1_999, 501_000));
        assert_eq!((Grid::Fund.up(10_005), Grid::Cent.up(1_697_800)), (10_010, 1_697_900));
        assert_eq!(Grid::Stock.floor(67_050), 67_000);
    }
}
