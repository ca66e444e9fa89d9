//! One batch of fast ingest for all messages, by the crate of the client's makers: a message names its place in the batch, and
//! the server acknowledges a stretch of the batch at a time.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_nats_048::jetstream::message::OutboundMessage;
use async_nats_048::{HeaderMap, Subject};
use bus::Outgoing;
use jetstream_extra::batch_publish_fast::{FastPublishExt as _, GapMode};
use serde_json::Value;

use crate::measure::rate;
use crate::servers::nats::Nats;

/// How long an acknowledgement may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Acknowledgements that are waited for at once: the most that the crate takes.
const OUTSTANDING: u16 = 3;

/// Events a second.
pub(super) async fn publish(
    server: &Nats,
    stream: &str,
    messages: &[Outgoing],
    flow: u16,
) -> anyhow::Result<f64> {
    allow(server, stream).await?;
    let client = async_nats_048::ConnectOptions::new()
        .client_capacity(8_192)
        .connect(server.url())
        .await
        .context("connect the older client")?;
    let mut batch = async_nats_048::jetstream::new(client)
        .fast_publish()
        .flow(flow)
        .max_outstanding_acks(OUTSTANDING)
        .gap_mode(GapMode::Fail)
        .ack_timeout(LIMIT)
        .build()?;
    // Its types are not those of the newer client.
    let subjects: Vec<_> = messages.iter().map(|message| Subject::from(message.subject.as_str())).collect();
    let mut begin = Instant::now();
    for (index, (message, subject)) in messages.iter().zip(subjects).enumerate() {
        let Outgoing { message_id, payload, .. } = message.clone();
        let mut headers = HeaderMap::new();
        headers.insert(bus::subject::MESSAGE_ID_HEADER, message_id);
        batch.add_message(OutboundMessage { subject, payload, headers: Some(headers) }).await?;
        if index == 0 {
            begin = Instant::now();
        }
    }
    let ack = batch.close().await?;
    let rate = rate(u64::try_from(messages.len() - 1)?, begin);
    // A batch that the server gave up ends as one that it kept: only the count tells.
    ensure!(
        ack.batch_size == u64::try_from(messages.len())?,
        "the batch ended after {} messages of {}",
        ack.batch_size,
        messages.len()
    );
    Ok(rate)
}

/// Lets the stream take batches: a setting of each stream.
async fn allow(server: &Nats, stream: &str) -> anyhow::Result<()> {
    let context = server.context("sise").await?;
    let info: Value = context.request(format!("STREAM.INFO.{stream}"), &()).await?;
    let mut config = info.get("config").cloned().context("no config of the stream")?;
    config["allow_batched"] = Value::Bool(true);
    let changed: Value = context.request(format!("STREAM.UPDATE.{stream}"), &config).await?;
    let taken = changed.pointer("/config/allow_batched") == Some(&Value::Bool(true));
    ensure!(taken, "the server does not know fast ingest: {changed}");
    Ok(())
}
