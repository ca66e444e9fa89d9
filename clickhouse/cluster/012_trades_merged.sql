-- Written by scripts/lib/cluster_sql.py from clickhouse/012_trades_merged.sql: change that. docs/cluster.md says how it is applied.
-- One row for each trade over all sources. A print covers the shares (cumulative_volume - quantity, cumulative_volume] of
-- its tape's day: the view covers that line once, print by print, and never lays two prints over the same shares.
--
-- - Prints that overlap, directly or through others, are one stretch. Nearly always these are the same print of several
--   sources. A stretch is taken whole from one source and origin: from the one that covers the most shares of it, of equal
--   ones from a live one before a recovered one, from kis before kiwoom. So brokers that cut the same volume into
--   different prints are never mixed within a stretch, and what one of them lost comes from the other.
-- - A source that lays a print over its own shares (a row read twice, a correction) counts with the prints that lie clear
--   of the one before, by cumulative_volume.
-- - Ask for a market, symbol and trade_date: such a filter reaches the primary key, since it passes GROUP BY and ARRAY
--   JOIN; a window function would stop it. A symbol's day is held in memory whole.
-- - The prints of a stretch are chosen from at once: an aggregate of arrays takes more than twice the time.
-- - Shares that no print covers are a gap in the chain: cumulative_volume - quantity is above the cumulative_volume before.
CREATE OR REPLACE VIEW trades_merged ON CLUSTER '{cluster}'
(
    market LowCardinality(String) COMMENT 'kr, us',
    tape LowCardinality(String) COMMENT 'krx, nxt, all (both), us, day; cumulative volumes of two tapes are two counters',
    symbol LowCardinality(String) COMMENT 'bare symbol',
    trade_date Date COMMENT 'trading day of the exchange',
    cumulative_volume Int64 COMMENT 'shares of this tape and day, this print included: with market, tape, symbol and trade_date the name of the trade',
    quantity Int64 COMMENT 'shares of this print',
    price Decimal(18, 4) COMMENT 'won or dollars',
    exchange_ns DateTime64(9, 'UTC') COMMENT 'time of the exchange; whole seconds at both brokers',
    received_ns DateTime64(9, 'UTC') COMMENT 'when the frame was read from the socket; of a recovered print when its page was read',
    aggressor_side LowCardinality(String) COMMENT 'buy, sell, none (auction, or the broker says so), unspecified (not known)',
    cumulative_value Decimal(18, 4) COMMENT 'money of this tape and day, truncated by the broker to cumulative_value_step',
    cumulative_value_step Decimal(18, 4) COMMENT 'won or dollars',
    best_ask Nullable(Decimal(18, 4)) COMMENT 'best ask after the print; NULL = the broker sent none',
    best_bid Nullable(Decimal(18, 4)) COMMENT 'best bid after the print; NULL = the broker sent none',
    session LowCardinality(String) COMMENT 'phase of the venue at exchange_ns, by the calendar',
    halted Bool COMMENT 'the halted flag of the broker',
    source LowCardinality(String) COMMENT 'broker that the print is taken from',
    origin LowCardinality(String) COMMENT 'live, recovered: how that print came',
    sources Array(LowCardinality(String)) COMMENT 'brokers that have prints in this stretch, in order'
)
AS
WITH
    -- Each tape's day: the prints, and for each of them how many stretches begin at or before it.
    days AS
    (
        SELECT
            market,
            tape,
            symbol,
            trade_date,
            -- By lane (origin, source), then along the line: live stands before recovered and kis before kiwoom in the alphabet.
            arraySort(groupArray((
                (toString(origin), toString(source)),
                cumulative_volume,
                quantity,
                toUnixTimestamp64Nano(exchange_ns),
                toUnixTimestamp64Nano(received_ns),
                price,
                aggressor_side,
                cumulative_value,
                cumulative_value_step,
                best_ask,
                best_bid,
                session,
                halted
            ))) AS all_prints,
            arrayPushFront(arrayPopBack(all_prints.1), ('', '')) AS lanes_before,
            arrayPushFront(arrayPopBack(all_prints.2), toInt64(0)) AS ends_before,
            -- Sorted by their ends, prints that begin at or after the end before overlap nothing earlier of their lane.
            arraySort(print -> print.2, arrayFilter(
                (print, lane, end) -> print.1 != lane OR print.2 - print.3 >= end, all_prints, lanes_before, ends_before
            )) AS prints,
            -- Along the line every print opens at its first share and closes at its last; where none is open a stretch ends.
            arraySort(arrayConcat(
                arrayMap(print -> (print.2, toInt8(-1)), prints),
                arrayMap(print -> (print.2 - print.3, toInt8(1)), prints)
            )) AS edges,
            arrayMap((edge, open) -> edge.2 = -1 AND open = 0, edges, arrayCumSum(edges.2)) AS ends,
            arrayCumSum(ends) AS ended,
            -- The closing edges stand in the order of the prints, which are sorted by their ends too.
            arrayMap(
                (count, is_end) -> count - is_end,
                arrayFilter((count, edge) -> edge.2 = -1, ended, edges),
                arrayFilter((is_end, edge) -> edge.2 = -1, ends, edges)
            ) AS stretches
        FROM trades
        GROUP BY market, tape, symbol, trade_date
    ),
    -- Each stretch: its prints, how many shares each lane covers of it, and the prints of the one that covers the most.
    chosen AS
    (
        SELECT
            market,
            tape,
            symbol,
            trade_date,
            groupArray(print) AS stretch_prints,
            arrayDistinct(stretch_prints.1) AS lanes,
            arraySort(arrayMap(
                lane -> (-arraySum(arrayMap(one -> if(one.1 = lane, one.3, 0), stretch_prints)), lane), lanes
            ))[1].2 AS lane_of_most,
            arrayFilter(one -> one.1 = lane_of_most, stretch_prints) AS prints_of_most,
            arraySort(arrayDistinct(stretch_prints.1.2)) AS sources
        FROM days
        ARRAY JOIN prints AS print, stretches AS stretch
        GROUP BY market, tape, symbol, trade_date, stretch
    )
SELECT
    market,
    tape,
    symbol,
    trade_date,
    print.2 AS cumulative_volume,
    print.3 AS quantity,
    print.6 AS price,
    fromUnixTimestamp64Nano(print.4, 'UTC') AS exchange_ns,
    fromUnixTimestamp64Nano(print.5, 'UTC') AS received_ns,
    print.7 AS aggressor_side,
    print.8 AS cumulative_value,
    print.9 AS cumulative_value_step,
    print.10 AS best_ask,
    print.11 AS best_bid,
    print.12 AS session,
    print.13 AS halted,
    print.1.2 AS source,
    print.1.1 AS origin,
    sources
FROM chosen
ARRAY JOIN prints_of_most AS print
COMMENT 'one row for each trade over all sources'
