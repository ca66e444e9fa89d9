//! A cell from start to stop: journal, connections, keeper and cursor, in the order in which they depend on each other.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use broker::backoff::Backoff;
use broker::connection::Dialer;
use broker::feed::Feed;
use broker::pulse::Pulse;
use bus::publisher::{Checkpoint, Publisher};
use journal::{Acknowledged, JournalSettings, Position, Reader, Recovered, Writer};
use market::Tape;
use market::calendar::{Calendar, Keeping};
use process::Shutdown;
use process::clock::now_ns;
use process::ready::Part;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::checkpoints;
use crate::cursor::Cursor;
use crate::disk::Disk;
use crate::follow::{Follower, Following};
use crate::health::Vitals;
use crate::health::rates::{Observed, Shared};
use crate::interpret::Interpreter;
use crate::keep::Keeper;
use crate::links::Link;
use crate::note::{Noted, What};
use crate::ownership::{Owners, Watch};
use crate::rest::Rest;
use crate::settings::CellSettings;
use crate::tail;

/// Frames between the sockets and the journal: a tenth of a second at 40,000 frames a second. Beyond it the socket
/// waits, which is what a full disk must lead to.
const RECEIVED: usize = 4_096;
/// Records between the journal and the cursor in memory; beyond it, or beyond [`TAIL_BYTES`], the cursor reads from disk.
const TAIL: usize = 16_384;
/// Bytes of their payloads: a book of Kiwoom has ten times as many as a trade of KIS.
const TAIL_BYTES: usize = 8 << 20;
/// Changes of what is to be carried that wait: they come seconds apart, and one is done in milliseconds.
const TOLD: usize = 16;
/// Segments at the journal's end that are looked through for its last record: one may be new, another damaged.
const SEGMENTS_LOOKED_AT: usize = 3;
/// The longest wait between two connection attempts.
const RECONNECT_MOST: Duration = Duration::from_secs(60);

/// Runs a feed until the stop: stops reading, publishes what is kept, waits for the acknowledgements.
///
/// # Errors
/// When the journal cannot be used, a setting cannot be meant, or messages are left after the stop limit.
pub async fn run<F: Feed>(feed: F, settings: CellSettings, shutdown: Shutdown) -> anyhow::Result<()> {
    crate::figures::describe();
    broker::figures::describe();
    let [journal_ready, bus_ready, feed_ready] = process::ready::parts(["journal", "bus", "feed"]);
    let folder = settings.journal.folder.clone();
    let Opened { writer, recovered, acknowledged, checkpoints } = open_journal(&settings.journal)?;

    let (received_in, received) = mpsc::channel(RECEIVED);
    let (tail_in, tail_out) = tail::tail(TAIL, TAIL_BYTES);
    let (end_in, end) = watch::channel(recovered.end);
    let (acknowledged_in, acknowledged_out) = watch::channel(acknowledged);
    let runtime = tokio::runtime::Handle::current();
    let mut keeper = Keeper {
        writer,
        received,
        tail: tail_in,
        end: end_in,
        acknowledged: acknowledged_out,
        runtime,
        notes: 0,
        kept: Vec::new(),
        ready: journal_ready,
    };
    let last_received_ns = last_received(&folder, recovered.end);
    let started = keeper.note(now_ns(), now_ns(), &Noted::of_all(What::Started { last_received_ns }));

    let feed = Arc::new(feed);
    let of = Arc::clone(&feed);
    let rates = Shared::default();
    let observing = Arc::clone(&rates);
    let fresh = Box::new(move || {
        let parser = Observed::new(of.parser(), Arc::clone(&observing));
        Interpreter::new(parser, of.market(), of.source())
    });
    let disk = Disk {
        folder: folder.clone(),
        limit_bytes: settings.journal.max_bytes,
        acknowledged: acknowledged_in.subscribe(),
    };
    let cursor = Cursor {
        folder,
        position: acknowledged,
        tail: tail_out,
        end,
        acknowledged: acknowledged_in,
        feed: (feed.market(), feed.source()),
        interpreter: fresh(),
        fresh,
        publisher: Publisher::remembering(&settings.nats, &settings.service, checkpoints)?,
        stop_limit: settings.stop_limit,
        unsaved: false,
        ready: bus_ready,
    };
    let stop = CancellationToken::new();
    let mut keeping = tokio::task::spawn_blocking(move || keeper.run(started));
    let mut publishing = tokio::spawn(cursor.run());
    let mut links = connect(&feed, &settings, received_in, (rates, feed_ready), &stop).await?;
    links.spawn(disk.watch(stop.clone()));
    let rest = Rest::start(Arc::clone(&feed), &settings.nats, &settings.service).await?;
    links.spawn(rest.answer(stop.clone()));

    tokio::select! {
        () = shutdown.requested() => {}
        failed = &mut keeping => return Err(ended("journal", failed.map(|result| result.map_err(Into::into)))),
        failed = &mut publishing => return Err(ended("cursor", failed)),
    }
    // From the socket inwards: each part ends when nothing can come any more.
    stop.cancel();
    while links.join_next().await.is_some() {}
    keeping.await?.context("journal")?;
    publishing.await?
}

/// An opened journal, and what was saved beside it.
struct Opened {
    writer: Writer,
    recovered: Recovered,
    acknowledged: Position,
    checkpoints: Vec<Checkpoint<Position>>,
}

