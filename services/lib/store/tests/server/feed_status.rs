//! Table `feed_status`, view `gaps` and their views for people: events in, one row for each gap out.

use std::sync::Arc;

use market::{Gap, GapReason, Market, Origin, Source, Stamp, Status, Symbol, Tape};
use store::{ClickhouseSettings, FeedStatusRow, Insert, Position, Store};

use crate::support::Engine;

fn row(number: u64, status: &Status) -> FeedStatusRow {
    let stamp = Stamp {
        market: Market::Kr,
        source: Source::Kis,
        received_ns: 1_795_478_430_000_000_000 + i64::try_from(number).expect("small"),
        connection_id: 1_795_478_000_000_000_001,
        frame_sequence: number,
        record_index: 0,
        origin: Origin::Live,
    };
    let position =
        Position { stream: Arc::from("STATUS"), epoch: 1, stream_sequence: number, event_id: number };
    FeedStatusRow::new(&stamp, status, b"", position)
}

fn gap(connection: Option<&str>, from_ns: i64, until_ns: Option<i64>) -> Gap {
    Gap {
        reason: GapReason::Disconnected,
        connection: connection.map(ToOwned::to_owned),
        instrument: None,
        from_ns,
        until_ns,
        detail: "cut".to_owned(),
        volume: None,
    }
}

#[tokio::test]
async fn a_gap_is_one_row_with_both_edges_and_open_until_it_closes() {
    let engine = Engine::start().await;
    let store = Store::new(&ClickhouseSettings { url: engine.url(), ..ClickhouseSettings::default() });
    let store = store.expect("store");
    let from = 1_795_478_400_000_000_000;
    let instrument = Gap {
        reason: GapReason::Refused,
        instrument: Some((Tape::Krx, Symbol::parse("005930").expect("symbol"))),
        ..gap(None, from, None)
    };
    let rows = [
        row(1, &Status::GapOpened(gap(Some("main"), from, None))),
        row(2, &Status::GapOpened(gap(Some("second"), from, None))),
        row(3, &Status::GapClosed(gap(Some("main"), from, Some(from + 2_500_000_000)))),
        row(4, &Status::GapOpened(gap(Some("main"), from + 9, None))),
        row(5, &Status::GapOpened(instrument)),
        row(6, &Status::LinkUp { connection: "main".to_owned(), registered: 40, refused: 1 }),
    ];
    // Twice: the same token is the same insert.
    for _ in 0..2 {
        store.insert(&rows, 0).await.expect("inserted");
    }
    // And once as another insert: the key collapses it.
    store.insert(&rows[2..4], 0).await.expect("inserted");
    let gaps = "SELECT connection, reason, symbol, is_open, duration_ns, trade_date FROM gaps \
                ORDER BY connection, from_ns";
    assert_eq!(
        engine.rows(gaps).await,
        [
            " refused 005930 true - 2026-11-24",
            "main disconnected  false 2500000000 2026-11-24",
            "main disconnected  true - 2026-11-24",
            "second disconnected  true - 2026-11-24",
        ]
    );
    let kst = "SELECT from_time, until_time, seconds FROM gaps_kst WHERE NOT is_open";
    let expected = "2026-11-24 09:00:00.000000 2026-11-24 09:00:02.500000 2.5";
    assert_eq!(engine.rows(kst).await, [expected]);
    let open = "SELECT is_open, seconds FROM gaps_kst WHERE connection = 'main' ORDER BY is_open";
    assert_eq!(engine.rows(open).await, ["false 2.5", "true -"]);
    let status = "SELECT what, registered, refused, event FROM feed_status_kst WHERE what = 'link_up'";
    let expected = r#"link_up 40 1 {"connection":"main","refused":1,"registered":40}"#;
    assert_eq!(engine.rows(status).await, [expected]);
    assert_eq!(engine.rows("SELECT count() FROM feed_status_kst").await, ["6"]);
}

#[tokio::test]
async fn what_was_never_archived_is_named() {
    let engine = Engine::start().await;
    engine
        .execute(
            "INSERT INTO archived (stream, epoch, first, last, rows, set_aside, created_ns) VALUES \
             ('A', 1, 101, 200, 100, 0, 5), ('A', 1, 221, 300, 80, 0, 5), ('A', 2, 250, 400, 151, 0, 5), \
             ('A', 3, 1, 10, 10, 0, 9), ('B', 1, 1, 7, 6, 1, 5)",
        )
        .await;
    let rows = "SELECT stream, epoch, first, last, missing FROM never_archived ORDER BY ALL";
    assert_eq!(engine.rows(rows).await, ["A 1 1 100 100", "A 1 201 220 20"]);
}
