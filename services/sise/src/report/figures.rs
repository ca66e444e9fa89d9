//! The archive's rows of a day → the figures that stand at the head of its report.

use market::calendar::Calendar;
use market::{Market, TradeDate};
use store::report::{DayCompleteness, DayGap, DayReport};

/// Dead letters of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DeadLetters {
    /// All that the bus still has.
    Counted(u64),
    /// There are too many to look at all.
    AtLeast(u64),
    /// The bus cannot be asked, for this reason.
    Unknown(String),
}

/// What an instrument's day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Something is missing, or too much is there.
    Open,
    /// No broker was asked for the total, or only before the day's end.
    NoTotal,
    /// Every share is accounted for.
    Proven,
}

impl State {
    pub(super) fn of(one: &DayCompleteness) -> Self {
        match (one.proven, one.how.as_str()) {
            (true, _) => Self::Proven,
            (false, "no_total" | "not_final") if one.open_gaps == 0 => Self::NoTotal,
            _ => Self::Open,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::NoTotal => "no total",
            Self::Proven => "proven",
        }
    }
}

/// Shares of all instruments of a day. Those that are missing by the brokers' totals, else by the chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shares {
    pub told: i64,
    pub stored: i64,
    pub recovered: i64,
    pub off_hours: i64,
    pub missing: i64,
}

/// A market's day and its figures.
#[derive(Debug)]
pub(super) struct Figures {
    pub market: Market,
    pub date: TradeDate,
    pub report: DayReport,
    pub letters: DeadLetters,
    pub shares: Shares,
    /// proven, open, no total.
    pub states: [usize; 3],
    pub recovered_trades: u64,
    pub open_gaps: usize,
}

impl Figures {
    pub(super) fn new(market: Market, date: TradeDate, report: DayReport, letters: DeadLetters) -> Self {
        let mut shares = Shares::default();
        let mut states = [0; 3];
        for one in &report.instruments {
            shares.told += one.volume.unwrap_or(0);
            shares.stored += one.stored_volume;
            shares.recovered += one.recovered_volume;
            shares.off_hours += one.off_hours_volume;
            shares.missing += missing(one).max(0);
            let place = match State::of(one) {
                State::Proven => 0,
                State::Open => 1,
                State::NoTotal => 2,
            };
            states[place] += 1;
        }
        let recovered_trades = report.recovered.iter().map(|hour| hour.trades).sum();
        let open_gaps = report.gaps.iter().filter(|gap| gap.is_open).count();
        Self { market, date, report, letters, shares, states, recovered_trades, open_gaps }
    }

    /// Instruments that are not proven, those that lack the most first; then the proven ones by their volume.
    pub(super) fn worst_first(&self) -> Vec<&DayCompleteness> {
        let mut all: Vec<_> = self.report.instruments.iter().collect();
        all.sort_by_key(|one| {
            (
                State::of(one),
                std::cmp::Reverse((missing(one).abs(), one.stored_volume)),
                &one.tape,
                &one.symbol,
            )
        });
        all
    }

    /// Why there is nothing, when there is nothing.
    pub(super) fn empty(&self) -> Option<&'static str> {
        if !self.report.is_empty() {
            return None;
        }
        Some(match Calendar::built_in().day(self.market, self.date) {
            Ok(Some(_)) => "a trading day, but the archive has nothing of it",
            Ok(None) => "no trading day, and the archive has nothing of it",
            Err(_) => "outside the calendar, and the archive has nothing of it",
        })
    }
}

/// Shares missing: by the broker's total, or by the chain when there is none or it hides more; negative = too many.
pub(super) fn missing(one: &DayCompleteness) -> i64 {
    match one.missing {
        Some(missing) if missing < 0 && one.open_volume == 0 => missing,
        missing => missing.unwrap_or(0).max(one.open_volume),
    }
}

/// Whose gap it is: an instrument, a connection, or a broker.
pub(super) fn whose(gap: &DayGap) -> String {
    if !gap.symbol.is_empty() {
        format!("{} {}", gap.symbol, gap.tape)
    } else if gap.connection.is_empty() {
        gap.source.clone()
    } else {
        format!("{} {}", gap.source, gap.connection)
    }
}
