//! The day turns into Kiwoom's pages: ka10079, ka10080, ka10003, ka10084 (kiwoom.md 6.1 to 6.4), newest first, and the
//! faults of pages that a script asks for.

use serde_json::{Map, Value};

use super::{Day, Line, Which};
use crate::config::Adjusted;
use crate::kiwoom::answer::{Page, field};
use crate::kiwoom::minutes::{self, TAIL};
use crate::kiwoom::pages::{
    CHART_ROWS, DAY_ROWS, LAST_ROWS, PRINT_FIELDS, TICK_FIELDS, code, print, tick, tick_scope, wants_today,
};
use crate::market::instrument::{Instrument, Row};
use crate::script::PageFault;
use crate::tr::Tape;

/// A stretch of rows by their numbers in one or two days, oldest first: `from..to`.
struct Cut {
    from: usize,
    to: usize,
    /// The page was asked for with a cursor that is to come back.
    again: bool,
}

/// The page of a call.
///
/// # Errors
/// The detail code.
pub fn page(
    day: &Day,
    tr: &str,
    body: &Value,
    next_key: Option<&str>,
    fault: Option<PageFault>,
) -> Result<Page, &'static str> {
    let (key, tape) = code(body)?;
    let line = day.find(key, tape);
    if line.is_none() && tape == Tape::Nxt && day.knows(key) {
        return Err("1903");
    }
    let fault = fault.filter(|fault| *fault == PageFault::Blank || next_key.is_some());
    let line = line.filter(|_| fault != Some(PageFault::Blank));
    match tr {
        "ka10079" => ticks(day, line, body, next_key, fault),
        "ka10080" => bars(day, line, body, next_key),
        "ka10003" => Ok(last(day, line)),
        _ => of_day(day, line, body, next_key, fault),
    }
}

/// The rows before `end` that belong on a page.
fn cut(end: usize, size: usize, most: usize, fault: Option<PageFault>) -> Cut {
    let shift = match fault {
        Some(PageFault::Again) => size,
        Some(PageFault::Overlap(rows)) => rows,
        _ => 0,
    };
    let to = (end + shift).min(most);
    Cut { from: to.saturating_sub(size), to, again: fault == Some(PageFault::Again) }
}

fn instrument<'a>(day: &'a Day, line: &Line) -> Option<&'a Instrument> {
    day.symbols.get(line.symbol)
}

/// ka10079: both days, the newest first, rows without a cumulative volume.
fn ticks(
    day: &Day,
    line: Option<&Line>,
    body: &Value,
    next_key: Option<&str>,
    fault: Option<PageFault>,
) -> Result<Page, &'static str> {
    let scope = tick_scope(body)?;
    let list = "stk_tic_chart_qry";
    let mut page = Page::blank(list, &TICK_FIELDS);
    if let Some((line, it)) = line.and_then(|line| Some((line, instrument(day, line)?))) {
        let before = day.rows(line, Which::Before);
        let all = before + day.rows(line, Which::Day);
        let end = next_key.map_or(all, |key| cursor_rows(day, body, key, before).unwrap_or(0));
        let cut = cut(end, CHART_ROWS * scope, all, fault);
        let adjusted = is_adjusted(day, body);
        let mut rows = Vec::new();
        for which in [Which::Day, Which::Before] {
            let of = rows_of(day, line, which, &cut, before);
            let newest: Vec<Row> = of.into_iter().rev().map(|row| adjust(row, adjusted)).collect();
            rows.extend(newest.chunks(scope).map(|rows| tick(it, day.date(which), rows)));
        }
        if !rows.is_empty() {
            let more = (cut.from > 0).then(|| cursor(day, body, cut.from, before));
            let next_key = if cut.again { next_key.map(str::to_owned) } else { more };
            page = Page { head: Map::new(), list, rows, next_key };
        }
    }
    page.head.insert("stk_cd".to_owned(), field(body, "stk_cd").into());
    page.head.insert("last_tic_cnt".to_owned(), "".into());
    Ok(page)
}

/// The rows of a cut that are of one of the days; `before` is how many the day before has.
fn rows_of(day: &Day, line: &Line, which: Which, cut: &Cut, before: usize) -> Vec<Row> {
    let (from, to) = match which {
        Which::Before => (cut.from.min(before), cut.to.min(before)),
        Which::Day => (cut.from.max(before) - before, cut.to.max(before) - before),
    };
    day.slice(line, which, from, to, false)
}

/// `A`, the code, the day, and how many rows of that day are left.
fn cursor(day: &Day, body: &Value, from: usize, before: usize) -> String {
    let (which, left) = if from > before { (Which::Day, from - before) } else { (Which::Before, from) };
    format!("A{}{:08}{left}", field(body, "stk_cd"), day.date(which))
}

fn cursor_rows(day: &Day, body: &Value, key: &str, before: usize) -> Option<usize> {
    let rest = key.strip_prefix('A')?.strip_prefix(field(body, "stk_cd"))?;
    let (date, left) = rest.split_at_checked(8)?;
    let left: usize = left.parse().ok()?;
    match date.parse::<u32>().ok()? {
        date if date == day.settings.date => Some(before + left),
        date if date == day.settings.before => Some(left),
        _ => None,
    }
}

