//! The queries of `clickhouse/queries/` against a small market whose answers can be worked out by hand.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clickhouse::Client;
use market::{Gap, GapReason, Method, Proof, Quantity, Recovery, Status};
use store::{ClickhouseSettings, Insert as _, Store};

use crate::completeness::{instrument, missing, row, row_at, total};
use crate::support::Engine;

/// Trades: source, origin, symbol, seconds after 09:00 of Seoul, delay in ms, price, quantity, cumulative volume, side,
/// session, sequence in the stream of the source.
const TRADES: &str = "\
    ('kis','live','005930',0,500,70000,100,100,'none','open_auction',1),\
    ('kiwoom','live','005930',0,400,70000,100,100,'none','open_auction',1),\
    ('kis','live','005930',10,300,70100,30,130,'buy','continuous',2),\
    ('kiwoom','live','005930',10,450,70100,30,130,'buy','continuous',2),\
    ('kis','live','005930',65,300,70000,20,150,'sell','continuous',3),\
    ('kiwoom','recovered','005930',66,30000000,70200,10,160,'unspecified','continuous',9),\
    ('kiwoom','live','005930',120,200,70100,30,200,'buy','continuous',3),\
    ('kis','live','000660',0,200,180000,50,50,'none','open_auction',4),\
    ('kiwoom','live','000660',0,200,180000,50,50,'none','open_auction',4),\
    ('kis','live','035420',0,300,100,5,5,'buy','continuous',5),\
    ('kis','live','068270',0,300,100,10,40,'buy','continuous',6)";

/// Order books of 005930: source, milliseconds after 09:00 of Seoul, ask, bid, session.
const ORDER_BOOKS: &str = "\
    ('kis',1000,70000,70500,'open_auction'),\
    ('kis',10000,70100,70000,'continuous'),\
    ('kiwoom',10200,70100,70000,'continuous'),\
    ('kis',20000,70200,70000,'continuous'),\
    ('kiwoom',20300,70200,70000,'continuous'),\
    ('kis',70000,70200,70100,'continuous')";

/// 09:00 of Seoul on the day of all this, UTC ns.
const OPEN: i64 = 1_795_564_800_000_000_000;
const SECOND: i64 = 1_000_000_000;

async fn seed(engine: &Engine) {
    engine
        .execute(&format!(
            "INSERT INTO trades (market, tape, trade_date, source, origin, symbol, exchange_ns, received_ns, price, quantity, \
             cumulative_volume, aggressor_side, session, stream, epoch, stream_sequence) \
             SELECT 'kr', 'krx', '2026-11-25', source, origin, symbol, \
             fromUnixTimestamp64Nano({OPEN} + second * 1000000000, 'UTC'), \
             fromUnixTimestamp64Nano({OPEN} + second * 1000000000 + delay * 1000000, 'UTC'), price, quantity, end, side, session, \
             if(origin = 'live', 'TICKER_KR_' || upper(source), 'RECOVERED'), 1, sequence \
             FROM values('source String, origin String, symbol String, second Int64, delay Int64, price Int64, quantity Int64, \
             end Int64, side String, session String, sequence UInt64', {TRADES})"
        ))
        .await;
    engine
        .execute(&format!(
            "INSERT INTO order_books (market, tape, trade_date, symbol, source, connection_id, exchange_ns, received_ns, origin, \
             ask_prices, ask_quantities, bid_prices, bid_quantities, session) \
             SELECT 'kr', 'krx', '2026-11-25', '005930', source, 7, \
             fromUnixTimestamp64Nano({OPEN} + intDiv(ms, 1000) * 1000000000, 'UTC'), \
             fromUnixTimestamp64Nano({OPEN} + ms * 1000000, 'UTC'), 'live', [toDecimal64(ask, 4)], [10], [toDecimal64(bid, 4)], \
             [20], session FROM values('source String, ms Int64, ask Int64, bid Int64, session String', {ORDER_BOOKS})"
        ))
        .await;
    engine
        .execute(
            "INSERT INTO archived (stream, epoch, first, last, rows, set_aside, created_ns, archived_at) \
             VALUES ('TICKER_KR_KIS', 1, 1, 4, 4, 0, 5, '2026-11-25 00:05:00.000')",
        )
        .await;
    tell(engine).await;
}

/// What is said of volume: a gap that stays open after a recovery, one that closed, and a lost connection.
async fn tell(engine: &Engine) {
    let gap = |symbol, after, until, residue, (from, to): (i64, i64)| Gap {
        from_ns: OPEN + from * SECOND,
        until_ns: Some(OPEN + to * SECOND),
        ..missing(symbol, after, until, residue)
    };
    let recovery = Recovery {
        instrument: instrument("005930"),
        trade_date: missing("005930", 0, 1, None).volume.expect("volume").trade_date,
        after: Quantity::from_units(150),
        until: Quantity::from_units(170),
        method: Method::Ka10084,
        asked: 1,
        returned: 100,
        added: 1,
        added_volume: Quantity::from_units(10),
        residue: 10,
        proof: Proof::Unproven,
        started_ns: OPEN + 30_000 * SECOND,
        detail: String::new(),
    };
    let cut = Gap {
        reason: GapReason::Disconnected,
        connection: Some("main".to_owned()),
        instrument: None,
        volume: None,
        ..gap("005930", 0, 1, None, (20, 30))
    };
    let statuses = [
        Status::GapOpened(gap("000660", 0, 50, None, (-60, 0))),
        Status::GapClosed(gap("000660", 0, 50, Some(0), (-60, 0))),
        Status::GapOpened(gap("005930", 150, 170, None, (65, 120))),
        Status::Recovery(recovery),
        Status::GapOpened(gap("005930", 150, 170, Some(10), (65, 120))),
        Status::DayTotal(total("005930", 200, 0, true)),
        Status::DayTotal(total("000660", 50, 0, true)),
        Status::DayTotal(total("068270", 40, 30, true)),
    ];
    let mut rows: Vec<_> = (1..).zip(&statuses).map(|(number, status)| row(number, status)).collect();
    rows.push(row_at(OPEN + 30 * SECOND, 100, &Status::GapClosed(cut)));
    let settings = ClickhouseSettings { url: engine.url(), ..ClickhouseSettings::default() };
    Store::new(&settings).expect("store").insert(&rows, 0).await.expect("inserted");
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../clickhouse/queries")
}

