//! What changed since the last batch, encoded once, and put together for each selection.

use std::collections::HashMap;

use bytes::Bytes;
use market::{Market, Source};
use serde_json::Value;

use crate::client::Piece;
use crate::merge::books::{Book, Change};
use crate::view::{Instrument, Selection, Symbols, View};
use crate::wire;

/// The largest piece, unless one fragment alone is larger: what a socket holds in copies of its own while it sends.
const MOST_BYTES: usize = 64 << 10;

/// Items of one kind of one instrument in one view.
#[derive(Debug, Default)]
struct Items {
    text: Vec<u8>,
    count: u32,
}

#[derive(Debug, Default)]
struct Changed {
    trades: Items,
    /// Changes of whose the book is.
    sources: Items,
    book: Option<Book>,
}

#[derive(Debug)]
struct Status {
    market: Market,
    source: Source,
    instrument: Option<Instrument>,
    item: Piece,
}

/// Changes that wait for the next batch.
#[derive(Debug, Default)]
pub struct Batch {
    changed: [HashMap<Instrument, Changed>; 3],
    statuses: Vec<Status>,
}

/// Changes as shared fragments.
#[derive(Debug, Default)]
pub struct Encoded {
    changed: [HashMap<Instrument, Fragments>; 3],
    statuses: Vec<Status>,
}

#[derive(Debug, Default)]
struct Fragments {
    trades: Option<Piece>,
    book: Option<Piece>,
}

impl Items {
    fn piece(self) -> Option<Piece> {
        (self.count > 0).then(|| Piece { items: self.text.into(), count: self.count })
    }
}

impl Batch {
    fn of(&mut self, view: View, instrument: Instrument) -> &mut Changed {
        self.changed[view.index()].entry(instrument).or_default()
    }

    /// Adds an item among the trades of an instrument.
    pub fn trade(&mut self, view: View, instrument: Instrument, write: impl FnOnce(&mut Vec<u8>)) {
        let items = &mut self.of(view, instrument).trades;
        write(&mut items.text);
        items.count += 1;
    }

    /// Notes the latest book of an instrument.
    pub fn book(&mut self, view: View, instrument: Instrument, book: Book) {
        self.of(view, instrument).book = Some(book);
    }

    /// Adds that an instrument's book has another broker.
    pub fn source(&mut self, view: View, instrument: Instrument, change: &Change) {
        let items = &mut self.of(view, instrument).sources;
        wire::source(&mut items.text, instrument, change);
        items.count += 1;
    }

    /// Adds what a feed tells.
    pub fn status(&mut self, market: Market, source: Source, instrument: Option<Instrument>, item: &Value) {
        let mut text = Vec::new();
        wire::value(&mut text, item);
        let item = Piece { items: text.into(), count: 1 };
        self.statuses.push(Status { market, source, instrument, item });
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.statuses.is_empty() && self.changed.iter().all(HashMap::is_empty)
    }

    /// Takes the changes, each encoded once; the batch is empty then.
    pub fn encode(&mut self) -> Encoded {
        let fragments = |changed: Changed| {
            let mut book = changed.sources;
            if let Some(shown) = &changed.book {
                wire::order_book(&mut book.text, shown);
                book.count += 1;
            }
            Fragments { trades: changed.trades.piece(), book: book.piece() }
        };
        let changed = std::mem::take(&mut self.changed);
        Encoded {
            changed: changed
                .map(|of_view| of_view.into_iter().map(|(of, changed)| (of, fragments(changed))).collect()),
            statuses: std::mem::take(&mut self.statuses),
        }
    }
}

impl Encoded {
    /// What of it a selection wants, in pieces of a bounded size.
    pub fn pieces(&self, selection: &Selection) -> Vec<Piece> {
        let mut joiner = Joiner::default();
        for status in &self.statuses {
            if selection.wants_status(status.market, status.source, status.instrument) {
                joiner.add(&status.item);
            }
        }
        let changed = &self.changed[selection.view.index()];
        let mut add = |fragments: &Fragments| {
            let trades = fragments.trades.as_ref().filter(|_| selection.kinds.trade);
            let book = fragments.book.as_ref().filter(|_| selection.kinds.order_book);
            trades.into_iter().chain(book).for_each(|piece| joiner.add(piece));
        };
        match &selection.symbols {
            Symbols::All => {
                changed.iter().filter(|(of, _)| selection.wants(**of)).for_each(|(_, found)| add(found));
            }
            Symbols::These(symbols) if symbols.len() > changed.len() => {
                changed.iter().filter(|(of, _)| selection.wants(**of)).for_each(|(_, found)| add(found));
            }
            Symbols::These(symbols) => {
                for symbol in symbols {
                    selection.tapes().filter_map(|tape| changed.get(&(tape, *symbol))).for_each(&mut add);
                }
            }
        }
        joiner.done()
    }
}

