//! The built-in calendar against the exchanges' sessions 2024 to 2027, instants chosen for their traps, the special
//! days and the properties that hold on every day.

#![allow(clippy::expect_used, reason = "helpers of tests may fail loudly")]

use market::calendar::{self, Calendar, CalendarError, CalendarFile, Day};
use market::session::{MarketState, Session, Venue};
use market::{Market, Tape, TradeDate};

const MINUTE: i64 = 60_000_000_000;
const KST: i64 = 9 * 60 * MINUTE;

/// `2026-11-24T00:00:30Z` as nanoseconds.
fn utc(text: &str) -> i64 {
    let at: jiff::Timestamp = text.parse().expect("instant");
    i64::try_from(at.as_nanosecond()).expect("in range")
}

/// `2026-11-24`.
fn date(text: &str) -> TradeDate {
    TradeDate::parse(&text.replace('-', "")).expect("date")
}

fn dates() -> impl Iterator<Item = TradeDate> {
    let (first, last) = (date("2024-01-01").days_since_epoch(), date("2027-12-31").days_since_epoch());
    (first..=last).map(|days| TradeDate::from_days_since_epoch(days).expect("date"))
}

fn cal() -> &'static Calendar {
    Calendar::built_in()
}

fn day(market: Market, text: &str) -> &'static Day {
    cal().day(market, date(text)).expect("covered").expect("session")
}

/// The phases of a venue on a date, in local time: `pre 08:00:00-08:50:00`.
fn hours(venue: Venue, text: &str) -> Vec<String> {
    let zone = if venue == Venue::Us { "America/New_York" } else { "Asia/Seoul" };
    let local = |ns: i64| {
        let at = jiff::Timestamp::from_nanosecond(i128::from(ns)).expect("instant");
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(zone).expect("zone");
        zone.to_datetime(at).time().to_string()
    };
    let phases = day(venue.market(), text).venue_phases(venue);
    phases.map(|p| format!("{} {}-{}", p.session, local(p.start_ns), local(p.end_ns))).collect()
}

/// Compares every date with a table of regular sessions; returns the number of sessions.
fn compare(market: Market, table: &str) -> usize {
    let rows: std::collections::BTreeMap<TradeDate, (i64, i64)> = table
        .lines()
        .skip(1)
        .map(|row| {
            let columns: Vec<&str> = row.split(',').collect();
            (date(columns[0]), (utc(columns[1]), utc(columns[2])))
        })
        .collect();
    for date in dates() {
        let regular =
            cal().day(market, date).expect("covered").map(|day| day.regular_hours().expect("hours"));
        assert_eq!(regular, rows.get(&date).copied(), "{market} {date}");
        if let Some((open, close)) = regular {
            let at = |ns| cal().state(market, ns).expect("covered") == MarketState::Regular;
            assert!(!at(open - 1) && at(open) && at(close - 1) && !at(close), "{market} {date}");
        }
    }
    assert_eq!(cal().days(market).count(), rows.len());
    rows.len()
}

#[test]
fn every_korean_session_agrees_with_the_oracle() {
    let table = include_str!("data/xkrx_sessions_corrected.csv");
    assert_eq!(compare(Market::Kr, table), 975);
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split(',').collect();
        let kind = match columns[0] {
            "2025-03-04" => "nxt_start",
            _ if columns[3].is_empty() => "normal",
            _ => columns[3],
        };
        assert_eq!(day(Market::Kr, columns[0]).kind(), kind, "{row}");
    }
}

#[test]
fn every_us_session_agrees_with_the_oracle() {
    assert_eq!(compare(Market::Us, include_str!("data/xnys_sessions.csv")), 1_004);
}

