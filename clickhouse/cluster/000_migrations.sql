-- Written by scripts/lib/cluster_sql.py from clickhouse/000_migrations.sql: change that. docs/cluster.md says how it is applied.
-- What was applied to this database. Written after each file.
CREATE TABLE IF NOT EXISTS migrations_local ON CLUSTER '{cluster}'
(
    number     UInt32 COMMENT 'number of the file in clickhouse/',
    name       String COMMENT 'name of the file without number and ending',
    checksum   UInt64 COMMENT 'xxh3 of the text of the file as applied',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/migrations', '{replica}')
ORDER BY number
COMMENT 'files of clickhouse/ that were applied';

CREATE TABLE IF NOT EXISTS migrations ON CLUSTER '{cluster}' AS migrations_local
ENGINE = Distributed('{cluster}', currentDatabase(), 'migrations_local', cityHash64(number))
