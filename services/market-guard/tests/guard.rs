//! The program as an operator calls it: exit codes at instants chosen for their traps, two weeks hour by hour against the
//! exchanges' sessions, and overrides that leave a trace.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

const MINUTE: i64 = 60;
const KST: i64 = 9 * 3_600;

fn guard(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_market-guard"));
    // The clock of the host must not matter.
    command.env("TZ", "America/Los_Angeles").args(arguments).output().expect("market-guard")
}

fn code(arguments: &[&str]) -> i32 {
    guard(arguments).status.code().expect("code")
}

/// An instant, exit code by the defaults, exit code when the US blocks all day and Korea in its regular session.
const INSTANTS: &str = "\
2026-11-23T22:59:59Z 0 1 Korea: one second before the pre-market of NXT; US after
2026-11-23T23:00:00Z 1 1 Korea: the pre-market opens
2026-11-24T00:00:00Z 1 1 Korea: KRX opens
2026-11-24T00:00:30Z 1 1 Korea: the main market of NXT opens
2026-11-24T06:25:00Z 1 1 Korea: closing auction
2026-11-24T06:30:00Z 1 0 Korea: the regular session is over; US night
2026-11-24T07:30:00Z 1 0 Korea: after-market
2026-11-24T11:00:00Z 0 1 Korea: closed at 20:00 exactly; US pre-market
2026-11-24T13:30:00Z 0 1 US: the opening time of summer, in winter
2026-11-24T14:30:00Z 1 1 US: regular
2026-11-24T21:00:00Z 0 1 US: closed, after-market
2026-09-11T08:30:00Z 1 1 Korea: last single-price session
2026-09-14T10:30:00Z 1 1 Korea: first after-market of KRX
2025-02-28T09:30:00Z 0 1 Korea: before NXT the day ended at 18:00
2025-03-04T10:30:00Z 1 1 Korea: first day of NXT
2026-06-03T02:00:00Z 0 0 Korea: local election
2026-07-17T02:00:00Z 0 0 Korea: Constitution Day, a holiday again
2025-07-17T02:00:00Z 1 1 Korea: the same day a year before
2025-01-27T02:00:00Z 0 0 Korea: temporary holiday
2026-12-31T02:00:00Z 0 0 Korea: end of the year
2026-01-01T23:30:00Z 0 0 Korea: first day, no pre-market; US: New Year
2026-01-02T00:45:00Z 1 0 Korea: first day, opening auction
2026-01-02T06:45:00Z 1 0 Korea: first day, the close does not move
2025-11-13T07:00:00Z 1 1 Korea: exam day, regular until 16:30
2026-03-06T13:30:00Z 0 1 US: before daylight saving
2026-03-09T13:30:00Z 1 1 US: after it
2026-11-27T18:30:00Z 0 1 US: half day, late session
2026-11-27T22:30:00Z 0 0 US: half day, over
2025-01-09T16:00:00Z 0 0 US: day of mourning
2026-11-26T03:00:00Z 1 1 Korea: open on the eve of Thanksgiving
";

#[test]
fn thirty_instants_by_exit_code() {
    assert_eq!(INSTANTS.lines().count(), 30);
    for line in INSTANTS.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let at = ["check", "--market", "kr,us", "--margin", "0", "--at", words[0]];
        let other = [&at[..], &["--block", "kr=regular,us=extended"]].concat();
        assert_eq!([code(&at).to_string(), code(&other).to_string()], words[1..3], "{line}");
    }
}

#[test]
fn ten_minutes_before_a_session_and_after_it_nothing_is_deployed() {
    for (at, expected) in [
        ("2026-11-24T07:49:59+09:00", 0),
        ("2026-11-24T07:50:00+09:00", 1),
        ("2026-11-24T20:09:59+09:00", 1),
        ("2026-11-24T20:10:00+09:00", 0),
        ("2026-11-24T23:19:59+09:00", 0),
        ("2026-11-24T23:20:00+09:00", 1),
        ("2026-11-25T06:09:59+09:00", 1),
        ("2026-11-25T06:10:00+09:00", 0),
    ] {
        assert_eq!(code(&["check", "--at", at]), expected, "{at}");
    }
    let korea = ["check", "--market", "kr", "--margin", "1h", "--at"];
    assert_eq!(code(&[&korea[..], &["2026-11-24T20:59:59+09:00"]].concat()), 1);
    assert_eq!(code(&[&korea[..], &["2026-11-24T23:30:00+09:00"]].concat()), 0, "the US do not count");
}

#[test]
fn what_cannot_be_said_is_no_yes() {
    for at in ["2028-01-03T03:00:00Z", "2023-12-29T03:00:00Z"] {
        let output = guard(&["check", "--at", at]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("outside the calendar, which covers 2024-01-01 to 2027-12-31"), "{said}");
    }
    for wrong in [
        &["check", "--at", "2026-11-24T20:10:00"][..],
        &["check", "--market", "jp"],
        &["check", "--block", "kr=closed"],
        &["check", "--margin", "ten"],
        &["check", "--force", " "],
        &["week", "--of", "2028-01-03"],
        &["chek"],
    ] {
        assert_eq!(code(wrong), 2, "{wrong:?}");
    }
}

