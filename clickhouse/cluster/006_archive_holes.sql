-- Written by scripts/lib/cluster_sql.py from clickhouse/006_archive_holes.sql: change that. docs/cluster.md says how it is applied.
-- Stream sequences between the first and the last archived one that are in no stretch of the ledger: never archived,
-- never set aside. An empty answer is the proof; a sequence that another archiver holds right now shows for a moment.
CREATE OR REPLACE VIEW archive_holes ON CLUSTER '{cluster}' AS
SELECT
    stream,
    epoch,
    covered + 1 AS first,
    toUInt64(next_first - 1) AS last,
    toUInt64(next_first - covered - 1) AS missing
FROM
(
    SELECT
        stream,
        epoch,
        first AS next_first,
        max(last) OVER stretches AS covered,
        row_number() OVER (PARTITION BY stream, epoch ORDER BY first, last) AS number
    FROM archived
    WINDOW stretches AS (
        PARTITION BY stream, epoch ORDER BY first, last ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)
WHERE number > 1 AND next_first > covered + 1
COMMENT 'stream sequences that were never archived'