/// UTC, KR state, KRX phase, NXT phase, US state, US phase, US trade date.
const INSTANTS: &str = "\
2026-11-23T22:59:59Z closed   closed        closed        extended after     2026-11-23
2026-11-23T23:00:00Z extended closed        pre           extended after     2026-11-23
2026-11-24T00:00:00Z regular  continuous    pause         extended after     2026-11-23
2026-11-24T00:00:30Z regular  continuous    main          extended after     2026-11-23
2026-11-24T06:25:00Z regular  close_auction pause         closed   overnight 2026-11-24
2026-11-24T06:30:00Z extended post_close    after_auction closed   overnight 2026-11-24
2026-11-24T07:30:00Z extended after         after         closed   overnight 2026-11-24
2026-11-24T11:00:00Z closed   closed        closed        extended pre       2026-11-24
2026-11-24T13:30:00Z closed   closed        closed        extended pre       2026-11-24
2026-11-24T14:30:00Z closed   closed        closed        regular  regular   2026-11-24
2026-11-24T21:00:00Z closed   closed        closed        extended after     2026-11-24
2026-09-11T08:30:00Z extended single_price  after         extended pre       2026-09-11
2026-09-14T10:30:00Z extended after         after         extended pre       2026-09-14
2025-02-28T09:30:00Z closed   closed        none          extended pre       2025-02-28
2025-03-04T10:30:00Z extended closed        after         extended pre       2025-03-04
2026-06-03T02:00:00Z closed   closed        closed        closed   overnight 2026-06-03
2026-07-17T02:00:00Z closed   closed        closed        closed   overnight 2026-07-17
2025-07-17T02:00:00Z regular  continuous    main          closed   overnight 2025-07-17
2025-01-27T02:00:00Z closed   closed        none          closed   overnight 2025-01-27
2026-12-31T02:00:00Z closed   closed        closed        closed   overnight 2026-12-31
2026-01-01T23:30:00Z closed   closed        closed        closed   closed    -
2026-01-02T00:45:00Z extended open_auction  closed        closed   closed    -
2026-01-02T06:45:00Z extended post_close    after         closed   overnight 2026-01-02
2025-11-13T07:00:00Z regular  continuous    main          closed   overnight 2025-11-13
2026-03-06T13:30:00Z closed   closed        closed        extended pre       2026-03-06
2026-03-09T13:30:00Z closed   closed        closed        regular  regular   2026-03-09
2026-11-27T18:30:00Z closed   closed        closed        extended after     2026-11-27
2026-11-27T22:30:00Z closed   closed        closed        closed   closed    -
2025-01-09T16:00:00Z closed   closed        none          closed   closed    -
2026-11-26T03:00:00Z regular  continuous    main          closed   closed    -
";

#[test]
fn thirty_instants() {
    assert_eq!(INSTANTS.lines().count(), 30);
    for line in INSTANTS.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = utc(words[0]);
        let us_date = cal().us_trade_date(at).expect("covered");
        let us_date = us_date.map_or_else(|| "-".to_owned(), |date| date.to_string());
        let found = [
            cal().kr_state(at).expect("covered").as_str(),
            cal().krx_phase(at).expect("covered").as_str(),
            cal().nxt_phase(at).expect("covered").as_str(),
            cal().us_state(at).expect("covered").as_str(),
            cal().us_phase(at).expect("covered").as_str(),
            &us_date,
        ];
        assert_eq!(found, words[1..], "{line}");
    }
}

#[test]
fn phases_of_a_venue_touch_and_cover_every_instant() {
    for venue in Venue::ALL {
        let start = if *venue == Venue::Us { "2024-01-01T01:00:00Z" } else { "2023-12-31T15:00:00Z" };
        let end = if *venue == Venue::Us { "2028-01-01T01:00:00Z" } else { "2027-12-31T15:00:00Z" };
        let (mut at, end) = (utc(start), utc(end));
        while at < end {
            let phase = cal().phase(*venue, at).expect("covered");
            assert_eq!((phase.start_ns, phase.venue), (at, *venue));
            assert!(phase.start_ns < phase.end_ns, "{phase:?}");
            assert_eq!(cal().phase(*venue, phase.end_ns - 1), Ok(phase));
            at = phase.end_ns;
        }
        assert_eq!(at, end);
    }
}

