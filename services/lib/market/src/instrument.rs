//! Where an event comes from: market, source (broker) and tape.

/// Defines an enum of words with one spelling, used in subjects, in SQL and on the terminal.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$item_meta:meta])* $item:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$item_meta])* $item),+ }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$item),+];

            /// The spelling in subjects, SQL and JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$item => $text),+ }
            }

            /// Reads the spelling back.
            #[must_use]
            pub fn from_word(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$item),)+ _ => None }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// A country's stock market.
    Market {
        /// Korea: KRX and NXT, prices in won.
        Kr = "kr",
        /// United States, prices in dollars.
        Us = "us",
    }
}

words! {
    /// The broker (securities firm) that sent an event.
    Source {
        /// Korea Investment & Securities.
        Kis = "kis",
        /// Kiwoom Securities.
        Kiwoom = "kiwoom",
    }
}

words! {
    /// The tape an event belongs to. Cumulative volumes of different tapes are different counters.
    Tape {
        /// Korea Exchange.
        Krx = "krx",
        /// Nextrade.
        Nxt = "nxt",
        /// KRX and NXT combined by the broker.
        All = "all",
        /// The broker's US feed.
        Us = "us",
        /// The US day market (Korean daytime).
        Day = "day",
    }
}

impl Source {
    /// Whether the broker sends quotes of a market: Kiwoom has no US feed of this kind.
    #[must_use]
    pub const fn serves(self, market: Market) -> bool {
        matches!((self, market), (Self::Kis, _) | (Self::Kiwoom, Market::Kr))
    }
}

impl Tape {
    /// The market of the tape.
    #[must_use]
    pub const fn market(self) -> Market {
        match self {
            Self::Krx | Self::Nxt | Self::All => Market::Kr,
            Self::Us | Self::Day => Market::Us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for tape in Tape::ALL {
            assert_eq!(Tape::from_word(tape.as_str()), Some(*tape));
        }
        assert_eq!(Tape::from_word("KRX"), None);
        assert_eq!(Source::Kiwoom.to_string(), "kiwoom");
        assert_eq!(Tape::Day.market(), Market::Us);
    }
}
