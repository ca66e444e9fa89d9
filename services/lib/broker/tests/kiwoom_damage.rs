//! Damaged Kiwoom frames: the parser never panics, and what still comes out of a damaged frame is what the whole one
//! said.
//!
//! Published frames, and frames of several rows and of other tapes made from them, are damaged in every place: each
//! part of an event that was not read from a damaged FID must be what it was.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

use std::cell::RefCell;
use std::ops::Range;

use broker::feed::{FrameParser, Item};
use broker::kiwoom::parse::KiwoomParser;
use market::calendar::Calendar;
use market::{Level, OrderBook, Trade};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// 16:52:09 in Seoul on 2026-07-20, a second after the documented print; an auction, so that expected prices count.
const RECEIVED: i64 = 1_784_533_929_000_000_000;

/// JSON that stands in a damaged FID.
const TEXTS: [&str; 14] = [
    r#""""#,
    r#""  ""#,
    "null",
    "7",
    "-3",
    r#""x""#,
    r#""-""#,
    r#""+-5""#,
    r#""1.5""#,
    r#""-0""#,
    r#""123456""#,
    "[]",
    "{}",
    r#""\u0031""#,
];

const PUBLISHED: [&str; 4] = [
    include_str!("../fixtures/kiwoom/0b_official.txt"),
    include_str!("../fixtures/kiwoom/0b_captured.txt"),
    include_str!("../fixtures/kiwoom/0d_official.txt"),
    include_str!("../fixtures/kiwoom/0w_captured.txt"),
];

/// A row: its type and item, and its FIDs with their values as JSON.
#[derive(Debug, Clone)]
struct Row {
    kind: String,
    item: String,
    values: Vec<(u16, String)>,
}

impl Row {
    fn of(line: &str) -> Self {
        let frame: serde_json::Value = serde_json::from_str(line).expect("frame");
        let row = &frame["data"][0];
        let text = |name: &str| row[name].as_str().expect("text").to_owned();
        let values = row["values"].as_object().expect("values").iter();
        let values = values.map(|(fid, value)| (fid.parse().expect("fid"), value.to_string())).collect();
        Self { kind: text("type"), item: text("item"), values }
    }

    fn on(mut self, suffix: &str) -> Self {
        self.item.push_str(suffix);
        self
    }
}

/// A good frame, what the parser makes of it, and where its FIDs stand.
#[derive(Debug)]
struct Good {
    rows: Vec<Row>,
    items: Vec<Item>,
}

/// The bytes of each FID of a row.
type Places = Vec<(u16, Range<usize>)>;