fn open_journal(settings: &JournalSettings) -> anyhow::Result<Opened> {
    let folder = &settings.folder;
    let (writer, recovered) = Writer::open(settings.clone()).context("journal")?;
    if let Some(torn) = &recovered.torn {
        warn!(segment = torn.segment, offset = torn.offset, bytes = torn.bytes, reason = %torn.reason, "torn journal tail cut off");
    }
    let (saved, damaged) = Acknowledged::load_all_or_start(folder).context("journal position")?;
    let acknowledged = saved.position;
    if let Some(problem) = damaged {
        warn!(%problem, "acknowledged position cannot be read: everything kept is published again");
    }
    let checkpoints = checkpoints::from_bytes(&saved.beside).unwrap_or_else(|problem| {
        warn!(%problem, "checkpoints cannot be read: whether the server lost anything is not known");
        Vec::new()
    });
    info!(acknowledged = %acknowledged, end = %recovered.end, "journal opened");
    Ok(Opened { writer, recovered, acknowledged, checkpoints })
}

/// Starts the connections, and what tells them what to carry.
async fn connect<F: Feed>(
    feed: &Arc<F>,
    settings: &CellSettings,
    received: mpsc::Sender<broker::connection::Received>,
    (rates, ready): (Shared, Part),
    stop: &CancellationToken,
) -> anyhow::Result<JoinSet<()>> {
    let tls = broker::tls::client(settings.ca_file.as_deref())?;
    let night =
        settings.following.files.universe.entries.iter().any(|entry| entry.tapes.contains(&Tape::Day));
    let mut links = JoinSet::new();
    let pulses: Vec<Arc<Pulse>> = feed.lines().names().iter().map(|_| Arc::default()).collect();
    for (index, connection) in feed.lines().names().iter().cloned().enumerate() {
        let keeping = Keeping { shared: settings.shared_keys.contains(&connection), night };
        let dialer = Dialer {
            connection,
            tls: Arc::clone(&tls),
            market: feed.market(),
            calendar: Calendar::built_in().clone(),
            always_open: settings.always_open,
            pulse: pulses.get(index).cloned().unwrap_or_default(),
        };
        let link = Link {
            feed: Arc::clone(feed),
            index,
            dialer,
            keeping,
            clock: now_ns,
            backoff: Backoff::new(settings.reconnect_first, RECONNECT_MOST),
            out: received.clone(),
            stop: stop.clone(),
        };
        links.spawn(link.keep_open());
    }
    let mut follower = Follower::new(Arc::clone(feed), settings.following.clone(), received.clone());
    follower.apply(None).await;
    let (told, to_follow) = mpsc::channel(TOLD);
    let now_ns = now_ns();
    let Following { carriers, rules, .. } = &settings.following;
    let watch = Watch {
        feed: Arc::clone(feed),
        pulses,
        always_open: settings.always_open,
        vitals: Vitals::new(settings.liveness_limit, settings.silence_limit, now_ns, ready),
        owners: Owners::new(feed.market(), feed.source(), carriers, *rules, now_ns),
        placed: follower.placed(),
        told,
        rates,
        out: received,
    };
    let client = bus::connect(&settings.nats, &settings.service).await?;
    links.spawn(follower.follow(to_follow, stop.clone()));
    links.spawn(watch.keep(client, stop.clone()));
    // No sender is left here: the keeper ends when the last connection has.
    Ok(links)
}

fn ended(part: &str, result: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Error {
    match result {
        Ok(Ok(())) => anyhow::anyhow!("{part} ended by itself"),
        Ok(Err(error)) => error.context(part.to_owned()),
        Err(panic) => anyhow::Error::from(panic).context(part.to_owned()),
    }
}

/// When the journal's last record was received: a service that was killed knows from here on what it may have missed.
/// Damage is passed over (it is the cursor's business), and a segment without a record leads to the one before it.
fn last_received(folder: &std::path::Path, end: Position) -> Option<i64> {
    let last_of = |segment| {
        let mut reader = Reader::open(folder, Position { segment, offset: 0 }).ok()?;
        let mut last = None;
        loop {
            match reader.next() {
                Ok(Some((record, _))) => last = Some(record.received_ns),
                Ok(None) => return last,
                Err(_) if reader.skip_damaged().is_ok() => {}
                Err(_) => return last,
            }
        }
    };
    (1..=end.segment).rev().take(SEGMENTS_LOOKED_AT).find_map(last_of)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use journal::{JournalSettings, Record, RecordKind, Sync};

    use super::*;

    #[test]
    fn the_last_record_is_found_behind_damage_and_before_an_empty_segment() {
        let folder = tempfile::tempdir().expect("folder");
        let settings = JournalSettings {
            folder: folder.path().to_owned(),
            segment_bytes: 4_096,
            max_bytes: 1 << 20,
            sync: Sync::Never,
            max_age: None,
            compress: None,
        };
        let (mut writer, _) = Writer::open(settings).expect("journal");
        let record = |received_ns| Record {
            kind: RecordKind::FRAME,
            connection_id: 7,
            sequence: 1,
            received_ns,
            payload: Bytes::from(vec![b'x'; 1_000]),
        };
        let mut ends = Vec::new();
        for received_ns in 1..=3 {
            ends.push(writer.append(&record(received_ns)).expect("appended"));
        }
        writer.flush().expect("flushed");
        assert_eq!(last_received(folder.path(), writer.end()), Some(3));
        // The second record is damaged: the third is still the last.
        let path = std::fs::read_dir(folder.path()).expect("folder").filter_map(|entry| {
            let path = entry.expect("entry").path();
            (path.extension().is_some_and(|end| end == "journal")).then_some(path)
        });
        let path = path.min().expect("a segment");
        let mut bytes = std::fs::read(&path).expect("segment");
        let middle = usize::try_from(ends[0].offset).expect("small") + 500;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(last_received(folder.path(), writer.end()), Some(3));
        // A segment that is not there, or holds nothing: the one before it.
        let next = Position { segment: writer.end().segment + 1, offset: 0 };
        assert_eq!(last_received(folder.path(), next), Some(3));
    }
}
