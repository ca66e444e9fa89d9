//! Seeded random numbers (SplitMix64): a seed and a symbol turn into the same market on every machine and for
//! all versions, which a library's generator does not promise.

/// A stream of numbers that its seed alone decides.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of `seed` for `name`: every symbol has its own, so the order of subscriptions changes nothing.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let mut random = Self(seed);
        for byte in name.bytes() {
            random.0 = random.next() ^ u64::from(byte);
        }
        random
    }

    /// Any 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `low..=high`; `low` when the range is empty.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u128::from(high.saturating_sub(low).max(0).unsigned_abs()) + 1;
        let offset = (u128::from(self.next()) * width) >> 64;
        low.saturating_add(i64::try_from(offset).unwrap_or(0))
    }

    /// A position in `0..length`; 0 when `length` is 0.
    pub fn below(&mut self, length: usize) -> usize {
        let offset = (u128::from(self.next()) * length as u128) >> 64;
        usize::try_from(offset).unwrap_or(0)
    }

    /// True in `chance` of 1000 cases.
    pub fn per_mille(&mut self, chance: i64) -> bool {
        self.between(0, 999) < chance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_and_name_give_the_same_numbers() {
        let draw = |seed, name| {
            let mut random = Random::new(seed, name);
            (random.next(), random.between(-5, 5), random.below(10))
        };
        assert_eq!(draw(7, "005930"), draw(7, "005930"));
        assert_ne!(draw(7, "005930"), draw(8, "005930"));
        assert_ne!(draw(7, "005930"), draw(7, "005935"));
    }

    #[test]
    fn ranges_are_kept_and_filled() {
        let mut random = Random::new(1, "x");
        let drawn: std::collections::BTreeSet<i64> = (0..1000).map(|_| random.between(-2, 2)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1, 2]);
        assert_eq!((random.below(0), random.between(5, 4)), (0, 5));
    }
}
