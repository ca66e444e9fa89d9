//! The connections of a cell: each is opened, lives, ends, and is opened again, for ever.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use broker::backoff::Backoff;
use broker::connection::{self, Dialer, Received};
use broker::feed::{Feed, OpenError, Retry};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, error, info, info_span, warn};

/// Keeps one connection of a feed until the stop.
pub async fn keep_open<F: Feed>(
    feed: Arc<F>,
    index: usize,
    key: String,
    dialer: Dialer,
    mut backoff: Backoff,
    out: mpsc::Sender<Received>,
    stop: CancellationToken,
) {
    let span =
        info_span!("connection", source = feed.source().as_str(), market = feed.market().as_str(), key);
    async move {
        while !stop.is_cancelled() {
            let wait = match attempt(&*feed, index, &dialer, &mut backoff, &out, &stop).await {
                Some(wait) => wait,
                None => return,
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(wait) => {}
            }
        }
    }
    .instrument(span)
    .await;
}

/// One connection from credentials to end; how long to wait before the next, or nothing when only a person can help.
async fn attempt<F: Feed>(
    feed: &F,
    index: usize,
    dialer: &Dialer,
    backoff: &mut Backoff,
    out: &mpsc::Sender<Received>,
    stop: &CancellationToken,
) -> Option<Duration> {
    let opening = tokio::select! {
        () = stop.cancelled() => return None,
        opening = feed.open(index) => opening,
    };
    let opening = match opening {
        Ok(opening) => opening,
        Err(OpenError::Temporary(problem)) => {
            let wait = backoff.next(jitter());
            warn!(problem, wait_ms = wait.as_millis(), "no credentials for a connection, trying again");
            return Some(wait);
        }
        Err(OpenError::Credentials(problem)) => {
            error!(problem, "the broker refuses the credentials: correct them and restart");
            return None;
        }
    };
    let end = connection::run(dialer, opening, out, stop).await;
    metrics::counter!("cell_connections_ended_total").increment(1);
    backoff.connection_lasted(end.healthy);
    match end.retry {
        Retry::Backoff => {
            let wait = backoff.next(jitter());
            info!(wait_ms = wait.as_millis(), "connecting again");
            Some(wait)
        }
        Retry::After(wait) => {
            info!(wait_ms = wait.as_millis(), "connecting again when the broker has let go");
            Some(wait)
        }
        Retry::Never if stop.is_cancelled() => None,
        Retry::Never => {
            error!("the broker refuses this key: correct the credentials and restart");
            None
        }
    }
}

/// Something that differs between two clients that lost the same server.
fn jitter() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::from(since.subsec_micros()))
}
