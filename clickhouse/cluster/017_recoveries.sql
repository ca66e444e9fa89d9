-- Written by scripts/lib/cluster_sql.py from clickhouse/017_recoveries.sql: change that. docs/cluster.md says how it is applied.
-- The ledger of recoveries: what a broker was asked for a stretch of volume, when, what came, what was added, and how it
-- is known that this is what was missing. One row for each attempt, named by the stretch and by when it began.
CREATE OR REPLACE VIEW recoveries ON CLUSTER '{cluster}'
(
    market LowCardinality(String) COMMENT 'kr, us',
    source LowCardinality(String) COMMENT 'broker that was asked: kis, kiwoom',
    tape LowCardinality(String) COMMENT 'krx, nxt, all (both), us, day',
    symbol LowCardinality(String) COMMENT 'bare symbol',
    trade_date Date COMMENT 'trading day of the exchange',
    after Int64 COMMENT 'cumulative volume before the first missing share',
    until Int64 COMMENT 'cumulative volume at the last missing share',
    method LowCardinality(String) COMMENT 'what was asked: ka10084, ka10079, ka10003, fhpst01060000, hhdfs76200300, none',
    asked UInt32 COMMENT 'pages asked for',
    returned UInt64 COMMENT 'rows that came',
    added UInt64 COMMENT 'trades published',
    added_volume Int64 COMMENT 'shares of the trades published',
    residue Int64 COMMENT 'shares still missing, 0 = none; negative = the broker has so many too many',
    proof LowCardinality(String) COMMENT 'chained, anchored, minutes, unproven, no_source',
    started_ns DateTime64(9, 'UTC') COMMENT 'when the first page was asked for',
    received_ns DateTime64(9, 'UTC') COMMENT 'when the outcome was told',
    detail String COMMENT 'what a person needs to know'
)
AS
SELECT
    market,
    outcome.1 AS source,
    tape,
    symbol,
    trade_date,
    assumeNotNull(attempt.after) AS after,
    assumeNotNull(attempt.until) AS until,
    outcome.2 AS method,
    assumeNotNull(outcome.3) AS asked,
    assumeNotNull(outcome.4) AS returned,
    assumeNotNull(outcome.5) AS added,
    assumeNotNull(outcome.6) AS added_volume,
    assumeNotNull(outcome.7) AS residue,
    outcome.8 AS proof,
    assumeNotNull(attempt.started_ns) AS started_ns,
    outcome.9 AS received_ns,
    outcome.10 AS detail
FROM
(
    SELECT
        market,
        tape,
        symbol,
        trade_date,
        after,
        until,
        started_ns,
        argMax(
            (source, method, asked, returned, added, added_volume, residue, proof, received_ns, detail),
            (received_ns, event_id)
        ) AS outcome
    FROM feed_status
    WHERE what = 'recovery' AND isNotNull(after) AND isNotNull(until) AND isNotNull(started_ns)
    GROUP BY market, tape, symbol, trade_date, after, until, started_ns
) AS attempt
COMMENT 'what brokers were asked for missing volume, and what came of it'
