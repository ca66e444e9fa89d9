-- Written by scripts/lib/cluster_sql.py from clickhouse/009_gaps.sql: change that. docs/cluster.md says how it is applied.
-- One row for each gap: its opening and its closing event tell the same gap, which is named by who, what and from when.
-- A gap without a closing event is open: until_ns and duration_ns are NULL.
CREATE OR REPLACE VIEW gaps ON CLUSTER '{cluster}'
(
    market LowCardinality(String) COMMENT 'kr, us',
    source LowCardinality(String) COMMENT 'broker: kis, kiwoom',
    trade_date Date COMMENT 'trading day of the market at the first event of the gap',
    connection LowCardinality(String) COMMENT 'connection by the name of its key; empty = no single one',
    tape LowCardinality(String) COMMENT 'tape of the one instrument concerned; empty = everything on the connection, or on all',
    symbol LowCardinality(String) COMMENT 'symbol of the one instrument concerned; empty = everything on the connection, or on all',
    reason String COMMENT 'disconnected, refused, journal_full, journal_damaged, failover and later ones',
    from_ns DateTime64(9, 'UTC') COMMENT 'last moment at which nothing was missing',
    until_ns Nullable(DateTime64(9, 'UTC')) COMMENT 'first moment at which nothing is missing any more; NULL = open',
    is_open Bool COMMENT 'no closing event yet',
    duration_ns Nullable(Int64) COMMENT 'until_ns - from_ns; NULL = open; ns',
    detail String COMMENT 'what a person needs to know, as the latest event of the gap tells it'
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
    argMax(status.detail, (status.until_ns IS NOT NULL, status.received_ns)) AS detail
FROM feed_status AS status
WHERE what IN ('gap_opened', 'gap_closed') AND isNotNull(status.from_ns)
GROUP BY market, source, connection, tape, symbol, reason, status.from_ns
COMMENT 'stretches in which events are missing, or may be: both edges, reason, whether open'
