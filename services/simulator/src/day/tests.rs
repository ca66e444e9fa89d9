//! The day as its readers see it.

use serde_json::{Value, json};

use super::*;
use crate::config::{Adjusted, DayKind};
use crate::script::PageFault;

pub fn settings() -> DaySettings {
    DaySettings {
        seed: 1,
        date: 20_261_125,
        today: 20_261_125,
        before: 20_261_124,
        kind: DayKind::Normal,
        symbols: 20,
        trades: 20_000,
        us_symbols: 2,
        us_trades: 400,
        nxt_percent: 40,
        kis_percent: 50,
        both_percent: 10,
        loss: 50_000,
        connections: 4,
        cuts: 3,
        cut_minutes: 10,
        late_minutes: 37,
        rest_lacks: 0,
        adjusted: Adjusted::Asked,
        journals: None,
    }
}

/// All pages of a call, newest row first.
fn all(day: &Day, tr: &str, body: &Value) -> (Vec<Value>, usize) {
    let (mut rows, mut next_key, mut count) = (Vec::new(), None, 0);
    loop {
        let page = pages::page(day, tr, body, next_key.as_deref(), None).expect("page");
        rows.extend(page.rows);
        count += 1;
        next_key = page.next_key;
        if next_key.is_none() {
            return (rows, count);
        }
    }
}

fn int(row: &Value, name: &str) -> i64 {
    row[name].as_str().and_then(|text| text.trim_start_matches(['+', '-']).parse().ok()).expect("number")
}

/// The line with the most prints.
fn busiest(day: &Day) -> (&Line, String) {
    let line = day.lines.iter().max_by_key(|line| line.count).expect("a line");
    (line, day.symbols[line.symbol].code.clone())
}

#[test]
fn trades_are_unequal_and_all_there() {
    let counts = counts_of(2_000, 2_000_000);
    assert_eq!(counts.iter().sum::<usize>(), 2_000_000);
    assert!(*counts.iter().max().expect("counts") > 15_000);
    assert!(counts.iter().filter(|count| **count == 0).count() == 20);
    assert!(counts.iter().filter(|count| **count > 0).all(|count| *count > 150));
}

#[test]
fn pages_of_the_day_chain_and_ticks_are_the_same_prints() {
    let day = Day::new(settings()).expect("day");
    let (line, code) = busiest(&day);
    let prints = day.prints(line, Which::Day);
    let body = json!({ "stk_cd": code, "tdy_pred": "1", "tic_min": "0", "tm": "" });
    let (rows, pages) = all(&day, "ka10084", &body);
    assert_eq!((rows.len(), pages), (prints.len(), prints.len().div_ceil(100)));
    let jumps = rows.windows(2).filter(|two| {
        let gap = int(&two[0], "acc_trde_qty") - int(&two[0], "cntr_trde_qty") - int(&two[1], "acc_trde_qty");
        assert!(gap >= 0);
        gap > 0
    });
    assert!(jumps.count() <= 2);
    assert_eq!(int(&rows[0], "acc_trde_qty"), prints[prints.len() - 1].volume());

    let body = json!({ "stk_cd": code, "tic_scope": "1", "upd_stkpc_tp": "0" });
    let (ticks, _) = all(&day, "ka10079", &body);
    let of_day = ticks.iter().filter(|row| row["cntr_tm"].as_str().expect("time").starts_with("20261125"));
    let equal = of_day.zip(&rows).filter(|(tick, row)| {
        int(tick, "cur_prc") == int(row, "cur_prc") && int(tick, "trde_qty") == int(row, "cntr_trde_qty")
    });
    assert_eq!(equal.count(), prints.len());
    assert!(
        ticks.len() > prints.len() && ticks[ticks.len() - 1]["cntr_tm"].as_str().expect("time") < "20261125"
    );

    let body = json!({ "stk_cd": code, "tic_scope": "1", "upd_stkpc_tp": "1" });
    let adjusted = pages::page(&day, "ka10079", &body, None, None).expect("page");
    assert_eq!(int(&adjusted.rows[0], "cur_prc"), int(&ticks[0], "cur_prc") / 2);
    let body = json!({ "stk_cd": code, "tic_scope": "1", "base_dt": "20261125" });
    let minutes = pages::page(&day, "ka10080", &body, None, None).expect("page");
    assert_eq!(int(&minutes.rows[0], "acc_trde_qty"), prints[prints.len() - 1].volume());
}

#[test]
fn pages_go_wrong_as_asked() {
    let day = Day::new(settings()).expect("day");
    let (_, code) = busiest(&day);
    let body = json!({ "stk_cd": code, "tdy_pred": "1", "tic_min": "0", "tm": "" });
    let page = |key: Option<&str>, fault| pages::page(&day, "ka10084", &body, key, fault).expect("page");
    let first = page(None, None);
    let key = first.next_key.as_deref();
    let again = page(key, Some(PageFault::Again));
    assert_eq!((&again.rows, again.next_key.as_deref()), (&first.rows, key));
    let overlapping = page(key, Some(PageFault::Overlap(10)));
    assert_eq!(overlapping.rows[..10], first.rows[90..]);
    let blank = page(key, Some(PageFault::Blank));
    assert_eq!((blank.rows.len(), blank.rows[0]["tm"].as_str()), (1, Some("")));
    assert_eq!(page(key, None).rows.len(), 100);
}

#[test]
fn a_day_is_yesterday_when_today_is_later() {
    let day = Day::new(DaySettings { today: 20_261_126, ..settings() }).expect("day");
    let (line, code) = busiest(&day);
    let rows = |which| {
        let body = json!({ "stk_cd": code, "tdy_pred": which, "tic_min": "0", "tm": "" });
        all(&day, "ka10084", &body).0
    };
    assert_eq!((rows("2").len(), rows("1").len()), (day.prints(line, Which::Day).len(), 1));
    let found = kis_pages::korean(&day, &code, line.tape, 200_000).expect("a symbol");
    assert_eq!((found.1.len(), found.2.is_none()), (0, true));
}

