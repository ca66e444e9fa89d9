-- How old are trades when they come, and how soon are they archived? A row for each broker: from the exchange to our
-- socket, and from the socket to the row being confirmed in the ledger.
-- Read from it: brokers tell whole seconds, so compare brokers with each other and days with days; `archived` below
-- `trades` means that the ledger does not tell of all of them.
SELECT
    trade.source AS source,
    count() AS trades,
    min(toUnixTimestamp64Nano(trade.received_ns) - toUnixTimestamp64Nano(trade.exchange_ns)) AS least_ns,
    quantileExactLow(0.5)(toUnixTimestamp64Nano(trade.received_ns) - toUnixTimestamp64Nano(trade.exchange_ns)) AS median_ns,
    quantileExact(0.99)(toUnixTimestamp64Nano(trade.received_ns) - toUnixTimestamp64Nano(trade.exchange_ns)) AS p99_ns,
    countIf(stretch.last >= trade.stream_sequence) AS archived,
    quantileExactLowIf(0.5)(
        1000000 * toUnixTimestamp64Milli(stretch.archived_at) - toUnixTimestamp64Nano(trade.received_ns),
        stretch.last >= trade.stream_sequence
    ) AS median_to_archived_ns
FROM
(
    SELECT source, stream, epoch, stream_sequence, exchange_ns, received_ns
    FROM trades
    WHERE market = {market:String} AND trade_date = {trade_date:Date} AND origin = 'live'
) AS trade
-- The ledger grows for ever: a day's trades are archived within days. Of overlapping stretches the latest counts.
ASOF LEFT JOIN
(
    SELECT stream, epoch, first, last, archived_at
    FROM archived
    WHERE archived_at >= toDateTime({trade_date:Date}) - INTERVAL 1 DAY AND archived_at < toDateTime({trade_date:Date}) + INTERVAL 4 DAY
) AS stretch
ON trade.stream = stretch.stream AND trade.epoch = stretch.epoch AND trade.stream_sequence >= stretch.first
GROUP BY source
ORDER BY source
