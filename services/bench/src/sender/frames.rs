//! Frames of `H0STCNT0` (47 fields) and `H0STASP0` (63 fields), made once as they go over the wire and sent in a circle.
//!
//! ```text
//! 0|H0STCNT0|001|005930^140610^27750^2^350^1.27^…^7^3603603611^100000000194250^…^20261126^20^N^…^2
//! ```
//! Each time a frame comes round its time and date are those of now, and its cumulative volume and value go on from the
//! print before: places of fixed width are written over. Prices walk on the grid around a price of the symbol's own, and
//! everything else follows from the symbol and its place in the list, so that two runs send the same.

mod records;

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use records::{Instrument, Print, Record, book, trade};

/// About so many bytes are made for a connection, and so many rounds at least: more than a processor's caches hold.
const BYTES: usize = 4 << 20;
/// Rounds at least, so that prices move among many symbols too.
const ROUNDS: usize = 2;
/// A registration as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Registered {
    /// `H0STCNT0` or `H0STASP0`.
    pub tr_id: String,
    /// The short code.
    pub tr_key: String,
}

/// What a registration brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Prints.
    Trade,
    /// Books of ten levels.
    Book,
}

impl Registered {
    /// What it brings; none = a TR that is not sent here.
    pub fn kind(&self) -> Option<Kind> {
        match self.tr_id.as_str() {
            "H0STCNT0" => Some(Kind::Trade),
            "H0STASP0" => Some(Kind::Book),
            _ => None,
        }
    }
}

/// Date and time of now in Korea, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    date: String,
    time: String,
}

impl Clock {
    /// Of now.
    pub fn now() -> Self {
        Self::at(now_ns())
    }

    /// Of an instant, UTC ns.
    pub fn at(utc_ns: i64) -> Self {
        Self { date: yyyymmdd(utc_ns), time: hhmmss(utc_ns) }
    }
}

/// Now, UTC ns.
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The date in Korea.
pub fn yyyymmdd(utc_ns: i64) -> String {
    market::time::kst_date(utc_ns).yyyymmdd().to_string()
}

