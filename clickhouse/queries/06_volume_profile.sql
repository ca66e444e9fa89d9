-- At which prices was a symbol traded? A row for each price of a day, highest first: shares, what of them buyers and
-- sellers took, and the share of the day.
-- Read from it: the price with the most shares is the day's point of control; neither bought nor sold is auction volume.
SELECT
    price,
    count() AS trades,
    sum(quantity) AS shares,
    sumIf(quantity, aggressor_side = 'buy') AS bought,
    sumIf(quantity, aggressor_side = 'sell') AS sold,
    intDiv(10000 * shares, sum(shares) OVER ()) AS of_10000
FROM trades_merged
WHERE market = {market:String} AND symbol = {symbol:String} AND trade_date = {trade_date:Date} AND tape = {tape:String}
GROUP BY price
ORDER BY price DESC
