-- The prints of one trading day (`day` from 0) as one broker (`source`) tells them. There are `symbols` symbols; that of
-- rank r has `scale` / (r + 20) prints. Both brokers tell the same ones, milliseconds apart. Of each 499 of a symbol the
-- 101st came recovered from kiwoom alone, and the 301st never. `before` prints of the stream came on days before.
INSERT INTO trades (market, source, tape, symbol, trade_date, exchange_ns, received_ns, connection_id, frame_sequence,
    record_index, origin, price, quantity, aggressor_side, cumulative_volume, cumulative_value, cumulative_value_step,
    best_ask, best_bid, session, session_codes, halted, stream, epoch, stream_sequence, event_id)
WITH
    toDate('2026-09-07') + {day:UInt32} + 2 * intDiv({day:UInt32}, 5) AS date,
    -- 09:00 in Seoul.
    toInt64(toUnixTimestamp(toDateTime(date, 'UTC'))) * 1000000000 AS open_ns
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
    if(is_recovered, 'recovered', 'live'),
    toDecimal64(price, 4),
    end - (k - 1) * 50 - if(k = 1, 0, cityHash64(rank, {day:UInt32}, k - 1) % 49),
    multiIf(k = 1 OR k = prints, 'none', is_recovered, 'unspecified', bitAnd(hash, 64) = 0, 'buy', 'sell'),
    50 * k + hash % 49 AS end,
    toDecimal64(end * price, 4),
    toDecimal64(1, 4),
    toDecimal64(price + if(bitAnd(hash, 64) = 0, 0, tick), 4),
    toDecimal64(price - if(bitAnd(hash, 64) = 0, tick, 0), 4),
    multiIf(k = 1, 'open_auction', k = prints, 'close_auction', 'continuous'),
    '20',
    false,
    if(is_recovered, 'RECOVERED', 'TICKER_KR_' || upper({source:String})),
    1,
    {before:UInt64} + number,
    cityHash64({source:String}, rank, {day:UInt32}, k)
FROM
(
    SELECT *, row_number() OVER (ORDER BY arrived_ns, rank) AS number
    FROM
    (
        SELECT
            number AS rank,
            greatest(intDiv({scale:UInt64}, rank + 20), 1) AS prints,
            toInt64(arrayJoin(range(1, prints + 1))) AS k,
            cityHash64(rank, {day:UInt32}, k) AS hash,
            k % 499 = 101 AS is_recovered,
            intDiv(23400000000, prints + 1) AS pause_us,
            toInt64(k * pause_us + intDiv(hash, 64) % pause_us) AS after_us,
            toInt64(after_us * 1000 + 20000000 + if({source:String} = 'kis', 0, 3000000)
                + cityHash64({source:String}, hash) % 9000000 + if(is_recovered, 30000000000000, 0)) AS arrived_ns,
            -- Steps of the exchange, of a price that begins anywhere and swings without a float.
            [100, 500, 1, 50, 5, 10, 1000][1 + rank % 7] AS tick,
            toInt64(tick * (2000 + cityHash64(rank, {day:UInt32}) % 2000
                + intDiv(abs(k % 800 - 400), 8) + intDiv(abs(k % 94 - 47), 10) + hash % 3)) AS price
        FROM numbers({symbols:UInt64})
    )
    WHERE k % 499 != 301 AND (NOT is_recovered OR {source:String} = 'kiwoom')
)
