//! Frames of `H0STCNT0` (47 fields) and `H0STASP0` (63 fields), made once as they go over the wire and sent in a circle.
//!
//! ```text
//! 0|H0STCNT0|001|005930^140610^27750^2^350^1.27^…^7^3603603611^100000000194250^…^20261126^20^N^…^2
//! ```
//! Each time a frame comes round its time and date are those of now, and its cumulative volume and value go on from the
//! print before: places of fixed width are written over. Prices walk on the grid around a price of the symbol's own, and
//! everything else follows from the symbol and its place in the list, so that two runs send the same.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

/// About so many bytes are made for a connection, and so many rounds at least: more than a processor's caches hold.
const BYTES: usize = 4 << 20;
/// Rounds at least, so that prices move among many symbols too.
const ROUNDS: usize = 2;
/// Won between two prices from 20,000 to 50,000.
const TICK: u64 = 50;
/// The walk ends so many ticks from where it began: no grid but this one.
const WALK: u64 = 20;
/// The cumulative value of each symbol at the start, in won: fifteen digits for as long as anyone sends.
const VALUE: u64 = 100_000_000_000_000;

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

/// Of a trade alone.
#[derive(Debug, Clone, Copy)]
struct Print {
    date: usize,
    value: usize,
    sold: usize,
    bought: usize,
    price: u64,
    quantity: u64,
    is_sale: bool,
}

/// One symbol as it goes on.
#[derive(Debug, Clone)]
struct Instrument {
    key: String,
    kinds: [bool; 2],
    seed: u64,
    /// Won.
    base: u64,
    /// Ticks from `base - WALK * TICK`.
    step: u64,
    volume: u64,
    value: u64,
    sold: u64,
    bought: u64,
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
            trade: print.map(|print| Print {
                date: start + print.date,
                value: start + print.value,
                sold: start + print.sold,
                bought: start + print.bought,
                ..print
            }),
        });
    }
}

impl Instrument {
    fn new(key: &str, place: usize) -> Self {
        let place = u64::try_from(place).unwrap_or_default();
        let seed = key.bytes().fold(0x9e37_79b9_7f4a_7c15 ^ place, |seed, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut one = Self {
            key: key.to_owned(),
            kinds: [false; 2],
            seed: seed | 1,
            base: 0,
            step: WALK,
            volume: 0,
            value: VALUE,
            sold: 0,
            bought: 0,
        };
        one.base = 25_000 + one.below(400) * TICK;
        // Ten digits, and about what was paid for it.
        one.volume = VALUE / one.base;
        one.sold = one.volume / 2 - 1;
        one.bought = one.volume / 2 - 1;
        one
    }

    /// A number below `end` (xorshift).
    fn below(&mut self, end: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 16) % end
    }

    fn price(&self) -> u64 {
        self.base + self.step * TICK - WALK * TICK
    }

    fn go_on(&mut self, print: &Print) {
        self.volume += print.quantity;
        self.value += print.price * print.quantity;
        if print.is_sale { self.sold += print.quantity } else { self.bought += print.quantity }
    }
}

/// A record that is being written.
#[derive(Debug, Default)]
struct Record {
    text: String,
    time: usize,
    volume: usize,
}

impl Record {
    /// Appends a field; says where it begins.
    fn field(&mut self, value: impl std::fmt::Display) -> usize {
        if !self.text.ends_with('|') {
            self.text.push('^');
        }
        let at = self.text.len();
        // Writing to a String cannot fail.
        let _infallible = write!(self.text, "{value}");
        at
    }

    fn fields<const N: usize>(&mut self, values: [u64; N]) {
        for value in values {
            self.field(value);
        }
    }

    /// A sign code and the amount of a change; gives the sign as it is written.
    fn change(&mut self, now: u64, before: u64) -> &'static str {
        let (sign, minus) = match now.cmp(&before) {
            std::cmp::Ordering::Greater => (2, ""),
            std::cmp::Ordering::Equal => (3, ""),
            std::cmp::Ordering::Less => (5, "-"),
        };
        self.field(sign);
        self.field(format_args!("{minus}{}", now.abs_diff(before)));
        minus
    }
}

/// Fields 0 to 46 of a print.
fn trade(one: &mut Instrument, record: &mut Record) -> Print {
    let up = one.below(3);
    one.step = (one.step + up).saturating_sub(1).min(2 * WALK);
    let (price, quantity, is_sale) = (one.price(), 1 + one.below(20), one.below(2) == 0);
    let (open, high, low) = (one.base, one.base + WALK * TICK, one.base - WALK * TICK);
    let (sales, buys) = (3_000 + one.below(2_000), 3_000 + one.below(2_000));
    let _infallible = write!(record.text, "0|H0STCNT0|001|");
    record.field(&one.key);
    record.time = record.field("000000");
    record.field(price);
    let minus = record.change(price, one.base);
    let hundredths = price.abs_diff(one.base) * 10_000 / one.base.max(1);
    record.field(format_args!("{minus}{}.{:02}", hundredths / 100, hundredths % 100));
    record.field(format_args!("{}.00", one.base));
    record.fields([open, high, low, price + TICK, price, quantity]);
    record.volume = record.field("0000000000");
    let value = record.field("000000000000000");
    record.fields([sales, buys]);
    record.field(i128::from(buys) - i128::from(sales));
    record.field("100.00");
    let sold = record.field("0000000000");
    let bought = record.field("0000000000");
    record.field(if is_sale { "5" } else { "1" });
    record.field("0.51");
    record.field("46.62");
    for (time, other) in [("090011", open), ("090553", high), ("090023", low)] {
        record.field(time);
        record.change(price, other);
    }
    let date = record.field("00000000");
    for field in ["20", "N"] {
        record.field(field);
    }
    let totals = [1 + one.below(9_999), 1 + one.below(9_999), 200_000 + one.below(99_999), 200_000];
    record.fields(totals);
    record.field("0.25");
    record.field(one.volume - one.volume / 10);
    record.field("111.11");
    for field in ["0", ""] {
        record.field(field);
    }
    record.field(open);
    record.field(2);
    Print { date, value, sold, bought, price, quantity, is_sale }
}

/// Fields 0 to 62 of a book.
fn book(one: &mut Instrument, record: &mut Record) {
    let price = one.price();
    let sizes: [u64; 20] = std::array::from_fn(|_| 1 + one.below(50_000));
    let (asks, bids) = (sizes.iter().take(10).sum::<u64>(), sizes.iter().skip(10).sum::<u64>());
    let _infallible = write!(record.text, "0|H0STASP0|001|");
    record.field(&one.key);
    record.time = record.field("000000");
    record.field(0);
    record.fields::<10>(std::array::from_fn(|level| price + (level as u64 + 1) * TICK));
    record.fields::<10>(std::array::from_fn(|level| price - level as u64 * TICK));
    record.fields(sizes);
    record.fields([asks, bids, 0, 0, 0, 0, 457_236]);
    record.field(format_args!("-{}", one.base));
    record.field(5);
    record.field("-100.00");
    record.volume = record.field("0000000000");
    let changes = [one.below(500), one.below(500), 0, 0, 0, price + TICK / 2, 0, 0, 2];
    record.fields(changes);
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
