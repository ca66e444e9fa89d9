//! How far a run is, told to whoever wants to know: the terminal draws bars, a service logs.

use std::time::Duration;

use market::{Market, TradeDate};
use store::history::InstrumentDay;

use crate::day::Outcome;

/// What a run tells.
#[derive(Debug)]
pub enum Step<'a> {
    /// A day is looked at.
    Day {
        /// Which market.
        market: Market,
        /// Which day.
        trade_date: TradeDate,
    },
    /// A stream was compared with the archive.
    Stream {
        /// Its name.
        stream: &'a str,
        /// Sequences that it held and the archive lacked.
        lacking: u64,
        /// Those archived now.
        archived: u64,
    },
    /// So many instruments are looked at from here on.
    Instruments {
        /// How many.
        count: usize,
    },
    /// An instrument has been looked at; what it lacked is published, as far as it came.
    Instrument {
        /// Which one.
        of: &'a InstrumentDay,
        /// What came of it.
        outcome: &'a Outcome,
    },
    /// What was published is not in the archive yet.
    Waiting {
        /// Messages that the archive still lacks.
        messages: u64,
        /// For how long already.
        waited: Duration,
    },
    /// So many instruments are read again.
    Proofs {
        /// How many.
        count: usize,
    },
    /// An instrument was read again.
    Proof {
        /// Which one.
        of: &'a InstrumentDay,
        /// What came of it.
        outcome: &'a Outcome,
    },
}

/// Who is told.
pub trait Progress: Sync {
    /// A step was made. Called from the run: must be quick.
    fn tell(&self, step: &Step<'_>);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn tell(&self, _step: &Step<'_>) {}
}

/// Tells the log: what was asked for or stays open at the level `info`, the rest at `debug`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Logged;

impl Progress for Logged {
    fn tell(&self, step: &Step<'_>) {
        match step {
            Step::Day { market, trade_date } => tracing::info!(%market, %trade_date, "looking at a day"),
            Step::Stream { stream, lacking: 0, .. } => tracing::debug!(stream, "archive has the stream"),
            Step::Stream { stream, lacking, archived } => {
                tracing::info!(stream, lacking, archived, "stream compared with the archive");
            }
            Step::Instruments { count } => tracing::info!(count, "looking at instruments"),
            Step::Instrument { of, outcome } if outcome.pages > 0 || !outcome.troubles.is_empty() => {
                tracing::info!(
                    tape = %of.tape, symbol = %of.symbol, missing = outcome.missing, pages = outcome.pages, added = outcome.added,
                    troubles = outcome.troubles.join("; "), "instrument looked at"
                )
            }
            Step::Instrument { of, .. } => {
                tracing::debug!(tape = %of.tape, symbol = %of.symbol, "instrument has all")
            }
            Step::Waiting { messages, waited } => tracing::info!(messages, ?waited, "archive is awaited"),
            Step::Proofs { count } => tracing::info!(count, "reading again"),
            Step::Proof { of, outcome } if outcome.open > 0 => tracing::warn!(
                tape = %of.tape, symbol = %of.symbol, gaps = outcome.open, shares = outcome.open_volume,
                "gaps stay open"
            ),
            Step::Proof { of, .. } => tracing::debug!(tape = %of.tape, symbol = %of.symbol, "read again"),
        }
    }
}
