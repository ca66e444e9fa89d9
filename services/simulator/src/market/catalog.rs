//! The instruments the market knows by name, and what an unknown but plausible key turns into.

use super::grid::Grid;
use super::random::Random;

/// Where an instrument trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// KRX, and NXT too when `nxt`.
    Korea {
        /// Tradable on NXT: the unified TRs deliver.
        nxt: bool,
    },
    /// A US feed (`D…`, or `R…` of the regular markets).
    Us,
    /// The US day market (`RBAY`, `RBAQ`, `RBAA`).
    UsDay,
}

/// What is known of an instrument before its first print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Previous close: won, or 1/10000 dollar.
    pub base: i64,
    /// How often it trades, beside the others.
    pub weight: u32,
    /// Its grid.
    pub grid: Grid,
    /// Tradable on NXT.
    pub nxt: bool,
    /// Ask levels that hold orders.
    pub ask_depth: usize,
}

/// Code, base price, weight, fund, NXT, ask levels. Letters stand in codes on purpose (kis.md 2.1).
const KOREA: &[(&str, i64, u32, bool, bool, usize)] = &[
    ("005930", 277_500, 100, false, true, 10),
    ("000660", 1_996_000, 80, false, true, 10),
    ("373220", 412_000, 30, false, true, 10),
    ("005380", 268_500, 30, false, true, 10),
    ("035420", 231_000, 30, false, true, 10),
    ("035720", 61_300, 30, false, true, 10),
    ("000100", 112_500, 12, false, true, 10),
    ("088350", 6_140, 20, false, true, 10),
    ("247540", 151_200, 20, false, true, 10),
    ("069500", 95_120, 15, true, false, 10),
    ("0155E0", 21_350, 6, false, true, 10),
    ("396300", 12_340, 1, false, false, 7),
    ("Q500001", 10_055, 2, true, false, 10),
];

/// Symbol, base price in 1/10000 dollar, weight.
const US: &[(&str, i64, u32)] = &[
    ("AAPL", 2_990_100, 60),
    ("NVDA", 1_884_300, 80),
    ("TSLA", 4_126_700, 60),
    ("MSFT", 5_210_400, 40),
    ("GOOGL", 3_544_200, 30),
    ("SPY", 7_521_500, 50),
    ("KO", 708_200, 8),
    ("BRK/B", 5_012_600, 3),
];

/// The keys of the Korean instruments that are listed from the start.
pub fn korean_keys() -> impl Iterator<Item = &'static str> {
    KOREA.iter().map(|known| known.0)
}

/// Whether a Korean key is listed from the start.
#[must_use]
pub fn is_listed(key: &str) -> bool {
    korean_keys().any(|known| known == key)
}

/// Why a key names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Implausible;

/// The listing and the bare code of a Korean key.
///
/// # Errors
/// [`Implausible`] unless it is 6 letters and digits, or `Q` and 6 digits.
pub fn korean(key: &str) -> Result<(), Implausible> {
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    let note = key.len() == 7 && key.starts_with('Q') && key[1..].bytes().all(|b| b.is_ascii_digit());
    if (key.len() == 6 && plain(key)) || note { Ok(()) } else { Err(Implausible) }
}

/// The listing and the bare symbol of a US feed key such as `DNASAAPL`.
///
/// # Errors
/// [`Implausible`] for an unknown prefix or a symbol with other signs than `A-Z 0-9 / .`.
pub fn us(key: &str) -> Result<(Listing, &str), Implausible> {
    let (Some(prefix), Some(symbol)) = (key.get(..4), key.get(4..)) else { return Err(Implausible) };
    let listing = match prefix {
        "DNYS" | "DNAS" | "DAMS" | "RNYS" | "RNAS" | "RAMS" => Listing::Us,
        "RBAY" | "RBAQ" | "RBAA" => Listing::UsDay,
        _ => return Err(Implausible),
    };
    let plain = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase() || b == b'/' || b == b'.';
    if symbol.is_empty() || symbol.len() > 12 || !symbol.bytes().all(plain) {
        return Err(Implausible);
    }
    Ok((listing, symbol))
}

/// The profile of `code`: `given` by settings, from the list, or made up from the seed.
#[must_use]
pub fn profile(code: &str, us: bool, given: Option<(i64, u32)>, seed: u64) -> Profile {
    let mut profile = if us { us_profile(code, seed) } else { korean_profile(code, seed) };
    if let Some((base, weight)) = given {
        profile.base = profile.grid.floor(base);
        profile.weight = weight;
    }
    profile
}

fn korean_profile(code: &str, seed: u64) -> Profile {
    if let Some(&(_, base, weight, fund, nxt, ask_depth)) = KOREA.iter().find(|known| known.0 == code) {
        let grid = if fund { Grid::Fund } else { Grid::Stock };
        return Profile { base, weight, grid, nxt, ask_depth };
    }
    let mut random = Random::new(seed, code);
    let grid = if code.starts_with('Q') { Grid::Fund } else { Grid::Stock };
    // From 5,000 won: below, the middle of two prices is no whole won.
    let base = grid.floor(random.between(5_000, 300_000));
    Profile { base, weight: 5, grid, nxt: grid == Grid::Stock, ask_depth: 10 }
}

fn us_profile(code: &str, seed: u64) -> Profile {
    let (base, weight) = match US.iter().find(|known| known.0 == code) {
        Some(&(_, base, weight)) => (base, weight),
        None => (Grid::Cent.floor(Random::new(seed, code).between(100_000, 5_000_000)), 5),
    };
    Profile { base, weight, grid: Grid::Cent, nxt: false, ask_depth: 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_letters_are_plausible() {
        for key in ["005930", "0155E0", "Q500001"] {
            assert_eq!(korean(key), Ok(()), "{key}");
        }
        for key in ["5930", "00593a", "", "Q50000X", "005930 "] {
            assert_eq!(korean(key), Err(Implausible), "{key}");
        }
        assert_eq!(us("DNYSBRK/B"), Ok((Listing::Us, "BRK/B")));
        assert_eq!(us("RBAQAAPL"), Ok((Listing::UsDay, "AAPL")));
        for key in ["DNAS", "XNASAAPL", "DHKS00003", "DNASaapl", "한국"] {
            assert_eq!(us(key), Err(Implausible), "{key}");
        }
    }

    #[test]
    fn every_listed_base_price_lies_on_its_grid() {
        for known in KOREA {
            let profile = profile(known.0, false, None, 1);
            assert_eq!(profile.grid.floor(profile.base), profile.base, "{}", known.0);
        }
    }
}
