//! The service: for each market sleep until a day has ended, do it, do missed ones, repeat what failed; an orderly stop.
//!
//! A stop ends a run where it is: everything that counts stands in ClickHouse, and the next run goes on.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use history::fetch::bus::{BusAsk, Patience};
use history::progress::Logged;
use history::publish::USER;
use history::run::{Report, Road, RunError, Wanted, instruments, is_settled, read_universe};
use market::calendar::Calendar;
use market::{Market, TradeDate};
use process::Shutdown;
use process::clock::now_ns;
use store::Store;

use crate::config::Settings;
use crate::schedule::{Days, Next};

/// Pause before the bus is looked for again at the start.
const PAUSE: Duration = Duration::from_secs(5);
/// How often is looked whether bus and archive are there.
const LOOK: Duration = Duration::from_secs(5);
/// Longest sleep: a clock that was set is noticed after so long.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Looks after the markets until the stop is asked for.
///
/// # Errors
/// When the settings cannot be meant, or the calendar does not know the time.
pub async fn run(settings: Settings, shutdown: Shutdown) -> anyhow::Result<()> {
    crate::figures::describe(&settings.schedule.markets);
    history::figures::describe();
    let [bus_ready, clickhouse_ready] = process::ready::parts(["bus", "clickhouse"]);
    let Some(road) = opened(&settings, &shutdown).await? else { return Ok(()) };
    let client = road.client.clone();
    process::ready::watch(bus_ready, LOOK, move || {
        let connected = bus::is_connected(&client);
        async move { if connected { Ok(()) } else { Err("not connected") } }
    });
    let store = road.archive.store.clone();
    process::ready::watch(clickhouse_ready, LOOK, move || {
        let store = store.clone();
        async move { if store.answers().await { Ok(()) } else { Err("no answer") } }
    });
    let markets = settings.schedule.markets.iter();
    let finders = markets.map(|market| {
        let days = Days::new(*market, settings.schedule.margin, settings.schedule.reach_days);
        let finder = Finder { market: *market, days, road: &road, settings: &settings, told: HashMap::new() };
        finder.run(&shutdown)
    });
    try_join_all(finders).await?;
    Ok(())
}

/// Waits for the bus; none when the stop came first.
async fn opened(settings: &Settings, shutdown: &Shutdown) -> anyhow::Result<Option<Road>> {
    loop {
        let store = Store::new(&settings.clickhouse)?;
        match Road::open(&settings.nats, USER, store, settings.run).await {
            Ok(road) => return Ok(Some(road)),
            Err(error @ RunError::NoBus { .. }) => tracing::warn!(%error, "bus is away, trying again"),
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = shutdown.requested() => return Ok(None),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// One market.
struct Finder<'a> {
    market: Market,
    days: Days,
    road: &'a Road,
    settings: &'a Settings,
    /// What was said of a day that was not finished: the same is not said again.
    told: HashMap<TradeDate, String>,
}

/// What came of a day.
enum Done {
    Completed,
    Again(String),
}

impl Finder<'_> {
    async fn run(mut self, shutdown: &Shutdown) -> anyhow::Result<()> {
        loop {
            match self.days.next(Calendar::built_in(), now_ns())? {
                Next::Day(date) => {
                    let done = tokio::select! {
                        biased;
                        () = shutdown.requested() => return Ok(()),
                        done = self.day(date) => done,
                    };
                    self.note(date, done);
                }
                Next::At(at_ns) => {
                    let left = u64::try_from(at_ns.saturating_sub(now_ns())).unwrap_or(0);
                    tokio::select! {
                        biased;
                        () = shutdown.requested() => return Ok(()),
                        () = tokio::time::sleep(Duration::from_nanos(left).min(LONGEST_SLEEP)) => {}
                    }
                }
            }
        }
    }

    fn note(&mut self, date: TradeDate, done: Result<Done, RunError>) {
        let market = self.market.as_str();
        let problem = match done {
            Ok(Done::Completed) => {
                self.days.completed(date);
                self.told.remove(&date);
                return;
            }
            Ok(Done::Again(problem)) => problem,
            Err(error) => error.to_string(),
        };
        metrics::counter!("sise_gap_finder_days_total", "market" => market, "outcome" => "again")
            .increment(1);
        let retry = self.settings.schedule.retry;
        self.days.again(date, now_ns(), retry);
        if self.told.insert(date, problem.clone()).as_ref() != Some(&problem) {
            tracing::warn!(market, trade_date = %date, ?retry, problem, "day is not finished, looking at it again");
        }
    }

    /// One day: left alone when it was before the archive or is finished, else done.
    async fn day(&self, trade_date: TradeDate) -> Result<Done, RunError> {
        let market = self.market;
        let store = &self.road.archive.store;
        let latest = Calendar::built_in().last_ended(market, now_ns())?.date();
        let first = TradeDate::from_days_since_epoch(0).unwrap_or(trade_date);
        let recorded = store.first_day_with_prints(market, first, latest).await?;
        match recorded {
            None => return Ok(Done::Again("the archive has no trades yet".to_owned())),
            Some(day) if day > trade_date => return Ok(Done::Completed),
            Some(_) => {}
        }
        let universe = match read_universe(&self.settings.symbols) {
            Ok(universe) => universe,
            Err(problem) => return Ok(Done::Again(format!("symbols.file: {problem}"))),
        };
        let wanted = Wanted { market, trade_date, universe: &universe, symbol: None, dry_run: false };
        let day = history::run::session(market, trade_date)?;
        let ledger = self.road.ledger(&wanted, day).await?;
        let whose = instruments(store, &universe, market, trade_date, None).await?;
        if is_settled(&ledger, &whose) {
            tracing::info!(%market, %trade_date, instruments = whose.len(), "day is finished already");
            let open =
                whose.iter().map(|of| ledger.of(of).gaps.iter().filter(|gap| gap.is_open).count()).sum();
            self.show_open(trade_date, latest, open);
            return Ok(Done::Completed);
        }
        let ask = BusAsk::new(self.road.client.clone(), Patience::default());
        let report = self.road.run(&ask, &wanted, &Logged).await?;
        self.show_open(trade_date, latest, report.sum.open);
        Ok(self.tell(trade_date, &report))
    }

    /// Of the day that has ended last: older ones were told in their time.
    fn show_open(&self, trade_date: TradeDate, latest: TradeDate, open: usize) {
        if trade_date == latest {
            let open = u32::try_from(open).unwrap_or(u32::MAX);
            metrics::gauge!("sise_gap_finder_gaps_open", "market" => self.market.as_str()).set(open);
        }
    }

    fn tell(&self, trade_date: TradeDate, report: &Report) -> Done {
        let (market, sum) = (self.market.as_str(), &report.sum);
        metrics::counter!("sise_gap_finder_pages_total", "market" => market).increment(u64::from(sum.pages));
        metrics::counter!("sise_gap_finder_recovered_total", "market" => market).increment(sum.added);
        tracing::info!(
            market,
            %trade_date,
            instruments = report.outcomes.len(),
            proven = report.proven,
            missing = sum.missing,
            pages = sum.pages,
            added = sum.added,
            open = sum.open,
            gone = report.gone(),
            "day is done"
        );
        match sum.troubles.first() {
            Some(first) => Done::Again(format!(
                "{} of {} instruments failed: {first}",
                report.failed(),
                report.outcomes.len()
            )),
            None => {
                metrics::counter!("sise_gap_finder_days_total", "market" => market, "outcome" => "completed")
                    .increment(1);
                Done::Completed
            }
        }
    }
}
