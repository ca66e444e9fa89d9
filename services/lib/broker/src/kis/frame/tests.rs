//! Splitting: the right number of whole records, or a refusal with its reason. Never a shifted field.

use proptest::prelude::*;

use super::*;

const TRADES: &str = include_str!("../../../fixtures/kis/h0stcnt0_46.txt");

fn line(number: usize) -> &'static str {
    TRADES.lines().nth(number - 1).expect("line")
}

fn refused(text: &str) -> &'static str {
    Splitter::default().split(text).expect_err("refused").reason()
}

#[test]
fn four_records_are_four_records() {
    let mut splitter = Splitter::default();
    let frame = splitter.split(line(6)).expect("frame");
    assert_eq!((frame.len(), frame.width, frame.count_was_wrong), (4, 46, false));
    let volumes: Vec<_> =
        frame.records().map(|record| record.get(13).parse::<i64>().expect("volume")).collect();
    assert!(volumes.windows(2).all(|pair| pair[0] < pair[1]), "{volumes:?}");
}

#[test]
fn appended_fields_widen_the_record() {
    let mut splitter = Splitter::default();
    let grown = format!("{}^2^new", line(1));
    let frame = splitter.split(&grown).expect("frame");
    assert_eq!(
        (frame.width, frame.extra_fields(), frame.records().next().expect("record").get(47)),
        (48, 1, "new")
    );
}

#[test]
fn a_trailing_caret_is_an_empty_field() {
    let mut splitter = Splitter::default();
    let text = format!("{}^", line(1));
    let frame = splitter.split(&text).expect("frame");
    let record = frame.records().next().expect("record");
    assert_eq!((record.width(), record.get(46), record.get(47)), (47, "", ""));
}

#[test]
fn a_wrong_count_is_found_out_by_the_heads() {
    for wrong in ["001", "003", "009"] {
        let text = line(6).replacen("|004|", &format!("|{wrong}|"), 1);
        let mut splitter = Splitter::default();
        let frame = splitter.split(&text).expect("frame");
        assert_eq!((frame.len(), frame.width, frame.count_was_wrong), (4, 46, true), "{wrong}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_reason() {
    let short = line(1).rsplit_once('^').expect("fields").0;
    let two_and_a_half = line(3).rsplitn(4, '^').last().expect("fields").to_owned();
    for (text, reason) in [
        ("", "form"),
        ("hello", "form"),
        ("2|H0STCNT0|001|005930^090000", "form"),
        ("1|H0STCNI0|001|iG3mNl+0y40e6fpxjNTsjA==", "encrypted"),
        ("0|H0STPGM0|001|005930^092237", "unknown_tr"),
        ("0|H0STCNT0|000|005930^092237", "count"),
        ("0|H0STCNT0|005930|005930^092237", "count"),
        ("0|H0STCNT0|-1|005930^092237", "count"),
        ("0|H0STCNT0|001|005930^092237", "width"),
        (short, "width"),
        (&two_and_a_half, "width"),
    ] {
        assert_eq!(refused(text), reason, "{text:.60}");
    }
    let no_head = line(1).replacen("005930^151619", "5930^151619", 1);
    assert_eq!(refused(&no_head), "head");
}

#[test]
fn one_wrong_time_does_not_refuse_the_frame() {
    let text = line(6).replacen("^000100^", "^000100^x", 1);
    let mut splitter = Splitter::default();
    assert_eq!(splitter.split(&text).expect("frame").len(), 4);
}

#[test]
fn a_message_of_400_kb_is_split() {
    let payload = line(1).splitn(4, '|').last().expect("payload");
    let many = vec![payload; 1_600].join("^");
    let mut splitter = Splitter::default();
    let text = format!("0|H0STCNT0|1600|{many}");
    assert!(text.len() > 400_000);
    assert_eq!(splitter.split(&text).expect("frame").len(), 1_600);
}

fn mutated() -> impl Strategy<Value = String> {
    let lines: Vec<&'static str> = TRADES.lines().collect();
    let change = (any::<prop::sample::Index>(), "[0-9A-Z^|.+()-]{0,3}", 0_usize..3);
    (prop::sample::select(lines), prop::collection::vec(change, 1..4)).prop_map(|(line, changes)| {
        let mut bytes = line.as_bytes().to_vec();
        for (at, put, remove) in changes {
            let at = at.index(bytes.len());
            let end = (at + remove).min(bytes.len());
            bytes.splice(at..end, put.bytes());
        }
        String::from_utf8(bytes).expect("ascii")
    })
}

proptest! {
    #[test]
    fn any_text_is_split_or_refused(text in "\\PC{0,200}") {
        let _any = Splitter::default().split(&text).map(|frame| frame.len());
    }

    #[test]
    fn damaged_frames_never_lose_or_invent_fields(text in mutated()) {
        if let Ok(frame) = Splitter::default().split(&text) {
            let payload = text.splitn(4, '|').last().expect("payload");
            let joined: Vec<_> = frame.records().map(|record| record.text()).collect();
            prop_assert_eq!(joined.join("^"), payload);
            prop_assert!(frame.tr.accepts(frame.width));
        }
    }
}
