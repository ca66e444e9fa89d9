//! What is said of volume in, views `gaps`, `recoveries`, `day_totals` and `completeness` out.

use std::sync::Arc;

use market::{
    DayTotal, Gap, GapReason, Market, Method, MissingVolume, Origin, Proof, Quantity, Recovery, Source,
    Stamp, Status, Symbol, Tape, TradeDate,
};
use store::{ClickhouseSettings, FeedStatusRow, Insert as _, Position, Store};

use crate::support::Engine;

fn day() -> TradeDate {
    TradeDate::parse("20261125").expect("date")
}

/// An instrument on the tape of KRX.
pub fn instrument(symbol: &str) -> (Tape, Symbol) {
    (Tape::Krx, Symbol::parse(symbol).expect("symbol"))
}

/// A gap of volume; `residue` where a recovery was tried.
pub fn missing(symbol: &str, after: i64, until: i64, residue: Option<i64>) -> Gap {
    let shares = Quantity::from_units;
    Gap {
        reason: GapReason::ChainBreak,
        connection: None,
        instrument: Some(instrument(symbol)),
        from_ns: 1_795_564_865_000_000_000,
        until_ns: Some(1_795_564_920_000_000_000),
        detail: format!("residue {residue:?}"),
        volume: Some(MissingVolume {
            trade_date: day(),
            after: shares(after),
            until: shares(until),
            residue: residue.map(shares),
        }),
    }
}

/// What Kiwoom says of a day.
pub fn total(symbol: &str, volume: i64, off_hours: i64, is_final: bool) -> DayTotal {
    DayTotal {
        instrument: instrument(symbol),
        trade_date: day(),
        volume: Quantity::from_units(volume),
        method: Method::Ka10084,
        is_final,
        off_hours: Quantity::from_units(off_hours),
    }
}

/// The row of a status that was told `number` seconds after the start, two days later.
pub fn row(number: u64, status: &Status) -> FeedStatusRow {
    let later = i64::try_from(number).expect("small") * 1_000_000_000;
    row_at(1_795_737_600_000_000_000 + later, number, status)
}

/// The row of a status that was told at `received_ns`.
pub fn row_at(received_ns: i64, number: u64, status: &Status) -> FeedStatusRow {
    let stamp = Stamp {
        market: Market::Kr,
        source: Source::Kiwoom,
        received_ns,
        connection_id: 1_795_737_600_000_000_000,
        frame_sequence: number,
        record_index: 0,
        origin: Origin::Recovered,
    };
    let position =
        Position { stream: Arc::from("STATUS"), epoch: 1, stream_sequence: number, event_id: number };
    FeedStatusRow::new(&stamp, status, b"", position)
}

async fn tell(engine: &Engine, first: u64, statuses: &[Status]) {
    let rows: Vec<_> = (first..).zip(statuses).map(|(number, status)| row(number, status)).collect();
    let settings = ClickhouseSettings { url: engine.url(), ..ClickhouseSettings::default() };
    Store::new(&settings).expect("store").insert(&rows, 0).await.expect("inserted");
}

/// Source, origin, end and length on the line of shares.
type Print = (&'static str, &'static str, i64, i64);

/// Volume, off-hours volume, whether it is final.
type Total = (i64, i64, bool);

async fn prints(engine: &Engine, symbol: &str, prints: &[Print]) {
    let rows: Vec<String> = prints
        .iter()
        .map(|(source, origin, end, quantity)| {
            format!("('kr','{source}','krx','{symbol}','2026-11-25','{origin}',1,{quantity},{end})")
        })
        .collect();
    engine
        .execute(&format!(
            "INSERT INTO trades (market, source, tape, symbol, trade_date, origin, price, quantity, cumulative_volume) \
             VALUES {}",
            rows.join(",")
        ))
        .await;
}

