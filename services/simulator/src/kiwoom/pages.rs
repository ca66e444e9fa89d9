//! The prints of the market's day turn into the pages of ka10079, ka10003 and ka10084, newest first
//! (kiwoom.md 6.1 to 6.3).

use serde_json::{Map, Value, json};

use super::answer::{Page, field};
use super::row::{push_price, push_signed, push_signed_hundredths};
use super::trade::{limit_sign, signed_quantity};
use super::{item, row};
use crate::format::push_decimal;
use crate::market::Market;
use crate::market::instrument::{Instrument, Row};
use crate::market::tally::percent;
use crate::tr::Tape;

/// Rows of a page of ka10079 and ka10080.
pub const CHART_ROWS: usize = 900;
/// Rows of a page of ka10084.
pub const DAY_ROWS: usize = 100;
/// Rows of the page of ka10003.
pub const LAST_ROWS: usize = 30;
/// Codes that one request may name.
const MOST_CODES: usize = 100;

/// Fields of a row of ka10079.
pub const TICK_FIELDS: [&str; 8] =
    ["cur_prc", "trde_qty", "cntr_tm", "open_pric", "high_pric", "low_pric", "pred_pre", "pred_pre_sig"];
/// Fields of a row of ka10003 and ka10084.
pub const PRINT_FIELDS: [&str; 12] = [
    "tm",
    "cur_prc",
    "pred_pre",
    "pre_rt",
    "pri_sel_bid_unit",
    "pri_buy_bid_unit",
    "cntr_trde_qty",
    "sign",
    "acc_trde_qty",
    "acc_trde_prica",
    "cntr_str",
    "stex_tp",
];

/// The code without suffix and the tape of `stk_cd`.
///
/// # Errors
/// The detail code.
pub fn code(body: &Value) -> Result<(&str, Tape), &'static str> {
    let text = field(body, "stk_cd");
    if text.is_empty() {
        return Err("1511");
    }
    if text.contains('|') {
        return Err(if text.split('|').count() > MOST_CODES { "1634" } else { "1902" });
    }
    let (code, tape) = item::split(text);
    if item::is_plausible(code) { Ok((code, tape)) } else { Err("1902") }
}

/// The instrument and tape of `stk_cd`; no instrument for a code that nothing is known of.
///
/// # Errors
/// The detail code.
pub fn instrument<'a>(
    market: &'a Market,
    body: &Value,
) -> Result<(Option<&'a Instrument>, Tape), &'static str> {
    let (code, tape) = code(body)?;
    let found = item::find(market, code);
    if tape == Tape::Nxt && found.is_some_and(|it| !it.has_nxt()) {
        return Err("1903");
    }
    Ok((found, tape))
}

/// What a cursor begins with: `A`, the code as asked for, the day.
pub fn cursor_head(body: &Value, it: &Instrument) -> String {
    format!("A{}{:08}", field(body, "stk_cd"), it.date())
}

/// The rows of a page of `size`, newest first, and the cursor behind it. A cursor counts the older prints of the day,
/// so that prints that come meanwhile shift nothing.
fn slice(
    it: &Instrument,
    tape: Tape,
    body: &Value,
    next_key: Option<&str>,
    size: usize,
) -> (Vec<Row>, Option<String>) {
    let (rows, forgotten) = (it.rows(tape), it.forgotten(tape));
    let head = cursor_head(body, it);
    let all = forgotten + rows.len();
    let end = match next_key {
        None => all,
        Some(key) => key.strip_prefix(&head).and_then(|count| count.parse().ok()).unwrap_or(0),
    };
    let end = end.clamp(forgotten, all);
    let start = end.saturating_sub(size).max(forgotten);
    let page = rows.range(start - forgotten..end - forgotten).rev().copied().collect();
    (page, (start > forgotten).then(|| format!("{head}{start}")))
}

/// ka10079: one row for `tic_scope` prints.
///
/// # Errors
/// The detail code.
pub fn ticks(market: &Market, body: &Value, next_key: Option<&str>) -> Result<Page, &'static str> {
    let (found, tape) = instrument(market, body)?;
    let scope = tick_scope(body)?;
    let list = "stk_tic_chart_qry";
    let mut page = match found.map(|it| (it, slice(it, tape, body, next_key, CHART_ROWS * scope))) {
        Some((it, (rows, next_key))) if !rows.is_empty() => {
            let rows = rows.chunks(scope).map(|rows| tick(it, it.date(), rows)).collect();
            Page { head: Map::new(), list, rows, next_key }
        }
        _ => Page::blank(list, &TICK_FIELDS),
    };
    page.head.insert("stk_cd".to_owned(), field(body, "stk_cd").into());
    page.head.insert("last_tic_cnt".to_owned(), "".into());
    Ok(page)
}

