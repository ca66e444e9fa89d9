-- Written by scripts/lib/cluster_sql.py from clickhouse/004_trades_kst.sql: change that. docs/cluster.md says how it is applied.
-- Trades for people: each print once, times of Seoul, no bookkeeping.
CREATE OR REPLACE VIEW trades_kst ON CLUSTER '{cluster}' AS
SELECT
    toDateTime64(exchange_ns, 3, 'Asia/Seoul') AS exchange_time,
    toDateTime64(received_ns, 6, 'Asia/Seoul') AS received_time,
    market,
    source,
    tape,
    symbol,
    trade_date,
    price,
    quantity,
    aggressor_side,
    cumulative_volume,
    cumulative_value,
    best_ask,
    best_bid,
    session,
    halted,
    origin
FROM trades FINAL
COMMENT 'trade prints, each once, times of Seoul'
