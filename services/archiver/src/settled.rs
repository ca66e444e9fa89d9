//! What became of a batch, and its figures.

use std::time::Duration;

use bus::Delivery;
use metrics::{counter, histogram};

use crate::batch::span;

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Rows inserted.
    pub inserted: usize,
    /// Deliveries that were in a table already.
    pub known: usize,
    /// Deliveries whose event is in a table under another sequence.
    pub repeated: usize,
    /// Deliveries that are dead letters now.
    pub set_aside: usize,
    /// Of these, those that are no event of this version.
    pub unreadable: usize,
    /// When the first of the live events came to its service, UTC ns.
    pub oldest_live_ns: Option<i64>,
    /// The current epoch.
    pub epoch: u32,
}

impl Settled {
    /// Counts a batch of a stream, which took so long from the message to the row.
    pub fn count(&self, stream: &str, deliveries: &[Delivery], took: Duration) {
        let name = || stream.to_owned();
        let (first, last) = span(deliveries);
        let Settled { inserted, known, repeated, set_aside, unreadable, oldest_live_ns, epoch } = *self;
        for (counted, number) in [
            ("sise_archiver_messages_total", deliveries.len()),
            ("sise_archiver_rows_total", inserted),
            ("sise_archiver_known_total", known),
            ("sise_archiver_repeated_total", repeated),
            ("sise_archiver_set_aside_total", set_aside),
            ("sise_archiver_unreadable_total", unreadable),
        ] {
            counter!(counted, "stream" => name()).increment(u64::try_from(number).unwrap_or(u64::MAX));
        }
        histogram!("sise_archiver_batch_seconds", "stream" => name()).record(took);
        if let Some(received_ns) = oldest_live_ns {
            let delay = u64::try_from(process::clock::now_ns().saturating_sub(received_ns)).unwrap_or(0);
            histogram!("sise_archiver_stored_delay_seconds", "stream" => name())
                .record(Duration::from_nanos(delay));
        }
        let ms = took.as_millis();
        tracing::debug!(
            stream,
            epoch,
            first,
            last,
            inserted,
            known,
            repeated,
            set_aside,
            unreadable,
            ms,
            "rows stored"
        );
    }
}
