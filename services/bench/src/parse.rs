//! What parsing costs: ns per record of each shape through a broker's parser, beside a bare scan of the same bytes: the
//! `^` split for KIS, serde's walk over all JSON for Kiwoom.
//!
//! The scan is the floor: whoever reads the fields must at least find them.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{bail, ensure};
use broker::feed::{FrameParser, Item};
use serde::de::IgnoredAny;

use crate::inputs::{self, KIS_RECEIVED_NS, KIWOOM_RECEIVED_NS};
use crate::measure::{Limit, Measure, in_turns, nanoseconds_each};
use crate::options::Options;

/// Rounds of each side; the median stands for all.
const ROUNDS: usize = 1_001;
/// Passes over the frames in one round: some hundred microseconds, far above the clock's grain and below the time after which
/// another process gets its turn.
const PASSES: u64 = 100;
/// KIS: so many times the bare split at most.
const MOST: f64 = 4.0;

/// Frames of one shape, with what is kept between frames, as in a cell.
struct Case {
    name: &'static str,
    frames: Vec<&'static str>,
    parser: Box<dyn FrameParser>,
    received_ns: i64,
    scan: fn(&str) -> usize,
    beside: &'static str,
    limit: Option<Limit>,
    /// What stands in the frames, read once before the clock.
    expected: Vec<Item>,
    items: Vec<Item>,
}

/// Every shape, each beside its scan.
///
/// # Errors
/// When a frame is refused, or does not give the same records each time.
pub fn run(options: &Options) -> anyhow::Result<Vec<Measure>> {
    let (rounds, passes) = if options.smoke { (1, 10) } else { (ROUNDS, PASSES) };
    let mut measures = Vec::new();
    for mut case in cases()? {
        let records = u64::try_from(case.expected.len())? * passes;
        let scanned = case.frames.iter().map(|frame| (case.scan)(frame)).sum::<usize>();
        let (frames, scan) = (case.frames.clone(), case.scan);
        let parse = || {
            let begin = Instant::now();
            let mut read = 0;
            for _ in 0..passes {
                read += case.parse()?;
            }
            let each = nanoseconds_each(records, begin);
            ensure!(read == records, "{}: {read} records of {records}", case.name);
            ensure!(case.items == case.expected, "{}: not the same records again", case.name);
            Ok(each)
        };
        let walk = || {
            let begin = Instant::now();
            let mut found = 0;
            for _ in 0..passes {
                found += frames.iter().map(|frame| scan(black_box(frame))).sum::<usize>();
            }
            let each = nanoseconds_each(records, begin);
            ensure!(
                u64::try_from(found)? == u64::try_from(scanned)? * passes,
                "the scan found {found} fields"
            );
            Ok(each)
        };
        let (ours, bare) = in_turns(rounds, parse, walk)?;
        let mut measure = Measure::alone("parse", case.name, ours, "ns/record").beside(case.beside, bare);
        measure.limit = case.limit;
        measures.push(measure);
    }
    Ok(measures)
}

fn cases() -> anyhow::Result<Vec<Case>> {
    let most = Some(Limit::AtMost(MOST));
    Ok(vec![
        Case::kis("kis_trade", inputs::KIS_TRADES, most)?,
        Case::kis("kis_book", inputs::KIS_BOOKS, most)?,
        Case::kis("us_trade", inputs::US_TRADES, None)?,
        Case::kis("us_book", inputs::US_BOOKS, None)?,
        Case::kiwoom("kiwoom_0b", inputs::KIWOOM_TRADES)?,
        Case::kiwoom("kiwoom_0d", inputs::KIWOOM_BOOKS)?,
    ])
}

impl Case {
    fn kis(name: &'static str, text: &'static str, limit: Option<Limit>) -> anyhow::Result<Self> {
        let case = Self::new(name, text, Box::new(inputs::kis()), KIS_RECEIVED_NS)?;
        Ok(Self { scan: split, beside: "bare split", limit, ..case })
    }

    fn kiwoom(name: &'static str, text: &'static str) -> anyhow::Result<Self> {
        Self::new(name, text, Box::new(inputs::kiwoom()), KIWOOM_RECEIVED_NS)
    }

    fn new(
        name: &'static str,
        text: &'static str,
        parser: Box<dyn FrameParser>,
        received_ns: i64,
    ) -> anyhow::Result<Self> {
        let mut case = Self {
            name,
            frames: inputs::frames(text).collect(),
            parser,
            received_ns,
            scan: walk,
            beside: "bare JSON scan",
            limit: None,
            expected: Vec::new(),
            items: Vec::new(),
        };
        case.parse()?;
        case.expected = case.items.clone();
        // A refusal is not what is measured.
        if let Some(item) =
            case.expected.iter().find(|item| !matches!(item, Item::Trade(..) | Item::OrderBook(_)))
        {
            bail!("{name}: neither trade nor book: {item:?}");
        }
        ensure!(!case.expected.is_empty(), "{name}: no record");
        Ok(case)
    }

    /// Every frame to its records, once; how many they were. The last frames' records stay in `items`.
    fn parse(&mut self) -> anyhow::Result<u64> {
        self.items.clear();
        for frame in &self.frames {
            if let Err(refusal) = self.parser.parse(black_box(frame), self.received_ns, &mut self.items) {
                bail!("{}: {}: {frame}", self.name, refusal.detail);
            }
        }
        Ok(u64::try_from(black_box(&self.items).len())?)
    }
}

/// The fields, each looked at.
fn split(frame: &str) -> usize {
    let mut fields = 0;
    for field in frame.split('^') {
        black_box(field.len());
        fields += 1;
    }
    fields
}

/// Whether it is JSON.
fn walk(frame: &str) -> usize {
    usize::from(serde_json::from_str::<IgnoredAny>(frame).is_ok())
}