#[test]
fn an_override_has_a_reason_and_leaves_a_trace() {
    let folder = tempfile::tempdir().expect("folder");
    let log = folder.path().join("kept/overrides.jsonl");
    let forced = |log: &Path, at: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_market-guard"));
        command.env("SISE__MARKET_GUARD__LOG", log).env("SUDO_USER", "someone");
        command.args(["check", "--at", at, "--force", "key \"A\" was leaked"]).output().expect("market-guard")
    };
    for at in ["2026-11-24T12:00:00+09:00", "2028-01-03T03:00:00Z"] {
        let output = forced(&log, at);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains("forced: key \"A\" was leaked"));
    }
    // Nothing is overruled when it is quiet.
    assert_eq!(forced(&log, "2026-11-22T12:00:00+09:00").status.code(), Some(0));
    let lines = std::fs::read_to_string(&log).expect("log");
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("json")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (lines[0]["who"].as_str(), lines[0]["reason"].as_str()),
        (Some("someone"), Some("key \"A\" was leaked"))
    );
    assert!(lines[0]["overruled"].as_str().expect("text").contains("kr is regular"), "{}", lines[0]);
    assert!(lines[1]["overruled"].as_str().expect("text").contains("cannot say"), "{}", lines[1]);
    // What cannot be written down does not happen.
    let output = forced(folder.path(), "2026-11-24T12:00:00+09:00");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write down the override"));
}

/// `2026-11-24T00:00:30Z` or with an offset, as seconds.
fn utc(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().expect("instant").as_second()
}

/// Regular sessions by date, from the exchanges' tables.
fn sessions(table: &str) -> BTreeMap<String, (i64, i64)> {
    let rows = table.lines().skip(1).map(|row| row.split(',').collect::<Vec<_>>());
    rows.map(|row| (row[0].to_owned(), (utc(row[1]), utc(row[2])))).collect()
}

/// When a market is extended or regular, and when regular, by the tables and the published hours alone.
struct Oracle {
    kr: Vec<[(i64, i64); 2]>,
    us: Vec<[(i64, i64); 2]>,
}

impl Oracle {
    /// For days since NXT (2025-03-04) that are neither a year's first nor an exam day.
    fn read() -> Self {
        let kr = sessions(include_str!("../../lib/market/tests/data/xkrx_sessions_corrected.csv"));
        let us = sessions(include_str!("../../lib/market/tests/data/xnys_sessions.csv"));
        let kr = kr.into_iter().map(|(date, regular)| {
            // 08:00 to 20:00 in Seoul.
            let midnight = utc(&format!("{date}T00:00:00+09:00"));
            [(midnight + 8 * 3_600, midnight + 20 * 3_600), regular]
        });
        let us = us.into_values().map(|(open, close)| {
            // From 04:00, five and a half hours before the open, to four hours after the close.
            [(open - 330 * MINUTE, close + 4 * 3_600), (open, close)]
        });
        Self { kr: kr.collect(), us: us.collect() }
    }

    fn state(days: &[[(i64, i64); 2]], at: i64) -> &'static str {
        let inside = |(start, end): (i64, i64)| start <= at && at < end;
        if days.iter().any(|day| inside(day[1])) {
            "regular"
        } else if days.iter().any(|day| inside(day[0])) {
            "extended"
        } else {
            "closed"
        }
    }

    fn deploy(&self, at: i64) -> &'static str {
        let near = |(start, end): (i64, i64)| start - 10 * MINUTE <= at && at < end + 10 * MINUTE;
        let blocked = self.kr.iter().any(|day| near(day[0])) || self.us.iter().any(|day| near(day[1]));
        if blocked { "blocked" } else { "quiet" }
    }
}

/// What a cell of the table (`closed 08:00 extended`) says at a minute of its hour.
fn cell(cell: &str, minute: i64) -> &str {
    let words: Vec<&str> = cell.split_whitespace().collect();
    let mut holds = words[0];
    for change in words[1..].chunks(2) {
        let at: i64 = change[0].split_once(':').expect("time").1.parse().expect("minute");
        if at <= minute {
            holds = change[1];
        }
    }
    holds
}

fn week(of: &str, expected: &str, zone: &str) {
    let output = guard(&["week", "--of", of]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).expect("text"), expected, "week of {of}");
    let oracle = Oracle::read();
    let rows: Vec<&str> = expected.lines().skip(1).collect();
    assert_eq!(rows.len(), 168);
    let monday = utc(&format!("{of}T00:00:00+09:00"));
    for (row, hour) in rows.iter().zip(0..) {
        let start = monday + hour * 3_600;
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let seoul = columns[0].split_once(' ').expect("day").1.replace(' ', "T");
        assert_eq!(utc(&format!("{seoul}:00+09:00")), start, "{row}");
        assert_eq!((start + KST).rem_euclid(3_600), 0);
        assert!(columns[1].ends_with(zone), "{row}");
        for minute in 0..60 {
            let at = start + minute * MINUTE;
            let said = [2, 3, 4].map(|column| cell(columns[column], minute));
            let true_one = [Oracle::state(&oracle.kr, at), Oracle::state(&oracle.us, at), oracle.deploy(at)];
            assert_eq!(said, true_one, "minute {minute} of {row}");
        }
    }
}

#[test]
fn the_hours_of_a_week_in_winter() {
    week("2026-11-23", include_str!("data/week_of_2026-11-23.txt"), "EST");
}

#[test]
fn the_hours_of_a_week_in_summer() {
    week("2026-07-13", include_str!("data/week_of_2026-07-13.txt"), "EDT");
}
