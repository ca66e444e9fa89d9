//! What all cells see alike: the buckets `health` and `ownership` on the bus.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::bucket::{Bucket, BucketError, HEALTH, OWNERSHIP};
use bus::{Client, Context};
use market::ownership::Ownership;
use market::{Group, Health, Market, Source};
use tokio::time::Instant;
use tracing::{info, warn};

use super::Seen;

/// How often health is told while it stays the same.
const BEAT: Duration = Duration::from_secs(1);

/// The buckets, and what one cell writes there.
pub struct Board {
    context: Context,
    market: Market,
    source: Source,
    buckets: Option<(Bucket, Bucket)>,
    told: Option<(Instant, Health)>,
    /// The trouble that is in the log already.
    trouble: Option<String>,
}

impl Board {
    /// A board that is opened when it is first needed.
    pub fn new(client: Client, market: Market, source: Source) -> Self {
        let context = bus::jetstream(client);
        Self { context, market, source, buckets: None, told: None, trouble: None }
    }

    /// Tells the own health and sees the others'. None when the bus is away, which the log says once.
    pub async fn exchange(&mut self, own: &Health, others: &[Source]) -> Option<Seen> {
        match self.try_exchange(own, others).await {
            Ok(seen) => {
                if self.trouble.take().is_some() {
                    info!("health and owners are seen again");
                }
                Some(seen)
            }
            Err(error) => {
                let text = error.to_string();
                if self.trouble.as_ref() != Some(&text) {
                    warn!(problem = text, "health and owners cannot be seen: nobody changes a group's owner");
                }
                self.trouble = Some(text);
                None
            }
        }
    }

    async fn try_exchange(&mut self, own: &Health, others: &[Source]) -> Result<Seen, BucketError> {
        let (health, ownership) = match &self.buckets {
            Some(buckets) => buckets,
            None => {
                let health = Bucket::open(&self.context, HEALTH).await?;
                let ownership = Bucket::open(&self.context, OWNERSHIP).await?;
                self.buckets.insert((health, ownership))
            }
        };
        let same = |before: &Health| {
            (before.verdict, &before.carries, &before.dead_links)
                == (own.verdict, &own.carries, &own.dead_links)
        };
        let told = self.told.as_ref().is_some_and(|(at, before)| same(before) && at.elapsed() < BEAT);
        if !told {
            health.put(&format!("{}.{}", self.market, self.source), own).await?;
            self.told = Some((Instant::now(), own.clone()));
        }
        let mut seen = Seen::default();
        for source in others {
            if let Some(other) = health.get(&format!("{}.{source}", self.market)).await? {
                seen.health.push((*source, other.value));
            }
        }
        let mut entries = BTreeMap::new();
        // Without another broker no group has an owner to speak of.
        for group in Group::ALL.iter().filter(|_| !others.is_empty()) {
            if let Some(entry) = ownership.get(&format!("{}.{group}", self.market)).await? {
                entries.insert(*group, entry);
            }
        }
        Ok(Seen { entries, ..seen })
    }

    /// Replaces a group's entry. Who comes too late sees what was changed with the next look.
    pub async fn take(&self, group: Group, entry: &Ownership, revision: u64) {
        let Some((_, ownership)) = &self.buckets else { return };
        match ownership.replace(&format!("{}.{group}", self.market), entry, revision).await {
            Ok(_) => metrics::counter!("sise_cell_groups_taken_total").increment(1),
            Err(BucketError::Changed { .. }) => info!(%group, "the group's entry was changed meanwhile"),
            Err(problem) => {
                warn!(%group, %problem, "the group's entry was not changed, or that was not confirmed")
            }
        }
    }
}
