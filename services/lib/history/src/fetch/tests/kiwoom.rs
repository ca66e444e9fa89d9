//! ka10084, ka10079 and ka10003.

use market::{AggressorSide, Value as Money};
use proptest::prelude::*;

use super::*;

const NEWEST: [(&str, &str, &str, i64); 3] =
    [("090003", "+70100", "+5", 30), ("090003", "-70000", "-5", 25), ("090002", "70000", "7", 20)];
const MIDDLE: [(&str, &str, &str, i64); 2] = [("090002", "70000", "7", 13), ("090001", "+70100", "+2", 6)];
const OLDEST: [(&str, &str, &str, i64); 1] = [("090000", "+70100", "3", 4)];

async fn today(table: &Table, down_to: i64) -> Result<Fetched, FetchError> {
    day_trades(table, samsung(), Tape::Krx, Which::Today(day()), shares(down_to)).await
}

#[tokio::test]
async fn pages_are_joined_in_the_order_received_and_come_oldest_first() {
    let (newest, middle, oldest) = (of_day(&NEWEST), of_day(&MIDDLE), of_day(&OLDEST));
    let table = Table::of(&[(&newest, Some("k1")), (&middle, Some("k2")), (&oldest, None)]);
    let fetched = today(&table, 0).await.expect("pages");
    assert_eq!(volumes(&fetched), [4, 6, 13, 20, 25, 30]);
    assert_eq!((fetched.pages, fetched.returned, fetched.reached_end, fetched.blank), (3, 6, true, false));
    assert!(fetched.is_complete() && table.is_used_up());
    let parameters = serde_json::json!({"stk_cd": "005930", "tdy_pred": "1", "tic_min": "0", "tm": ""});
    let asked = |key: Option<&str>| ("ka10084".to_owned(), parameters.clone(), key.map(ToOwned::to_owned));
    assert_eq!(table.asked(), [asked(None), asked(Some("k1")), asked(Some("k2"))]);
    assert_eq!(
        fetched.rows[5],
        Row {
            exchange_ns: at("090003"),
            price: Price::from_units(701_000_000),
            quantity: shares(5),
            aggressor_side: AggressorSide::Buy,
            cumulative_volume: Some(shares(30)),
            best_ask: Some(Price::from_units(701_000_000)),
            best_bid: Some(Price::from_units(700_000_000)),
            cumulative_value: Some((Money::from_units(10_000_000_000), Money::from_units(10_000_000_000))),
            received_ns: RECEIVED,
        }
    );
    let table = Table::of(&[(&oldest, None)]);
    let yesterday = Which::Yesterday(day());
    day_trades(&table, samsung(), Tape::Nxt, yesterday, shares(0)).await.expect("page");
    let parameters = serde_json::json!({"stk_cd": "005930_NX", "tdy_pred": "2", "tic_min": "0", "tm": ""});
    assert_eq!(table.asked()[0].1, parameters);
}

#[tokio::test]
async fn no_page_is_asked_for_below_what_is_wanted() {
    let (newest, middle) = (of_day(&NEWEST), of_day(&MIDDLE));
    // The first page ends at 20 - 7 = 13: all above 13 is there.
    let table = Table::of(&[(&newest, Some("k1"))]);
    let fetched = today(&table, 13).await.expect("page");
    assert_eq!((volumes(&fetched), fetched.reached_end), (vec![20, 25, 30], false));
    // One share more is wanted.
    let table = Table::of(&[(&newest, Some("k1")), (&middle, Some("k2"))]);
    let fetched = today(&table, 12).await.expect("pages");
    assert_eq!((volumes(&fetched), fetched.reached_end), (vec![6, 13, 20, 25, 30], false));
    // The first share ends the whole day, whatever follows.
    let first = of_day(&[("090000", "70000", "3", 3)]);
    let table = Table::of(&[(&first, Some("k1"))]);
    assert!(today(&table, 0).await.expect("page").reached_end);
}

