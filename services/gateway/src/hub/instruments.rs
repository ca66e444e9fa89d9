//! Events of all instruments → the three views of each, and what is to be told of them.

use std::collections::{HashMap, HashSet};

use market::{OrderBook, Stamp, Trade};

use crate::batch::{Batch, Joiner};
use crate::client::Piece;
use crate::merge::Alive;
use crate::merge::books::{Book, Books};
use crate::merge::trades::{Print, Told, Trades};
use crate::view::{Instrument, Selection, Symbols, View};
use crate::wire;

/// More than both markets list, on each of their tapes; what is beyond is not shown.
const MOST_INSTRUMENTS: usize = 60_000;

/// What is known of one instrument, in each view.
#[derive(Debug, Default)]
struct Known {
    trades: [Trades; 3],
    books: [Books; 3],
}

/// How the views are merged.
#[derive(Debug, Clone, Copy)]
pub struct MergeSettings {
    /// How long a print waits for its predecessor, ms.
    pub wait_ms: u64,
    /// So far behind the other a broker's book is left, ns.
    pub book_behind_ns: i64,
}

/// All instruments.
#[derive(Debug)]
pub struct Instruments {
    settings: MergeSettings,
    known: HashMap<Instrument, Box<Known>>,
    /// Where prints wait.
    waiting: HashSet<(View, Instrument)>,
    /// Reused for what is told of one event.
    told: Vec<Told>,
}

impl Instruments {
    /// None yet.
    pub fn new(settings: MergeSettings) -> Self {
        Self { settings, known: HashMap::new(), waiting: HashSet::new(), told: Vec::new() }
    }

    /// The instruments that were seen.
    pub fn seen(&self) -> impl Iterator<Item = Instrument> {
        self.known.keys().copied()
    }

    /// Whether prints wait for a predecessor.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether a symbol was seen on any tape.
    pub fn has(&self, instrument: Instrument) -> bool {
        self.known.contains_key(&instrument)
    }

    fn known(&mut self, instrument: Instrument) -> Option<&mut Known> {
        let room = self.known.len() < MOST_INSTRUMENTS || self.known.contains_key(&instrument);
        if !room {
            metrics::counter!("sise_gateway_events_ignored_total", "reason" => "too_many_instruments")
                .increment(1);
            return None;
        }
        Some(self.known.entry(instrument).or_default())
    }

    /// Takes a trade; what is to be told goes to the batch where a view is `wanted`.
    pub fn trade(
        &mut self,
        (stamp, trade): (Stamp, Trade),
        alive: Alive,
        now_ms: u64,
        wanted: [bool; 3],
        batch: &mut Batch,
    ) {
        let instrument = (trade.at.tape, trade.at.symbol);
        let (wait_ms, mut told) = (self.settings.wait_ms, std::mem::take(&mut self.told));
        let Some(known) = self.known(instrument) else { return };
        let mut waits = [(View::Of(stamp.source), false), (View::Merged, false)];
        for (view, waits) in &mut waits {
            let trades = &mut known.trades[view.index()];
            let print = Print { stamp, trade };
            if let Err(dropped) = trades.push(print, alive, now_ms, wait_ms, &mut told)
                && *view == View::Merged
            {
                metrics::counter!("sise_gateway_trades_dropped_total", "reason" => dropped.as_str())
                    .increment(1);
            }
            *waits = trades.is_waiting();
            tell(*view, instrument, &mut told, wanted, batch);
        }
        for (view, waits) in waits {
            if waits {
                self.waiting.insert((view, instrument));
            }
        }
        self.told = told;
    }

    /// Takes a book.
    pub fn order_book(
        &mut self,
        (stamp, book): (Stamp, OrderBook),
        alive: Alive,
        wanted: [bool; 3],
        batch: &mut Batch,
    ) {
        let instrument = (book.at.tape, book.at.symbol);
        let behind_ns = self.settings.book_behind_ns;
        let Some(known) = self.known(instrument) else { return };
        let book = Book { stamp, book };
        let alone = View::Of(stamp.source);
        if known.books[alone.index()].push_alone(book) && wanted[alone.index()] {
            batch.book(alone, instrument, book);
        }
        let merged = View::Merged.index();
        if let Some(change) = known.books[merged].push(book, alive, behind_ns)
            && wanted[merged]
        {
            if let Some(change) = change {
                batch.source(View::Merged, instrument, &change);
            }
            batch.book(View::Merged, instrument, book);
        }
    }

    /// Tells what has waited long enough.
    pub fn due(
        &mut self,
        alive: impl Fn(market::Market) -> Alive,
        now_ms: u64,
        wanted: [bool; 3],
        batch: &mut Batch,
    ) {
        let (known, told) = (&mut self.known, &mut self.told);
        self.waiting.retain(|(view, instrument)| {
            let Some(known) = known.get_mut(instrument) else { return false };
            let trades = &mut known.trades[view.index()];
            trades.due(alive(instrument.0.market()), now_ms, told);
            tell(*view, *instrument, told, wanted, batch);
            trades.is_waiting()
        });
    }

    /// Writes the last trade and book of each instrument that a selection wants.
    pub fn snapshot(&self, selection: &Selection, joiner: &mut Joiner) {
        let mut write = |known: &Known| {
            let view = selection.view.index();
            let (mut text, mut count) = (Vec::new(), 0);
            if let Some(print) = known.trades[view].last().filter(|_| selection.kinds.trade) {
                wire::trade(&mut text, print, false);
                count += 1;
            }
            if let Some(book) = known.books[view].told().filter(|_| selection.kinds.order_book) {
                wire::order_book(&mut text, book);
                count += 1;
            }
            if count > 0 {
                joiner.add(&Piece { items: text.into(), count });
            }
        };
        match &selection.symbols {
            Symbols::All => {
                self.known.iter().filter(|(of, _)| selection.wants(**of)).for_each(|(_, known)| write(known));
            }
            Symbols::These(symbols) => {
                for symbol in symbols {
                    let known = selection.tapes().filter_map(|tape| self.known.get(&(tape, *symbol)));
                    known.for_each(|known| write(known));
                }
            }
        }
    }
}

/// Hands what is told of one view to the batch, if anybody wants the view.
fn tell(view: View, instrument: Instrument, told: &mut Vec<Told>, wanted: [bool; 3], batch: &mut Batch) {
    for one in told.drain(..).filter(|_| wanted[view.index()]) {
        batch.trade(view, instrument, |out| match one {
            Told::Print { print, late } => wire::trade(out, &print, late),
            Told::Gap { trade_date, after, until } => {
                wire::gap(out, view, instrument, trade_date, (after, until));
            }
        });
    }
}
