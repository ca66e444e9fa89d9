//! What is not market data but must be known beside it: links, refusals, silence, gaps and what became of them.

use crate::instrument::{Tape, words};
use crate::ownership::Change;
use crate::recovery::{DayTotal, MissingVolume, Recovery};
use crate::symbol::Symbol;
use crate::trade_date::TradeDate;

words! {
    /// Why events are missing, or may be.
    GapReason {
        /// The connection to the broker was down.
        Disconnected = "disconnected",
        /// A received frame or record could not be understood.
        Refused = "refused",
        /// The journal could not keep frames (disk full or at its limit).
        JournalFull = "journal_full",
        /// Journalled frames were damaged on disk.
        JournalDamaged = "journal_damaged",
        /// The broker that carried it was dead, and another one took over.
        Failover = "failover",
        /// The cumulative volume has a hole: between two prints, before the first or after the last one of a day.
        ChainBreak = "chain_break",
        /// The server lost acknowledged messages that the journal no longer has.
        ServerLost = "server_lost",
    }
}

/// A stretch in which events are missing, or may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// Connection, by the name of its key; none = no single one.
    pub connection: Option<String>,
    /// Instrument, if only one is concerned; none = everything on the connection, or on all.
    pub instrument: Option<(Tape, Symbol)>,
    /// Last moment at which nothing was missing, UTC ns.
    pub from_ns: i64,
    /// First moment at which nothing is missing any more, UTC ns; none while the gap is open.
    pub until_ns: Option<i64>,
    /// What a person needs to know.
    pub detail: String,
    /// Which shares are missing, where the cumulative volume tells; the instrument is named then.
    pub volume: Option<MissingVolume>,
}

/// A change in the state of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// A connection is up and everything wanted was asked for.
    LinkUp {
        /// Its name: its key's.
        connection: String,
        /// Confirmed registrations.
        registered: u32,
        /// Refused registrations.
        refused: u32,
    },
    /// A connection ended.
    LinkDown {
        /// Its name: its key's.
        connection: String,
        /// Why, in the broker's or the system's words.
        reason: String,
    },
    /// The broker refused a registration: the symbol is not covered.
    Refused {
        /// What was asked for, in the broker's words, for example `H0STCNT0 005930`.
        registration: String,
        /// The broker's code, for example `OPSP0008`.
        code: String,
        /// The broker's text.
        text: String,
    },
    /// Confirmed registrations deliver nothing at all.
    Silent {
        /// The symbols.
        symbols: Vec<Symbol>,
        /// Since when, UTC ns.
        since_ns: i64,
    },
    /// A gap opened.
    GapOpened(Gap),
    /// A gap ended (its length is known; what was missing may still be missing).
    GapClosed(Gap),
    /// Another broker carries a group now; told by the one that took it.
    Ownership {
        /// Which group, from whom to whom, why.
        change: Change,
        /// Symbols of the group that the new owner has no room for, or may not carry.
        uncovered: Vec<Symbol>,
    },
    /// A broker was asked for missing trades.
    Recovery(Recovery),
    /// A broker was asked how many shares a day had.
    DayTotal(DayTotal),
}

impl Status {
    /// The last token of the subject: `status.<market>.<source>.<what>`.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self {
            Self::LinkUp { .. } => "link_up",
            Self::LinkDown { .. } => "link_down",
            Self::Refused { .. } => "refused",
            Self::Silent { .. } => "silent",
            Self::GapOpened(_) => "gap_opened",
            Self::GapClosed(_) => "gap_closed",
            Self::Ownership { .. } => "ownership",
            Self::Recovery(_) => "recovery",
            Self::DayTotal(_) => "day_total",
        }
    }

    /// The instrument concerned, if only one is.
    #[must_use]
    pub const fn instrument(&self) -> Option<(Tape, Symbol)> {
        match self {
            Self::GapOpened(gap) | Self::GapClosed(gap) => gap.instrument,
            Self::Recovery(recovery) => Some(recovery.instrument),
            Self::DayTotal(total) => Some(total.instrument),
            Self::LinkUp { .. }
            | Self::LinkDown { .. }
            | Self::Refused { .. }
            | Self::Silent { .. }
            | Self::Ownership { .. } => None,
        }
    }

    /// The trading day whose volume it speaks of; none = it speaks of no volume.
    #[must_use]
    pub fn trade_date(&self) -> Option<TradeDate> {
        match self {
            Self::GapOpened(gap) | Self::GapClosed(gap) => gap.volume.map(|missing| missing.trade_date),
            Self::Recovery(recovery) => Some(recovery.trade_date),
            Self::DayTotal(total) => Some(total.trade_date),
            Self::LinkUp { .. }
            | Self::LinkDown { .. }
            | Self::Refused { .. }
            | Self::Silent { .. }
            | Self::Ownership { .. } => None,
        }
    }
}
