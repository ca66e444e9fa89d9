-- Written by scripts/lib/cluster_sql.py from clickhouse/019_completeness.sql: change that. docs/cluster.md says how it is applied.
-- Whether the record of a tape's day is complete, share for share: a row for each instrument that has prints or a total.
--
-- - A print covers the shares (cumulative_volume - quantity, cumulative_volume] of its tape's day. stored_volume is what
--   all prints together cover, each share once, whatever broker or origin they are of; so a print that is stored twice, or
--   by both brokers, does not count twice.
-- - proven: the latest final total of a broker is known, prints and proven off-hours volume make it up exactly, no print
--   lies beyond it, and no gap of volume is open.
-- - Ask for a market and trade_date: such a filter reaches the primary key, since it passes GROUP BY and UNION ALL.
CREATE OR REPLACE VIEW completeness ON CLUSTER '{cluster}'
(
    market LowCardinality(String) COMMENT 'kr, us',
    tape LowCardinality(String) COMMENT 'krx, nxt, all (both), us, day; cumulative volumes of two tapes are two counters',
    symbol LowCardinality(String) COMMENT 'bare symbol',
    trade_date Date COMMENT 'trading day of the exchange',
    volume Nullable(Int64) COMMENT 'shares of the day, as a broker tells: its latest final total, else the latest; NULL = no broker was asked',
    stored_volume Int64 COMMENT 'shares that prints cover, each once',
    recovered_volume Int64 COMMENT 'the part of stored_volume that no live print covers',
    off_hours_volume Int64 COMMENT 'the part of volume that no print covers, as the rows of the broker prove',
    missing Nullable(Int64) COMMENT 'volume - stored_volume - off_hours_volume: shares, negative = more stored than the broker tells; NULL = no total',
    open_gaps UInt64 COMMENT 'gaps of volume that are open',
    open_volume Int64 COMMENT 'shares missing in them',
    prints UInt64 COMMENT 'rows of trades: of every broker and origin, repeated ones too',
    proven Bool COMMENT 'every share of the day is accounted for',
    how LowCardinality(String) COMMENT 'proven: by what, of live, recovered, off_hours, joined by +, empty_day = no share was traded; else why not: no_total, not_final, beyond (prints beyond the total), missing, gap_open, surplus (more is covered than the total)'
)
AS
WITH
    days AS
    (
        SELECT
            market,
            tape,
            symbol,
            trade_date,
            sum(covered) AS stored,
            sum(covered_live) AS stored_live,
            max(last) AS last_cumulative,
            sum(rows) AS prints,
            argMaxIf(total, (total.3, said), is_total) AS broker,
            countIf(is_total) > 0 AS has_total,
            sum(gaps_open) AS open_gaps,
            sum(gaps_volume) AS open_volume
        FROM
        (
            SELECT
                market,
                tape,
                symbol,
                trade_date,
                toInt64(intervalLengthSum(cumulative_volume - quantity, cumulative_volume)) AS covered,
                toInt64(intervalLengthSumIf(cumulative_volume - quantity, cumulative_volume, origin = 'live')) AS covered_live,
                max(cumulative_volume) AS last,
                count() AS rows,
                (toInt64(0), toInt64(0), false) AS total,
                toInt64(0) AS said,
                false AS is_total,
                toUInt64(0) AS gaps_open,
                toInt64(0) AS gaps_volume
            FROM trades
            GROUP BY market, tape, symbol, trade_date
            UNION ALL
            SELECT
                market,
                tape,
                symbol,
                trade_date,
                0,
                0,
                0,
                0,
                (volume, off_hours, is_final),
                toUnixTimestamp64Nano(received_ns),
                true,
                0,
                0
            FROM day_totals
            UNION ALL
            SELECT
                market,
                tape,
                symbol,
                trade_date,
                0,
                0,
                0,
                0,
                (toInt64(0), toInt64(0), false),
                0,
                false,
                1,
                assumeNotNull(open_volume)
            FROM gaps
            WHERE is_open AND isNotNull(missing_volume)
        )
        GROUP BY market, tape, symbol, trade_date
    )
SELECT
    market,
    tape,
    symbol,
    trade_date,
    if(has_total, broker.1, NULL) AS volume,
    stored AS stored_volume,
    stored - stored_live AS recovered_volume,
    broker.2 AS off_hours_volume,
    volume - stored_volume - off_hours_volume AS missing,
    day.open_gaps AS open_gaps,
    day.open_volume AS open_volume,
    day.prints AS prints,
    CAST(has_total AND broker.3 AND missing = 0 AND last_cumulative <= volume AND open_gaps = 0, 'Bool') AS proven,
    multiIf(
        NOT has_total, 'no_total',
        NOT broker.3, 'not_final',
        last_cumulative > volume, 'beyond',
        missing > 0, 'missing',
        missing < 0, 'surplus',
        open_gaps > 0, 'gap_open',
        volume = 0, 'empty_day',
        arrayStringConcat(arrayFilter(word -> word != '', [
            if(stored_live > 0, 'live', ''),
            if(recovered_volume > 0, 'recovered', ''),
            if(off_hours_volume > 0, 'off_hours', '')
        ]), '+')
    ) AS how
FROM days AS day
COMMENT 'whether the record of a tape\'s day is complete, share for share'
