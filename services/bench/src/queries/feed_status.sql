-- What is said of volume on one trading day (`day` from 0) of the prints of trades.sql: the total of each symbol, and for
-- each print that did not come live the gap, the recovery and its outcome.
INSERT INTO feed_status (market, source, what, trade_date, received_ns, connection_id, frame_sequence, record_index, origin,
    tape, symbol, reason, detail, from_ns, until_ns, after, until, residue, method, asked, returned, added, added_volume, proof,
    started_ns, volume, is_final, off_hours, stream, epoch, stream_sequence, event_id)
WITH
    toDate('2026-09-07') + {day:UInt32} + 2 * intDiv({day:UInt32}, 5) AS date,
    -- 09:00 in Seoul.
    toInt64(toUnixTimestamp(toDateTime(date, 'UTC'))) * 1000000000 AS open_ns,
    kind = 'day_total' AS is_total,
    kind = 'recovery' AS is_recovery,
    NOT is_total AS is_gap
SELECT
    'kr',
    'kiwoom',
    multiIf(kind != 'outcome', kind, is_recovered, 'gap_closed', 'gap_opened'),
    date,
    fromUnixTimestamp64Nano(open_ns + if(kind = 'gap_opened', after_us * 1000, 30000000000000 + k * 1000000), 'UTC'),
    open_ns - 1800000000000,
    0,
    0,
    'live',
    'krx',
    leftPad(toString(10 * ((593 + rank * 7919) % 99991)), 6, '0'),
    if(kind IN ('gap_opened', 'outcome'), 'chain_break', ''),
    '',
    if(is_gap, fromUnixTimestamp64Nano(open_ns + (after_us - pause_us) * 1000, 'UTC'), NULL),
    if(is_gap, fromUnixTimestamp64Nano(open_ns + (after_us + pause_us) * 1000, 'UTC'), NULL),
    if(is_gap, begin, NULL),
    if(is_gap, end, NULL),
    if(kind IN ('recovery', 'outcome'), if(is_recovered, 0, end - begin), NULL),
    if(is_recovery, 'ka10084', ''),
    if(is_recovery, 1, NULL),
    if(is_recovery, 100, NULL),
    if(is_recovery, is_recovered, NULL),
    if(is_recovery, if(is_recovered, end - begin, 0), NULL),
    multiIf(NOT is_recovery, '', is_recovered, 'chained', 'no_source'),
    if(is_recovery, fromUnixTimestamp64Nano(open_ns + 29000000000000 + k * 1000000, 'UTC'), NULL),
    if(is_total, end, NULL),
    if(is_total, true, NULL),
    if(is_total, 0, NULL),
    'STATUS',
    1,
    {day:UInt32} * 1000000 + rowNumberInAllBlocks(),
    cityHash64(kind, rank, {day:UInt32}, k)
FROM
(
    SELECT
        number AS rank,
        greatest(intDiv({scale:UInt64}, rank + 20), 1) AS prints,
        toInt64(arrayJoin(range(1, prints + 1))) AS k,
        k % 499 = 101 AS is_recovered,
        arrayJoin(multiIf(k % 499 NOT IN (101, 301), [], ['gap_opened', 'recovery', 'outcome'])) AS kind,
        intDiv(23400000000, prints + 1) AS pause_us,
        toInt64(k * pause_us + intDiv(cityHash64(rank, {day:UInt32}, k), 64) % pause_us) AS after_us,
        toInt64(if(k = 1, 0, 50 * (k - 1) + cityHash64(rank, {day:UInt32}, k - 1) % 49)) AS begin,
        toInt64(50 * k + cityHash64(rank, {day:UInt32}, k) % 49) AS end
    FROM numbers({symbols:UInt64})
    UNION ALL
    SELECT
        number AS rank,
        greatest(intDiv({scale:UInt64}, rank + 20), 1) AS prints,
        toInt64(prints) AS k,
        false,
        'day_total',
        1,
        0,
        0,
        toInt64(50 * k + cityHash64(rank, {day:UInt32}, k) % 49)
    FROM numbers({symbols:UInt64})
)
