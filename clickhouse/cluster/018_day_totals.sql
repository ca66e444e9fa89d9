-- Written by scripts/lib/cluster_sql.py from clickhouse/018_day_totals.sql: change that. docs/cluster.md says how it is applied.
-- What brokers say of whole days: one row for each thing said, with the time at which it was last said. `completeness`
-- takes the latest one that is final.
CREATE OR REPLACE VIEW day_totals ON CLUSTER '{cluster}'
(
    market LowCardinality(String) COMMENT 'kr, us',
    source LowCardinality(String) COMMENT 'broker that was asked: kis, kiwoom',
    tape LowCardinality(String) COMMENT 'krx, nxt, all (both), us, day',
    symbol LowCardinality(String) COMMENT 'bare symbol',
    trade_date Date COMMENT 'trading day of the exchange',
    volume Int64 COMMENT 'shares of the day',
    off_hours Int64 COMMENT 'the part of volume that no print covers, as the rows of the broker prove',
    is_final Bool COMMENT 'asked after the last phase of the day',
    method LowCardinality(String) COMMENT 'what was asked: ka10084, ka10079, ka10003, fhpst01060000, hhdfs76200300, none',
    received_ns DateTime64(9, 'UTC') COMMENT 'when it was last said'
)
AS
SELECT
    market,
    source,
    tape,
    symbol,
    trade_date,
    assumeNotNull(total.volume) AS volume,
    ifNull(total.off_hours, 0) AS off_hours,
    ifNull(total.is_final, false) AS is_final,
    method,
    max(total.received_ns) AS received_ns
FROM feed_status AS total
WHERE what = 'day_total' AND isNotNull(total.volume)
GROUP BY market, source, tape, symbol, trade_date, total.volume, total.off_hours, total.is_final, method
COMMENT 'shares of whole days, as brokers tell'
