//! FHPST01060000, paged by time, and HHDFS76200300.

use proptest::prelude::*;

use super::*;

/// A print: seconds since midnight in Korea, quantity, cumulative volume.
type Print = (i64, i64, i64);

fn clock(seconds: i64) -> String {
    format!("{:02}{:02}{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Rows newest first.
fn korean(prints: &[Print]) -> String {
    let row = |(seconds, quantity, volume): &Print| {
        serde_json::json!({
            "stck_cntg_hour": clock(*seconds), "stck_prpr": "70000", "askp": "70100", "bidp": "70000",
            "acml_vol": volume.to_string(), "cnqn": quantity.to_string(),
        })
    };
    let rows: Vec<_> = prints.iter().map(row).collect();
    serde_json::json!({"rt_cd": "0", "msg_cd": "MCA00000", "msg1": "", "output1": {}, "output2": rows})
        .to_string()
}

fn american(prints: &[Print]) -> String {
    let row = |(seconds, quantity, volume): &Print| {
        serde_json::json!({
            "khms": clock(*seconds), "last": "169.7850", "evol": quantity.to_string(), "tvol": volume.to_string(),
            "pbid": "169.7700", "pask": "169.7900", "mtyp": "0",
        })
    };
    let rows: Vec<_> = prints.iter().map(row).collect();
    serde_json::json!({"rt_cd": "0", "msg_cd": "MCA00000", "msg1": "", "output1": {"rsym": "DNASAAPL"}, "output2": rows})
        .to_string()
}

/// The broker: prints at and before a time, newest first, so many a page.
struct Broker {
    /// Oldest first.
    prints: Vec<Print>,
    size: usize,
    calls: Mutex<Vec<String>>,
}

impl Broker {
    fn new(prints: &[Print], size: usize) -> Self {
        Self { prints: prints.to_vec(), size, calls: Mutex::default() }
    }
}

impl Ask for Broker {
    async fn ask(
        &self,
        _: Source,
        call: &str,
        parameters: &Value,
        key: Option<&str>,
    ) -> Result<Answer, AskError> {
        assert_eq!((call, key), ("FHPST01060000", None));
        let hour = parameters["FID_INPUT_HOUR_1"].as_str().expect("hour").to_owned();
        let known = self.prints.iter().rev().filter(|(seconds, ..)| clock(*seconds) <= hour);
        let body = korean(&known.take(self.size).copied().collect::<Vec<_>>());
        self.calls.lock().expect("lock").push(hour);
        Ok(Answer { body, next_key: None, received_ns: RECEIVED })
    }
}

async fn today(ask: &impl Ask, down_to: i64) -> Result<Fetched, FetchError> {
    kis_day_trades(ask, samsung(), Tape::Krx, day(), shares(down_to)).await
}

const NINE: i64 = 9 * 3_600;

#[tokio::test]
async fn pages_overlap_by_a_second_and_are_joined_by_cumulative_volume() {
    let prints = [
        (NINE, 10, 15),
        (NINE + 1, 1, 16),
        (NINE + 1, 1, 17),
        (NINE + 1, 2, 19),
        (NINE + 2, 1, 20),
        (NINE + 3, 5, 25),
    ];
    let broker = Broker::new(&prints, 3);
    let fetched = today(&broker, 0).await.expect("pages");
    assert_eq!(volumes(&fetched), [15, 16, 17, 19, 20, 25]);
    // 090001 fills a page and is stepped over; the last page is not full and has nothing older.
    assert_eq!(*broker.calls.lock().expect("lock"), ["235959", "090001", "090000", "085959"]);
    assert!(fetched.reached_end && fetched.is_complete());
    assert_eq!(fetched.rows[0].exchange_ns, at("090000"));
    // Only what is above 16 is wanted.
    let broker = Broker::new(&prints, 3);
    let fetched = today(&broker, 16).await.expect("pages");
    assert_eq!((volumes(&fetched), fetched.reached_end), (vec![16, 17, 19, 20, 25], false));
    assert_eq!(broker.calls.lock().expect("lock").len(), 2);
}

#[tokio::test]
async fn the_market_is_named_as_kis_names_it() {
    for (tape, name) in [(Tape::Krx, "J"), (Tape::Nxt, "NX"), (Tape::All, "UN")] {
        let page = korean(&[(NINE, 3, 3)]);
        let table = Table::of(&[(&page, None)]);
        kis_day_trades(&table, samsung(), tape, day(), shares(0)).await.expect("page");
        let parameters = serde_json::json!({
            "FID_COND_MRKT_DIV_CODE": name, "FID_INPUT_ISCD": "005930", "FID_INPUT_HOUR_1": "235959",
        });
        assert_eq!(table.asked(), [("FHPST01060000".to_owned(), parameters, None)]);
    }
}

#[tokio::test]
async fn a_second_with_more_prints_than_a_page_is_named_and_the_day_goes_on() {
    let prints: Vec<_> = [(NINE, 1, 1)]
        .into_iter()
        .chain((0..5).map(|n| (NINE + 1, 1, 2 + n)))
        .chain([(NINE + 2, 4, 10)])
        .collect();
    let broker = Broker::new(&prints, 3);
    let fetched = today(&broker, 0).await.expect("pages");
    assert_eq!(volumes(&fetched), [1, 4, 5, 6, 10]);
    assert_eq!(
        fetched.refused,
        ["cumulative volume 1 to 3: not sent, the prints of 090001 are more than a page holds"]
    );
    assert!(!fetched.is_complete());
    // The same at the beginning of the day, where volume without a print looks alike.
    let broker = Broker::new(&prints[1..6], 3);
    let fetched = today(&broker, 0).await.expect("pages");
    assert_eq!((volumes(&fetched), fetched.reached_end), (vec![4, 5, 6], true));
    assert_eq!(
        fetched.refused,
        ["cumulative volume 0 to 3: the prints of 090001 may be more than a page holds"]
    );
}

#[tokio::test]
async fn a_broker_that_does_not_go_back_is_an_error_and_no_end() {
    let page = korean(&[(NINE + 2, 1, 9), (NINE + 1, 1, 8)]);
    let table = Table::of(&[(&page, None), (&page, None)]);
    let error = today(&table, 0).await.expect_err("same page");
    assert_eq!((broken(&error), volumes(&error.partial())), (Paging::SamePage, vec![8, 9]));
    let other = korean(&[(NINE + 1, 2, 8)]);
    let table = Table::of(&[(&page, None), (&other, None)]);
    let error = today(&table, 0).await.expect_err("another trade at this volume");
    assert_eq!(broken(&error), Paging::NotFalling { before: 8, after: 8 });
    for text in [
        r#"{"rt_cd":"1","msg_cd":"EGW00201","msg1":"초당"}"#,
        r#"{"rt_cd":"1","msg_cd":"OPSQ2001","msg1":"x","output2":[]}"#,
        "<html>",
    ] {
        let table = Table::of(&[(&page, None), (text, None)]);
        let error = today(&table, 0).await.expect_err("error");
        assert_eq!((error.page, error.partial().reached_end), (2, false), "{text}");
        let busy = matches!(error.problem, Problem::Ask(AskError::Busy { .. }));
        assert_eq!(busy, text.contains("EGW00201"));
    }
    let table = Table::of(&[(&korean(&[]), None)]);
    let fetched = today(&table, 0).await.expect("page");
    assert_eq!((fetched.blank, fetched.reached_end), (true, true));
}

#[tokio::test]
async fn us_trades_follow_a_key_that_is_told_or_the_oldest_time() {
    let apple = Symbol::parse("AAPL").expect("symbol");
    // 00:00:01 and 23:59:59 in Korea: the morning after the trade date comes first.
    let first = american(&[(1, 5, 30), (0, 5, 25)]);
    let second = american(&[(0, 5, 25), (86_399, 10, 20)]);
    let third = american(&[(86_399, 10, 20), (86_398, 10, 10)]);
    let table = Table::of(&[(&first, None), (&second, None), (&third, None)]);
    let which = Which::Yesterday(day());
    let fetched = kis_us_trades(&table, apple, Tape::Us, "NAS", which, shares(0)).await.expect("pages");
    assert_eq!((volumes(&fetched), fetched.reached_end), (vec![10, 20, 25, 30], true));
    assert_eq!(fetched.rows[3].exchange_ns, at("000001") + time::DAY);
    let asked =
        |key: &str| serde_json::json!({"AUTH": "", "EXCD": "NAS", "SYMB": "AAPL", "TDAY": "0", "KEYB": key});
    let parameters: Vec<_> = table.asked().into_iter().map(|(_, parameters, _)| parameters).collect();
    assert_eq!(parameters, [asked(""), asked("000000"), asked("235959")]);
    let told =
        |body: &str, key: &str| body.replacen("\"rt_cd\"", &format!("\"keyb\":\"{key}\",\"rt_cd\""), 1);
    // An empty key ends it, though the first print begins above 0.
    let (first, last) = (told(&first, "K7"), told(&american(&[(86_399, 10, 20)]), ""));
    let table = Table::of(&[(&first, None), (&last, None)]);
    let today = Which::Today(day());
    let fetched = kis_us_trades(&table, apple, Tape::Day, "NYS", today, shares(0)).await.expect("pages");
    assert_eq!((volumes(&fetched), fetched.reached_end), (vec![20, 25, 30], true));
    let asked = &table.asked()[1].1;
    assert_eq!((&asked["KEYB"], &asked["EXCD"], &asked["TDAY"]), (&"K7".into(), &"BAY".into(), &"1".into()));
}

#[tokio::test]
async fn a_us_broker_that_knows_one_page_only_keeps_it() {
    let apple = Symbol::parse("AAPL").expect("symbol");
    let page = american(&[(2, 5, 30), (1, 5, 25)]);
    let table = Table::of(&[(&page, None), (&page, None)]);
    let which = Which::Today(day());
    let error = kis_us_trades(&table, apple, Tape::Us, "NAS", which, shares(0)).await.expect_err("one page");
    assert_eq!((broken(&error), volumes(&error.partial())), (Paging::SamePage, vec![25, 30]));
    // Enough for what is wanted: not asked again.
    let table = Table::of(&[(&page, None)]);
    let fetched = kis_us_trades(&table, apple, Tape::Us, "NAS", which, shares(20)).await.expect("page");
    assert_eq!(fetched.rows.len(), 2);
}

proptest! {
    #[test]
    fn any_day_comes_whole_or_with_the_stretch_that_does_not(
        steps in proptest::collection::vec((0_i64..3, 1_i64..4, 0_i64..2), 1..150),
        size in 2_usize..12,
    ) {
        let (mut seconds, mut volume) = (NINE, 0);
        let prints: Vec<_> = steps
            .iter()
            .map(|(later, quantity, off_hours)| {
                // Some volume has no print.
                (seconds, volume) = (seconds + later, volume + quantity + off_hours / 2 * 10);
                (seconds, *quantity, volume)
            })
            .collect();
        let broker = Broker::new(&prints, size);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let fetched = runtime.block_on(today(&broker, 0)).expect("pages");
        let all: Vec<_> = prints.iter().map(|(_, _, volume)| *volume).collect();
        let came = volumes(&fetched);
        prop_assert!(came.iter().all(|volume| all.contains(volume)));
        prop_assert!(came.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(came.len() == all.len() || !fetched.is_complete());
        let fits = prints.iter().all(|(at, ..)| prints.iter().filter(|(other, ..)| other == at).count() < size);
        prop_assert!(!fits || (came.len() == all.len() && fetched.reached_end), "{:?}", fetched.refused);
    }
}
