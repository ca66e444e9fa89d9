//! What the archive tells of questions that the brokers' documents leave open: chains, order, codes, and both brokers' prints
//! of the same trades.

use clickhouse::Row;
use market::{Market, TradeDate};
use serde::Deserialize;

use crate::connect::Store;
use crate::error::StoreError;

/// The chain of cumulative volumes of one source and tape, in the order of the line.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct ChainRate {
    /// kis, kiwoom.
    pub source: String,
    /// The tape.
    pub tape: String,
    /// Pairs of prints that follow each other.
    pub links: u64,
    /// Those where the second begins where the first ends.
    pub whole: u64,
    /// Those with shares between them at a change of the session.
    pub jumps: u64,
    /// These shares.
    pub jump_volume: i64,
    /// Those with shares between them within a session.
    pub broken: u64,
    /// These shares.
    pub broken_volume: i64,
    /// Those where the second begins before the first ends.
    pub overlaps: u64,
}

/// In which order prints of one connection came.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct ArrivalOrder {
    /// kis, kiwoom.
    pub source: String,
    /// The tape.
    pub tape: String,
    /// Pairs that came after each other.
    pub pairs: u64,
    /// Those whose cumulative volume rises.
    pub rising: u64,
    /// Pairs of the same second of the exchange.
    pub in_second: u64,
    /// Those of them whose cumulative volume rises.
    pub in_second_rising: u64,
}

/// The raw session codes of trades in a phase of the calendar.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct SessionCodes {
    /// kis, kiwoom.
    pub source: String,
    /// The tape.
    pub tape: String,
    /// The phase, by the calendar.
    pub session: String,
    /// The broker's codes, joined by `|`.
    pub codes: String,
    /// Prints.
    pub prints: u64,
    /// The first of them, by the exchange, UTC ns.
    pub first_ns: i64,
    /// The last of them.
    pub last_ns: i64,
}

/// Prints of instruments that both brokers brought live.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct BothBrokers {
    /// The tape.
    pub tape: String,
    /// Ends of prints (cumulative volumes) that both have.
    pub both: u64,
    /// Those of them with the same quantity and price.
    pub equal: u64,
    /// Ends that KIS alone has.
    pub only_kis: u64,
    /// Ends that Kiwoom alone has.
    pub only_kiwoom: u64,
}

impl Store {
    /// The chain of each source and tape over the live prints of a market's day.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn chain_rates(&self, market: Market, date: TradeDate) -> Result<Vec<ChainRate>, StoreError> {
        let sql = format!(
            "SELECT toString(source) AS source, toString(tape) AS tape, count() AS links, countIf(hole = 0) AS whole, \
             countIf(hole > 0 AND session != before) AS jumps, sumIf(hole, hole > 0 AND session != before) AS jump_volume, \
             countIf(hole > 0 AND session = before) AS broken, sumIf(hole, hole > 0 AND session = before) AS broken_volume, \
             countIf(hole < 0) AS overlaps FROM \
             (SELECT source, tape, toString(session) AS session, row_number() OVER line AS number, \
             toString(lagInFrame(session) OVER line) AS before, \
             cumulative_volume - quantity - lagInFrame(cumulative_volume) OVER line AS hole \
             FROM trades FINAL WHERE {} AND origin = 'live' \
             WINDOW line AS (PARTITION BY source, tape, symbol ORDER BY cumulative_volume, exchange_ns, received_ns \
             ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) \
             WHERE number > 1 GROUP BY source, tape ORDER BY source, tape",
            of(market, date)
        );
        self.report_rows(&sql).await
    }

    /// The order of arrival of each source and tape.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn arrival_order(
        &self,
        market: Market,
        date: TradeDate,
    ) -> Result<Vec<ArrivalOrder>, StoreError> {
        let sql = format!(
            "SELECT toString(source) AS source, toString(tape) AS tape, count() AS pairs, countIf(rises) AS rising, \
             countIf(same) AS in_second, countIf(same AND rises) AS in_second_rising FROM \
             (SELECT source, tape, row_number() OVER came AS number, \
             cumulative_volume > lagInFrame(cumulative_volume) OVER came AS rises, \
             exchange_ns = lagInFrame(exchange_ns) OVER came AS same \
             FROM trades FINAL WHERE {} AND origin = 'live' \
             WINDOW came AS (PARTITION BY source, tape, symbol, connection_id ORDER BY frame_sequence, record_index \
             ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) \
             WHERE number > 1 GROUP BY source, tape ORDER BY source, tape",
            of(market, date)
        );
        self.report_rows(&sql).await
    }

    /// The session codes of each source, tape and phase, the most frequent first.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn session_codes(
        &self,
        market: Market,
        date: TradeDate,
    ) -> Result<Vec<SessionCodes>, StoreError> {
        let sql = format!(
            "SELECT toString(row.source) AS source, toString(row.tape) AS tape, toString(row.session) AS session, \
             toString(row.session_codes) AS codes, count() AS prints, \
             toUnixTimestamp64Nano(min(exchange_ns)) AS first_ns, toUnixTimestamp64Nano(max(exchange_ns)) AS last_ns \
             FROM trades AS row WHERE {} AND origin = 'live' \
             GROUP BY row.source, row.tape, row.session, row.session_codes ORDER BY source, tape, first_ns, codes",
            of(market, date)
        );
        self.report_rows(&sql).await
    }

    /// Both brokers' prints of the instruments that both brought.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn both_brokers(
        &self,
        market: Market,
        date: TradeDate,
    ) -> Result<Vec<BothBrokers>, StoreError> {
        let day = of(market, date);
        let sql = format!(
            "SELECT toString(tape) AS tape, countIf(kis AND kiwoom) AS both, countIf(kis AND kiwoom AND same) AS equal, \
             countIf(NOT kiwoom) AS only_kis, countIf(NOT kis) AS only_kiwoom FROM \
             (SELECT tape, countIf(source = 'kis') > 0 AS kis, countIf(source = 'kiwoom') > 0 AS kiwoom, \
             uniqExact(quantity, price) = 1 AS same FROM trades WHERE {day} AND origin = 'live' AND (tape, symbol) IN \
             (SELECT tape, symbol FROM trades WHERE {day} AND origin = 'live' GROUP BY tape, symbol \
             HAVING uniqExact(source) = 2) GROUP BY tape, symbol, cumulative_volume) GROUP BY tape ORDER BY tape"
        );
        self.report_rows(&sql).await
    }
}

fn of(market: Market, date: TradeDate) -> String {
    format!("market = '{market}' AND trade_date = '{date}'")
}
