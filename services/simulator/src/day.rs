//! A whole synthetic day: settings turn into the prints of every symbol, into what the feeds delivered of them (journals
//! that the services work through), and into the pages that the REST sides answer.
//!
//! | file | what it turns into what |
//! |---|---|
//! | `phases` | a date into the stretches in which a tape prints |
//! | `line` | seed and stretches into the prints of one symbol on one tape, 24 bytes each |
//! | `losses` | seed and settings into what was not delivered, and what the REST sides lack |
//! | `feed` | prints into the frames of one broker's connections, in a journal |
//! | `journals` | the day into journals, tapes and a universe: all prints in the order of time |
//! | `pages` | the day into Kiwoom's pages |
//! | `kis_pages` | the day into KIS's pages |
//! | `counts` | calls into figures, and the losses into the least calls that repair them |
//!
//! Everything is made again from the seed: two processes with the same settings tell of the same day.

mod counts;
mod feed;
mod journals;
pub mod kis_pages;
pub mod line;
mod losses;
pub mod pages;
mod phases;

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;

use crate::clock::{Local, Moment};
use crate::config::DaySettings;
use crate::market::catalog::{self, Listing};
use crate::market::instrument::{Instrument, Row};
use crate::market::random::Random;
use crate::market::tally::Side;
use crate::tr::Tape;

use self::counts::Counts;
use self::line::{Draw, Print};
use self::losses::{Losses, Place};
use self::phases::Window;

pub use self::journals::write;

/// One symbol of so many does not trade at all.
const SILENT_EVERY: usize = 97;
/// The first symbols of the ranking are flattened: the busiest has some hundred times the trades of the last.
const FLAT: usize = 20;
/// So many of 100 trades of a symbol that trades on nxt are there.
const NXT_SHARE: usize = 30;
/// The day before has so many trades for each of the day, and so many at most.
const BEFORE_SHARE: usize = 20;
const BEFORE_MOST: usize = 300;

/// One symbol on one tape.
#[derive(Debug)]
pub struct Line {
    /// Number of its symbol.
    pub symbol: usize,
    /// The tape.
    pub tape: Tape,
    count: usize,
    day: OnceLock<Vec<Print>>,
    before: OnceLock<Vec<Print>>,
    lacking: OnceLock<Vec<usize>>,
}

/// Which of the two days that the REST sides know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The day itself.
    Day,
    /// The trading day before it.
    Before,
}

/// The day.
#[derive(Debug)]
pub struct Day {
    /// What it was made from.
    pub settings: DaySettings,
    /// What was lost.
    losses: Losses,
    /// The symbols before their first print, Korean ones first.
    pub symbols: Vec<Instrument>,
    /// By symbol, krx (or the US feed) before nxt.
    pub lines: Vec<Line>,
    index: HashMap<String, usize>,
    /// Seconds of midnight since 1970: in Korea, in New York.
    midnights: (i64, i64),
    /// The date after it, on which a US day ends in Korea.
    tomorrow: u32,
    counts: Mutex<Counts>,
}

impl Day {
    /// Draws the symbols; their prints follow when they are asked for.
    ///
    /// # Errors
    /// When the time zones or the date cannot be used.
    pub fn new(settings: DaySettings) -> anyhow::Result<Self> {
        let mut symbols = Vec::new();
        let mut lines = Vec::new();
        let korean = counts_of(settings.symbols, settings.trades);
        let american = counts_of(settings.us_symbols, settings.us_trades);
        for (number, count) in korean.into_iter().chain(american).enumerate() {
            let us = number >= settings.symbols;
            let (instrument, nxt) = instrument(&settings, number, us);
            let on_nxt = if nxt { count * NXT_SHARE / 100 } else { 0 };
            symbols.push(instrument);
            lines.push(Line::new(number, Tape::First, count - on_nxt));
            if nxt {
                lines.push(Line::new(number, Tape::Nxt, on_nxt));
            }
        }
        let index = symbols.iter().enumerate().map(|(at, it)| (it.key.clone(), at)).collect();
        let midnights = midnights(settings.date)?;
        let tomorrow = tomorrow(settings.date)?;
        let losses = Losses::new(&settings);
        let counts = Mutex::default();
        Ok(Self { settings, losses, symbols, lines, index, midnights, tomorrow, counts })
    }

