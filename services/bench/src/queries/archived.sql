-- The ledger of what stands in `table`, in batches of 20,000.
INSERT INTO archived (stream, epoch, first, last, rows, set_aside, created_ns, archived_at)
SELECT
    stream,
    epoch,
    min(stream_sequence),
    max(stream_sequence),
    count(),
    0,
    1788652800000000000,
    fromUnixTimestamp64Milli(toUnixTimestamp64Milli(max(received_ns)) + 400, 'UTC')
FROM {table:Identifier}
WHERE stream != 'RECOVERED'
GROUP BY stream, epoch, intDiv(stream_sequence - 1, 20000)
