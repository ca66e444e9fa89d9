//! The connections of a cell: each is opened when it is needed, lives, ends, and is opened again, for ever.

use std::sync::Arc;
use std::time::Duration;

use broker::backoff::Backoff;
use broker::clock::jitter;
use broker::connection::{self, Dialer, Received};
use broker::feed::{Feed, OpenError, Retry};
use market::calendar::{Hours, Keeping};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, error, info, info_span, warn};

/// The clock is looked at again after so long at the latest: a machine may sleep, a clock be set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// One connection of a feed, kept for as long as the process lives.
pub struct Link<F> {
    /// The feed.
    pub feed: Arc<F>,
    /// Number of the connection.
    pub index: usize,
    /// How to connect.
    pub dialer: Dialer,
    /// The hours it keeps.
    pub keeping: Keeping,
    /// Now, UTC ns.
    pub clock: fn() -> i64,
    /// Pauses after a lost connection.
    pub backoff: Backoff,
    /// Where frames go.
    pub out: mpsc::Sender<Received>,
    /// The end of the process.
    pub stop: CancellationToken,
}

impl<F: Feed> Link<F> {
    /// Keeps the connection until the stop.
    pub async fn keep_open(mut self) {
        let key = self.feed.lines().names().get(self.index).cloned().unwrap_or_default();
        let (source, market) = (self.feed.source().as_str(), self.feed.market().as_str());
        let span = info_span!("connection", source, market, key);
        let stop = self.stop.clone();
        async move {
            while !stop.is_cancelled() {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.needed() => {}
                }
                let Some(wait) = self.attempt().await else { return };
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = sleep(wait) => {}
                }
            }
        }
        .instrument(span)
        .await;
    }

    /// Waits until something is wanted of the connection and its hours have come.
    async fn needed(&self) {
        let mut wanted = self.feed.lines().wanted(self.index);
        let mut told = false;
        loop {
            something(&mut wanted, true).await;
            let Hours::Down { until_ns } = self.hours() else { return };
            if !told {
                told = true;
                info!(hours = (until_ns - (self.clock)()) / 3_600_000_000_000, "idle: the market is closed");
            }
            sleep(self.until(until_ns)).await;
        }
    }

    /// Waits until nothing is wanted of the connection any more, or its hours are over.
    async fn not_needed(&self) {
        let mut wanted = self.feed.lines().wanted(self.index);
        loop {
            let Hours::Up { until_ns } = self.hours() else { return };
            tokio::select! {
                () = something(&mut wanted, false) => return,
                () = sleep(self.until(until_ns)) => {}
            }
        }
    }

    fn hours(&self) -> Hours {
        if self.dialer.always_open {
            return Hours::Up { until_ns: i64::MAX };
        }
        self.dialer.calendar.hours(self.dialer.market, self.keeping, (self.clock)())
    }

    /// Until an instant, but not for long without a look at the clock.
    fn until(&self, utc_ns: i64) -> Duration {
        let left = u64::try_from(utc_ns.saturating_sub((self.clock)())).unwrap_or(0);
        Duration::from_nanos(left).min(LOOK_AGAIN)
    }

    /// One connection from credentials to end; how long to wait before the next, or nothing when only a person can
    /// help.
    async fn attempt(&mut self) -> Option<Duration> {
        let opening = tokio::select! {
            () = self.stop.cancelled() => return None,
            opening = self.feed.open(self.index) => opening,
        };
        let opening = match opening {
            Ok(opening) => opening,
            Err(OpenError::Temporary(problem)) => {
                let wait = self.backoff.next(jitter());
                warn!(problem, wait_ms = wait.as_millis(), "no credentials for a connection, trying again");
                return Some(wait);
            }
            Err(OpenError::Credentials(problem)) => {
                error!(problem, "the broker refuses the credentials: correct them and restart");
                return None;
            }
        };
        info!("connecting");
        let idle = CancellationToken::new();
        let wanted = self.feed.lines().wanted(self.index);
        let run = connection::run(&self.dialer, opening, wanted, &self.out, &idle, &self.stop);
        tokio::pin!(run);
        let end = tokio::select! {
            end = &mut run => end,
            () = self.not_needed() => {
                idle.cancel();
                run.await
            }
        };
        metrics::counter!("sise_cell_connections_ended_total").increment(1);
        self.backoff.connection_lasted(end.healthy);
        match end.retry {
            Retry::Backoff => {
                let wait = self.backoff.next(jitter());
                info!(wait_ms = wait.as_millis(), "connecting again");
                Some(wait)
            }
            Retry::After(wait) => {
                info!(wait_ms = wait.as_millis(), "connecting again when it can be");
                Some(wait)
            }
            Retry::Never if self.stop.is_cancelled() => None,
            Retry::Never => {
                error!("the broker refuses this key: correct the credentials and restart");
                None
            }
        }
    }
}