fn is_adjusted(day: &Day, body: &Value) -> bool {
    match day.settings.adjusted {
        Adjusted::Never => false,
        Adjusted::Asked => field(body, "upd_stkpc_tp") == "1",
        Adjusted::Always => true,
    }
}

/// A share of before is two of today.
fn adjust(mut row: Row, adjusted: bool) -> Row {
    if adjusted {
        row.print.price /= 2;
    }
    row
}

/// ka10080: bars of both days, or of `base_dt` and before, with the cumulative volume at the end of each. They are made
/// of all prints: the volume of a bar is right even where the tick chart lacks rows.
fn bars(day: &Day, line: Option<&Line>, body: &Value, next_key: Option<&str>) -> Result<Page, &'static str> {
    let scope = minutes::minute_scope(body)?;
    let list = "stk_min_pole_chart_qry";
    let mut page = Page::blank(list, &minutes::FIELDS);
    if let Some((line, it)) = line.and_then(|line| Some((line, instrument(day, line)?))) {
        let newest = match field(body, "base_dt") {
            "" => u32::MAX,
            date => date.parse().map_err(|_| "1517")?,
        };
        let head = format!("A{}", field(body, "stk_cd"));
        let place = |key: &str| key.strip_prefix(&head)?.strip_suffix(TAIL)?.parse::<u64>().ok();
        let end = next_key.map_or(u64::MAX, |key| place(key).unwrap_or(0));
        let adjusted = is_adjusted(day, body);
        let (mut rows, mut oldest) = (Vec::new(), 0);
        let mut more = false;
        for which in [Which::Day, Which::Before] {
            let date = day.date(which);
            if date > newest {
                continue;
            }
            let all: Vec<Row> =
                everything(day, line, which).into_iter().map(|row| adjust(row, adjusted)).collect();
            for bar in minutes::of_rows(&all, scope).iter().rev() {
                let at = u64::from(date) * 1_000_000 + u64::from(bar.time);
                if at >= end {
                    continue;
                }
                more = rows.len() == CHART_ROWS;
                if more {
                    break;
                }
                rows.push(minutes::row(it, date, bar));
                oldest = at;
            }
        }
        if !rows.is_empty() {
            let next_key = more.then(|| format!("{head}{oldest:014}{TAIL}"));
            page = Page { head: Map::new(), list, rows, next_key };
        }
    }
    page.head.insert("stk_cd".to_owned(), field(body, "stk_cd").into());
    Ok(page)
}

/// All prints of a day, also those that the REST side lacks.
fn everything(day: &Day, line: &Line, which: Which) -> Vec<Row> {
    let row = |print: &super::Print| Row {
        time: print.time(),
        print: print.print(),
        volume: print.volume(),
        value: print.value(),
        ask: 0,
        bid: 0,
        sides: (0, 0),
    };
    day.prints(line, which).iter().map(row).collect()
}

/// ka10003: the last 30 prints of today, value in won.
fn last(day: &Day, line: Option<&Line>) -> Page {
    let line = line.filter(|_| day.settings.today == day.settings.date);
    let rows = line.map(|line| {
        let all = day.rows(line, Which::Day);
        (line, Which::Day, all.saturating_sub(LAST_ROWS), all)
    });
    prints(day, "cntr_infr", rows, None, 1)
}

/// ka10084: the prints of today or yesterday by pages of 100, value in million won.
fn of_day(
    day: &Day,
    line: Option<&Line>,
    body: &Value,
    next_key: Option<&str>,
    fault: Option<PageFault>,
) -> Result<Page, &'static str> {
    let is_today = day.settings.today == day.settings.date;
    // Of a later today nothing is known, and its yesterday is the day.
    let which = match (is_today, wants_today(body)?) {
        (true, true) | (false, false) => Some(Which::Day),
        (true, false) => Some(Which::Before),
        (false, true) => None,
    };
    let rows = line.zip(which).map(|(line, which)| {
        let all = day.rows(line, which);
        let head = format!("A{}{:08}", field(body, "stk_cd"), day.date(which));
        let left = |key: &str| key.strip_prefix(&head)?.parse::<usize>().ok();
        let end = next_key.map_or(all, |key| left(key).unwrap_or(0).min(all));
        let cut = cut(end, DAY_ROWS, all, fault);
        let more = (cut.from > 0).then(|| format!("{head}{}", cut.from));
        let next_key = if cut.again { next_key.map(str::to_owned) } else { more };
        ((line, which, cut.from, cut.to), next_key)
    });
    let (rows, next_key) = rows.unzip();
    Ok(prints(day, "tdy_pred_cntr", rows, next_key.flatten(), 1_000_000))
}

fn prints(
    day: &Day,
    list: &'static str,
    rows: Option<(&Line, Which, usize, usize)>,
    next_key: Option<String>,
    unit: i64,
) -> Page {
    let found = rows.and_then(|(line, which, from, to)| {
        let it = instrument(day, line)?;
        let rows = day.slice(line, which, from, to, true);
        Some((it, line.tape, rows)).filter(|(_, _, rows)| !rows.is_empty())
    });
    let Some((it, tape, rows)) = found else { return Page::blank(list, &PRINT_FIELDS) };
    let rows = rows.iter().rev().map(|row| print(it, row, tape, unit)).collect();
    Page { head: Map::new(), list, rows, next_key }
}
