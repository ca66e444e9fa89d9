//! The publisher of a service, with all that it does between an event and its acknowledgement.

use std::time::{Duration, Instant};

use anyhow::ensure;
use bus::{Outgoing, Publisher};

use crate::inputs::{Events, Kind};
use crate::measure::rate;
use crate::servers::nats::Nats;

/// How long the last acknowledgements may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Events a second.
pub(super) async fn publish(server: &Nats, kind: Kind, count: u64) -> anyhow::Result<f64> {
    let mut events = Events::of(kind)?;
    let mut publisher = Publisher::remembering(&server.settings(), "bench", Vec::new())?;
    let (number, event) = events.next()?;
    publisher.publish(Outgoing::event(event), number).await?;
    publisher.drain(deadline()).await?;
    let begin = Instant::now();
    for _ in 1..count {
        let (number, event) = events.next()?;
        publisher.publish(Outgoing::event(event), number).await?;
    }
    publisher.drain(deadline()).await?;
    let rate = rate(count - 1, begin);
    ensure!(publisher.acknowledged() == Some(count), "acknowledged to {:?}", publisher.acknowledged());
    Ok(rate)
}

fn deadline() -> tokio::time::Instant {
    tokio::time::Instant::now() + LIMIT
}
