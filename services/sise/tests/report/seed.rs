//! Days of an archive, written as SQL: small ones whose every figure is known, and one that looks like a day.

const TRADE: &str = "INSERT INTO trades (market, source, tape, symbol, trade_date, exchange_ns, received_ns, connection_id, \
    frame_sequence, record_index, origin, price, quantity, aggressor_side, cumulative_volume, cumulative_value, \
    cumulative_value_step, session, session_codes, halted, stream, epoch, stream_sequence, event_id)";
const BOOK: &str = "INSERT INTO order_books (market, source, tape, symbol, trade_date, exchange_ns, received_ns, \
    connection_id, frame_sequence, record_index, origin, ask_prices, ask_quantities, bid_prices, bid_quantities, \
    session, session_codes, stream, epoch, stream_sequence, event_id)";
const STATUS: &str = "INSERT INTO feed_status (market, source, what, trade_date, received_ns, connection_id, frame_sequence, \
    record_index, origin, connection, tape, symbol, reason, registration, code, text, detail, from_ns, until_ns, after, \
    until, residue, method, asked, returned, added, added_volume, proof, started_ns, volume, is_final, off_hours, \
    event, stream, epoch, stream_sequence, event_id)";

/// Source, tape, symbol, origin, phase, codes, second after nine, milliseconds until it was received, end on the line, shares.
type Print =
    (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, u32, u32, i64, i64);

fn trades(date: &str, prints: &[Print]) -> String {
    let rows = (1..).zip(prints).map(|(id, print)| {
        let (source, tape, symbol, origin, session, codes, second, millis, end, shares) = print;
        let time = format!("toDateTime64('{date} 00:00:00', 9, 'UTC') + INTERVAL {second} SECOND");
        format!(
            "('kr', '{source}', '{tape}', '{symbol}', '{date}', {time}, {time} + INTERVAL {millis} MILLISECOND, 1, \
             {id}, 0, '{origin}', 70000, {shares}, 'buy', {end}, 0, 1, '{session}', '{codes}', false, 'S', 1, {id}, {id})"
        )
    });
    format!("{TRADE} VALUES {}", rows.collect::<Vec<_>>().join(", "))
}

/// 2026-11-24 in Korea.
pub fn small() -> Vec<String> {
    let prints = [
        ("kis", "krx", "005930", "live", "continuous", "", 30, 400, 10, 10),
        ("kis", "krx", "005930", "live", "continuous", "", 31, 600, 30, 20),
        ("kiwoom", "krx", "005930", "recovered", "continuous", "", 3_700, 0, 60, 30),
        ("kiwoom", "krx", "000660", "live", "continuous", "", 60, 250, 5, 5),
        ("kis", "nxt", "005930", "live", "continuous", "", 65, 900, 7, 7),
    ];
    let books = [("kis", 1), ("kis", 2), ("kiwoom", 3)].map(|(source, id)| {
        format!(
            "('kr', '{source}', 'krx', '005930', '2026-11-24', '2026-11-24 00:00:30', '2026-11-24 00:00:30.1', 1, {id}, 0, \
             'live', [], [], [], [], 'continuous', '', 'B', 1, {id}, {id})"
        )
    });
    vec![
        trades("2026-11-24", &prints),
        format!("{BOOK} VALUES {}", books.join(", ")),
        format!("{STATUS} VALUES {}", statuses().join(", ")),
    ]
}

/// 2026-11-20 in Korea: both brokers bring one instrument and cut its trades otherwise once; KIS has a jump at a change of
/// session and a break within one.
pub fn two_brokers() -> String {
    let (open, close) = ("continuous", "closing_auction");
    trades(
        "2026-11-20",
        &[
            ("kis", "krx", "005930", "live", open, "20|0||2", 30, 400, 10, 10),
            ("kis", "krx", "005930", "live", open, "20|0||2", 30, 500, 30, 20),
            ("kiwoom", "krx", "005930", "live", open, "2|KRX", 30, 300, 10, 10),
            ("kiwoom", "krx", "005930", "live", open, "2|KRX", 30, 310, 20, 10),
            ("kiwoom", "krx", "005930", "live", open, "2|KRX", 30, 320, 30, 10),
            ("kis", "krx", "005930", "live", close, "21|0||2", 23_400, 400, 50, 5),
            ("kis", "krx", "005930", "live", close, "21|0||2", 23_401, 400, 80, 10),
        ],
    )
}

