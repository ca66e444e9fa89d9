//! What is known of each broker's feed: what its cell says, what it told, how fast it comes.

use std::collections::{BTreeSet, HashSet, VecDeque};

use market::health::Feed;
use market::time::SECOND;
use market::{Event, Health, Market, Source, Status, Symbol, Verdict};
use serde_json::{Value, json};

use crate::merge::Alive;

/// Delays that are remembered of a feed: the last second or so of a busy one.
const MOST_DELAYS: usize = 4_096;
/// Seconds over which speed and delay are told.
const SECONDS: i64 = 5;
/// Open gaps that are counted of a feed; beyond it the number stays.
const MOST_GAPS: usize = 20_000;

/// The feeds that there can be.
pub const FEEDS: [(Market, Source); 3] =
    [(Market::Kr, Source::Kis), (Market::Kr, Source::Kiwoom), (Market::Us, Source::Kis)];

/// What a look at the health of all feeds found; none = they could not be looked at.
pub type Look = Option<Vec<(Market, Source, Option<Health>)>>;

/// What is to be thought of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Data comes.
    Alive,
    /// No data, and that may be right.
    Quiet,
    /// Nothing is heard of the broker while data is expected.
    Dead,
    /// Its service says nothing, or the bus does not answer.
    Unknown,
}

impl State {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Quiet => "quiet",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Debug)]
struct One {
    market: Market,
    feed: Feed,
    told: (State, BTreeSet<Symbol>),
    since_ns: i64,
    /// Events of the last seconds: (second, how many).
    events: VecDeque<(i64, u64)>,
    /// (second, socket to here, exchange to socket), ns.
    delays: VecDeque<(i64, i64, i64)>,
    refused: u64,
    gaps: HashSet<String>,
}

/// All feeds.
#[derive(Debug)]
pub struct Feeds {
    feeds: Vec<One>,
    stale_ns: i64,
    /// When the health could be looked at last, UTC ns.
    looked_ns: i64,
}

impl One {
    fn state(&self, stale_ns: i64, looked_ns: i64, now_ns: i64) -> (State, String) {
        if now_ns.saturating_sub(looked_ns) > stale_ns {
            return (State::Unknown, "the bus does not answer".to_owned());
        }
        let Some(health) = &self.feed.health else {
            return (State::Unknown, "its service does not run".to_owned());
        };
        match (self.feed.dead(stale_ns, now_ns), health.verdict) {
            (_, Verdict::Dead) => (State::Dead, health.why.clone()),
            (Some((_, why)), _) => (State::Unknown, why),
            (None, Verdict::Alive) => (State::Alive, health.why.clone()),
            (None, Verdict::Quiet) => (State::Quiet, health.why.clone()),
        }
    }

    fn dead_symbols(&self) -> BTreeSet<Symbol> {
        let links = self.feed.health.iter().flat_map(|health| &health.dead_links);
        links.flat_map(|link| link.symbols.iter().copied()).collect()
    }

