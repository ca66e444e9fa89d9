//! The one who knows everything: events in, batches for every client out. A single task owns it; clients and HTTP ask it
//! through commands, and nothing that it does waits for any of them.

pub mod feeds;
pub mod instruments;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use market::universe::Universe;
use market::{Body, Event, Market, Symbol, Tape};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use self::feeds::{Feeds, Look};
use self::instruments::{Instruments, MergeSettings};
use crate::batch::{Batch, Joiner};
use crate::client::{Client, Piece};
use crate::clock::Clock;
use crate::view::{Selection, Symbols, View};
use crate::wire;

/// Symbols of a subscription that are named as unknown.
const MOST_UNKNOWN: usize = 100;

/// What others ask of the hub.
pub enum Command {
    /// A client subscribes.
    Join(Join),
    /// A client has ended a subscription.
    Leave {
        /// The client.
        client: u64,
        /// Its subscription.
        subscription: u32,
    },
    /// A client is gone.
    Gone {
        /// The client.
        client: u64,
    },
    /// The symbols file says this now.
    Universe(Universe),
    /// A snapshot, for HTTP.
    Snapshot(Selection, oneshot::Sender<Vec<Piece>>),
    /// All symbols, for HTTP.
    Symbols(oneshot::Sender<Value>),
    /// How the feeds are, for HTTP.
    Health(oneshot::Sender<Value>),
}

/// A subscription that begins.
pub struct Join {
    /// Whose.
    pub client: Arc<Client>,
    /// Its number.
    pub subscription: u32,
    /// The client's own name for it.
    pub id: Option<String>,
    /// What it wants.
    pub selection: Selection,
}

struct Subscriber {
    client: Arc<Client>,
    subscription: u32,
}

/// The state of the gateway.
pub struct Hub {
    instruments: Instruments,
    feeds: Feeds,
    universe: Universe,
    followed: HashSet<(Market, Symbol)>,
    batch: Batch,
    selections: HashMap<Selection, Vec<Subscriber>>,
    /// Whether anybody wants a view.
    wanted: [bool; 3],
    joining: Vec<Join>,
    /// The last messages of the streams are known: before that nobody gets a snapshot.
    seeded: bool,
    start: Instant,
    /// The clock of a day that is played: merging waits by it.
    clock: Clock,
}

impl Hub {
    /// A hub that knows nothing yet.
    pub fn new(merge: MergeSettings, stale_ns: i64, now_ns: i64) -> Self {
        Self {
            instruments: Instruments::new(merge),
            feeds: Feeds::new(stale_ns, now_ns),
            universe: Universe::default(),
            followed: HashSet::new(),
            batch: Batch::default(),
            selections: HashMap::new(),
            wanted: [false; 3],
            joining: Vec::new(),
            seeded: false,
            start: Instant::now(),
            clock: Clock::Machine,
        }
    }

    /// A hub that goes by the clock of a day that is played.
    pub fn playing(merge: MergeSettings, stale_ns: i64, clock: Clock) -> Self {
        let now_ns = clock.now_ns();
        Self { clock, ..Self::new(merge, stale_ns, now_ns) }
    }