/// A cut of a connection, a refused registration, a recovery, totals, and a gap that stays open.
fn statuses() -> Vec<String> {
    let at = |second: u32| {
        format!("toDateTime64('2026-11-24 00:{:02}:{:02}', 9, 'UTC')", second / 60, second % 60)
    };
    let row = |id: u32, source: &str, what: &str, middle: &str| {
        let second = at(600 + id);
        format!(
            "('kr', '{source}', '{what}', '2026-11-24', {second}, 1, {id}, 0, 'live', {middle}, '', 'STATUS', 1, {id}, {id})"
        )
    };
    let none = "NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL";
    let cut = |until: &str| {
        format!(
            "'main', '', '', 'disconnected', '', '', '', 'reset <by> & \"peer\"', {}, {until}, {none}",
            at(40)
        )
    };
    let recovery = format!(
        "'', 'krx', '005930', '', '', '', '', 'two pages', NULL, NULL, 30, 60, 0, 'ka10084', 2, 150, 1, 30, 'chained', \
         {}, NULL, NULL, NULL",
        at(700)
    );
    let total = |symbol: &str, volume: i64, off_hours: i64| {
        format!(
            "'', 'krx', '{symbol}', '', '', '', '', '', NULL, NULL, NULL, NULL, NULL, 'ka10084', NULL, NULL, NULL, NULL, '', \
             NULL, {volume}, true, {off_hours}"
        )
    };
    let gap = format!(
        "'', 'krx', '000660', 'chain_break', '', '', '', 'tail', {}, {}, 5, 25, 20, '', NULL, NULL, NULL, NULL, '', NULL, \
         NULL, NULL, NULL",
        at(60),
        at(300)
    );
    let refused = format!(
        "'', '', '', '', 'H0STCNT0 035720', 'OPSP0008', 'MAX SUBSCRIBE OVER', '', NULL, NULL, {none}"
    );
    vec![
        row(1, "kis", "gap_opened", &cut("NULL")),
        row(2, "kis", "gap_closed", &cut(&at(55))),
        row(3, "kis", "refused", &refused),
        row(4, "kiwoom", "recovery", &recovery),
        row(5, "kiwoom", "day_total", &total("005930", 70, 10)),
        row(6, "kiwoom", "day_total", &total("000660", 25, 0)),
        row(7, "kiwoom", "gap_opened", &gap),
    ]
}

/// 2026-11-23 in Korea: forty instruments, two brokers, a quarter of an hour without KIS, refilled for the trades.
pub fn like_a_day() -> Vec<String> {
    // In seconds after eight: 12 hours of NXT, of KRX within; a rush after nine and one before the close.
    let second = "toUInt32(multiIf(number % 3 = 0, 3600 + 22800 * pow(number / 60000, 2), \
                  number % 3 = 1, 27000 - 23400 * pow(number / 60000, 3), 43200 * number / 60000))";
    let select = |kind: &str, columns: &str, rows: u32| {
        format!(
            "SELECT 'kr', if(number % 7 < 2, 'kiwoom', 'kis') AS source, \
             if(second < 3600 OR second > 27000, 'nxt', 'krx') AS tape, \
             toString(100000 + cityHash64(number) % 40) AS symbol, '2026-11-23', \
             toDateTime64('2026-11-22 23:00:00', 9, 'UTC') + INTERVAL second SECOND AS exchange, \
             exchange + INTERVAL (100 + cityHash64(number) % 1000 + if(source = 'kis' AND second BETWEEN 14400 AND 18000, 900, 0)) \
             MILLISECOND, 1, number, 0, {columns}, '{kind}', 1, number, number \
             FROM (SELECT number, {second} AS second FROM numbers({rows}))"
        )
    };
    let trades = "if(source = 'kis' AND second BETWEEN 9000 AND 9900, 'recovered', 'live'), 70000, 10, 'buy', \
                  10 * row_number() OVER (PARTITION BY tape, symbol ORDER BY second, number), 0, 1, 'continuous', '', false";
    // Books are not refilled: the quarter of an hour stays empty.
    let books = "'live', [], [], [], [], 'continuous', ''";
    let books =
        format!("{} WHERE NOT (source = 'kis' AND second BETWEEN 9000 AND 9900)", select("B", books, 50_000));
    let totals = "SELECT 'kr', 'kiwoom', 'day_total', '2026-11-23', '2026-11-23 12:00:00', 1, number, 0, 'recovered', '', tape, \
         symbol, '', '', '', '', '', NULL, NULL, NULL, NULL, NULL, 'ka10084', NULL, NULL, NULL, NULL, '', NULL, \
         stored + if(number % 9 = 0, 500, 0) + if(number % 4 = 0, 300, 0), number % 21 != 0, if(number % 4 = 0, 300, 0), \
         '', 'STATUS', 1, 100 + number, 100 + number \
         FROM (SELECT tape, symbol, stored_volume AS stored, rowNumberInAllBlocks() AS number FROM completeness \
         WHERE market = 'kr' AND trade_date = '2026-11-23')";
    let gaps = "SELECT 'kr', if(number % 3 = 0, 'kiwoom', 'kis'), if(number % 11 = 0, 'gap_opened', 'gap_closed'), '2026-11-23', \
         '2026-11-23 12:00:00', 1, number, 0, 'live', if(number % 4 = 0, 'main', ''), '', '', \
         ['disconnected', 'refused', 'chain_break', 'failover'][number % 4 + 1], '', '', '', 'connection reset by peer', \
         toDateTime64('2026-11-22 23:30:00', 9, 'UTC') + INTERVAL number * 1700 SECOND AS begin, \
         if(number % 11 = 0, NULL, begin + INTERVAL number * 40 SECOND), NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, '', \
         NULL, NULL, NULL, NULL, '', 'STATUS', 1, 500 + number, 500 + number FROM numbers(1, 22)";
    vec![
        format!("{TRADE} {}", select("S", trades, 60_000)),
        format!("{BOOK} {books}"),
        format!("{STATUS} {totals}"),
        format!("{STATUS} {gaps}"),
    ]
}