#[test]
fn the_korean_day_has_no_hole() {
    for day in cal().days(Market::Kr) {
        let (start, end) = day.open_hours().expect("open");
        let mut at = start;
        while at < end {
            assert_ne!(cal().kr_state(at), Ok(MarketState::Closed), "{} {at}", day.date());
            assert_eq!(cal().kr_trade_date(at), Ok(Some(day.date())));
            assert_eq!(calendar::trade_date(Market::Kr, at), day.date());
            at = cal().next_change(Market::Kr, at).expect("covered");
        }
        assert_eq!((start, end), (day.start_ns(), day.end_ns()));
        let last_hour = if day.date() < date("2025-03-04") { 18 } else { 20 };
        let midnight = i64::from(day.date().days_since_epoch()) * 1_440 * MINUTE - KST;
        assert_eq!(end - midnight, last_hour * 60 * MINUTE, "{}", day.date());
        assert_eq!(cal().kr_state(end), Ok(MarketState::Closed));
    }
}

#[test]
fn minutes_of_each_phase() {
    let minutes = |day: &Day, venue| -> Vec<(&str, i64)> {
        day.venue_phases(venue).map(|p| (p.session.as_str(), (p.end_ns - p.start_ns) / MINUTE)).collect()
    };
    for day in cal().days(Market::Us) {
        let regular = if day.kind() == "half_day" { 210 } else { 390 };
        let expected = [("overnight", 480), ("pre", 330), ("regular", regular), ("after", 240)];
        assert_eq!(minutes(day, Venue::Us), expected, "{}", day.date());
    }
    for day in cal().days(Market::Kr) {
        let (open, close) = day.regular_hours().expect("hours");
        assert_eq!((close - open) / MINUTE, if day.kind() == "first_day" { 330 } else { 390 });
        let nxt = minutes(day, Venue::Nxt);
        assert_eq!(nxt.is_empty(), day.date() < date("2025-03-04"));
        if day.kind() == "normal" && !nxt.is_empty() {
            assert!(nxt.contains(&("pre", 50)) && nxt.ends_with(&[("after_auction", 10), ("after", 260)]));
        }
    }
}

#[test]
fn special_days_in_korea() {
    let nxt_delayed =
        ["main 10:00:30-15:20:00", "pause 15:20:00-15:30:00", "after_auction 15:30:00-15:40:00"];
    assert_eq!(
        hours(Venue::Krx, "2026-01-02"),
        [
            "open_auction 09:30:00-10:00:00",
            "continuous 10:00:00-15:20:00",
            "close_auction 15:20:00-15:30:00",
            "post_close 15:30:00-16:00:00",
            "single_price 16:00:00-18:00:00",
        ]
    );
    assert_eq!(hours(Venue::Nxt, "2027-01-04")[..3], nxt_delayed);
    assert_eq!(
        hours(Venue::Krx, "2024-11-14"),
        [
            "open_auction 09:30:00-10:00:00",
            "continuous 10:00:00-16:20:00",
            "close_auction 16:20:00-16:30:00",
            "post_close 16:30:00-17:00:00",
            "single_price 17:00:00-18:00:00",
        ]
    );
    assert_eq!(hours(Venue::Krx, "2026-11-19").last().map(String::as_str), Some("after 17:00:00-20:00:00"));
    assert_eq!(
        hours(Venue::Nxt, "2026-11-19"),
        [
            "main 10:00:30-16:20:00",
            "pause 16:20:00-16:30:00",
            "after_auction 16:30:00-16:40:00",
            "after 16:40:00-20:00:00",
        ]
    );
    assert_eq!(hours(Venue::Nxt, "2025-03-04")[0], "main 10:00:00-15:20:00");
    assert_eq!(
        hours(Venue::Nxt, "2025-03-05")[..3],
        ["pre 08:00:00-08:50:00", "pause 08:50:00-09:00:30", "main 09:00:30-15:20:00"]
    );
    let reason = cal().exception(Market::Kr, date("2026-07-17")).expect("covered").expect("exception");
    assert_eq!((reason.name.as_str(), reason.is_closed()), ("Constitution Day", true));
    assert!(reason.source.contains("2026-05-20"));
}

