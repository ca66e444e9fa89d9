//! How a broker's feed is: what its cell says of it, and what everybody else makes of that and of its silence.
//!
//! Health follows the data, not the process: a feed is dead when nothing at all was heard of the broker for its liveness
//! limit while data is expected, or when its cell has fallen silent. A feed that merely has no trades is not dead. Of a
//! living feed each connection is judged alike, and a dead one is named with its symbols.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::instrument::{Source, words};
use crate::symbol::Symbol;
use crate::universe::Group;

words! {
    /// What is to be thought of a feed.
    Verdict {
        /// Data comes.
        Alive = "alive",
        /// No data, and that may be right: a closed market, nothing wanted, a quiet hour, a start.
        Quiet = "quiet",
        /// Nothing was heard of the broker for its liveness limit while data is expected.
        Dead = "dead",
    }
}

/// Serde by the one spelling of a word.
macro_rules! serde_by_word {
    ($($name:ty),+ $(,)?) => {$(
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <::std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                let unknown = || ::serde::de::Error::custom(format!("unknown word {text:?}"));
                Self::from_word(&text).ok_or_else(unknown)
            }
        }
    )+};
}
pub(crate) use serde_by_word;

serde_by_word!(Verdict, Source, Group);

/// The most symbols that a feed names of its dead connections: 20 kB of an entry, and more than all of them carry at
/// any broker that is known.
pub const MOST_DEAD_SYMBOLS: usize = 2_000;

/// A connection of which nothing was heard for the broker's liveness limit while data is expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLink {
    /// The name of its key.
    pub key: String,
    /// What it is to carry, each symbol once; see [`MOST_DEAD_SYMBOLS`].
    #[serde(with = "symbols")]
    pub symbols: Vec<Symbol>,
    /// When its last data frame was read, UTC ns; none since the start of the process.
    pub last_frame_ns: Option<i64>,
}

/// Serde of symbols as their texts.
pub(crate) mod symbols {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::symbol::Symbol;

    pub fn serialize<S: Serializer>(symbols: &[Symbol], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(symbols.iter().map(Symbol::as_str))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Symbol>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| Symbol::parse(text).map_err(D::Error::custom)).collect()
    }
}

/// What a cell says of its feed: the value at `<market>.<source>` in the bucket `health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What is to be thought of the feed.
    pub verdict: Verdict,
    /// Since when the verdict is so, UTC ns.
    pub since_ns: i64,
    /// Why, for people.
    pub why: String,
    /// Whether the calendar expects data now.
    pub data_expected: bool,
    /// Keys, each a connection.
    pub keys: u32,
    /// Connections that are up.
    pub connected: u32,
    /// Of these, how many have an answer to everything they asked for.
    pub settled: u32,
    /// Confirmed registrations over all connections.
    pub registered: u32,
    /// When the last message of any kind was read, UTC ns; none since the start of the process.
    pub last_message_ns: Option<i64>,
    /// When the last data frame was read, UTC ns; none since the start of the process.
    pub last_frame_ns: Option<i64>,
    /// Registrations that each key has room for, by the name of the key.
    pub free: BTreeMap<String, u32>,
    /// The groups that it carries: everything is asked for and answered, and data comes.
    pub carries: Vec<Group>,
    /// Its dead connections; none = not even one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dead_links: Vec<DeadLink>,
    /// The process: its start, UTC ns.
    pub instance: i64,
    /// When this was written, UTC ns.
    pub beat_ns: i64,
}

impl Health {
    /// Registrations that all keys together have room for.
    #[must_use]
    pub fn free_in_all(&self) -> u32 {
        self.free.values().fold(0, |sum, free| sum.saturating_add(*free))
    }
}

/// A feed as somebody sees it who looks at its entry again and again. All times are of the looker's clock: no two
/// machines need to agree on the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The broker.
    pub source: Source,
    /// What its cell said last; none when it never said anything.
    pub health: Option<Health>,
    /// When that changed last, or since when it has been looked for, UTC ns.
    pub heard_ns: i64,
    /// Since when its verdict has been the same, UTC ns.
    pub verdict_ns: i64,
    /// Since when it has carried the same groups, UTC ns.
    pub carries_ns: i64,
    /// Since when each of its dead connections has been dead, by the names of the keys, UTC ns.
    pub dead_links_ns: BTreeMap<String, i64>,
}

impl Feed {
    /// A feed of which nothing is known yet.
    #[must_use]
    pub const fn unheard(source: Source, now_ns: i64) -> Self {
        Self {
            source,
            health: None,
            heard_ns: now_ns,
            verdict_ns: now_ns,
            carries_ns: now_ns,
            dead_links_ns: BTreeMap::new(),
        }
    }

    /// Its entry was looked at and found so.
    pub fn heard(&mut self, health: Health, now_ns: i64) {
        let before = self.health.as_ref();
        let same = before.filter(|before| before.instance == health.instance);
        if same.is_none_or(|before| before.verdict != health.verdict) {
            self.verdict_ns = now_ns;
        }
        if same.is_none_or(|before| before.carries != health.carries) {
            self.carries_ns = now_ns;
        }
        if same.is_none_or(|before| before.beat_ns != health.beat_ns) {
            self.heard_ns = now_ns;
        }
        let known = same.map(|_| &self.dead_links_ns);
        let since = |link: &DeadLink| known.and_then(|known| known.get(&link.key)).copied().unwrap_or(now_ns);
        self.dead_links_ns = health.dead_links.iter().map(|link| (link.key.clone(), since(link))).collect();
        self.health = Some(health);
    }

