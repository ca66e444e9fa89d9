//! A day in the archive → its live trades and order books again, as events in the order in which they were received. Reads
//! only; a day comes in stretches of a bounded size.

use std::fmt::Write as _;

use clickhouse::Row;
use market::{
    AggressorSide, At, Body, Codes, Event, Level, Levels, Market, OrderBook, Origin, Price, Quantity,
    Session, Source, Stamp, Symbol, Tape, Trade, TradeDate, Value,
};
use serde::Deserialize;

use crate::connect::Store;
use crate::error::StoreError;
use crate::history::unknown;

/// Events of one stretch, unless a single second has more: some 10 MB.
const MOST_EVENTS: u64 = 20_000;
/// The longest stretch: a quiet hour is read in a few.
const MOST_SECONDS: i64 = 600;
/// Seconds of a trading day and its edges: more than a market is open.
const MOST_ROWS: usize = 200_000;

/// Which events of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayOf {
    /// The market.
    pub market: Market,
    /// The trading day.
    pub trade_date: TradeDate,
    /// These symbols; none = all.
    pub symbols: Vec<Symbol>,
    /// Received at or after this, UTC ns.
    pub from_ns: Option<i64>,
    /// Received before this, UTC ns.
    pub until_ns: Option<i64>,
}

/// A stretch of a day with events in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its begin, UTC ns.
    pub from_ns: i64,
    /// Its end, UTC ns; not in it any more.
    pub until_ns: i64,
    /// Rows of it; one that the server has not merged with its repetition yet counts twice.
    pub events: u64,
}

#[derive(Row, Deserialize)]
struct SecondRow {
    second: i64,
    source: String,
    events: u64,
}

#[derive(Row, Deserialize)]
struct TradeRead<'a> {
    source: &'a str,
    tape: &'a str,
    symbol: &'a str,
    trade_date: u16,
    exchange_ns: i64,
    received_ns: i64,
    connection_id: i64,
    frame_sequence: u64,
    record_index: u32,
    price: i64,
    quantity: i64,
    aggressor_side: &'a str,
    cumulative_volume: i64,
    cumulative_value: i64,
    cumulative_value_step: i64,
    best_ask: Option<i64>,
    best_bid: Option<i64>,
    session: &'a str,
    session_codes: &'a str,
    halted: bool,
}

#[derive(Row, Deserialize)]
struct BookRead<'a> {
    source: &'a str,
    tape: &'a str,
    symbol: &'a str,
    trade_date: u16,
    exchange_ns: i64,
    received_ns: i64,
    connection_id: i64,
    frame_sequence: u64,
    record_index: u32,
    ask_prices: Vec<i64>,
    ask_quantities: Vec<i64>,
    bid_prices: Vec<i64>,
    bid_quantities: Vec<i64>,
    total_ask_quantity: i64,
    total_bid_quantity: i64,
    expected_price: Option<i64>,
    expected_quantity: i64,
    cumulative_volume: Option<i64>,
    session: &'a str,
    session_codes: &'a str,
}

/// Columns that both tables have, with the words as text.
const COMMON: &str = "toString(rows.source) AS source, toString(rows.tape) AS tape, toString(rows.symbol) AS symbol, \
    rows.trade_date AS trade_date, rows.exchange_ns AS exchange_ns, rows.received_ns AS received_ns, \
    rows.connection_id AS connection_id, rows.frame_sequence AS frame_sequence, rows.record_index AS record_index";