#[test]
fn special_days_in_the_us() {
    assert_eq!(
        hours(Venue::Us, "2026-11-27"),
        [
            "overnight 20:00:00-04:00:00",
            "pre 04:00:00-09:30:00",
            "regular 09:30:00-13:00:00",
            "after 13:00:00-17:00:00",
        ]
    );
    assert_eq!(day(Market::Us, "2026-11-27").end_ns(), utc("2026-11-27T22:00:00Z"));
    // The evening before Thanksgiving is dead, that of Thanksgiving is alive.
    assert_eq!(cal().us_phase(utc("2026-11-26T01:00:00Z")), Ok(Session::Closed));
    assert_eq!(cal().us_phase(utc("2026-11-27T01:00:00Z")), Ok(Session::Overnight));
    // The Sunday of a switch: the night session begins after it, in the new time.
    assert_eq!(day(Market::Us, "2026-03-09").start_ns(), utc("2026-03-09T00:00:00Z"));
    assert_eq!(day(Market::Us, "2026-03-06").end_ns(), utc("2026-03-07T01:00:00Z"));
    assert_eq!(day(Market::Us, "2026-11-02").start_ns(), utc("2026-11-02T01:00:00Z"));
    assert_eq!(day(Market::Us, "2026-10-30").end_ns(), utc("2026-10-31T00:00:00Z"));
    assert_eq!(
        day(Market::Us, "2026-11-02").regular_hours(),
        Some((utc("2026-11-02T14:30:00Z"), utc("2026-11-02T21:00:00Z")))
    );
}

/// The quiet windows of the 168 hours from a Monday 00:00 Korean time, minute by minute.
fn quiet(monday: &str, blocked: impl Fn(i64) -> bool) -> Vec<String> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let start = i64::from(date(monday).days_since_epoch()) * 1_440 * MINUTE - KST;
    let name = |minute: usize, end: bool| {
        let (day, minute) = if end {
            ((minute - 1) / 1_440, (minute - 1) % 1_440 + 1)
        } else {
            (minute / 1_440, minute % 1_440)
        };
        format!("{} {:02}:{:02}", DAYS[day], minute / 60, minute % 60)
    };
    let mut windows = Vec::new();
    let mut since = None;
    for (minute, at) in (0..=168 * 60).zip((start..).step_by(usize::try_from(MINUTE).expect("fits"))) {
        let is_quiet = minute < 168 * 60 && !blocked(at);
        match (is_quiet, since) {
            (true, None) => since = Some(minute),
            (false, Some(from)) => {
                windows.push(format!("{}-{}", name(from, false), name(minute, true)));
                since = None;
            }
            _ => {}
        }
    }
    windows
}