/// Fragments into pieces of a bounded size. One fragment alone is shared and not copied.
#[derive(Debug, Default)]
pub struct Joiner {
    alone: Option<Piece>,
    text: Vec<u8>,
    count: u32,
    done: Vec<Piece>,
}

impl Joiner {
    /// Adds a fragment.
    pub fn add(&mut self, piece: &Piece) {
        let waiting = self.alone.as_ref().map_or(self.text.len(), |alone| alone.items.len());
        if waiting > 0 && waiting + piece.items.len() > MOST_BYTES {
            self.cut();
        }
        if let Some(alone) = self.alone.take() {
            self.append(&alone);
        } else if self.text.is_empty() {
            self.alone = Some(piece.clone());
            return;
        }
        self.append(piece);
    }

    fn append(&mut self, piece: &Piece) {
        if !self.text.is_empty() {
            self.text.push(b',');
        }
        self.text.extend_from_slice(&piece.items);
        self.count += piece.count;
    }

    fn cut(&mut self) {
        if let Some(alone) = self.alone.take() {
            self.done.push(alone);
        } else if !self.text.is_empty() {
            let items = Bytes::from(std::mem::take(&mut self.text));
            self.done.push(Piece { items, count: std::mem::take(&mut self.count) });
        }
    }

    /// The pieces.
    pub fn done(mut self) -> Vec<Piece> {
        self.cut();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use market::{Symbol, Tape};
    use serde_json::json;

    use super::*;
    use crate::view::Kinds;

    fn symbol(text: &str) -> Symbol {
        Symbol::parse(text).expect("symbol")
    }

    fn selection(symbols: &[&str]) -> Selection {
        let symbols = Symbols::These(symbols.iter().map(|text| symbol(text)).collect::<BTreeSet<_>>());
        Selection { market: Market::Kr, view: View::Merged, tape: None, kinds: Kinds::ALL, symbols }
    }

    fn text(pieces: &[Piece]) -> Vec<(String, u32)> {
        let text = |piece: &Piece| String::from_utf8(piece.items.to_vec()).expect("text");
        pieces.iter().map(|piece| (text(piece), piece.count)).collect()
    }

    #[test]
    fn each_selection_gets_what_it_wants_from_what_is_encoded_once() {
        let mut batch = Batch::default();
        let add = |batch: &mut Batch, view, tape, name: &str| {
            let word = format!("\"{name}\"");
            batch.trade(view, (tape, symbol(name)), |out| {
                if !out.is_empty() {
                    out.push(b',');
                }
                out.extend_from_slice(word.as_bytes());
            });
        };
        add(&mut batch, View::Merged, Tape::Krx, "A");
        add(&mut batch, View::Merged, Tape::Krx, "A");
        add(&mut batch, View::Merged, Tape::Us, "B");
        add(&mut batch, View::Of(Source::Kis), Tape::Krx, "C");
        batch.status(Market::Kr, Source::Kis, None, &json!("s"));
        batch.status(Market::Us, Source::Kis, None, &json!("us"));
        batch.status(Market::Kr, Source::Kis, Some((Tape::Krx, symbol("X"))), &json!("x"));
        let encoded = batch.encode();
        assert!(batch.is_empty());
        assert_eq!(text(&encoded.pieces(&selection(&["A", "B", "C"]))), [(r#""s","A","A""#.to_owned(), 3)]);
        let quiet = Selection { kinds: Kinds { status: false, ..Kinds::ALL }, ..selection(&["A"]) };
        assert_eq!(text(&encoded.pieces(&quiet)), [(r#""A","A""#.to_owned(), 2)]);
        let all = Selection { symbols: Symbols::All, tape: Some(Tape::Nxt), ..quiet };
        assert_eq!(text(&encoded.pieces(&all)), []);
    }

    #[test]
    fn pieces_are_bounded() {
        let mut joiner = Joiner::default();
        let piece = |length: usize| Piece { items: "x".repeat(length).into(), count: 1 };
        for length in [40_000, 20_000, 10_000, 100_000, 5] {
            joiner.add(&piece(length));
        }
        let sizes: Vec<_> = joiner.done().iter().map(|piece| (piece.items.len(), piece.count)).collect();
        assert_eq!(sizes, [(60_001, 2), (10_000, 1), (100_000, 1), (5, 1)]);
    }
}
