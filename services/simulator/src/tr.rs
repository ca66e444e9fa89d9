//! The transaction ids (TR) that the simulated broker knows, and what each one carries.

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
    /// Market operation.
    Status,
    /// Acknowledged, never any data.
    Silent,
}

/// Declares [`Tr`]: name, wire code, kind, tape, US or not.
macro_rules! trs {
    ($($name:ident $code:literal $kind:ident $tape:ident $us:literal),* $(,)?) => {
        /// A TR.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Tr { $(#[doc = $code] $name),* }

        impl Tr {
            /// Every TR, in the order of [`Tr::index`].
            pub const ALL: &'static [Tr] = &[$(Tr::$name),*];

            /// The 8 characters on the wire.
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
        }
    };
}

trs! {
    KrxTrade "H0STCNT0" Trade First false,
    NxtTrade "H0NXCNT0" Trade Nxt false,
    AllTrade "H0UNCNT0" Trade All false,
    KrxBook "H0STASP0" Book First false,
    NxtBook "H0NXASP0" Book Nxt false,
    AllBook "H0UNASP0" Book All false,
    KrxExpected "H0STANC0" Expected First false,
    NxtExpected "H0NXANC0" Silent Nxt false,
    AllExpected "H0UNANC0" Silent All false,
    KrxStatus "H0STMKO0" Status First false,
    NxtStatus "H0NXMKO0" Silent Nxt false,
    AllStatus "H0UNMKO0" Status All false,
    KrxProgram "H0STPGM0" Silent First false,
    UsTrade "HDFSCNT0" Trade First true,
    UsBook "HDFSASP0" Book First true,
}

/// How many TRs there are.
pub const COUNT: usize = Tr::ALL.len();

impl Tr {
    /// The TR of `code`.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|tr| tr.code() == code)
    }

    /// Position in arrays of [`COUNT`] items.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The trade TR of a Korean tape.
    #[must_use]
    pub fn trade_of(tape: Tape) -> Self {
        match tape {
            Tape::First => Self::KrxTrade,
            Tape::Nxt => Self::NxtTrade,
            Tape::All => Self::AllTrade,
        }
    }

    /// The book TR of a Korean tape.
    #[must_use]
    pub fn book_of(tape: Tape) -> Self {
        match tape {
            Tape::First => Self::KrxBook,
            Tape::Nxt => Self::NxtBook,
            Tape::All => Self::AllBook,
        }
    }
}