    fn item(&self, why: &str) -> Value {
        let (state, dead) = &self.told;
        json!({
            "kind": "feed", "market": self.market.as_str(), "source": self.feed.source.as_str(), "state": state.as_str(),
            "since_ns": self.since_ns.to_string(), "why": why,
            "dead_symbols": dead.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }

    fn count(&mut self, event: &Event, now_ns: i64) {
        let second = now_ns / SECOND;
        match self.events.back_mut() {
            Some((last, count)) if *last == second => *count += 1,
            _ => self.events.push_back((second, 1)),
        }
        while self.events.front().is_some_and(|(first, _)| second - first > SECONDS) {
            self.events.pop_front();
        }
        let exchange_ns = match &event.body {
            market::Body::Trade(trade) => trade.at.exchange_ns,
            market::Body::OrderBook(book) => book.at.exchange_ns,
            market::Body::Status(status) => return self.told(status),
        };
        let received_ns = event.stamp.received_ns;
        self.delays.push_back((second, now_ns - received_ns, received_ns - exchange_ns));
        if self.delays.len() > MOST_DELAYS {
            self.delays.pop_front();
        }
    }

    fn told(&mut self, status: &Status) {
        match status {
            Status::Refused { .. } => self.refused += 1,
            Status::GapOpened(gap) if self.gaps.len() < MOST_GAPS => {
                self.gaps.insert(name(gap));
            }
            Status::GapClosed(gap)
                if gap.volume.is_none_or(|volume| volume.residue.is_none_or(market::Quantity::is_zero)) =>
            {
                self.gaps.remove(&name(gap));
            }
            _ => {}
        }
    }

    /// Speed (events a second, in tenths) and delays in ms: median and 99 of 100 to here, median from the exchange.
    fn measured(&self, now_ns: i64) -> (u64, Option<[i64; 3]>) {
        let second = now_ns / SECOND;
        // The present second is not over.
        let whole = self.events.iter().filter(|(of, _)| *of < second && second - of <= SECONDS);
        let events: u64 = whole.map(|(_, count)| count).sum();
        let recent = || self.delays.iter().filter(|(of, ..)| second - of <= SECONDS);
        let mut here: Vec<i64> = recent().map(|(_, here, _)| *here).collect();
        let mut exchange: Vec<i64> = recent().map(|(.., exchange)| *exchange).collect();
        here.sort_unstable();
        exchange.sort_unstable();
        let at = |values: &[i64], percent: usize| {
            let place = (values.len().saturating_sub(1)) * percent / 100;
            values.get(place).map(|ns| ns / 1_000_000)
        };
        let delays = at(&here, 50).zip(at(&here, 99)).zip(at(&exchange, 50));
        (events / SECONDS.unsigned_abs(), delays.map(|((half, p99), exchange)| [half, p99, exchange]))
    }

    fn health(&self, why: &str, now_ns: i64) -> Value {
        let Value::Object(mut map) = self.item(why) else { return Value::Null };
        map.remove("kind");
        let mut put = |name: &str, value: Value| {
            map.insert(name.to_owned(), value);
        };
        let text = |ns: Option<i64>| json!(ns.map(|ns| ns.to_string()));
        if let Some(health) = &self.feed.health {
            put("data_expected", json!(health.data_expected));
            put("keys", json!(health.keys));
            put("connected", json!(health.connected));
            put("settled", json!(health.settled));
            put("registered", json!(health.registered));
            put("last_message_ns", text(health.last_message_ns));
            put("last_frame_ns", text(health.last_frame_ns));
            put("carries", json!(health.carries.iter().map(|group| group.as_str()).collect::<Vec<_>>()));
        }
        let (speed, delays) = self.measured(now_ns);
        put("events_per_second", json!(speed));
        put("delay_ms", json!(delays.map(|[half, ..]| half)));
        put("delay_p99_ms", json!(delays.map(|[_, p99, _]| p99)));
        put("exchange_delay_ms", json!(delays.map(|[.., exchange]| exchange)));
        put("refused", json!(self.refused));
        put("gaps_open", json!(self.gaps.len()));
        Value::Object(map)
    }
}

/// What a gap's opening and closing have in common.
fn name(gap: &market::Gap) -> String {
    match gap.volume {
        Some(volume) => {
            let (day, after, until) = (volume.trade_date, volume.after, volume.until);
            format!("{:?} {day} {after} {until}", gap.instrument)
        }
        None => format!("{} {:?} {:?} {}", gap.reason, gap.connection, gap.instrument, gap.from_ns),
    }
}

impl Feeds {
    /// Feeds of which nothing is known yet; one that says nothing for `stale_ns` is not known any more.
    pub fn new(stale_ns: i64, now_ns: i64) -> Self {
        let one = |(market, source)| One {
            market,
            feed: Feed::unheard(source, now_ns),
            told: (State::Unknown, BTreeSet::new()),
            since_ns: now_ns,
            events: VecDeque::new(),
            delays: VecDeque::new(),
            refused: 0,
            gaps: HashSet::new(),
        };
        Self { feeds: FEEDS.into_iter().map(one).collect(), stale_ns, looked_ns: now_ns }
    }

    fn of(&mut self, market: Market, source: Source) -> Option<&mut One> {
        self.feeds.iter_mut().find(|one| one.market == market && one.feed.source == source)
    }

    /// Counts an event that has come.
    pub fn count(&mut self, event: &Event, now_ns: i64) {
        if let Some(one) = self.of(event.stamp.market, event.stamp.source) {
            one.count(event, now_ns);
        }
    }

    /// Takes what a look at the health found. Returns the items of the feeds whose state has changed.
    pub fn looked(&mut self, look: Look, now_ns: i64) -> Vec<(Market, Source, Value)> {
        if let Some(found) = look {
            self.looked_ns = now_ns;
            for (market, source, health) in found {
                if let (Some(one), Some(health)) = (self.of(market, source), health) {
                    one.feed.heard(health, now_ns);
                }
            }
        } else {
            self.feeds.iter_mut().for_each(|one| one.feed.could_not_look(now_ns));
        }
        let (stale_ns, looked_ns) = (self.stale_ns, self.looked_ns);
        let mut changed = Vec::new();
        for one in &mut self.feeds {
            let (state, why) = one.state(stale_ns, looked_ns, now_ns);
            let told = (state, one.dead_symbols());
            if told != one.told {
                if one.told.0 != state {
                    one.since_ns = now_ns;
                }
                one.told = told;
                changed.push((one.market, one.feed.source, one.item(&why)));
            }
        }
        changed
    }

    /// The items of all feeds of a market that a look has told of.
    pub fn items(&self, market: Market, now_ns: i64) -> impl Iterator<Item = (Source, Value)> {
        self.feeds.iter().filter(move |one| one.market == market).map(move |one| {
            let (_, why) = one.state(self.stale_ns, self.looked_ns, now_ns);
            (one.feed.source, one.item(&why))
        })
    }

    /// Whose prints may be waited for: a feed of which nothing was ever heard counts as alive.
    pub fn alive(&self, market: Market) -> Alive {
        let of_market = self.feeds.iter().filter(|one| one.market == market);
        of_market.fold(Alive::ALL, |alive, one| {
            let state = one.told.0;
            let silent = state == State::Unknown && one.feed.health.is_some();
            alive.with(one.feed.source, state != State::Dead && !silent)
        })
    }

    /// Everything, for `/v1/health`.
    pub fn health(&self, now_ns: i64) -> Vec<Value> {
        let one = |one: &One| {
            let (_, why) = one.state(self.stale_ns, self.looked_ns, now_ns);
            one.health(&why, now_ns)
        };
        self.feeds.iter().map(one).collect()
    }
}
