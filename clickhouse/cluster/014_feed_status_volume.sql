-- Written by scripts/lib/cluster_sql.py from clickhouse/014_feed_status_volume.sql: change that. docs/cluster.md says how it is applied.
-- What is said of missing volume gets columns of its own in `feed_status`: which shares of a day no print covers
-- (gap_opened, gap_closed), what a broker was asked for them (recovery), what it says of the whole day (day_total).
ALTER TABLE feed_status_local ON CLUSTER '{cluster}'
    ADD COLUMN IF NOT EXISTS after Nullable(Int64) COMMENT 'gap, recovery: cumulative volume before the first missing share; NULL = it speaks of no volume' AFTER until_ns,
    ADD COLUMN IF NOT EXISTS until Nullable(Int64) COMMENT 'gap, recovery: cumulative volume at the last missing share' AFTER after,
    ADD COLUMN IF NOT EXISTS residue Nullable(Int64) COMMENT 'gap, recovery: shares still missing after a recovery, 0 = none, negative = the broker has so many too many; NULL = nobody has tried' AFTER until,
    ADD COLUMN IF NOT EXISTS method LowCardinality(String) COMMENT 'recovery, day_total: what the broker was asked: ka10084, ka10079, ka10003, fhpst01060000, hhdfs76200300, none' AFTER residue,
    ADD COLUMN IF NOT EXISTS asked Nullable(UInt32) COMMENT 'recovery: pages asked for' AFTER method,
    ADD COLUMN IF NOT EXISTS returned Nullable(UInt64) COMMENT 'recovery: rows that came' AFTER asked,
    ADD COLUMN IF NOT EXISTS added Nullable(UInt64) COMMENT 'recovery: trades published' AFTER returned,
    ADD COLUMN IF NOT EXISTS added_volume Nullable(Int64) COMMENT 'recovery: shares of the trades published' AFTER added,
    ADD COLUMN IF NOT EXISTS proof LowCardinality(String) COMMENT 'recovery: chained, anchored, minutes, unproven, no_source' AFTER added_volume,
    ADD COLUMN IF NOT EXISTS started_ns Nullable(DateTime64(9, 'UTC')) COMMENT 'recovery: when the first page was asked for' AFTER proof,
    ADD COLUMN IF NOT EXISTS volume Nullable(Int64) COMMENT 'day_total: shares of the day, as the broker tells' AFTER started_ns,
    ADD COLUMN IF NOT EXISTS is_final Nullable(Bool) COMMENT 'day_total: asked after the last phase of the day' AFTER volume,
    ADD COLUMN IF NOT EXISTS off_hours Nullable(Int64) COMMENT 'day_total: the part of volume that no print covers, as the rows of the broker prove' AFTER is_final,
    COMMENT COLUMN what 'what changed: link_up, link_down, refused, silent, gap_opened, gap_closed, ownership, recovery, day_total and later ones',
    COMMENT COLUMN trade_date 'trading day of the market at received_ns, by the calendar; of what is said of volume the day it speaks of',
    COMMENT COLUMN reason 'gap: disconnected, refused, journal_full, journal_damaged, failover, chain_break, server_lost; link_down: words of the broker or the system; ownership: auto, manual',
    COMMENT COLUMN detail 'gap, recovery: what a person needs to know; ownership: why';

ALTER TABLE feed_status ON CLUSTER '{cluster}'
    ADD COLUMN IF NOT EXISTS after Nullable(Int64) COMMENT 'gap, recovery: cumulative volume before the first missing share; NULL = it speaks of no volume' AFTER until_ns,
    ADD COLUMN IF NOT EXISTS until Nullable(Int64) COMMENT 'gap, recovery: cumulative volume at the last missing share' AFTER after,
    ADD COLUMN IF NOT EXISTS residue Nullable(Int64) COMMENT 'gap, recovery: shares still missing after a recovery, 0 = none, negative = the broker has so many too many; NULL = nobody has tried' AFTER until,
    ADD COLUMN IF NOT EXISTS method LowCardinality(String) COMMENT 'recovery, day_total: what the broker was asked: ka10084, ka10079, ka10003, fhpst01060000, hhdfs76200300, none' AFTER residue,
    ADD COLUMN IF NOT EXISTS asked Nullable(UInt32) COMMENT 'recovery: pages asked for' AFTER method,
    ADD COLUMN IF NOT EXISTS returned Nullable(UInt64) COMMENT 'recovery: rows that came' AFTER asked,
    ADD COLUMN IF NOT EXISTS added Nullable(UInt64) COMMENT 'recovery: trades published' AFTER returned,
    ADD COLUMN IF NOT EXISTS added_volume Nullable(Int64) COMMENT 'recovery: shares of the trades published' AFTER added,
    ADD COLUMN IF NOT EXISTS proof LowCardinality(String) COMMENT 'recovery: chained, anchored, minutes, unproven, no_source' AFTER added_volume,
    ADD COLUMN IF NOT EXISTS started_ns Nullable(DateTime64(9, 'UTC')) COMMENT 'recovery: when the first page was asked for' AFTER proof,
    ADD COLUMN IF NOT EXISTS volume Nullable(Int64) COMMENT 'day_total: shares of the day, as the broker tells' AFTER started_ns,
    ADD COLUMN IF NOT EXISTS is_final Nullable(Bool) COMMENT 'day_total: asked after the last phase of the day' AFTER volume,
    ADD COLUMN IF NOT EXISTS off_hours Nullable(Int64) COMMENT 'day_total: the part of volume that no print covers, as the rows of the broker prove' AFTER is_final,
    COMMENT COLUMN what 'what changed: link_up, link_down, refused, silent, gap_opened, gap_closed, ownership, recovery, day_total and later ones',
    COMMENT COLUMN trade_date 'trading day of the market at received_ns, by the calendar; of what is said of volume the day it speaks of',
    COMMENT COLUMN reason 'gap: disconnected, refused, journal_full, journal_damaged, failover, chain_break, server_lost; link_down: words of the broker or the system; ownership: auto, manual',
    COMMENT COLUMN detail 'gap, recovery: what a person needs to know; ownership: why'
