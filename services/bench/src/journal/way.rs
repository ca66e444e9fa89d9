//! What the journal adds to the work of a cell: captured frames become the messages of their events, with a journal of each
//! kind before that and without one.

use std::time::Instant;

use anyhow::ensure;
use bytes::Bytes;
use cell::interpret::Interpreter;
use journal::{Record, RecordKind, Writer};
use market::{Market, Source};

use super::{Amount, FRAMES_A_FLUSH, WAYS, settings};
use crate::folder::Fresh;
use crate::inputs::{self, KIS_RECEIVED_NS};
use crate::measure::{Measure, count_as_a_service, in_turns, nanoseconds_each};

/// Nanoseconds a frame with each journal, and how many times that is what it is without.
pub(super) fn run(folder: &Fresh, amount: Amount) -> anyhow::Result<Vec<Measure>> {
    count_as_a_service()?;
    let files = [inputs::KIS_TRADES_46, inputs::KIS_BOOKS_59];
    let frames: Vec<_> = files
        .into_iter()
        .flat_map(inputs::frames)
        .map(|frame| Bytes::from_static(frame.as_bytes()))
        .collect();
    let mut measures = Vec::new();
    for way in WAYS {
        let with = || {
            folder.empty()?;
            let (mut writer, _) = Writer::open(settings(folder, way.sync, way.compress))?;
            work(&frames, Some(&mut writer), amount.parsed)
        };
        let without = || work(&frames, None, amount.parsed);
        let (with, without) = in_turns(amount.rounds, with, without)?;
        let name = format!("frame_to_messages_{}", way.name);
        measures.push(Measure::alone("journal", name, with, "ns/frame").beside("without a journal", without));
    }
    Ok(measures)
}

/// Frames to messages, kept before that when there is a journal.
fn work(frames: &[Bytes], mut writer: Option<&mut Writer>, count: u64) -> anyhow::Result<f64> {
    let mut interpreter = Interpreter::new(inputs::kis(), Market::Kr, Source::Kis);
    let (mut out, mut messages) = (Vec::new(), 0);
    let begin = Instant::now();
    for (sequence, frame) in (1..=count).zip(frames.iter().cycle()) {
        let record = Record {
            kind: RecordKind::FRAME,
            connection_id: KIS_RECEIVED_NS,
            sequence,
            received_ns: KIS_RECEIVED_NS,
            payload: frame.clone(),
        };
        if let Some(writer) = &mut writer {
            writer.append(&record)?;
            if sequence % FRAMES_A_FLUSH == 0 {
                writer.flush()?;
            }
        }
        interpreter.read(&record, &mut out);
        messages += out.drain(..).count();
    }
    let each = nanoseconds_each(count, begin);
    ensure!(u64::try_from(messages)? >= count, "{messages} messages of {count} frames");
    Ok(each)
}
