//! Calendar files that are wrong, one line at a time, and the clock that remembers.

use proptest::prelude::*;

use super::*;

const SMALL: &str = "\
market kr
covered 2026-11-23 2026-11-29 ; a week
opens nxt 2026-11-24 ; test
phase krx normal open_auction 08:30 09:00 - - ; test
phase krx normal continuous 09:00 15:30 - - ; test
phase krx late continuous 10:00 15:30 - - ; test
phase nxt normal,late after 15:30 20:00 - - ; test

# a comment
special 2026-11-25 late ; late day ; test
closed 2026-11-26 ; holiday ; test
";

fn date(year: i16, month: i8, day: i8) -> TradeDate {
    TradeDate::from_ymd(year, month, day).expect("date")
}

/// Korean wall clock of November 2026 as UTC nanoseconds.
fn kst(day: i8, hour: i64, minute: i64) -> i64 {
    crate::time::kst(date(2026, 11, day), (hour * 60 + minute) * 60 * SECOND)
}

fn read(text: &str) -> Result<Calendar, CalendarError> {
    Calendar::from_text(CalendarFile { name: "mine.cal", text }, US)
}

/// The line and reason of the refusal after one replacement in the small file.
fn refusal(old: &str, new: &str) -> (usize, LineError) {
    assert!(SMALL.contains(old), "{old}");
    match read(&SMALL.replace(old, new)) {
        Err(CalendarError::Line { file, line, reason }) => {
            assert_eq!(file, "mine.cal");
            (line, reason)
        }
        other => panic!("{old} -> {new}: {other:?}"),
    }
}

#[test]
fn the_built_in_files_are_right() {
    Calendar::from_text(KR, US).expect("files");
    assert_eq!(Calendar::built_in().covered_from(Market::Kr), date(2024, 1, 1));
    assert_eq!(Calendar::built_in().covered_through(Market::Us), date(2027, 12, 31));
}

#[test]
fn a_file_of_ones_own_replaces_the_built_in_one() {
    let calendar = read(SMALL).expect("small");
    assert_eq!(calendar.krx_phase(kst(23, 8, 29)), Ok(Session::Closed));
    assert_eq!(calendar.krx_phase(kst(23, 8, 30)), Ok(Session::OpenAuction));
    assert_eq!(calendar.nxt_phase(kst(23, 16, 0)), Ok(Session::NotYetOpen));
    assert_eq!(calendar.session_of(Tape::All, kst(23, 16, 0)), Session::Closed);
    assert_eq!(calendar.nxt_phase(kst(24, 0, 0)), Ok(Session::Closed));
    assert_eq!(calendar.session_of(Tape::All, kst(24, 16, 0)), Session::After);
    assert_eq!(calendar.krx_phase(kst(25, 9, 59)), Ok(Session::Closed));
    assert_eq!(calendar.krx_phase(kst(26, 10, 0)), Ok(Session::Closed));
    let holiday = calendar.exception(Market::Kr, date(2026, 11, 26)).expect("covered").expect("exception");
    assert_eq!(
        (holiday.name.as_str(), holiday.source.as_str(), holiday.is_closed()),
        ("holiday", "test", true)
    );
    assert_eq!(calendar.kr_day(date(2026, 11, 25)).expect("covered").expect("day").kind(), "late");
    assert_eq!(calendar.us_state(kst(24, 23, 30)), Ok(MarketState::Regular));
}

