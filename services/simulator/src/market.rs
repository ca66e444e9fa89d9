//! A seeded synthetic market: a seed and a stream of "next trade", "next book" requests turn into the prints and
//! books of KRX, NXT, both together, and US feeds. Knows no clock, no socket and no wire format.

pub mod book;
pub mod catalog;
pub mod grid;
pub mod instrument;
pub mod random;
pub mod tally;

use std::collections::HashMap;

use catalog::{Implausible, Listing};
use instrument::Instrument;

/// All instruments that somebody asked for.
#[derive(Debug)]
pub struct Market {
    seed: u64,
    given: HashMap<String, (i64, u32)>,
    index: HashMap<String, usize>,
    /// In the order in which they were first asked for.
    pub instruments: Vec<Instrument>,
}

impl Market {
    /// An empty market; `given` are base prices (won, 1/10000 dollar) and weights by bare symbol.
    #[must_use]
    pub fn new(seed: u64, given: HashMap<String, (i64, u32)>) -> Self {
        Self { seed, given, index: HashMap::new(), instruments: Vec::new() }
    }

    /// What decides the market.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The position of the instrument of a registration key, made on first use.
    ///
    /// # Errors
    /// [`Implausible`] when the key cannot be a Korean code, or with `us` a US feed key.
    pub fn resolve(&mut self, key: &str, us: bool) -> Result<usize, Implausible> {
        if let Some(&position) = self.index.get(key) {
            return if matches!(self.instruments[position].listing, Listing::Korea { .. }) == us {
                Err(Implausible)
            } else {
                Ok(position)
            };
        }
        let (listing, code) = if us {
            catalog::us(key)?
        } else {
            catalog::korean(key)?;
            (Listing::Korea { nxt: false }, key)
        };
        let profile = catalog::profile(code, us, self.given.get(code).copied(), self.seed);
        let listing = if us { listing } else { Listing::Korea { nxt: profile.nxt } };
        self.instruments.push(Instrument::new(key, code, listing, profile, self.seed));
        let position = self.instruments.len() - 1;
        self.index.insert(key.to_owned(), position);
        Ok(position)
    }

    /// The position of an instrument that somebody asked for before.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<usize> {
        self.index.get(key).copied()
    }
}