/// A frame's text, and where the FIDs of each row stand in it.
fn written(rows: &[Row]) -> (String, Vec<Places>) {
    let (mut text, mut places) = (String::from(r#"{"trnm":"REAL","data":["#), Vec::new());
    for (index, row) in rows.iter().enumerate() {
        text.push_str(if index > 0 { r#",{"values":{"# } else { r#"{"values":{"# });
        let mut fids = Vec::new();
        for (at, (fid, value)) in row.values.iter().enumerate() {
            let start = text.len();
            text.push_str(&format!(r#"{}"{fid}":{value}"#, if at > 0 { "," } else { "" }));
            fids.push((*fid, start..text.len()));
        }
        text.push_str(&format!(r#"}},"type":"{}","item":"{}"}}"#, row.kind, row.item));
        places.push(fids);
    }
    text.push_str("]}");
    (text, places)
}

impl Good {
    fn new(rows: Vec<Row>) -> Self {
        let items = parse(&written(&rows).0);
        assert!(!items.iter().any(|item| matches!(item, Item::Refused(_))), "{items:?}");
        Self { rows, items }
    }

    /// The frame with row `index` changed.
    fn with(&self, index: usize, change: impl FnOnce(&mut Row)) -> String {
        let mut rows = self.rows.clone();
        change(&mut rows[index]);
        written(&rows).0
    }

    /// What comes of `text` is what this frame says, but for parts of row `index` read from a FID for which `damaged`
    /// holds.
    fn holds(&self, text: &str, index: usize, damaged: impl Fn(u16) -> bool) {
        let items = parse(text);
        assert!(items.is_empty() || items.len() == self.items.len(), "rows were lost or invented: {text}");
        for (at, (now, was)) in items.iter().zip(&self.items).enumerate() {
            if now == was {
                continue;
            }
            assert_eq!(at, index, "a neighbour changed: {now:?}: {text}");
            // A quantity of 0 is no print.
            if matches!(now, Item::Refused(_)) || (*now == Item::Apart("print_of_no_shares") && damaged(15)) {
                continue;
            }
            for ((name, now, fids), (_, was, _)) in parts(now).iter().zip(&parts(was)) {
                let excused = fids.iter().any(|fid| damaged(*fid));
                assert!(excused || now == was, "{name} was {was} and is {now}: {text}");
            }
        }
    }
}

thread_local! {
    // One for all frames, as in a cell: what a bad frame leaves behind must not harm the next.
    static PARSER: RefCell<KiwoomParser> = RefCell::new(KiwoomParser::new(Calendar::built_in().clone()));
}

fn parse(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let summary = PARSER.with_borrow_mut(|parser| parser.parse(text, RECEIVED, &mut items));
    assert_eq!(summary.map_or(0, |summary| summary.records), items.len(), "{text}");
    items
}

/// A part of an event: its name, its value, and the FIDs that it is read from.
type Part = (&'static str, String, Vec<u16>);

fn parts(item: &Item) -> Vec<Part> {
    match item {
        Item::Trade(trade, None) => trade_parts(trade),
        Item::OrderBook(book) => book_parts(book),
        other => vec![("item", format!("{other:?}"), Vec::new())],
    }
}

fn trade_parts(trade: &Trade) -> Vec<Part> {
    vec![
        ("at", format!("{:?} {:?}", trade.at, trade.session), vec![20]),
        ("price", trade.price.to_string(), vec![10]),
        ("quantity", trade.quantity.to_string(), vec![15]),
        ("aggressor_side", format!("{:?}", trade.aggressor_side), vec![15]),
        ("cumulative_volume", trade.cumulative_volume.to_string(), vec![13]),
        ("cumulative_value", format!("{} {}", trade.cumulative_value, trade.cumulative_value_step), vec![14]),
        ("best_ask", format!("{:?}", trade.best_ask), vec![27]),
        ("best_bid", format!("{:?}", trade.best_bid), vec![28]),
        ("session_codes", format!("{:?}", trade.session_codes), vec![290, 9081]),
    ]
}

fn book_parts(book: &OrderBook) -> Vec<Part> {
    let mut parts = vec![
        ("at", format!("{:?}", book.at), vec![21]),
        ("total_ask_quantity", book.total_ask_quantity.to_string(), vec![121]),
        ("total_bid_quantity", book.total_bid_quantity.to_string(), vec![125]),
        // Which pair counts depends on the session, and so on the time.
        (
            "expected",
            format!("{:?} {}", book.expected_price, book.expected_quantity),
            vec![23, 24, 291, 292, 21],
        ),
        ("cumulative_volume", format!("{:?}", book.cumulative_volume), vec![13]),
        ("session", format!("{:?}", book.session), vec![21]),
        ("session_codes", format!("{:?}", book.session_codes), vec![215]),
    ];
    for (name, levels, first) in [("ask", book.asks.as_slice(), 41), ("bid", book.bids.as_slice(), 51)] {
        let shown = |level: Option<&Level>| level.map_or_else(String::new, |level| format!("{level:?}"));
        parts.extend((0..10).map(|at| {
            let fid = first + u16::try_from(at).expect("small");
            (name, shown(levels.get(at)), vec![fid, fid + 20])
        }));
    }
    parts
}

/// Every published row alone, on the other tapes, and all of them in one frame.
fn good() -> Vec<Good> {
    let rows: Vec<_> = PUBLISHED.iter().flat_map(|text| text.lines()).map(Row::of).collect();
    assert_eq!(rows.len(), 7);
    let mut all: Vec<_> = rows.iter().map(|row| Good::new(vec![row.clone()])).collect();
    all.extend([1, 3].map(|at| Good::new(vec![rows[at].clone().on("_NX")])));
    all.extend([1, 3].map(|at| Good::new(vec![rows[at].clone().on("_AL")])));
    all.push(Good::new(rows));
    all
}

#[test]
fn a_damaged_fid_damages_nothing_else() {
    for good in good() {
        for (index, row) in good.rows.iter().enumerate() {
            for (at, (damaged, _)) in row.values.iter().enumerate() {
                for text in TEXTS {
                    let text = good.with(index, |row| row.values[at].1 = text.to_owned());
                    good.holds(&text, index, |fid| fid == *damaged);
                }
            }
        }
    }
}

#[test]
fn lost_fids_damage_nothing_else() {
    for good in good() {
        for (index, row) in good.rows.iter().enumerate() {
            for (first, count) in
                (0..row.values.len()).flat_map(|first| (1..6).map(move |count| (first, count)))
            {
                let lost = first..row.values.len().min(first + count);
                let text = good.with(index, |row| drop(row.values.drain(lost.clone())));
                good.holds(&text, index, |fid| row.values[lost.clone()].iter().any(|(lost, _)| *lost == fid));
            }
        }
    }
}

/// A FID said twice is not said at all: which value is right nobody knows.
#[test]
fn a_fid_said_twice_says_nothing() {
    let mut refused = 0;
    for good in good() {
        for (index, row) in good.rows.iter().enumerate() {
            for (at, (twice, value)) in row.values.iter().enumerate() {
                for (place, text) in [(at, "\"7\""), (row.values.len(), "\"-81\""), (0, "\"\"")] {
                    let text = good.with(index, |row| row.values.insert(place, (*twice, text.to_owned())));
                    good.holds(&text, index, |_| false);
                    refused += usize::from(matches!(parse(&text).get(index), Some(Item::Refused(_))));
                }
                let same = good.with(index, |row| row.values.push((*twice, value.clone())));
                assert_eq!(parse(&same), good.items, "{same}");
            }
        }
    }
    assert!(refused > 500, "{refused}");
}

#[test]
fn values_of_other_fids_are_never_taken() {
    for good in good() {
        for (index, row) in good.rows.iter().enumerate() {
            for at in 0..row.values.len() - 1 {
                // Neighbours change places with their keys: nothing changes. Without their keys: only these two do.
                let moved = good.with(index, |row| row.values.swap(at, at + 1));
                assert_eq!(parse(&moved), good.items, "{moved}");
                let (left, right) = (row.values[at].clone(), row.values[at + 1].clone());
                let swapped = good.with(index, |row| {
                    row.values[at].1.clone_from(&right.1);
                    row.values[at + 1].1.clone_from(&left.1);
                });
                good.holds(&swapped, index, |fid| fid == left.0 || fid == right.0);
            }
        }
    }
}

#[test]
fn a_cut_frame_says_nothing() {
    for good in good() {
        let (text, _) = written(&good.rows);
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]), [], "{end}");
        }
    }
}

/// A byte of a FID becomes another: that FID is damaged, and nothing else.
#[test]
fn a_flipped_byte_damages_one_fid() {
    for good in good().iter().take(4) {
        let (text, places) = written(&good.rows);
        for (damaged, range) in &places[0] {
            for at in range.clone() {
                for new in [b'0', b'1', b'9', b'-', b'"', b'\\', b',', b':', b'x', b' ', b'{', b'}', b']'] {
                    let mut bytes = text.clone().into_bytes();
                    bytes[at] = new;
                    let flipped = String::from_utf8(bytes).expect("ASCII");
                    good.holds(&flipped, 0, |fid| fid == *damaged);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000, failure_persistence: None, rng_seed: RngSeed::Fixed(20_260_720), ..ProptestConfig::default()
    })]

    #[test]
    fn any_damage_is_survived(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<char>(), 0_usize..4), 1..8),
    ) {
        let lines: Vec<_> = PUBLISHED.iter().flat_map(|text| text.lines()).collect();
        let mut text: Vec<char> = lines[which.index(lines.len())].chars().collect();
        for (at, new, cut) in edits {
            let at = at.index(text.len());
            let end = text.len().min(at + cut);
            text.splice(at..end, [new]);
        }
        let text: String = text.into_iter().collect();
        let _any = parse(&text);
    }

    #[test]
    fn several_damaged_fids_damage_nothing_else(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[-+ 0-9.A-Z가-]{0,9}"), 2..6),
    ) {
        let lines: Vec<_> = PUBLISHED.iter().flat_map(|text| text.lines()).collect();
        let good = Good::new(vec![Row::of(lines[which.index(lines.len())])]);
        let count = good.rows[0].values.len();
        let edits: Vec<_> = edits.iter().map(|(at, text)| (at.index(count), format!("{text:?}"))).collect();
        let text = good.with(0, |row| edits.iter().for_each(|(at, new)| row.values[*at].1.clone_from(new)));
        good.holds(&text, 0, |fid| edits.iter().any(|(at, _)| good.rows[0].values[*at].0 == fid));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        let _any = parse(&text);
        let _any = parse(&format!(r#"{{"trnm":"REAL","data":[{text}]}}"#));
    }
}
