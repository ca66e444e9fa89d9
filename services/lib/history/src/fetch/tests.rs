//! Answers in memory to what is fetched: whole pages, broken ones, and brokers in trouble.

mod kis;
mod kiwoom;
mod minutes;

use std::collections::VecDeque;
use std::sync::Mutex;

use market::Price;
use market::time::{self, SECOND};

use super::*;

/// 2026-11-24 in Korea.
const DAY: &str = "20261124";
/// What every page of these tests was received at.
const RECEIVED: i64 = 7;

/// What was asked: call, parameters, key.
type Asked = (String, Value, Option<String>);

/// Answers in the order in which they are given.
#[derive(Default)]
struct Table {
    answers: Mutex<VecDeque<Result<Answer, AskError>>>,
    asked: Mutex<Vec<Asked>>,
}

impl Table {
    /// Bodies, each with the key of the next page.
    fn of(pages: &[(&str, Option<&str>)]) -> Self {
        let answer = |(body, key): &(&str, Option<&str>)| {
            let (body, next_key) = ((*body).to_owned(), key.map(ToOwned::to_owned));
            Ok(Answer { body, next_key, received_ns: RECEIVED })
        };
        Self { answers: Mutex::new(pages.iter().map(answer).collect()), asked: Mutex::default() }
    }

    fn then(self, answer: Result<(&str, Option<&str>), AskError>) -> Self {
        let answer = answer.map(|(body, key)| Answer {
            body: body.to_owned(),
            next_key: key.map(ToOwned::to_owned),
            received_ns: RECEIVED,
        });
        self.answers.lock().expect("lock").push_back(answer);
        self
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("lock").clone()
    }

    /// Everything that was given has been asked for.
    fn is_used_up(&self) -> bool {
        self.answers.lock().expect("lock").is_empty()
    }
}

impl Ask for Table {
    async fn ask(
        &self,
        source: Source,
        call: &str,
        parameters: &Value,
        next_key: Option<&str>,
    ) -> Result<Answer, AskError> {
        let of_kis = call.starts_with(['F', 'H']);
        assert_eq!(source, if of_kis { Source::Kis } else { Source::Kiwoom });
        let asked = (call.to_owned(), parameters.clone(), next_key.map(ToOwned::to_owned));
        self.asked.lock().expect("lock").push(asked);
        self.answers.lock().expect("lock").pop_front().expect("no page too many")
    }
}

fn date(text: &str) -> TradeDate {
    TradeDate::parse(text).expect("date")
}

fn day() -> TradeDate {
    date(DAY)
}

fn samsung() -> Symbol {
    Symbol::parse("005930").expect("symbol")
}

fn shares(units: i64) -> Quantity {
    Quantity::from_units(units)
}

/// UTC ns of a Korean time of day of [`DAY`].
fn at(clock: &str) -> i64 {
    time::kst(day(), time::parse_hhmmss(clock).expect("time"))
}

/// Rows of ka10084 and ka10003: time, price, quantity with its sign, cumulative volume. Newest first.
fn trades(list: &str, rows: &[(&str, &str, &str, i64)]) -> String {
    let row = |(tm, price, quantity, volume): &(&str, &str, &str, i64)| {
        serde_json::json!({
            "tm": tm, "cur_prc": price, "cntr_trde_qty": quantity, "acc_trde_qty": volume.to_string(),
            "acc_trde_prica": "1", "pri_sel_bid_unit": "+70100", "pri_buy_bid_unit": "+70000", "stex_tp": "KRX",
        })
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    serde_json::json!({ list: rows, "return_code": 0, "return_msg": "정상" }).to_string()
}

fn of_day(rows: &[(&str, &str, &str, i64)]) -> String {
    trades("tdy_pred_cntr", rows)
}

/// Rows of ka10079: `YYYYMMDDHHMMSS`, price, quantity. Newest first.
fn ticks_page(rows: &[(String, i64, i64)]) -> String {
    let row = |(moment, price, quantity): &(String, i64, i64)| serde_json::json!({"cntr_tm": moment, "cur_prc": price.to_string(), "trde_qty": quantity.to_string()});
    let rows: Vec<_> = rows.iter().map(row).collect();
    serde_json::json!({"stk_cd": "005930", "stk_tic_chart_qry": rows, "return_code": 0, "return_msg": ""})
        .to_string()
}

/// The row of empty texts.
fn blank(list: &str) -> String {
    serde_json::json!({ list: [{"cur_prc": "", "cntr_tm": "", "tm": ""}], "return_code": 0, "return_msg": "" })
        .to_string()
}

/// Cumulative volumes, oldest first.
fn volumes(fetched: &Fetched) -> Vec<i64> {
    fetched.rows.iter().filter_map(|row| row.cumulative_volume).map(Quantity::units).collect()
}

fn broken(error: &FetchError) -> Paging {
    match &error.problem {
        Problem::BrokenPaging(paging) => paging.clone(),
        other => panic!("{other:?}"),
    }
}

/// A future that tasks may share out.
fn send<T: Send>(future: T) -> T {
    future
}

#[tokio::test]
async fn a_fetch_can_run_in_a_task() {
    let table = Table::of(&[]).then(Err(AskError::CellAbsent { source_word: Source::Kiwoom }));
    let error = send(day_trades(&table, samsung(), Tape::Krx, Which::Today(day()), shares(0)))
        .await
        .expect_err("nobody there");
    assert!(error.is_retryable());
    assert_eq!(
        error.to_string(),
        "ka10084 005930 krx 2026-11-24, page 1: no cell answers for kiwoom: is its service running?"
    );
    assert_eq!(error.partial(), Fetched::default());
}
