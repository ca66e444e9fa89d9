//! Trades a day of each symbol: of the broker that has the most, on the day that is asked for or the market's last one.

use store::{ClickhouseSettings, Store};

use crate::support::Engine;

#[tokio::test]
async fn trades_are_counted_by_symbol_and_day_and_not_twice_for_two_brokers() {
    let engine = Engine::start().await;
    // Market, source, tape, symbol, day, how many.
    let rows = "('kr','kis','krx','005930','2026-11-24',9),('kr','kis','krx','005930','2026-11-25',3),\
                ('kr','kiwoom','krx','005930','2026-11-25',4),('kr','kis','nxt','005930','2026-11-25',2),\
                ('kr','kis','krx','000660','2026-11-24',1),('us','kis','us','AAPL','2026-11-24',6)";
    engine
        .execute(&format!(
            "INSERT INTO trades (market, source, tape, symbol, trade_date, exchange_ns, received_ns, origin, price, \
             quantity, cumulative_volume) SELECT market, source, tape, symbol, toDate(day), toDateTime64(day, 9, 'UTC'), \
             toDateTime64(day, 9, 'UTC'), 'live', 1, 1, number FROM values('market String, source String, tape String, \
             symbol String, day String, many UInt8', {rows}) ARRAY JOIN range(many) AS number"
        ))
        .await;
    let settings = ClickhouseSettings { url: engine.url(), ..ClickhouseSettings::default() };
    let store = Store::new(&settings).expect("store");
    let counted = async |day| {
        let counts = store.trades_of(day).await.expect("counts");
        counts.iter().map(|c| format!("{} {} {} {}", c.market, c.symbol, c.day, c.trades)).collect::<Vec<_>>()
    };
    assert_eq!(counted(None).await, ["kr 005930 2026-11-25 5", "us AAPL 2026-11-24 6"]);
    let before = ["kr 000660 2026-11-24 1", "kr 005930 2026-11-24 9", "us AAPL 2026-11-24 6"];
    assert_eq!(counted(Some("2026-11-24")).await, before);
    assert_eq!(counted(Some("2020-01-02")).await, Vec::<String>::new());
}
