//! The KIS transactions (TRs) that sise knows, and how wide their records are.
//!
//! Widths: real frames of 2022 to 2026-09 and the workbooks of 2025-12, 2026-05 and 2026-09-11. Records have
//! only ever grown at their end.

use market::{Market, Tape};

/// Fields of a US book before the first level.
pub const US_BOOK_HEAD: usize = 11;
/// Fields of a level of it.
pub const US_BOOK_LEVEL: usize = 6;

/// What the records of a TR are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A Korean trade print.
    KrTrade,
    /// A Korean order book.
    KrBook,
    /// A US trade print.
    UsTrade,
    /// A US order book.
    UsBook,
    /// An expected price of an auction: looks like a trade and is none.
    Expected,
    /// A change of the market's or an issue's state.
    MarketStatus,
}

/// One TR.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Tr {
    /// Eight characters, for example `H0STCNT0`.
    pub id: &'static str,
    /// What its records are.
    pub shape: Shape,
    /// The tape; US records name theirs in the key (`DNAS…` or `RBAQ…`), this is the usual one.
    pub tape: Tape,
    /// Fewest fields a record may have.
    pub least: usize,
    /// Fields of the newest known record.
    pub newest: usize,
}

const fn tr(id: &'static str, shape: Shape, tape: Tape, least: usize, newest: usize) -> Tr {
    Tr { id, shape, tape, least, newest }
}

/// All of them.
pub const ALL: &[Tr] = &[
    tr("H0STCNT0", Shape::KrTrade, Tape::Krx, 46, 47),
    tr("H0STASP0", Shape::KrBook, Tape::Krx, 59, 63),
    tr("H0NXCNT0", Shape::KrTrade, Tape::Nxt, 46, 47),
    tr("H0NXASP0", Shape::KrBook, Tape::Nxt, 59, 65),
    tr("H0UNCNT0", Shape::KrTrade, Tape::All, 46, 47),
    tr("H0UNASP0", Shape::KrBook, Tape::All, 59, 66),
    tr("HDFSCNT0", Shape::UsTrade, Tape::Us, 26, 26),
    tr("HDFSASP0", Shape::UsBook, Tape::Us, 17, 71),
    tr("H0STANC0", Shape::Expected, Tape::Krx, 45, 46),
    tr("H0NXANC0", Shape::Expected, Tape::Nxt, 45, 46),
    tr("H0UNANC0", Shape::Expected, Tape::All, 45, 46),
    tr("H0STMKO0", Shape::MarketStatus, Tape::Krx, 10, 11),
    tr("H0NXMKO0", Shape::MarketStatus, Tape::Nxt, 10, 11),
    tr("H0UNMKO0", Shape::MarketStatus, Tape::All, 10, 11),
];

/// How far a record may have grown beyond the newest known width before count and payload must disagree.
pub const GROWTH: usize = 10;

impl Tr {
    /// The TR of that id.
    #[must_use]
    pub fn find(id: &str) -> Option<&'static Self> {
        ALL.iter().find(|tr| tr.id == id)
    }

    /// The TR that brings trades or books of a tape.
    #[must_use]
    pub fn of(tape: Tape, trades: bool) -> &'static Self {
        match (tape, trades) {
            (Tape::Krx, true) => &ALL[0],
            (Tape::Krx, false) => &ALL[1],
            (Tape::Nxt, true) => &ALL[2],
            (Tape::Nxt, false) => &ALL[3],
            (Tape::All, true) => &ALL[4],
            (Tape::All, false) => &ALL[5],
            (Tape::Us | Tape::Day, true) => &ALL[6],
            (Tape::Us | Tape::Day, false) => &ALL[7],
        }
    }

    /// Whether a record may be that wide.
    #[must_use]
    pub fn accepts(&self, width: usize) -> bool {
        match self.shape {
            // Head and levels; beyond the ten levels, fewer fields than one more level would bring: `us_book` has
            // to find the totals right before it believes that they were added at the end.
            Shape::UsBook if width <= self.newest => {
                width >= self.least && (width - US_BOOK_HEAD).is_multiple_of(US_BOOK_LEVEL)
            }
            Shape::UsBook => width < self.newest + US_BOOK_LEVEL,
            _ => (self.least..=self.newest + GROWTH).contains(&width),
        }
    }

    /// The market of the TR.
    #[must_use]
    pub const fn market(&self) -> Market {
        self.tape.market()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tape_finds_its_tr() {
        assert_eq!(Tr::of(Tape::Nxt, true).id, "H0NXCNT0");
        assert_eq!(Tr::of(Tape::All, false).id, "H0UNASP0");
        assert_eq!(Tr::of(Tape::Day, false).id, "HDFSASP0");
        for tr in ALL {
            assert_eq!(Tr::find(tr.id), Some(tr));
        }
    }

    #[test]
    fn widths_may_grow_a_little_and_never_shrink() {
        let trade = Tr::of(Tape::Krx, true);
        assert!(trade.accepts(46) && trade.accepts(47) && trade.accepts(57));
        assert!(!trade.accepts(45) && !trade.accepts(58));
        let book = Tr::of(Tape::Us, false);
        assert!(book.accepts(17) && book.accepts(23) && book.accepts(71));
        assert!(!book.accepts(11) && !book.accepts(16) && !book.accepts(18) && !book.accepts(70));
        // Ten levels and what may have been added to them; eleven levels are none that is known.
        assert!(book.accepts(72) && book.accepts(76) && !book.accepts(77) && !book.accepts(83));
    }
}
