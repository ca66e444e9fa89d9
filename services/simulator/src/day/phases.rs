//! A date turns into the stretches of its day in which a tape prints, and how many of its trades fall into each
//! (hours: rules of KRX and Nextrade; since 2026-09-14 KRX has an after-market).

use crate::config::DayKind;
use crate::market::instrument::SessionCodes;
use crate::tr::Tape;

/// First date with a KRX after-market.
const AFTER_MARKET: u32 = 20_260_914;
/// Nextrade's first date.
const NEXTRADE: u32 = 20_250_304;
const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;

/// What prints in a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before the market opens.
    Pre,
    /// The opening auction: one print.
    OpenAuction,
    /// In session.
    Regular,
    /// An auction at the close, or before the evening: one print.
    CloseAuction,
    /// At the closing price only.
    ClosingPrice,
    /// The evening.
    After,
}

impl Phase {
    /// Whether it is one print of an auction.
    #[must_use]
    pub fn is_auction(self) -> bool {
        matches!(self, Self::OpenAuction | Self::CloseAuction)
    }

    /// So many of 100 instruments have off-hours volume that enters the counter when it begins.
    #[must_use]
    pub fn off_hours_percent(self) -> i64 {
        match self {
            Self::OpenAuction => 60,
            Self::ClosingPrice | Self::After => 15,
            Self::Regular => 5,
            Self::Pre | Self::CloseAuction => 0,
        }
    }

    /// What the frames say of it.
    #[must_use]
    pub fn codes(self) -> SessionCodes {
        let (operation, class, kiwoom) = match self {
            Self::Pre => ("10", "1", "1"),
            Self::OpenAuction | Self::Regular | Self::CloseAuction => return SessionCodes::REGULAR,
            Self::ClosingPrice => ("30", "5", "3"),
            Self::After => ("30", "3", "3"),
        };
        SessionCodes { operation, class, kiwoom }
    }
}

/// A stretch of the day, seconds since local midnight, the end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// What prints in it.
    pub phase: Phase,
    /// Its first second.
    pub start: u32,
    /// The second after it.
    pub end: u32,
    /// So many parts of the trades fall into it; 0 = one print.
    pub share: usize,
}

fn window(phase: Phase, start: u32, end: u32, share: usize) -> Window {
    Window { phase, start, end, share }
}

/// When KRX opens and closes.
#[must_use]
pub fn regular(kind: DayKind) -> (u32, u32) {
    match kind {
        DayKind::Normal => (9 * HOUR, 15 * HOUR + 30 * MINUTE),
        DayKind::FirstDay => (10 * HOUR, 15 * HOUR + 30 * MINUTE),
        DayKind::Csat => (10 * HOUR, 16 * HOUR + 30 * MINUTE),
    }
}

/// The stretches of a Korean tape, in order; none before Nextrade began.
#[must_use]
pub fn korean(date: u32, kind: DayKind, tape: Tape) -> Vec<Window> {
    let (open, close) = regular(kind);
    let evening = 20 * HOUR;
    if tape == Tape::Nxt {
        if date < NEXTRADE {
            return Vec::new();
        }
        let mut windows = Vec::new();
        if kind == DayKind::Normal {
            windows.push(window(Phase::Pre, 8 * HOUR, 8 * HOUR + 50 * MINUTE, 12));
        }
        windows.push(window(Phase::Regular, open + 30, close - 10 * MINUTE, 66));
        windows.push(window(Phase::CloseAuction, close + 10 * MINUTE, close + 10 * MINUTE + 2, 0));
        windows.push(window(Phase::After, close + 10 * MINUTE + 2, evening, 22));
        return windows;
    }
    let mut windows = vec![
        window(Phase::OpenAuction, open, open + 4, 0),
        window(Phase::Regular, open + 4, close - 10 * MINUTE, 86),
        window(Phase::CloseAuction, close + 5, close + 25, 0),
        window(Phase::ClosingPrice, close + 10 * MINUTE, close + 30 * MINUTE, 2),
    ];
    if date >= AFTER_MARKET {
        windows.push(window(Phase::After, close + 30 * MINUTE, evening, 12));
    }
    windows
}

/// The stretches of a US day, in New York.
#[must_use]
pub fn american() -> Vec<Window> {
    let (open, close) = (9 * HOUR + 30 * MINUTE, 16 * HOUR);
    vec![
        window(Phase::Pre, 4 * HOUR, open, 8),
        window(Phase::Regular, open, close, 86),
        window(Phase::After, close, 19 * HOUR, 6),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_days_begin_an_hour_later() {
        let hours = |kind, tape| {
            let windows = korean(20_261_119, kind, tape);
            let first = windows.first().expect("windows").start;
            (first / HOUR, windows.iter().find(|w| w.phase == Phase::After).map(|w| w.start / MINUTE))
        };
        assert_eq!(hours(DayKind::Normal, Tape::First), (9, Some(16 * 60)));
        assert_eq!(hours(DayKind::Csat, Tape::First), (10, Some(17 * 60)));
        assert_eq!(hours(DayKind::FirstDay, Tape::First), (10, Some(16 * 60)));
        assert_eq!(hours(DayKind::Normal, Tape::Nxt), (8, Some(15 * 60 + 40)));
        assert_eq!(hours(DayKind::Csat, Tape::Nxt), (10, Some(16 * 60 + 40)));
        assert!(korean(20_250_303, DayKind::Normal, Tape::Nxt).is_empty());
        assert!(korean(20_260_911, DayKind::Normal, Tape::First).iter().all(|w| w.phase != Phase::After));
    }
}
