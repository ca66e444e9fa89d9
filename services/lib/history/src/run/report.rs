//! What came of a day, instrument by instrument and in all.

use market::{Market, TradeDate};
use store::history::InstrumentDay;

use super::archive::Compared;
use crate::day::Outcome;

/// What came of a market's day.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The market; none in a report of nothing.
    pub market: Option<Market>,
    /// The day.
    pub trade_date: Option<TradeDate>,
    /// Bus against archive, by stream.
    pub streams: Vec<Compared>,
    /// By instrument, in order.
    pub outcomes: Vec<(InstrumentDay, Outcome)>,
    /// All of them together; proven only if each is.
    pub sum: Outcome,
    /// Instruments that are proven to be complete.
    pub proven: usize,
}

impl Report {
    /// A report of a day of which nothing is known yet.
    #[must_use]
    pub fn new(market: Market, trade_date: TradeDate) -> Self {
        Self { market: Some(market), trade_date: Some(trade_date), ..Self::default() }
    }

    pub(super) fn add(&mut self, outcomes: Vec<(InstrumentDay, Outcome)>) {
        self.sum.proven = true;
        for (_, outcome) in &outcomes {
            self.sum.add(outcome);
            self.proven += usize::from(outcome.proven);
        }
        self.outcomes = outcomes;
    }

    /// Messages that neither a stream nor a table has.
    #[must_use]
    pub fn gone(&self) -> u64 {
        let gone = self.streams.iter().flat_map(|compared| &compared.gone);
        gone.map(|(first, last)| last.saturating_sub(*first) + 1).sum()
    }

    /// Instruments for which something failed that may succeed when it is done again.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.outcomes.iter().filter(|(_, outcome)| !outcome.troubles.is_empty()).count()
    }

    /// Whether something failed that may succeed when it is done again.
    #[must_use]
    pub fn is_to_be_repeated(&self) -> bool {
        self.failed() > 0
    }
}
