-- Written by scripts/lib/cluster_sql.py from clickhouse/007_book_crosscheck.sql: change that. docs/cluster.md says how it is applied.
-- The books of KIS and Kiwoom at the same instant: a row for each book of either, beside the latest book that the other
-- had brought when this one was read from the socket. `avg(agrees)` is the share of agreement, `countIf(moved_first =
-- 'kis')` the moves that KIS told first.
--
-- - Ask for a market, symbol and trade_date: such a filter reaches the primary key, since it passes GROUP BY and ARRAY
--   JOIN; a window function would stop it. Without one every book is read. A symbol's day is held in memory whole.
-- - Both brokers tell whole seconds of the exchange, so that an age holds up to a second of rounding; what tells the
--   brokers apart to the nanosecond is our own clock, in `received_ns`, `delay_ns` and `lead_ns`.
-- - A level without a price (0) is no level: neither best nor part of a depth.
-- - A move is a best price or quantity that differs from the book before on the same connection; what a new connection
--   brings first is none. Brokers leave books out, so that a state which only one of them showed is nobody's lead.
-- - A broker that is away leaves its last book standing: `delay_ns` grows. Compare with a limit on it.
CREATE OR REPLACE VIEW book_crosscheck ON CLUSTER '{cluster}'
(
    market LowCardinality(String) COMMENT 'kr, us',
    tape LowCardinality(String) COMMENT 'krx, nxt, all (both); the same of both books',
    symbol LowCardinality(String) COMMENT 'bare symbol',
    trade_date Date COMMENT 'trading day of the exchange',
    source LowCardinality(String) COMMENT 'broker of this book: kis, kiwoom',
    other_source LowCardinality(String) COMMENT 'broker of the other book: kiwoom, kis',
    received_ns DateTime64(9, 'UTC') COMMENT 'when this book was read from the socket: the instant of comparison',
    exchange_ns DateTime64(9, 'UTC') COMMENT 'time of the exchange of this book; whole seconds',
    other_received_ns Nullable(DateTime64(9, 'UTC')) COMMENT 'when the other book was read, at or before received_ns; NULL = there is no other book yet, as in all columns of the other',
    other_exchange_ns Nullable(DateTime64(9, 'UTC')) COMMENT 'time of the exchange of the other book; whole seconds',
    best_ask Nullable(Decimal(18, 4)) COMMENT 'won or dollars; NULL = no ask with a price',
    best_ask_quantity Nullable(Int64) COMMENT 'shares at best_ask',
    best_bid Nullable(Decimal(18, 4)) COMMENT 'won or dollars; NULL = no bid with a price',
    best_bid_quantity Nullable(Int64) COMMENT 'shares at best_bid',
    spread Nullable(Decimal(18, 4)) COMMENT 'best_ask - best_bid; negative when crossed (auctions); NULL = a side is missing',
    ask_depth Int64 COMMENT 'shares of the asks with a price, at most ten levels',
    bid_depth Int64 COMMENT 'shares of the bids with a price, at most ten levels',
    other_best_ask Nullable(Decimal(18, 4)) COMMENT 'best_ask of the other book',
    other_best_ask_quantity Nullable(Int64) COMMENT 'shares at other_best_ask',
    other_best_bid Nullable(Decimal(18, 4)) COMMENT 'best_bid of the other book',
    other_best_bid_quantity Nullable(Int64) COMMENT 'shares at other_best_bid',
    other_spread Nullable(Decimal(18, 4)) COMMENT 'spread of the other book',
    other_ask_depth Nullable(Int64) COMMENT 'ask_depth of the other book',
    other_bid_depth Nullable(Int64) COMMENT 'bid_depth of the other book',
    age_ns Int64 COMMENT 'received_ns - exchange_ns: how old this book was when it came; ns',
    other_age_ns Nullable(Int64) COMMENT 'other_received_ns - other_exchange_ns: how old the other book was when it came; ns',
    other_age_now_ns Nullable(Int64) COMMENT 'received_ns - other_exchange_ns: how old the other book is at the instant of comparison; ns',
    delay_ns Nullable(Int64) COMMENT 'received_ns - other_received_ns, 0 or more: how long the other book has been standing; ns',
    agrees_on_prices Nullable(UInt8) COMMENT '1 = same best_ask and best_bid (a side that both lack is the same), 0 = not',
    agrees Nullable(UInt8) COMMENT '1 = agrees_on_prices, and the same quantities at them, 0 = not',
    agrees_on_depth Nullable(UInt8) COMMENT '1 = same ask_depth and bid_depth, 0 = not',
    moved_first LowCardinality(Nullable(String)) COMMENT 'in the row where this book moves to the best prices and quantities that the other shows: the broker that moved there first (other_source), both = same ns, in the rows of both; NULL = no such row, or the other was there since before this one left its last state or connected',
    lead_ns Nullable(Int64) COMMENT 'beside moved_first: how much earlier the first one moved; ns',
    session LowCardinality(String) COMMENT 'phase of the venue at exchange_ns of this book, by the calendar'
)
AS
WITH
    -- Each connection by itself: its books in the order of arrival, and when the state that they show began.
    connections AS
    (
        SELECT
            market,
            tape,
            symbol,
            trade_date,
            source = 'kis' AS is_kis,
            arraySort(groupArray((
                toUnixTimestamp64Nano(received_ns),
                frame_sequence,
                record_index,
                -- No level has index 0, and there an array gives 0.
                (ask_prices[ask], ask_quantities[ask], bid_prices[bid], bid_quantities[bid]),
                arraySum((quantity, price) -> if(price > 0, quantity, 0), ask_quantities, ask_prices),
                arraySum((quantity, price) -> if(price > 0, quantity, 0), bid_quantities, bid_prices),
                toUnixTimestamp64Nano(exchange_ns),
                session
            ))) AS books,
            books.1 AS received,
            books.4 AS tops,
            arrayMap((top, before) -> top != before, tops, arrayPushFront(arrayPopBack(tops), tops[1])) AS moves,
            -- 0 = the state was there when the connection began.
            arrayFill((at, moved) -> moved, arrayMap((at, moved) -> if(moved, at, toInt64(0)), received, moves), moves) AS began,
            arrayMap(
                (at, start) -> greatest(at, start),
                arrayPushFront(arrayPopBack(began), toInt64(0)),
                arrayResize([received[1]], length(received), received[1])
            ) AS began_before,
            arrayZip(books, moves, began, began_before, arrayResize([is_kis], length(books), is_kis)) AS entries
        FROM
        (
            SELECT
                *,
                arrayFirstIndex(price -> price > 0, ask_prices) AS ask,
                arrayFirstIndex(price -> price > 0, bid_prices) AS bid
            FROM order_books FINAL
            WHERE source IN ('kis', 'kiwoom')
        )
        GROUP BY market, tape, symbol, trade_date, source, connection_id
    ),
    -- Both brokers in one order; beside each book the latest of either at the end of its nanosecond.
    tapes AS
    (
        SELECT
            market,
            tape,
            symbol,
            trade_date,
            arraySort(groupArrayArray(entries)) AS books,
            books.1.1 AS received,
            arrayMap((at, next) -> at != next, received, arrayPushBack(arrayPopFront(received), toInt64(0))) AS is_last,
            arrayReverseFill((book, last) -> last, arrayFill(book -> book.5, books), is_last) AS kis,
            arrayReverseFill((book, last) -> last, arrayFill(book -> not book.5, books), is_last) AS kiwoom,
            arrayMap((book, k, w) -> if(book.5, w, k), books, kis, kiwoom) AS others
        FROM connections
        GROUP BY market, tape, symbol, trade_date
    ),
    pairs AS
    (
        SELECT
            market,
            tape,
            symbol,
            trade_date,
            if(own.5, 'kis', 'kiwoom') AS source,
            if(own.5, 'kiwoom', 'kis') AS other_source,
            own.1.1 AS received,
            own.1.4 AS top,
            own.1.5 AS ask_depth,
            own.1.6 AS bid_depth,
            own.1.7 AS exchange,
            own.1.8 AS session,
            own.2 AS moves,
            own.3 AS began,
            own.4 AS began_before,
            -- Before the first book of a broker the filling above gives the other's.
            own.5 = other.5 AS alone,
            other.1.1 AS other_received,
            other.1.4 AS other_top,
            other.1.5 AS other_ask,
            other.1.6 AS other_bid,
            other.1.7 AS other_exchange,
            other.3 AS other_began,
            moves AND NOT alone AND top = other_top AND other_began >= began_before AS follows
        FROM tapes
        ARRAY JOIN books AS own, others AS other
    )