    /// The prints of a line, oldest first.
    pub fn prints<'a>(&self, line: &'a Line, which: Which) -> &'a [Print] {
        let (cell, count) = match which {
            Which::Day => (&line.day, line.count),
            Which::Before => (&line.before, line.count.min(line.count / BEFORE_SHARE + 5).min(BEFORE_MOST)),
        };
        cell.get_or_init(|| {
            let Some(it) = self.symbols.get(line.symbol) else { return Vec::new() };
            let name = format!("{} {} {}", self.date(which), line.tape.index(), it.key);
            let cap = match it.listing {
                Listing::Korea { .. } => 20_000_000 / it.profile.base + 20,
                Listing::Us | Listing::UsDay => 300_000_000 / it.profile.base + 50,
            };
            let draw = Draw { seed: self.settings.seed, name: &name, profile: &it.profile, cap };
            line::prints(draw, &self.windows(line), count)
        })
    }

    fn windows(&self, line: &Line) -> Vec<Window> {
        if self.is_us(line.symbol) {
            return phases::american();
        }
        phases::korean(self.settings.date, self.settings.kind, line.tape)
    }

    /// Whether a symbol is one of the US.
    #[must_use]
    pub fn is_us(&self, symbol: usize) -> bool {
        symbol >= self.settings.symbols
    }

    /// The trade date, YYYYMMDD.
    #[must_use]
    pub fn date(&self, which: Which) -> u32 {
        if which == Which::Day { self.settings.date } else { self.settings.before }
    }

    /// The line of a registration key (`005930`, `DNASAAPL`) on a tape.
    #[must_use]
    pub fn find(&self, key: &str, tape: Tape) -> Option<&Line> {
        let symbol = *self.index.get(key)?;
        self.lines.iter().find(|line| line.symbol == symbol && line.tape == tape)
    }

    /// Whether a key names a symbol.
    #[must_use]
    pub fn knows(&self, key: &str) -> bool {
        self.index.contains_key(key)
    }

    /// The numbers of the prints that the REST sides lack.
    fn lacking<'a>(&self, line: &'a Line) -> &'a [usize] {
        line.lacking.get_or_init(|| {
            let all = 0..self.prints(line, Which::Day).len();
            all.filter(|index| self.losses.lacks(line.symbol, line.tape, *index)).collect()
        })
    }

    /// How many rows the REST sides have of a line.
    #[must_use]
    pub fn rows(&self, line: &Line, which: Which) -> usize {
        let all = self.prints(line, which).len();
        if which == Which::Day { all - self.lacking(line).len() } else { all }
    }

    /// The rows `from..to` of the REST sides, oldest first. With `sides` also the shares by side so far, which takes a
    /// walk from the first print.
    #[must_use]
    pub fn slice(&self, line: &Line, which: Which, from: usize, to: usize, sides: bool) -> Vec<Row> {
        let prints = self.prints(line, which);
        let lacking = if which == Which::Day { self.lacking(line) } else { &[] };
        let Some(it) = self.symbols.get(line.symbol) else { return Vec::new() };
        let (mut sold, mut bought, mut counted) = (0, 0, 0);
        let mut rows = Vec::with_capacity(to.saturating_sub(from));
        for ordinal in from..to {
            let index = lacking.iter().fold(ordinal, |at, lack| at + usize::from(*lack <= at));
            let Some(print) = prints.get(index) else { break };
            if sides {
                for print in prints.iter().take(index + 1).skip(counted) {
                    match print.print().side {
                        Side::Buy => bought += print.quantity(),
                        Side::Sell => sold += print.quantity(),
                        Side::None => {}
                    }
                }
                counted = index + 1;
            }
            let (ask, bid) = print.quote(&it.profile);
            rows.push(Row {
                time: print.time(),
                print: print.print(),
                volume: print.volume(),
                value: print.value(),
                ask,
                bid,
                sides: (sold, bought),
            });
        }
        rows
    }

    /// The second of a print, seen from everywhere.
    #[must_use]
    pub fn moment(&self, line: &Line, second: u32) -> Moment {
        let local = Local { date: self.settings.date, time: clock_time(second) };
        if !self.is_us(line.symbol) {
            return Moment { unix: self.midnights.0 + i64::from(second), korea: local, new_york: local };
        }
        let unix = self.midnights.1 + i64::from(second);
        let there = u32::try_from(unix - self.midnights.0).unwrap_or(0);
        let date = if there < 86_400 { self.settings.date } else { self.tomorrow };
        Moment { unix, korea: Local { date, time: clock_time(there % 86_400) }, new_york: local }
    }

    /// HHMMSS in Korea of a time in New York.
    #[must_use]
    pub fn korean_time(&self, time: u32) -> u32 {
        let second = time / 10_000 * 3_600 + time / 100 % 100 * 60 + time % 100;
        let ahead = u32::try_from(self.midnights.1 - self.midnights.0).unwrap_or(0);
        clock_time((second + ahead) % 86_400)
    }

    fn place(&self, line: &Line, index: usize) -> Option<Place> {
        let second = self.prints(line, Which::Day).get(index)?.second();
        Some(Place { symbol: line.symbol, tape: line.tape, index, second })
    }

    /// Counts a call for a symbol that got an answer, or one beyond the rate.
    pub fn called(&self, call: &str, key: &str, refused: bool) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.called(call, key, refused);
    }

    /// The figures for `/control/status`.
    #[must_use]
    pub fn figures(&self) -> Value {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.figures(self)
    }
}

