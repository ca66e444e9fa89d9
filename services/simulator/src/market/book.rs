//! Ten levels a side: sizes that trades and orders turn into other sizes, and the changes a book record shows.

use super::grid::Grid;
use super::random::Random;

/// Levels a side.
pub const LEVELS: usize = 10;

/// Sizes of one venue, best level first. Prices are the instrument's: every venue quotes the same levels.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sizes {
    /// Ask sizes.
    pub asks: [i64; LEVELS],
    /// Bid sizes.
    pub bids: [i64; LEVELS],
}

impl Sizes {
    /// Random sizes up to `cap` on every level.
    pub fn fresh(random: &mut Random, cap: i64) -> Self {
        let mut sizes = Self::default();
        for size in sizes.asks.iter_mut().chain(sizes.bids.iter_mut()) {
            *size = random.between(1, cap);
        }
        sizes
    }

    /// Both venues together, level by level.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = *self;
        for level in 0..LEVELS {
            sum.asks[level] += other.asks[level];
            sum.bids[level] += other.bids[level];
        }
        sum
    }

    /// The levels below `depth` empty.
    #[must_use]
    pub fn cut(&self, ask_depth: usize) -> Self {
        let mut cut = *self;
        for size in cut.asks.iter_mut().skip(ask_depth) {
            *size = 0;
        }
        cut
    }

    /// The best ask is gone: every ask moves one level nearer, every bid one level away.
    pub fn shift_up(&mut self, best_bid: i64, last_ask: i64) {
        self.asks.rotate_left(1);
        self.asks[LEVELS - 1] = last_ask;
        self.bids.rotate_right(1);
        self.bids[0] = best_bid;
    }

    /// The best bid is gone: the mirror of [`Sizes::shift_up`].
    pub fn shift_down(&mut self, best_ask: i64, last_bid: i64) {
        self.bids.rotate_left(1);
        self.bids[LEVELS - 1] = last_bid;
        self.asks.rotate_right(1);
        self.asks[0] = best_ask;
    }

    /// Sum of the ask sizes.
    #[must_use]
    pub fn ask_total(&self) -> i64 {
        self.asks.iter().sum()
    }

    /// Sum of the bid sizes.
    #[must_use]
    pub fn bid_total(&self) -> i64 {
        self.bids.iter().sum()
    }
}

/// The ten prices of a side, starting at the best; the last one is `LEVELS - 1` steps away.
#[must_use]
pub fn ladder(grid: Grid, best: i64, upwards: bool) -> [i64; LEVELS] {
    let mut prices = [best; LEVELS];
    for level in 1..LEVELS {
        let nearer = prices[level - 1];
        prices[level] = if upwards { grid.up(nearer) } else { grid.down(nearer) };
    }
    prices
}

/// What a book record shows: prices (0 = no level), sizes, and what changed since the record before on this tape.
#[derive(Debug, Clone, Copy, Default)]
pub struct BookRecord {
    /// Ask prices.
    pub ask_prices: [i64; LEVELS],
    /// Bid prices.
    pub bid_prices: [i64; LEVELS],
    /// Sizes.
    pub sizes: Sizes,
    /// Size changes level by level, 0 in the first record.
    pub changes: Sizes,
}

/// Size resting at the middle of best ask and best bid, and its side (1 ask, 2 bid).
#[derive(Debug, Clone, Copy, Default)]
pub struct Middle {
    /// Shares; 0 = nothing rests there.
    pub size: i64,
    /// 0 nothing, 1 ask, 2 bid.
    pub side: i64,
}
