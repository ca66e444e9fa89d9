//! Bytes of an event where it is kept.

use std::path::Path;

use anyhow::{Context as _, ensure};

use super::stack::Sent;
use super::{BENCH, float};
use crate::measure::Measure;
use crate::servers::house::House;

/// Streams of events, and the name of their figures.
const STREAMS: [(&str, &str); 6] = [
    ("TICKER_KR_KIS", "kis_trade"),
    ("ORDERBOOK_KR_KIS", "kis_book"),
    ("TICKER_US_KIS", "us_trade"),
    ("ORDERBOOK_US_KIS", "us_book"),
    ("TICKER_KR_KIWOOM", "kiwoom_trade"),
    ("ORDERBOOK_KR_KIWOOM", "kiwoom_book"),
];

/// JetStream, journal, ClickHouse.
///
/// # Errors
/// When a server does not answer, or a stream holds something else than was sent.
pub async fn measures(house: &House, sent: Sent) -> anyhow::Result<Vec<Measure>> {
    let mut measures = Vec::new();
    let context = house.nats.context("sise").await?;
    let mut messages = 0;
    for (stream, name) in STREAMS {
        let mut stream = context.get_stream(stream).await.with_context(|| stream.to_owned())?;
        let state = &stream.info().await.context("state of a stream")?.state;
        messages += state.messages;
        if state.messages > 0 {
            let bytes = float(state.bytes) / float(state.messages);
            measures.push(Measure::alone(BENCH, format!("jetstream_{name}"), bytes, "B/event"));
        }
    }
    ensure!(messages == sent.all(), "{messages} messages in the streams, {} sent", sent.all());
    for (service, events) in
        [("kis-service", sent.kis), ("us-service", sent.us), ("kiwoom-service", sent.kiwoom)]
    {
        let bytes = size(&house.sise.folder.join("journal").join(service))?;
        let name = format!("journal_{service}");
        measures.push(Measure::alone(BENCH, name, float(bytes) / float(events), "B/event"));
    }
    for table in ["trades", "order_books"] {
        let of = |what: &str| {
            format!(
                "SELECT {what} FROM system.parts WHERE active AND database = currentDatabase() AND table = '{table}'"
            )
        };
        let bytes = house.clickhouse.number(&of("sum(bytes_on_disk)")).await?;
        let rows = house.clickhouse.number(&of("sum(rows)")).await?;
        ensure!(rows > 0, "no rows in {table}");
        measures.push(Measure::alone(
            BENCH,
            format!("clickhouse_{table}"),
            float(bytes) / float(rows),
            "B/row",
        ));
    }
    Ok(measures)
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        bytes += if kind.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
