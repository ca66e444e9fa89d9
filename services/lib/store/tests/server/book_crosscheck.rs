//! View `book_crosscheck`: literal books of both brokers in, literal rows out.

use crate::support::Engine;

/// A book of one broker: times are `SECOND.NANOSECONDS` of one minute.
#[derive(Clone, Copy)]
struct Book {
    source: &'static str,
    tape: &'static str,
    symbol: &'static str,
    connection: u32,
    received: &'static str,
    exchange: &'static str,
    asks: &'static [(i64, i64)],
    bids: &'static [(i64, i64)],
}

const KIS: Book = Book {
    source: "kis",
    tape: "krx",
    symbol: "005930",
    connection: 1,
    received: "01.000000100",
    exchange: "01",
    asks: &[(100, 5), (101, 6)],
    bids: &[(99, 4)],
};
const KIWOOM: Book = Book { source: "kiwoom", connection: 2, ..KIS };

impl Engine {
    /// Stores books in the given order; the frames of one test have rising numbers.
    async fn books(&self, books: &[Book]) {
        let list = |levels: &[(i64, i64)], pick: fn(&(i64, i64)) -> i64| {
            levels.iter().map(|level| pick(level).to_string()).collect::<Vec<_>>().join(",")
        };
        let rows: Vec<String> = books
            .iter()
            .enumerate()
            .map(|(number, book)| {
                format!(
                    "('kr','{}','{}','{}','2026-11-25','2026-11-25 00:00:{}','2026-11-25 00:00:{}',{},{},0,'live',\
                     [{}],[{}],[{}],[{}],'continuous')",
                    book.source,
                    book.tape,
                    book.symbol,
                    book.exchange,
                    book.received,
                    book.connection,
                    number + 1,
                    list(book.asks, |level| level.0),
                    list(book.asks, |level| level.1),
                    list(book.bids, |level| level.0),
                    list(book.bids, |level| level.1),
                )
            })
            .collect();
        self.execute(&format!(
            "INSERT INTO order_books (market, source, tape, symbol, trade_date, exchange_ns, received_ns, \
             connection_id, frame_sequence, record_index, origin, ask_prices, ask_quantities, bid_prices, \
             bid_quantities, session) VALUES {}",
            rows.join(",")
        ))
        .await;
    }

    /// Columns of the view in the order of arrival.
    async fn crosscheck(&self, columns: &str) -> Vec<String> {
        self.rows(&format!(
            "SELECT {columns} FROM book_crosscheck ORDER BY symbol, tape, received_ns, source"
        ))
        .await
    }
}

