-- What was applied to this database. Written after each file.
CREATE TABLE IF NOT EXISTS migrations
(
    number     UInt32 COMMENT 'number of the file in clickhouse/',
    name       String COMMENT 'name of the file without number and ending',
    checksum   UInt64 COMMENT 'xxh3 of the text of the file as applied',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY number
COMMENT 'files of clickhouse/ that were applied'
