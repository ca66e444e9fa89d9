-- What was missing on a day, and what became of it? A row for each gap: the stretch, whether it is still open, and the
-- last attempt to recover it with its method and proof.
-- Read from it: `open_volume` is what the archive lacks now; a stretch of time without volume is told by the feed, and
-- what it cost stands in the gaps of volume inside it.
SELECT
    gap.reason AS reason,
    gap.tape AS tape,
    gap.symbol AS symbol,
    toTimeZone(gap.from_ns, 'Asia/Seoul') AS from_time,
    toTimeZone(gap.until_ns, 'Asia/Seoul') AS until_time,
    gap.is_open AS is_open,
    gap.missing_volume AS missing_volume,
    gap.open_volume AS open_volume,
    attempt.attempts AS attempts,
    attempt.last_attempt.1 AS method,
    attempt.last_attempt.2 AS proof,
    attempt.last_attempt.3 AS added
FROM gaps AS gap
LEFT JOIN
(
    SELECT
        tape,
        symbol,
        after,
        until,
        count() AS attempts,
        argMax((method, proof, added), (started_ns, received_ns)) AS last_attempt
    FROM recoveries
    WHERE market = {market:String} AND trade_date = {trade_date:Date}
    GROUP BY tape, symbol, after, until
) AS attempt
ON gap.tape = attempt.tape AND gap.symbol = attempt.symbol
    AND gap.after_cumulative_volume = attempt.after AND gap.until_cumulative_volume = attempt.until
WHERE gap.market = {market:String} AND gap.trade_date = {trade_date:Date}
ORDER BY gap.is_open DESC, gap.from_ns, gap.symbol, gap.after_cumulative_volume