    /// The entries could not be looked at for a while: a cell's silence is counted from now.
    pub const fn could_not_look(&mut self, now_ns: i64) {
        self.heard_ns = now_ns;
    }

    /// Since when the feed is dead, UTC ns, and why; none when it is not. A cell that has said nothing new for `stale_ns`
    /// is taken for dead.
    #[must_use]
    pub fn dead(&self, stale_ns: i64, now_ns: i64) -> Option<(i64, String)> {
        let stale_at = self.heard_ns.saturating_add(stale_ns);
        match &self.health {
            Some(health) if health.verdict == Verdict::Dead => Some((self.verdict_ns, health.why.clone())),
            Some(_) if now_ns >= stale_at => Some((stale_at, "its service has fallen silent".to_owned())),
            None if now_ns >= stale_at => Some((stale_at, "its service does not run".to_owned())),
            _ => None,
        }
    }

    /// Whether it carries a group at this moment.
    #[must_use]
    pub fn carries(&self, group: Group, stale_ns: i64, now_ns: i64) -> bool {
        let says_so = self.health.as_ref().is_some_and(|health| health.carries.contains(&group));
        says_so && self.dead(stale_ns, now_ns).is_none()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn health(verdict: Verdict, beat_ns: i64) -> Health {
        Health {
            verdict,
            since_ns: 0,
            why: "because".to_owned(),
            data_expected: true,
            keys: 2,
            connected: 2,
            settled: 2,
            registered: 40,
            last_message_ns: Some(7),
            last_frame_ns: Some(5),
            free: BTreeMap::from([("main".to_owned(), 1), ("spare".to_owned(), 41)]),
            carries: vec![Group::A],
            dead_links: Vec::new(),
            instance: 1,
            beat_ns,
        }
    }

    #[test]
    fn silence_of_the_service_is_death_by_the_lookers_clock() {
        let mut feed = Feed::unheard(Source::Kis, 100);
        assert_eq!(feed.dead(50, 149), None);
        assert_eq!(feed.dead(50, 150), Some((150, "its service does not run".to_owned())));
        feed.heard(health(Verdict::Alive, 1), 160);
        // The same entry again is no sign of life.
        feed.heard(health(Verdict::Alive, 1), 200);
        assert_eq!(feed.dead(50, 209), None);
        assert!(feed.carries(Group::A, 50, 209) && !feed.carries(Group::B, 50, 209));
        assert_eq!(feed.dead(50, 215), Some((210, "its service has fallen silent".to_owned())));
        assert!(!feed.carries(Group::A, 50, 215));
        feed.could_not_look(215);
        assert_eq!(feed.dead(50, 264), None);
    }

    #[test]
    fn a_verdict_is_as_old_as_it_has_been_seen_without_a_break() {
        let mut feed = Feed::unheard(Source::Kis, 0);
        feed.heard(health(Verdict::Dead, 1), 10);
        feed.heard(health(Verdict::Dead, 2), 20);
        assert_eq!(feed.dead(50, 20), Some((10, "because".to_owned())));
        feed.heard(health(Verdict::Alive, 3), 30);
        feed.heard(health(Verdict::Alive, 4), 40);
        assert_eq!((feed.dead(50, 40), feed.verdict_ns), (None, 30));
        // Another process: what the one before it said counts no longer.
        feed.heard(Health { instance: 2, ..health(Verdict::Alive, 5) }, 50);
        assert_eq!((feed.verdict_ns, feed.carries_ns), (50, 50));
    }

    #[test]
    fn each_dead_connection_is_as_old_as_it_has_been_named_without_a_break() {
        let link = |key: &str| DeadLink { key: key.to_owned(), symbols: Vec::new(), last_frame_ns: None };
        let with = |keys: &[&str], beat_ns| Health {
            dead_links: keys.iter().map(|key| link(key)).collect(),
            ..health(Verdict::Alive, beat_ns)
        };
        let mut feed = Feed::unheard(Source::Kis, 0);
        feed.heard(with(&["main"], 1), 10);
        feed.heard(with(&["main", "spare"], 2), 20);
        let since = |feed: &Feed| feed.dead_links_ns.clone().into_values().collect::<Vec<_>>();
        assert_eq!(since(&feed), [10, 20]);
        feed.heard(with(&["spare"], 3), 30);
        feed.heard(with(&["main", "spare"], 4), 40);
        assert_eq!(since(&feed), [40, 20]);
        feed.heard(Health { instance: 2, ..with(&["spare"], 5) }, 50);
        assert_eq!(since(&feed), [50]);
    }

    #[test]
    fn an_entry_of_an_older_version_has_no_dead_connections() {
        let symbols = ["005930", "BRK/B"].map(|text| Symbol::parse(text).expect("symbol"));
        let link = DeadLink { key: "main".to_owned(), symbols: symbols.to_vec(), last_frame_ns: Some(7) };
        let now = Health { dead_links: vec![link], ..health(Verdict::Alive, 1) };
        let mut json = serde_json::to_value(&now).expect("json");
        assert_eq!(json["dead_links"][0]["symbols"], serde_json::json!(["005930", "BRK/B"]));
        assert_eq!(serde_json::from_value::<Health>(json.clone()).expect("read"), now);
        json.as_object_mut().expect("object").remove("dead_links");
        assert_eq!(serde_json::from_value::<Health>(json).expect("read"), health(Verdict::Alive, 1));
    }

    #[test]
    fn merely_quiet_is_not_dead() {
        let mut feed = Feed::unheard(Source::Kis, 0);
        feed.heard(health(Verdict::Quiet, 1), 10);
        assert_eq!(feed.dead(50, 20), None);
        assert_eq!(feed.health.map(|health| health.free_in_all()), Some(42));
    }
}
