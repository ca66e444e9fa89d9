-- Written by scripts/lib/cluster_sql.py from clickhouse/011_gaps_kst.sql: change that. docs/cluster.md says how it is applied.
-- Gaps for people: times of Seoul, the duration in seconds.
CREATE OR REPLACE VIEW gaps_kst ON CLUSTER '{cluster}' AS
SELECT
    toDateTime64(from_ns, 6, 'Asia/Seoul') AS from_time,
    toDateTime64(until_ns, 6, 'Asia/Seoul') AS until_time,
    is_open,
    -- An open gap has no duration: 0 inside, since the branch that is not taken is worked out too.
    if(is_open, NULL, toDecimal64(intDiv(ifNull(duration_ns, 0), 1000), 6) / 1000000) AS seconds,
    market,
    source,
    trade_date,
    connection,
    tape,
    symbol,
    reason,
    detail
FROM gaps AS gap
COMMENT 'gaps, times of Seoul'