/// What a query answers: values parted by spaces, NULL as `-`.
async fn answer(engine: &Engine, file: &str) -> Vec<String> {
    // The comments have question marks: none is a place for a value.
    let sql = std::fs::read_to_string(folder().join(file)).expect("query").replace('?', "??");
    let mut query = Client::default().with_url(engine.url()).with_database("sise").query(&sql);
    for (name, value) in [
        ("market", "kr"),
        ("trade_date", "2026-11-25"),
        ("symbol", "005930"),
        ("tape", "krx"),
        ("source", "kis"),
        ("rows", "2"),
    ] {
        query = query.param(name, value);
    }
    let bytes = query.fetch_bytes("TSV").expect("query").collect().await;
    let bytes = bytes.unwrap_or_else(|error| panic!("{file}: {error}"));
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    text.lines().map(|line| line.replace('\t', " ").replace("\\N", "-")).collect()
}

const ANSWERS: &[(&str, &[&str])] = &[
    (
        "01_completeness_of_a_day.sql",
        &[
            "krx false missing 1 200 190 0 10 ['005930']",
            "krx false no_total 1 - 5 0 - ['035420']",
            "krx true live 1 50 50 0 0 ['000660']",
            "krx true live+off_hours 1 40 10 30 0 ['068270']",
        ],
    ),
    ("02_book_crosscheck.sql", &["krx kis 2 0 0 0 49700000000 0", "krx kiwoom 2 2 2 10000 0 1"]),
    (
        "03_latency_by_broker.sql",
        &["kis 6 200000000 300000000 500000000 4 289700000000", "kiwoom 4 200000000 200000000 450000000 0 0"],
    ),
    ("04_who_was_first.sql", &["krx 3 1 1 150000000 100000000"]),
    ("05_spread_by_minute.sql", &["2026-11-25 09:00:00 2 100 100 200", "2026-11-25 09:01:00 1 100 100 100"]),
    ("06_volume_profile.sql", &["70200 1 10 0 0 526", "70100 2 60 60 0 3157", "70000 2 120 0 20 6315"]),
    ("07_recovered_share.sql", &["krx 005930 190 10 526 false"]),
    (
        "08_largest_trades.sql",
        &[
            "000660 2026-11-25 09:00:00.000000000 180000 50 9000000 none open_auction ['kis','kiwoom']",
            "005930 2026-11-25 09:00:00.000000000 70000 100 7000000 none open_auction ['kis','kiwoom']",
        ],
    ),
    (
        "09_gaps_of_a_day.sql",
        &[
            "chain_break krx 005930 2026-11-25 09:01:05.000000000 2026-11-25 09:02:00.000000000 true 20 10 1 ka10084 \
             unproven 1",
            "chain_break krx 000660 2026-11-25 08:59:00.000000000 2026-11-25 09:00:00.000000000 false 50 0 0   0",
            "disconnected   2026-11-25 09:00:20.000000000 2026-11-25 09:00:30.000000000 false - - 0   0",
        ],
    ),
    (
        "10_imbalance_by_minute.sql",
        &[
            "2026-11-25 09:00:00 70100 130 30 30 100",
            "2026-11-25 09:01:00 70200 30 -20 10 10",
            "2026-11-25 09:02:00 70100 30 30 40 0",
        ],
    ),
];

#[tokio::test]
async fn every_query_answers_what_can_be_worked_out_by_hand() {
    let engine = Engine::start().await;
    seed(&engine).await;
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("name"))
        .collect();
    assert_eq!(
        files.iter().map(String::as_str).collect::<Vec<_>>(),
        ANSWERS.iter().map(|(file, _)| *file).collect::<Vec<_>>()
    );
    let mut wrong = Vec::new();
    for (file, expected) in ANSWERS {
        let answer = answer(&engine, file).await;
        if answer != *expected {
            wrong.push(format!("{file}: {answer:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The bars and the latency by hour, of the same market.
    let second = "SELECT start_time, open, high, low, close, volume, value, trades FROM bars_1s WHERE symbol = '005930' \
                  ORDER BY start_time LIMIT 1, 1";
    assert_eq!(engine.rows(second).await, ["2026-11-25 00:00:10 70100 70100 70100 70100 30 2103000 1"]);
    let day = "SELECT open, high, low, close, volume, value, buy_volume, sell_volume, recovered_volume, trades, \
               first_cumulative_volume, last_cumulative_volume FROM bars_1d WHERE symbol = '005930'";
    assert_eq!(engine.rows(day).await, ["70000 70200 70000 70100 190 13308000 60 20 10 5 0 200"]);
    let latency = "SELECT source, kind, hour, events, least_ns, median_ns, p99_ns, most_ns FROM latency \
                   WHERE kind = 'trades' ORDER BY source";
    assert_eq!(
        engine.rows(latency).await,
        [
            "kis trades 2026-11-25 00:00:00 6 200000000 300000000 500000000 500000000",
            "kiwoom trades 2026-11-25 00:00:00 4 200000000 200000000 450000000 450000000",
        ]
    );
}
