//! Kiwoom's cell as far as pages of a past day go: each page is counted, and may be held back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{Refused, Responder};
use market::time;
use serde_json::{Value, json};

use super::day::{Day, Row};

/// Answers pages until it is dropped.
pub struct Cell {
    state: Arc<State>,
}

struct State {
    day: Day,
    asked: AtomicU64,
    /// Pages after so many wait.
    stop_after: AtomicU64,
    waits: AtomicBool,
    calls: Mutex<BTreeMap<String, u64>>,
    /// Symbol and cumulative volume of a row that is in no page.
    lacks: Mutex<Option<(String, i64)>>,
}

impl Cell {
    pub async fn start(settings: &bus::NatsSettings, day: Day) -> Self {
        let responder = Responder::start(settings, "kiwoom-service", "0.1.0", "kiwoom").await;
        let mut responder = responder.expect("responder");
        assert!(responder.ready(Duration::from_secs(10)).await, "the cell answers");
        let state = Arc::new(State {
            day,
            asked: AtomicU64::new(0),
            stop_after: AtomicU64::new(u64::MAX),
            waits: AtomicBool::new(false),
            calls: Mutex::default(),
            lacks: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Some(asked) = responder.next().await {
                if shared.asked.load(Ordering::SeqCst) >= shared.stop_after.load(Ordering::SeqCst) {
                    shared.waits.store(true, Ordering::SeqCst);
                    // Whoever asked is about to be killed.
                    continue;
                }
                shared.asked.fetch_add(1, Ordering::SeqCst);
                let answer = shared.page(&asked.call, &asked.payload);
                asked.answer(answer).await;
            }
        });
        Self { state }
    }

    pub fn asked(&self) -> u64 {
        self.state.asked.load(Ordering::SeqCst)
    }

    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.state.calls.lock().expect("calls").clone()
    }

    pub fn stop_after(&self, pages: u64) {
        self.state.waits.store(false, Ordering::SeqCst);
        self.state.stop_after.store(pages, Ordering::SeqCst);
    }

    pub fn waits(&self) -> bool {
        self.state.waits.load(Ordering::SeqCst)
    }

    pub fn go_on(&self) {
        self.state.stop_after.store(u64::MAX, Ordering::SeqCst);
    }

    /// Takes a row that was lost out of every page; its shares.
    pub fn lack_a_lost_row(&self) -> u64 {
        let tape = &self.state.day.tapes[3];
        let row = tape.rows.iter().filter(|row| row.lost).nth(30).expect("lost rows");
        *self.state.lacks.lock().expect("lacks") = Some((tape.symbol.clone(), row.cumulative));
        row.quantity.unsigned_abs()
    }
}

impl State {
    fn page(&self, call: &str, payload: &[u8]) -> Result<bytes::Bytes, Refused> {
        let request: Value = serde_json::from_slice(payload).expect("request");
        let symbol = request["parameters"]["stk_cd"].as_str().expect("symbol");
        *self.calls.lock().expect("calls").entry(format!("{call} {symbol}")).or_default() += 1;
        let tape = self.day.tapes.iter().find(|tape| tape.symbol == symbol);
        let tape = tape.ok_or_else(|| Refused::new(422, "refused", "1902: 종목코드가 없습니다"))?;
        let lacks = self.lacks.lock().expect("lacks").clone();
        let there = |row: &&Row| lacks.as_ref().is_none_or(|(of, at)| of != symbol || *at != row.cumulative);
        let rows: Vec<Row> = tape.rows.iter().rev().filter(there).copied().collect();
        let from: usize = request["next"].as_str().map_or(0, |key| key.parse().expect("key"));
        let (list, rows, size) = match call {
            "ka10084" => ("tdy_pred_cntr", rows.iter().map(trade).collect(), 100),
            "ka10003" => ("cntr_infr", rows.iter().take(30).map(trade).collect(), 30),
            "ka10079" => ("stk_tic_chart_qry", rows.iter().map(tick).collect(), 900),
            // The chart is made from other data than the lists of trades: it lacks nothing.
            "ka10080" => ("stk_min_pole_chart_qry", minutes(&tape.rows), 900),
            other => return Err(Refused::new(404, "call", format!("no call {other}"))),
        };
        let rows: Vec<Value> = rows;
        let page: Vec<Value> = rows.iter().skip(from).take(size).cloned().collect();
        let next = (from + size < rows.len()).then(|| (from + size).to_string());
        let page = if page.is_empty() { vec![blank(list)] } else { page };
        let mut body = json!({ "return_code": 0, "return_msg": "정상적으로 처리되었습니다" });
        body[list] = Value::Array(page);
        Ok(json!({ "body": body, "next": next }).to_string().into())
    }
}

/// What Kiwoom sends where there is nothing.
fn blank(list: &str) -> Value {
    match list {
        "tdy_pred_cntr" | "cntr_infr" => {
            json!({ "tm": "", "cur_prc": "", "cntr_trde_qty": "", "acc_trde_qty": "" })
        }
        _ => json!({ "cur_prc": "", "trde_qty": "", "cntr_tm": "" }),
    }
}

fn clock(row: &Row) -> String {
    let seconds = (row.exchange_ns + time::KST).rem_euclid(time::DAY) / time::SECOND;
    format!("{:02}{:02}{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn moment(row: &Row, clock: &str) -> String {
    format!("{}{clock}", time::kst_date(row.exchange_ns).yyyymmdd())
}

fn trade(row: &Row) -> Value {
    json!({
        "tm": clock(row), "cur_prc": format!("+{}", row.price / 10_000), "cntr_trde_qty": format!("-{}", row.quantity),
        "acc_trde_qty": row.cumulative.to_string(), "acc_trde_prica": "", "stex_tp": "KRX",
    })
}

fn tick(row: &Row) -> Value {
    json!({
        "cur_prc": format!("-{}", row.price / 10_000), "trde_qty": row.quantity.to_string(),
        "cntr_tm": moment(row, &clock(row)),
    })
}

/// Bars, newest first, of rows oldest first.
fn minutes(rows: &[Row]) -> Vec<Value> {
    let rows: Vec<Row> = rows.iter().rev().copied().collect();
    let minute = |row: &Row| clock(row)[..4].to_owned();
    let bars = rows.chunk_by(|one, other| minute(one) == minute(other));
    bars.map(|bar| {
        let quantity: i64 = bar.iter().map(|row| row.quantity).sum();
        json!({
            "cur_prc": format!("+{}", bar[0].price / 10_000), "trde_qty": quantity.to_string(),
            "acc_trde_qty": bar[0].cumulative.to_string(), "cntr_tm": moment(&bar[0], &format!("{}00", minute(&bar[0]))),
        })
    })
    .collect()
}
