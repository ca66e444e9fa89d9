//! The day turns into what a cell would have kept of it: a journal for each feed, and beside them the tapes.
//!
//! `<tape>` has what was delivered, in the order of time, a line for each feed that delivered it. `<tape>.market` has every
//! trade of the day, by symbol, tape and cumulative volume, with three more fields than a trade of the tape:
//! `"carried":["kis","kiwoom"]` names the brokers whose feeds carry the symbol, `"delivered":["kis"]` those that
//! delivered the trade, and `"lacks":true` says that the REST sides do not have it.
//! `symbols.yaml` beside the journals is the universe.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::feed::{Delivery, Feed};
use super::line::Print;
use super::losses::{CARRIERS, Carrier};
use super::{Day, Line, Which};
use crate::config::Layout;
use crate::format::tape_line;
use crate::market::instrument::Instrument;

/// The evening ends so many seconds after the last possible print.
const AFTER_THE_DAY: i64 = 30;
/// The process began so many seconds before its first connection.
const BEFORE_THE_DAY: i64 = 60;

/// Writes journals, tapes and universe, unless the journals are there already.
///
/// # Errors
/// When a file cannot be written.
pub fn write(day: &Day, tape: Option<&Path>, layout: Layout) -> anyhow::Result<()> {
    let Some(folder) = day.settings.journals.as_deref() else { return Ok(()) };
    let universe = folder.join("symbols.yaml");
    if universe.exists() {
        tracing::info!(folder = %folder.display(), "journals of the day are there already");
        return Ok(());
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut writing = Writing::new(day, folder, tape, layout)?;
    writing.run()?;
    let delivered = writing.close()?;
    if let Some(tape) = tape {
        write_truth(day, &beside(tape, ".market"))?;
    }
    // Last: who finds it finds everything.
    std::fs::write(&universe, universe_of(day))?;
    tracing::info!(date = day.settings.date, delivered, folder = %folder.display(), "journals of the day written");
    Ok(())
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(end);
    path.into()
}

/// The symbols before their first print.
fn fresh(day: &Day) -> Vec<Instrument> {
    let again = |it: &Instrument| {
        Instrument::new(&it.key, &it.code, it.listing, it.profile.clone(), day.settings.seed)
    };
    day.symbols.iter().map(again).collect()
}

/// Lets an instrument have the print that follows `before` on its tape.
fn play(it: &mut Instrument, line: &Line, before: Option<&Print>, print: &Print) {
    let of = print.print();
    let (volume, value) = before.map_or((0, 0), |print| (print.volume(), print.value()));
    let off_hours = (print.volume() - of.quantity - volume, print.value() - of.quantity * of.price - value);
    let quote = print.quote(&it.profile);
    it.session = print.phase().codes();
    it.play(line.tape, &of, off_hours, quote, print.time());
}

/// What is written while the day passes.
struct Writing<'a> {
    day: &'a Day,
    symbols: Vec<Instrument>,
    feeds: Vec<Feed>,
    tape: Option<BufWriter<File>>,
    text: String,
    delivered: u64,
}

impl<'a> Writing<'a> {
    fn new(day: &'a Day, folder: &Path, tape: Option<&Path>, layout: Layout) -> anyhow::Result<Self> {
        let mut feeds = Vec::new();
        for carrier in CARRIERS {
            let carries = (0..day.symbols.len()).any(|symbol| day.losses.carries(carrier, symbol));
            if carries {
                let connections = day.settings.connections;
                let first = unix(day, carrier, (0..connections).map(|at| day.losses.up(carrier, at)).min());
                feeds.push(Feed::open(folder, carrier, connections, layout, first - BEFORE_THE_DAY)?);
            }
        }
        let tape = match tape {
            Some(path) => Some(BufWriter::with_capacity(1 << 20, File::create(path)?)),
            None => None,
        };
        Ok(Self { day, symbols: fresh(day), feeds, tape, text: String::new(), delivered: 0 })
    }

    /// All prints in the order of time, the US day behind the Korean one.
    fn run(&mut self) -> anyhow::Result<()> {
        let day = self.day;
        for us in [false, true] {
            let mut waiting = BinaryHeap::new();
            let lines = day.lines.iter().enumerate().filter(|(_, line)| day.is_us(line.symbol) == us);
            for (at, line) in lines {
                if let Some(first) = day.prints(line, Which::Day).first() {
                    waiting.push(Reverse((first.second(), line.tape.index(), at, 0_usize)));
                }
            }
            let carried = self.carried();
            let mut passed = 0;
            while let Some(Reverse((second, tape, at, index))) = waiting.pop() {
                for now in self.instants(us, passed, second) {
                    self.stand(us, now, &carried)?;
                }
                if second != passed {
                    self.feeds.iter_mut().try_for_each(Feed::flush_all)?;
                    passed = second;
                }
                let Some(line) = day.lines.get(at) else { continue };
                self.print(line, index)?;
                if let Some(next) = day.prints(line, Which::Day).get(index + 1) {
                    waiting.push(Reverse((next.second(), tape, at, index + 1)));
                }
            }
        }
        Ok(())
    }

    /// How many lines each connection of each feed carries.
    fn carried(&self) -> Vec<Vec<usize>> {
        let of = |feed: &Feed| {
            let mut counts = vec![0; self.day.settings.connections];
            for line in &self.day.lines {
                let at = self.day.losses.connection(feed.carrier, line.symbol);
                if self.day.losses.carries(feed.carrier, line.symbol)
                    && let Some(count) = counts.get_mut(at)
                {
                    *count += 1;
                }
            }
            counts
        };
        self.feeds.iter().map(of).collect()
    }

