-- Which broker brings the same trade first? A row for each tape: of the prints that both brokers sent live, how many came
-- first from which, and by how much.
-- Read from it: this is the one comparison that needs no clock but ours; half the trades each with equal leads is chance.
SELECT
    tape,
    count() AS trades_of_both,
    countIf(kis_ns < kiwoom_ns) AS kis_first,
    countIf(kiwoom_ns < kis_ns) AS kiwoom_first,
    quantileExactLowIf(0.5)(kiwoom_ns - kis_ns, kis_ns < kiwoom_ns) AS median_lead_of_kis_ns,
    quantileExactLowIf(0.5)(kis_ns - kiwoom_ns, kiwoom_ns < kis_ns) AS median_lead_of_kiwoom_ns
FROM
(
    SELECT
        tape,
        minIf(toUnixTimestamp64Nano(received_ns), source = 'kis') AS kis_ns,
        minIf(toUnixTimestamp64Nano(received_ns), source = 'kiwoom') AS kiwoom_ns
    FROM trades
    WHERE market = {market:String} AND trade_date = {trade_date:Date} AND origin = 'live'
    GROUP BY tape, symbol, cumulative_volume, exchange_ns, price, quantity
    HAVING countIf(source = 'kis') > 0 AND countIf(source = 'kiwoom') > 0
)
GROUP BY tape
ORDER BY tape