SELECT
    market,
    tape,
    symbol,
    trade_date,
    source,
    other_source,
    fromUnixTimestamp64Nano(received, 'UTC') AS received_ns,
    fromUnixTimestamp64Nano(exchange, 'UTC') AS exchange_ns,
    if(alone, NULL, fromUnixTimestamp64Nano(other_received, 'UTC')) AS other_received_ns,
    if(alone, NULL, fromUnixTimestamp64Nano(other_exchange, 'UTC')) AS other_exchange_ns,
    if(top.1 = 0, NULL, top.1) AS best_ask,
    if(top.1 = 0, NULL, top.2) AS best_ask_quantity,
    if(top.3 = 0, NULL, top.3) AS best_bid,
    if(top.3 = 0, NULL, top.4) AS best_bid_quantity,
    best_ask - best_bid AS spread,
    ask_depth,
    bid_depth,
    if(alone OR other_top.1 = 0, NULL, other_top.1) AS other_best_ask,
    if(alone OR other_top.1 = 0, NULL, other_top.2) AS other_best_ask_quantity,
    if(alone OR other_top.3 = 0, NULL, other_top.3) AS other_best_bid,
    if(alone OR other_top.3 = 0, NULL, other_top.4) AS other_best_bid_quantity,
    other_best_ask - other_best_bid AS other_spread,
    if(alone, NULL, other_ask) AS other_ask_depth,
    if(alone, NULL, other_bid) AS other_bid_depth,
    received - exchange AS age_ns,
    if(alone, NULL, other_received - other_exchange) AS other_age_ns,
    if(alone, NULL, received - other_exchange) AS other_age_now_ns,
    if(alone, NULL, received - other_received) AS delay_ns,
    if(alone, NULL, top.1 = other_top.1 AND top.3 = other_top.3) AS agrees_on_prices,
    if(alone, NULL, top = other_top) AS agrees,
    if(alone, NULL, ask_depth = other_ask AND bid_depth = other_bid) AS agrees_on_depth,
    if(follows, if(other_began = began, 'both', other_source), NULL) AS moved_first,
    if(follows, began - other_began, NULL) AS lead_ns,
    session
FROM pairs AS books_beside
COMMENT 'books of KIS and Kiwoom at the same instant: prices, quantities, ages, who moved first'
