//! A market's day: bus against archive, then every instrument, several at once, then the proof by reading again.
//!
//! Nothing is kept but what stands in ClickHouse: a run that is killed at any instant is done by running it again, and a run
//! over a finished day asks and publishes nothing.

mod archive;
mod instruments;
mod report;

use std::time::Duration;

use bus::{Client, ConnectError, NatsSettings, Topology};
use futures_util::StreamExt as _;
use market::calendar::{Calendar, CalendarError, Day};
use market::universe::Universe;
use market::{Market, Symbol, TradeDate};
use process::clock::now_ns;
use store::history::InstrumentDay;
use store::{Store, StoreError};

pub use self::archive::{Archive, ArchiveError, Compared};
pub use self::instruments::{RawSymbols, instruments, read_universe};
pub use self::report::Report;
use crate::day::{Absent, DayError, Listings, Outcome, Work};
use crate::fetch::Ask;
use crate::ledger::Ledger;
use crate::progress::{Progress, Step};
use crate::publish::{RecordError, Recorder};
use crate::settings::RunSettings;

/// How long the bus may take to be there.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Stream of recovered trades.
const RECOVERED: &str = "RECOVERED";
/// Stream of what is said of them.
const STATUS: &str = "STATUS";

/// Why a day was not done.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No trading day.
    #[error("{trade_date} is no trading day of market {market}: the one before it is {before}")]
    NoSession {
        /// The market.
        market: Market,
        /// The date asked for.
        trade_date: TradeDate,
        /// The last trading day before it.
        before: TradeDate,
    },
    /// Outside the calendar.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// The bus cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The bus is not there.
    #[error("no nats-server within {} s, or it refuses user {user}: see nats.url and nats.passwords", CONNECT_LIMIT.as_secs())]
    NoBus {
        /// Who wanted to connect.
        user: String,
    },
    /// The streams file cannot be used.
    #[error(transparent)]
    Topology(#[from] bus::topology::SpecError),
    /// Bus and archive cannot be compared.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The archive cannot be read.
    #[error("archive: {0}: see clickhouse.url, and run `sise migrate`")]
    Store(#[from] StoreError),
    /// What was found cannot be told.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// What a run works with.
#[derive(Debug)]
pub struct Road {
    /// To ask.
    pub client: Client,
    /// Bus and archive.
    pub archive: Archive,
    nats: NatsSettings,
    topology: Topology,
    settings: RunSettings,
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The market.
    pub market: Market,
    /// The trading day.
    pub trade_date: TradeDate,
    /// Whose trades are followed.
    pub universe: &'a Universe,
    /// One symbol; none = all.
    pub symbol: Option<Symbol>,
    /// Find and plan; ask and publish nothing.
    pub dry_run: bool,
}

impl Road {
    /// Connects `user` to the bus.
    ///
    /// # Errors
    /// [`RunError`] when the settings cannot be meant, or the bus is away.
    pub async fn open(
        nats: &NatsSettings,
        user: &str,
        store: Store,
        settings: RunSettings,
    ) -> Result<Self, RunError> {
        let client = bus::connect(nats, user).await?;
        if !bus::connected(&client, CONNECT_LIMIT).await {
            return Err(RunError::NoBus { user: user.to_owned() });
        }
        let context = bus::jetstream(client.clone());
        let archive = Archive { client: client.clone(), context, store, limit: settings.archive_limit };
        Ok(Self { client, archive, nats: nats.clone(), topology: Topology::load(nats)?, settings })
    }

    /// Does a day.
    ///
    /// # Errors
    /// [`RunError`] when nothing more can be done for any instrument; what was published stands. What fails for one
    /// instrument stands in its outcome.
    pub async fn run<A: Ask + Sync, P: Progress>(
        &self,
        ask: &A,
        wanted: &Wanted<'_>,
        progress: &P,
    ) -> Result<Report, RunError> {
        let Wanted { market, trade_date, .. } = *wanted;
        let day = session(market, trade_date)?;
        let started_ns = now_ns();
        progress.tell(&Step::Day { market, trade_date });
        let mut report = Report::new(market, trade_date);
        if !wanted.dry_run {
            for stream in archive::streams_of(&self.topology, market) {
                report.streams.push(self.archive.complete(&stream, progress).await?);
            }
        }
        let recorder = Recorder::new(&self.nats, started_ns, self.settings.stall_limit)?;
        let marks = self.marks(wanted.dry_run).await?;
        let store = &self.archive.store;
        let instruments =
            instruments(store, wanted.universe, market, trade_date, wanted.symbol.as_ref()).await?;
        let ledger = self.ledger(wanted, day).await?;
        let absent = Absent::default();
        let listings = listings(wanted.universe);
        let work = Work {
            ask,
            store,
            recorder: &recorder,
            ledger: &ledger,
            day,
            started_ns,
            dry_run: wanted.dry_run,
            absent: &absent,
            listings: &listings,
        };
        progress.tell(&Step::Instruments { count: instruments.len() });
        let mut outcomes = Vec::with_capacity(instruments.len());
        let mut done = futures_util::stream::iter(instruments)
            .map(|of| async move { (of, work.recover(of).await) })
            .buffer_unordered(self.settings.parallel)
            .boxed_local();
        while let Some((of, outcome)) = done.next().await {
            let outcome = settled(outcome)?;
            progress.tell(&Step::Instrument { of: &of, outcome: &outcome });
            outcomes.push((of, outcome));
        }
        drop(done);
        if !wanted.dry_run {
            self.prove(wanted, work, &marks, &mut outcomes, progress).await?;
        }
        outcomes.sort_unstable_by_key(|(of, _)| *of);
        report.add(outcomes);
        Ok(report)
    }

    /// Waits until the archive has what was published, and reads again.
    async fn prove<A: Ask, P: Progress>(
        &self,
        wanted: &Wanted<'_>,
        work: Work<'_, A>,
        marks: &Marks,
        outcomes: &mut Vec<(InstrumentDay, Outcome)>,
        progress: &P,
    ) -> Result<(), RunError> {
        let published = |outcomes: &[(InstrumentDay, Outcome)]| -> u64 {
            outcomes.iter().map(|(_, outcome)| outcome.published).sum()
        };
        let before = published(outcomes);
        if before > 0 {
            self.archive.caught_up(RECOVERED, marks.recovered, progress).await?;
            self.archive.caught_up(STATUS, marks.status, progress).await?;
        }
        let ledger = self.ledger(wanted, work.day).await?;
        let work = Work { ledger: &ledger, ..work };
        progress.tell(&Step::Proofs { count: outcomes.len() });
        let mut proven = Vec::with_capacity(outcomes.len());
        let mut done = futures_util::stream::iter(std::mem::take(outcomes))
            .map(|(of, outcome)| async move { (of, work.prove(of, outcome).await) })
            .buffer_unordered(self.settings.parallel)
            .boxed_local();
        while let Some((of, outcome)) = done.next().await {
            let outcome = settled(outcome)?;
            progress.tell(&Step::Proof { of: &of, outcome: &outcome });
            proven.push((of, outcome));
        }
        drop(done);
        *outcomes = proven;
        if published(outcomes) > before {
            // The next run reads what was said last.
            self.archive.caught_up(STATUS, marks.status, progress).await?;
        }
        Ok(())
    }

    /// What was said of the day so far.
    ///
    /// # Errors
    /// [`RunError`] when the archive cannot be read.
    pub async fn ledger(&self, wanted: &Wanted<'_>, day: &Day) -> Result<Ledger, RunError> {
        let (market, trade_date) = (wanted.market, wanted.trade_date);
        let hours = (day.start_ns(), day.end_ns());
        Ok(Ledger::load(&self.archive.store, market, trade_date, hours, wanted.symbol.as_ref()).await?)
    }

    async fn marks(&self, dry_run: bool) -> Result<Marks, RunError> {
        if dry_run {
            return Ok(Marks { recovered: 0, status: 0 });
        }
        Ok(Marks { recovered: self.archive.last(RECOVERED).await?, status: self.archive.last(STATUS).await? })
    }
}

/// The last sequences before the run published anything.
struct Marks {
    recovered: u64,
    status: u64,
}

/// What ends the run, told apart from what ends one instrument.
fn settled(outcome: Result<Outcome, DayError>) -> Result<Outcome, RunError> {
    outcome.map_err(|error| match error {
        DayError::Store(error) => error.into(),
        DayError::Record(error) => error.into(),
    })
}

fn listings(universe: &Universe) -> Listings {
    let listing = |entry: &market::universe::Entry| Some((entry.symbol, entry.listing.clone()?));
    universe.entries.iter().filter_map(listing).collect()
}

/// Whether nothing is left to ask or to tell of a day, by what stands in ClickHouse: every instrument has a final total, or
/// the broker refused it for good, and of every open gap somebody was asked.
#[must_use]
pub fn is_settled(ledger: &Ledger, instruments: &[InstrumentDay]) -> bool {
    !instruments.is_empty()
        && instruments.iter().all(|of| {
            let told = ledger.of(of);
            let has_total = told.final_total().is_some() || told.is_refused(ledger.end_ns());
            has_total && told.gaps.iter().all(|gap| !gap.is_open || gap.residue.is_some())
        })
}

/// The session of a date.
///
/// # Errors
/// [`RunError::NoSession`], or [`RunError::Calendar`] outside the calendar.
pub fn session(market: Market, trade_date: TradeDate) -> Result<&'static Day, RunError> {
    let calendar = Calendar::built_in();
    match calendar.day(market, trade_date)? {
        Some(day) => Ok(day),
        None => {
            let before = calendar.previous_session(market, trade_date)?.date();
            Err(RunError::NoSession { market, trade_date, before })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holiday_is_told_with_the_day_before() {
        let date = TradeDate::parse("20260925").expect("date");
        let error = session(Market::Kr, date).expect_err("refused");
        assert_eq!(
            error.to_string(),
            "2026-09-25 is no trading day of market kr: the one before it is 2026-09-23"
        );
    }
}
