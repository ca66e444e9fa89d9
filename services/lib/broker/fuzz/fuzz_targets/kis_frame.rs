//! Any text to the KIS parser and the control reader: no panic, and no record lost, invented or shifted.
//!
//! To run (`cargo install cargo-fuzz`; a nightly compiler), in `services/lib/broker`, from the published frames:
//! ```text
//! mkdir -p fuzz/corpus/kis_frame && split -l 1 -a 4 <(cat fixtures/kis/*.txt) fuzz/corpus/kis_frame/frame-
//! cargo +nightly fuzz run kis_frame -- -max_total_time=600 -max_len=8192
//! ```

#![no_main]

use std::cell::RefCell;

use broker::feed::{FrameParser, Item};
use broker::kis::control;
use broker::kis::frame::Splitter;
use broker::kis::parse::KisParser;
use libfuzzer_sys::fuzz_target;
use market::calendar::Calendar;

/// 2026-09-22T05:06:12Z, a minute after the newest published book.
const RECEIVED: i64 = 1_790_053_572_000_000_000;

thread_local! {
    // Kept between frames as a cell does: what one frame leaves behind must not harm the next.
    static KEPT: RefCell<(KisParser, Splitter)> =
        RefCell::new((KisParser::new(Calendar::built_in().clone()), Splitter::default()));
}

fuzz_target!(|text: &str| {
    let _control = control::read(text);
    KEPT.with_borrow_mut(|(parser, splitter)| {
        let mut items: Vec<Item> = Vec::new();
        let parsed = parser.parse(text, RECEIVED, &mut items);
        let split = splitter.split(text);
        match (parsed, split) {
            (Ok(summary), Ok(frame)) => {
                let payload = text.splitn(4, '|').last().expect("payload");
                let records: Vec<_> = frame.records().map(|record| record.text()).collect();
                assert_eq!(records.join("^"), payload);
                assert_eq!((items.len(), summary.records), (records.len(), records.len()));
                assert_eq!(summary.width, frame.width);
                assert!(frame.tr.accepts(frame.width));
                for (item, record) in items.iter().zip(records) {
                    if let Item::Refused(refusal) = item {
                        assert_eq!(refusal.raw.as_deref(), Some(record));
                    }
                }
            }
            (Err(_), Err(_)) => assert!(items.is_empty()),
            (parsed, split) => panic!("parser and splitter disagree: {parsed:?} and {split:?}"),
        }
    });
});