/// Waits until something is wanted, or until nothing is.
async fn something<R>(wanted: &mut watch::Receiver<Vec<R>>, there: bool) {
    // The sender lives in the feed, as long as we do.
    let _always = wanted.wait_for(|wanted| wanted.is_empty() != there).await.map(drop);
}

#[cfg(test)]
mod tests {
    use broker::credentials::Credentials;
    use broker::kis::feed::{KisFeed, defaults};
    use broker::settings::BrokerSettings;
    use futures_util::FutureExt as _;
    use market::calendar::Calendar;
    use market::universe::Universe;
    use market::{Market, Source};

    use super::*;

    /// Wednesday, 2026-11-25, 03:00 and 10:00 in Korea; the eve of it, and Chuseok at 10:00.
    const NIGHT: i64 = 1_795_543_200_000_000_000;
    const MORNING: i64 = NIGHT + 7 * 3_600_000_000_000;
    const CHUSEOK: i64 = MORNING - 62 * 86_400_000_000_000;

    type Clock = fn() -> i64;

    fn link(wanted: bool, clock: Clock) -> Link<KisFeed> {
        process::tls::install();
        let key = Credentials { name: "main".into(), app_key: "k".into(), app_secret: "s".into() };
        let settings = BrokerSettings { keys: vec![key], ..defaults() };
        let calendar = Calendar::built_in().clone();
        let feed = KisFeed::new(Market::Kr, settings, calendar.clone()).expect("feed");
        if wanted {
            let universe = Universe::from_yaml("symbols:\n- symbol: 005930\n").expect("universe");
            let wanted = universe.carried(Market::Kr, Source::Kis, &[Source::Kis]);
            assert_eq!(feed.lines().follow(feed.registrations(&wanted)), []);
        }
        let tls = broker::tls::client(None).expect("tls");
        let connection = "main".to_owned();
        Link {
            feed: Arc::new(feed),
            index: 0,
            dialer: Dialer {
                connection,
                tls,
                market: Market::Kr,
                calendar,
                always_open: false,
                pulse: Arc::default(),
            },
            keeping: Keeping::default(),
            clock,
            backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)),
            out: mpsc::channel(1).0,
            stop: CancellationToken::new(),
        }
    }

    #[tokio::test]
    async fn a_connection_stands_while_the_market_is_open_and_something_is_wanted() {
        let cases: [(bool, Clock, bool); 4] = [
            (true, || MORNING, true),
            (true, || NIGHT, false),
            (true, || CHUSEOK, false),
            (false, || MORNING, false),
        ];
        for (case, (wanted, clock, stands)) in cases.into_iter().enumerate() {
            let link = link(wanted, clock);
            let needed = link.needed().now_or_never().is_some();
            let not_needed = link.not_needed().now_or_never().is_some();
            assert_eq!((needed, not_needed), (stands, !stands), "case {case}");
        }
    }
}
