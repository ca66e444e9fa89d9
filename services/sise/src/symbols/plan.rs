//! A universe and the keys → what stands on which key, who carries what, what nobody carries. Places by the same
//! functions as the services, so that the plan is what they will do at their start.

use std::collections::HashSet;

use broker::kis::registration::Registration;
use broker::kiwoom::registration::Item;
use broker::lines::{Subscription, spread};
use market::carriers::Wanted;
use market::universe::{Entry, Group, Kind, Universe};
use market::{Market, Source, Symbol, Tape};

use super::keys::{BrokerKeys, Keys};

/// Which broker can carry which market.
const FEEDS: [(Source, Market); 3] =
    [(Source::Kis, Market::Kr), (Source::Kis, Market::Us), (Source::Kiwoom, Market::Kr)];

/// What a broker counts once: a registration of KIS, an item of Kiwoom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Piece {
    /// In the broker's words.
    pub name: String,
    /// The symbol.
    pub symbol: Symbol,
    /// The tape.
    pub tape: Tape,
    /// What it brings.
    pub kinds: Vec<Kind>,
}

impl Subscription for Piece {
    fn symbol(&self) -> Symbol {
        self.symbol
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

/// One broker in one market.
#[derive(Debug, PartialEq, Eq)]
pub struct Feed {
    /// The broker.
    pub source: Source,
    /// The market.
    pub market: Market,
    /// Pieces one key may hold.
    pub limit: usize,
    /// Pieces wanted.
    pub needed: usize,
    /// Each key's name and the pieces on it.
    pub keys: Vec<(String, usize)>,
    /// What no key has room for, most important first.
    pub uncovered: Vec<Piece>,
}

impl Feed {
    /// Pieces that all its keys may hold.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.limit.saturating_mul(self.keys.len())
    }
}

/// How many instruments (a symbol on a tape) have their trades, or their books, from whom.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// From KIS alone.
    pub kis: usize,
    /// From Kiwoom alone.
    pub kiwoom: usize,
    /// From both at once.
    pub both: usize,
    /// From nobody, although wanted.
    pub nobody: usize,
}

/// One group of one market.
#[derive(Debug, PartialEq, Eq)]
pub struct GroupShare {
    /// The market.
    pub market: Market,
    /// The group.
    pub group: Group,
    /// Symbols in it.
    pub symbols: usize,
    /// Who carries their trades.
    pub trades: Share,
    /// Who carries their books.
    pub books: Share,
}

/// An instrument that no broker that runs may carry.
#[derive(Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The symbol.
    pub symbol: Symbol,
    /// Its market.
    pub market: Market,
    /// The brokers that may carry it; none of them runs.
    pub sources: Vec<Source>,
}

/// What will be carried.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// Symbols of the universe.
    pub symbols: usize,
    /// The brokers that run in each market.
    pub carriers: Vec<(Market, Vec<Source>)>,
    /// Each broker and market that has a key or is wanted.
    pub feeds: Vec<Feed>,
    /// Who carries what.
    pub groups: Vec<GroupShare>,
    /// What nobody may carry.
    pub orphans: Vec<Orphan>,
    /// What a person should know of the keys.
    pub remarks: Vec<String>,
}

/// Something that is carried: by whom, what, of which instrument.
type Carried = HashSet<(Source, Market, Symbol, Tape, Kind)>;

impl Plan {
    /// Places everything.
    #[must_use]
    pub fn new(universe: &Universe, keys: &Keys) -> Self {
        let mut carried = Carried::new();
        let mut feeds = Vec::new();
        for (source, market) in FEEDS {
            let wanted = universe.carried(market, source, &keys.carriers(market));
            let own = keys.brokers.iter().find(|broker| broker.source == source);
            let Some(feed) = own.and_then(|own| place(own, market, &wanted, &mut carried)) else { continue };
            feeds.push(feed);
        }
        let carriers: Vec<_> = Market::ALL.iter().map(|market| (*market, keys.carriers(*market))).collect();
        let orphaned = carriers.iter().flat_map(|(market, carriers)| universe.orphans(*market, carriers));
        let orphan = |entry: &Entry| Orphan {
            symbol: entry.symbol,
            market: entry.market,
            sources: entry.sources.clone(),
        };
        Self {
            symbols: universe.entries.len(),
            feeds,
            groups: groups(universe, &carried),
            orphans: orphaned.map(orphan).collect(),
            carriers,
            remarks: keys.remarks.clone(),
        }
    }

    /// Whether all that is wanted has its place.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        self.orphans.is_empty() && self.feeds.iter().all(|feed| feed.uncovered.is_empty())
    }
}

/// Nothing when the broker has no key for the market and nothing is wanted of it there.
fn place(own: &BrokerKeys, market: Market, wanted: &[Wanted], carried: &mut Carried) -> Option<Feed> {
    let here = own.keys.iter().filter(|key| key.is_for(market));
    let names: Vec<String> = here.map(|key| key.name.clone()).collect();
    if names.is_empty() && wanted.is_empty() {
        return None;
    }
    let pieces: Vec<Piece> = wanted.iter().flat_map(|wanted| pieces(own.source, wanted)).collect();
    let needed = pieces.len();
    let placed = spread(pieces, &names, own.limit, &[]);
    for piece in placed.lines.iter().flatten() {
        let mark = |kind: &Kind| (own.source, market, piece.symbol, piece.tape, *kind);
        carried.extend(piece.kinds.iter().map(mark));
    }
    let keys = names.into_iter().zip(placed.lines.iter().map(Vec::len)).collect();
    Some(Feed { source: own.source, market, limit: own.limit, needed, keys, uncovered: placed.uncovered })
}

fn pieces(source: Source, wanted: &Wanted) -> Vec<Piece> {
    let piece = |name, kinds| Piece { name, symbol: wanted.symbol, tape: wanted.tape, kinds };
    match source {
        Source::Kis => Registration::of(wanted)
            .zip(&wanted.kinds)
            .map(|(registration, kind)| piece(registration.name(), vec![*kind]))
            .collect(),
        Source::Kiwoom => {
            Item::of(wanted).map(|item| piece(item.name(), wanted.kinds.clone())).into_iter().collect()
        }
    }
}

fn groups(universe: &Universe, carried: &Carried) -> Vec<GroupShare> {
    let mut shares = Vec::new();
    for &market in Market::ALL {
        for &group in Group::ALL {
            let here = |entry: &&Entry| entry.market == market && entry.group == group;
            let entries: Vec<&Entry> = universe.entries.iter().filter(here).collect();
            if entries.is_empty() {
                continue;
            }
            let trades = share(&entries, Kind::Ticker, carried);
            let books = share(&entries, Kind::Orderbook, carried);
            shares.push(GroupShare { market, group, symbols: entries.len(), trades, books });
        }
    }
    shares
}

fn share(entries: &[&Entry], kind: Kind, carried: &Carried) -> Share {
    let mut share = Share::default();
    for entry in entries.iter().filter(|entry| entry.kinds.contains(&kind)) {
        for tape in &entry.tapes {
            let by = |source| carried.contains(&(source, entry.market, entry.symbol, *tape, kind));
            let count = match (by(Source::Kis), by(Source::Kiwoom)) {
                (true, true) => &mut share.both,
                (true, false) => &mut share.kis,
                (false, true) => &mut share.kiwoom,
                (false, false) => &mut share.nobody,
            };
            *count += 1;
        }
    }
    share
}
