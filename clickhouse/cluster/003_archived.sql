-- Written by scripts/lib/cluster_sql.py from clickhouse/003_archived.sql: change that. docs/cluster.md says how it is applied.
-- The ledger: which stretches of which stream are dealt with. Written after the rows and before the acknowledgement.
-- Stretches may overlap (redeliveries); a sequence that is in none was never archived.
CREATE TABLE IF NOT EXISTS archived_local ON CLUSTER '{cluster}'
(
    stream LowCardinality(String) COMMENT 'JetStream stream',
    epoch UInt32 COMMENT 'rises when the stream was re-created or rolled back',
    first UInt64 COMMENT 'first sequence of the stretch; nothing is missing between first and last',
    last UInt64 COMMENT 'last sequence of the stretch',
    rows UInt64 COMMENT 'sequences of the stretch that stand in a table',
    set_aside UInt64 COMMENT 'sequences of the stretch that went to the dead letters',
    created_ns Int64 COMMENT 'creation time of the stream as NATS tells it, ns since 1970 UTC',
    archived_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when this row was written'
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/archived', '{replica}')
ORDER BY (stream, epoch, last, first)
COMMENT 'ledger of archived stream sequences';

CREATE TABLE IF NOT EXISTS archived ON CLUSTER '{cluster}' AS archived_local
ENGINE = Distributed('{cluster}', currentDatabase(), 'archived_local', cityHash64(stream))
