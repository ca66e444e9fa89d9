//! Recovered trades and what is said of volume into their tables, and the answer of `completeness` to them.

use market::{
    AggressorSide, Body, DayTotal, Event, Gap, GapReason, Method, MissingVolume, Origin, Proof, Quantity,
    Recovery, Source, Status, Symbol, Tape, TradeDate,
};

use crate::support::{House, trade};

/// A print of one share of 005931 that ends at `end`, as it came live.
fn live(end: u64) -> Event {
    let Event { stamp, body: Body::Trade(mut trade) } = trade(end) else { panic!("no trade") };
    trade.at.symbol = Symbol::parse("005931").expect("symbol");
    Event { stamp, body: Body::Trade(trade) }
}

/// The same print out of a page of Kiwoom, read an hour later.
fn recovered(end: u64) -> Event {
    let Event { mut stamp, body: Body::Trade(mut trade) } = live(end) else { panic!("no trade") };
    (stamp.origin, stamp.source) = (Origin::Recovered, Source::Kiwoom);
    stamp.received_ns += 3_600_000_000_000;
    trade.aggressor_side = AggressorSide::Unspecified;
    Event { stamp, body: Body::Trade(trade) }
}

fn told(number: u64, status: Status) -> Event {
    let Event { mut stamp, .. } = trade(number);
    (stamp.origin, stamp.source) = (Origin::Recovered, Source::Kiwoom);
    stamp.received_ns += 7_200_000_000_000;
    Event { stamp, body: Body::Status(status) }
}

/// Two shares are missing, the day has five, they were asked for, nothing is missing any more.
fn said() -> (Status, Status, Status, Status) {
    let shares = Quantity::from_units;
    let instrument = (Tape::Krx, Symbol::parse("005931").expect("symbol"));
    let trade_date = TradeDate::parse("20261124").expect("date");
    let (after, until) = (shares(2), shares(4));
    let gap = |residue: Option<i64>| Gap {
        reason: GapReason::ChainBreak,
        connection: None,
        instrument: Some(instrument),
        from_ns: 1_795_478_430_000_000_000,
        until_ns: Some(1_795_478_430_000_000_000),
        detail: String::new(),
        volume: Some(MissingVolume { trade_date, after, until, residue: residue.map(shares) }),
    };
    let recovery = Recovery {
        instrument,
        trade_date,
        after,
        until,
        method: Method::Ka10084,
        asked: 1,
        returned: 100,
        added: 2,
        added_volume: shares(2),
        residue: 0,
        proof: Proof::Chained,
        started_ns: 1_795_485_630_000_000_000,
        detail: String::new(),
    };
    let total = DayTotal {
        instrument,
        trade_date,
        volume: shares(5),
        method: Method::Ka10084,
        is_final: true,
        off_hours: Quantity::ZERO,
    };
    (
        Status::GapOpened(gap(None)),
        Status::DayTotal(total),
        Status::Recovery(recovery),
        Status::GapClosed(gap(Some(0))),
    )
}

#[tokio::test]
async fn recovered_trades_and_what_is_said_of_them_arrive_in_their_tables() {
    let house = House::build().await;
    let mut archiver = house.archiver();
    let (opened, total, recovery, closed) = said();
    house.publish([live(1), live(2), live(5), told(1, opened), told(2, total)]).await;
    house.until_number("SELECT sum(rows) FROM archived", 5).await;
    let missing = "SELECT count() FROM completeness WHERE symbol = '005931' AND trade_date = '2026-11-24' AND NOT proven \
                   AND missing = 2 AND open_volume = 2 AND how = 'missing'";
    assert_eq!(house.number(missing).await, 1);

    // Told twice, as a finder does that was killed in between: the names are those of the first time.
    for _ in 0..2 {
        house.publish([recovered(3), recovered(4), told(3, recovery.clone()), told(4, closed.clone())]).await;
    }
    house.until_number("SELECT sum(rows) FROM archived WHERE stream = 'RECOVERED'", 2).await;
    house.until_number("SELECT sum(rows) FROM archived WHERE stream = 'STATUS'", 4).await;
    let rows = "SELECT count() FROM trades WHERE origin = 'recovered' AND source = 'kiwoom' AND stream = 'RECOVERED' \
                AND aggressor_side = 'unspecified'";
    assert_eq!(house.number(rows).await, 2);
    let ledger = "SELECT count() FROM recoveries WHERE proof = 'chained' AND method = 'ka10084' AND added_volume = 2 \
                  AND after = 2 AND until = 4 AND source = 'kiwoom'";
    assert_eq!(house.number(ledger).await, 1);
    assert_eq!(
        house
            .number(
                "SELECT count() FROM feed_status WHERE trade_date = '2026-11-24' AND origin = 'recovered'"
            )
            .await,
        4
    );
    assert_eq!(house.number("SELECT count() FROM gaps WHERE NOT is_open AND residue = 0").await, 1);
    let proven = "SELECT count() FROM completeness WHERE symbol = '005931' AND proven AND recovered_volume = 2 \
                  AND stored_volume = 5 AND how = 'live+recovered'";
    assert_eq!(house.number(proven).await, 1);
    assert!(archiver.stop().await.success());
    assert_eq!(house.unacknowledged("RECOVERED").await, 0);
}
