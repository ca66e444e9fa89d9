//! A durable read to its end, each message acknowledged: by the consumer of the archiver, and by the client's own loop.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use bus::{BatchLimits, Consumer, Context};
use futures_util::StreamExt as _;

use super::{Amount, ours};
use crate::folder::Fresh;
use crate::inputs::Kind;
use crate::measure::{Measure, median, rate};
use crate::servers::nats::Nats;

/// The archiver's batch.
const BATCH: BatchLimits = BatchLimits { messages: 20_000, bytes: 32 << 20, wait: Duration::from_secs(1) };
/// How long the last acknowledgements may take to arrive.
const LIMIT: Duration = Duration::from_secs(60);
/// As in `nats/streams.json`.
const ACK_PENDING: i64 = 200_000;

/// Messages a second, of a stream of books.
pub(super) async fn run(folder: &Fresh, amount: Amount) -> anyhow::Result<Vec<Measure>> {
    folder.empty()?;
    let server = Nats::start(&folder.path().join("nats")).await?.with_streams().await?;
    ours::publish(&server, Kind::Book, amount.events).await?;
    let context = server.context("bench").await?;
    let (mut of_ours, mut of_bare) = (Vec::new(), Vec::new());
    // The first round warms up.
    for round in 0..=amount.rounds {
        let durable = durable(&context, &format!("ours-{round}")).await?;
        let fetched = fetch(&server, &format!("ours-{round}"), amount.events).await?;
        acknowledged(durable).await?;
        let durable = self::durable(&context, &format!("bare-{round}")).await?;
        let bare = bare(&durable, amount.events).await?;
        acknowledged(durable).await?;
        if round > 0 {
            of_ours.push(fetched);
            of_bare.push(bare);
        }
    }
    server.end().await?;
    let figure = Measure::alone("publish", "fetch", median(of_ours), "events/s");
    Ok(vec![figure.beside("bare fetch and acknowledge", median(of_bare))])
}

async fn durable(context: &Context, name: &str) -> anyhow::Result<PullConsumer> {
    let stream = context.get_stream(Kind::Book.stream()).await?;
    let config = pull::Config {
        durable_name: Some(name.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: LIMIT,
        max_ack_pending: ACK_PENDING,
        ..pull::Config::default()
    };
    Ok(stream.create_consumer(config).await?)
}

async fn fetch(server: &Nats, durable: &str, count: u64) -> anyhow::Result<f64> {
    let mut consumer = Consumer::open(&server.settings(), "bench", Kind::Book.stream(), durable).await?;
    let (begin, mut fetched) = (Instant::now(), 0);
    while fetched < count {
        // The last batch is not to wait for messages that never come.
        let left = usize::try_from(count - fetched)?;
        let batch = consumer.batch(BatchLimits { messages: BATCH.messages.min(left), ..BATCH }).await?;
        ensure!(!batch.is_empty() || begin.elapsed() < LIMIT, "{fetched} messages of {count}");
        for delivery in &batch {
            fetched += 1;
            ensure!(
                delivery.stream_sequence == fetched,
                "sequence {} comes as number {fetched}",
                delivery.stream_sequence
            );
        }
        bus::acknowledge(&batch).await?;
    }
    Ok(rate(count, begin))
}

async fn bare(durable: &PullConsumer, count: u64) -> anyhow::Result<f64> {
    let begin = Instant::now();
    let mut messages = durable.stream().max_messages_per_batch(4_000).messages().await?;
    for _ in 0..count {
        let message = messages.next().await.context("the subscription has ended")??;
        message.ack().await.map_err(|error| anyhow::anyhow!("acknowledge: {error}"))?;
    }
    Ok(rate(count, begin))
}

/// Waits until the server has heard of all: nothing is to be left for the next round.
async fn acknowledged(durable: PullConsumer) -> anyhow::Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let info = durable.get_info().await?;
        if info.num_ack_pending == 0 && info.num_pending == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{} are not acknowledged", info.num_ack_pending);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
