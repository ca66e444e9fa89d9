//! Look-ups for a page that shows the archive: bars of an instrument, gaps of a day, how complete the last days are. Reads
//! only; every answer has a bound. Prices are decimal text and times UTC ns as text, as a page takes them.

use clickhouse::Row;
use market::{Market, Symbol, Tape, TradeDate};
use serde::{Deserialize, Serialize};

use crate::connect::Store;
use crate::error::StoreError;

/// How long a bar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// One second.
    Second,
    /// One minute.
    Minute,
    /// One trading day.
    Day,
}

/// Trades of one stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize, Serialize)]
pub struct Bar {
    /// Begin of the stretch, UTC seconds; of a day its date at midnight UTC.
    pub start: u32,
    /// Price of the first trade.
    pub open: String,
    /// Highest price.
    pub high: String,
    /// Lowest price.
    pub low: String,
    /// Price of the last trade.
    pub close: String,
    /// Shares.
    pub volume: i64,
    /// Shares that a buyer took.
    pub buy_volume: i64,
    /// Shares that a seller took.
    pub sell_volume: i64,
    /// Number of trades.
    pub trades: u64,
}

/// Which bars.
#[derive(Debug, Clone, Copy)]
pub struct BarsOf {
    /// How long a bar is.
    pub interval: Interval,
    /// The tape.
    pub tape: Tape,
    /// The symbol.
    pub symbol: Symbol,
    /// The first trading day; none = the last one that has trades.
    pub from_day: Option<TradeDate>,
    /// No bar before that, UTC seconds.
    pub from_seconds: i64,
}

/// A gap, as it was told last.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize, Serialize)]
pub struct GapRow {
    /// kr, us.
    pub market: String,
    /// kis, kiwoom.
    pub source: String,
    /// The trading day.
    pub trade_date: String,
    /// Connection; empty = no single one.
    pub connection: String,
    /// Tape; empty = more than one instrument.
    pub tape: String,
    /// Symbol; empty = more than one instrument.
    pub symbol: String,
    /// Why.
    pub reason: String,
    /// Last moment at which nothing was missing, UTC ns.
    pub from_ns: String,
    /// First moment at which nothing is missing any more, UTC ns.
    pub until_ns: Option<String>,
    /// Not closed, or with a residue.
    pub is_open: bool,
    /// What a person needs to know.
    pub detail: String,
    /// Shares that were missing when it was found; none = a stretch of time.
    pub missing_volume: Option<i64>,
    /// Shares still missing.
    pub open_volume: Option<i64>,
    /// Cumulative volume before the first missing share; none = a stretch of time.
    pub after_cumulative_volume: Option<i64>,
    /// Cumulative volume at the last missing share; none = a stretch of time.
    pub until_cumulative_volume: Option<i64>,
    /// Shares still missing after the last recovery; none = nobody has tried, or a stretch of time.
    pub residue: Option<i64>,
}

/// How complete a market's day is.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize, Serialize)]
pub struct DayCompleteness {
    /// kr, us.
    pub market: String,
    /// The trading day.
    pub trade_date: String,
    /// Instruments (a symbol on a tape) that have trades or a total.
    pub instruments: u64,
    /// Of these, every share is accounted for.
    pub proven: u64,
    /// No broker was asked for their total.
    pub no_total: u64,
    /// Their total was asked for before the day was over.
    pub not_final: u64,
    /// Shares are missing, too many, or a gap is open.
    pub open: u64,
    /// Shares missing in all of them.
    pub missing: i64,
    /// Shares that recovered trades alone cover.
    pub recovered_volume: i64,
    /// Shares that trades cover, each once.
    pub stored_volume: i64,
    /// Gaps of volume that are open.
    pub open_gaps: u64,
}

impl Store {
    /// Whether the server answers, tables or none.
    pub async fn answers(&self) -> bool {
        self.limited(self.server.query("SELECT 1").fetch_one::<u8>()).await.is_ok()
    }