    /// Milliseconds of a clock that only rises.
    fn now_ms(&self) -> u64 {
        if self.clock.is_played() {
            return u64::try_from(self.clock.now_ns() / 1_000_000).unwrap_or(0);
        }
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether anybody has subscribed.
    pub fn has_subscribers(&self) -> bool {
        !self.selections.is_empty()
    }

    /// Whether prints wait for a predecessor, or anything waits for the next batch.
    pub fn has_waiting(&self) -> bool {
        self.instruments.has_waiting() || !self.batch.is_empty() || !self.joining.is_empty()
    }

    /// Whether a client has more than `most` bytes before it; at 0 whether anybody has not read everything.
    pub fn waits(&self, most: usize) -> bool {
        self.selections.values().flatten().any(|one| one.client.waits(most))
    }

    /// Takes an event from the bus, live or the last of its subject.
    pub fn event(&mut self, event: Event, is_live: bool, now_ns: i64) {
        if is_live {
            self.feeds.count(&event, now_ns);
        }
        let stamp = event.stamp;
        let alive = self.feeds.alive(stamp.market);
        match event.body {
            Body::Trade(trade) => {
                let now_ms = self.now_ms();
                self.instruments.trade((stamp, trade), alive, now_ms, self.wanted, &mut self.batch);
            }
            Body::OrderBook(book) => {
                self.instruments.order_book((stamp, book), alive, self.wanted, &mut self.batch);
            }
            Body::Status(status) => {
                let item = wire::status(&stamp, &status);
                self.batch.status(stamp.market, stamp.source, status.instrument(), &item);
            }
        }
    }

    /// The last messages of all streams are taken in.
    pub const fn seeded(&mut self) {
        self.seeded = true;
    }

    /// Takes what a look at the health of the feeds found.
    pub fn looked(&mut self, look: Look, now_ns: i64) {
        for (market, source, item) in self.feeds.looked(look, now_ns) {
            tracing::info!(%market, %source, state = item["state"].as_str(), why = item["why"].as_str(), "feed changed");
            self.batch.status(market, source, None, &item);
        }
    }

    /// Does what is asked.
    pub fn command(&mut self, command: Command, now_ns: i64) {
        match command {
            Command::Join(join) => self.joining.push(join),
            Command::Leave { client, subscription } => {
                self.leave(|one| one.client.id == client && one.subscription == subscription);
                self.joining.retain(|join| join.client.id != client || join.subscription != subscription);
            }
            Command::Gone { client } => {
                self.leave(|one| one.client.id == client);
                self.joining.retain(|join| join.client.id != client);
            }
            Command::Universe(universe) => {
                self.followed = universe.entries.iter().map(|entry| (entry.market, entry.symbol)).collect();
                self.universe = universe;
            }
            // Who has asked may be gone.
            Command::Snapshot(selection, answer) => {
                let _gone = answer.send(self.snapshot(&selection, now_ns));
            }
            Command::Symbols(answer) => {
                let _gone = answer.send(self.symbols());
            }
            Command::Health(answer) => {
                let _gone = answer.send(self.health(now_ns));
            }
        }
    }

    fn leave(&mut self, is_it: impl Fn(&Subscriber) -> bool) {
        for subscribers in self.selections.values_mut() {
            subscribers.retain(|one| !is_it(one));
        }
        self.selections.retain(|_, subscribers| !subscribers.is_empty());
        self.count_wanted();
    }

    fn count_wanted(&mut self) {
        self.wanted = View::ALL.map(|view| self.selections.keys().any(|selection| selection.view == view));
    }

    /// Sends what has changed to everybody who wants it; then new snapshots to those who need one. Called every batch.
    pub fn tick(&mut self, now_ns: i64) {
        let (now_ms, feeds) = (self.now_ms(), &self.feeds);
        self.instruments.due(|market| feeds.alive(market), now_ms, self.wanted, &mut self.batch);
        let now = Instant::now();
        let mut skipped = 0;
        if !self.batch.is_empty() {
            let encoded = self.batch.encode();
            for (selection, subscribers) in &self.selections {
                for piece in encoded.pieces(selection) {
                    for one in subscribers {
                        skipped += one.client.update(one.subscription, &piece, now);
                    }
                }
            }
        }
        if skipped > 0 {
            metrics::counter!("sise_gateway_items_skipped_total").increment(skipped);
        }
        for (selection, subscribers) in &self.selections {
            let mut made: Option<Vec<Piece>> = None;
            for one in subscribers.iter().filter(|one| one.client.wants_snapshot(one.subscription)) {
                let pieces = made.get_or_insert_with(|| self.snapshot(selection, now_ns));
                one.client.snapshot(one.subscription, pieces);
            }
        }
        if self.seeded && !self.joining.is_empty() {
            self.join(now_ns);
        }
    }

    /// Answers those who have subscribed, each with a snapshot that those with the same selection share.
    fn join(&mut self, now_ns: i64) {
        let mut made: HashMap<Selection, Vec<Piece>> = HashMap::new();
        for join in std::mem::take(&mut self.joining) {
            let Join { client, subscription, id, selection } = join;
            client.answer(self.subscribed(subscription, id.as_deref(), &selection));
            let pieces = made.entry(selection.clone()).or_insert_with(|| self.snapshot(&selection, now_ns));
            client.snapshot(subscription, pieces);
            self.selections.entry(selection).or_default().push(Subscriber { client, subscription });
        }
        self.count_wanted();
    }

    fn subscribed(&self, subscription: u32, id: Option<&str>, selection: &Selection) -> String {
        let (symbols, unknown) = match &selection.symbols {
            Symbols::All => (vec!["*".to_owned()], Vec::new()),
            Symbols::These(these) => {
                let is_known = |symbol: Symbol| {
                    self.followed.contains(&(selection.market, symbol))
                        || selection.tapes().any(|tape| self.instruments.has((tape, symbol)))
                };
                let unknown = these.iter().filter(|symbol| !is_known(**symbol)).take(MOST_UNKNOWN);
                let unknown = unknown.map(ToString::to_string).collect();
                (these.iter().map(ToString::to_string).collect(), unknown)
            }
        };
        json!({
            "type": "subscribed", "id": id, "subscription": subscription, "market": selection.market.as_str(),
            "source": selection.view.as_str(), "tape": selection.tape.map(Tape::as_str), "kinds": selection.kinds.words(),
            "symbols": symbols, "unknown": unknown,
        })
        .to_string()
    }

    fn snapshot(&self, selection: &Selection, now_ns: i64) -> Vec<Piece> {
        let mut joiner = Joiner::default();
        if selection.kinds.status {
            let items = self.feeds.items(selection.market, now_ns);
            for (_, item) in items.filter(|(source, _)| selection.view.shows(*source)) {
                let mut text = Vec::new();
                wire::value(&mut text, &item);
                joiner.add(&Piece { items: text.into(), count: 1 });
            }
        }
        self.instruments.snapshot(selection, &mut joiner);
        joiner.done()
    }

    fn symbols(&self) -> Value {
        let mut seen: HashMap<(Market, Symbol), Vec<&'static str>> = HashMap::new();
        for (tape, symbol) in self.instruments.seen() {
            seen.entry((tape.market(), symbol)).or_default().push(tape.as_str());
        }
        let mut symbols: Vec<Value> = Vec::new();
        for entry in &self.universe.entries {
            let mut on = seen.remove(&(entry.market, entry.symbol)).unwrap_or_default();
            on.sort_unstable();
            symbols.push(json!({
                "symbol": entry.symbol.as_str(), "name": entry.name, "market": entry.market.as_str(),
                "tapes": entry.tapes.iter().map(|tape| tape.as_str()).collect::<Vec<_>>(),
                "kinds": entry.kinds.iter().map(|kind| kind_word(*kind)).collect::<Vec<_>>(),
                "sources": entry.sources.iter().map(|source| source.as_str()).collect::<Vec<_>>(),
                "group": entry.group.as_str(), "core": entry.core, "followed": true, "seen": on,
            }));
        }
        let mut beside: Vec<_> = seen.into_iter().collect();
        beside.sort_unstable();
        symbols.extend(beside.into_iter().map(|((market, symbol), mut on)| {
            on.sort_unstable();
            json!({"symbol": symbol.as_str(), "market": market.as_str(), "followed": false, "seen": on})
        }));
        json!({ "symbols": symbols })
    }

    fn health(&self, now_ns: i64) -> Value {
        let clients: HashSet<u64> =
            self.selections.values().flatten().map(|subscriber| subscriber.client.id).collect();
        let subscriptions: usize = self.selections.values().map(Vec::len).sum();
        json!({
            "now_ns": now_ns.to_string(), "feeds": self.feeds.health(now_ns), "instruments": self.instruments.seen().count(),
            "subscribed_clients": clients.len(), "subscriptions": subscriptions, "seeded": self.seeded,
        })
    }
}

/// The word of the stream for what is wanted of an instrument.
const fn kind_word(kind: market::universe::Kind) -> &'static str {
    match kind {
        market::universe::Kind::Ticker => "trade",
        market::universe::Kind::Orderbook => "order_book",
    }
}