impl Line {
    fn new(symbol: usize, tape: Tape, count: usize) -> Self {
        let (day, before, lacking) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { symbol, tape, count, day, before, lacking }
    }
}

/// So many trades for each symbol, very unequal, together `trades`.
fn counts_of(symbols: usize, trades: usize) -> Vec<usize> {
    let rank = |number: usize| number * 7_919 % symbols.max(1);
    let weight = |number: usize| {
        let rank = rank(number);
        if rank % SILENT_EVERY == SILENT_EVERY - 1 { 0 } else { 100_000_000 / (rank + FLAT) }
    };
    let sum: usize = (0..symbols).map(weight).sum();
    let mut counts: Vec<usize> =
        (0..symbols).map(|number| trades.saturating_mul(weight(number)) / sum.max(1)).collect();
    let rest = trades - counts.iter().sum::<usize>();
    if let Some(first) = counts.first_mut() {
        *first += rest;
    }
    counts
}

/// The symbol of a number, and whether it trades on nxt.
fn instrument(settings: &DaySettings, number: usize, us: bool) -> (Instrument, bool) {
    let seed = settings.seed;
    if us {
        let mut rest = number - settings.symbols;
        let mut letters = String::new();
        for _ in 0..3 {
            letters.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or(0)));
            rest /= 26;
        }
        let key = format!("DNASS{letters}");
        let code = format!("S{letters}");
        let profile = catalog::profile(&code, true, None, seed);
        return (Instrument::new(&key, &code, Listing::Us, profile, seed), false);
    }
    // Letters stand in codes on purpose.
    let code =
        if number % 50 == 49 { format!("{number:04}E0") } else { format!("{:06}", 100_000 + number * 10) };
    let nxt = Random::new(seed, &code).between(0, 99) < i64::try_from(settings.nxt_percent).unwrap_or(0);
    let profile = catalog::profile(&code, false, None, seed);
    (Instrument::new(&code, &code, Listing::Korea { nxt }, profile, seed), nxt)
}

/// HHMMSS of a second of the day.
fn clock_time(second: u32) -> u32 {
    second / 3_600 * 10_000 + second / 60 % 60 * 100 + second % 60
}

fn tomorrow(date: u32) -> anyhow::Result<u32> {
    let civil = crate::config::civil(date).ok_or_else(|| anyhow::anyhow!("no such date: {date}"))?;
    Ok(civil.tomorrow()?.strftime("%Y%m%d").to_string().parse()?)
}

/// When the date begins in Korea and in New York.
fn midnights(date: u32) -> anyhow::Result<(i64, i64)> {
    let civil = crate::config::civil(date).ok_or_else(|| anyhow::anyhow!("no such date: {date}"))?;
    let second = |zone| Ok::<_, anyhow::Error>(civil.in_tz(zone)?.timestamp().as_second());
    Ok((second("Asia/Seoul")?, second("America/New_York")?))
}

#[cfg(test)]
mod tests;
