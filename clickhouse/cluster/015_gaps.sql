-- Written by scripts/lib/cluster_sql.py from clickhouse/015_gaps.sql: change that. docs/cluster.md says how it is applied.
-- One row for each gap. Two kinds of them:
--
-- - A stretch of time (a lost connection, a refused record): its opening and its closing event tell the same gap, which is
--   named by who, what and from when. Without a closing event it is open, and until_ns and duration_ns are NULL.
-- - A stretch of volume: shares (after_cumulative_volume, until_cumulative_volume] of a tape's day that no print covers,
--   whoever said so. The last word counts: closed without a residue it is closed, everything else leaves it open, with
--   the residue where a recovery was tried. from_ns and until_ns are the prints around it.
CREATE OR REPLACE VIEW gaps ON CLUSTER '{cluster}'
(
    market LowCardinality(String) COMMENT 'kr, us',
    source LowCardinality(String) COMMENT 'broker: kis, kiwoom; of volume: who had the last word',
    trade_date Date COMMENT 'trading day of the market at the first event of the gap; of volume the day it is missing from',
    connection LowCardinality(String) COMMENT 'connection by the name of its key; empty = no single one',
    tape LowCardinality(String) COMMENT 'tape of the one instrument concerned; empty = everything on the connection, or on all',
    symbol LowCardinality(String) COMMENT 'symbol of the one instrument concerned; empty = everything on the connection, or on all',
    reason String COMMENT 'disconnected, refused, journal_full, journal_damaged, failover, chain_break, server_lost and later ones',
    from_ns DateTime64(9, 'UTC') COMMENT 'last moment at which nothing was missing',
    until_ns Nullable(DateTime64(9, 'UTC')) COMMENT 'first moment at which nothing is missing any more; NULL = none so far',
    is_open Bool COMMENT 'no closing event yet, or a residue',
    duration_ns Nullable(Int64) COMMENT 'until_ns - from_ns; ns',
    detail String COMMENT 'what a person needs to know, as the latest event of the gap tells it',
    missing_volume Nullable(Int64) COMMENT 'shares that were missing when it was found; NULL = a stretch of time, as in the columns below',
    after_cumulative_volume Nullable(Int64) COMMENT 'cumulative volume before the first missing share',
    until_cumulative_volume Nullable(Int64) COMMENT 'cumulative volume at the last missing share',
    residue Nullable(Int64) COMMENT 'shares still missing after the last recovery; NULL = nobody has tried, too',
    open_volume Nullable(Int64) COMMENT 'shares still missing now: 0 = closed, else the residue, else missing_volume'
)
AS
SELECT
    market,
    source,
    min(status.trade_date) AS trade_date,
    connection,
    tape,
    symbol,
    reason,
    assumeNotNull(status.from_ns) AS from_ns,
    max(status.until_ns) AS until_ns,
    CAST(isNull(until_ns), 'Bool') AS is_open,
    toUnixTimestamp64Nano(until_ns) - toUnixTimestamp64Nano(from_ns) AS duration_ns,
    argMax(status.detail, (status.until_ns IS NOT NULL, status.received_ns)) AS detail,
    CAST(NULL, 'Nullable(Int64)') AS missing_volume,
    CAST(NULL, 'Nullable(Int64)') AS after_cumulative_volume,
    CAST(NULL, 'Nullable(Int64)') AS until_cumulative_volume,
    CAST(NULL, 'Nullable(Int64)') AS residue,
    CAST(NULL, 'Nullable(Int64)') AS open_volume
FROM feed_status AS status
WHERE what IN ('gap_opened', 'gap_closed') AND isNotNull(status.from_ns) AND isNull(status.after)
GROUP BY market, source, connection, tape, symbol, reason, status.from_ns
UNION ALL
SELECT
    market,
    last_word.1 AS source,
    trade_date,
    last_word.2 AS connection,
    tape,
    symbol,
    last_word.3 AS reason,
    assumeNotNull(last_word.4) AS from_ns,
    last_word.5 AS until_ns,
    CAST(NOT (last_word.6 = 'gap_closed' AND ifNull(last_word.7, 0) = 0), 'Bool') AS is_open,
    toUnixTimestamp64Nano(until_ns) - toUnixTimestamp64Nano(from_ns) AS duration_ns,
    last_word.8 AS detail,
    until_cumulative_volume - after_cumulative_volume AS missing_volume,
    status.after AS after_cumulative_volume,
    status.until AS until_cumulative_volume,
    last_word.7 AS residue,
    if(is_open, coalesce(residue, missing_volume), 0) AS open_volume
FROM
(
    SELECT
        market,
        tape,
        symbol,
        trade_date,
        after,
        until,
        -- Of two words at one time the closing one is the later.
        argMax(
            (source, connection, reason, from_ns, until_ns, what, residue, detail),
            (received_ns, what = 'gap_closed', event_id)
        ) AS last_word
    FROM feed_status
    WHERE what IN ('gap_opened', 'gap_closed') AND isNotNull(from_ns) AND isNotNull(after) AND isNotNull(until)
    GROUP BY market, tape, symbol, trade_date, after, until
) AS status
COMMENT 'stretches of time or of volume in which events are missing, or may be: both edges, reason, whether open'