impl Store {
    /// The stretches of a day that have events, in order, and the brokers that have any.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn stretches(&self, of: &DayOf) -> Result<(Vec<Stretch>, Vec<Source>), StoreError> {
        let condition = of.condition();
        let table = |name: &str| {
            format!(
                "SELECT intDiv(toUnixTimestamp64Nano(rows.received_ns), 1000000000) AS at, toString(rows.source) AS of, \
                 count() AS number FROM {name} AS rows WHERE {condition} GROUP BY at, of"
            )
        };
        let sql = format!(
            "SELECT at AS second, of AS source, sum(number) AS events FROM ({} UNION ALL {}) \
             GROUP BY at, of ORDER BY at, of LIMIT {MOST_ROWS}",
            table("trades"),
            table("order_books")
        );
        let rows = self.limited(self.client.query(&sql).fetch_all::<SecondRow>()).await?;
        let sources = Source::ALL.iter().copied();
        let sources = sources.filter(|source| rows.iter().any(|row| row.source == source.as_str())).collect();
        Ok((stretches(rows.iter().map(|row| (row.second, row.events))), sources))
    }

    /// The events of a stretch, by the time of receipt; those of one instant by broker, connection and place in it.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked, or holds a word that this version does not know.
    pub async fn events_of(&self, of: &DayOf, stretch: &Stretch) -> Result<Vec<Event>, StoreError> {
        let of = DayOf {
            from_ns: of.from_ns.max(Some(stretch.from_ns)),
            until_ns: Some(of.until_ns.map_or(stretch.until_ns, |until| until.min(stretch.until_ns))),
            ..of.clone()
        };
        let condition = of.condition();
        // One event of two rows that are not merged yet.
        let end = "LIMIT 1 BY source, rows.event_id";
        let trades = format!(
            "SELECT {COMMON}, rows.price AS price, rows.quantity AS quantity, toString(rows.aggressor_side) AS aggressor_side, \
             rows.cumulative_volume AS cumulative_volume, rows.cumulative_value AS cumulative_value, \
             rows.cumulative_value_step AS cumulative_value_step, rows.best_ask AS best_ask, rows.best_bid AS best_bid, \
             toString(rows.session) AS session, toString(rows.session_codes) AS session_codes, rows.halted AS halted \
             FROM trades AS rows WHERE {condition} ORDER BY rows.received_ns {end}"
        );
        let books = format!(
            "SELECT {COMMON}, rows.ask_prices AS ask_prices, rows.ask_quantities AS ask_quantities, \
             rows.bid_prices AS bid_prices, rows.bid_quantities AS bid_quantities, rows.total_ask_quantity AS total_ask_quantity, \
             rows.total_bid_quantity AS total_bid_quantity, rows.expected_price AS expected_price, \
             rows.expected_quantity AS expected_quantity, rows.cumulative_volume AS cumulative_volume, \
             toString(rows.session) AS session, toString(rows.session_codes) AS session_codes \
             FROM order_books AS rows WHERE {condition} ORDER BY rows.received_ns {end}"
        );
        let mut events = Vec::with_capacity(usize::try_from(stretch.events).unwrap_or(0));
        self.limited(async {
            let mut rows = self.client.query(&trades).fetch::<TradeRead<'_>>()?;
            while let Some(row) = rows.next().await? {
                events.push(row.event(of.market));
            }
            let mut rows = self.client.query(&books).fetch::<BookRead<'_>>()?;
            while let Some(row) = rows.next().await? {
                events.push(row.event(of.market));
            }
            Ok(())
        })
        .await?;
        let mut events = events.into_iter().collect::<Result<Vec<Event>, StoreError>>()?;
        events.sort_by_key(order);
        Ok(events)
    }
}

/// When an event was received, and where among those of its instant it stands.
fn order(event: &Event) -> (i64, Source, i64, u64, u32) {
    let stamp = &event.stamp;
    (stamp.received_ns, stamp.source, stamp.connection_id, stamp.frame_sequence, stamp.record_index)
}

/// Seconds with their events, in order, as stretches that are large enough to be worth a query.
fn stretches(seconds: impl Iterator<Item = (i64, u64)>) -> Vec<Stretch> {
    const SECOND: i64 = market::time::SECOND;
    let mut all: Vec<Stretch> = Vec::new();
    for (second, events) in seconds {
        let (from_ns, until_ns) = (second * SECOND, (second + 1) * SECOND);
        match all.last_mut() {
            // Two brokers have the same second.
            Some(last) if last.until_ns == until_ns => last.events += events,
            Some(last)
                if last.events + events <= MOST_EVENTS
                    && until_ns - last.from_ns <= MOST_SECONDS * SECOND =>
            {
                (last.until_ns, last.events) = (until_ns, last.events + events);
            }
            _ => all.push(Stretch { from_ns, until_ns, events }),
        }
    }
    all
}

impl DayOf {
    fn condition(&self) -> String {
        let mut text = format!(
            "rows.market = '{}' AND rows.trade_date = '{}' AND rows.origin = 'live'",
            self.market, self.trade_date
        );
        // Writing to a String cannot fail; a symbol holds letters, digits and slashes.
        let mut and = |more: std::fmt::Arguments<'_>| {
            let _infallible = write!(text, " AND {more}");
        };
        if !self.symbols.is_empty() {
            let names: Vec<String> = self.symbols.iter().map(|symbol| format!("'{symbol}'")).collect();
            and(format_args!("rows.symbol IN ({})", names.join(", ")));
        }
        if let Some(from) = self.from_ns {
            and(format_args!("rows.received_ns >= fromUnixTimestamp64Nano({from}, 'UTC')"));
        }
        if let Some(until) = self.until_ns {
            and(format_args!("rows.received_ns < fromUnixTimestamp64Nano({until}, 'UTC')"));
        }
        text
    }
}

fn word<T>(column: &str, text: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    read(text).ok_or_else(|| unknown(column, text))
}

fn at(tape: &str, symbol: &str, trade_date: u16, exchange_ns: i64) -> Result<At, StoreError> {
    let date = TradeDate::from_days_since_epoch(i32::from(trade_date));
    Ok(At {
        tape: word("tape", tape, Tape::from_word)?,
        symbol: word("symbol", symbol, |text| Symbol::parse(text).ok())?,
        trade_date: date.ok_or_else(|| unknown("trade_date", &trade_date.to_string()))?,
        exchange_ns,
    })
}

