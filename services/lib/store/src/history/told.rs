//! What was said of a market's day: gaps in the volume and their state, recoveries, day totals, recorded outages.

use clickhouse::Row;
use market::recovery::{Method, Proof};
use market::{Market, Quantity, Source, Symbol, Tape, TradeDate};
use serde::Deserialize;

use super::InstrumentDay;
use super::prints::unknown;
use crate::connect::Store;
use crate::error::StoreError;

/// Rows of one answer: a market's day of 20,000 instruments with a hundred gaps each.
const MOST_ROWS: usize = 2_000_000;

/// A gap in the cumulative volume, as it was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldGap {
    /// Whose.
    pub of: InstrumentDay,
    /// Cumulative volume before the first missing share.
    pub after: Quantity,
    /// Cumulative volume at the last missing share.
    pub until: Quantity,
    /// No closing event, or one that left a residue.
    pub is_open: bool,
    /// Shares still missing after a recovery; none = nobody has tried.
    pub residue: Option<Quantity>,
    /// Last moment before it, UTC ns.
    pub from_ns: i64,
    /// First moment after it, UTC ns.
    pub until_ns: Option<i64>,
    /// What a person needs to know.
    pub detail: String,
}

/// An entry of the ledger of recoveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRecovery {
    /// Whose.
    pub of: InstrumentDay,
    /// The broker that was asked.
    pub source: Source,
    /// Cumulative volume before the first share asked for.
    pub after: Quantity,
    /// Cumulative volume at the last share asked for.
    pub until: Quantity,
    /// What was asked.
    pub method: Method,
    /// Pages.
    pub asked: u32,
    /// Rows that came.
    pub returned: u64,
    /// Trades published.
    pub added: u64,
    /// Their shares.
    pub added_volume: Quantity,
    /// Shares still missing; negative: the source has too many.
    pub residue: i64,
    /// How it is known.
    pub proof: Proof,
    /// When the first page was asked for, UTC ns.
    pub started_ns: i64,
    /// What a person needs to know.
    pub detail: String,
}

/// What a broker said of a day's volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldTotal {
    /// Whose.
    pub of: InstrumentDay,
    /// The broker.
    pub source: Source,
    /// Shares of the day.
    pub volume: Quantity,
    /// What was asked.
    pub method: Method,
    /// Whether the day was over.
    pub is_final: bool,
    /// The part of it that no print covers, as the broker's rows prove.
    pub off_hours: Quantity,
    /// When it was told, UTC ns.
    pub received_ns: i64,
}

/// A recorded outage of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// The broker.
    pub source: Source,
    /// The connection by the name of its key; empty = no single one.
    pub connection: String,
    /// The instrument, if only one is concerned.
    pub instrument: Option<(Tape, Symbol)>,
    /// Why.
    pub reason: String,
    /// Last moment at which nothing was missing, UTC ns.
    pub from_ns: i64,
    /// First moment at which nothing is missing any more, UTC ns; none = open.
    pub until_ns: Option<i64>,
    /// What a person needs to know.
    pub detail: String,
}

#[derive(Row, Deserialize)]
struct GapRow {
    tape: String,
    symbol: String,
    after_cumulative_volume: i64,
    until_cumulative_volume: i64,
    is_open: bool,
    residue: Option<i64>,
    from_ns: i64,
    until_ns: Option<i64>,
    detail: String,
}

#[derive(Row, Deserialize)]
struct RecoveryRow {
    source: String,
    tape: String,
    symbol: String,
    after: i64,
    until: i64,
    method: String,
    asked: u32,
    returned: u64,
    added: u64,
    added_volume: i64,
    residue: i64,
    proof: String,
    started_ns: i64,
    detail: String,
}

#[derive(Row, Deserialize)]
struct TotalRow {
    source: String,
    tape: String,
    symbol: String,
    volume: i64,
    method: String,
    is_final: bool,
    off_hours: i64,
    received_ns: i64,
}

