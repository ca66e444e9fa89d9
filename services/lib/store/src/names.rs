//! Which events stand in the tables already, by their names: what a replay need not publish.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use market::event::event_id;
use market::{At, Body, Event};

use crate::connect::Store;
use crate::error::StoreError;
use crate::row::Table;

/// Events in one query: their names and places stay well below the longest query that ClickHouse reads (256 kB).
const EVENTS_PER_QUERY: usize = 500;

/// Rows that stand beside each other in the key of their table.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    symbol: String,
    market: &'static str,
    date: String,
    tape: &'static str,
    source: &'static str,
}

impl Store {
    /// The names of those of `events` that came from `stream` and stand in the tables of trades and order books. A
    /// status stands in neither.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn named(&self, stream: &str, events: &[Event]) -> Result<HashSet<u64>, StoreError> {
        let mut found = HashSet::new();
        for some in events.chunks(EVENTS_PER_QUERY) {
            for table in [Table::Trades, Table::OrderBooks] {
                let Some((sql, symbols)) = query(table, some) else { continue };
                let query = self.client.query(&sql).bind(stream);
                let query = symbols.into_iter().fold(query, clickhouse::query::Query::bind);
                found.extend(self.limited(query.fetch_all::<u64>()).await?);
            }
        }
        Ok(found)
    }
}

/// The query for those events that belong to the table, and the symbols to bind after the stream; none without events.
fn query(table: Table, events: &[Event]) -> Option<(String, Vec<String>)> {
    let mut names = Vec::new();
    // Every place with the lowest and highest value of the key's last part: few granules are read.
    let mut stretches: BTreeMap<Place, (i64, i64)> = BTreeMap::new();
    for event in events {
        let Some((at, along)) = place(table, &event.body) else { continue };
        names.push(event_id(&event.message_id()).to_string());
        let place = Place {
            symbol: at.symbol.to_string(),
            market: event.stamp.market.as_str(),
            date: at.trade_date.to_string(),
            tape: at.tape.as_str(),
            source: event.stamp.source.as_str(),
        };
        let (low, high) = stretches.entry(place).or_insert((along, along));
        (*low, *high) = ((*low).min(along), (*high).max(along));
    }
    let mut condition = String::new();
    let mut symbols = Vec::new();
    for (Place { symbol, market, date, tape, source }, (low, high)) in stretches {
        let along = match table {
            Table::Trades => format!("cumulative_volume BETWEEN {low} AND {high}"),
            _ => format!(
                "exchange_ns BETWEEN fromUnixTimestamp64Nano({low}, 'UTC') AND fromUnixTimestamp64Nano({high}, 'UTC')"
            ),
        };
        let or = if condition.is_empty() { "" } else { " OR " };
        // Writing to a String cannot fail.
        let _infallible = write!(
            condition,
            "{or}(symbol = ? AND market = '{market}' AND trade_date = '{date}' AND tape = '{tape}' \
             AND source = '{source}' AND {along})"
        );
        symbols.push(symbol);
    }
    let sql = format!(
        "SELECT event_id FROM {} WHERE stream = ? AND ({condition}) AND event_id IN ({})",
        table.as_str(),
        names.join(", ")
    );
    (!names.is_empty()).then_some((sql, symbols))
}

/// Where the event stands, and how far along in its place; none when it belongs to another table.
fn place(table: Table, body: &Body) -> Option<(&At, i64)> {
    match (table, body) {
        (Table::Trades, Body::Trade(trade)) => Some((&trade.at, trade.cumulative_volume.units())),
        (Table::OrderBooks, Body::OrderBook(book)) => Some((&book.at, book.at.exchange_ns)),
        _ => None,
    }
}
