//! What it costs to have the server force its streams to disk more often than it does by itself.

use super::{Amount, ours};
use crate::folder::Fresh;
use crate::inputs::Kind;
use crate::measure::{Measure, median};
use crate::servers::nats::Nats;

/// Each with the name of its figure; the first is what the others are set beside.
const INTERVALS: [(&str, &str); 4] =
    [("2m", "sync_2m"), ("1s", "sync_1s"), ("100ms", "sync_100ms"), ("always", "sync_always")];

/// Books a second for each interval, in turns.
pub(super) async fn run(folder: &Fresh, amount: Amount) -> anyhow::Result<Vec<Measure>> {
    let mut figures = INTERVALS.map(|_| Vec::new());
    for _ in 0..amount.rounds.min(3) {
        for ((interval, _), figures) in INTERVALS.iter().zip(&mut figures) {
            folder.empty()?;
            let count = if *interval == "always" { amount.synced } else { amount.events };
            let server = Nats::start_syncing(&folder.path().join("nats"), Some(interval)).await?;
            let server = server.with_streams().await?;
            figures.push(ours::publish(&server, Kind::Book, count).await?);
            server.end().await?;
        }
    }
    let [by_itself, rest @ ..] = figures.map(median);
    let [first, others @ ..] = INTERVALS;
    let alone = |name: &str, figure| Measure::alone("publish", name, figure, "events/s");
    let mut measures = vec![alone(first.1, by_itself)];
    for ((_, name), figure) in others.into_iter().zip(rest) {
        measures.push(alone(name, figure).beside("synced every 2 minutes, the server's own way", by_itself));
    }
    Ok(measures)
}
