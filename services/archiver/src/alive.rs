//! Messages that are worked on for longer than the server waits for their acknowledgement.

use std::time::Duration;

use bus::Delivery;
use tokio::time::{Instant, MissedTickBehavior};

/// Does `work`; meanwhile, each `every`, tells the server that the messages are at work.
pub async fn while_at_work<T>(work: impl Future<Output = T>, every: Duration, deliveries: &[Delivery]) -> T {
    let mut work = std::pin::pin!(work);
    let mut alive = tokio::time::interval_at(Instant::now() + every, every);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = alive.tick() => keep_alive(deliveries).await,
        }
    }
}

/// Tells the server that the messages are at work, so that they are not delivered again.
pub async fn keep_alive(deliveries: &[Delivery]) {
    for delivery in deliveries {
        if delivery.in_progress().await.is_err() {
            break;
        }
    }
}
