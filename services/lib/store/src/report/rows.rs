//! The questions of a day's report as SQL, and the rows that answer them.

use clickhouse::Row;
use serde::Deserialize;

/// Events of one source, kind and origin.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct DayEvents {
    /// kis, kiwoom.
    pub source: String,
    /// trades, `order_books`.
    pub kind: String,
    /// live, recovered.
    pub origin: String,
    /// Rows. One that the server has not merged with its repetition yet counts twice.
    pub events: u64,
    /// Instruments (tape and symbol) that have any.
    pub instruments: u64,
}

/// Live events in a minute.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct MinuteEvents {
    /// Minutes since 1970 UTC, by our clock.
    pub minute: i64,
    /// kis, kiwoom.
    pub source: String,
    /// trades, `order_books`.
    pub kind: String,
    /// How many.
    pub events: u64,
}

/// A gap of time or of volume.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct DayGap {
    /// kis, kiwoom.
    pub source: String,
    /// Its connection; empty = no single one.
    pub connection: String,
    /// Its tape; empty = not one instrument.
    pub tape: String,
    /// Its symbol; empty = not one instrument.
    pub symbol: String,
    /// `disconnected`, `chain_break` and others.
    pub reason: String,
    /// Last moment at which nothing was missing, UTC ns.
    pub from_ns: i64,
    /// First moment at which nothing is missing any more, UTC ns; none so far.
    pub until_ns: Option<i64>,
    /// No closing event yet, or a residue.
    pub is_open: bool,
    /// Shares that were missing; none = a gap of time.
    pub missing_volume: Option<i64>,
    /// Shares missing now.
    pub open_volume: Option<i64>,
    /// What a person needs to know.
    pub detail: String,
}

/// Attempts at recovery by one method.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct DayRecovery {
    /// The broker that was asked.
    pub source: String,
    /// ka10084, ka10079, …
    pub method: String,
    /// Attempts.
    pub attempts: u64,
    /// Those that left nothing missing.
    pub closed: u64,
    /// Pages asked for.
    pub asked: u64,
    /// Rows that came.
    pub returned: u64,
    /// Trades published.
    pub added: u64,
    /// Their shares.
    pub added_volume: i64,
}

/// Recovered trades of an hour.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct HourRecovered {
    /// Hours since 1970 UTC, by the exchange.
    pub hour: i64,
    /// Trades.
    pub trades: u64,
    /// Their shares.
    pub volume: i64,
}

/// An instrument's day, as view `completeness` has it.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct DayCompleteness {
    /// The tape.
    pub tape: String,
    /// The symbol.
    pub symbol: String,
    /// Shares of the day, as a broker tells; none = no broker was asked.
    pub volume: Option<i64>,
    /// Shares that prints cover.
    pub stored_volume: i64,
    /// Those that no live print covers.
    pub recovered_volume: i64,
    /// Shares that need no print.
    pub off_hours_volume: i64,
    /// Shares missing; negative = too many; none = no total.
    pub missing: Option<i64>,
    /// Open gaps of volume.
    pub open_gaps: u64,
    /// Shares in them.
    pub open_volume: i64,
    /// Rows of trades.
    pub prints: u64,
    /// Whether every share is accounted for.
    pub proven: bool,
    /// By what, or why not.
    pub how: String,
}

/// Age at receipt over a day.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct DayDelay {
    /// kis, kiwoom.
    pub source: String,
    /// trades, `order_books`.
    pub kind: String,
    /// Live events.
    pub events: u64,
    /// Smallest age, ns.
    pub least_ns: i64,
    /// Half are at most so old, ns.
    pub median_ns: i64,
    /// 90 of 100 are at most so old, ns.
    pub p90_ns: i64,
    /// 99 of 100 are at most so old, ns.
    pub p99_ns: i64,
    /// Largest age, ns.
    pub most_ns: i64,
}

/// Age at receipt in an hour.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct HourDelay {
    /// Hours since 1970 UTC, by our clock.
    pub hour: i64,
    /// kis, kiwoom.
    pub source: String,
    /// trades, `order_books`.
    pub kind: String,
    /// Half are at most so old, ns.
    pub median_ns: i64,
    /// 99 of 100 are at most so old, ns.
    pub p99_ns: i64,
}

/// Refused registrations of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct DayRefusal {
    /// kis, kiwoom.
    pub source: String,
    /// The broker's code.
    pub code: String,
    /// The broker's text.
    pub text: String,
    /// How many.
    pub times: u64,
    /// One of them, in the broker's words.
    pub example: String,
}