/// The time of day in Korea.
pub fn hhmmss(utc_ns: i64) -> String {
    let seconds = (utc_ns + market::time::KST).div_euclid(market::time::SECOND).rem_euclid(86_400);
    format!("{:02}{:02}{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Where a frame lies and what is written over in it.
#[derive(Debug, Clone, Copy)]
struct Frame {
    end: usize,
    instrument: usize,
    time: usize,
    volume: usize,
    trade: Option<Print>,
}

/// The frames of one connection.
#[derive(Debug)]
pub struct Prepared {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
    instruments: Vec<Instrument>,
    next: usize,
}

/// Some frames, ready to be written.
#[derive(Debug)]
pub struct Batch<'a> {
    /// As on the wire.
    pub bytes: &'a [u8],
    /// How many of them are trades.
    pub trades: u64,
    /// How many are books.
    pub books: u64,
}

impl<'a> Batch<'a> {
    /// The texts in the frames.
    pub fn texts(&self) -> impl Iterator<Item = anyhow::Result<&'a str>> + use<'a> {
        let mut left = self.bytes;
        std::iter::from_fn(move || {
            let (head, behind) = match left {
                [] => return None,
                [0x81, 126, high, low, behind @ ..] => (u16::from_be_bytes([*high, *low]), behind),
                [0x81, length @ 0..126, behind @ ..] => (u16::from(*length), behind),
                _ => return Some(Err(anyhow::anyhow!("not a frame"))),
            };
            let (text, rest) = behind.split_at_checked(usize::from(head))?;
            left = rest;
            Some(std::str::from_utf8(text).map_err(anyhow::Error::from))
        })
    }
}

impl Prepared {
    /// Frames of what is registered: in turn a trade of every symbol, then twice a book of every symbol.
    pub fn new(registered: &[Registered]) -> Self {
        let mut instruments: Vec<Instrument> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for one in registered {
            let Some(kind) = one.kind() else { continue };
            let place = *places.entry(one.tr_key.as_str()).or_insert_with(|| {
                instruments.push(Instrument::new(&one.tr_key, instruments.len()));
                instruments.len() - 1
            });
            instruments[place].kinds[kind as usize] = true;
        }
        let mut prepared = Self { bytes: Vec::new(), frames: Vec::new(), instruments, next: 0 };
        let mut round = 0;
        while round < ROUNDS || prepared.bytes.len() < BYTES {
            for kind in [Kind::Trade, Kind::Book, Kind::Book] {
                for instrument in 0..prepared.instruments.len() {
                    if prepared.instruments[instrument].kinds[kind as usize] {
                        prepared.push(instrument, kind);
                    }
                }
            }
            round += 1;
            if prepared.frames.is_empty() {
                break;
            }
        }
        prepared
    }

    /// The next frames, at most so many, with the figures of now. None only when nothing is registered.
    pub fn batch(&mut self, most: u64, clock: &Clock) -> Batch<'_> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let until = self.next.saturating_add(most).min(self.frames.len());
        let first = self.next.checked_sub(1).and_then(|before| self.frames.get(before));
        let begin = first.map_or(0, |frame| frame.end);
        let end =
            until.checked_sub(1).and_then(|last| self.frames.get(last)).map_or(begin, |frame| frame.end);
        let (mut trades, mut books) = (0, 0);
        for frame in &self.frames[self.next..until] {
            let instrument = &mut self.instruments[frame.instrument];
            write_text(&mut self.bytes, frame.time, &clock.time);
            match frame.trade {
                Some(print) => {
                    instrument.go_on(&print);
                    write_text(&mut self.bytes, print.date, &clock.date);
                    write_digits(&mut self.bytes, print.value, 15, instrument.value);
                    write_digits(&mut self.bytes, print.sold, 10, instrument.sold);
                    write_digits(&mut self.bytes, print.bought, 10, instrument.bought);
                    trades += 1;
                }
                None => books += 1,
            }
            write_digits(&mut self.bytes, frame.volume, 10, instrument.volume);
        }
        self.next = if until == self.frames.len() { 0 } else { until };
        Batch { bytes: &self.bytes[begin..end], trades, books }
    }

    /// Adds one frame.
    fn push(&mut self, instrument: usize, kind: Kind) {
        let one = &mut self.instruments[instrument];
        let mut record = Record::default();
        let print = match kind {
            Kind::Trade => Some(trade(one, &mut record)),
            Kind::Book => {
                book(one, &mut record);
                None
            }
        };
        // A text frame of a server: whole, unmasked.
        self.bytes.push(0x81);
        match u16::try_from(record.text.len()) {
            Ok(short @ 0..126) => self.bytes.extend(short.to_be_bytes().get(1)),
            Ok(length) => {
                self.bytes.push(126);
                self.bytes.extend(length.to_be_bytes());
            }
            // No record is so long.
            Err(_) => return,
        }
        let start = self.bytes.len();
        self.bytes.extend(record.text.as_bytes());
        self.frames.push(Frame {
            end: self.bytes.len(),
            instrument,
            time: start + record.time,
            volume: start + record.volume,
            trade: print.map(|print| print.behind(start)),
        });
    }
}

fn write_text(bytes: &mut [u8], at: usize, text: &str) {
    if let Some(place) = bytes.get_mut(at..at + text.len()) {
        place.copy_from_slice(text.as_bytes());
    }
}

/// A number of exactly so many digits.
fn write_digits(bytes: &mut [u8], at: usize, digits: usize, mut value: u64) {
    for byte in bytes.iter_mut().skip(at).take(digits).rev() {
        *byte = b'0' + u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
    }
}

#[cfg(test)]
mod tests;
