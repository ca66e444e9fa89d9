//! What the page shows of the archive, from a real engine with a few rows.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use market::Source::Kis;
use market::{Body, Event, Gap, GapReason, MissingVolume, Quantity, Status, Symbol, Tape, TradeDate};
use serde_json::json;
use store::{ClickhouseSettings, FeedStatusRow, Insert as _, Position, Store, TradeRow};

use crate::support::{House, LIMIT, program, stamp, trade, until};

/// An engine with the tables, killed when it is dropped.
struct Engine {
    child: Child,
    url: String,
    store: Store,
    _folder: tempfile::TempDir,
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

async fn engine() -> Engine {
    let library = std::env::var_os("SISE__CLICKHOUSE_EMBEDDED__LIBRARY");
    let library =
        library.expect("SISE__CLICKHOUSE_EMBEDDED__LIBRARY is not set: libchdb.so (scripts/lib installs it)");
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("empty.toml"), "").expect("settings");
    let log = std::fs::File::create(path("log")).expect("log");
    let mut child = Command::new(program("clickhouse-embedded"))
        .arg("--config")
        .arg(path("empty.toml"))
        .env_clear()
        .env("SISE__LOG__JSON", "true")
        .env("SISE__CLICKHOUSE_EMBEDDED__LIBRARY", library)
        .env("SISE__CLICKHOUSE_EMBEDDED__PATH", path("clickhouse"))
        .env("SISE__CLICKHOUSE_EMBEDDED__LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("engine starts");
    let mark = r#""message":"serving","address":""#;
    let address = crate::support::listening(&mut child, &path("log"), mark).await;
    let url = format!("http://{address}");
    let settings = ClickhouseSettings { url: url.clone(), ..ClickhouseSettings::default() };
    let store = Store::new(&settings).expect("store");
    until("the engine answers", async || store.answers().await).await;
    store.migrate().await.expect("migrated");
    Engine { child, url, store, _folder: folder }
}

fn position(stream: &str, number: u64) -> Position {
    Position { stream: Arc::from(stream), epoch: 1, stream_sequence: number, event_id: number }
}

fn disconnected() -> Gap {
    Gap {
        reason: GapReason::Disconnected,
        connection: Some("main".into()),
        instrument: None,
        from_ns: 1_795_478_430_000_000_000,
        until_ns: None,
        detail: "closed by the broker".into(),
        volume: None,
    }
}

/// Shares `(after, until]` that no print covers.
fn missing(after: i64, until: i64, residue: Option<i64>) -> Gap {
    let volume = MissingVolume {
        trade_date: TradeDate::parse("20261124").expect("date"),
        after: Quantity::from_units(after),
        until: Quantity::from_units(until),
        residue: residue.map(Quantity::from_units),
    };
    Gap {
        reason: GapReason::ChainBreak,
        connection: None,
        instrument: Some((Tape::Krx, Symbol::parse("005930").expect("symbol"))),
        from_ns: 1_795_478_431_000_000_000,
        until_ns: Some(1_795_478_432_000_000_000),
        detail: "between two prints".into(),
        volume: Some(volume),
    }
}

fn status_row(number: u64, status: Status) -> FeedStatusRow {
    let event =
        Event { stamp: stamp(Kis, i64::try_from(number).expect("small")), body: Body::Status(status) };
    let Body::Status(status) = &event.body else { panic!("no status") };
    FeedStatusRow::new(&event.stamp, status, &bus::encode(&event), position("STATUS", number))
}

/// A stretch of time that goes on, and shares of which some, or none, are left.
async fn gaps_are_told(house: &House) {
    let gaps = house.gateway.get("/v1/gaps?date=2026-11-24").await.1;
    let list = gaps["gaps"].as_array().expect("gaps");
    assert_eq!(list.len(), 3, "{gaps}");
    let of =
        |after: i64| list.iter().find(|gap| gap["after_cumulative_volume"] == json!(after)).expect("gap");
    let brief = |gap: &serde_json::Value| {
        let fields = [
            "symbol",
            "reason",
            "is_open",
            "missing_volume",
            "until_cumulative_volume",
            "residue",
            "open_volume",
        ];
        json!(fields.map(|name| gap[name].clone()))
    };
    assert_eq!(
        brief(of(10)),
        json!(["005930", "chain_break", true, 40, 50, 4, 4]),
        "with a residue it stays open"
    );
    assert_eq!(brief(of(60)), json!(["005930", "chain_break", false, 10, 70, 0, 0]));
    let open = house.gateway.get("/v1/gaps?date=2026-11-24&open=true").await.1;
    assert_eq!(open["gaps"].as_array().map(Vec::len), Some(2), "{open}");
    let told = list.iter().find(|gap| gap["reason"] == json!("disconnected")).expect("a stretch of time");
    assert_eq!(told["after_cumulative_volume"], json!(null));
    assert_eq!(
        (&told["reason"], &told["connection"], &told["from_ns"], &told["until_ns"], &told["is_open"]),
        (&json!("disconnected"), &json!("main"), &json!("1795478430000000000"), &json!(null), &json!(true)),
        "{gaps}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_gaps_and_completeness_come_from_the_archive() {
    let engine = engine().await;
    // Ten shares each: three in the first minute, two in the next.
    let untils = [10, 20, 30, 6_100, 6_110];
    let rows: Vec<TradeRow> = (1..)
        .zip(untils)
        .map(|(number, until)| {
            let event = trade(Kis, "005930", until);
            let Body::Trade(trade) = event.body else { panic!("no trade") };
            TradeRow::new(&event.stamp, &trade, position("TICKER_KR_KIS", number))
        })
        .collect();
    engine.store.insert(&rows, 0).await.expect("inserted");
    let told = [
        Status::GapOpened(disconnected()),
        Status::GapOpened(missing(10, 50, None)),
        Status::GapClosed(missing(10, 50, Some(4))),
        Status::GapOpened(missing(60, 70, None)),
        Status::GapClosed(missing(60, 70, Some(0))),
    ];
    let rows: Vec<FeedStatusRow> =
        (1..).zip(told).map(|(number, status)| status_row(number, status)).collect();
    engine.store.insert(&rows, 0).await.expect("inserted");

    let house = House::build(&[("CLICKHOUSE__URL", &engine.url)]).await;
    let (status, bars) = house.gateway.get("/v1/bars?symbol=005930").await;
    assert_eq!(status, 200, "{bars}");
    assert_eq!(
        bars,
        json!({"symbol": "005930", "tape": "krx", "interval": "1m", "cut": false, "bars": [
            {"start": 1_795_478_400, "open": "70010", "high": "70030", "low": "70010", "close": "70030", "volume": 30,
             "buy_volume": 30, "sell_volume": 0, "trades": 3},
            {"start": 1_795_478_460, "open": "76100", "high": "76110", "low": "76100", "close": "76110", "volume": 20,
             "buy_volume": 20, "sell_volume": 0, "trades": 2},
        ]})
    );
    let later = house.gateway.get("/v1/bars?symbol=005930&from=2026-11-24T00:01:00Z").await.1;
    assert_eq!(later["bars"].as_array().map(Vec::len), Some(1), "{later}");
    let days = house.gateway.get("/v1/bars?symbol=005930&interval=1d").await.1;
    assert_eq!(
        (&days["bars"][0]["start"], &days["bars"][0]["volume"]),
        (&json!(1_795_478_400), &json!(50)),
        "{days}"
    );
    gaps_are_told(&house).await;
    let found = engine
        .store
        .completeness_by_day(market::Market::Kr, market::TradeDate::parse("20261101").expect("date"))
        .await
        .expect("days");
    assert_eq!((found[0].trade_date.as_str(), found[0].instruments, found[0].no_total), ("2026-11-24", 1, 1));
    assert_eq!(house.gateway.get("/v1/completeness?days=60").await.0, 200);
    let health = house.gateway.get("/v1/health").await.1;
    assert_eq!(health["archive"], json!(true));
    let _limit = LIMIT;
}