#[tokio::test]
async fn the_last_word_about_a_gap_of_volume_wins() {
    let engine = Engine::start().await;
    tell(
        &engine,
        1,
        &[
            Status::GapOpened(missing("000001", 100, 150, None)),
            Status::GapOpened(missing("000001", 100, 160, None)),
            Status::GapOpened(missing("000001", 200, 260, None)),
            Status::GapClosed(missing("000001", 100, 150, Some(0))),
            Status::GapClosed(missing("000001", 200, 260, Some(9))),
            Status::GapOpened(missing("000001", 0, 7, None)),
        ],
    )
    .await;
    let sql = "SELECT symbol, after_cumulative_volume, until_cumulative_volume, missing_volume, residue, open_volume, \
               is_open, duration_ns, trade_date, source FROM gaps ORDER BY ALL";
    assert_eq!(
        engine.rows(sql).await,
        [
            "000001 0 7 7 - 7 true 55000000000 2026-11-25 kiwoom",
            "000001 100 150 50 0 0 false 55000000000 2026-11-25 kiwoom",
            "000001 100 160 60 - 60 true 55000000000 2026-11-25 kiwoom",
            "000001 200 260 60 9 9 true 55000000000 2026-11-25 kiwoom",
        ]
    );
    // Found again, and closed for good.
    tell(&engine, 11, &[Status::GapOpened(missing("000001", 100, 150, None))]).await;
    tell(&engine, 12, &[Status::GapClosed(missing("000001", 200, 260, Some(0)))]).await;
    let open = "SELECT after_cumulative_volume, until_cumulative_volume, seconds, detail FROM gaps_kst WHERE is_open \
                ORDER BY ALL";
    assert_eq!(
        engine.rows(open).await,
        ["0 7 55 residue None", "100 150 55 residue None", "100 160 55 residue None"]
    );
}

#[tokio::test]
async fn an_attempt_and_a_total_are_rows_however_often_they_are_told() {
    let engine = Engine::start().await;
    let recovery = Recovery {
        instrument: instrument("005930"),
        trade_date: day(),
        after: Quantity::from_units(100),
        until: Quantity::from_units(150),
        method: Method::Ka10079,
        asked: 2,
        returned: 1_800,
        added: 7,
        added_volume: Quantity::from_units(53),
        residue: -3,
        proof: Proof::Unproven,
        started_ns: 1_795_737_600_000_000_000,
        detail: "too many".to_owned(),
    };
    let later = Recovery { started_ns: 1_795_737_700_000_000_000, residue: 0, ..recovery.clone() };
    let told = [
        Status::Recovery(recovery),
        Status::DayTotal(total("005930", 900, 0, false)),
        Status::DayTotal(total("005930", 1_000, 40, true)),
        Status::Recovery(later),
    ];
    tell(&engine, 1, &told).await;
    // The same again at another time: not another attempt, not another total.
    tell(&engine, 21, &told).await;
    let recoveries = "SELECT source, tape, symbol, trade_date, after, until, method, asked, returned, added, added_volume, \
                      residue, proof, started_ns, detail FROM recoveries ORDER BY started_ns";
    let row = |residue: i64, at: &str| {
        format!(
            "kiwoom krx 005930 2026-11-25 100 150 ka10079 2 1800 7 53 {residue} unproven 2026-11-27 00:0{at}.000000000 too many"
        )
    };
    assert_eq!(engine.rows(recoveries).await, [row(-3, "0:00"), row(0, "1:40")]);
    let totals =
        "SELECT source, volume, off_hours, is_final, method, received_ns FROM day_totals ORDER BY volume";
    assert_eq!(
        engine.rows(totals).await,
        [
            "kiwoom 900 0 false ka10084 2026-11-27 00:00:22.000000000",
            "kiwoom 1000 40 true ka10084 2026-11-27 00:00:23.000000000",
        ]
    );
}