/// Trades of a row of ka10079.
///
/// # Errors
/// The detail code.
pub fn tick_scope(body: &Value) -> Result<usize, &'static str> {
    match field(body, "tic_scope") {
        "" => Err("1511"),
        scope @ ("1" | "3" | "5" | "10" | "30") => Ok(scope.parse().unwrap_or(1)),
        _ => Err("1517"),
    }
}

/// One row of prints, newest first: no sign anywhere, no cumulative volume.
pub fn tick(it: &Instrument, date: u32, rows: &[Row]) -> Value {
    let (Some(last), Some(first)) = (rows.first(), rows.last()) else { return Value::Null };
    let prices = || rows.iter().map(|row| row.print.price);
    let quantity: i64 = rows.iter().map(|row| row.print.quantity).sum();
    let change = last.print.price - it.profile.base;
    json!({
        "cur_prc": last.print.price.to_string(),
        "trde_qty": quantity.to_string(),
        "cntr_tm": format!("{date:08}{:06}", last.time),
        "open_pric": first.print.price.to_string(),
        "high_pric": prices().max().unwrap_or(0).to_string(),
        "low_pric": prices().min().unwrap_or(0).to_string(),
        "pred_pre": change.abs().to_string(),
        "pred_pre_sig": limit_sign(it, last.print.price),
    })
}

/// ka10003: the last 30 prints, value in won.
///
/// # Errors
/// The detail code.
pub fn last(market: &Market, body: &Value) -> Result<Page, &'static str> {
    let (found, tape) = instrument(market, body)?;
    let rows = found.map(|it| (it, slice(it, tape, body, None, LAST_ROWS).0));
    Ok(prints("cntr_infr", rows, tape, None, 1))
}

/// ka10084: the prints of today by pages of 100, value in million won. Of yesterday nothing is known.
///
/// # Errors
/// The detail code.
pub fn day(market: &Market, body: &Value, next_key: Option<&str>) -> Result<Page, &'static str> {
    let (found, tape) = instrument(market, body)?;
    let today = wants_today(body)?;
    let found = found.filter(|_| today).map(|it| (it, slice(it, tape, body, next_key, DAY_ROWS)));
    let next_key = found.as_ref().and_then(|(_, (_, next_key))| next_key.clone());
    let rows = found.map(|(it, (rows, _))| (it, rows));
    Ok(prints("tdy_pred_cntr", rows, tape, next_key, 1_000_000))
}

/// Whether ka10084 is asked for today; otherwise for yesterday.
///
/// # Errors
/// The detail code.
pub fn wants_today(body: &Value) -> Result<bool, &'static str> {
    // By minutes nobody has published what it looks like.
    if field(body, "tic_min") == "1" {
        return Err("1517");
    }
    match field(body, "tdy_pred") {
        "1" => Ok(true),
        "2" => Ok(false),
        "" => Err("1511"),
        _ => Err("1517"),
    }
}

fn prints(
    list: &'static str,
    found: Option<(&Instrument, Vec<Row>)>,
    tape: Tape,
    next_key: Option<String>,
    unit: i64,
) -> Page {
    match found {
        Some((it, rows)) if !rows.is_empty() => {
            let rows = rows.iter().map(|row| print(it, row, tape, unit)).collect();
            Page { head: Map::new(), list, rows, next_key }
        }
        _ => Page::blank(list, &PRINT_FIELDS),
    }
}

/// A print with its signs; the value in units of so many won.
pub fn print(it: &Instrument, row: &Row, tape: Tape, unit: i64) -> Value {
    let (base, price) = (it.profile.base, row.print.price);
    let text = |write: &dyn Fn(&mut String)| {
        let mut text = String::new();
        write(&mut text);
        text
    };
    let priced = |price: i64| text(&|out| push_price(out, price, base));
    json!({
        "tm": format!("{:06}", row.time),
        "cur_prc": priced(price),
        "pred_pre": text(&|out| push_signed(out, price - base)),
        "pre_rt": text(&|out| push_signed_hundredths(out, percent(price - base, base))),
        "pri_sel_bid_unit": priced(row.ask),
        "pri_buy_bid_unit": priced(row.bid),
        "cntr_trde_qty": signed_quantity(&row.print),
        "sign": limit_sign(it, price),
        "acc_trde_qty": row.volume.to_string(),
        "acc_trde_prica": (row.value / unit).to_string(),
        "cntr_str": text(&|out| push_decimal(out, percent(row.sides.1, row.sides.0), 2)),
        "stex_tp": match tape {
            Tape::First => "KRX",
            Tape::Nxt => "NXT",
            Tape::All => "통합",
        },
    })
}

/// The price with its sign, as the minute chart has it.
pub fn signed_price(price: i64, base: i64) -> String {
    let mut text = String::new();
    row::push_price(&mut text, price, base);
    text
}
