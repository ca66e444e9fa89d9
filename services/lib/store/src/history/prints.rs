//! Prints of a day in the order of the line, over all sources and origins.

use clickhouse::Row;
use market::{Market, Origin, Price, Quantity, Source, Symbol, Tape, TradeDate};
use serde::Deserialize;

use super::InstrumentDay;
use crate::connect::Store;
use crate::error::StoreError;

/// Prints of one instrument and day, all sources together: about 50 MB. The busiest stock of Korea has a few hundred thousand.
const MOST_PRINTS: usize = 1_000_000;

/// A print as it stands in `trades`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredPrint {
    /// Shares of the tape's day, this print included.
    pub cumulative_volume: Quantity,
    /// Shares of this print.
    pub quantity: Quantity,
    /// Time of the exchange, UTC ns.
    pub exchange_ns: i64,
    /// Price.
    pub price: Price,
    /// The broker.
    pub source: Source,
    /// Live or recovered.
    pub origin: Origin,
}

#[derive(Row, Deserialize)]
struct PrintRow<'a> {
    cumulative_volume: i64,
    quantity: i64,
    exchange_ns: i64,
    price: i64,
    source: &'a str,
    origin: &'a str,
}

#[derive(Row, Deserialize)]
struct InstrumentRow {
    tape: String,
    symbol: String,
    prints: u64,
}

impl Store {
    /// The instruments of a market with prints on a day, and how many rows each has, all sources together; in the order of
    /// tape and symbol.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked, or holds a tape or symbol that this version does not know.
    pub async fn instruments_of_day(
        &self,
        market: Market,
        trade_date: TradeDate,
    ) -> Result<Vec<(InstrumentDay, u64)>, StoreError> {
        let sql = format!(
            "SELECT toString(tape) AS tape, toString(symbol) AS symbol, count() AS prints FROM trades AS rows \
             WHERE rows.market = '{market}' AND rows.trade_date = '{trade_date}' GROUP BY rows.tape, rows.symbol ORDER BY tape, symbol"
        );
        let rows = self.limited(self.client.query(&sql).fetch_all::<InstrumentRow>()).await?;
        rows.into_iter()
            .map(|row| {
                let tape = Tape::from_word(&row.tape).ok_or_else(|| unknown("tape", &row.tape))?;
                let symbol = Symbol::parse(&row.symbol).map_err(|_| unknown("symbol", &row.symbol))?;
                Ok((InstrumentDay { tape, symbol, trade_date }, row.prints))
            })
            .collect()
    }

    /// The first trading day of a market with prints in the archive, of those `from` to `through`; none without any.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn first_day_with_prints(
        &self,
        market: Market,
        from: TradeDate,
        through: TradeDate,
    ) -> Result<Option<TradeDate>, StoreError> {
        let sql = format!(
            "SELECT toUInt16(min(rows.trade_date)) AS day, count() AS prints FROM trades AS rows WHERE rows.market = '{market}' \
             AND rows.trade_date BETWEEN '{from}' AND '{through}'"
        );
        let (day, prints) = self.limited(self.client.query(&sql).fetch_one::<(u16, u64)>()).await?;
        Ok(TradeDate::from_days_since_epoch(i32::from(day)).filter(|_| prints > 0))
    }

    /// Prints of an instrument on later days, of the source that has the most on each: about as many trades as there were.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn newer_prints(&self, of: &InstrumentDay) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT sum(most) FROM (SELECT max(prints) AS most FROM (SELECT rows.trade_date AS day, count() AS prints \
             FROM trades AS rows WHERE rows.market = '{}' AND rows.symbol = ? AND rows.trade_date > '{}' AND rows.tape = '{}' \
             GROUP BY day, rows.source) GROUP BY day)",
            of.market(),
            of.trade_date,
            of.tape
        );
        self.limited(self.client.query(&sql).bind(of.symbol.as_str()).fetch_one::<u64>()).await
    }

    /// The prints of an instrument's day over all sources and origins, by cumulative volume. A row that the server has not
    /// merged yet may come twice.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked, or a day has more than a million rows.
    pub async fn prints(&self, of: &InstrumentDay) -> Result<Vec<StoredPrint>, StoreError> {
        let InstrumentDay { tape, trade_date, .. } = of;
        let sql = format!(
            "SELECT cumulative_volume, quantity, exchange_ns, price, toString(source) AS source, toString(origin) AS origin \
             FROM trades WHERE market = '{}' AND symbol = ? AND trade_date = '{trade_date}' AND tape = '{tape}' \
             ORDER BY cumulative_volume, exchange_ns, quantity, price, source, origin LIMIT {}",
            of.market(),
            MOST_PRINTS + 1
        );
        let read = async {
            let mut prints = Vec::new();
            let mut rows = self.client.query(&sql).bind(of.symbol.as_str()).fetch::<PrintRow<'_>>()?;
            while let Some(row) = rows.next().await? {
                let (Some(source), Some(origin)) =
                    (Source::from_word(row.source), Origin::from_word(row.origin))
                else {
                    // A broker of a later version: its prints are no reason to fetch less.
                    continue;
                };
                prints.push(StoredPrint {
                    cumulative_volume: Quantity::from_units(row.cumulative_volume),
                    quantity: Quantity::from_units(row.quantity),
                    exchange_ns: row.exchange_ns,
                    price: Price::from_units(row.price),
                    source,
                    origin,
                });
            }
            Ok(prints)
        };
        let prints = self.limited(read).await?;
        if prints.len() > MOST_PRINTS {
            return Err(StoreError::Answer {
                text: format!("more than {MOST_PRINTS} prints of {} on {trade_date}", of.symbol),
            });
        }
        Ok(prints)
    }
}

/// A word in a column that this version cannot read.
pub(crate) fn unknown(column: &str, word: &str) -> StoreError {
    StoreError::Answer { text: format!("column {column} holds a word of another version: {word:?}") }
}