#[tokio::test]
async fn a_day_is_proven_when_every_share_is_accounted_for_and_says_how() {
    let engine = Engine::start().await;
    let live = |end, quantity| ("kis", "live", end, quantity);
    let of_kiwoom = |end, quantity| ("kiwoom", "live", end, quantity);
    let recovered = |end, quantity| ("kiwoom", "recovered", end, quantity);
    let days: &[(&str, &[Print], Option<Total>, &str)] = &[
        // A print that is stored twice, or that both brokers sent, counts once.
        (
            "000001",
            &[live(10, 10), live(10, 10), of_kiwoom(10, 10), live(15, 5)],
            Some((15, 0, true)),
            "15 15 0 0 0 true live",
        ),
        (
            "000002",
            &[live(10, 10), recovered(15, 5), recovered(10, 10)],
            Some((15, 0, true)),
            "15 15 5 0 0 true live+recovered",
        ),
        ("000003", &[live(10, 10), live(45, 5)], Some((45, 30, true)), "45 15 0 30 0 true live+off_hours"),
        // A repeated row does not stand for a missing one.
        ("000004", &[live(10, 10), of_kiwoom(10, 10)], Some((20, 0, true)), "20 10 0 0 10 false missing"),
        ("000005", &[live(10, 10)], None, "- 10 0 0 - false no_total"),
        ("000006", &[live(10, 10)], Some((10, 0, false)), "10 10 0 0 0 false not_final"),
        // As many shares as the broker tells, but not those.
        ("000007", &[live(10, 10), live(25, 5)], Some((15, 0, true)), "15 15 0 0 0 false beyond"),
        ("000008", &[live(10, 10)], Some((10, 4, true)), "10 10 0 4 -4 false surplus"),
        ("000009", &[], Some((30, 30, true)), "30 0 0 30 0 true off_hours"),
        ("000010", &[], Some((0, 0, true)), "0 0 0 0 0 true empty_day"),
        ("000011", &[live(10, 10)], Some((10, 0, true)), "10 10 0 0 0 false gap_open"),
        ("000012", &[], None, "- 0 0 0 - false no_total"),
    ];
    for (symbol, of_day, _, _) in days.iter().filter(|day| !day.1.is_empty()) {
        prints(&engine, symbol, of_day).await;
    }
    let totals = days.iter().filter_map(|(symbol, _, said, _)| {
        said.map(|(volume, off_hours, is_final)| Status::DayTotal(total(symbol, volume, off_hours, is_final)))
    });
    tell(&engine, 1, &totals.collect::<Vec<_>>()).await;
    // A later word that is not final, and an earlier final one, change nothing.
    tell(&engine, 50, &[Status::DayTotal(total("000001", 14, 0, false))]).await;
    tell(&engine, 0, &[Status::DayTotal(total("000002", 14, 0, true))]).await;
    let gaps = [
        Status::GapOpened(missing("000011", 2, 5, Some(1))),
        Status::GapOpened(missing("000012", 2, 5, None)),
        Status::GapClosed(missing("000001", 10, 15, Some(0))),
    ];
    tell(&engine, 60, &gaps).await;
    let sql = "SELECT symbol, volume, stored_volume, recovered_volume, off_hours_volume, missing, proven, how \
               FROM completeness WHERE market = 'kr' AND trade_date = '2026-11-25' ORDER BY symbol";
    let expected: Vec<String> = days.iter().map(|(symbol, _, _, row)| format!("{symbol} {row}")).collect();
    assert_eq!(engine.rows(sql).await, expected);
    let open = "SELECT symbol, open_gaps, open_volume FROM completeness WHERE open_gaps > 0 ORDER BY symbol";
    assert_eq!(engine.rows(open).await, ["000011 1 1", "000012 1 3"]);
    assert_eq!(engine.rows("SELECT prints FROM completeness WHERE symbol = '000004'").await, ["2"]);
    assert_eq!(engine.rows("SELECT count() FROM completeness WHERE trade_date = '2026-11-24'").await, ["0"]);
}
