//! A day of the archive → the hub, in the order in which its events were received, at a speed: a page or a program made for
//! the gateway sees the day as it was. No connection to the bus is opened, so that nothing played can get among what is live.
//!
//! Everything goes by the clock of the day: the hub's merging, what is stale, every time that a client is told. At speed 0
//! the clock jumps from batch to batch and waits only for clients that have not read yet; so a day is told alike each time.

mod player;
mod progress;
mod score;

pub use self::player::Player;
pub use self::progress::Progress;
pub use self::score::{Score, Tempo};

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use market::{Event, Market, Source, TradeDate};
use process::Shutdown;
use store::Store;
use store::played::{DayOf, Stretch};
use tokio::sync::mpsc;

/// Stretches that are read ahead: one is played, one waits.
const AHEAD: usize = 1;
/// Between two attempts to read a stretch.
const PAUSE: Duration = Duration::from_secs(2);

/// Section `[gateway.replay]`, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplaySettings {
    /// Which events.
    pub day: DayOf,
    /// How many seconds of the day go by in one; 0 = as fast as clients read.
    pub speed: u32,
}

/// What there is to play.
#[derive(Debug)]
pub struct Day {
    /// The day.
    pub date: TradeDate,
    /// Its market.
    pub market: Market,
    /// The brokers that have events.
    pub sources: Vec<Source>,
    /// Stretches with events, in order; not empty.
    pub stretches: Vec<Stretch>,
}

impl Day {
    /// Looks what the archive has.
    ///
    /// # Errors
    /// When the archive cannot be asked, or has nothing of it.
    pub async fn look(store: &Store, of: &DayOf) -> anyhow::Result<Self> {
        let (stretches, sources) = store.stretches(of).await.context("clickhouse")?;
        let (date, market) = (of.trade_date, of.market);
        if stretches.is_empty() {
            bail!(
                "the archive has no live trade or order book of {date} {market} with these symbols and times"
            );
        }
        Ok(Self { date, market, sources, stretches })
    }

    /// The first second that has an event, UTC ns.
    pub fn begin_ns(&self) -> i64 {
        self.stretches.first().map_or(0, |stretch| stretch.from_ns)
    }

    /// The end of the last second that has one, UTC ns.
    pub fn end_ns(&self) -> i64 {
        self.stretches.last().map_or(0, |stretch| stretch.until_ns)
    }

    /// Rows in all.
    pub fn events(&self) -> u64 {
        self.stretches.iter().map(|stretch| stretch.events).sum()
    }
}

/// Reads the stretches in a task of its own, a little ahead of who plays them. An archive that is away is waited for: a day
/// is played whole or not at all.
pub fn read(store: Store, of: DayOf, day: Arc<Day>, shutdown: Shutdown) -> mpsc::Receiver<Vec<Event>> {
    let (tell, told) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        for stretch in &day.stretches {
            let events = loop {
                match store.events_of(&of, stretch).await {
                    Ok(events) => break events,
                    Err(error) => tracing::warn!(%error, "archive cannot be read, trying again"),
                }
                tokio::select! {
                    () = shutdown.requested() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            };
            if tell.send(events).await.is_err() {
                return;
            }
        }
    });
    told
}
