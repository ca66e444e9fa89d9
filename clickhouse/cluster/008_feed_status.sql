-- Written by scripts/lib/cluster_sql.py from clickhouse/008_feed_status.sql: change that. docs/cluster.md says how it is applied.
-- One row for each status event: connections up and down, refused registrations, silence, gaps, and whatever a later
-- version adds. A kind that the archiver did not know stands here too, with its stamp, its `what` and its bytes.
CREATE TABLE IF NOT EXISTS feed_status_local ON CLUSTER '{cluster}'
(
    market LowCardinality(String) COMMENT 'kr, us',
    source LowCardinality(String) COMMENT 'broker: kis, kiwoom',
    what LowCardinality(String) COMMENT 'what changed: link_up, link_down, refused, silent, gap_opened, gap_closed, ownership and later ones',
    trade_date Date COMMENT 'trading day of the market at received_ns, by the calendar',
    received_ns DateTime64(9, 'UTC') COMMENT 'when it was noticed' CODEC(Delta, ZSTD(1)),
    connection_id Int64 COMMENT 'connect time of the connection, ns since 1970 UTC' CODEC(ZSTD(1)),
    frame_sequence UInt64 COMMENT 'number of the frame on its connection, from 1' CODEC(ZSTD(1)),
    record_index UInt32 COMMENT 'number of the record in its frame, from 0' CODEC(ZSTD(1)),
    origin LowCardinality(String) COMMENT 'live, recovered',
    connection LowCardinality(String) COMMENT 'connection by the name of its key; empty = no single one',
    tape LowCardinality(String) COMMENT 'tape of the one instrument concerned; empty = not one instrument',
    symbol LowCardinality(String) COMMENT 'symbol of the one instrument concerned; empty = not one instrument',
    reason String COMMENT 'gap: disconnected, refused, journal_full, journal_damaged, failover; link_down: words of the broker or the system; ownership: auto, manual',
    registration String COMMENT 'refused: what was asked for, in the words of the broker',
    code LowCardinality(String) COMMENT 'refused: the code of the broker',
    text String COMMENT 'refused: the text of the broker',
    detail String COMMENT 'gap: what a person needs to know; ownership: why',
    registered Nullable(UInt32) COMMENT 'link_up: confirmed registrations',
    refused Nullable(UInt32) COMMENT 'link_up: refused registrations',
    symbols Array(String) COMMENT 'silent: the symbols; ownership: those that the new owner does not cover',
    since_ns Nullable(DateTime64(9, 'UTC')) COMMENT 'silent: since when',
    from_ns Nullable(DateTime64(9, 'UTC')) COMMENT 'gap: last moment at which nothing was missing',
    until_ns Nullable(DateTime64(9, 'UTC')) COMMENT 'gap: first moment at which nothing is missing any more; NULL = open',
    event String COMMENT 'the values of the event as JSON; of a kind without columns here {"payload": "<hex of the protobuf payload>"}' CODEC(ZSTD(1)),
    stream LowCardinality(String) COMMENT 'JetStream stream',
    epoch UInt32 COMMENT 'rises when the stream was re-created or rolled back' CODEC(ZSTD(1)),
    stream_sequence UInt64 COMMENT 'sequence in the stream; unique within stream and epoch' CODEC(Delta, ZSTD(1)),
    event_id UInt64 COMMENT 'xxh3 of the message id' CODEC(NONE),
    -- Parts hold stretches of a stream, so that a look-up by sequence reads the few parts that may hold it.
    INDEX stream_sequence_range stream_sequence TYPE minmax GRANULARITY 16
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/feed_status', '{replica}')
PARTITION BY toYear(trade_date)
ORDER BY (market, source, trade_date, received_ns, event_id)
-- Without a window ClickHouse ignores insert tokens, and a repeated insert would be stored twice.
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800
COMMENT 'status events of the feeds';

CREATE TABLE IF NOT EXISTS feed_status ON CLUSTER '{cluster}' AS feed_status_local
ENGINE = Distributed('{cluster}', currentDatabase(), 'feed_status_local', cityHash64(market, trade_date))
