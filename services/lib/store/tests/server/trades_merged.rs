//! View `trades_merged`: literal prints of both brokers in, the line of shares covered once out.

use crate::support::Engine;

/// A print: lane as `source` or `source+` (recovered), end and length on the line of shares.
type Print = (&'static str, i64, i64);

impl Engine {
    async fn prints(&self, symbol: &str, prints: &[Print]) {
        let rows: Vec<String> = prints
            .iter()
            .map(|(lane, end, quantity)| {
                let (source, origin) = match lane.strip_suffix('+') {
                    Some(source) => (source, "recovered"),
                    None => (*lane, "live"),
                };
                format!(
                    "('kr','{source}','krx','{symbol}','2026-11-25','2026-11-25 00:00:01','2026-11-25 00:00:01.5',\
                     '{origin}',100.5,{quantity},'buy',{end},'continuous')"
                )
            })
            .collect();
        self.execute(&format!(
            "INSERT INTO trades (market, source, tape, symbol, trade_date, exchange_ns, received_ns, origin, price, \
             quantity, aggressor_side, cumulative_volume, session) VALUES {}",
            rows.join(",")
        ))
        .await;
    }

    /// `end quantity source origin` of each print of a symbol, in order.
    async fn merged(&self, symbol: &str) -> Vec<String> {
        self.rows(&format!(
            "SELECT cumulative_volume, quantity, source, origin FROM trades_merged WHERE symbol = '{symbol}' \
             ORDER BY cumulative_volume"
        ))
        .await
    }
}

#[tokio::test]
async fn the_line_is_covered_once_and_from_one_source_a_stretch() {
    let engine = Engine::start().await;
    let cases: &[(&str, &[Print], &[&str])] = &[
        // Both have every print: KIS. A row that was read twice is one print.
        (
            "000001",
            &[("kis", 10, 10), ("kis", 10, 10), ("kiwoom", 10, 10), ("kiwoom", 15, 5), ("kis", 15, 5)],
            &["10 10 kis live", "15 5 kis live"],
        ),
        // What KIS lost comes from Kiwoom, what both lost from the recovery.
        (
            "000002",
            &[("kis", 10, 10), ("kiwoom", 10, 10), ("kiwoom", 15, 5), ("kiwoom+", 22, 7), ("kis", 30, 8)],
            &["10 10 kis live", "15 5 kiwoom live", "22 7 kiwoom recovered", "30 8 kis live"],
        ),
        // Cut into other prints, as much covered: KIS, whole; then on as usual.
        (
            "000003",
            &[("kis", 60, 60), ("kis", 100, 40), ("kiwoom", 100, 100), ("kiwoom", 110, 10)],
            &["60 60 kis live", "100 40 kis live", "110 10 kiwoom live"],
        ),
        // Cut into other prints and one of them lost: from the one that has the stretch whole.
        (
            "000004",
            &[("kis", 60, 60), ("kiwoom", 100, 100), ("kis", 110, 10)],
            &["100 100 kiwoom live", "110 10 kis live"],
        ),
        // Live before recovered where both have it, even of another broker.
        ("000005", &[("kis+", 10, 10), ("kiwoom", 10, 10)], &["10 10 kiwoom live"]),
        // A print over the shares of its own source is left out.
        ("000006", &[("kis", 10, 10), ("kis", 12, 5), ("kis", 20, 8)], &["10 10 kis live", "20 8 kis live"]),
        // Nobody has 11 to 20: a hole in the chain.
        ("000007", &[("kis", 10, 10), ("kiwoom", 25, 5)], &["10 10 kis live", "25 5 kiwoom live"]),
    ];
    for (symbol, prints, _) in cases {
        engine.prints(symbol, prints).await;
    }
    for (symbol, _, expected) in cases {
        assert_eq!(engine.merged(symbol).await, *expected, "{symbol}");
    }
    let whole = "SELECT count(), uniqExact((symbol, cumulative_volume)), sum(quantity) FROM trades_merged";
    assert_eq!(engine.rows(whole).await, ["16 16 308"]);
    let row = "SELECT market, tape, symbol, trade_date, price, exchange_ns, received_ns, aggressor_side, best_ask, session, \
               halted, sources FROM trades_merged WHERE symbol = '000001' AND cumulative_volume = 10";
    let expected = "kr krx 000001 2026-11-25 100.5 2026-11-25 00:00:01.000000000 2026-11-25 00:00:01.500000000 buy - \
                    continuous false ['kis','kiwoom']";
    assert_eq!(engine.rows(row).await, [expected]);
}

#[tokio::test]
async fn a_random_market_is_covered_once_and_as_far_as_one_could() {
    let engine = Engine::start().await;
    // 20,000 shares in prints of 1 to 8. KIS lacks every 10th print, Kiwoom every 7th, and recovery brings every 4th.
    engine
        .execute(
            "INSERT INTO trades (market, source, tape, symbol, trade_date, origin, price, quantity, cumulative_volume) \
             SELECT 'kr', lane.1, 'krx', '005930', '2026-11-25', lane.2, 1, quantity, end FROM ( \
             SELECT number, 1 + cityHash64(number) % 8 AS quantity, \
             sum(quantity) OVER (ORDER BY number ROWS UNBOUNDED PRECEDING) AS end FROM numbers(20000)) \
             ARRAY JOIN [('kis', 'live', 10), ('kiwoom', 'live', 7), ('kiwoom', 'recovered', 4)] AS lane \
             WHERE if(lane.2 = 'live', number % lane.3 != 0, number % lane.3 = 0)",
        )
        .await;
    // In the table some print of every number is there but those of 0 modulo 70 that are not 0 modulo 4.
    let sums = "SELECT count(), sum(quantity), countIf(source = 'kis'), countIf(origin = 'recovered') FROM trades_merged";
    let single = "SELECT uniqExact(cumulative_volume), (SELECT sum(quantity) FROM (SELECT any(quantity) AS quantity FROM \
                  trades GROUP BY cumulative_volume)), uniqExactIf(cumulative_volume, source = 'kis'), 143 FROM trades";
    assert_eq!(engine.rows(sums).await, engine.rows(single).await);
    let overlaps = "SELECT count() FROM trades_merged AS a INNER JOIN trades_merged AS b ON a.symbol = b.symbol \
                    WHERE a.cumulative_volume < b.cumulative_volume AND b.cumulative_volume - b.quantity < a.cumulative_volume \
                    AND a.cumulative_volume < 2000 AND b.cumulative_volume < 2000";
    assert_eq!(engine.rows(overlaps).await, ["0"]);
}

#[tokio::test]
async fn a_filter_on_symbol_and_day_reads_that_symbol_and_day() {
    let engine = Engine::start().await;
    engine
        .execute(
            "INSERT INTO trades (market, source, tape, symbol, trade_date, origin, price, quantity, cumulative_volume) \
             SELECT 'kr', 'kis', 'krx', toString(100000 + number % 20), toDate('2026-11-01') + intDiv(number, 20) % 20, \
             'live', 1, 1, 1 + intDiv(number, 400) FROM numbers(1600000)",
        )
        .await;
    let filtered =
        "FROM trades_merged WHERE market = 'kr' AND symbol = '100007' AND trade_date = '2026-11-05'";
    assert_eq!(engine.rows(&format!("SELECT count() {filtered}")).await, ["4000"]);
    let read = engine.rows(&format!("EXPLAIN ESTIMATE SELECT sum(quantity) {filtered}")).await;
    // `sise trades <parts> <rows> <marks>`: 4,000 rows of 1,600,000 in granules of 8,192.
    let rows: u64 = read[0].split(' ').nth(3).expect("rows").parse().expect("number");
    assert!(rows <= 3 * 8_192, "{read:?}");
}
