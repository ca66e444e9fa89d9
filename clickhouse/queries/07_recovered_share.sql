-- How much of the record did not come live? A row for each symbol with recovered shares, the largest part first.
-- Read from it: many symbols with a small part are lost frames, few with a large one a late start or a full connection.
SELECT
    tape,
    symbol,
    stored_volume,
    recovered_volume,
    intDiv(10000 * recovered_volume, stored_volume) AS recovered_of_10000,
    proven
FROM completeness
WHERE market = {market:String} AND trade_date = {trade_date:Date} AND recovered_volume > 0
ORDER BY recovered_of_10000 DESC, tape, symbol