#[tokio::test]
async fn each_book_stands_beside_the_latest_of_the_other_broker() {
    let engine = Engine::start().await;
    let moved: &[(i64, i64)] = &[(101, 6)];
    engine
        .books(&[
            KIS,
            Book { received: "01.000000150", asks: &[(100, 5)], ..KIWOOM },
            Book { received: "03.000000200", exchange: "02", asks: moved, bids: &[(100, 3)], ..KIWOOM },
            Book { received: "03.000000900", exchange: "03", asks: moved, bids: &[(100, 2)], ..KIS },
        ])
        .await;
    let own = "source, other_source, best_ask, best_ask_quantity, best_bid, best_bid_quantity, spread, ask_depth, \
               bid_depth, session";
    assert_eq!(
        engine.crosscheck(own).await,
        [
            "kis kiwoom 100 5 99 4 1 11 4 continuous",
            "kiwoom kis 100 5 99 4 1 5 4 continuous",
            "kiwoom kis 101 6 100 3 1 6 3 continuous",
            "kis kiwoom 101 6 100 2 1 6 2 continuous",
        ]
    );
    let other = "other_best_ask, other_best_ask_quantity, other_best_bid, other_best_bid_quantity, other_spread, \
                 other_ask_depth, other_bid_depth";
    assert_eq!(
        engine.crosscheck(other).await,
        ["- - - - - - -", "100 5 99 4 1 11 4", "100 5 99 4 1 11 4", "101 6 100 3 1 6 3"]
    );
    assert_eq!(
        engine.crosscheck("age_ns, other_age_ns, other_age_now_ns, delay_ns").await,
        [
            "100 - - -",
            "150 100 150 50",
            "1000000200 100 2000000200 2000000100",
            "900 1000000200 1000000900 700"
        ]
    );
    assert_eq!(
        engine.crosscheck("other_received_ns, other_exchange_ns").await[3],
        "2026-11-25 00:00:03.000000200 2026-11-25 00:00:02.000000000"
    );
    // The last one has the same prices but another quantity; the second the same best levels but another depth.
    let agreement = "agrees_on_prices, agrees, agrees_on_depth";
    assert_eq!(engine.crosscheck(agreement).await, ["- - -", "1 1 0", "0 0 0", "1 0 0"]);
    let shares = "SELECT countIf(agrees = 1), count(agrees), count() FROM book_crosscheck";
    assert_eq!(engine.rows(shares).await, ["1 3 4"]);
    // A book that is stored twice is one book.
    engine.execute("SYSTEM STOP MERGES order_books").await;
    engine.books(&[KIS]).await;
    assert_eq!(engine.rows(shares).await, ["1 3 4"]);
}

#[tokio::test]
async fn who_moved_first_is_told_where_the_second_one_follows() {
    let engine = Engine::start().await;
    let [a, b, c]: [&[(i64, i64)]; 3] = [&[(100, 5)], &[(101, 5)], &[(101, 4)]];
    let kis = |received, asks| Book { received, asks, ..KIS };
    let kiwoom = |received, asks| Book { received, asks, ..KIWOOM };
    engine
        .books(&[
            kis("01.000000100", a),
            kiwoom("01.000000200", a),
            kiwoom("01.000000300", b),
            kiwoom("01.000000400", b),
            kis("01.000001000", b),
            // A move of quantity alone, this time told by KIS.
            kis("02.000000000", c),
            kiwoom("02.000000050", c),
            // KIS shows a state between that Kiwoom leaves out: Kiwoom did not move, so it did not lead.
            kis("03.000000000", b),
            kis("03.000000100", c),
            // Both at once.
            kis("04.000000000", a),
            kiwoom("04.000000000", a),
        ])
        .await;
    assert_eq!(
        engine.crosscheck("source, agrees, moved_first, lead_ns").await,
        [
            "kis - - -",
            "kiwoom 1 - -",
            "kiwoom 0 - -",
            "kiwoom 0 - -",
            "kis 1 kiwoom 700",
            "kis 0 - -",
            "kiwoom 1 kis 50",
            "kis 0 - -",
            "kis 1 - -",
            "kis 1 both 0",
            "kiwoom 1 both 0",
        ]
    );
    let firsts = "SELECT countIf(moved_first = 'kis'), countIf(moved_first = 'kiwoom') FROM book_crosscheck";
    assert_eq!(engine.rows(firsts).await, ["1 1"]);
}

#[tokio::test]
async fn a_new_connection_begins_with_no_move() {
    let engine = Engine::start().await;
    let [a, b]: [&[(i64, i64)]; 2] = [&[(100, 5)], &[(101, 5)]];
    engine
        .books(&[
            Book { received: "01.000000100", asks: a, ..KIS },
            Book { received: "01.000000200", asks: a, ..KIWOOM },
            Book { received: "02.000000000", asks: b, ..KIS },
            // Kiwoom connects again and finds the new state, then an old one, then the new one again.
            Book { received: "09.000000000", asks: b, connection: 3, ..KIWOOM },
            Book { received: "09.000000100", asks: a, connection: 3, ..KIWOOM },
            Book { received: "09.000000200", asks: b, connection: 3, ..KIWOOM },
        ])
        .await;
    assert_eq!(
        engine.crosscheck("source, agrees, delay_ns, moved_first").await,
        [
            "kis - - -",
            "kiwoom 1 100 -",
            "kis 0 999999800 -",
            "kiwoom 1 7000000000 -",
            "kiwoom 0 7000000100 -",
            "kiwoom 1 7000000200 -",
        ]
    );
}

