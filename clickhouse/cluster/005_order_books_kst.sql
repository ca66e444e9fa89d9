-- Written by scripts/lib/cluster_sql.py from clickhouse/005_order_books_kst.sql: change that. docs/cluster.md says how it is applied.
-- Order books for people: each snapshot once, times of Seoul, the best levels in columns of their own.
CREATE OR REPLACE VIEW order_books_kst ON CLUSTER '{cluster}' AS
SELECT
    toDateTime64(exchange_ns, 3, 'Asia/Seoul') AS exchange_time,
    toDateTime64(received_ns, 6, 'Asia/Seoul') AS received_time,
    market,
    source,
    tape,
    symbol,
    trade_date,
    if(empty(bid_prices), NULL, bid_prices[1]) AS best_bid,
    if(empty(ask_prices), NULL, ask_prices[1]) AS best_ask,
    best_ask - best_bid AS spread,
    bid_prices,
    bid_quantities,
    ask_prices,
    ask_quantities,
    total_bid_quantity,
    total_ask_quantity,
    expected_price,
    expected_quantity,
    cumulative_volume,
    session
FROM order_books FINAL
COMMENT 'order book snapshots, each once, times of Seoul'
