//! What parsing costs: ns per record of each shape through a broker's parser, beside a bare scan of the same bytes: the
//! `^` split for KIS, serde's walk over all JSON for Kiwoom.
//!
//! The scan is the floor: whoever reads the fields must at least find them. After criterion's groups both are timed in
//! turns, and the ratio of the medians is printed: it holds on any machine, nanoseconds hold on one.

#![allow(clippy::expect_used, reason = "a benchmark without its fixtures is of no use")]

use std::hint::black_box;
use std::time::Instant;

use broker::feed::{FrameParser, Item};
use broker::kis::parse::KisParser;
use broker::kiwoom::parse::KiwoomParser;
use criterion::{BenchmarkId, Criterion, Throughput};
use market::calendar::Calendar;
use serde::de::IgnoredAny;

/// 2026-09-22T05:06:12Z, a minute after the newest book of KIS.
const KIS_RECEIVED: i64 = 1_790_053_572_000_000_000;
/// 2026-07-20T07:52:09Z, a second after the documented trade of Kiwoom.
const KIWOOM_RECEIVED: i64 = 1_784_533_929_000_000_000;
/// Runs of each side; the median stands for all.
const RUNS: usize = 101;
/// Passes over the frames in one run: some milliseconds, far above the clock's grain.
const PASSES: u64 = 1_000;

const KIS: [(&str, &str); 4] = [
    ("kr_trade_47", include_str!("../fixtures/kis/h0stcnt0_47.txt")),
    ("kr_book_63", include_str!("../fixtures/kis/h0stasp0_63.txt")),
    ("us_trade_26", include_str!("../fixtures/kis/hdfscnt0_26.txt")),
    ("us_book_71", include_str!("../fixtures/kis/hdfsasp0_71.txt")),
];
const KIWOOM: [(&str, &str); 2] = [
    ("kiwoom_0b_43", include_str!("../fixtures/kiwoom/0b_captured.txt")),
    ("kiwoom_0d_163", include_str!("../fixtures/kiwoom/0d_official.txt")),
];

/// Frames of one shape, with what is kept between frames, as in a cell.
struct Case {
    name: &'static str,
    frames: Vec<&'static str>,
    records: u64,
    parser: Box<dyn FrameParser>,
    received_ns: i64,
    scan: fn(&str),
    items: Vec<Item>,
}

impl Case {
    fn kis((name, text): (&'static str, &'static str)) -> Self {
        let parser = KisParser::new(Calendar::built_in().clone());
        Self::new(name, text, Box::new(parser), KIS_RECEIVED, split)
    }

    fn kiwoom((name, text): (&'static str, &'static str)) -> Self {
        let parser = KiwoomParser::new(Calendar::built_in().clone());
        Self::new(name, text, Box::new(parser), KIWOOM_RECEIVED, walk)
    }

    fn all() -> impl Iterator<Item = Self> {
        KIS.into_iter().map(Self::kis).chain(KIWOOM.into_iter().map(Self::kiwoom))
    }

    fn new(
        name: &'static str,
        text: &'static str,
        parser: Box<dyn FrameParser>,
        received_ns: i64,
        scan: fn(&str),
    ) -> Self {
        let frames: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
        let mut case = Self { name, frames, records: 0, parser, received_ns, scan, items: Vec::new() };
        for frame in &case.frames {
            case.parser.parse(frame, received_ns, &mut case.items).expect("frame");
        }
        let events = |item: &Item| matches!(item, Item::Trade(..) | Item::OrderBook(_));
        assert!(case.items.iter().all(events), "a refusal is not what is measured");
        case.records = case.items.len() as u64;
        case
    }

    /// Every frame to its events, once.
    fn parse(&mut self) {
        for frame in &self.frames {
            self.items.clear();
            let summary = self.parser.parse(black_box(frame), self.received_ns, &mut self.items);
            let _read = black_box(summary.is_ok());
            black_box(&self.items);
        }
    }

    /// Every frame scanned, once.
    fn scan(&self) {
        for frame in &self.frames {
            (self.scan)(black_box(frame));
        }
    }

    /// Medians of parse and scan in ns a record, timed in turns so that a slower moment hits both.
    fn medians(&mut self) -> (u64, u64) {
        let (mut parse, mut scan) = (Vec::with_capacity(RUNS), Vec::with_capacity(RUNS));
        for _ in 0..RUNS {
            parse.push(timed(|| self.parse()));
            scan.push(timed(|| self.scan()));
        }
        (median(parse) / (PASSES * self.records), median(scan) / (PASSES * self.records))
    }
}

/// The lengths of the fields.
fn split(frame: &str) {
    for field in frame.split('^') {
        black_box(field.len());
    }
}

/// Whether it is JSON.
fn walk(frame: &str) {
    black_box(serde_json::from_str::<IgnoredAny>(frame).is_ok());
}

fn timed(mut pass: impl FnMut()) -> u64 {
    let start = Instant::now();
    for _ in 0..PASSES {
        pass();
    }
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for mut case in Case::all() {
        let mut group = criterion.benchmark_group(case.name);
        group.throughput(Throughput::Elements(case.records));
        group.bench_function(BenchmarkId::from_parameter("parse"), |bencher| bencher.iter(|| case.parse()));
        group.bench_function(BenchmarkId::from_parameter("scan"), |bencher| bencher.iter(|| case.scan()));
        group.finish();
    }
    criterion.final_summary();
    for mut case in Case::all() {
        let (parse, scan) = case.medians();
        let hundredths = parse * 100 / scan.max(1);
        println!("ratio {} {parse}/{scan} = {}.{:02}", case.name, hundredths / 100, hundredths % 100);
    }
}
