-- Written by scripts/lib/cluster_sql.py from clickhouse/013_never_archived.sql: change that. docs/cluster.md says how it is applied.
-- What was never archived, where a stream was rolled back too.
--
-- A server that lost its tail gives the sequences behind it to other messages, and the ledger notes these under a new epoch.
-- The first sequence that an epoch has in the ledger is where it begins; what lies before belongs to the epoch before. So a
-- sequence is archived when it is in a stretch of the latest epoch that begins at or before it. What older epochs had
-- behind that point stands there no more: its publisher sends it again, and it is judged where it stands then.
CREATE OR REPLACE VIEW archive_holes ON CLUSTER '{cluster}' AS
WITH
    begins AS
    (
        SELECT
            stream,
            created_ns,
            epoch,
            min(first) AS begin
        FROM archived
        GROUP BY stream, created_ns, epoch
    ),
    reigns AS
    (
        -- The epoch ends before this sequence; 0 = it does not end.
        SELECT
            stream,
            created_ns,
            epoch,
            min(begin) OVER (
                PARTITION BY stream, created_ns ORDER BY epoch ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ) AS next_begin
        FROM begins
    ),
    standing AS
    (
        SELECT
            archived.stream AS stream,
            archived.created_ns AS created_ns,
            archived.epoch AS epoch,
            archived.first AS stretch_first,
            if(next_begin = 0, archived.last, least(archived.last, toUInt64(next_begin - 1))) AS stretch_last
        FROM archived
        INNER JOIN reigns
            ON archived.stream = reigns.stream
            AND archived.created_ns = reigns.created_ns
            AND archived.epoch = reigns.epoch
        WHERE next_begin = 0 OR archived.first < next_begin
    )
SELECT
    stream,
    covered_epoch AS epoch,
    covered + 1 AS first,
    toUInt64(next_first - 1) AS last,
    toUInt64(next_first - covered - 1) AS missing,
    created_ns
FROM
(
    SELECT
        stream,
        created_ns,
        stretch_first AS next_first,
        max(stretch_last) OVER stretches AS covered,
        max(epoch) OVER stretches AS covered_epoch,
        row_number() OVER (PARTITION BY stream, created_ns ORDER BY stretch_first, stretch_last) AS number
    FROM standing
    WINDOW stretches AS (
        PARTITION BY stream, created_ns ORDER BY stretch_first, stretch_last
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)
WHERE number > 1 AND next_first > covered + 1
COMMENT 'stream sequences between archived ones that were never archived';

-- Every stream sequence that is known to exist and is in no stretch of the ledger: the holes of `archive_holes`, and what a
-- stream held before the first archived sequence since its creation (a stream begins at 1). If JetStream still has them,
-- `sise archive replay` archives them; if it has discarded them, these are exactly the lost ones.
CREATE OR REPLACE VIEW never_archived ON CLUSTER '{cluster}' AS
SELECT
    stream,
    epoch,
    first,
    last,
    missing,
    created_ns
FROM archive_holes
UNION ALL
SELECT
    stream,
    argMin(epoch, epoch_first) AS epoch,
    toUInt64(1) AS first,
    toUInt64(min(epoch_first) - 1) AS last,
    last AS missing,
    created_ns
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
