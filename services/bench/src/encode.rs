//! What an event costs on its way into bytes and back, by the functions that the publisher and the archiver use: event to
//! payload, event to message (subject and id beside the payload), payload to event.
//!
//! Beside them a copy of the payload: no limit that an encoding could come near, only a measure of how much it is.

use std::hint::black_box;
use std::time::Instant;

use anyhow::ensure;
use bus::Outgoing;
use market::Event;

use crate::inputs::{Events, Kind};
use crate::measure::{Measure, in_turns, nanoseconds_each};
use crate::options::Options;

/// Rounds of each side; the median stands for all.
const ROUNDS: usize = 1_001;
/// Events of a round, all different: as many as the processor's caches hold easily, and some hundred microseconds of work,
/// below the time after which another process gets its turn.
const EVENTS: usize = 330;

/// Both ways, for trades and for books.
///
/// # Errors
/// When an event does not come back as it was.
pub fn run(options: &Options) -> anyhow::Result<Vec<Measure>> {
    let rounds = if options.smoke { 1 } else { ROUNDS };
    let mut measures = Vec::new();
    for kind in [Kind::Trade, Kind::Book] {
        let (events, payloads) = prepare(kind)?;
        let bytes = payloads.iter().map(bytes::Bytes::len).sum::<usize>();
        let copy = || timed(&payloads, |payload| payload.to_vec().len());
        let encode = || timed(&events, |event| bus::encode(event).len());
        let message = || timed(&events, |event| Outgoing::event(event).size());
        let decode = || timed(&payloads, |payload| usize::from(bus::decode(payload).is_ok()));
        let name = |what: &str| format!("{}_{what}", kind.name());
        let measure = |what: &str, (ours, copied): (f64, f64)| {
            Measure::alone("encode", name(what), ours, "ns/event").beside("copy of the payload", copied)
        };
        measures.push(measure("encode", in_turns(rounds, encode, copy)?));
        measures.push(measure("to_message", in_turns(rounds, message, copy)?));
        measures.push(measure("decode", in_turns(rounds, decode, copy)?));
        let each = f64::from(u32::try_from(bytes)?) / f64::from(u32::try_from(payloads.len())?);
        measures.push(Measure::alone("encode", name("payload"), each, "bytes/event"));
    }
    Ok(measures)
}

/// Events and their payloads, of which each gives its event again.
fn prepare(kind: Kind) -> anyhow::Result<(Vec<Event>, Vec<bytes::Bytes>)> {
    let mut source = Events::of(kind)?;
    let mut events = Vec::with_capacity(EVENTS);
    for _ in 0..EVENTS {
        events.push(source.next()?.1.clone());
    }
    let payloads: Vec<_> = events.iter().map(bus::encode).collect();
    for (event, payload) in events.iter().zip(&payloads) {
        let again = bus::decode(payload)?;
        ensure!(again == *event, "decoded is not what was encoded: {event:?} became {again:?}");
    }
    Ok((events, payloads))
}

/// Nanoseconds of each.
fn timed<T>(of: &[T], work: impl Fn(&T) -> usize) -> anyhow::Result<f64> {
    let begin = Instant::now();
    let mut sum = 0;
    for one in of {
        sum += black_box(work(black_box(one)));
    }
    let each = nanoseconds_each(u64::try_from(of.len())?, begin);
    ensure!(sum >= of.len(), "something gave nothing");
    Ok(each)
}
