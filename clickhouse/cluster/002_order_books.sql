-- Written by scripts/lib/cluster_sql.py from clickhouse/002_order_books.sql: change that. docs/cluster.md says how it is applied.
-- One row for each order book snapshot. A book has no name of its own: the frame that brought it is part of the key,
-- so that every book is kept, also one that looks like another.
CREATE TABLE IF NOT EXISTS order_books_local ON CLUSTER '{cluster}'
(
    market LowCardinality(String) COMMENT 'kr, us',
    source LowCardinality(String) COMMENT 'broker: kis, kiwoom',
    tape LowCardinality(String) COMMENT 'krx, nxt, all (both), us, day',
    symbol LowCardinality(String) COMMENT 'bare symbol: 005930, 0155E0, BRK/B',
    trade_date Date COMMENT 'trading day of the exchange, by the calendar',
    exchange_ns DateTime64(9, 'UTC') COMMENT 'time of the exchange; whole seconds at both brokers' CODEC(Delta, ZSTD(1)),
    received_ns DateTime64(9, 'UTC') COMMENT 'when the frame was read from the socket' CODEC(Delta, ZSTD(1)),
    connection_id Int64 COMMENT 'connect time of the connection, ns since 1970 UTC' CODEC(ZSTD(1)),
    frame_sequence UInt64 COMMENT 'number of the frame on its connection, from 1' CODEC(Delta, ZSTD(1)),
    record_index UInt32 COMMENT 'number of the record in its frame, from 0' CODEC(ZSTD(1)),
    origin LowCardinality(String) COMMENT 'live, recovered',
    ask_prices Array(Decimal(18, 4)) COMMENT 'asks, lowest first, at most ten; 0 = a quantity without a price' CODEC(Delta, ZSTD(1)),
    ask_quantities Array(Int64) COMMENT 'shares, beside ask_prices' CODEC(ZSTD(1)),
    bid_prices Array(Decimal(18, 4)) COMMENT 'bids, highest first, at most ten; 0 = a quantity without a price' CODEC(Delta, ZSTD(1)),
    bid_quantities Array(Int64) COMMENT 'shares, beside bid_prices' CODEC(ZSTD(1)),
    total_ask_quantity Int64 COMMENT 'shares of all asks, as the broker sums them' CODEC(ZSTD(1)),
    total_bid_quantity Int64 COMMENT 'shares of all bids, as the broker sums them' CODEC(ZSTD(1)),
    expected_price Nullable(Decimal(18, 4)) COMMENT 'expected price of a running auction; NULL = none' CODEC(ZSTD(1)),
    expected_quantity Int64 COMMENT 'expected shares of a running auction; 0 outside one' CODEC(ZSTD(1)),
    cumulative_volume Nullable(Int64) COMMENT 'shares of this tape and day; NULL = the feed does not tell (US)' CODEC(Delta, ZSTD(1)),
    session LowCardinality(String) COMMENT 'phase of the venue at exchange_ns, by the calendar',
    session_codes LowCardinality(String) COMMENT 'the raw session codes of the broker, joined by |',
    stream LowCardinality(String) COMMENT 'JetStream stream',
    epoch UInt32 COMMENT 'rises when the stream was re-created or rolled back' CODEC(ZSTD(1)),
    stream_sequence UInt64 COMMENT 'sequence in the stream; unique within stream and epoch' CODEC(Delta, ZSTD(1)),
    event_id UInt64 COMMENT 'xxh3 of the message id' CODEC(NONE),
    -- Parts hold stretches of a stream, so that a look-up by sequence reads the few parts that may hold it.
    INDEX stream_sequence_range stream_sequence TYPE minmax GRANULARITY 16
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/order_books', '{replica}')
PARTITION BY toYYYYMM(trade_date)
PRIMARY KEY (market, symbol, trade_date, tape, source, exchange_ns)
ORDER BY (market, symbol, trade_date, tape, source, exchange_ns, connection_id, frame_sequence, record_index)
-- Without a window ClickHouse ignores insert tokens, and a repeated insert would be stored twice.
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800
COMMENT 'order book snapshots';

CREATE TABLE IF NOT EXISTS order_books ON CLUSTER '{cluster}' AS order_books_local
ENGINE = Distributed('{cluster}', currentDatabase(), 'order_books_local', cityHash64(market, symbol, trade_date))