#[tokio::test]
async fn missing_sides_and_levels_without_a_price() {
    let engine = Engine::start().await;
    engine
        .books(&[
            // Both lack asks; KIS has shares without a price, which are no level.
            Book { asks: &[], bids: &[(0, 7), (99, 4), (98, 1)], ..KIS },
            Book { asks: &[(0, 0)], bids: &[(99, 4), (98, 1)], ..KIWOOM },
            // Only Kiwoom has an ask.
            Book { received: "01.000000200", asks: &[(100, 9)], bids: &[], ..KIWOOM },
        ])
        .await;
    let columns = "source, best_ask, best_ask_quantity, best_bid, best_bid_quantity, spread, ask_depth, bid_depth, \
                   other_best_ask, other_best_bid, agrees_on_prices, agrees, agrees_on_depth, delay_ns";
    assert_eq!(
        engine.crosscheck(columns).await,
        [
            // At the same nanosecond each sees the other.
            "kis - - 99 4 - 0 5 - 99 1 1 1 0",
            "kiwoom - - 99 4 - 0 5 - 99 1 1 1 0",
            "kiwoom 100 9 - - - 9 0 - 99 0 0 0 100",
        ]
    );
}

#[tokio::test]
async fn tapes_and_symbols_are_never_compared_with_each_other() {
    let engine = Engine::start().await;
    engine
        .books(&[
            KIS,
            Book { tape: "nxt", received: "01.000000300", ..KIWOOM },
            Book { symbol: "000660", received: "01.000000300", ..KIWOOM },
        ])
        .await;
    assert_eq!(
        engine.crosscheck("symbol, tape, other_received_ns, other_best_ask, agrees").await,
        ["000660 krx - - -", "005930 krx - - -", "005930 nxt - - -"]
    );
}

#[tokio::test]
async fn a_filter_reads_its_symbol_and_day_only() {
    let engine = Engine::start().await;
    // A million books: fifty symbols, two days, both brokers.
    engine
        .execute(
            "INSERT INTO order_books (market, source, tape, symbol, trade_date, exchange_ns, received_ns, \
             connection_id, frame_sequence, origin, ask_prices, ask_quantities, bid_prices, bid_quantities) \
             SELECT 'kr', if(number % 2 = 0, 'kis', 'kiwoom'), 'krx', toString(100000 + intDiv(number, 2) % 50), \
             toDate('2026-11-24') + intDiv(number, 500000), at, at, 1, number, 'live', [100 + intDiv(number, 1000) % 9], \
             [1], [99], [1] FROM (SELECT number, toDateTime64('2026-11-25 00:00:00', 9, 'UTC') + \
             toIntervalMicrosecond(number) AS at FROM numbers(1000000))",
        )
        .await;
    engine.execute("OPTIMIZE TABLE order_books FINAL").await;
    let filtered =
        "FROM book_crosscheck WHERE market = 'kr' AND symbol = '100007' AND trade_date = '2026-11-25'";
    let counted =
        engine.rows(&format!("SELECT count(), countIf(agrees = 1), max(delay_ns) {filtered}")).await;
    assert_eq!(counted, ["10000 9500 99000"]);
    // 10,000 rows in granules of 8,192, the first and the last shared with neighbours.
    let read = engine.rows(&format!("EXPLAIN ESTIMATE SELECT avg(agrees) {filtered}")).await;
    let rows: u64 = read[0].split(' ').nth(3).expect("rows").parse().expect("number");
    assert!((10_000..=3 * 8_192).contains(&rows), "{read:?}");
}