#[test]
fn a_wrong_line_is_named() {
    let text = |text: &str| text.to_owned();
    assert_eq!(refusal("kr\n", "us\n"), (1, LineError::Market { expected: Market::Kr, text: text("us") }));
    assert_eq!(refusal("# a c", "c"), (9, LineError::UnknownWord { word: text("comment") }));
    assert_eq!(refusal("2026-11-26", "2026-11-31"), (11, LineError::Date { text: text("2026-11-31") }));
    assert_eq!(refusal("2026-11-26", "26/11/26"), (11, LineError::Date { text: text("26/11/26") }));
    assert_eq!(refusal("2026-11-26", "2026-11-28"), (11, LineError::Weekend { date: date(2026, 11, 28) }));
    assert_eq!(refusal("2026-11-26", "2026-12-01"), (11, LineError::NotCovered { date: date(2026, 12, 1) }));
    assert_eq!(refusal("2026-11-26", "2026-11-25"), (11, LineError::Twice { first_line: 10 }));
    assert_eq!(
        refusal(" ; holiday ; test", " ; holiday"),
        (11, LineError::NoNote { expected: "; name ; source" })
    );
    assert_eq!(refusal("15:30 - - ; test", "15:30 - -"), (5, LineError::NoNote { expected: "; source" }));
    assert_eq!(refusal("25 late", "25 lat"), (10, LineError::UnknownKind { kind: text("lat") }));
    assert_eq!(refusal("normal,late", "normal,lte"), (7, LineError::UnusedKind { kind: text("lte") }));
    assert_eq!(refusal("phase nxt", "phase us"), (7, LineError::Venue { text: text("us") }));
    assert_eq!(refusal("open_auction", "closed"), (4, LineError::Phase { text: text("closed") }));
    for time in ["8:30", "08:60", "24:01", "08:30:", "prev/8", "+8:30", "08:30:00:00"] {
        assert_eq!(refusal("08:30", time), (4, LineError::Time { text: text(time) }));
    }
    let inverted = LineError::Inverted { start: text("09:30"), end: text("09:00") };
    assert_eq!(refusal("08:30", "09:30"), (4, inverted));
    let overlap = LineError::Overlap { date: date(2026, 11, 23), other_line: 4 };
    assert_eq!(refusal("08:30 09:00", "08:30 09:01"), (5, overlap));
    assert_eq!(refusal("market kr", "market"), (1, LineError::Shape { expected: "market kr|us" }));
    assert_eq!(
        refusal("2026-11-29 ;", "9999-11-29 ;").1,
        LineError::Date { text: text("9999-11-29") },
        "a date beyond the type"
    );
    assert_eq!(
        refusal("2026-11-29 ;", "2149-01-01 ;"),
        (2, LineError::TooLong { days: 44_600, limit: 36_525 })
    );
}

#[test]
fn what_is_missing_is_named() {
    let missing = |word| Err(CalendarError::Missing { file: "mine.cal".into(), word });
    assert_eq!(read("").map(|_| ()), missing("market"));
    assert_eq!(read("market kr").map(|_| ()), missing("covered"));
    let hole = SMALL.replace("15:30 20:00 - -", "15:30 20:00 2026-11-25 -");
    let (file, venue) = ("mine.cal".into(), Venue::Nxt);
    let expected = CalendarError::NoPhases { file, venue, date: date(2026, 11, 24) };
    assert_eq!(read(&hole).map(|_| ()), Err(expected));
    let message = read(&SMALL.replace("2026-11-26", "2026-11-28")).expect_err("weekend").to_string();
    assert_eq!(message, "mine.cal, line 11: 2026-11-28 is a Saturday or Sunday");
}

#[test]
fn an_unreadable_calendar_knows_nothing_and_still_stamps() {
    let calendar = Calendar::unknown();
    assert!(matches!(calendar.kr_state(kst(24, 10, 0)), Err(CalendarError::OutOfCoverage { .. })));
    assert!(matches!(
        calendar.next_session(Market::Us, date(2026, 11, 24)),
        Err(CalendarError::OutOfCoverage { .. })
    ));
    assert_eq!(calendar.session_of(Tape::All, kst(24, 10, 0)), Session::Unspecified);
    assert_eq!(calendar.trade_date(Market::Kr, kst(24, 10, 0)), date(2026, 11, 24));
    assert_eq!(calendar.trade_date(Market::Us, kst(24, 10, 0)), date(2026, 11, 24));
}

proptest! {
    /// The remembered answer is the one that would have been looked up, in any order of instants.
    #[test]
    fn the_clock_agrees_with_the_calendar(
        instants in prop::collection::vec(
            (0..Tape::ALL.len(), 1_700_000_000_i64..1_840_000_000, 0_i64..90_000), 1..60),
    ) {
        let calendar = Calendar::built_in();
        let mut clock = SessionClock::new(calendar.clone());
        for (tape, second, later) in instants {
            for at in [second, second + later, second + 1] {
                let (tape, at) = (Tape::ALL[tape], at * SECOND);
                let expected = SessionStamp {
                    session: calendar.session_of(tape, at),
                    trade_date: calendar.trade_date(tape.market(), at),
                };
                prop_assert_eq!(clock.stamp(tape, at), expected);
            }
        }
    }

    /// Whatever the text, reading it gives a calendar or an error.
    #[test]
    fn no_text_panics(lines in prop::collection::vec("[a-z]{0,7}( [-0-9:/,a-z]{0,10}){0,8}( ; ?[a-z]{0,3}){0,2}", 0..8)) {
        let text = format!("market kr\ncovered 2026-11-23 2026-11-29 ; x\n{}", lines.join("\n"));
        let _ = read(&text);
    }

    /// Every instant that a number can hold has a stamp.
    #[test]
    fn every_instant_has_a_stamp(at in any::<i64>()) {
        for tape in Tape::ALL {
            let _ = Calendar::built_in().stretch(*tape, at);
        }
    }
}
