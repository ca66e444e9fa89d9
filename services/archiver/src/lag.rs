//! How near the oldest message that is not archived is to being discarded by its stream, told before it happens.
//!
//! A stream discards its oldest messages when it has too many bytes or they are too old, read or not. [`watch`] looks now
//! and then; [`Lag::of`] is pure.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bus::{ConsumeError, Context, DurableState, StreamState};
use process::Shutdown;
use process::metrics::{ratio, whole};

/// An alarm at four fifths of the way: a week's stream leaves more than a day, a full one the time of a fifth of it.
const ALARM_PERMILLE: u32 = 800;
/// It is over when there is this much more room.
const OVER_PERMILLE: u32 = 700;

/// How far a durable is behind its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Messages that are not archived.
    pub messages: u64,
    /// Age of the oldest of them, in seconds.
    pub seconds: u64,
    /// How far the oldest of them has gone on its way to being discarded, by bytes or by age, whichever is further:
    /// at 1,000 it goes.
    pub permille: u32,
    /// Sequences that the stream discarded after the last one acknowledged without a gap, and before its first one.
    pub discarded: Option<(u64, u64)>,
}

impl Lag {
    /// The lag; `oldest_ns` is when the oldest message that is not acknowledged was stored.
    pub fn of(stream: &StreamState, durable: &DurableState, oldest_ns: Option<i64>, now_ns: i64) -> Self {
        let messages = durable.pending.saturating_add(durable.ack_pending);
        let next = durable.ack_floor.saturating_add(1);
        let discarded = (messages > 0 && stream.first_sequence > next)
            .then(|| (next, stream.first_sequence.saturating_sub(1)));
        if messages == 0 {
            return Self { messages: 0, seconds: 0, permille: 0, discarded: None };
        }
        // As if messages were of one size: what matters is the order of magnitude.
        let behind = stream.last_sequence.saturating_sub(durable.ack_floor).min(stream.messages);
        let by_bytes = stream.max_bytes.map_or(0, |most| {
            let bytes = u128::from(stream.bytes) * u128::from(behind) / u128::from(stream.messages.max(1));
            bytes * 1_000 / u128::from(most.max(1))
        });
        let age_ns = oldest_ns.map_or(0, |oldest| now_ns.saturating_sub(oldest).max(0).unsigned_abs());
        let by_age = stream.max_age.map_or(0, |most| u128::from(age_ns) * 1_000 / most.as_nanos().max(1));
        let permille = u32::try_from(by_bytes.max(by_age)).unwrap_or(u32::MAX).min(1_000);
        Self { messages, seconds: age_ns / 1_000_000_000, permille, discarded }
    }
}

/// What was told already.
#[derive(Debug, Default)]
struct Told {
    near: bool,
    discarded_through: u64,
}

/// Watches a stream until the stop is asked for.
pub async fn watch(context: Context, stream: Arc<str>, durable: String, every: Duration, shutdown: Shutdown) {
    let mut told = Told::default();
    let mut ticks = tokio::time::interval(every);
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            _ = ticks.tick() => {}
        }
        // Who cannot be asked now is asked again; the worker tells of a bus that is away.
        if let Ok((state, lag)) = look(&context, &stream, &durable).await {
            tell(&stream, lag, &mut told);
            show(&stream, &state, lag);
        }
    }
}

async fn look(context: &Context, stream: &str, durable: &str) -> Result<(StreamState, Lag), ConsumeError> {
    let durable = bus::durable_state(context, stream, durable).await?;
    let state = bus::stream_state(context, stream).await?;
    let next = durable.ack_floor.saturating_add(1);
    let oldest_ns = if durable.pending + durable.ack_pending == 0 {
        None
    } else if next <= state.first_sequence {
        Some(state.first_published_ns)
    } else {
        let oldest = bus::read_message(context, stream, next).await.ok().flatten();
        oldest.map(|message| message.published_ns)
    };
    Ok((state, Lag::of(&state, &durable, oldest_ns, now_ns())))
}

fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

fn show(stream: &str, state: &StreamState, lag: Lag) {
    let gauge = |name: &'static str| metrics::gauge!(name, "stream" => stream.to_owned());
    gauge("sise_archiver_lag_messages").set(whole(lag.messages));
    gauge("sise_archiver_lag_seconds").set(whole(lag.seconds));
    gauge("sise_archiver_lag_ratio").set(ratio(lag.permille));
    gauge("sise_archiver_stream_bytes").set(whole(state.bytes));
    if let Some(most) = state.max_bytes {
        gauge("sise_archiver_stream_limit_bytes").set(whole(most));
    }
}

fn tell(stream: &str, lag: Lag, told: &mut Told) {
    let Lag { messages, seconds, permille, discarded } = lag;
    if permille >= ALARM_PERMILLE && !told.near {
        told.near = true;
        metrics::counter!("sise_archiver_near_eviction_total", "stream" => stream.to_owned()).increment(1);
        tracing::error!(
            stream,
            messages,
            seconds,
            permille,
            "stream will discard messages before they are archived: bring clickhouse back or raise the stream's limits"
        );
    } else if permille < OVER_PERMILLE && told.near {
        told.near = false;
        tracing::info!(stream, messages, seconds, permille, "archiver is catching up");
    }
    if let Some((first, last)) = discarded.filter(|(_, last)| *last > told.discarded_through) {
        let first = first.max(told.discarded_through + 1);
        told.discarded_through = last;
        discarded_unread(stream, first, last);
    }
}

/// The alarm for messages that are gone from the stream and may not be in the archive.
pub fn discarded_unread(stream: &str, first: u64, last: u64) {
    metrics::counter!("sise_archiver_discarded_total", "stream" => stream.to_owned())
        .increment(last - first + 1);
    tracing::error!(
        stream,
        first,
        last,
        "stream discarded messages that were not archived: view never_archived names those that are lost"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: StreamState = StreamState {
        created_ns: 1,
        first_sequence: 1,
        last_sequence: 1_000,
        messages: 1_000,
        bytes: 500_000,
        first_published_ns: 0,
        max_bytes: Some(1_000_000),
        max_age: Some(Duration::from_secs(100)),
    };

    fn lag(stream: StreamState, pending: u64, ack_floor: u64, oldest_seconds: i64) -> Lag {
        let durable = DurableState { pending, ack_pending: 0, redelivered: 0, ack_floor };
        Lag::of(&stream, &durable, Some(oldest_seconds * 1_000_000_000), 200_000_000_000)
    }

    #[test]
    fn the_further_of_bytes_and_age_counts() {
        // Half of the messages behind: a quarter of the bytes. 30 of 100 seconds old.
        let half = Lag { messages: 500, seconds: 30, permille: 300, discarded: None };
        assert_eq!(lag(STREAM, 500, 500, 170), half);
        let full = StreamState { bytes: 1_000_000, ..STREAM };
        assert_eq!(lag(full, 850, 150, 199).permille, 850);
        assert_eq!(lag(StreamState { max_bytes: None, max_age: None, ..full }, 850, 150, 1).permille, 0);
    }

    #[test]
    fn nothing_behind_is_no_lag_however_full_the_stream_is() {
        let full = StreamState { bytes: 1_000_000, ..STREAM };
        assert_eq!(lag(full, 0, 1_000, 0), Lag { messages: 0, seconds: 0, permille: 0, discarded: None });
    }

    #[test]
    fn what_was_discarded_unread_is_named() {
        let moved = StreamState { first_sequence: 301, messages: 700, ..STREAM };
        assert_eq!(lag(moved, 700, 100, 199).discarded, Some((101, 300)));
        assert_eq!(lag(moved, 700, 300, 199).discarded, None);
    }
}
