//! The phases of a trading day, one vocabulary for every venue, and the coarse state of a market they add up to.
//!
//! Which phase holds at an instant is the calendar's business ([`crate::calendar`]).

use std::str::FromStr;

use crate::instrument::{Market, words};

words! {
    /// A place with hours of its own. KRX and NXT share their holidays and not their hours.
    Venue {
        /// Korea Exchange.
        Krx = "krx",
        /// Nextrade.
        Nxt = "nxt",
        /// The US exchanges, and the overnight venues between their sessions.
        Us = "us",
    }
}

impl Venue {
    /// The market of the venue.
    #[must_use]
    pub const fn market(self) -> Market {
        match self {
            Self::Krx | Self::Nxt => Market::Kr,
            Self::Us => Market::Us,
        }
    }
}

words! {
    /// A phase of a venue's day.
    Session {
        /// Not known: the instant is outside the calendar's coverage.
        Unspecified = "unspecified",
        /// No phase.
        Closed = "closed",
        /// The venue does not exist yet (NXT before 2025-03-04).
        NotYetOpen = "none",
        /// KRX: orders are collected for the print at the open.
        OpenAuction = "open_auction",
        /// KRX: continuous matching of the regular session.
        Continuous = "continuous",
        /// KRX: orders are collected for the closing print; no trades until it.
        CloseAuction = "close_auction",
        /// KRX: trades at the closing price.
        PostClose = "post_close",
        /// KRX to 2026-09-11: one cross every ten minutes.
        SinglePrice = "single_price",
        /// After-market, continuous: NXT, KRX from 2026-09-14, and the US.
        After = "after",
        /// Pre-market, continuous: NXT and the US.
        Pre = "pre",
        /// NXT stands still around KRX's auctions.
        Pause = "pause",
        /// NXT: the main market.
        Main = "main",
        /// NXT: orders are collected for the open of the after-market.
        AfterAuction = "after_auction",
        /// US: the regular session.
        Regular = "regular",
        /// US: the night before a session, best effort: never a gap when it is silent.
        Overnight = "overnight",
    }
}

impl Session {
    /// The state of the market as far as this phase of one venue tells; a market's state is the highest of its venues.
    #[must_use]
    pub const fn state(self) -> MarketState {
        match self {
            Self::Continuous | Self::CloseAuction | Self::Regular => MarketState::Regular,
            Self::OpenAuction
            | Self::PostClose
            | Self::SinglePrice
            | Self::After
            | Self::Pre
            | Self::Main
            | Self::AfterAuction => MarketState::Extended,
            Self::Unspecified | Self::Closed | Self::NotYetOpen | Self::Pause | Self::Overnight => {
                MarketState::Closed
            }
        }
    }

    /// Whether trades are matched all the time, so that a long silence of the whole venue is worth a look.
    ///
    /// Not so in auctions, pauses, closing-price and single-price trading, nor overnight.
    #[must_use]
    pub const fn is_continuous(self) -> bool {
        matches!(self, Self::Continuous | Self::After | Self::Pre | Self::Main | Self::Regular)
    }
}

/// A text that is no phase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a phase: {text:?}")]
pub struct SessionError {
    /// The text as received, cut after 40 characters.
    pub text: String,
}

impl FromStr for Session {
    type Err = SessionError;

    fn from_str(text: &str) -> Result<Self, SessionError> {
        Self::from_word(text).ok_or_else(|| SessionError { text: text.chars().take(40).collect() })
    }
}

words! {
    /// The coarse state of a market over all its venues, in rising order.
    MarketState {
        /// Nothing is collected or matched on an exchange; the US night belongs here.
        Closed = "closed",
        /// Not regular, but a venue is collecting or matching orders.
        Extended = "extended",
        /// The regular session, closing auction included.
        Regular = "regular",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_one_spelling() {
        for session in Session::ALL {
            assert_eq!(session.as_str().parse(), Ok(*session));
        }
        assert_eq!(Session::CloseAuction.as_str(), "close_auction");
        assert_eq!(Session::NotYetOpen.as_str(), "none");
        assert_eq!("Closed".parse::<Session>(), Err(SessionError { text: "Closed".into() }));
    }

    #[test]
    fn the_closing_auction_is_regular_and_the_night_is_closed() {
        assert_eq!(Session::CloseAuction.state(), MarketState::Regular);
        assert_eq!(Session::Overnight.state(), MarketState::Closed);
        assert!(MarketState::Closed < MarketState::Extended && MarketState::Extended < MarketState::Regular);
        assert!(!Session::CloseAuction.is_continuous());
    }
}