#[test]
fn a_source_that_lacks_rows_lacks_them_everywhere_and_the_volume_shows_it() {
    let day = Day::new(DaySettings { rest_lacks: 20_000, ..settings() }).expect("day");
    let (line, code) = busiest(&day);
    let (prints, lacking) = (day.prints(line, Which::Day), day.lacking(line));
    assert!(lacking.len() > 10 && lacking.len() < prints.len() / 10);
    let body = json!({ "stk_cd": code, "tdy_pred": "1", "tic_min": "0", "tm": "" });
    let (rows, _) = all(&day, "ka10084", &body);
    let have: Vec<i64> = rows.iter().rev().map(|row| int(row, "acc_trde_qty")).collect();
    let want: Vec<i64> = prints
        .iter()
        .enumerate()
        .filter(|(at, _)| !lacking.contains(at))
        .map(|(_, print)| print.volume())
        .collect();
    assert_eq!(have, want);
}

#[test]
fn kis_pages_by_time_and_by_key() {
    let day = Day::new(settings()).expect("day");
    let (line, code) = busiest(&day);
    let prints = day.prints(line, Which::Day);
    let (_, rows, newest) = kis_pages::korean(&day, &code, line.tape, 120_000).expect("rows");
    let end = prints.partition_point(|print| print.time() <= 120_000);
    assert_eq!((rows.len(), rows[0].volume), (30, prints[end - 1].volume()));
    assert_eq!(newest.map(|row| row.volume), prints.last().map(Print::volume));
    let us = day.lines.iter().rfind(|line| line.count > 30).expect("a US line");
    let key = day.symbols[us.symbol].key.clone();
    let (_, first, next) = kis_pages::american(&day, &key, true, "").expect("rows");
    let (_, second, _) = kis_pages::american(&day, &key, true, &next.expect("more")).expect("rows");
    assert_eq!(first[29].volume - first[29].print.quantity, second[0].volume);
}

#[test]
fn figures_tell_losses_calls_and_the_least() {
    let day = Day::new(settings()).expect("day");
    day.called("ka10084", "100000", false);
    day.called("ka10084", "100000", true);
    let figures = day.figures();
    assert_eq!(
        (&figures["calls"], &figures["refused"], &figures["prints"]),
        (&json!(1), &json!(1), &json!(20_400))
    );
    let lost = figures["lost"].as_u64().expect("a number");
    // One in twenty and what the cuts and the late start took.
    assert!((1_000..3_000).contains(&lost), "{lost}");
    let none = DaySettings { loss: 0, cuts: 0, late_minutes: 0, ..settings() };
    let day = Day::new(none).expect("day");
    let figures = day.figures();
    assert_eq!((&figures["lost"], &figures["least"]), (&json!(0), &json!(day.lines.len())));
}

#[test]
fn one_broker_may_have_all_and_the_other_none() {
    for (kis_percent, has, none) in [
        (100, losses::Carrier::Kis, losses::Carrier::Kiwoom),
        (0, losses::Carrier::Kiwoom, losses::Carrier::Kis),
    ] {
        let losses = Losses::new(&DaySettings { kis_percent, both_percent: 0, ..settings() });
        assert!((0..20).all(|symbol| losses.carries(has, symbol) && !losses.carries(none, symbol)));
        assert!(losses.cuts.iter().all(|cut| cut.carrier == has) && losses.cuts.len() == 3);
    }
}

#[test]
fn journals_and_tapes_are_what_was_delivered() {
    let folder = tempfile::tempdir().expect("folder");
    let journals = Some(folder.path().join("journal"));
    let day = Day::new(DaySettings { journals, ..settings() }).expect("day");
    let tape = folder.path().join("tape.jsonl");
    write(&day, Some(&tape), crate::config::Layout::Y2026).expect("written");
    let lines = |path: &std::path::Path| {
        let text = std::fs::read_to_string(path).expect("tape");
        text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")).collect::<Vec<_>>()
    };
    let market = lines(&folder.path().join("tape.jsonl.market"));
    assert_eq!(market.len(), 20_400);
    let delivered: usize =
        market.iter().map(|line| line["delivered"].as_array().expect("a list").len()).sum();
    assert_eq!(lines(&tape).len(), delivered);

    let (mut records, mut cuts, mut last) = (0, 0, 0);
    for service in ["kis-service", "kiwoom-service", "us-service"] {
        let journal = folder.path().join("journal").join(service);
        let mut reader = journal::Reader::open(&journal, journal::Position::START).expect("journal");
        let mut before = 0;
        while let Some((record, _)) = reader.next().expect("record") {
            assert!(record.received_ns > before, "{record:?}");
            before = record.received_ns;
            let text = std::str::from_utf8(&record.payload).expect("text");
            match text.get(..1) {
                Some("0") => records += text.split('|').nth(2).and_then(|n| n.parse().ok()).unwrap_or(0),
                _ if text.starts_with("{\"trnm\"") => {
                    let frame: Value = serde_json::from_str(text).expect("JSON");
                    records += frame["data"].as_array().expect("rows").len();
                }
                _ => cuts += usize::from(text.contains("\"down\"")),
            }
        }
        last = last.max(before);
    }
    assert_eq!((records, cuts), (delivered, 3));
    // 19:00 in New York is 09:00 in Seoul, the feed ends an hour later.
    assert_eq!(last / 1_000_000_000, 1_795_654_830);
    // A second start leaves them alone.
    write(&day, Some(&tape), crate::config::Layout::Y2026).expect("left alone");
}
