-- Is the record of a day complete? A row for each tape and answer: how many symbols, how many shares, what is missing.
-- Read from it: the day is proven when every row says `true`; otherwise `how` says what to look into, and `examples` where.
SELECT
    tape,
    proven,
    how,
    count() AS symbols,
    sum(volume) AS broker_volume,
    sum(stored_volume) AS stored,
    sum(off_hours_volume) AS off_hours,
    sum(missing) AS shares_missing,
    arraySlice(arraySort(groupArray(symbol)), 1, 5) AS examples
FROM completeness
WHERE market = {market:String} AND trade_date = {trade_date:Date}
GROUP BY tape, proven, how
ORDER BY tape, proven, symbols DESC, how
