-- Which were the largest single trades of a day? By money, over all symbols of a tape, each print once.
-- Read from it: with side none and session open_auction or close_auction these are auction prints, else single orders.
SELECT
    symbol,
    toTimeZone(exchange_ns, 'Asia/Seoul') AS exchange_time,
    price,
    quantity,
    value,
    any(aggressor_side) AS side,
    any(session) AS phase,
    arraySort(groupUniqArray(source)) AS sources
FROM
(
    SELECT
        symbol,
        exchange_ns,
        price,
        quantity,
        cumulative_volume,
        toDecimal128(price, 4) * quantity AS value,
        aggressor_side,
        session,
        source
    FROM trades
    WHERE market = {market:String} AND trade_date = {trade_date:Date} AND tape = {tape:String}
    -- A print has a row for each broker and origin, so eight times as many rows hold as many prints.
    ORDER BY value DESC, symbol, cumulative_volume
    LIMIT {rows:UInt32} * 8
)
GROUP BY symbol, exchange_ns, price, quantity, value, cumulative_volume
ORDER BY value DESC, symbol, cumulative_volume
LIMIT {rows:UInt32}
