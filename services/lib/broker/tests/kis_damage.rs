//! Damaged frames: the parser never panics, and what still comes out of a damaged frame is what the whole one said.
//!
//! Every published frame, and frames of NXT and of both venues made from them, is damaged in every place: each part
//! of an event that was not read from a damaged field must be what it was. A shifted field would break that.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

use std::cell::RefCell;
use std::sync::OnceLock;

use broker::feed::{FrameParser, Item};
use broker::kis::parse::KisParser;
use market::calendar::Calendar;
use market::{Level, OrderBook, Trade};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// 2026-09-22T05:06:12Z, a minute after the newest book.
const RECEIVED: i64 = 1_790_053_572_000_000_000;

/// What stands in a field that is damaged; `+` and `x` are put before what stood there.
const TEXTS: [&str; 10] = ["", "(null)", "+", "x", "abc", "삼성", "-5", "1.5", "7", "123456"];

const PUBLISHED: [&str; 10] = [
    include_str!("../fixtures/kis/h0stcnt0_46.txt"),
    include_str!("../fixtures/kis/h0stcnt0_47.txt"),
    include_str!("../fixtures/kis/h0stasp0_59.txt"),
    include_str!("../fixtures/kis/h0stasp0_62.txt"),
    include_str!("../fixtures/kis/h0stasp0_63.txt"),
    include_str!("../fixtures/kis/hdfscnt0_26.txt"),
    include_str!("../fixtures/kis/hdfsasp0_71.txt"),
    include_str!("../fixtures/kis/h0stanc0_45.txt"),
    include_str!("../fixtures/kis/mko.txt"),
    include_str!("../fixtures/kis/other_domestic.txt"),
];

/// Other venues' TRs, the KRX one whose records they share, and what they append to it.
const DERIVED: [(&str, &str, usize, &[&str]); 7] = [
    ("H0NXCNT0", "H0STCNT0", 46, &[]),
    ("H0NXCNT0", "H0STCNT0", 47, &[]),
    ("H0UNCNT0", "H0STCNT0", 46, &[]),
    ("H0UNCNT0", "H0STCNT0", 47, &[]),
    ("H0NXASP0", "H0STASP0", 62, &[]),
    ("H0NXASP0", "H0STASP0", 62, &["0", "0", "N"]),
    ("H0UNASP0", "H0STASP0", 62, &["0", "0", "277700", "N"]),
];

/// A good frame: its records' fields, and what the parser makes of them.
#[derive(Debug, Clone)]
struct Good {
    tr: String,
    records: Vec<Vec<String>>,
    items: Vec<Item>,
}

impl Good {
    fn new(tr: &str, records: Vec<Vec<String>>) -> Self {
        let mut good = Self { tr: tr.into(), records, items: Vec::new() };
        good.items = parse(&good.text());
        good
    }

    fn published(line: &str) -> Self {
        let parts: Vec<_> = line.splitn(4, '|').collect();
        let fields: Vec<_> = parts[3].split('^').map(str::to_owned).collect();
        let count: usize = parts[2].parse().expect("count");
        Self::new(parts[1], fields.chunks(fields.len() / count).map(<[String]>::to_vec).collect())
    }

    fn text(&self) -> String {
        frame(&self.tr, self.records.len(), &payload(&self.records))
    }

    /// The frame with record `index` changed.
    fn with(&self, index: usize, change: impl FnOnce(&mut Vec<String>)) -> String {
        let mut records = self.records.clone();
        change(&mut records[index]);
        frame(&self.tr, records.len(), &payload(&records))
    }

    /// What comes of `text` is what this frame says, but for parts read from a field of record `index` for which
    /// `damaged` holds. `shifted`: fields were lost or added. The raw codes at a record's end have no guard behind
    /// them, and may then be a neighbour's text.
    fn holds(&self, text: &str, index: usize, shifted: bool, damaged: impl Fn(usize) -> bool) {
        let items = parse(text);
        assert!(items.len() <= self.items.len(), "records were invented: {text}");
        for (at, (now, was)) in items.iter().zip(&self.items).enumerate() {
            if now == was || matches!(now, Item::Refused(_)) {
                continue;
            }
            for ((name, now, sources), (_, was, _)) in parts(now).iter().zip(&parts(was)) {
                let read_from_damage = at == index && sources.iter().any(|field| damaged(*field));
                let excused = read_from_damage || (shifted && *name == "session_codes");
                assert!(excused || now == was, "record {at}: {name} was {was} and is {now}: {text}");
            }
        }
    }
}

fn frame(tr: &str, count: usize, payload: &str) -> String {
    format!("0|{tr}|{count:03}|{payload}")
}

fn payload(records: &[Vec<String>]) -> String {
    records.iter().map(|record| record.join("^")).collect::<Vec<_>>().join("^")
}

