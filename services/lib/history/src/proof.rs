//! What is said of a gap after rows came: filled and how that is known, or open and why.

use market::chain::Missing;
use market::{Price, Proof, Quantity};

/// A gap that is filled to the last share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// The gap, as it was found.
    pub gap: Missing,
    /// How it is known: the weakest proof of its parts.
    pub proof: Proof,
    /// Trades that fill it; 0 = all of it is off-hours volume.
    pub added: u64,
    /// Their shares.
    pub added_volume: Quantity,
}

/// A gap, or a part of one, that stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// The gap, as it was found.
    pub gap: Missing,
    /// The smallest part to which what is missing could be confined. Its volume is missing still: nothing in it is filled.
    pub within: Missing,
    /// Shares that the rows lack within; negative: that they have too many. Up to the volume of `within`.
    pub residue: i64,
    /// Why.
    pub why: Why,
}

/// Why a gap stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The rows around it stand fast, and sum up to less.
    SourceLacksRows,
    /// The rows around it stand fast, and sum up to more.
    SourceHasMore,
    /// The rows do not reach so far.
    NotReached,
    /// No place was found at which the rows fit the known prints.
    NoAnchor,
    /// Rows lie over prints that are known: the source cuts the same shares into other prints.
    OtherCut,
    /// Rows fit in more than one way.
    Ambiguous,
    /// The rows were refused as a whole.
    Refused,
    /// No source reaches so far, or it has no rows.
    NoSource,
}

impl Why {
    /// The reason in words, for the ledger and the terminal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SourceLacksRows => "the source itself lacks rows",
            Self::SourceHasMore => "the source has more shares than the counter",
            Self::NotReached => "the rows do not reach so far",
            Self::NoAnchor => "no place at which the rows fit the known prints",
            Self::OtherCut => "the source cuts the same shares into other prints",
            Self::Ambiguous => "the rows fit in more than one way",
            Self::Refused => "the rows were refused",
            Self::NoSource => "no source",
        }
    }
}

/// Why rows were refused as a whole: they tell of something else than the known prints do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Every price differs from the known one by the same factor.
    #[error("prices are adjusted for a corporate action: {row} instead of {known}")]
    AdjustedPrices {
        /// A price of the rows.
        row: Price,
        /// The price of the same print, as it was known.
        known: Price,
    },
    /// Most rows contradict known prints of the same cumulative volume: another tape or symbol.
    #[error("{contradicted} of {compared} rows contradict known prints")]
    Contradicts {
        /// Rows that could be compared.
        compared: usize,
        /// Of them, those that differ.
        contradicted: usize,
    },
}

/// The weaker of two proofs.
#[must_use]
pub const fn weaker(one: Proof, other: Proof) -> Proof {
    if strength(one) <= strength(other) { one } else { other }
}

const fn strength(proof: Proof) -> u8 {
    match proof {
        Proof::Chained => 4,
        Proof::Anchored => 3,
        Proof::Minutes => 2,
        Proof::Unproven => 1,
        Proof::NoSource => 0,
    }
}

/// The proof of what came of a set of gaps: for the ledger's line of one request.
#[must_use]
pub fn of(closed: &[Closed], open: &[Open]) -> Proof {
    if open.iter().any(|open| open.why != Why::NoSource) {
        return Proof::Unproven;
    }
    if !open.is_empty() {
        return Proof::NoSource;
    }
    closed.iter().fold(Proof::Chained, |proof, closed| weaker(proof, closed.proof))
}
