-- The order books of one trading day (`day` from 0) as one broker (`source`) tells them. There are `symbols` symbols; that
-- of rank r has `scale` / (r + 20) books. `before` books of the stream came on days before.
INSERT INTO order_books (market, source, tape, symbol, trade_date, exchange_ns, received_ns, connection_id, frame_sequence,
    record_index, origin, ask_prices, ask_quantities, bid_prices, bid_quantities, total_ask_quantity, total_bid_quantity,
    expected_price, expected_quantity, cumulative_volume, session, session_codes, stream, epoch, stream_sequence, event_id)
WITH
    toDate('2026-09-07') + {day:UInt32} + 2 * intDiv({day:UInt32}, 5) AS date,
    -- 09:00 in Seoul.
    toInt64(toUnixTimestamp(toDateTime(date, 'UTC'))) * 1000000000 AS open_ns,
    -- What stands at a price stays for some books: the further from the best, the longer.
    (price, level) -> toInt64(1 + cityHash64(price, intDiv(k, 3 + 4 * level)) % 5000) AS standing
SELECT
    'kr',
    {source:String},
    'krx',
    leftPad(toString(10 * ((593 + rank * 7919) % 99991)), 6, '0'),
    date,
    fromUnixTimestamp64Nano(open_ns + intDiv(after_us, 1000000) * 1000000000, 'UTC'),
    fromUnixTimestamp64Nano(open_ns + arrived_ns, 'UTC'),
    open_ns - 1800000000000 + rank % 25,
    number,
    intDiv(hash, 7) % 8 = 0,
    'live',
    arrayMap(level -> toDecimal64(price + tick * level, 4), range(1, 11)),
    arrayMap(level -> standing(price + tick * level, level), range(1, 11)) AS asked,
    arrayMap(level -> toDecimal64(price - tick * (level - 1), 4), range(1, 11)),
    arrayMap(level -> standing(price - tick * (level - 1), level), range(1, 11)) AS bidden,
    arraySum(asked),
    arraySum(bidden),
    NULL,
    0,
    50 * k,
    multiIf(k = 1, 'open_auction', k = books, 'close_auction', 'continuous'),
    '0',
    'ORDERBOOK_KR_' || upper({source:String}),
    1,
    {before:UInt64} + number,
    cityHash64('book', {source:String}, rank, {day:UInt32}, k)
FROM
(
    SELECT *, row_number() OVER (ORDER BY arrived_ns, rank) AS number
    FROM
    (
        SELECT
            number AS rank,
            greatest(intDiv({scale:UInt64}, rank + 20), 1) AS books,
            toInt64(arrayJoin(range(1, books + 1))) AS k,
            cityHash64(rank, {day:UInt32}, k) AS hash,
            intDiv(23400000000, books + 1) AS pause_us,
            toInt64(k * pause_us + intDiv(hash, 64) % pause_us) AS after_us,
            toInt64(after_us * 1000 + 20000000 + if({source:String} = 'kis', 0, 3000000)
                + cityHash64({source:String}, hash) % 9000000) AS arrived_ns,
            -- Steps of the exchange, of a price that begins anywhere and swings without a float.
            [100, 500, 1, 50, 5, 10, 1000][1 + rank % 7] AS tick,
            toInt64(tick * (2000 + cityHash64(rank, {day:UInt32}) % 2000
                + intDiv(abs(k % 800 - 400), 8) + intDiv(abs(k % 94 - 47), 10) + hash % 3)) AS price
        FROM numbers({symbols:UInt64})
    )
)