thread_local! {
    // One for all frames, as in a cell: what a bad frame leaves behind must not harm the next.
    static PARSER: RefCell<KisParser> = RefCell::new(KisParser::new(Calendar::built_in().clone()));
}

fn parse(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let summary = PARSER.with_borrow_mut(|parser| parser.parse(text, RECEIVED, &mut items));
    assert_eq!(summary.map_or(0, |summary| summary.records), items.len(), "{text}");
    items
}

/// A part of an event: its name, its value, and the fields that it is read from.
type Part = (&'static str, String, Vec<usize>);

fn parts(item: &Item) -> Vec<Part> {
    match item {
        Item::Trade(trade, None) => trade_parts(trade, [2, 12, 13, 14, 10, 11], &[0, 1, 33]),
        Item::Trade(trade, Some(sides)) => {
            let mut parts = trade_parts(trade, [11, 19, 20, 21, 16, 15], &[0, 1, 3, 6, 7]);
            parts.push(("sides", format!("{sides:?}"), vec![20, 22, 23]));
            parts
        }
        Item::OrderBook(book) if book.cumulative_volume.is_some() => {
            let level = |first| move |at| vec![first + at, first + 20 + at];
            book_parts(book, &[0, 1], [43, 44], level(3), level(13))
        }
        Item::OrderBook(book) => {
            let level = |first| move |at| vec![first + 6 * at, first + 2 + 6 * at];
            book_parts(book, &[0, 1, 5, 6], [8, 7], level(12), level(11))
        }
        other => vec![("item", format!("{other:?}"), Vec::new())],
    }
}

fn trade_parts(
    trade: &Trade,
    [price, quantity, volume, value, ask, bid]: [usize; 6],
    at: &[usize],
) -> Vec<Part> {
    vec![
        ("at", format!("{:?} {:?}", trade.at, trade.session), at.to_vec()),
        ("price", trade.price.to_string(), vec![price]),
        ("quantity", trade.quantity.to_string(), vec![quantity]),
        ("cumulative_volume", trade.cumulative_volume.to_string(), vec![volume]),
        ("cumulative_value", trade.cumulative_value.to_string(), vec![value]),
        ("best_ask", format!("{:?}", trade.best_ask), vec![ask]),
        ("best_bid", format!("{:?}", trade.best_bid), vec![bid]),
        ("aggressor_side", format!("{:?}", trade.aggressor_side), vec![21]),
        ("halted", trade.halted.to_string(), vec![35]),
        ("session_codes", format!("{:?}", trade.session_codes), vec![25, 34, 43, 44, 46]),
    ]
}

fn book_parts(
    book: &OrderBook,
    at: &[usize],
    [ask_total, bid_total]: [usize; 2],
    ask: impl Fn(usize) -> Vec<usize>,
    bid: impl Fn(usize) -> Vec<usize>,
) -> Vec<Part> {
    let mut parts = vec![
        ("at", format!("{:?} {:?}", book.at, book.session), at.to_vec()),
        ("total_ask_quantity", book.total_ask_quantity.to_string(), vec![ask_total]),
        ("total_bid_quantity", book.total_bid_quantity.to_string(), vec![bid_total]),
        ("expected_price", format!("{:?}", book.expected_price), vec![47]),
        ("expected_quantity", book.expected_quantity.to_string(), vec![48]),
        ("cumulative_volume", format!("{:?}", book.cumulative_volume), vec![53]),
        ("session_codes", format!("{:?}", book.session_codes), vec![2, 62]),
    ];
    // All published books are full: level `index` stands at its own place.
    let sides = [
        ("ask", book.asks.as_slice(), &ask as &dyn Fn(usize) -> Vec<usize>),
        ("bid", book.bids.as_slice(), &bid),
    ];
    for (name, levels, fields) in sides {
        let shown = |level: Option<&Level>| level.map_or_else(String::new, |level| format!("{level:?}"));
        parts.extend((0..10).map(|index| (name, shown(levels.get(index)), fields(index))));
    }
    parts
}

/// Every good frame, and those of one TR and width joined to a frame of several records.
fn good() -> Vec<Good> {
    let mut all: Vec<_> = PUBLISHED
        .iter()
        .flat_map(|text| text.lines())
        .filter(|line| !line.is_empty())
        .map(Good::published)
        .collect();
    for (tr, of, width, tail) in DERIVED {
        let like: Vec<_> = all
            .iter()
            .filter(|good| good.tr == of && good.records[0].len() == width)
            .take(4)
            .cloned()
            .collect();
        assert!(!like.is_empty(), "{tr}");
        for good in like {
            let longer = |record: &Vec<String>| {
                record.iter().cloned().chain(tail.iter().map(|text| (*text).to_owned())).collect()
            };
            all.push(Good::new(tr, good.records.iter().map(longer).collect()));
        }
    }
    for (tr, width) in [("H0STCNT0", 47), ("H0STASP0", 62), ("HDFSCNT0", 26), ("HDFSASP0", 71)] {
        let same = all.iter().filter(|good| good.tr == tr && good.records[0].len() == width);
        let records: Vec<_> = same.flat_map(|good| good.records.clone()).take(4).collect();
        assert!(records.len() > 1, "{tr}");
        all.push(Good::new(tr, records));
    }
    all
}

fn changed(field: &str, text: &str) -> String {
    if matches!(text, "+" | "x") { format!("{text}{field}") } else { text.to_owned() }
}

#[test]
fn good_frames_are_read_whole() {
    let all = good();
    let events = |item: &Item| matches!(item, Item::Trade(..) | Item::OrderBook(_));
    let count = all.iter().flat_map(|good| &good.items).filter(|item| events(item)).count();
    let refused =
        all.iter().flat_map(|good| &good.items).filter(|item| matches!(item, Item::Refused(_))).count();
    assert_eq!((all.iter().filter(|good| good.items.is_empty()).count(), refused), (3, 0));
    assert!(count > 80, "{count}");
}

#[test]
fn a_damaged_field_damages_nothing_else() {
    for good in good() {
        for (index, record) in good.records.iter().enumerate() {
            for at in 0..record.len() {
                for text in TEXTS {
                    let text = good.with(index, |record| record[at] = changed(&record[at], text));
                    good.holds(&text, index, false, |field| field == at);
                }
            }
        }
    }
}

#[test]
fn a_cut_frame_damages_only_what_was_cut_away() {
    for good in good() {
        let text = good.text();
        let start = text.len() - payload(&good.records).len();
        for end in 0..text.len() {
            let whole = text[..end].get(start..).map_or(0, |payload| payload.matches('^').count());
            let width = good.records[0].len();
            good.holds(&text[..end], whole / width, true, |field| field >= whole % width);
        }
    }
}

#[test]
fn a_wrong_count_damages_nothing() {
    for good in good() {
        for count in (0..60).chain([100, 999, 1000, 9999]) {
            let text = frame(&good.tr, count, &payload(&good.records));
            good.holds(&text, 0, false, |_| false);
        }
    }
}

#[test]
fn lost_fields_shift_nothing() {
    for good in good() {
        for (index, record) in good.records.iter().enumerate() {
            for (first, count) in (0..record.len() - 3).flat_map(|first| [(first, 1), (first, 2), (first, 3)])
            {
                let lost = first..first + count;
                let text = good.with(index, |record| drop(record.drain(lost.clone())));
                good.holds(&text, index, true, |field| lost.contains(&field));
            }
        }
    }
}

/// Adds one to three fields in every place for which `chosen` holds of the good frame, the place and the text.
fn add_fields(chosen: impl Fn(&Good, usize, &str) -> bool) {
    for good in good() {
        for (index, record) in good.records.iter().enumerate() {
            for (first, count) in (0..record.len()).flat_map(|first| [(first, 1), (first, 2), (first, 3)]) {
                for new in TEXTS.into_iter().filter(|new| chosen(&good, first, new)) {
                    let text = good.with(index, |record| {
                        record.splice(first..first, std::iter::repeat_n(new.to_owned(), count));
                    });
                    good.holds(&text, index, true, |field| (first..first + count).contains(&field));
                }
            }
        }
    }
}

fn is_us_trade(good: &Good) -> bool {
    good.tr == "HDFSCNT0"
}

/// Empty text just before the sign of a Korean book: two of them look like an empty sign and percentage.
fn hides_the_sign(good: &Good, first: usize, new: &str) -> bool {
    good.tr.ends_with("ASP0") && good.tr.starts_with("H0") && first == 51 && new.is_empty()
}

#[test]
fn added_fields_shift_nothing() {
    add_fields(|good, first, new| !is_us_trade(good) && !hides_the_sign(good, first, new));
}

#[test]
fn fields_added_to_a_us_trade_shift_nothing() {
    add_fields(|good, _, _| is_us_trade(good));
}

#[test]
fn empty_fields_before_the_sign_of_a_book_shift_nothing() {
    add_fields(hides_the_sign);
}

/// Made once for all cases.
static GOOD: OnceLock<Vec<Good>> = OnceLock::new();

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000, failure_persistence: None, rng_seed: RngSeed::Fixed(20_260_922), ..ProptestConfig::default()
    })]

    #[test]
    fn several_damaged_fields_damage_nothing_else(
        which in any::<prop::sample::Index>(),
        record in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[0-9A-Z.+()가-]{0,7}"), 2..6),
    ) {
        let all = GOOD.get_or_init(good);
        let good = &all[which.index(all.len())];
        let index = record.index(good.records.len());
        let edits: Vec<_> =
            edits.iter().map(|(at, text)| (at.index(good.records[index].len()), text.clone())).collect();
        let text = good.with(index, |record| edits.iter().for_each(|(at, new)| record[*at].clone_from(new)));
        good.holds(&text, index, false, |field| edits.iter().any(|(at, _)| *at == field));
    }
}
