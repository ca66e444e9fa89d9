//! What parsing costs: ns per record of each shape through [`KisParser`], beside the bare `^` split of the same bytes.
//!
//! The split is the floor: whoever reads the fields must at least find them. After criterion's groups both are timed in
//! turns, and the ratio of the medians is printed: it holds on any machine, nanoseconds hold on one.

#![allow(clippy::expect_used, reason = "a benchmark without its fixtures is of no use")]

use std::hint::black_box;
use std::time::Instant;

use broker::feed::{FrameParser, Item};
use broker::kis::parse::KisParser;
use criterion::{BenchmarkId, Criterion, Throughput};
use market::calendar::Calendar;

/// 2026-09-22T05:06:12Z, a minute after the newest book.
const RECEIVED: i64 = 1_790_053_572_000_000_000;
/// Runs of each side; the median stands for all.
const RUNS: usize = 101;
/// Passes over the frames in one run: some milliseconds, far above the clock's grain.
const PASSES: u64 = 1_000;

const CASES: [(&str, &str); 4] = [
    ("kr_trade_47", include_str!("../fixtures/kis/h0stcnt0_47.txt")),
    ("kr_book_63", include_str!("../fixtures/kis/h0stasp0_63.txt")),
    ("us_trade_26", include_str!("../fixtures/kis/hdfscnt0_26.txt")),
    ("us_book_71", include_str!("../fixtures/kis/hdfsasp0_71.txt")),
];

/// Frames of one shape, with what is kept between frames, as in a cell.
struct Case {
    name: &'static str,
    frames: Vec<&'static str>,
    records: u64,
    parser: KisParser,
    items: Vec<Item>,
}

impl Case {
    fn new((name, text): (&'static str, &'static str)) -> Self {
        let frames: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
        let parser = KisParser::new(Calendar::built_in().clone());
        let mut case = Self { name, frames, records: 0, parser, items: Vec::new() };
        for frame in &case.frames {
            case.parser.parse(frame, RECEIVED, &mut case.items).expect("frame");
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
            let summary = self.parser.parse(black_box(frame), RECEIVED, &mut self.items);
            let _read = black_box(summary.is_ok());
            black_box(&self.items);
        }
    }

    /// Every frame to the lengths of its fields, once.
    fn split(&self) {
        for frame in &self.frames {
            for field in black_box(*frame).split('^') {
                black_box(field.len());
            }
        }
    }

    /// Medians of parse and split in ns a record, timed in turns so that a slower moment hits both.
    fn medians(&mut self) -> (u64, u64) {
        let (mut parse, mut split) = (Vec::with_capacity(RUNS), Vec::with_capacity(RUNS));
        for _ in 0..RUNS {
            parse.push(timed(|| self.parse()));
            split.push(timed(|| self.split()));
        }
        (median(parse) / (PASSES * self.records), median(split) / (PASSES * self.records))
    }
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
    for case in CASES {
        let mut case = Case::new(case);
        let mut group = criterion.benchmark_group(case.name);
        group.throughput(Throughput::Elements(case.records));
        group.bench_function(BenchmarkId::from_parameter("parse"), |bencher| bencher.iter(|| case.parse()));
        group.bench_function(BenchmarkId::from_parameter("split"), |bencher| bencher.iter(|| case.split()));
        group.finish();
    }
    criterion.final_summary();
    for case in CASES {
        let mut case = Case::new(case);
        let (parse, split) = case.medians();
        let hundredths = parse * 100 / split.max(1);
        println!("ratio {} {parse}/{split} = {}.{:02}", case.name, hundredths / 100, hundredths % 100);
    }
}