fn levels(prices: &[i64], quantities: &[i64]) -> Result<Levels, StoreError> {
    let level = |(price, quantity): (&i64, &i64)| Level {
        price: Price::from_units(*price),
        quantity: Quantity::from_units(*quantity),
    };
    let side = Levels::collect(prices.iter().zip(quantities).map(level));
    side.ok_or_else(|| unknown("ask_prices, bid_prices", &format!("{} levels", prices.len())))
}

impl TradeRead<'_> {
    fn event(&self, market: Market) -> Result<Event, StoreError> {
        let stamp = Stamp {
            market,
            source: word("source", self.source, Source::from_word)?,
            received_ns: self.received_ns,
            connection_id: self.connection_id,
            frame_sequence: self.frame_sequence,
            record_index: self.record_index,
            origin: Origin::Live,
        };
        let trade = Trade {
            at: at(self.tape, self.symbol, self.trade_date, self.exchange_ns)?,
            price: Price::from_units(self.price),
            quantity: Quantity::from_units(self.quantity),
            aggressor_side: word("aggressor_side", self.aggressor_side, AggressorSide::from_word)?,
            cumulative_volume: Quantity::from_units(self.cumulative_volume),
            cumulative_value: Value::from_units(self.cumulative_value),
            cumulative_value_step: Value::from_units(self.cumulative_value_step),
            best_ask: self.best_ask.map(Price::from_units),
            best_bid: self.best_bid.map(Price::from_units),
            session: word("session", self.session, Session::from_word)?,
            session_codes: Codes::from_text(self.session_codes),
            halted: self.halted,
        };
        Ok(Event { stamp, body: Body::Trade(trade) })
    }
}

impl BookRead<'_> {
    fn event(&self, market: Market) -> Result<Event, StoreError> {
        let stamp = Stamp {
            market,
            source: word("source", self.source, Source::from_word)?,
            received_ns: self.received_ns,
            connection_id: self.connection_id,
            frame_sequence: self.frame_sequence,
            record_index: self.record_index,
            origin: Origin::Live,
        };
        let book = OrderBook {
            at: at(self.tape, self.symbol, self.trade_date, self.exchange_ns)?,
            asks: levels(&self.ask_prices, &self.ask_quantities)?,
            bids: levels(&self.bid_prices, &self.bid_quantities)?,
            total_ask_quantity: Quantity::from_units(self.total_ask_quantity),
            total_bid_quantity: Quantity::from_units(self.total_bid_quantity),
            expected_price: self.expected_price.map(Price::from_units),
            expected_quantity: Quantity::from_units(self.expected_quantity),
            cumulative_volume: self.cumulative_volume.map(Quantity::from_units),
            session: word("session", self.session, Session::from_word)?,
            session_codes: Codes::from_text(self.session_codes),
        };
        Ok(Event { stamp, body: Body::OrderBook(book) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_share_a_stretch_until_it_is_full_or_long() {
        let of = |seconds: &[(i64, u64)]| -> Vec<(i64, i64, u64)> {
            let all = stretches(seconds.iter().copied());
            let told =
                |one: &Stretch| (one.from_ns / 1_000_000_000, one.until_ns / 1_000_000_000, one.events);
            all.iter().map(told).collect()
        };
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[(10, 5), (10, 6), (12, 1)]), [(10, 13, 12)]);
        assert_eq!(of(&[(10, 19_999), (11, 1), (12, 1)]), [(10, 12, 20_000), (12, 13, 1)]);
        // One second is never cut, and what both brokers have of it belongs together.
        assert_eq!(of(&[(10, 30_000), (10, 1), (11, 1)]), [(10, 11, 30_001), (11, 12, 1)]);
        assert_eq!(of(&[(0, 1), (599, 1), (600, 1)]), [(0, 600, 2), (600, 601, 1)]);
    }

    #[test]
    fn the_condition_names_what_is_wanted_and_nothing_else() {
        let all = DayOf {
            market: Market::Kr,
            trade_date: TradeDate::parse("20261124").expect("date"),
            symbols: Vec::new(),
            from_ns: None,
            until_ns: None,
        };
        let day = "rows.market = 'kr' AND rows.trade_date = '2026-11-24' AND rows.origin = 'live'";
        assert_eq!(all.condition(), day);
        let symbols = ["005930", "BRK/B"].map(|text| Symbol::parse(text).expect("symbol")).to_vec();
        let some = DayOf { symbols, from_ns: Some(7), until_ns: Some(9), ..all };
        let expected = format!(
            "{day} AND rows.symbol IN ('005930', 'BRK/B') AND rows.received_ns >= fromUnixTimestamp64Nano(7, 'UTC') \
             AND rows.received_ns < fromUnixTimestamp64Nano(9, 'UTC')"
        );
        assert_eq!(some.condition(), expected);
    }
}
