//! What the history of a day is read from: prints, what was told of missing volume, outages, what the ledger lacks.

use market::recovery::{Method, Proof};
use market::{Market, Origin, Quantity, Source, Symbol, Tape, TradeDate};
use store::history::InstrumentDay;
use store::{ClickhouseSettings, Store};

use crate::support::Engine;

fn store(engine: &Engine) -> Store {
    Store::new(&ClickhouseSettings { url: engine.url(), ..ClickhouseSettings::default() }).expect("store")
}

fn date() -> TradeDate {
    TradeDate::parse("20261125").expect("date")
}

fn samsung() -> InstrumentDay {
    InstrumentDay { tape: Tape::Krx, symbol: Symbol::parse("005930").expect("symbol"), trade_date: date() }
}

#[tokio::test]
async fn prints_come_in_the_order_of_the_line_over_sources_and_origins() {
    let engine = Engine::start().await;
    let rows = [
        ("kis", "krx", "005930", "2026-11-25", "live", 30),
        ("kiwoom", "krx", "005930", "2026-11-25", "recovered", 10),
        ("kiwoom", "krx", "005930", "2026-11-25", "live", 30),
        ("kis", "nxt", "005930", "2026-11-25", "live", 5),
        ("kis", "krx", "000660", "2026-11-24", "live", 7),
        ("kis", "krx", "005930", "2026-11-26", "live", 8),
    ];
    for (source, tape, symbol, day, origin, end) in rows {
        engine
            .execute(&format!(
                "INSERT INTO trades (market, source, tape, symbol, trade_date, exchange_ns, received_ns, origin, price, \
                 quantity, aggressor_side, cumulative_volume, session) VALUES \
                 ('kr','{source}','{tape}','{symbol}','{day}','{day} 00:00:01','{day} 00:00:01.5','{origin}',100.5,5,'buy',{end},'continuous')"
            ))
            .await;
    }
    let store = store(&engine);
    let prints = store.prints(&samsung()).await.expect("prints");
    let seen: Vec<_> =
        prints.iter().map(|print| (print.cumulative_volume.units(), print.source, print.origin)).collect();
    assert_eq!(
        seen,
        [
            (10, Source::Kiwoom, Origin::Recovered),
            (30, Source::Kis, Origin::Live),
            (30, Source::Kiwoom, Origin::Live)
        ]
    );
    // 2026-11-25 00:00:01 UTC, 100.5 won.
    assert_eq!((prints[0].exchange_ns, prints[0].price.units()), (1_795_564_801_000_000_000, 1_005_000));
    let of_day = store.instruments_of_day(Market::Kr, date()).await.expect("instruments");
    let named: Vec<_> = of_day.iter().map(|(of, count)| (of.tape, of.symbol.to_string(), *count)).collect();
    assert_eq!(named, [(Tape::Krx, "005930".to_owned(), 3), (Tape::Nxt, "005930".to_owned(), 1)]);
    assert_eq!(store.newer_prints(&samsung()).await.expect("newer"), 1);
    let first =
        store.first_day_with_prints(Market::Kr, TradeDate::parse("20200101").expect("date"), date()).await;
    assert_eq!(first.expect("day"), TradeDate::parse("20261124").ok());
    let none = store.first_day_with_prints(Market::Us, date(), date()).await;
    assert_eq!(none.expect("day"), None);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one row a line")]
async fn what_was_told_of_a_day_is_read_with_its_last_word() {
    let engine = Engine::start().await;
    let told = |values: &str| {
        format!(
            "INSERT INTO feed_status (market, source, what, trade_date, received_ns, tape, symbol, reason, connection, \
             from_ns, until_ns, after, until, residue, method, asked, returned, added, added_volume, proof, started_ns, \
             volume, is_final, off_hours, detail, event_id) VALUES ('kr','kiwoom',{values})"
        )
    };
    let at = "'2026-11-25 11:00:0";
    for values in [
        // A gap that was closed, one that keeps a residue, one that nobody asked for, and an outage.
        format!(
            "'gap_opened','2026-11-25',{at}1','krx','005930','chain_break','',{at}0',{at}1',100,150,NULL,'',NULL,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL,'between',1"
        ),
        format!(
            "'gap_closed','2026-11-25',{at}2','krx','005930','chain_break','',{at}0',{at}1',100,150,0,'',NULL,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL,'filled',2"
        ),
        format!(
            "'gap_opened','2026-11-25',{at}1','krx','005930','chain_break','',{at}0',{at}1',200,250,7,'',NULL,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL,'left',3"
        ),
        format!(
            "'gap_opened','2026-11-25',{at}1','krx','000660','chain_break','',{at}0',NULL,300,350,NULL,'',NULL,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL,'tail',4"
        ),
        format!(
            "'gap_opened','2026-11-25',{at}1','','','disconnected','main',{at}0',NULL,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL,'cut',5"
        ),
        format!(
            "'recovery','2026-11-25',{at}3','krx','005930','','',NULL,NULL,200,250,-3,'ka10084',3,300,12,40,'unproven',{at}2',NULL,NULL,NULL,'too many',6"
        ),
        format!(
            "'day_total','2026-11-25',{at}3','krx','005930','','',NULL,NULL,NULL,NULL,NULL,'ka10003',NULL,NULL,NULL,NULL,'',NULL,900,true,40,'',7"
        ),
        format!(
            "'day_total','2026-11-25',{at}4','krx','005930','','',NULL,NULL,NULL,NULL,NULL,'ka10003',NULL,NULL,NULL,NULL,'',NULL,800,false,0,'',8"
        ),
    ] {
        engine.execute(&told(&values)).await;
    }
    let store = store(&engine);
    let gaps = store.volume_gaps(Market::Kr, date(), None).await.expect("gaps");
    let seen: Vec<_> = gaps
        .iter()
        .map(|gap| {
            (gap.of.symbol.to_string(), gap.after.units(), gap.is_open, gap.residue.map(Quantity::units))
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("000660".to_owned(), 300, true, None),
            ("005930".to_owned(), 100, false, Some(0)),
            ("005930".to_owned(), 200, true, Some(7))
        ]
    );
    let symbol = samsung().symbol;
    assert_eq!(store.volume_gaps(Market::Kr, date(), Some(&symbol)).await.expect("gaps").len(), 2);
    let recoveries = store.recoveries(Market::Kr, date(), Some(&symbol)).await.expect("recoveries");
    let [recovery] = recoveries.as_slice() else { panic!("{recoveries:?}") };
    assert_eq!((recovery.method, recovery.proof, recovery.residue), (Method::Ka10084, Proof::Unproven, -3));
    assert_eq!(
        (recovery.asked, recovery.returned, recovery.added, recovery.after.units()),
        (3, 300, 12, 200)
    );
    // 2026-11-25 11:00:02 UTC.
    assert_eq!(recovery.started_ns, 1_795_604_402_000_000_000);
    let totals = store.day_totals(Market::Kr, date(), None).await.expect("totals");
    let totals: Vec<_> =
        totals.iter().map(|total| (total.volume.units(), total.is_final, total.off_hours.units())).collect();
    assert_eq!(totals, [(800, false, 0), (900, true, 40)], "the final one counts");
    let noon = 1_795_608_000_000_000_000;
    let outages = store.outages(Market::Kr, noon, noon + 1).await.expect("outages");
    let [outage] = outages.as_slice() else { panic!("{outages:?}") };
    assert_eq!((outage.connection.as_str(), outage.until_ns, outage.instrument), ("main", None, None));
    assert_eq!(store.outages(Market::Kr, 0, 1).await.expect("outages"), []);
    assert_eq!(store.outages(Market::Us, noon, noon + 1).await.expect("outages"), []);
}

#[tokio::test]
async fn the_ledger_tells_what_it_lacks_of_each_epoch() {
    let engine = Engine::start().await;
    engine
        .execute(
            "INSERT INTO archived (stream, epoch, first, last, rows, set_aside, created_ns) VALUES \
             ('S',1,3,10,8,0,7), ('S',1,14,30,17,0,7), ('S',2,21,22,2,0,7), ('S',2,26,28,3,0,7), ('S',1,1,99,99,0,6), \
             ('T',1,1,99,99,0,7)",
        )
        .await;
    let store = store(&engine);
    let lacking = store.lacking("S", 7, 2..=40).await.expect("lacking");
    // From 21 on only what the second epoch has counts.
    assert_eq!(lacking.holes, [2..=2, 11..=13, 23..=25, 29..=40]);
    assert_eq!((lacking.highest, lacking.messages()), (Some(28), 19));
    let lacking = store.lacking("S", 8, 5..=6).await.expect("lacking");
    assert_eq!((lacking.holes, lacking.highest), (vec![5..=6], None));
}