    /// The bars of an instrument, at most `most`, the earliest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn bars(&self, of: BarsOf, most: usize) -> Result<Vec<Bar>, StoreError> {
        let (view, start) = match of.interval {
            Interval::Second => ("bars_1s", "bar.start_time"),
            Interval::Minute => ("bars_1m", "bar.start_time"),
            Interval::Day => ("bars_1d", "toDateTime(bar.trade_date, 'UTC')"),
        };
        let day = if of.from_day.is_some() {
            "bar.trade_date >= toDate(?)"
        } else {
            "bar.trade_date = (SELECT max(trades.trade_date) FROM trades WHERE trades.market = ? AND trades.symbol = ? AND trades.tape = ?)"
        };
        let sql = format!(
            "SELECT toUInt32(toUnixTimestamp({start})) AS start, toString(bar.open) AS open, toString(bar.high) AS high, \
             toString(bar.low) AS low, toString(bar.close) AS close, bar.volume AS volume, bar.buy_volume AS buy_volume, \
             bar.sell_volume AS sell_volume, bar.trades AS trades FROM {view} AS bar \
             WHERE bar.market = ? AND bar.symbol = ? AND bar.tape = ? AND {day} AND toUnixTimestamp({start}) >= ? \
             ORDER BY start LIMIT {most}"
        );
        let (market, symbol, tape) = (of.tape.market().as_str(), of.symbol.as_str(), of.tape.as_str());
        let query = self.client.query(&sql).bind(market).bind(symbol).bind(tape);
        let query = match of.from_day {
            Some(day) => query.bind(day.to_string()),
            None => query.bind(market).bind(symbol).bind(tape),
        };
        self.limited(query.bind(of.from_seconds).fetch_all::<Bar>()).await
    }

    /// The gaps of a market's day, at most `most`, the latest first; with `only_open` those that are not closed.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn gaps_of_day(
        &self,
        market: Market,
        day: TradeDate,
        only_open: bool,
        most: usize,
    ) -> Result<Vec<GapRow>, StoreError> {
        let open = if only_open { "AND gap.is_open" } else { "" };
        let sql = format!(
            "SELECT toString(gap.market) AS market, toString(gap.source) AS source, toString(gap.trade_date) AS trade_date, \
             toString(gap.connection) AS connection, toString(gap.tape) AS tape, toString(gap.symbol) AS symbol, gap.reason AS reason, \
             toString(toUnixTimestamp64Nano(gap.from_ns)) AS from_ns, \
             if(isNull(gap.until_ns), NULL, toString(toUnixTimestamp64Nano(assumeNotNull(gap.until_ns)))) AS until_ns, \
             gap.is_open AS is_open, gap.detail AS detail, gap.missing_volume AS missing_volume, gap.open_volume AS open_volume, \
             gap.after_cumulative_volume AS after_cumulative_volume, gap.until_cumulative_volume AS until_cumulative_volume, \
             gap.residue AS residue \
             FROM gaps AS gap WHERE gap.market = ? AND gap.trade_date = toDate(?) {open} \
             ORDER BY gap.from_ns DESC, symbol, tape LIMIT {most}"
        );
        let query = self.client.query(&sql).bind(market.as_str()).bind(day.to_string());
        self.limited(query.fetch_all::<GapRow>()).await
    }

    /// How complete the days of a market from `from` on are, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn completeness_by_day(
        &self,
        market: Market,
        from: TradeDate,
    ) -> Result<Vec<DayCompleteness>, StoreError> {
        let sql = "SELECT toString(day.market) AS market, toString(day.trade_date) AS trade_date, count() AS instruments, \
                   countIf(day.proven) AS proven, countIf(day.how = 'no_total') AS no_total, countIf(day.how = 'not_final') AS not_final, \
                   countIf(day.how IN ('beyond', 'missing', 'surplus', 'gap_open')) AS open, \
                   toInt64(sumIf(assumeNotNull(day.missing), ifNull(day.missing, 0) > 0)) AS missing, \
                   toInt64(sum(day.recovered_volume)) AS recovered_volume, toInt64(sum(day.stored_volume)) AS stored_volume, \
                   toUInt64(sum(day.open_gaps)) AS open_gaps \
                   FROM completeness AS day WHERE day.market = ? AND day.trade_date >= toDate(?) \
                   GROUP BY day.market, day.trade_date ORDER BY day.trade_date DESC LIMIT 100";
        let query = self.client.query(sql).bind(market.as_str()).bind(from.to_string());
        self.limited(query.fetch_all::<DayCompleteness>()).await
    }
}
