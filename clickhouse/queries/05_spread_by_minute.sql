-- How wide is the spread through the day? A row for each minute (Seoul) of one symbol at one broker: books with both
-- sides, and the smallest, median and largest distance of best ask and best bid.
-- Read from it: a median of one tick is a liquid minute; auctions cross (0 or negative) and are left out by the session.
SELECT
    toStartOfMinute(toTimeZone(received_ns, 'Asia/Seoul')) AS minute,
    count() AS books,
    min(ask_prices[1] - bid_prices[1]) AS smallest,
    quantileExactLow(0.5)(ask_prices[1] - bid_prices[1]) AS median,
    max(ask_prices[1] - bid_prices[1]) AS largest
FROM order_books FINAL
WHERE market = {market:String} AND symbol = {symbol:String} AND trade_date = {trade_date:Date}
    AND source = {source:String} AND tape = {tape:String}
    AND session NOT IN ('open_auction', 'close_auction', 'after_auction', 'single_price')
    AND notEmpty(ask_prices) AND notEmpty(bid_prices) AND ask_prices[1] > 0 AND bid_prices[1] > 0
GROUP BY minute
ORDER BY minute