#[tokio::test]
async fn a_page_or_a_key_that_comes_again_is_no_end() {
    let (newest, middle, oldest) = (of_day(&NEWEST), of_day(&MIDDLE), of_day(&OLDEST));
    let table = Table::of(&[(&newest, Some("k1")), (&newest, Some("k2"))]);
    let error = today(&table, 0).await.expect_err("same page");
    assert_eq!((broken(&error), error.page), (Paging::SamePage, 2));
    // The last page announced to be another is no end either.
    let table = Table::of(&[(&newest, Some("k1")), (&newest, None)]);
    assert_eq!(broken(&today(&table, 0).await.expect_err("same page")), Paging::SamePage);
    let table = Table::of(&[(&newest, Some("k1")), (&middle, Some("k2")), (&oldest, Some("k1"))]);
    let error = today(&table, 0).await.expect_err("same key");
    assert_eq!((broken(&error), error.page), (Paging::SameKey, 3));
    // What was fetched is there, the last page too.
    assert_eq!(volumes(&error.partial()), [4, 6, 13, 20, 25, 30]);
    assert!(!error.partial().reached_end && error.is_retryable());
}

#[tokio::test]
async fn cumulative_volume_falls_and_knows_a_row_that_is_sent_twice() {
    let (newest, oldest) = (of_day(&NEWEST), of_day(&OLDEST));
    let with_overlap = of_day(&[NEWEST[1], NEWEST[2], MIDDLE[0], MIDDLE[1]]);
    let table = Table::of(&[(&newest, Some("k1")), (&with_overlap, Some("k2")), (&oldest, None)]);
    let fetched = today(&table, 0).await.expect("pages");
    assert_eq!((volumes(&fetched), fetched.returned), (vec![4, 6, 13, 20, 25, 30], 8));
    for (row, before, after) in [
        // Known volume, another trade.
        (("090002", "70100", "7", 20), 20, 20),
        // A volume between two rows that chain.
        (("090002", "70000", "1", 22), 20, 22),
        (("090003", "70000", "1", 31), 20, 31),
    ] {
        let table = Table::of(&[(&newest, Some("k1")), (&of_day(&[row]), None)]);
        let error = today(&table, 0).await.expect_err("not below");
        assert_eq!(broken(&error), Paging::NotFalling { before, after });
    }
    let all_known = of_day(&NEWEST[1..]);
    let table = Table::of(&[(&newest, Some("k1")), (&all_known, None)]);
    assert_eq!(broken(&today(&table, 0).await.expect_err("nothing")), Paging::NothingNew);
}

