//! The events of the sender's frames, as a service would make them: what is archived and published barely has the sizes and
//! the walk of prices of what comes over the socket.

use std::collections::VecDeque;

use anyhow::{Context as _, bail};
use broker::feed::{FrameParser as _, Item};
use broker::kis::parse::KisParser;
use market::{Body, Event, Market, Origin, Source, Stamp};

use crate::inputs::{Kind, kis};
use crate::sender::frames::{Clock, Prepared, Registered, now_ns};
use crate::servers::services::symbols;

/// Symbols, as many as a key of the broker may carry with both kinds.
pub const SYMBOLS: usize = 20;
/// Frames that are read at once.
const CHUNK: u64 = 1_000;

/// Events without end, no two of them alike.
#[derive(Debug)]
pub struct Replay {
    prepared: Prepared,
    parser: KisParser,
    began_ns: i64,
    number: u64,
    ready: VecDeque<Event>,
}

impl Replay {
    /// Of [`SYMBOLS`] symbols, these kinds in the proportion of the sender.
    pub fn of(kinds: &[Kind]) -> Self {
        let one = |symbol: &str, kind: &Kind| Registered {
            tr_id: match kind {
                Kind::Trade => "H0STCNT0".to_owned(),
                Kind::Book => "H0STASP0".to_owned(),
            },
            tr_key: symbol.to_owned(),
        };
        let registered: Vec<_> = symbols(SYMBOLS)
            .iter()
            .flat_map(|symbol| kinds.iter().map(move |kind| one(symbol, kind)))
            .collect();
        Self {
            prepared: Prepared::new(&registered),
            parser: kis(),
            began_ns: now_ns(),
            number: 0,
            ready: VecDeque::new(),
        }
    }

    /// The next one.
    ///
    /// # Errors
    /// When a frame of the sender cannot be read.
    pub fn next(&mut self) -> anyhow::Result<Event> {
        if self.ready.is_empty() {
            self.read()?;
        }
        self.ready.pop_front().context("no frames")
    }

    fn read(&mut self) -> anyhow::Result<()> {
        let received_ns = now_ns();
        let batch = self.prepared.batch(CHUNK, &Clock::at(received_ns));
        let mut items = Vec::new();
        for text in batch.texts() {
            let text = text?;
            let read = self.parser.parse(text, received_ns, &mut items);
            read.map_err(|refusal| anyhow::anyhow!("{}: {text}", refusal.detail))?;
            for item in items.drain(..) {
                let body = match item {
                    Item::Trade(trade, _) => Body::Trade(trade),
                    Item::OrderBook(book) => Body::OrderBook(book),
                    Item::Apart(_) | Item::Refused(_) => bail!("not read: {text}"),
                };
                self.number += 1;
                let stamp = Stamp {
                    market: Market::Kr,
                    source: Source::Kis,
                    received_ns: now_ns(),
                    connection_id: self.began_ns,
                    frame_sequence: self.number,
                    record_index: 0,
                    origin: Origin::Live,
                };
                self.ready.push_back(Event { stamp, body });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_events_have_the_same_name() {
        let mut replay = Replay::of(&[Kind::Trade, Kind::Book]);
        let (mut names, mut trades) = (HashSet::new(), 0);
        for _ in 0..30_000 {
            let event = replay.next().expect("event");
            trades += usize::from(matches!(event.body, Body::Trade(_)));
            assert!(names.insert(event.message_id()), "{}", event.message_id());
        }
        assert_eq!(trades, 10_000);
    }
}
