//! The prints of the market's day turn into the minute bars of ka10080 (kiwoom.md 6.4).

use serde_json::{Map, Value, json};

use super::answer::{Page, field};
use super::pages::{CHART_ROWS, cursor_head, instrument, signed_price};
use super::row::push_signed;
use super::trade::limit_sign;
use crate::market::Market;
use crate::market::instrument::{Instrument, Row};

/// Fields of a row.
pub const FIELDS: [&str; 9] = [
    "cur_prc",
    "trde_qty",
    "cntr_tm",
    "open_pric",
    "high_pric",
    "low_pric",
    "acc_trde_qty",
    "pred_pre",
    "pred_pre_sig",
];
/// What stands behind the time in a cursor.
pub const TAIL: &str = "0010000";

/// A bar of some minutes.
#[derive(Debug)]
pub struct Bar {
    /// HHMM00 of its start.
    pub time: u32,
    open: i64,
    high: i64,
    low: i64,
    close: i64,
    quantity: i64,
    /// Cumulative volume at its end.
    volume: i64,
}

/// ka10080: bars of `tic_scope` minutes, newest first. A bar whose first prints are forgotten is left out.
///
/// # Errors
/// The detail code.
pub fn bars(market: &Market, body: &Value, next_key: Option<&str>) -> Result<Page, &'static str> {
    let (found, tape) = instrument(market, body)?;
    let scope = minute_scope(body)?;
    let list = "stk_min_pole_chart_qry";
    let other_day = |it: &Instrument| {
        let day = field(body, "base_dt");
        !day.is_empty() && day != it.date().to_string()
    };
    let mut page = Page::blank(list, &FIELDS);
    if let Some(it) = found.filter(|it| !other_day(it)) {
        let head = cursor_head(body, it);
        let before = next_key.map_or(u32::MAX, |key| cursor_time(key, &head).unwrap_or(0));
        let mut bars = of_rows(it.rows(tape), scope);
        if it.forgotten(tape) > 0 && !bars.is_empty() {
            bars.remove(0);
        }
        bars.retain(|bar| bar.time < before);
        let start = bars.len().saturating_sub(CHART_ROWS);
        let rows: Vec<Value> = bars[start..].iter().rev().map(|bar| row(it, it.date(), bar)).collect();
        if !rows.is_empty() {
            let more = (start > 0).then(|| format!("{head}{:06}{TAIL}", bars[start].time));
            page = Page { head: Map::new(), list, rows, next_key: more };
        }
    }
    page.head.insert("stk_cd".to_owned(), field(body, "stk_cd").into());
    Ok(page)
}

/// Minutes of a bar.
///
/// # Errors
/// The detail code.
pub fn minute_scope(body: &Value) -> Result<u32, &'static str> {
    match field(body, "tic_scope") {
        "" => Err("1511"),
        scope @ ("1" | "3" | "5" | "10" | "15" | "30" | "45" | "60") => Ok(scope.parse().unwrap_or(1)),
        _ => Err("1517"),
    }
}

fn cursor_time(key: &str, head: &str) -> Option<u32> {
    key.strip_prefix(head)?.strip_suffix(TAIL)?.parse().ok()
}

/// The bars of rows, both oldest first.
pub fn of_rows<'a>(rows: impl IntoIterator<Item = &'a Row>, scope: u32) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for row in rows {
        let time = start(row.time, scope);
        match bars.last_mut().filter(|bar| bar.time == time) {
            Some(bar) => add(bar, row),
            None => bars.push(Bar {
                time,
                open: row.print.price,
                high: row.print.price,
                low: row.print.price,
                close: row.print.price,
                quantity: row.print.quantity,
                volume: row.volume,
            }),
        }
    }
    bars
}

fn add(bar: &mut Bar, row: &Row) {
    bar.high = bar.high.max(row.print.price);
    bar.low = bar.low.min(row.print.price);
    bar.close = row.print.price;
    bar.quantity += row.print.quantity;
    bar.volume = row.volume;
}

/// The start of the bar of a time.
fn start(time: u32, scope: u32) -> u32 {
    let minutes = time / 10_000 * 60 + time / 100 % 100;
    let first = minutes - minutes % scope;
    first / 60 * 10_000 + first % 60 * 100
}

/// A bar as a row.
pub fn row(it: &Instrument, date: u32, bar: &Bar) -> Value {
    let base = it.profile.base;
    let mut change = String::new();
    push_signed(&mut change, bar.close - base);
    json!({
        "cur_prc": signed_price(bar.close, base),
        "trde_qty": bar.quantity.to_string(),
        "cntr_tm": format!("{date:08}{:06}", bar.time),
        "open_pric": signed_price(bar.open, base),
        "high_pric": signed_price(bar.high, base),
        "low_pric": signed_price(bar.low, base),
        "acc_trde_qty": bar.volume.to_string(),
        "pred_pre": change,
        "pred_pre_sig": limit_sign(it, bar.close),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::clock::{Local, Moment};
    use crate::tr::Tape;

    #[test]
    fn bars_begin_at_their_minute() {
        assert_eq!((start(90_059, 1), start(90_100, 1), start(95_959, 15)), (90_000, 90_100, 94_500));
        assert_eq!((start(110_000, 60), start(105_959, 60)), (110_000, 100_000));
    }

    #[test]
    fn pages_of_900_bars_meet_without_overlap() {
        let mut market = Market::new(3, HashMap::new());
        let position = market.resolve("005930", false).expect("instrument");
        let mut volume = 0;
        for minute in 0..1_000 {
            let time = minute / 60 * 10_000 + minute % 60 * 100 + 7;
            let local = Local { date: 20_261_125, time };
            let now = Moment { unix: 1, korea: local, new_york: local };
            market.instruments[position].trade(false, &now);
            volume = market.instruments[position].tally(Tape::First).volume;
        }
        let body = json!({ "stk_cd": "005930", "tic_scope": "1", "upd_stkpc_tp": "0" });
        let first = bars(&market, &body, None).expect("page");
        let key = first.next_key.clone().expect("more");
        assert_eq!((first.rows.len(), key.as_str()), (900, "A005930202611250140000010000"));
        assert_eq!(first.rows[0]["cntr_tm"], "20261125163900");
        assert_eq!(first.rows[0]["acc_trde_qty"], volume.to_string());
        let second = bars(&market, &body, Some(&key)).expect("page");
        assert_eq!((second.rows.len(), second.next_key), (100, None));
        assert_eq!(second.rows[0]["cntr_tm"], "20261125013900");
        let other = json!({ "stk_cd": "005930", "tic_scope": "1", "base_dt": "20250101" });
        assert_eq!(bars(&market, &other, None).expect("page").rows[0]["cur_prc"], "");
    }
}
