-- Written by scripts/lib/cluster_sql.py from clickhouse/001_trades.sql: change that. docs/cluster.md says how it is applied.
-- One row for each trade print of each source. A print is named by its key: a second reading of it collapses on the
-- first, but neither another source nor a recovered row ever replaces a live one.
CREATE TABLE IF NOT EXISTS trades_local ON CLUSTER '{cluster}'
(
    market LowCardinality(String) COMMENT 'kr, us',
    source LowCardinality(String) COMMENT 'broker: kis, kiwoom',
    tape LowCardinality(String) COMMENT 'krx, nxt, all (both), us, day; cumulative volumes of two tapes are two counters',
    symbol LowCardinality(String) COMMENT 'bare symbol: 005930, 0155E0, BRK/B',
    trade_date Date COMMENT 'trading day of the exchange',
    exchange_ns DateTime64(9, 'UTC') COMMENT 'time of the exchange; whole seconds at both brokers' CODEC(Delta, ZSTD(1)),
    received_ns DateTime64(9, 'UTC') COMMENT 'when the frame was read from the socket' CODEC(Delta, ZSTD(1)),
    connection_id Int64 COMMENT 'connect time of the connection, ns since 1970 UTC' CODEC(ZSTD(1)),
    frame_sequence UInt64 COMMENT 'number of the frame on its connection, from 1' CODEC(Delta, ZSTD(1)),
    record_index UInt32 COMMENT 'number of the record in its frame, from 0' CODEC(ZSTD(1)),
    origin LowCardinality(String) COMMENT 'live, recovered',
    price Decimal(18, 4) COMMENT 'won or dollars' CODEC(Delta, ZSTD(1)),
    quantity Int64 COMMENT 'shares of this print' CODEC(ZSTD(1)),
    aggressor_side LowCardinality(String) COMMENT 'buy, sell, none (auction, or the broker says so), unspecified (not known)',
    cumulative_volume Int64 COMMENT 'shares of this tape and day, this print included' CODEC(Delta, ZSTD(1)),
    cumulative_value Decimal(18, 4) COMMENT 'money of this tape and day, truncated by the broker to cumulative_value_step' CODEC(Delta, ZSTD(1)),
    cumulative_value_step Decimal(18, 4) COMMENT 'won or dollars' CODEC(ZSTD(1)),
    best_ask Nullable(Decimal(18, 4)) COMMENT 'best ask after the print; NULL = the broker sent none' CODEC(Delta, ZSTD(1)),
    best_bid Nullable(Decimal(18, 4)) COMMENT 'best bid after the print; NULL = the broker sent none' CODEC(Delta, ZSTD(1)),
    session LowCardinality(String) COMMENT 'phase of the venue at exchange_ns, by the calendar',
    session_codes LowCardinality(String) COMMENT 'the raw session codes of the broker, joined by |',
    halted Bool COMMENT 'the halted flag of the broker',
    stream LowCardinality(String) COMMENT 'JetStream stream',
    epoch UInt32 COMMENT 'rises when the stream was re-created or rolled back' CODEC(ZSTD(1)),
    stream_sequence UInt64 COMMENT 'sequence in the stream; unique within stream and epoch' CODEC(Delta, ZSTD(1)),
    event_id UInt64 COMMENT 'xxh3 of the message id' CODEC(NONE),
    -- Parts hold stretches of a stream, so that a look-up by sequence reads the few parts that may hold it.
    INDEX stream_sequence_range stream_sequence TYPE minmax GRANULARITY 16
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/trades', '{replica}')
PARTITION BY toYYYYMM(trade_date)
PRIMARY KEY (market, symbol, trade_date, tape, source, origin, cumulative_volume)
ORDER BY (market, symbol, trade_date, tape, source, origin, cumulative_volume, exchange_ns, price, quantity)
-- Without a window ClickHouse ignores insert tokens, and a repeated insert would be stored twice.
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800
COMMENT 'trade prints';

CREATE TABLE IF NOT EXISTS trades ON CLUSTER '{cluster}' AS trades_local
ENGINE = Distributed('{cluster}', currentDatabase(), 'trades_local', cityHash64(market, symbol, trade_date))
