-- Every stream sequence that is known to exist and is in no stretch of the ledger: the holes of `archive_holes`, and what a
-- stream held before the first archived sequence since its creation (a stream begins at 1). If JetStream still has them,
-- `archiver.replay` archives them; if it has discarded them, these are exactly the lost ones.
CREATE OR REPLACE VIEW never_archived AS
SELECT
    stream,
    epoch,
    first,
    last,
    missing
FROM archive_holes
UNION ALL
SELECT
    stream,
    argMin(epoch, epoch_first) AS epoch,
    toUInt64(1) AS first,
    toUInt64(min(epoch_first) - 1) AS last,
    last AS missing
FROM
(
    SELECT
        stream,
        epoch,
        created_ns,
        min(first) AS epoch_first
    FROM archived
    GROUP BY stream, epoch, created_ns
)
GROUP BY stream, created_ns
HAVING min(epoch_first) > 1
COMMENT 'stream sequences that were never archived, those before the first archived one included'
