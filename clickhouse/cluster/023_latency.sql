-- Written by scripts/lib/cluster_sql.py from clickhouse/023_latency.sql: change that. docs/cluster.md says how it is applied.
-- How old events are when they are read from the socket, by broker and hour: received_ns - exchange_ns of live trades and
-- order books.
--
-- - Both brokers tell whole seconds of the exchange, so that every value is up to a second too large; the least of an hour
--   is the offset of the clocks plus the shortest way. What tells brokers apart to the nanosecond is who was first with
--   the same trade (`clickhouse/queries/`).
-- - Ask for a market and trade_date: such a filter reaches the primary key.
CREATE OR REPLACE VIEW latency ON CLUSTER '{cluster}'
(
    market LowCardinality(String) COMMENT 'kr, us',
    source LowCardinality(String) COMMENT 'broker: kis, kiwoom',
    kind LowCardinality(String) COMMENT 'trades, order_books',
    trade_date Date COMMENT 'trading day of the exchange',
    hour DateTime('UTC') COMMENT 'begin of the hour of received_ns',
    events UInt64 COMMENT 'number of events',
    least_ns Int64 COMMENT 'smallest received_ns - exchange_ns; ns',
    median_ns Int64 COMMENT 'half of the events are at most so old; ns',
    p99_ns Int64 COMMENT '99 of 100 events are at most so old; ns',
    most_ns Int64 COMMENT 'largest received_ns - exchange_ns; ns'
)
AS
SELECT
    market,
    source,
    kind,
    trade_date,
    hour,
    count() AS events,
    min(age_ns) AS least_ns,
    quantileExactLow(0.5)(age_ns) AS median_ns,
    quantileExact(0.99)(age_ns) AS p99_ns,
    max(age_ns) AS most_ns
FROM
(
    SELECT
        market,
        source,
        'trades' AS kind,
        trade_date,
        toStartOfHour(received_ns) AS hour,
        toUnixTimestamp64Nano(received_ns) - toUnixTimestamp64Nano(exchange_ns) AS age_ns
    FROM trades
    WHERE origin = 'live'
    UNION ALL
    SELECT
        market,
        source,
        'order_books',
        trade_date,
        toStartOfHour(received_ns),
        toUnixTimestamp64Nano(received_ns) - toUnixTimestamp64Nano(exchange_ns)
    FROM order_books
    WHERE origin = 'live'
)
GROUP BY market, source, kind, trade_date, hour
COMMENT 'from exchange to socket, by broker and hour'