#[test]
fn quiet_windows_of_a_winter_and_a_summer_week() {
    let kr = |at| cal().kr_state(at).expect("covered") != MarketState::Closed;
    let us = |at, from| cal().us_state(at).expect("covered") >= from;
    for (monday, open, close, saturday) in
        [("2026-01-12", "23:30", "06:00", "10:00"), ("2026-06-08", "22:30", "05:00", "09:00")]
    {
        let everything = quiet(monday, |at| kr(at) || us(at, MarketState::Extended));
        let weekend = format!("Sat {saturday}-Sun 24:00");
        assert_eq!(everything, ["Mon 00:00-Mon 08:00", &weekend], "{monday}");

        let regular = quiet(monday, |at| kr(at) || us(at, MarketState::Regular));
        let mut expected = vec!["Mon 00:00-Mon 08:00".to_owned(), format!("Mon 20:00-Mon {open}")];
        for day in ["Tue", "Wed", "Thu", "Fri"] {
            expected.push(format!("{day} {close}-{day} 08:00"));
            expected.push(format!("{day} 20:00-{day} {open}"));
        }
        expected.push(format!("Sat {close}-Sun 24:00"));
        assert_eq!(regular, expected, "{monday}");

        let korea = [
            "Mon 00:00-Mon 08:00",
            "Mon 20:00-Tue 08:00",
            "Tue 20:00-Wed 08:00",
            "Wed 20:00-Thu 08:00",
            "Thu 20:00-Fri 08:00",
            "Fri 20:00-Sun 24:00",
        ];
        assert_eq!(quiet(monday, kr), korea, "{monday}");
    }
}

#[test]
fn outside_the_coverage_is_an_error() {
    let edges = [
        (Market::Kr, "2023-12-31T15:00:00Z", "2027-12-31T15:00:00Z", "2023-12-31", "2028-01-01"),
        (Market::Us, "2024-01-01T01:00:00Z", "2028-01-01T01:00:00Z", "2023-12-31", "2027-12-31"),
    ];
    for (market, first, end, day_before, day_after) in edges {
        let (first, end) = (utc(first), utc(end));
        assert_eq!(cal().state(market, first), Ok(MarketState::Closed));
        assert!(cal().state(market, end - 1).is_ok());
        for (at, local) in [(first - 1, day_before), (end, day_after)] {
            let expected = CalendarError::OutOfCoverage {
                market,
                date: date(local),
                covered_from: date("2024-01-01"),
                covered_through: date("2027-12-31"),
            };
            assert_eq!(cal().state(market, at), Err(expected.clone()));
            assert_eq!(cal().next_change(market, at), Err(expected.clone()));
            assert_eq!(cal().next_state(market, at), Err(expected.clone()));
            assert_eq!(cal().last_ended(market, at), Err(expected));
        }
        for outside in [date("2023-12-31"), date("2028-01-01")] {
            assert!(cal().day(market, outside).is_err());
            assert!(cal().next_session(market, outside).is_err());
            assert!(cal().exception(market, outside).is_err());
        }
    }
    assert!(cal().next_session(Market::Kr, date("2027-12-31")).is_err());
    assert!(cal().previous_session(Market::Kr, date("2024-01-01")).is_err());
}

#[test]
fn sessions_before_and_after() {
    let next = |market, text| cal().next_session(market, date(text)).expect("known").date().to_string();
    let previous =
        |market, text| cal().previous_session(market, date(text)).expect("known").date().to_string();
    assert_eq!(next(Market::Kr, "2026-12-31"), "2027-01-04");
    assert_eq!(next(Market::Us, "2026-12-31"), "2026-12-31");
    assert_eq!(next(Market::Us, "2026-11-26"), "2026-11-27");
    assert_eq!(previous(Market::Kr, "2026-09-27"), "2026-09-23");
    let ended = |market, at| cal().last_ended(market, utc(at)).expect("known").date().to_string();
    assert_eq!(ended(Market::Kr, "2026-11-24T10:59:59Z"), "2026-11-23");
    assert_eq!(ended(Market::Kr, "2026-11-24T11:00:00Z"), "2026-11-24");
    assert_eq!(ended(Market::Us, "2026-11-28T01:00:00Z"), "2026-11-27");
    assert_eq!(ended(Market::Us, "2026-11-25T00:59:59Z"), "2026-11-23");
    assert_eq!(ended(Market::Us, "2026-11-25T01:00:00Z"), "2026-11-24");
    let friday_evening = utc("2026-11-27T11:00:00Z");
    let monday = (utc("2026-11-29T23:00:00Z"), MarketState::Extended);
    assert_eq!(cal().next_state(Market::Kr, friday_evening), Ok(monday));
}

