//! The buckets of a market, looked at: how its feeds are and who owns its groups.

use bus::bucket::{Bucket, BucketError, HEALTH, OWNERSHIP};
use bus::{Context, Versioned};
use market::ownership::Rules;
use market::{Group, Health, Market, Ownership, Source, Verdict};
use process::clock::now_ns;

use crate::words::duration;

/// All that is known of a market's groups.
pub struct State {
    /// The market.
    pub market: Market,
    /// When it was looked at, UTC ns.
    pub now_ns: i64,
    /// What each broker's cell says; none = nothing.
    pub feeds: Vec<(Source, Option<Health>)>,
    /// The entry of each group; none = it was never changed.
    pub groups: Vec<(Group, Option<Versioned<Ownership>>)>,
}

/// The buckets of a market.
pub struct Board {
    market: Market,
    health: Bucket,
    ownership: Bucket,
}

impl Board {
    /// Opens both buckets.
    ///
    /// # Errors
    /// [`BucketError`] when the server is away or lacks them.
    pub async fn open(context: &Context, market: Market) -> Result<Self, BucketError> {
        let health = Bucket::open(context, HEALTH).await?;
        let ownership = Bucket::open(context, OWNERSHIP).await?;
        Ok(Self { market, health, ownership })
    }

    /// Looks at everything.
    ///
    /// # Errors
    /// [`BucketError`] when the server is away, or an entry is not what this version knows.
    pub async fn look(&self) -> Result<State, BucketError> {
        let market = self.market;
        let mut state = State { market, now_ns: 0, feeds: Vec::new(), groups: Vec::new() };
        for source in Source::ALL.iter().copied().filter(|source| source.serves(market)) {
            let health = self.health.get(&format!("{market}.{source}")).await?;
            state.feeds.push((source, health.map(|versioned| versioned.value)));
        }
        for group in Group::ALL.iter().copied() {
            state.groups.push((group, self.ownership.get(&format!("{market}.{group}")).await?));
        }
        state.now_ns = now_ns();
        Ok(state)
    }

    /// Replaces revision `revision` of a group's entry.
    ///
    /// # Errors
    /// [`BucketError`], also when somebody else has changed it.
    pub async fn replace(&self, group: Group, entry: &Ownership, revision: u64) -> Result<(), BucketError> {
        self.ownership.replace(&format!("{}.{group}", self.market), entry, revision).await.map(drop)
    }
}

impl State {
    /// What a broker's cell says.
    pub fn health(&self, source: Source) -> Option<&Health> {
        self.feeds.iter().find(|(one, _)| *one == source)?.1.as_ref()
    }

    /// How long a feed's cell has said nothing, in ns.
    pub fn silent_ns(&self, health: &Health) -> i64 {
        self.now_ns.saturating_sub(health.beat_ns)
    }

    /// Why a feed is not to be relied on; none when it is.
    pub fn trouble(&self, source: Source) -> Option<String> {
        let Some(health) = self.health(source) else {
            return Some(format!("no service of {source} runs for market {}", self.market));
        };
        let silent_ns = self.silent_ns(health);
        if silent_ns > Rules::default().stale_ns {
            return Some(format!("{source}'s service has said nothing for {}", duration(silent_ns)));
        }
        (health.verdict == Verdict::Dead).then(|| format!("{source} is dead: {}", health.why))
    }

    /// The entry of a group.
    pub fn entry(&self, group: Group) -> Option<&Versioned<Ownership>> {
        self.groups.iter().find(|(one, _)| *one == group)?.1.as_ref()
    }

    /// Its revision; 0 = it has none.
    pub fn revision(&self, group: Group) -> u64 {
        self.entry(group).map_or(0, |entry| entry.revision)
    }

    /// Who owns a group.
    pub fn owner(&self, group: Group) -> Source {
        self.entry(group).map_or(group.home(), |entry| entry.value.owner)
    }
}
