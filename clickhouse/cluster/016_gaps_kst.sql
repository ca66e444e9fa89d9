-- Written by scripts/lib/cluster_sql.py from clickhouse/016_gaps_kst.sql: change that. docs/cluster.md says how it is applied.
-- Gaps for people: times of Seoul, the duration in seconds.
CREATE OR REPLACE VIEW gaps_kst ON CLUSTER '{cluster}' AS
SELECT
    toDateTime64(from_ns, 6, 'Asia/Seoul') AS from_time,
    toDateTime64(until_ns, 6, 'Asia/Seoul') AS until_time,
    is_open,
    -- Without an end there is no duration: 0 inside, since the branch that is not taken is worked out too.
    if(isNull(duration_ns), NULL, toDecimal64(intDiv(ifNull(duration_ns, 0), 1000), 6) / 1000000) AS seconds,
    market,
    source,
    trade_date,
    connection,
    tape,
    symbol,
    reason,
    missing_volume,
    after_cumulative_volume,
    until_cumulative_volume,
    residue,
    open_volume,
    detail
FROM gaps AS gap
COMMENT 'gaps, times of Seoul'