#[test]
fn every_event_gets_a_trade_date_and_a_session() {
    let kr = |at| calendar::trade_date(Market::Kr, utc(at)).to_string();
    assert_eq!(kr("2026-11-23T14:59:59Z"), "2026-11-23");
    assert_eq!(kr("2026-11-23T23:00:00Z"), "2026-11-24");
    assert_eq!(kr("2031-06-01T15:00:00Z"), "2031-06-02");
    let us = |at| calendar::trade_date(Market::Us, utc(at)).to_string();
    assert_eq!(us("2026-11-25T00:59:59Z"), "2026-11-24"); // 19:59:59
    assert_eq!(us("2026-11-25T01:00:00Z"), "2026-11-25"); // 20:00, the coming session
    assert_eq!(us("2026-11-26T02:00:00Z"), "2026-11-25"); // 21:00 before Thanksgiving: no night session
    assert_eq!(us("2026-11-26T18:00:00Z"), "2026-11-26"); // Thanksgiving itself
    assert_eq!(us("2026-11-27T02:00:00Z"), "2026-11-27"); // Thanksgiving night
    assert_eq!(us("2026-11-28T02:00:00Z"), "2026-11-27"); // Friday 21:00
    assert_eq!(us("2026-11-29T12:00:00Z"), "2026-11-29"); // Sunday morning
    assert_eq!(us("2026-11-30T01:00:00Z"), "2026-11-30"); // Sunday 20:00
    // Beyond the data: Wednesday 20:30, Friday 20:30 and Sunday 20:30 in New York.
    assert_eq!(us("2031-06-05T00:30:00Z"), "2031-06-05");
    assert_eq!(us("2031-06-07T00:30:00Z"), "2031-06-06");
    assert_eq!(us("2031-06-09T00:30:00Z"), "2031-06-09");

    let session = |tape, at| calendar::session_of(tape, utc(at));
    assert_eq!(session(Tape::Krx, "2026-11-23T23:00:00Z"), Session::Closed);
    assert_eq!(session(Tape::All, "2026-11-23T23:00:00Z"), Session::Pre);
    assert_eq!(session(Tape::All, "2026-11-23T23:55:00Z"), Session::OpenAuction);
    assert_eq!(session(Tape::Nxt, "2026-11-23T23:55:00Z"), Session::Pause);
    assert_eq!(session(Tape::All, "2025-02-28T12:00:00Z"), Session::Closed);
    assert_eq!(session(Tape::Us, "2026-11-24T14:30:00Z"), Session::Regular);
    assert_eq!(session(Tape::Day, "2026-11-24T03:00:00Z"), Session::Overnight);
    assert_eq!(session(Tape::Day, "2031-06-05T00:30:00Z"), Session::Unspecified);
}

#[test]
fn the_planned_night_sessions_can_be_switched_on() {
    let text = calendar::US.text.replace("planned phase", "phase").replacen(
        "prev/20:00 04:00      -          - ",
        "prev/20:00 04:00      -          2026-12-04 ",
        1,
    );
    let file = CalendarFile { name: "us.cal", text: &text };
    let calendar = Calendar::from_text(calendar::KR, file).expect("valid");
    let phase = |at| calendar.us_phase(utc(at)).expect("covered");
    assert_eq!(phase("2026-12-04T01:30:00Z"), Session::Overnight); // Thursday 20:30
    assert_eq!(phase("2026-12-07T01:30:00Z"), Session::Pause); // Sunday 20:30
    assert_eq!(phase("2026-12-07T02:00:00Z"), Session::Overnight);
    assert_eq!(
        cal().us_phase(utc("2026-12-07T01:30:00Z")),
        Ok(Session::Overnight),
        "not in force as shipped"
    );
    assert_eq!(calendar.us_trade_date(utc("2026-12-07T01:30:00Z")), Ok(Some(date("2026-12-07"))));
}