const AGE: &str = "toUnixTimestamp64Nano(received_ns) - toUnixTimestamp64Nano(exchange_ns)";

pub(super) fn events(day: &str) -> String {
    let of = |table: &str| {
        format!(
            "SELECT toString(source) AS source, '{table}' AS kind, toString(origin) AS origin, count() AS events, \
             uniqExact(tape, symbol) AS instruments FROM {table} WHERE {day} GROUP BY source, origin"
        )
    };
    format!(
        "SELECT * FROM ({} UNION ALL {}) ORDER BY source, kind DESC, origin",
        of("trades"),
        of("order_books")
    )
}

pub(super) fn minutes(day: &str) -> String {
    let of = |table: &str| {
        format!(
            "SELECT intDiv(toUnixTimestamp64Nano(received_ns), 60000000000) AS minute, toString(source) AS source, \
             '{table}' AS kind, count() AS events FROM {table} WHERE {day} AND origin = 'live' GROUP BY minute, source"
        )
    };
    format!(
        "SELECT * FROM ({} UNION ALL {}) ORDER BY minute, source, kind DESC",
        of("trades"),
        of("order_books")
    )
}

pub(super) fn gaps(day: &str) -> String {
    format!(
        "SELECT toString(gap.source) AS source, toString(gap.connection) AS connection, toString(gap.tape) AS tape, \
         toString(gap.symbol) AS symbol, reason, toUnixTimestamp64Nano(gap.from_ns) AS from_ns, \
         toUnixTimestamp64Nano(gap.until_ns) AS until_ns, is_open, missing_volume, open_volume, detail \
         FROM gaps AS gap WHERE {day} ORDER BY is_open DESC, gap.from_ns, symbol, after_cumulative_volume"
    )
}

pub(super) fn recoveries(day: &str) -> String {
    format!(
        "SELECT toString(attempt.source) AS source, toString(attempt.method) AS method, count() AS attempts, \
         countIf(attempt.residue = 0) AS closed, sum(attempt.asked) AS asked, sum(attempt.returned) AS returned, \
         sum(attempt.added) AS added, sum(attempt.added_volume) AS added_volume FROM recoveries AS attempt WHERE {day} \
         GROUP BY attempt.source, attempt.method ORDER BY source, method"
    )
}

pub(super) fn recovered(day: &str) -> String {
    format!(
        "SELECT intDiv(toUnixTimestamp64Nano(exchange_ns), 3600000000000) AS hour, count() AS trades, \
         sum(quantity) AS volume FROM trades FINAL WHERE {day} AND origin = 'recovered' GROUP BY hour ORDER BY hour"
    )
}

pub(super) fn instruments(day: &str) -> String {
    format!(
        "SELECT toString(one.tape) AS tape, toString(one.symbol) AS symbol, volume, stored_volume, recovered_volume, \
         off_hours_volume, missing, open_gaps, open_volume, prints, proven, toString(one.how) AS how \
         FROM completeness AS one WHERE {day} ORDER BY tape, symbol"
    )
}

pub(super) fn delays(day: &str) -> String {
    let of = |table: &str| {
        format!(
            "SELECT toString(source) AS source, '{table}' AS kind, {AGE} AS age_ns FROM {table} \
             WHERE {day} AND origin = 'live'"
        )
    };
    format!(
        "SELECT source, kind, count() AS events, min(age_ns) AS least_ns, quantileExactLow(0.5)(age_ns) AS median_ns, \
         quantileExact(0.9)(age_ns) AS p90_ns, quantileExact(0.99)(age_ns) AS p99_ns, max(age_ns) AS most_ns \
         FROM ({} UNION ALL {}) GROUP BY source, kind ORDER BY source, kind DESC",
        of("trades"),
        of("order_books")
    )
}

pub(super) fn delays_by_hour(day: &str) -> String {
    format!(
        "SELECT intDiv(toInt64(toUnixTimestamp(row.hour)), 3600) AS hour, toString(row.source) AS source, \
         toString(row.kind) AS kind, median_ns, p99_ns FROM latency AS row WHERE {day} \
         ORDER BY hour, source, kind DESC"
    )
}

pub(super) fn refusals(day: &str) -> String {
    format!(
        "SELECT toString(status.source) AS source, toString(status.code) AS code, text, count() AS times, \
         min(registration) AS example FROM feed_status AS status FINAL WHERE {day} AND what = 'refused' \
         GROUP BY status.source, status.code, text ORDER BY times DESC, source, code"
    )
}
