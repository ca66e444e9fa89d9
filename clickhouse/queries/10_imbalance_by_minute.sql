-- Who pressed, buyers or sellers? A row for each minute (Seoul) of a symbol: shares that buyers took less those that
-- sellers took, by the minute and since the day began, beside the price.
-- Read from it: a price that moves against the sum is being absorbed; volume that neither side took is auctions, or
-- recovered from a source that tells no side.
SELECT
    toTimeZone(start_time, 'Asia/Seoul') AS minute,
    close,
    volume,
    buy_volume - sell_volume AS imbalance,
    sum(buy_volume - sell_volume) OVER (ORDER BY start_time ROWS UNBOUNDED PRECEDING) AS imbalance_so_far,
    volume - buy_volume - sell_volume AS without_side
FROM bars_1m
WHERE market = {market:String} AND symbol = {symbol:String} AND trade_date = {trade_date:Date} AND tape = {tape:String}
ORDER BY start_time
