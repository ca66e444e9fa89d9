-- Written by scripts/lib/cluster_sql.py from clickhouse/010_feed_status_kst.sql: change that. docs/cluster.md says how it is applied.
-- Status events for people: each once, times of Seoul, no bookkeeping.
CREATE OR REPLACE VIEW feed_status_kst ON CLUSTER '{cluster}' AS
SELECT
    toDateTime64(received_ns, 6, 'Asia/Seoul') AS received_time,
    market,
    source,
    trade_date,
    what,
    connection,
    tape,
    symbol,
    reason,
    registration,
    code,
    text,
    detail,
    registered,
    refused,
    symbols,
    toDateTime64(since_ns, 6, 'Asia/Seoul') AS since_time,
    toDateTime64(from_ns, 6, 'Asia/Seoul') AS from_time,
    toDateTime64(until_ns, 6, 'Asia/Seoul') AS until_time,
    event
FROM feed_status FINAL
COMMENT 'status events of the feeds, each once, times of Seoul'
