//! The connections of a cell: each is opened when it is needed, lives, ends, and is opened again, for ever.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use broker::backoff::Backoff;
use broker::connection::{self, Dialer, Received};
use broker::feed::{Feed, OpenError, Retry};
use market::calendar::{Hours, Keeping};
use process::clock::now_ns;
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
                info!(hours = (until_ns - now_ns()) / 3_600_000_000_000, "idle: the market is closed");
            }
            sleep(until(until_ns)).await;
        }
    }

    /// Waits until nothing is wanted of the connection any more, or its hours are over.
    async fn not_needed(&self) {
        let mut wanted = self.feed.lines().wanted(self.index);
        loop {
            let Hours::Up { until_ns } = self.hours() else { return };
            tokio::select! {
                () = something(&mut wanted, false) => return,
                () = sleep(until(until_ns)) => {}
            }
        }
    }

    fn hours(&self) -> Hours {
        if self.dialer.always_open {
            return Hours::Up { until_ns: i64::MAX };
        }
        self.dialer.calendar.hours(self.dialer.market, self.keeping, now_ns())
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
        metrics::counter!("cell_connections_ended_total").increment(1);
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

/// Until an instant, but not for long without a look at the clock.
fn until(utc_ns: i64) -> Duration {
    let left = u64::try_from(utc_ns.saturating_sub(now_ns())).unwrap_or(0);
    Duration::from_nanos(left).min(LOOK_AGAIN)
}

/// Something that differs between two clients that lost the same server.
fn jitter() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::from(since.subsec_micros()))
}