    /// The seconds after `from` up to and with `to` in which some connection begins or ends.
    fn instants(&self, us: bool, from: u32, to: u32) -> Vec<u32> {
        if from == to {
            return Vec::new();
        }
        let losses = &self.day.losses;
        let mut instants: Vec<u32> = losses.cuts.iter().flat_map(|cut| [cut.from, cut.until]).collect();
        for feed in self.feeds.iter().filter(|feed| (feed.carrier == Carrier::Us) == us) {
            instants.extend((0..self.day.settings.connections).map(|at| losses.up(feed.carrier, at)));
        }
        instants.retain(|instant| (from + 1..=to).contains(instant));
        instants.sort_unstable();
        instants.dedup();
        instants
    }

    fn stand(&mut self, us: bool, second: u32, carried: &[Vec<usize>]) -> anyhow::Result<()> {
        let day = self.day;
        for (feed, carried) in self.feeds.iter_mut().zip(carried) {
            if (feed.carrier == Carrier::Us) == us {
                feed.stand(&day.losses, second, unix(day, feed.carrier, Some(second)), carried)?;
            }
        }
        Ok(())
    }

    fn print(&mut self, line: &Line, index: usize) -> anyhow::Result<()> {
        let day = self.day;
        let prints = day.prints(line, Which::Day);
        let (Some(print), Some(it), Some(place)) =
            (prints.get(index), self.symbols.get_mut(line.symbol), day.place(line, index))
        else {
            return Ok(());
        };
        play(it, line, index.checked_sub(1).and_then(|before| prints.get(before)), print);
        let now = day.moment(line, print.second());
        let of = print.print();
        self.text.clear();
        for feed in &mut self.feeds {
            let carrier = feed.carrier;
            if !day.losses.carries(carrier, line.symbol) || !day.losses.delivered(carrier, place) {
                continue;
            }
            let connection = day.losses.connection(carrier, line.symbol);
            let delivery = Delivery { it, tape: line.tape, print: &of, now: &now };
            let frame = feed.deliver(connection, &delivery)?;
            self.delivered += 1;
            if self.tape.is_some() {
                tape_line::trade(&mut self.text, it, Feed::tr(carrier, line.tape), &of, &now);
                writeln!(self.text, ",\"connections\":[{}],\"frame\":{frame}}}", connection + 1)?;
            }
        }
        if let Some(tape) = &mut self.tape {
            tape.write_all(self.text.as_bytes())?;
        }
        Ok(())
    }

    /// Ends the day; tells how many prints were delivered, by each feed.
    fn close(self) -> anyhow::Result<u64> {
        for mut feed in self.feeds {
            feed.flush_all()?;
            let end = unix(self.day, feed.carrier, Some(20 * 3_600)) + AFTER_THE_DAY;
            feed.close(end)?;
        }
        if let Some(mut tape) = self.tape {
            tape.flush()?;
        }
        Ok(self.delivered)
    }
}

/// A second of the local day of a feed, in seconds since 1970.
fn unix(day: &Day, carrier: Carrier, second: Option<u32>) -> i64 {
    let midnight = if carrier == Carrier::Us { day.midnights.1 } else { day.midnights.0 };
    midnight + i64::from(second.unwrap_or(0))
}

/// Every trade, by symbol, tape and cumulative volume.
fn write_truth(day: &Day, path: &Path) -> anyhow::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut symbols = fresh(day);
    let mut order: Vec<&Line> = day.lines.iter().collect();
    order.sort_by_key(|line| (day.symbols.get(line.symbol).map(|it| it.code.as_str()), line.tape.index()));
    let mut text = String::new();
    for line in order {
        let Some(it) = symbols.get_mut(line.symbol) else { continue };
        let tr = Feed::tr(if day.is_us(line.symbol) { Carrier::Us } else { Carrier::Kis }, line.tape);
        let mut before = None;
        for (index, print) in day.prints(line, Which::Day).iter().enumerate() {
            play(it, line, before, print);
            before = Some(print);
            let Some(place) = day.place(line, index) else { continue };
            text.clear();
            tape_line::trade(&mut text, it, tr, &print.print(), &day.moment(line, print.second()));
            let carried = CARRIERS.into_iter().filter(|carrier| day.losses.carries(*carrier, line.symbol));
            let delivered = carried.clone().filter(|carrier| day.losses.delivered(*carrier, place));
            let lacks = day.losses.lacks(line.symbol, line.tape, index);
            let (carried, delivered) = (words(carried), words(delivered));
            writeln!(text, ",\"carried\":[{carried}],\"delivered\":[{delivered}],\"lacks\":{lacks}}}")?;
            file.write_all(text.as_bytes())?;
        }
    }
    file.flush()?;
    Ok(())
}

fn words(carriers: impl Iterator<Item = Carrier>) -> String {
    carriers.map(|carrier| format!("\"{}\"", carrier.source())).collect::<Vec<_>>().join(",")
}

/// The universe: KIS carries group A, Kiwoom group B.
fn universe_of(day: &Day) -> String {
    let mut text = String::from("symbols:\n");
    for (number, it) in day.symbols.iter().enumerate() {
        let line = if day.is_us(number) {
            format!("  - {{symbol: {}, market: us, listing: NAS, kinds: [ticker]}}\n", it.code)
        } else {
            let group = if day.losses.carries(Carrier::Kis, number) { "A" } else { "B" };
            let tapes = if it.has_nxt() { "[krx, nxt]" } else { "[krx]" };
            format!("  - {{symbol: {}, tapes: {tapes}, kinds: [ticker], group: {group}}}\n", it.code)
        };
        text.push_str(&line);
    }
    text
}
