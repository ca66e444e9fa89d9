//! The service: one worker for each stream, one who takes orders, an orderly stop within its limit.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use process::Shutdown;
use store::Store;
use store::columns::CheckError;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::config::Settings;
use crate::lag;
use crate::orders::Desk;
use crate::worker::Worker;

/// How often is looked whether the bus is there.
const LOOK: Duration = Duration::from_secs(1);

/// Pause before ClickHouse is asked again at the start.
const PAUSE: Duration = Duration::from_secs(2);

/// Larger batches that all workers together may hold, in hand or on their way to the ledger, beside the small ones of each:
/// enough to keep ClickHouse busy; more would only take memory while it is away.
const AHEAD: usize = 2;

/// Archives until the stop is asked for.
///
/// # Errors
/// When the tables do not fit this version, a worker fails, or the stop takes longer than its limit.
pub async fn run(settings: Settings, shutdown: Shutdown) -> anyhow::Result<()> {
    crate::figures::describe();
    let [bus_ready, clickhouse_ready] = process::ready::parts(["bus", "clickhouse"]);
    let store = Store::new(&settings.clickhouse)?;
    let client = bus::connect(&settings.nats, "archiver").await?;
    tokio::select! {
        biased;
        () = shutdown.requested() => return Ok(()),
        checked = check(&store) => checked?,
    }
    let looked_at = client.clone();
    process::ready::watch(bus_ready, LOOK, move || {
        let connected = bus::is_connected(&looked_at);
        async move { if connected { Ok(()) } else { Err("not connected") } }
    });
    clickhouse_ready.ready();
    let context = bus::jetstream(client.clone());
    let ahead = Arc::new(Semaphore::new(AHEAD));
    let mut workers = JoinSet::new();
    let mut desk = Desk::default();
    for stream in &settings.archiver.streams {
        crate::figures::of_stream(stream);
        let worker = Worker {
            stream: stream.clone(),
            settings: settings.archiver.clone(),
            nats: settings.nats.clone(),
            context: context.clone(),
            store: store.clone(),
            ahead: Arc::clone(&ahead),
            orders: desk.open(stream),
            ready: process::ready::part("streams"),
        };
        workers.spawn(worker.run(shutdown.clone()));
        // Ends with the stop; nothing is left to settle.
        let durable = settings.archiver.durable.clone();
        let watch = settings.archiver.watch;
        tokio::spawn(lag::watch(context.clone(), Arc::clone(stream), durable, watch, shutdown.clone()));
    }
    let answering = desk.answer(settings.nats.clone(), context.clone(), shutdown.clone());
    workers.spawn(async move { Ok(answering.await?) });
    let failed = tokio::select! {
        () = shutdown.requested() => None,
        // A worker ends by itself only when it failed; the others stop in order.
        ended = workers.join_next() => ended,
    };
    shutdown.request();
    let limit = settings.archiver.stop_timeout;
    let stop = async {
        let mut outcome = failed.map_or(Ok(()), |ended| ended?);
        while let Some(ended) = workers.join_next().await {
            outcome = outcome.and(ended?);
        }
        // The answers to orders leave before the process does.
        client.flush().await?;
        outcome
    };
    let stopped = tokio::time::timeout(limit, stop).await;
    let left = workers.len();
    stopped
        .with_context(|| format!("{left} streams not settled within {limit:?}: their messages come again"))?
}

/// Waits for ClickHouse and compares its tables with what is written.
async fn check(store: &Store) -> anyhow::Result<()> {
    let mut told = false;
    loop {
        match store.check_columns().await {
            Ok(()) => return Ok(()),
            Err(CheckError::Column(error)) => return Err(error.into()),
            Err(CheckError::Store(error)) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "clickhouse does not answer, trying again");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