#[tokio::test]
async fn the_row_of_empty_texts_ends_what_began_and_tells_nothing_alone() {
    let (newest, blank) = (of_day(&NEWEST), blank("tdy_pred_cntr"));
    let table = Table::of(&[(&newest, Some("k1")), (&blank, None)]);
    let fetched = today(&table, 0).await.expect("pages");
    assert_eq!((fetched.rows.len(), fetched.reached_end, fetched.blank), (3, true, false));
    for nothing in [
        blank.as_str(),
        r#"{"tdy_pred_cntr":[],"return_code":0,"return_msg":""}"#,
        r#"{"return_code":20,"return_msg":"RC9000"}"#,
    ] {
        let fetched = today(&Table::of(&[(nothing, None)]), 0).await.expect("page");
        assert_eq!((fetched.rows.len(), fetched.reached_end, fetched.blank), (0, true, true), "{nothing}");
    }
    // Where more rows were announced, neither an empty list nor "no data or refused" is the end.
    let empty = r#"{"tdy_pred_cntr":[],"return_code":0,"return_msg":""}"#;
    let table = Table::of(&[(&newest, Some("k1")), (empty, None)]);
    assert_eq!(broken(&today(&table, 0).await.expect_err("empty")), Paging::EmptyPage);
    let table = Table::of(&[(&newest, Some("k1")), (r#"{"return_code":20,"return_msg":"RC9000"}"#, None)]);
    let error = today(&table, 0).await.expect_err("refused");
    assert!(matches!(error.problem, Problem::Ask(AskError::Refused { .. })), "{error}");
}

#[tokio::test]
async fn an_error_is_never_the_end_of_data() {
    let newest = of_day(&NEWEST);
    let refused = |text: &str| AskError::Refused { word: "refused".to_owned(), text: text.to_owned() };
    let busy = |text: &str| AskError::Busy { waited: Duration::ZERO, text: text.to_owned() };
    let limited = r#"return_code Some(5): 허용된 요청 개수를 초과하였습니다[1700:유량=5, API ID=ka10084]"#;
    let too_many = r#"return_code Some(5): 허용된 요청 개수를 초과하였습니다[1634:종목 개수를 초과]"#;
    let body = |code: i64, text: &str| {
        let text = text.split_once(": ").map_or(text, |(_, text)| text);
        serde_json::json!({"tdy_pred_cntr": [], "return_code": code, "return_msg": text}).to_string()
    };
    let server = "return_code Some(1): [1999:예기치 못한 에러]";
    for (text, problem) in [
        (body(5, limited), Problem::Ask(busy(limited))),
        (body(5, too_many), Problem::Ask(refused(too_many))),
        (body(1, server), Problem::Ask(busy(server))),
    ] {
        for (table, rows) in
            [(Table::of(&[(&text, None)]), 0), (Table::of(&[(&newest, Some("k1")), (&text, None)]), 3)]
        {
            let error = today(&table, 0).await.expect_err("error");
            assert_eq!((&error.problem, error.partial().rows.len()), (&problem, rows), "{text}");
            assert!(!error.partial().reached_end);
        }
    }
    for text in ["<html>Request Blocked</html>", "Bad Gateway", "", r#"{"return_code":0,"return_msg":""}"#] {
        let table = Table::of(&[(&newest, Some("k1")), (text, None)]);
        let error = today(&table, 0).await.expect_err("unreadable");
        assert!(matches!(error.problem, Problem::Unreadable(_)), "{text}: {error}");
        assert_eq!(error.partial().rows.len(), 3);
    }
}

#[tokio::test]
async fn an_interrupted_fetch_goes_on_where_it_was() {
    let (newest, middle, oldest) = (of_day(&NEWEST), of_day(&MIDDLE), of_day(&OLDEST));
    let gone = AskError::NoAnswer { waited: Duration::from_secs(180), text: "no answer".to_owned() };
    let table = Table::of(&[(&newest, Some("k1"))])
        .then(Err(gone.clone()))
        .then(Err(gone.clone()))
        .then(Ok((&middle, Some("k2"))))
        .then(Ok((&oldest, None)));
    let error = today(&table, 0).await.expect_err("interrupted");
    assert_eq!((error.page, &error.problem), (2, &Problem::Ask(gone)));
    assert_eq!(volumes(&error.partial()), [20, 25, 30]);
    let error = error.resume(&table).await.expect_err("again");
    let fetched = error.resume(&table).await.expect("the rest");
    assert_eq!((volumes(&fetched), fetched.pages), (vec![4, 6, 13, 20, 25, 30], 3));
    let keys: Vec<_> = table.asked().into_iter().map(|(_, _, key)| key.unwrap_or_default()).collect();
    assert_eq!(keys, ["", "k1", "k1", "k1", "k2"]);
}

#[tokio::test]
async fn a_fetch_goes_on_after_broken_paging_and_keeps_each_row_once() {
    let (newest, middle, oldest) = (of_day(&NEWEST), of_day(&MIDDLE), of_day(&OLDEST));
    let of = |pages: &[(&str, Option<&str>)]| Table::of(pages);
    // The second page repeats the first, then names a key that was followed, then is right.
    let table = of(&[
        (&newest, Some("k1")),
        (&newest, Some("k1")),
        (&middle, Some("k1")),
        (&middle, Some("k2")),
        (&oldest, None),
    ]);
    let error = today(&table, 0).await.expect_err("same page");
    assert_eq!(broken(&error), Paging::SamePage);
    let error = error.resume(&table).await.expect_err("same key");
    assert_eq!((broken(&error), volumes(&error.partial())), (Paging::SameKey, vec![6, 13, 20, 25, 30]));
    let fetched = error.resume(&table).await.expect("the rest");
    assert_eq!((volumes(&fetched), fetched.pages), (vec![4, 6, 13, 20, 25, 30], 5));
    // Bare rows too, and where the cell itself refuses such a page.
    let (first, second) = (ticks_page(&second("090001", 5)), ticks_page(&second("090000", 5)));
    let itself =
        AskError::Refused { word: "refused".to_owned(), text: "NEXT-KEY: the page names itself".to_owned() };
    let table = of(&[(&first, Some("k1")), (&second, Some("k1")), (&second, Some("k2"))])
        .then(Err(itself))
        .then(Ok((&blank("stk_tic_chart_qry"), None)));
    let error = bare(&table, "080000").await.expect_err("same key");
    assert_eq!((broken(&error), error.partial().rows.len()), (Paging::SameKey, 10));
    let error = error.resume(&table).await.expect_err("names itself");
    assert_eq!((broken(&error), error.page), (Paging::SameKey, 4));
    let fetched = error.resume(&table).await.expect("the end");
    assert_eq!((fetched.rows.len(), fetched.reached_end), (10, true));
}

#[tokio::test]
async fn refused_rows_are_counted_and_named_and_the_fetch_is_not_complete() {
    let bad = of_day(&[NEWEST[0], ("090003", "70000", "0", 25), NEWEST[2]]);
    let other_tape = of_day(&MIDDLE).replacen("KRX", "NXT", 1);
    let table = Table::of(&[(&bad, Some("k1")), (&other_tape, None)]);
    let fetched = today(&table, 0).await.expect("pages");
    assert_eq!((volumes(&fetched), fetched.returned), (vec![6, 20, 30], 5));
    assert!(!fetched.is_complete());
    assert_eq!(
        fetched.refused,
        [
            "page 1: row 1 cntr_trde_qty: trade of no shares",
            "page 2: the print at cumulative volume 13 is of another tape than krx",
        ]
    );
}

fn moment(clock: &str) -> String {
    format!("{DAY}{clock}")
}

async fn bare(table: &Table, older_than: &str) -> Result<Fetched, FetchError> {
    ticks(table, samsung(), Tape::All, day(), at(older_than) + 5).await
}

/// `count` different trades of one second.
fn second(clock: &str, count: i64) -> Vec<(String, i64, i64)> {
    (0..count).map(|n| (moment(clock), 70_000, 100 + n)).collect()
}

#[tokio::test]
async fn ticks_go_on_past_the_wanted_second_and_a_margin() {
    // The first page touches the wanted second and does not end it.
    let first = [second("090105", 3), second("090100", 2)].concat();
    let more = [second("090100", 4), second("090059", 29)].concat();
    let last = second("090058", 2);
    let (first, more, last) = (ticks_page(&first), ticks_page(&more), ticks_page(&last));
    let table = Table::of(&[(&first, Some("k1")), (&more, Some("k2")), (&last, Some("k3"))]);
    let fetched = bare(&table, "090100").await.expect("pages");
    assert_eq!((fetched.rows.len(), fetched.pages, fetched.reached_end), (40, 3, false));
    assert_eq!(fetched.rows[0].exchange_ns, at("090058"));
    assert_eq!(fetched.rows.iter().filter(|row| row.exchange_ns == at("090100")).count(), 6);
    let parameters = serde_json::json!({"stk_cd": "005930_AL", "tic_scope": "1", "upd_stkpc_tp": "0"});
    assert!(table.asked().iter().all(|(call, asked, _)| call == "ka10079" && *asked == parameters));
    // Rows of a second stand in reverse order of trading.
    let of_second: Vec<_> = fetched.rows.iter().filter(|row| row.exchange_ns == at("090105")).collect();
    assert_eq!(of_second.iter().map(|row| row.quantity.units()).collect::<Vec<_>>(), [102, 101, 100]);
}

#[tokio::test]
async fn a_refill_does_not_stop_at_the_first_page_that_touches_the_day() {
    let newer = |clock: &str| (format!("20261125{clock}"), 71_000, 1);
    let older = |clock: &str| (format!("20261123{clock}"), 69_000, 1);
    let pages = [
        ticks_page(&[newer("090001"), newer("090000")]),
        ticks_page(&[vec![newer("080000")], second("153020", 2)].concat()),
        ticks_page(&second("120000", 3)),
        ticks_page(&second("090000", 4)),
        ticks_page(&[second("080000", 1), vec![older("195959"), older("195958")]].concat()),
    ];
    let keys = ["k1", "k2", "k3", "k4", "k5"];
    let listed: Vec<_> = pages.iter().zip(keys).map(|(page, key)| (page.as_str(), Some(key))).collect();
    let table = Table::of(&listed);
    let fetched = ticks(&table, samsung(), Tape::Krx, day(), i64::MIN + SECOND).await.expect("pages");
    assert_eq!((fetched.rows.len(), fetched.returned, fetched.pages), (10, 15, 5));
    assert!(fetched.reached_end && table.is_used_up());
    let ends = (fetched.rows[0].exchange_ns, fetched.rows[9].exchange_ns);
    assert_eq!(ends, (at("080000"), at("153020")));
    // Asked before the day's first trade: the first page holds the day before only.
    let table = Table::of(&[(&ticks_page(&[older("195959")]), Some("k1"))]);
    let fetched = ticks(&table, samsung(), Tape::Krx, day(), at("090000")).await.expect("page");
    assert_eq!((fetched.rows.len(), fetched.reached_end, fetched.blank), (0, true, false));
}

#[tokio::test]
async fn an_overlap_of_bare_rows_needs_twenty_that_are_not_all_equal() {
    let distinct = second("090000", 60);
    let alike: Vec<_> = (0..60).map(|_| (moment("090000"), 70_000, 100)).collect();
    let end = vec![(moment("085959"), 70_000, 1)];
    for (rows, twice, kept) in
        [(&distinct, 25, 61), (&distinct, 20, 61), (&distinct, 19, 80), (&alike, 25, 86)]
    {
        let (first, second) = (ticks_page(&rows[..40]), [&rows[40 - twice..], &end].concat());
        let table = Table::of(&[(&first, Some("k1")), (&ticks_page(&second), None)]);
        let fetched = bare(&table, "080000").await.expect("pages");
        assert_eq!(fetched.rows.len(), kept, "{twice}");
    }
    // Another row inside the run: no overlap.
    let mut spoilt = distinct[15..].to_vec();
    spoilt[10].2 += 1;
    let table = Table::of(&[(&ticks_page(&distinct[..40]), Some("k1")), (&ticks_page(&spoilt), None)]);
    assert_eq!(bare(&table, "080000").await.expect("pages").rows.len(), 85);
    // The end of a page again is a page that adds nothing.
    let table = Table::of(&[
        (&ticks_page(&distinct[..40]), Some("k1")),
        (&ticks_page(&distinct[10..40]), Some("k2")),
    ]);
    assert_eq!(broken(&bare(&table, "080000").await.expect_err("again")), Paging::NothingNew);
}

#[tokio::test]
async fn a_bare_page_without_rows_that_can_be_read_is_followed() {
    let bad = r#"{"stk_tic_chart_qry":[{"cntr_tm":"20261124888888","cur_prc":"1","trde_qty":"1"}],"return_code":0}"#;
    let good = ticks_page(&second("090000", 2));
    let table = Table::of(&[(bad, Some("k1")), (&good, Some("k2")), (&blank("stk_tic_chart_qry"), None)]);
    let fetched = bare(&table, "080000").await.expect("pages");
    assert_eq!((fetched.rows.len(), fetched.pages, fetched.refused.len()), (2, 3, 1));
    assert!(fetched.reached_end && !fetched.is_complete() && !fetched.blank);
}

#[tokio::test]
async fn the_last_trades_are_one_page() {
    let body = include_str!("../../../../broker/fixtures/kiwoom/ka10003_006360_20260819.json");
    let table = Table::of(&[(body, Some("k1"))]);
    let symbol = Symbol::parse("006360").expect("symbol");
    let fetched = last_trades(&table, symbol, Tape::Krx, date("20260819")).await.expect("page");
    assert_eq!((fetched.rows.len(), fetched.pages, fetched.reached_end), (30, 1, false));
    assert_eq!(fetched.rows[29].cumulative_volume, Some(shares(2_837_598)));
    assert_eq!(table.asked()[0].1, serde_json::json!({"stk_cd": "006360"}));
    let table = Table::of(&[(&blank("cntr_infr"), None)]);
    assert!(last_trades(&table, symbol, Tape::Krx, day()).await.expect("page").blank);
}

#[tokio::test]
async fn a_tape_that_kiwoom_lacks_is_not_asked_for() {
    let table = Table::of(&[]);
    let error = last_trades(&table, samsung(), Tape::Us, day()).await.expect_err("no tape");
    assert!(!error.is_retryable() && table.asked().is_empty());
}

/// A broker whose cursor counts from the newest end, while trades go on arriving.
struct Shifting {
    trades: Vec<(i64, i64)>,
    size: usize,
    arriving: usize,
    pages: Mutex<usize>,
}

impl Ask for Shifting {
    async fn ask(&self, _: Source, _: &str, _: &Value, key: Option<&str>) -> Result<Answer, AskError> {
        let mut pages = self.pages.lock().expect("lock");
        let arrived = (self.trades.len() / 2 + *pages * self.arriving).min(self.trades.len());
        *pages += 1;
        let from = key.map_or(0, |key| key.split('-').next().and_then(|n| n.parse().ok()).expect("key"));
        let known = &self.trades[..arrived];
        let page: Vec<_> = known.iter().rev().skip(from).take(self.size).collect();
        let rows: Vec<_> = page
            .iter()
            .map(|(quantity, volume)| {
                serde_json::json!({"tm": "090000", "cur_prc": "70000", "cntr_trde_qty": quantity.to_string(), "acc_trde_qty": volume.to_string()})
            })
            .collect();
        let next = from + self.size;
        let next_key = (next < known.len()).then(|| format!("{next}-{pages}"));
        let body = serde_json::json!({"tdy_pred_cntr": rows, "return_code": 0}).to_string();
        Ok(Answer { body, next_key, received_ns: RECEIVED })
    }
}

proptest! {
    #[test]
    fn pages_that_shift_while_trades_arrive_lose_and_double_nothing(
        quantities in proptest::collection::vec(1_i64..4, 2..200),
        size in 2_usize..20,
        arriving in 0_usize..2,
    ) {
        let mut volume = 0;
        let trades: Vec<_> = quantities.iter().map(|q| { volume += q; (*q, volume) }).collect();
        let half = trades.len() / 2;
        let broker = Shifting { trades: trades.clone(), size, arriving, pages: Mutex::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let fetch = day_trades(&broker, samsung(), Tape::Krx, Which::Today(day()), shares(0));
        let fetched = runtime.block_on(fetch).expect("pages");
        let expected: Vec<_> = trades[..half].iter().map(|(_, volume)| *volume).collect();
        prop_assert_eq!(volumes(&fetched), expected);
    }
}
