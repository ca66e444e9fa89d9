//! The streams that the simulated brokers know, and what each one carries: KIS's transaction ids (TR) and Kiwoom's
//! real-time types, one for each tape.

use serde::Deserialize;

/// Whose bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Broker {
    /// Korea Investment & Securities.
    Kis,
    /// Kiwoom.
    Kiwoom,
}

impl Broker {
    /// Its word in tapes and figures.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kis => "kis",
            Self::Kiwoom => "kiwoom",
        }
    }
}

/// A volume counter: Korean venues, both together, or a US feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tape {
    /// KRX alone; for a US instrument its only feed.
    First,
    /// NXT alone.
    Nxt,
    /// KRX and NXT together.
    All,
}

impl Tape {
    /// Position in an instrument's arrays.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// What a TR carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Trade prints.
    Trade,
    /// Order books.
    Book,
    /// Expected prices of an auction.
    Expected,
    /// Market operation (KIS), or session state of the whole market (Kiwoom 0s).
    Status,
    /// Program trading.
    Program,
    /// Acknowledged, never any data.
    Silent,
}

/// Declares [`Tr`]: name, wire code, kind, tape, US or not, broker.
macro_rules! trs {
    ($($name:ident $code:literal $kind:ident $tape:ident $us:literal $broker:ident),* $(,)?) => {
        /// A TR.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Tr { $(#[doc = $code] $name),* }

        impl Tr {
            /// Every TR, in the order of [`Tr::index`].
            pub const ALL: &'static [Tr] = &[$(Tr::$name),*];

            /// KIS: the 8 characters on the wire. Kiwoom: the type with the suffix of the item's code.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Tr::$name => $code),* }
            }

            /// What it carries.
            #[must_use]
            pub fn kind(self) -> Kind {
                match self { $(Tr::$name => Kind::$kind),* }
            }

            /// Whose volumes it counts.
            #[must_use]
            pub fn tape(self) -> Tape {
                match self { $(Tr::$name => Tape::$tape),* }
            }

            /// Whether its keys are US feed keys.
            #[must_use]
            pub fn is_us(self) -> bool {
                match self { $(Tr::$name => $us),* }
            }

            /// Who sends it.
            #[must_use]
            pub fn broker(self) -> Broker {
                match self { $(Tr::$name => Broker::$broker),* }
            }
        }
    };
}

trs! {
    KrxTrade "H0STCNT0" Trade First false Kis,
    NxtTrade "H0NXCNT0" Trade Nxt false Kis,
    AllTrade "H0UNCNT0" Trade All false Kis,
    KrxBook "H0STASP0" Book First false Kis,
    NxtBook "H0NXASP0" Book Nxt false Kis,
    AllBook "H0UNASP0" Book All false Kis,
    KrxExpected "H0STANC0" Expected First false Kis,
    NxtExpected "H0NXANC0" Silent Nxt false Kis,
    AllExpected "H0UNANC0" Silent All false Kis,
    KrxStatus "H0STMKO0" Status First false Kis,
    NxtStatus "H0NXMKO0" Silent Nxt false Kis,
    AllStatus "H0UNMKO0" Status All false Kis,
    KrxProgram "H0STPGM0" Silent First false Kis,
    UsTrade "HDFSCNT0" Trade First true Kis,
    UsBook "HDFSASP0" Book First true Kis,
    KiwoomTrade "0B" Trade First false Kiwoom,
    KiwoomNxtTrade "0B_NX" Trade Nxt false Kiwoom,
    KiwoomAllTrade "0B_AL" Trade All false Kiwoom,
    KiwoomBook "0D" Book First false Kiwoom,
    KiwoomNxtBook "0D_NX" Book Nxt false Kiwoom,
    KiwoomAllBook "0D_AL" Book All false Kiwoom,
    KiwoomExpected "0H" Expected First false Kiwoom,
    KiwoomProgram "0w" Program First false Kiwoom,
    KiwoomSession "0s" Status First false Kiwoom,
}

/// How many TRs there are.
pub const COUNT: usize = Tr::ALL.len();

impl Tr {
    /// KIS's TR of `code`.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|tr| tr.code() == code && tr.broker() == Broker::Kis)
    }

    /// Kiwoom's type on a tape; none for a type that is acknowledged and never sent.
    #[must_use]
    pub fn of_type(name: &str, tape: Tape) -> Option<Self> {
        let mut ours = Self::ALL.iter().copied().filter(|tr| tr.broker() == Broker::Kiwoom);
        ours.find(|tr| tr.type_name() == name && tr.tape() == tape)
    }

    /// The code without the suffix of a tape.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        self.code().split('_').next().unwrap_or("")
    }

    /// Whether a fault that names `name` means this stream.
    #[must_use]
    pub fn is_named(self, name: &str) -> bool {
        name == self.code() || name == self.type_name()
    }

    /// Position in arrays of [`COUNT`] items.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The Korean trades of a tape, of all brokers.
    #[must_use]
    pub fn trades_of(tape: Tape) -> [Self; 2] {
        match tape {
            Tape::First => [Self::KrxTrade, Self::KiwoomTrade],
            Tape::Nxt => [Self::NxtTrade, Self::KiwoomNxtTrade],
            Tape::All => [Self::AllTrade, Self::KiwoomAllTrade],
        }
    }

    /// The Korean books of a tape, of one broker.
    #[must_use]
    pub fn book_of(tape: Tape, broker: Broker) -> Self {
        match (broker, tape) {
            (Broker::Kis, Tape::First) => Self::KrxBook,
            (Broker::Kis, Tape::Nxt) => Self::NxtBook,
            (Broker::Kis, Tape::All) => Self::AllBook,
            (Broker::Kiwoom, Tape::First) => Self::KiwoomBook,
            (Broker::Kiwoom, Tape::Nxt) => Self::KiwoomNxtBook,
            (Broker::Kiwoom, Tape::All) => Self::KiwoomAllBook,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_broker_has_its_own_names() {
        assert_eq!((Tr::of("H0STCNT0"), Tr::of("0B")), (Some(Tr::KrxTrade), None));
        assert_eq!(Tr::of_type("0B", Tape::Nxt), Some(Tr::KiwoomNxtTrade));
        assert_eq!((Tr::of_type("0S", Tape::First), Tr::of_type("0A", Tape::First)), (None, None));
        assert!(Tr::KiwoomAllBook.is_named("0D") && Tr::KiwoomAllBook.is_named("0D_AL"));
        assert!(!Tr::KiwoomAllBook.is_named("0D_NX"));
    }
}
