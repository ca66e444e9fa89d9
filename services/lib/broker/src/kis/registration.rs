//! What is wanted of KIS, one `(tr_id, tr_key)` each, and how far each has got.

use std::time::Duration;

use market::Symbol;
use market::carriers::Wanted;
use market::universe::Kind;

use super::tr::Tr;
use super::us;
use crate::lines::Subscription;

/// Registrations one session may hold, over all TRs. Measured three times: the 42nd is refused.
pub const LIMIT: usize = 41;

/// One wanted registration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Registration {
    /// The TR.
    pub tr: &'static Tr,
    /// The broker's key of the symbol: `005930`, `DNASAAPL`.
    pub tr_key: String,
    /// The bare symbol.
    pub symbol: Symbol,
}

impl Registration {
    /// What is wanted of an instrument on one tape: one registration a kind.
    pub fn of(wanted: &Wanted) -> impl Iterator<Item = Self> + '_ {
        wanted.kinds.iter().map(move |kind| Self {
            tr: Tr::of(wanted.tape, *kind == Kind::Ticker),
            tr_key: match &wanted.listing {
                Some(listing) => us::tr_key(wanted.tape, listing, wanted.symbol),
                None => wanted.symbol.to_string(),
            },
            symbol: wanted.symbol,
        })
    }
}

impl Subscription for Registration {
    fn symbol(&self) -> Symbol {
        self.symbol
    }

    fn name(&self) -> String {
        format!("{} {}", self.tr.id, self.tr_key)
    }
}

/// How far a registration has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Not asked for, or to be asked for again, not before this time of the connection.
    Wanted {
        /// Earliest time.
        not_before: Duration,
        /// How often it was asked for already.
        tries: u32,
    },
    /// Asked for, no answer yet.
    Asked {
        /// When.
        at: Duration,
        /// How often, this time included.
        tries: u32,
    },
    /// Confirmed.
    Registered,
    /// To be given back.
    Unwanted,
    /// Given back, no answer yet.
    Leaving {
        /// When.
        at: Duration,
    },
    /// Refused in this session.
    Refused,
}

/// A registration and how far it has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// What is wanted.
    pub registration: Registration,
    /// How far it is.
    pub progress: Progress,
}

impl Slot {
    /// A registration that was not asked for yet.
    #[must_use]
    pub const fn wanted(registration: Registration) -> Self {
        Self { registration, progress: Progress::Wanted { not_before: Duration::ZERO, tries: 0 } }
    }

    /// Whether a request is under way.
    #[must_use]
    pub const fn in_flight(&self) -> bool {
        matches!(self.progress, Progress::Asked { .. } | Progress::Leaving { .. })
    }
}

#[cfg(test)]
mod tests {
    use market::universe::Universe;
    use market::{Market, Source};

    use super::*;

    #[test]
    fn an_instrument_is_one_registration_a_tape_and_kind() {
        let text = "symbols:\n- symbol: 005930\n  tapes: [krx, nxt]\n- symbol: BRK/B\n  market: us\n  listing: NYS\n  kinds: [ticker]\n";
        let universe = Universe::from_yaml(text).expect("universe");
        let wanted =
            [Market::Kr, Market::Us].map(|market| universe.carried(market, Source::Kis, &[Source::Kis]));
        let names: Vec<_> = wanted.iter().flatten().flat_map(Registration::of).map(|r| r.name()).collect();
        assert_eq!(
            names,
            [
                "H0STCNT0 005930",
                "H0STASP0 005930",
                "H0NXCNT0 005930",
                "H0NXASP0 005930",
                "HDFSCNT0 DNYSBRK/B"
            ]
        );
    }
}
