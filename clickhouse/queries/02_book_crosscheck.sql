-- Do the order books of both brokers agree? A row for each broker: how often its book had the best prices that the other
-- one showed at the same instant, how long the other had been standing when they differed, and which moves the other told first.
-- Read from it: agreement far below the usual share with a small delay is a parser's fault, with a large one a slow feed.
SELECT
    tape,
    source,
    count() AS books,
    countIf(agrees_on_prices = 1) AS same_prices,
    countIf(agrees = 1) AS same_quantities_too,
    intDiv(10000 * same_prices, books) AS same_prices_of_10000,
    quantileExactIf(0.5)(assumeNotNull(delay_ns), agrees_on_prices = 0) AS median_delay_where_not_ns,
    countIf(moved_first = other_source) AS moves_told_second
FROM book_crosscheck
WHERE market = {market:String} AND symbol = {symbol:String} AND trade_date = {trade_date:Date} AND isNotNull(delay_ns)
GROUP BY tape, source
ORDER BY tape, source