#[derive(Row, Deserialize)]
struct OutageRow {
    source: String,
    connection: String,
    tape: String,
    symbol: String,
    reason: String,
    from_ns: i64,
    until_ns: Option<i64>,
    detail: String,
}

impl Store {
    /// The gaps in the volume of a market's day, open and closed; of one symbol or of all.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn volume_gaps(
        &self,
        market: Market,
        trade_date: TradeDate,
        symbol: Option<&Symbol>,
    ) -> Result<Vec<ToldGap>, StoreError> {
        let sql = format!(
            "SELECT toString(tape) AS tape, toString(symbol) AS symbol, assumeNotNull(gap.after_cumulative_volume) AS after_cumulative_volume, \
             assumeNotNull(gap.until_cumulative_volume) AS until_cumulative_volume, is_open, residue, from_ns, until_ns, detail \
             FROM gaps AS gap WHERE market = '{market}' AND trade_date = '{trade_date}' \
             AND gap.after_cumulative_volume IS NOT NULL{} \
             ORDER BY tape, symbol, after_cumulative_volume, until_cumulative_volume LIMIT {MOST_ROWS}",
            only(symbol)
        );
        let rows = self.told_rows::<GapRow>(&sql, symbol).await?;
        let told = |row: GapRow| {
            Ok(ToldGap {
                of: of(&row.tape, &row.symbol, trade_date)?,
                after: Quantity::from_units(row.after_cumulative_volume),
                until: Quantity::from_units(row.until_cumulative_volume),
                is_open: row.is_open,
                residue: row.residue.map(Quantity::from_units),
                from_ns: row.from_ns,
                until_ns: row.until_ns,
                detail: row.detail,
            })
        };
        rows.into_iter().map(told).collect()
    }

    /// What brokers were asked for a market's day, the earliest first; of one symbol or of all.
    ///
    /// # Errors
    /// As [`Store::volume_gaps`].
    pub async fn recoveries(
        &self,
        market: Market,
        trade_date: TradeDate,
        symbol: Option<&Symbol>,
    ) -> Result<Vec<ToldRecovery>, StoreError> {
        let sql = format!(
            "SELECT toString(source) AS source, toString(tape) AS tape, toString(symbol) AS symbol, recovery.after AS after, \
             recovery.until AS until, toString(method) AS method, asked, returned, added, added_volume, residue, \
             toString(proof) AS proof, started_ns, detail \
             FROM recoveries AS recovery WHERE market = '{market}' AND trade_date = '{trade_date}'{} \
             ORDER BY tape, symbol, started_ns, after LIMIT {MOST_ROWS}",
            only(symbol)
        );
        let rows = self.told_rows::<RecoveryRow>(&sql, symbol).await?;
        let told = |row: RecoveryRow| {
            Ok(ToldRecovery {
                of: of(&row.tape, &row.symbol, trade_date)?,
                source: source(&row.source)?,
                after: Quantity::from_units(row.after),
                until: Quantity::from_units(row.until),
                method: Method::from_word(&row.method).ok_or_else(|| unknown("method", &row.method))?,
                asked: row.asked,
                returned: row.returned,
                added: row.added,
                added_volume: Quantity::from_units(row.added_volume),
                residue: row.residue,
                proof: Proof::from_word(&row.proof).ok_or_else(|| unknown("proof", &row.proof))?,
                started_ns: row.started_ns,
                detail: row.detail,
            })
        };
        rows.into_iter().map(told).collect()
    }

    /// What brokers said of the volume of each instrument of a market's day, final ones and later ones last; of one symbol or
    /// of all.
    ///
    /// # Errors
    /// As [`Store::volume_gaps`].
    pub async fn day_totals(
        &self,
        market: Market,
        trade_date: TradeDate,
        symbol: Option<&Symbol>,
    ) -> Result<Vec<ToldTotal>, StoreError> {
        let sql = format!(
            "SELECT toString(source) AS source, toString(tape) AS tape, toString(symbol) AS symbol, volume, toString(method) AS method, \
             is_final, off_hours, received_ns \
             FROM day_totals WHERE market = '{market}' AND trade_date = '{trade_date}'{} \
             ORDER BY tape, symbol, is_final, received_ns LIMIT {MOST_ROWS}",
            only(symbol)
        );
        let rows = self.told_rows::<TotalRow>(&sql, symbol).await?;
        let told = |row: TotalRow| {
            Ok(ToldTotal {
                of: of(&row.tape, &row.symbol, trade_date)?,
                source: source(&row.source)?,
                volume: Quantity::from_units(row.volume),
                method: Method::from_word(&row.method).ok_or_else(|| unknown("method", &row.method))?,
                is_final: row.is_final,
                off_hours: Quantity::from_units(row.off_hours),
                received_ns: row.received_ns,
            })
        };
        rows.into_iter().map(told).collect()
    }

    /// The recorded outages of a market's feeds that touch the time from `from_ns` to `until_ns`, in the order of their
    /// beginnings.
    ///
    /// # Errors
    /// As [`Store::volume_gaps`].
    pub async fn outages(
        &self,
        market: Market,
        from_ns: i64,
        until_ns: i64,
    ) -> Result<Vec<Outage>, StoreError> {
        let sql = format!(
            "SELECT toString(source) AS source, toString(connection) AS connection, toString(tape) AS tape, toString(symbol) AS symbol, \
             reason, gap.from_ns AS from_ns, gap.until_ns AS until_ns, detail \
             FROM gaps AS gap WHERE market = '{market}' AND gap.after_cumulative_volume IS NULL \
             AND gap.from_ns < fromUnixTimestamp64Nano({until_ns}, 'UTC') \
             AND (gap.until_ns IS NULL OR gap.until_ns > fromUnixTimestamp64Nano({from_ns}, 'UTC')) \
             ORDER BY from_ns, source, connection, tape, symbol LIMIT {MOST_ROWS}"
        );
        let rows = self.told_rows::<OutageRow>(&sql, None).await?;
        let told = |row: OutageRow| {
            let instrument = match (row.tape.as_str(), row.symbol.as_str()) {
                ("", _) | (_, "") => None,
                (tape, symbol) => Some(instrument(tape, symbol)?),
            };
            Ok(Outage {
                source: source(&row.source)?,
                connection: row.connection,
                instrument,
                reason: row.reason,
                from_ns: row.from_ns,
                until_ns: row.until_ns,
                detail: row.detail,
            })
        };
        rows.into_iter().map(told).collect()
    }

    async fn told_rows<T>(&self, sql: &str, symbol: Option<&Symbol>) -> Result<Vec<T>, StoreError>
    where
        T: clickhouse::RowOwned + clickhouse::RowRead,
    {
        let query = self.client.query(sql);
        let query = match symbol {
            Some(symbol) => query.bind(symbol.as_str()),
            None => query,
        };
        self.limited(query.fetch_all::<T>()).await
    }
}

/// The condition for one symbol, which is bound.
fn only(symbol: Option<&Symbol>) -> &'static str {
    symbol.map_or("", |_| " AND symbol = ?")
}

fn of(tape: &str, symbol: &str, trade_date: TradeDate) -> Result<InstrumentDay, StoreError> {
    let (tape, symbol) = instrument(tape, symbol)?;
    Ok(InstrumentDay { tape, symbol, trade_date })
}

fn instrument(tape: &str, symbol: &str) -> Result<(Tape, Symbol), StoreError> {
    let tape = Tape::from_word(tape).ok_or_else(|| unknown("tape", tape))?;
    let symbol = Symbol::parse(symbol).map_err(|_| unknown("symbol", symbol))?;
    Ok((tape, symbol))
}

fn source(word: &str) -> Result<Source, StoreError> {
    Source::from_word(word).ok_or_else(|| unknown("source", word))
}
