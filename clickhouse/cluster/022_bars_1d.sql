-- Written by scripts/lib/cluster_sql.py from clickhouse/022_bars_1d.sql: change that. docs/cluster.md says how it is applied.
-- Bars of one trading day over all sources: a row for each tape and trading day.
--
-- - From `trades_merged`: each trade once, from one source. Ask for a market, symbol and trade_date, as there.
-- - A row holds all phases of a day; the first price is that of the opening print where nothing was traded before it.
CREATE OR REPLACE VIEW bars_1d ON CLUSTER '{cluster}'
(
    market LowCardinality(String) COMMENT 'kr, us',
    tape LowCardinality(String) COMMENT 'krx, nxt, all (both), us, day',
    symbol LowCardinality(String) COMMENT 'bare symbol',
    trade_date Date COMMENT 'trading day of the exchange',
    open Decimal(18, 4) COMMENT 'price of the first trade; won or dollars',
    high Decimal(18, 4) COMMENT 'highest price; won or dollars',
    low Decimal(18, 4) COMMENT 'lowest price; won or dollars',
    close Decimal(18, 4) COMMENT 'price of the last trade; won or dollars',
    volume Int64 COMMENT 'shares',
    value Decimal(38, 4) COMMENT 'price times quantity, summed; won or dollars',
    buy_volume Int64 COMMENT 'shares that a buyer took',
    sell_volume Int64 COMMENT 'shares that a seller took; what is neither is an auction, or the side is not known',
    recovered_volume Int64 COMMENT 'shares of recovered trades',
    trades UInt64 COMMENT 'number of trades',
    first_cumulative_volume Int64 COMMENT 'cumulative volume before the first trade',
    last_cumulative_volume Int64 COMMENT 'cumulative volume after the last trade; the difference is volume unless shares are missing'
)
AS
SELECT
    market,
    tape,
    symbol,
    trade_date,
    argMin(trade.price, trade.cumulative_volume) AS open,
    max(trade.price) AS high,
    min(trade.price) AS low,
    argMax(trade.price, trade.cumulative_volume) AS close,
    sum(trade.quantity) AS volume,
    sum(toDecimal128(trade.price, 4) * trade.quantity) AS value,
    sumIf(trade.quantity, trade.aggressor_side = 'buy') AS buy_volume,
    sumIf(trade.quantity, trade.aggressor_side = 'sell') AS sell_volume,
    sumIf(trade.quantity, trade.origin = 'recovered') AS recovered_volume,
    count() AS trades,
    min(trade.cumulative_volume - trade.quantity) AS first_cumulative_volume,
    max(trade.cumulative_volume) AS last_cumulative_volume
FROM trades_merged AS trade
GROUP BY market, tape, symbol, trade_date
COMMENT 'bars of one trading day'
